//! A domain as a service: its ledger, its API and its journal, from opening to closing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiyao_calendar::{Clock as _, SystemClock};
use jiyao_ledger::{Domain, Ids, Ledger, Places};
use jiyao_proto::server::journal::v1::journal_service_server::JournalServiceServer;
use jiyao_proto::server::operations::v1::operations_service_server::OperationsServiceServer;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::{ContextV7, Timestamp, Uuid};

use crate::journal_service::JournalApi;
use crate::limited;
use crate::operations::{About, OperationsApi, tell};
use crate::page::Seal;
use crate::secret::secret;
use crate::server::{Late, Parts, Ready, ServeError, Server};

/// How often the clock and the data directory are looked at.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

/// UUIDs of version 7, each larger than the one before.
fn growing_ids() -> Ids {
    let context = ContextV7::new();
    Box::new(move |at| {
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        let nanos = u32::try_from(at.subsec_nanosecond()).unwrap_or(0);
        Uuid::new_v7(Timestamp::from_unix(&context, seconds, nanos))
    })
}

/// Looks at the clock and at the data directory until `stop`.
async fn watch_over<D: Domain>(ledger: Late<Ledger<D>>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(LOOKED_EVERY)).await.is_some() {
        if let Ok(ledger) = ledger.get() {
            let _ = ledger.look_at_clock();
            ledger.end_if_replaced();
        }
    }
}

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
    let (seal, keys) = (server.seal.clone(), folder.join("keys"));
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
    tokio::spawn(watch_over(ledger.clone(), stop.clone()));
    let operations = OperationsApi::new(ledger.clone(), about, stop);
    let server = add(server)
        .with(limited!(JournalServiceServer::new(journal)))
        .with(limited!(OperationsServiceServer::new(operations)));
    let start = async |ready| {
        let open = move || {
            let open = Ledger::open(&places, options, domain, SystemClock, growing_ids())?;
            // The folder is this process's now.
            let key = secret(&keys, "pages.key")
                .map_err(|source| ServeError::Io { what: "read or make the key of page tokens", source })?;
            let key = Seal::new(&key).map_err(|fault| ServeError::Bug(fault.to_string()))?;
            Ok::<_, ServeError>((open, Arc::new(key)))
        };
        let opening = tokio::task::spawn_blocking(open).await;
        let (open, key) = opening.map_err(|e| ServeError::Bug(e.to_string()))??;
        seal.set(key);
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
