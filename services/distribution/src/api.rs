//! The lists that minutes state over gRPC, and what all APIs of this service share.

use std::sync::Arc;

use jiyao_fault::{Fault, Result};
use jiyao_ledger::{Ledger, Reading};
use jiyao_names::{DISTRIBUTION_LIST, Minutes, Scope};
use jiyao_proto::distribution::v1::{self as api, DistributionList};
use jiyao_proto::journal::v1::Cursor;
use jiyao_proto::server::distribution::v1::distribution_service_server::DistributionService;
use jiyao_receipts::PublicKey;
use jiyao_serve::{Caller, Followed, Late, Page, Workers, list_of, page_size, service, wait_for};
use prost::Message as _;
use tokio_util::sync::CancellationToken;

use crate::documents::View as _;
use crate::domain::DistributionDomain;
use crate::sight;
use crate::webhook::Webhooks;

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) ledger: Late<Ledger<DistributionDomain>>,
    /// How far records and attendance were followed.
    pub(crate) followed: [Followed; 2],
    pub(crate) webhooks: Webhooks,
    /// What receipts are verified by.
    pub(crate) receipt_key: PublicKey,
    pub(crate) time_zone: Arc<str>,
    /// Milliseconds after which what was not received is late.
    pub(crate) unreceived_after: i64,
    /// Anybody may search what is public: few at once.
    pub(crate) searches: Workers,
    /// A scope may be of thousands: few are worked out at once.
    pub(crate) expansions: Workers,
    pub(crate) stop: CancellationToken,
}

impl Api {
    /// Waits until this service shows a position of its own journal, or of one that it follows.
    pub(crate) async fn wait(&self, read_after: Option<&Cursor>) -> Result<()> {
        let Some(wanted) = jiyao_serve::cursor_from(read_after, "read_after")? else { return Ok(()) };
        let [records, attendance] = &self.followed;
        let followed = if attendance.is_of(wanted.journal) { attendance } else { records };
        wait_for(self.ledger.get()?, Some(followed), read_after).await
    }

    async fn get_distribution_list(
        &self,
        caller: Caller,
        request: api::GetDistributionListRequest,
    ) -> Result<api::GetDistributionListResponse> {
        let minutes = Minutes::parse_part(&request.name, DISTRIBUTION_LIST, "name")?;
        self.wait(request.read_after.as_ref()).await?;
        let (list, sequence) = self.ledger.get()?.read(|view| {
            sight::check(view, &caller.principal, &minutes, "name")?;
            view.list(&minutes, "name")
        })?;
        Ok(api::GetDistributionListResponse { list: Some(list), sequence })
    }

    async fn list_distribution_lists(
        &self,
        caller: Caller,
        request: api::ListDistributionListsRequest,
    ) -> Result<api::ListDistributionListsResponse> {
        let scope = Scope::parse(&request.parent, "parent")?;
        let size = page_size(request.page_size)?;
        let query = caller.query(&["ListDistributionLists", &request.parent])?;
        let after = query.after(&request.page_token)?;
        self.wait(request.read_after.as_ref()).await?;
        let read = move |view: &Reading<'_>| {
            let take = |value: Vec<u8>| {
                let list = DistributionList::decode(value.as_slice()).map_err(Fault::internal)?;
                let minutes = Minutes::parse(&list.minutes, "minutes")?;
                Ok(sight::is_seen(view, &caller.principal, &minutes)?.then_some(list))
            };
            Page::of(view, &list_of(&scope), &after, size, take)
        };
        let (page, sequence) = self.ledger.read_much(read).await?;
        let next_page_token = query.token(page.next)?;
        Ok(api::ListDistributionListsResponse { lists: page.found, next_page_token, sequence })
    }
}

service! {
    DistributionService for Api;
    calls {
        get_distribution_list: GetDistributionListRequest => GetDistributionListResponse;
        list_distribution_lists: ListDistributionListsRequest => ListDistributionListsResponse;
    }
}
