use jiyao_proto::distribution::v1 as wire;

use crate::types::{self, Position};
use crate::{Client, DistributionList, Error, Page};

impl Client {
    /// The distribution list that minutes state. `read_after`: waits until distribution has come to this position of
    /// records.
    ///
    /// # Errors
    /// `NOT_STATED`, `NOT_CAUGHT_UP`.
    pub async fn distribution_list(
        &self,
        minutes: &str,
        read_after: Option<&Position>,
    ) -> Result<DistributionList, Error> {
        let read_after = read_after.map(Position::to_wire);
        let name = format!("{minutes}/distributionList");
        let request = wire::GetDistributionListRequest { name, read_after };
        let what = "get a distribution list";
        let answer = self.distribution.call(request).await?;
        answer.list.map(types::list).ok_or_else(|| self.distribution.malformed(what))
    }

    /// A page of distribution lists, newest meeting first.
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID`, `FIELD_INVALID`.
    pub async fn list_distribution_lists(
        &self,
        parent: &str,
        page: Option<&str>,
    ) -> Result<Page<DistributionList>, Error> {
        let page_token = page.unwrap_or_default().to_owned();
        let request = wire::ListDistributionListsRequest {
            parent: parent.to_owned(),
            page_token,
            ..Default::default()
        };
        let answer = self.distribution.call(request).await?;
        Ok(Page::of(answer.lists, answer.next_page_token, |list| Some(types::list(list))))
    }
}
