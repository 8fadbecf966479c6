//! The attendance service: who was in the room. Today: the rolls that minutes state, taken over from records.

mod api;
mod domain;

use std::net::SocketAddr;

use jiyao_proto::attendance::v1::attendance_service_server::AttendanceServiceServer;
use jiyao_serve::{
    FollowConfig, Program, REQUEST_LIMIT, RESPONSE_LIMIT, ServeConfig, ServeError, serve_follower,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

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
        let stopped = stop.clone();
        let api = |ledger, followed| {
            AttendanceServiceServer::new(api::Api::new(ledger, followed, stopped))
                .max_decoding_message_size(REQUEST_LIMIT)
                .max_encoding_message_size(RESPONSE_LIMIT)
        };
        let command = |minutes, source| Command::State { minutes, source };
        serve_follower(config, listener, stop, AttendanceDomain, command, (api, api::RIGHTS), on_ready).await
    }
}
