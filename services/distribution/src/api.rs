//! The distribution service over gRPC.

use jiyao_fault::{Fault, Reason};
use jiyao_ledger::Ledger;
use jiyao_names::{DISTRIBUTION_LIST, Minutes, Scope};
use jiyao_proto::distribution::v1::distribution_service_server::DistributionService;
use jiyao_proto::distribution::v1::{self as api, DistributionList};
use jiyao_serve::{
    Followed, Late, Page, PageQuery, READERS, Right, answer, document_of, list_of, page_size, wait_for,
};
use prost::Message as _;
use tonic::{Request, Response, Status};

use crate::domain::DistributionDomain;

/// Who may call what.
pub(crate) const RIGHTS: &[Right] = &[
    Right { method: "/jiyao.distribution.v1.DistributionService/GetDistributionList", roles: READERS },
    Right { method: "/jiyao.distribution.v1.DistributionService/ListDistributionLists", roles: READERS },
];

pub(crate) struct Api {
    ledger: Late<Ledger<DistributionDomain>>,
    followed: Followed,
}

impl Api {
    pub(crate) fn new(ledger: Late<Ledger<DistributionDomain>>, followed: Followed) -> Self {
        Self { ledger, followed }
    }
}

#[tonic::async_trait]
impl DistributionService for Api {
    async fn get_distribution_list(
        &self,
        request: Request<api::GetDistributionListRequest>,
    ) -> Result<Response<api::GetDistributionListResponse>, Status> {
        answer(request, async |_, request: api::GetDistributionListRequest| {
            let minutes = Minutes::parse_part(&request.name, DISTRIBUTION_LIST, "name")?;
            let ledger = self.ledger.get()?;
            wait_for(ledger, Some(&self.followed), request.read_after.as_ref()).await?;
            let (list, sequence) = ledger.read(|view| {
                let not_stated = || Fault::new(Reason::NotStated).at("name").with("minutes", &minutes);
                let found = view.get(&document_of(&minutes))?.ok_or_else(not_stated)?;
                DistributionList::decode(found.as_slice()).map_err(Fault::internal)
            })?;
            Ok(api::GetDistributionListResponse { list: Some(list), sequence })
        })
        .await
    }

    async fn list_distribution_lists(
        &self,
        request: Request<api::ListDistributionListsRequest>,
    ) -> Result<Response<api::ListDistributionListsResponse>, Status> {
        answer(request, async |_, request: api::ListDistributionListsRequest| {
            let ledger = self.ledger.get()?;
            let scope = Scope::parse(&request.parent, "parent")?;
            let size = page_size(request.page_size)?;
            let query = PageQuery::of(&["ListDistributionLists", &request.parent]);
            let after = query.after(&request.page_token)?;
            wait_for(ledger, Some(&self.followed), request.read_after.as_ref()).await?;
            let (page, sequence) = ledger.read(|view| {
                Page::<DistributionList>::read(view, &list_of(&scope), &after, size, |_| true)
            })?;
            let next_page_token = page.next.map(|key| query.token(&key)).unwrap_or_default();
            Ok(api::ListDistributionListsResponse { lists: page.found, next_page_token, sequence })
        })
        .await
    }
}
