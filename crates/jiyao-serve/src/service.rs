//! A domain as a service: its ledger, its API and its journal, from opening to closing.

use std::convert::Infallible;
use std::net::SocketAddr;

use jiyao_calendar::SystemClock;
use jiyao_ledger::{Domain, Ledger, Places};
use jiyao_proto::journal::v1::Cursor;
use jiyao_proto::journal::v1::journal_service_server::JournalServiceServer;
use jiyao_proto::records::v1::Minutes;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;
use uuid::Uuid;

use crate::follower::{FollowConfig, Followed, follow};
use crate::guard::Right;
use crate::journal_service::JournalApi;
use crate::server::{Late, Parts, Ready, ServeError, Server};
use crate::takeover::Takeover;

/// Serves a domain's APIs, which `add` adds, and its journal. The ledger is opened once the port answers health, and given to `ledger` and
/// to `opened`; it is closed, and its folder free, when this returns.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve_domain<D: Domain>(
    parts: Parts,
    domain: D,
    ledger: Late<Ledger<D>>,
    add: impl FnOnce(Server) -> Server,
    opened: impl FnOnce(Ledger<D>, Ready) + Send,
    on_ready: impl FnOnce(SocketAddr) + Send,
) -> Result<(), ServeError> {
    let (places, options) = (Places::in_folder(&parts.config.folder()), parts.config.journal());
    let journal = JournalApi::new(ledger.clone(), parts.stop.clone());
    let server = add(Server::new(parts)?).add(JournalServiceServer::new(journal), JournalApi::<D>::RIGHTS);
    let start = async |ready| {
        let open = move || Ledger::open(&places, options, domain, SystemClock, Box::new(|_| Uuid::now_v7()));
        let open = tokio::task::spawn_blocking(open).await.map_err(|e| ServeError::Bug(e.to_string()))??;
        ledger.set(open.clone());
        opened(open, ready);
        Ok(())
    };
    let ended = server.run(start, on_ready).await;
    if let Ok(ledger) = ledger.get() {
        ledger.close().await;
    }
    ended
}

/// Serves a domain that takes over what records records. `command` is what a stretch of minutes becomes; `api` makes
/// the API of the ledger and of how far it has followed.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve_follower<D: Domain, S>(
    config: FollowConfig,
    listener: TcpListener,
    stop: CancellationToken,
    domain: D,
    command: fn(Vec<Minutes>, Cursor) -> D::Command,
    (api, rights): (impl FnOnce(Late<Ledger<D>>, Followed) -> S, &'static [Right]),
    on_ready: impl FnOnce(SocketAddr) + Send,
) -> Result<(), ServeError>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let source = config.source();
    let ledger = Late::default();
    let (step, followed) = Followed::new();
    let api = api(ledger.clone(), followed);
    let parts = Parts { config: config.serve, listener, stop: stop.clone() };
    let opened = |ledger, ready| {
        let takeover = Takeover { ledger, method: "follow jiyao.records.v1", command };
        tokio::spawn(follow(source, takeover, step, ready, stop));
    };
    serve_domain(parts, domain, ledger, |server| server.add(api, rights), opened, on_ready).await
}
