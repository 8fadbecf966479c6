//! The attendance service over gRPC.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::Ledger;
use jiyao_names::{Minutes, ROLL, Scope};
use jiyao_proto::attendance::v1::attendance_service_server::AttendanceService;
use jiyao_proto::attendance::v1::{self as api, Roll};
use jiyao_proto::journal::v1::event::Kind;
use jiyao_serve::{
    Followed, Late, Page, PageQuery, READERS, Right, answer, caller, cursor_from, cursor_to, document_of,
    failed, list_of, page_size, wait_for,
};
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::domain::AttendanceDomain;

/// Who may call what.
pub(crate) const RIGHTS: &[Right] = &[
    Right { method: "/jiyao.attendance.v1.AttendanceService/GetRoll", roles: READERS },
    Right { method: "/jiyao.attendance.v1.AttendanceService/ListRolls", roles: READERS },
    Right { method: "/jiyao.attendance.v1.AttendanceService/WatchRolls", roles: READERS },
];

pub(crate) struct Api {
    ledger: Late<Ledger<AttendanceDomain>>,
    followed: Followed,
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
}

fn roll(ledger: &Ledger<AttendanceDomain>, minutes: &Minutes) -> Result<(Roll, u64)> {
    ledger.read(|view| {
        let not_stated = || Fault::new(Reason::NotStated).at("name").with("minutes", minutes);
        let found = view.get(&document_of(minutes))?.ok_or_else(not_stated)?;
        Roll::decode(found.as_slice()).map_err(Fault::internal)
    })
}

#[tonic::async_trait]
impl AttendanceService for Api {
    async fn get_roll(
        &self,
        request: Request<api::GetRollRequest>,
    ) -> Result<Response<api::GetRollResponse>, Status> {
        answer(request, async |_, request: api::GetRollRequest| {
            let minutes = Minutes::parse_part(&request.name, ROLL, "name")?;
            let ledger = self.ledger.get()?;
            wait_for(ledger, Some(&self.followed), request.read_after.as_ref()).await?;
            let (roll, sequence) = roll(ledger, &minutes)?;
            Ok(api::GetRollResponse { roll: Some(roll), sequence })
        })
        .await
    }

    async fn list_rolls(
        &self,
        request: Request<api::ListRollsRequest>,
    ) -> Result<Response<api::ListRollsResponse>, Status> {
        answer(request, async |_, request: api::ListRollsRequest| {
            let ledger = self.ledger.get()?;
            let scope = Scope::parse(&request.parent, "parent")?;
            let size = page_size(request.page_size)?;
            let query = PageQuery::of(&["ListRolls", &request.parent]);
            let after = query.after(&request.page_token)?;
            wait_for(ledger, Some(&self.followed), request.read_after.as_ref()).await?;
            let (page, sequence) =
                ledger.read(|view| Page::<Roll>::read(view, &list_of(&scope), &after, size, |_| true))?;
            let next_page_token = page.next.map(|key| query.token(&key)).unwrap_or_default();
            Ok(api::ListRollsResponse { rolls: page.found, next_page_token, sequence })
        })
        .await
    }

    type WatchRollsStream = Pin<Box<dyn Stream<Item = Result<api::WatchRollsResponse, Status>> + Send>>;

    async fn watch_rolls(
        &self,
        request: Request<api::WatchRollsRequest>,
    ) -> Result<Response<Self::WatchRollsStream>, Status> {
        let lang = caller(&request).lang;
        let begin = || {
            let scope = Scope::parse(&request.get_ref().parent, "parent")?;
            let ledger = self.ledger.get()?.clone();
            let stretches = ledger.follow(cursor_from(request.get_ref().after.as_ref(), "after")?)?;
            Ok((scope, ledger, stretches))
        };
        let (scope, ledger, stretches) = begin().map_err(|fault| failed(fault, lang))?;
        let replies = stretches.map(move |stretch| {
            let stretch = stretch?;
            let mut rolls = Vec::new();
            for event in &stretch.events {
                let Some(Kind::RollStated(stated)) = &event.kind else { continue };
                let minutes = Minutes::parse(&stated.minutes, "minutes")?;
                if matches!(&scope, Scope::One(organ) if *organ != minutes.organ) {
                    continue;
                }
                rolls.push(Roll { entries: Vec::new(), ..roll(&ledger, &minutes)?.0 });
            }
            Ok(api::WatchRollsResponse { rolls, through: Some(cursor_to(&stretch.through)) })
        });
        Ok(Response::new(jiyao_serve::stream(lang, self.stop.clone(), replies)))
    }
}
