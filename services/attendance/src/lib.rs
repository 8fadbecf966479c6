//! The attendance service: the directory, who was in the room and whether they could decide, and the rolls that
//! minutes state, taken over from records and held against both.

mod api;
mod directory;
mod documents;
mod domain;
mod intake;
mod keys;
mod meetings;
mod staging;

use std::net::SocketAddr;

use jiyao_proto::server::attendance::v1::attendance_service_server::AttendanceServiceServer;
use jiyao_proto::server::attendance::v1::directory_service_server::DirectoryServiceServer;
use jiyao_proto::server::attendance::v1::meetings_service_server::MeetingsServiceServer;
use jiyao_serve::{
    FollowConfig, Followed, Late, Parts, Program, ServeConfig, ServeError, Server, limited, serve_domain,
    take_over,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::directory::DirectoryApi;
use crate::domain::AttendanceDomain;
use crate::intake::Rolls;
use crate::meetings::MeetingsApi;

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
        let source = config.source();
        let ledger = Late::default();
        let (step, followed) = Followed::new();
        let rolls = api::Api::new(ledger.clone(), followed, stop.clone());
        let directory = limited!(DirectoryServiceServer::new(DirectoryApi(rolls.clone())));
        let meetings = limited!(MeetingsServiceServer::new(MeetingsApi(rolls.clone())));
        let rolls = limited!(AttendanceServiceServer::new(rolls));
        let add = |server: Server| server.with(rolls).with(directory).with(meetings);
        let parts = Parts { name: Self::NAME, config: config.serve, listener, stop: stop.clone() };
        let opened = |ledger, ready| take_over(source, ledger, Rolls, step, ready, stop);
        serve_domain(parts, AttendanceDomain, ledger, add, opened, on_ready).await
    }
}
