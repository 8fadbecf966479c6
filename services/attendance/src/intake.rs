//! What attendance makes of the journal of records.

use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::journal::v1::{Cursor, Event};
use jiyao_serve::{Intake, Link, Setback, fetch_minutes, fetch_newest, unknown_kind};

use crate::domain::{AttendanceDomain, Command, RECORDS};

/// Takes over the rolls that minutes state.
pub(crate) struct Rolls;

impl Intake<AttendanceDomain> for Rolls {
    const SOURCE: &'static str = RECORDS;
    const METHOD: &'static str = "follow jiyao.records.v1";
    const ERASES: bool = true;

    async fn command(
        &self,
        link: &Link,
        events: Vec<Event>,
        through: Cursor,
    ) -> Result<Option<Command>, Setback> {
        let mut minutes = Vec::new();
        for event in events {
            match &event.kind {
                Some(Kind::MinutesRecorded(recorded)) => {
                    minutes.push(fetch_minutes(link, event.sequence, recorded).await?);
                }
                // A step of a life may set a level or lift it.
                Some(Kind::MinutesMoved(moved)) => minutes.push(fetch_newest(link, &moved.minutes).await?),
                Some(Kind::OrganCreated(_) | Kind::MatterChanged(_)) => {}
                _ => return Err(unknown_kind(&event)),
            }
        }
        Ok((!minutes.is_empty()).then_some(Command::State { minutes, source: through }))
    }
}
