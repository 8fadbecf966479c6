//! A domain as a service: its ledger, its API and its journal, from opening to closing.

use std::net::SocketAddr;

use jiyao_calendar::SystemClock;
use jiyao_ledger::{Domain, Ledger, Places};
use jiyao_proto::journal::v1::journal_service_server::JournalServiceServer;
use uuid::Uuid;

use crate::journal_service::JournalApi;
use crate::server::{Late, Parts, Ready, ServeError, Server};

/// Serves a domain's APIs, which `add` adds, and its journal. The ledger is opened once the port answers health, and
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
