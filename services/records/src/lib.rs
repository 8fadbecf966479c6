//! The records service: organs and their minutes.
//!
//! `domain` decides and projects, `api` speaks gRPC, `keys` says where things lie in the state.

mod api;
mod domain;
mod keys;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use jiyao_journal::Attachments;
use jiyao_ledger::{Ledger, Places};
use jiyao_proto::journal::v1::journal_service_server::JournalServiceServer;
use jiyao_proto::records::v1::records_service_server::RecordsServiceServer;
use jiyao_serve::{
    JournalApi, Late, Parts, Program, REQUEST_LIMIT, RESPONSE_LIMIT, ServeConfig, ServeError, Server,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;
use uuid::Uuid;

use crate::domain::RecordsDomain;

/// Its port, unless settings say otherwise.
pub const PORT: u16 = 7101;
/// An uploaded file that nothing was made of is removed after this time.
const UPLOAD_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Those of every service.
    #[serde(flatten)]
    pub serve: ServeConfig,
    /// Largest uploaded file in MiB.
    pub upload_limit_mb: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { serve: ServeConfig::for_service(PORT, "records"), upload_limit_mb: 32 }
    }
}

/// The service as a program.
#[derive(Debug)]
pub struct Records;

impl Program for Records {
    type Config = Config;
    const NAME: &'static str = "jiyao-records";
    const PREFIX: &'static str = "JIYAO_RECORDS_";

    fn serve(config: &Config) -> &ServeConfig {
        &config.serve
    }

    fn check(config: &Config) -> Result<(), String> {
        if config.upload_limit_mb == 0 {
            Err("upload_limit_mb must be at least 1".to_owned())
        } else {
            Ok(())
        }
    }

    async fn run(
        config: Config,
        listener: TcpListener,
        stop: CancellationToken,
        on_ready: impl FnOnce(SocketAddr) + Send + 'static,
    ) -> Result<(), ServeError> {
        let folder = config.serve.folder();
        let reserve = config.serve.journal().reserve;
        let uploads = Attachments::open(&folder.join("uploads"), reserve)
            .map_err(|source| ServeError::Io { what: "open the folder of uploads", source })?;
        let ledger = Late::<Ledger<RecordsDomain>>::default();
        let limit = u64::from(config.upload_limit_mb) << 20;
        let api = api::Api::new(ledger.clone(), uploads.clone(), limit, stop.clone());
        let journal = JournalApi::new(ledger.clone(), stop.clone());
        let options = config.serve.journal();
        let server = Server::new(Parts { config: config.serve, listener, stop })?
            .add(
                RecordsServiceServer::new(api)
                    .max_decoding_message_size(REQUEST_LIMIT)
                    .max_encoding_message_size(RESPONSE_LIMIT),
                api::RIGHTS,
            )
            .add(JournalServiceServer::new(journal), JournalApi::<RecordsDomain>::RIGHTS);
        let opening = ledger.clone();
        let start = async move |_| {
            let opened = tokio::task::spawn_blocking(move || {
                let swept = uploads.sweep(SystemTime::now(), UPLOAD_AGE, |_| false);
                info!(removed = swept.unwrap_or(0), "old uploads were swept");
                let clock = jiyao_calendar::SystemClock;
                let ids = Box::new(|_| Uuid::now_v7());
                Ledger::open(&Places::in_folder(&folder), options, RecordsDomain, clock, ids)
            });
            opening.set(opened.await.map_err(|e| ServeError::Bug(e.to_string()))??);
            Ok(())
        };
        let ended = server.run(start, on_ready).await;
        if let Ok(ledger) = ledger.get() {
            ledger.close().await;
        }
        ended
    }
}
