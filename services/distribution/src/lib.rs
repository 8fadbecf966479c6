//! The distribution service: who must have the minutes. Today: the lists that minutes state, taken over from records.

mod api;
mod domain;

use std::net::SocketAddr;

use jiyao_ledger::{Ledger, Places};
use jiyao_proto::distribution::v1::distribution_service_server::DistributionServiceServer;
use jiyao_proto::journal::v1::journal_service_server::JournalServiceServer;
use jiyao_serve::{
    FollowConfig, Followed, JournalApi, Late, Parts, Program, REQUEST_LIMIT, RESPONSE_LIMIT, ServeConfig,
    ServeError, Server, Takeover, follow,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::{Command, DistributionDomain};

/// Its port, unless settings say otherwise.
pub const PORT: u16 = 7103;

/// Settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Config(pub FollowConfig);

impl Default for Config {
    fn default() -> Self {
        Self(FollowConfig::for_service(PORT, "distribution"))
    }
}

/// The service as a program.
#[derive(Debug)]
pub struct Distribution;

impl Program for Distribution {
    type Config = Config;
    const NAME: &'static str = "jiyao-distribution";
    const PREFIX: &'static str = "JIYAO_DISTRIBUTION_";

    fn serve(config: &Config) -> &ServeConfig {
        &config.0.serve
    }

    fn check(config: &Config) -> Result<(), String> {
        config.0.check()
    }

    async fn run(
        Config(config): Config,
        listener: TcpListener,
        stop: CancellationToken,
        on_ready: impl FnOnce(SocketAddr) + Send + 'static,
    ) -> Result<(), ServeError> {
        let places = Places::in_folder(&config.serve.folder());
        let ledger = Late::<Ledger<DistributionDomain>>::default();
        let (step, followed) = Followed::new();
        let api = api::Api::new(ledger.clone(), followed);
        let journal = JournalApi::new(ledger.clone(), stop.clone());
        let (options, source) = (config.serve.journal(), config.source());
        let server = Server::new(Parts { config: config.serve, listener, stop: stop.clone() })?
            .add(
                DistributionServiceServer::new(api)
                    .max_decoding_message_size(REQUEST_LIMIT)
                    .max_encoding_message_size(RESPONSE_LIMIT),
                api::RIGHTS,
            )
            .add(JournalServiceServer::new(journal), JournalApi::<DistributionDomain>::RIGHTS);
        let opening = ledger.clone();
        let start = async move |ready| {
            let opened = tokio::task::spawn_blocking(move || {
                let ids = Box::new(|_| Uuid::now_v7());
                Ledger::open(&places, options, DistributionDomain, jiyao_calendar::SystemClock, ids)
            });
            let ledger = opened.await.map_err(|e| ServeError::Bug(e.to_string()))??;
            opening.set(ledger.clone());
            let takeover = Takeover {
                ledger,
                method: "follow jiyao.records.v1",
                command: |minutes, source| Command::State { minutes, source },
            };
            tokio::spawn(follow(source, takeover, step, ready, stop));
            Ok(())
        };
        let ended = server.run(start, on_ready).await;
        if let Ok(ledger) = ledger.get() {
            ledger.close().await;
        }
        ended
    }
}
