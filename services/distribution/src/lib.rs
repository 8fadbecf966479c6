//! The distribution service: who must have minutes, frozen before they are issued; deliveries over inbox, e-mail,
//! webhook and paper with receipts that prove them; what the public reads.

mod api;
mod deliveries;
mod disclosure;
mod documents;
mod domain;
mod email;
mod freezing;
mod intake;
mod keys;
mod outbox;
mod sight;
mod webhook;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiyao_calendar::Holidays;
use jiyao_deliveries::DueRules;
use jiyao_ledger::Ledger;
use jiyao_minutes::Level;
use jiyao_proto::server::distribution::v1::deliveries_service_server::DeliveriesServiceServer;
use jiyao_proto::server::distribution::v1::disclosure_service_server::DisclosureServiceServer;
use jiyao_proto::server::distribution::v1::distribution_service_server::DistributionServiceServer;
use jiyao_proto::server::distribution::v1::public_service_server::PublicServiceServer;
use jiyao_serve::{
    FollowConfig, Followed, Late, Parts, Program, Ready, ServeConfig, ServeError, Server, Source, Workers,
    limited, serve_domain, take_over,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::deliveries::DeliveriesApi;
use crate::disclosure::{DisclosureApi, PublicApi};
use crate::domain::DistributionDomain;
use crate::email::Mailer;
use crate::intake::{Lists, Units};
use crate::outbox::Outbox;
use crate::webhook::{Allowed, Webhooks};

pub use crate::email::{Report, report};

/// Its port, unless settings say otherwise.
pub const PORT: u16 = 7103;

/// Settings. An empty text means "not set".
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Those of every service that follows records.
    #[serde(flatten)]
    pub follow: FollowConfig,
    /// Address of attendance, the home of the directory; empty: not followed, and nothing can be frozen.
    pub attendance: String,
    /// PEM of the authority that signed its certificate, where it is not a public one.
    pub attendance_ca: String,
    /// File that holds this service's token for it.
    pub attendance_token: String,
    /// Mail server, `host:port`; empty: no e-mail.
    pub smtp: String,
    /// Address that mail comes from.
    pub mail_from: String,
    /// Maildir that reports of mail systems are delivered to; empty: none are read.
    pub maildir: String,
    /// Private networks with a port that webhooks may call, parted by commas, e.g. `10.1.0.0/16:8443`.
    pub webhook_networks: String,
    /// Seconds before each further attempt of an e-mail or webhook, parted by commas.
    pub retries: String,
    /// Hours after which what was not received is late.
    pub unreceived_hours: u32,
    /// From this level on only paper goes: `SECRET`, `CONFIDENTIAL` or `TOP_SECRET`.
    pub paper_from: String,
    /// Working days to publish.
    pub publish_days: u32,
    /// They count from 印发 instead of 成文.
    pub publish_from_issue: bool,
    /// File of holidays and worked weekends; empty: the table that ships with this program.
    pub holidays: String,
    /// Time zone of civil days.
    pub time_zone: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            follow: FollowConfig::for_service(PORT, "distribution"),
            attendance: "http://127.0.0.1:7102".to_owned(),
            attendance_ca: String::new(),
            attendance_token: String::new(),
            smtp: String::new(),
            mail_from: String::new(),
            maildir: String::new(),
            webhook_networks: String::new(),
            retries: "5,300,1800,7200,18000,36000,50400,72000,86400".to_owned(),
            unreceived_hours: 24,
            paper_from: "CONFIDENTIAL".to_owned(),
            publish_days: 20,
            publish_from_issue: false,
            holidays: String::new(),
            time_zone: "Asia/Shanghai".to_owned(),
        }
    }
}

/// What the settings mean.
struct Meaning {
    attendance: Option<Source>,
    mailer: Option<Mailer>,
    allowed: Vec<Allowed>,
    pauses: Vec<Duration>,
    paper_from: Level,
    holidays: Holidays,
}

impl Config {
    fn meaning(&self) -> Result<Meaning, String> {
        let attendance = (!self.attendance.is_empty())
            .then(|| Source::of(&self.attendance, &self.attendance_ca, &self.attendance_token));
        if let Some(source) = &attendance {
            source.check("attendance")?;
        }
        let mailer = match self.smtp.as_str() {
            "" => None,
            server => Some(Mailer::new(server, &self.mail_from, &self.maildir)?),
        };
        let parts = |text: &str| -> Vec<String> {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let allowed = parts(&self.webhook_networks)
            .iter()
            .map(|text| Allowed::parse(text).map_err(|e| format!("webhook_networks: {e}")))
            .collect::<Result<_, _>>()?;
        let pause = |text: &String| {
            text.parse()
                .map(Duration::from_secs)
                .map_err(|_| format!("retries: {text:?} is no number of seconds"))
        };
        let pauses = parts(&self.retries).iter().map(pause).collect::<Result<_, _>>()?;
        let paper_from = match self.paper_from.as_str() {
            "SECRET" => Level::Secret,
            "CONFIDENTIAL" => Level::Confidential,
            "TOP_SECRET" => Level::TopSecret,
            other => return Err(format!("paper_from: {other:?} is not SECRET, CONFIDENTIAL or TOP_SECRET")),
        };
        if !jiyao_calendar::is_time_zone(&self.time_zone) {
            return Err(format!("time_zone: {:?} is not known", self.time_zone));
        }
        let holidays = match self.holidays.as_str() {
            "" => Holidays::shipped().clone(),
            file => {
                let text = std::fs::read_to_string(file).map_err(|e| format!("holidays: {file}: {e}"))?;
                Holidays::parse(&text).map_err(|e| format!("holidays: {file}: {e}"))?
            }
        };
        Ok(Meaning { attendance, mailer, allowed, pauses, paper_from, holidays })
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
        &config.follow.serve
    }

    fn check(config: &Config) -> Result<(), String> {
        config.follow.check()?;
        config.meaning().map(|_| ())
    }

    async fn run(
        config: Config,
        listener: TcpListener,
        stop: CancellationToken,
        on_ready: impl FnOnce(SocketAddr) + Send + 'static,
    ) -> Result<(), ServeError> {
        let Meaning { attendance, mailer, allowed, pauses, paper_from, holidays } =
            config.meaning().map_err(ServeError::Settings)?;
        // Another part of the same process may have chosen it already; the choice is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let keys = config.follow.serve.folder().join("keys");
        let made = |name| {
            jiyao_serve::secret(&keys, name)
                .map(|seed| jiyao_receipts::Key::from_seed(&seed))
                .map_err(|source| ServeError::Io { what: "read or make a key", source })
        };
        let (receipts, calls) = (made("receipt.key")?, made("webhook.key")?);
        let mail_key = jiyao_serve::secret(&keys, "mail.key")
            .map_err(|source| ServeError::Io { what: "read or make a key", source })?;
        let mailer = mailer.map(|mailer| mailer.with_key(mail_key));
        let holidays = Arc::new(holidays);
        let webhooks = Webhooks::new(calls, &allowed);
        let ledger = Late::default();
        let (lists_step, lists_followed) = Followed::new();
        let (units_step, units_followed) = Followed::new();
        let lists = api::Api {
            ledger: ledger.clone(),
            followed: [lists_followed, units_followed],
            webhooks: webhooks.clone(),
            receipt_key: receipts.public(),
            time_zone: config.time_zone.as_str().into(),
            unreceived_after: i64::from(config.unreceived_hours) * 3_600_000,
            searches: Workers::new("search", 1, 16),
            expansions: Workers::new("expand", 1, 16),
            stop: stop.clone(),
        };
        let deliveries = limited!(DeliveriesServiceServer::new(DeliveriesApi(lists.clone())));
        let public = limited!(PublicServiceServer::new(PublicApi(lists.clone())));
        let rules = DueRules { working_days: config.publish_days, from_issue: config.publish_from_issue };
        let disclosure = limited!(DisclosureServiceServer::new(DisclosureApi {
            api: lists.clone(),
            holidays: holidays.clone(),
            rules,
        }));
        let lists = limited!(DistributionServiceServer::new(lists));
        let add = |server: Server| server.with(lists).with(deliveries).with(public).with(disclosure);
        let records = config.follow.source();
        let domain =
            DistributionDomain { holidays, key: receipts, time_zone: config.time_zone, paper_from, pauses };
        let parts = Parts { name: Self::NAME, config: config.follow.serve, listener, stop: stop.clone() };
        let opened = |ledger: Ledger<DistributionDomain>, ready: Ready| {
            let outbox =
                Outbox { ledger: ledger.clone(), records: records.clone(), webhooks, mailer, paper_from };
            tokio::spawn(outbox.run(stop.clone()));
            if let Some(source) = attendance {
                take_over(source, ledger.clone(), Units, units_step, ready.clone(), stop.clone());
            }
            take_over(records, ledger, Lists, lists_step, ready, stop);
        };
        serve_domain(parts, domain, ledger, add, opened, on_ready).await
    }
}
