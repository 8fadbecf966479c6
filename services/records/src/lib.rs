//! The records service: organs and their minutes.
//!
//! Rules: `domain` decides and shows what happens to minutes, with `life` (from draft to archive), `follow_up` (matters),
//! `intake` (what other services settled), `settling` (what people set right) and `erasure`. gRPC: `api` for minutes,
//! `lifecycle` for their life, `matters` for matters, with `board`, `pages` and `lanes`. `keys` says where things lie in
//! the state, `documents` reads them there, `sight` says who may see them.

mod api;
mod board;
mod documents;
mod domain;
mod erasure;
mod follow_up;
mod intake;
mod keys;
mod lanes;
mod life;
mod lifecycle;
mod matters;
mod pages;
mod series;
mod settling;
mod sight;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiyao_calendar::Holidays;
use jiyao_extract::Extractor;
use jiyao_journal::Attachments;
use jiyao_ledger::Ledger;
use jiyao_proto::server::records::v1::lifecycle_service_server::LifecycleServiceServer;
use jiyao_proto::server::records::v1::matters_service_server::MattersServiceServer;
use jiyao_proto::server::records::v1::records_service_server::RecordsServiceServer;
use jiyao_serve::{
    Followed, Late, Parts, Program, Ready, ServeConfig, ServeError, Server, Source, limited, serve_domain,
    take_over,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::domain::RecordsDomain;
use crate::intake::{Quorums, Receipts};
use crate::lanes::Lanes;
use crate::life::Policy;
use crate::lifecycle::LifecycleApi;
use crate::matters::MattersApi;

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
    /// Program that reads Word and PDF files in a child process; empty: this one.
    pub extractor: String,
    /// File of holidays and worked weekends; empty: the table that ships with this program.
    pub holidays: String,
    /// Whether minutes may hold state secrets (密级); where not, a level is refused.
    pub state_secrets: bool,
    /// Whether its organs may set 绝密: those of a city may not.
    pub top_secret: bool,
    /// Address of attendance, which settles whether meetings could decide; empty: not followed.
    pub attendance: String,
    /// PEM of the authority that signed its certificate, where it is not a public one.
    pub attendance_ca: String,
    /// File that holds this service's token for it.
    pub attendance_token: String,
    /// Address of distribution, which freezes recipients and proves receipts; empty: not followed, and an issue needs
    /// no frozen recipients.
    pub distribution: String,
    /// PEM of the authority that signed its certificate, where it is not a public one.
    pub distribution_ca: String,
    /// File that holds this service's token for it.
    pub distribution_token: String,
}

impl Config {
    /// What is followed: attendance and distribution.
    fn sources(&self) -> [Option<Source>; 2] {
        let source = |url: &str, ca: &str, token: &str| (!url.is_empty()).then(|| Source::of(url, ca, token));
        [
            source(&self.attendance, &self.attendance_ca, &self.attendance_token),
            source(&self.distribution, &self.distribution_ca, &self.distribution_token),
        ]
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            serve: ServeConfig::for_service(PORT, "records"),
            upload_limit_mb: 32,
            extractor: String::new(),
            holidays: String::new(),
            state_secrets: false,
            top_secret: false,
            attendance: String::new(),
            attendance_ca: String::new(),
            attendance_token: String::new(),
            distribution: String::new(),
            distribution_ca: String::new(),
            distribution_token: String::new(),
        }
    }
}

fn holidays(file: &str) -> Result<Holidays, String> {
    if file.is_empty() {
        return Ok(Holidays::shipped().clone());
    }
    let text = std::fs::read_to_string(file).map_err(|e| format!("holidays: {file}: {e}"))?;
    Holidays::parse(&text).map_err(|e| format!("holidays: {file}: {e}"))
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
            for (source, name) in config.sources().iter().zip(["attendance", "distribution"]) {
                source.as_ref().map_or(Ok(()), |source| source.check(name))?;
            }
            holidays(&config.holidays).map(|_| ())
        }
    }

    async fn run(
        config: Config,
        listener: TcpListener,
        stop: CancellationToken,
        on_ready: impl FnOnce(SocketAddr) + Send + 'static,
    ) -> Result<(), ServeError> {
        let reserve = config.serve.journal().reserve;
        let uploads = Attachments::open(&config.serve.folder().join("uploads"), reserve)
            .map_err(|source| ServeError::Io { what: "open the folder of uploads", source })?;
        let holidays = Arc::new(holidays(&config.holidays).map_err(ServeError::Settings)?);
        let ledger = Late::default();
        let limit = u64::from(config.upload_limit_mb) << 20;
        let extractor = match config.extractor.as_str() {
            "" => Extractor::this_program()
                .map_err(|source| ServeError::Io { what: "find this program", source })?,
            program => Extractor::with(program.into()),
        };
        let lanes = Lanes::new();
        let records = api::Api::new(ledger.clone(), uploads.clone(), limit, extractor, lanes, stop.clone());
        let api = limited!(RecordsServiceServer::new(records.clone()));
        let (quorums_step, quorums) = Followed::new();
        let (receipts_step, receipts) = Followed::new();
        let lifecycle = LifecycleApi::new(records.clone(), quorums, receipts);
        let lifecycle = limited!(LifecycleServiceServer::new(lifecycle));
        let matters =
            limited!(MattersServiceServer::new(MattersApi::new(records, holidays.clone(), stop.clone())));
        let [attendance, distribution] = config.sources();
        let policy = Policy {
            takes: config.state_secrets,
            top: config.top_secret,
            needs_scope: distribution.is_some(),
        };
        let parts = Parts { name: Self::NAME, config: config.serve, listener, stop: stop.clone() };
        let add = |server: Server| server.with(api).with(lifecycle).with(matters);
        let swept = uploads.clone();
        let opened = move |ledger: Ledger<RecordsDomain>, ready: Ready| {
            // The folder is this process's alone by now.
            let swept = swept.sweep(SystemTime::now(), UPLOAD_AGE);
            info!(removed = swept.unwrap_or(0), "old uploads were swept");
            if let Some(source) = attendance {
                take_over(source, ledger.clone(), Quorums, quorums_step, ready.clone(), stop.clone());
            }
            if let Some(source) = distribution {
                take_over(source, ledger, Receipts, receipts_step, ready, stop);
            }
        };
        serve_domain(parts, RecordsDomain { holidays, policy, uploads }, ledger, add, opened, on_ready).await
    }
}
