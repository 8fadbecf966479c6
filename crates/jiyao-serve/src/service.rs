//! A domain as a service: its ledger, its API and its journal, from opening to closing.

use std::net::SocketAddr;

use jiyao_calendar::{Clock as _, SystemClock};
use jiyao_ledger::{Domain, Ledger, Places};
use jiyao_proto::server::journal::v1::journal_service_server::JournalServiceServer;
use jiyao_proto::server::operations::v1::operations_service_server::OperationsServiceServer;
use tracing::warn;
use uuid::Uuid;

use crate::journal_service::JournalApi;
use crate::limited;
use crate::operations::{About, OperationsApi, tell};
use crate::server::{Late, Parts, Ready, ServeError, Server};

/// Serves a domain's APIs, which `add` adds, its journal and its operations. The ledger is opened once the port answers health, and
/// given to `ledger` and to `opened`, which may begin to follow others; it is closed, and its folder free, when this
/// returns.
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
    let (folder, options, stop) = (parts.config.folder(), parts.config.journal(), parts.stop.clone());
    let patience = parts.config.drain();
    let has_metrics = !parts.config.metrics.is_empty();
    let (name, places) = (parts.name, Places::in_folder(&folder));
    let server = Server::new(parts)?;
    let journal = JournalApi::new(ledger.clone(), stop.clone());
    let about = About {
        name,
        folder,
        reserve: options.reserve,
        started: SystemClock.now(),
        followings: server.followings.clone(),
    };
    if has_metrics {
        let asked = OperationsApi::new(ledger.clone(), about.clone(), stop.clone());
        tokio::spawn(tell(async move || asked.status().await, stop.clone()));
    }
    let operations = OperationsApi::new(ledger.clone(), about, stop);
    let server = add(server)
        .add(limited!(JournalServiceServer::new(journal)), JournalApi::<D>::RIGHTS)
        .add(limited!(OperationsServiceServer::new(operations)), OperationsApi::<D>::RIGHTS);
    let start = async |ready| {
        let open = move || Ledger::open(&places, options, domain, SystemClock, Box::new(|_| Uuid::now_v7()));
        let open = tokio::task::spawn_blocking(open).await.map_err(|e| ServeError::Bug(e.to_string()))??;
        opened(open.clone(), ready);
        ledger.set(open);
        Ok(())
    };
    let ended = server.run(start, on_ready).await;
    if let Ok(ledger) = ledger.get()
        && tokio::time::timeout(patience, ledger.close()).await.is_err()
    {
        warn!("the ledger is still at work after the drain's time; the next start catches up");
    }
    ended
}
