use jiyao_proto::attendance::v1 as wire;

use crate::types::{self, Position};
use crate::watch::Watch;
use crate::{Client, Error, Page, Roll};

impl Client {
    /// The roll that minutes state. `read_after`: waits until attendance has come to this position of records.
    ///
    /// # Errors
    /// `NOT_STATED`, `NOT_CAUGHT_UP`.
    pub async fn roll(&self, minutes: &str, read_after: Option<&Position>) -> Result<Roll, Error> {
        let read_after = read_after.map(Position::to_wire);
        let request = wire::GetRollRequest { name: format!("{minutes}/roll"), read_after };
        let answer = self.attendance.call(request).await?;
        answer.roll.map(types::roll).ok_or_else(|| self.attendance.malformed("get a roll"))
    }

    /// A page of rolls without their entries, newest meeting first.
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID`, `FIELD_INVALID`.
    pub async fn list_rolls(&self, parent: &str, page: Option<&str>) -> Result<Page<Roll>, Error> {
        let page_token = page.unwrap_or_default().to_owned();
        let request = wire::ListRollsRequest { parent: parent.to_owned(), page_token, ..Default::default() };
        let answer = self.attendance.call(request).await?;
        Ok(Page::of(answer.rolls, answer.next_page_token, |roll| Some(types::roll(roll))))
    }

    /// Watches the rolls of an organ, or of all organs (`organs/-`), from a position of attendance's journal on, or
    /// from the beginning.
    #[must_use]
    pub fn watch_rolls(&self, parent: &str, after: Option<Position>) -> Watch<Roll> {
        let after = after.map(|after| after.to_wire());
        let watching = self.watch(wire::WatchRollsRequest { parent: parent.to_owned(), after });
        watching.meaning(|answer| answer.rolls.into_iter().map(types::roll).collect())
    }
}
