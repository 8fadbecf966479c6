//! The rolls that minutes state over gRPC, and what all APIs of this service share.

use futures_util::StreamExt as _;
use jiyao_fault::Result;
use jiyao_ledger::Ledger;
use jiyao_names::{Minutes, ROLL, Scope};
use jiyao_proto::attendance::v1::{self as api, Roll};
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::server::attendance::v1::attendance_service_server::AttendanceService;
use jiyao_serve::{
    Answers, Caller, Followed, Late, Page, cursor_from, cursor_to, list_of, page_size, service, wait_for,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::documents::{View as _, is_seen};
use crate::domain::AttendanceDomain;

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) ledger: Late<Ledger<AttendanceDomain>>,
    pub(crate) followed: Followed,
    stop: CancellationToken,
}

impl Api {
    pub(crate) fn new(
        ledger: Late<Ledger<AttendanceDomain>>,
        followed: Followed,
        stop: CancellationToken,
    ) -> Self {
        Self { ledger, followed, stop }
    }

    async fn get_roll(&self, caller: Caller, request: api::GetRollRequest) -> Result<api::GetRollResponse> {
        let minutes = Minutes::parse_part(&request.name, ROLL, "name")?;
        let ledger = self.ledger.get()?;
        wait_for(ledger, Some(&self.followed), request.read_after.as_ref()).await?;
        let (roll, sequence) = ledger.read(|view| view.seen_roll(&caller.principal, &minutes, "name"))?;
        Ok(api::GetRollResponse { roll: Some(roll), sequence })
    }

    async fn list_rolls(
        &self,
        caller: Caller,
        request: api::ListRollsRequest,
    ) -> Result<api::ListRollsResponse> {
        let ledger = self.ledger.get()?;
        let scope = Scope::parse(&request.parent, "parent")?;
        let size = page_size(request.page_size)?;
        let query = caller.query(&["ListRolls", &request.parent])?;
        let after = query.after(&request.page_token)?;
        wait_for(ledger, Some(&self.followed), request.read_after.as_ref()).await?;
        let seen = |roll: &Roll| Ok(is_seen(roll, &caller.principal));
        let (page, sequence) = ledger.read(|view| Page::read(view, &list_of(&scope), &after, size, seen))?;
        let next_page_token = query.token(page.next)?;
        Ok(api::ListRollsResponse { rolls: page.found, next_page_token, sequence })
    }
}

service! {
    AttendanceService for Api;
    calls {
        get_roll: GetRollRequest => GetRollResponse;
        list_rolls: ListRollsRequest => ListRollsResponse;
    }
    others {
        type WatchRollsStream = Answers<api::WatchRollsResponse>;

        async fn watch_rolls(
            &self,
            request: Request<api::WatchRollsRequest>,
        ) -> Result<Response<Self::WatchRollsStream>, Status> {
            jiyao_serve::stream(request, &self.stop, async |caller, request| {
                let scope = Scope::parse(&request.parent, "parent")?;
                let ledger = self.ledger.get()?.clone();
                let stretches = ledger.follow(cursor_from(request.after.as_ref(), "after")?)?;
                Ok(stretches.map(move |stretch| {
                    let stretch = stretch?;
                    let mut rolls = Vec::new();
                    for event in &stretch.events()? {
                        let Some(Kind::RollStated(stated)) = &event.kind else { continue };
                        let minutes = Minutes::parse(&stated.minutes, "minutes")?;
                        if !scope.has(&minutes.organ) {
                            continue;
                        }
                        let (roll, _) = ledger.read(|view| view.roll(&minutes, "minutes"))?;
                        if is_seen(&roll, &caller.principal) {
                            rolls.push(Roll { entries: Vec::new(), ..roll });
                        }
                    }
                    Ok(api::WatchRollsResponse { rolls, through: Some(cursor_to(&stretch.through)) })
                }))
            })
            .await
        }
    }
}
