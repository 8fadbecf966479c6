//! The attendance service: who was in the room. Today: the rolls that minutes state, taken over from records.

mod api;
mod domain;

use std::net::SocketAddr;

use jiyao_ledger::{Ledger, Places};
use jiyao_proto::attendance::v1::attendance_service_server::AttendanceServiceServer;
use jiyao_proto::journal::v1::journal_service_server::JournalServiceServer;
use jiyao_serve::{
    FollowConfig, Followed, JournalApi, Late, Parts, Program, REQUEST_LIMIT, RESPONSE_LIMIT, ServeConfig,
    ServeError, Server, Takeover, follow,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::{AttendanceDomain, Command};

/// Its port, unless settings say otherwise.
pub const PORT: u16 = 7102;

/// Settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Config(pub FollowConfig);

impl Default for Config {
    fn default() -> Self {
        Self(FollowConfig::for_service(PORT, "attendance"))
    }
}

/// The service as a program.
#[derive(Debug)]
pub struct Attendance;

impl Program for Attendance {
    type Config = Config;
    const NAME: &'static str = "jiyao-attendance";
    const PREFIX: &'static str = "JIYAO_ATTENDANCE_";

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
        let ledger = Late::<Ledger<AttendanceDomain>>::default();
        let (step, followed) = Followed::new();
        let api = api::Api::new(ledger.clone(), followed, stop.clone());
        let journal = JournalApi::new(ledger.clone(), stop.clone());
        let (options, source) = (config.serve.journal(), config.source());
        let server = Server::new(Parts { config: config.serve, listener, stop: stop.clone() })?
            .add(
                AttendanceServiceServer::new(api)
                    .max_decoding_message_size(REQUEST_LIMIT)
                    .max_encoding_message_size(RESPONSE_LIMIT),
                api::RIGHTS,
            )
            .add(JournalServiceServer::new(journal), JournalApi::<AttendanceDomain>::RIGHTS);
        let opening = ledger.clone();
        let start = async move |ready| {
            let opened = tokio::task::spawn_blocking(move || {
                let ids = Box::new(|_| Uuid::now_v7());
                Ledger::open(&places, options, AttendanceDomain, jiyao_calendar::SystemClock, ids)
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
