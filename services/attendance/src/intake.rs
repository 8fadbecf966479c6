//! What attendance makes of the journal of records.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::journal::v1::{Cursor, Event};
use jiyao_serve::{FETCHED_AT_ONCE, Intake, Link, Setback, fetch_minutes, fetch_newest, unknown_kind};

use crate::domain::{AttendanceDomain, Command, RECORDS};

/// Takes over the rolls that minutes state.
pub(crate) struct Rolls;

impl Intake<AttendanceDomain> for Rolls {
    const SOURCE: &'static str = RECORDS;
    const METHOD: &'static str = "follow jiyao.records.v1";
    const ERASES: bool = true;

    async fn commands(
        &self,
        link: &Link,
        events: Vec<Event>,
        through: Cursor,
    ) -> Result<Vec<Command>, Setback> {
        let fetched = stream::iter(events).map(|event| async move {
            match &event.kind {
                Some(Kind::MinutesRecorded(recorded)) => {
                    fetch_minutes(link, event.sequence, recorded).await.map(Some)
                }
                // A step of a life may set a level or lift it.
                Some(Kind::MinutesMoved(moved)) => fetch_newest(link, &moved.minutes).await.map(Some),
                Some(Kind::OrganCreated(_) | Kind::MatterChanged(_)) => Ok(None),
                _ => Err(unknown_kind(&event)),
            }
        });
        let fetched: Vec<_> = fetched.buffered(FETCHED_AT_ONCE).try_collect().await?;
        let minutes: Vec<_> = fetched.into_iter().flatten().collect();
        let command = (!minutes.is_empty()).then_some(Command::State { minutes, source: through });
        Ok(command.into_iter().collect())
    }
}
