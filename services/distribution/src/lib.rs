//! The distribution service: who must have the minutes. Today: the lists that minutes state, taken over from records.

mod api;
mod domain;

use std::net::SocketAddr;

use jiyao_proto::distribution::v1::distribution_service_server::DistributionServiceServer;
use jiyao_serve::{
    FollowConfig, Program, REQUEST_LIMIT, RESPONSE_LIMIT, ServeConfig, ServeError, serve_follower,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

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
        let api = |ledger, followed| {
            DistributionServiceServer::new(api::Api::new(ledger, followed))
                .max_decoding_message_size(REQUEST_LIMIT)
                .max_encoding_message_size(RESPONSE_LIMIT)
        };
        let command = |minutes, source| Command::State { minutes, source };
        serve_follower(config, listener, stop, DistributionDomain, command, (api, api::RIGHTS), on_ready)
            .await
    }
}
