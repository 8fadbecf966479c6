//! Following another service's journal: by cursor, for ever, through its absences.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use jiyao_fault::{Fault, Reason, chain};
use jiyao_journal::Cursor;
use jiyao_proto::client::journal::v1::journal_service_client::JournalServiceClient;
use jiyao_proto::journal::v1::{Event, FollowRequest};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};
use tracing::{debug, error, info, warn};

use crate::config::{ServeConfig, path};
use crate::journal_service::{cursor_from, cursor_to};
use crate::server::Ready;

const CONNECT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Pause after a failure, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where another service is, and how this one makes itself known to it.
#[derive(Clone, Debug)]
pub struct Source {
    /// `http://` or `https://` address.
    pub url: String,
    /// PEM of the authority that signed its certificate, where it is not a public one.
    pub ca: Option<PathBuf>,
    /// File that holds this service's token for it.
    pub token: Option<PathBuf>,
}

/// Settings of a service that follows records, besides those of every service. An empty text means "not set".
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FollowConfig {
    /// Settings of every service.
    #[serde(flatten)]
    pub serve: ServeConfig,
    /// Address of the records service.
    pub records: String,
    /// PEM of the authority that signed its certificate, where it is not a public one.
    pub records_ca: String,
    /// File that holds this service's token for it.
    pub records_token: String,
}

impl FollowConfig {
    /// Defaults for a service with this port and folder name.
    #[must_use]
    pub fn for_service(port: u16, folder: &str) -> Self {
        Self {
            serve: ServeConfig::for_service(port, folder),
            records: "http://127.0.0.1:7101".to_owned(),
            records_ca: String::new(),
            records_token: String::new(),
        }
    }

    /// The records service.
    #[must_use]
    pub fn source(&self) -> Source {
        Source::of(&self.records, &self.records_ca, &self.records_token)
    }

    /// Checks what can be checked without asking anyone.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn check(&self) -> Result<(), String> {
        self.source().check("records")
    }
}

/// Why there is no connection to make.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Not an address.
    #[error("{url:?} is no address such as http://127.0.0.1:7101: {reason}")]
    Url {
        /// As given.
        url: String,
        /// Why not.
        reason: String,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A token that cannot be sent.
    #[error("the token in {0} is not printable ASCII")]
    Token(PathBuf),
    /// A file whose token is not to be used.
    #[error("{0}: {1}")]
    Unfit(PathBuf, String),
    /// A token that would go over the network in clear text.
    #[error("{0} is neither https nor on this machine: a token is not sent there")]
    ClearText(String),
}

/// Adds the token to each call.
#[derive(Clone, Debug)]
pub struct Bearer(Option<MetadataValue<tonic::metadata::Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// A connection to another service: made when needed, and again after it broke.
pub type Link = InterceptedService<Channel, Bearer>;

impl Source {
    /// From settings: address, file of the authority, file of the token; an empty text means "not set".
    #[must_use]
    pub fn of(url: &str, ca: &str, token: &str) -> Self {
        let file = |setting: &str| path(setting).map(Path::to_owned);
        Self { url: url.to_owned(), ca: file(ca), token: file(token) }
    }

    /// Checks what can be checked without asking anyone; `name` is that of the settings.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn check(&self, name: &str) -> Result<(), String> {
        self.prepare().map(|_| ()).map_err(|e| format!("{name}, {name}_ca, {name}_token: {e}"))
    }

    /// The connection. Nothing is sent yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn link(&self) -> Result<Link, LinkError> {
        let (endpoint, bearer) = self.prepare()?;
        Ok(InterceptedService::new(endpoint.connect_lazy(), bearer))
    }

    /// All of a connection but the connecting.
    fn prepare(&self) -> Result<(Endpoint, Bearer), LinkError> {
        let bad = |e: &dyn std::error::Error| LinkError::Url { url: self.url.clone(), reason: chain(e) };
        let mut endpoint = Endpoint::from_shared(self.url.clone())
            .map_err(|e| bad(&e))?
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_while_idle(true);
        if self.url.starts_with("https:") {
            let mut tls = ClientTlsConfig::new();
            if let Some(ca) = &self.ca {
                tls = tls.ca_certificate(Certificate::from_pem(fs_err::read(ca)?));
            }
            endpoint = endpoint.tls_config(tls).map_err(|e| bad(&e))?;
        }
        let token = match &self.token {
            Some(path) => {
                if !jiyao_wire::may_carry_token(&self.url) {
                    return Err(LinkError::ClearText(self.url.clone()));
                }
                let token =
                    crate::identity::read_token(path).map_err(|e| LinkError::Unfit(path.clone(), e))?;
                let header = format!("Bearer {token}").parse();
                Some(header.map_err(|_| LinkError::Token(path.clone()))?)
            }
            None => None,
        };
        Ok((endpoint, Bearer(token)))
    }
}

/// How far a follower has come; None before it knows the other journal.
#[derive(Clone, Debug)]
pub struct Followed {
    through: watch::Receiver<Option<Cursor>>,
    stopped: Arc<OnceLock<Stopped>>,
}

/// Tells how far a follower has come.
#[derive(Debug)]
pub struct Step {
    through: watch::Sender<Option<Cursor>>,
    stopped: Arc<OnceLock<Stopped>>,
}

/// Why a follower stopped for good.
#[derive(Debug)]
struct Stopped {
    url: String,
    why: String,
}

impl Followed {
    /// A pair of teller and told.
    #[must_use]
    pub fn new() -> (Step, Self) {
        let (step, followed) = watch::channel(None);
        let stopped = Arc::new(OnceLock::new());
        (Step { through: step, stopped: Arc::clone(&stopped) }, Self { through: followed, stopped })
    }

    /// Whether this is the journal that is followed.
    #[must_use]
    pub fn is_of(&self, journal: uuid::Uuid) -> bool {
        self.through.borrow().is_some_and(|cursor| cursor.journal == journal)
    }

    /// Whether the followed journal is not known yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.through.borrow().is_none()
    }

    /// Refuses where nothing more is taken over: what is waited for from the other service never comes.
    ///
    /// # Errors
    /// `JOURNAL_FORKED` once following has stopped for good.
    pub fn goes_on(&self) -> Result<(), Fault> {
        match self.stopped.get() {
            Some(Stopped { url, why }) => {
                Err(Fault::new(Reason::JournalForked).with("journal", url).with("why", why))
            }
            None => Ok(()),
        }
    }

    /// Waits until that sequence of the followed journal has been taken over.
    ///
    /// # Errors
    /// `NOT_CAUGHT_UP` after `patience`, `JOURNAL_FORKED` where it never comes.
    pub async fn reached(&self, wanted: &Cursor, patience: Duration) -> Result<(), Fault> {
        let mut followed = self.through.clone();
        let there = |cursor: &Option<Cursor>| {
            cursor
                .is_some_and(|cursor| cursor.journal == wanted.journal && cursor.sequence >= wanted.sequence)
        };
        if let Ok(Ok(_)) = tokio::time::timeout(patience, followed.wait_for(there)).await {
            return Ok(());
        }
        self.goes_on()?;
        let reached = self.through.borrow().map_or(0, |cursor| cursor.sequence);
        Err(Fault::new(Reason::NotCaughtUp).with("wanted", wanted.sequence).with("reached", reached))
    }
}

/// One journal that this service follows, as those see it who ask how the service stands.
#[derive(Debug)]
pub(crate) struct Following {
    pub(crate) source: Source,
    followed: Followed,
}

impl Following {
    pub(crate) fn through(&self) -> Option<Cursor> {
        *self.followed.through.borrow()
    }

    /// Why it stopped for good; empty: it goes on.
    pub(crate) fn stopped(&self) -> String {
        self.followed.stopped.get().map(|stopped| stopped.why.clone()).unwrap_or_default()
    }
}

/// All that a service follows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Followings(Arc<Mutex<Vec<Arc<Following>>>>);

impl Followings {
    pub(crate) fn all(&self) -> Vec<Arc<Following>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, source: &Source, step: &Step) {
        let followed = Followed { through: step.through.subscribe(), stopped: Arc::clone(&step.stopped) };
        let following = Arc::new(Following { source: source.clone(), followed });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(following);
    }
}

/// Why a stretch was not taken over.
#[derive(Debug)]
pub enum Setback {
    /// It may go better the next time.
    Passing(Fault),
    /// It will never go until a person has looked: following stops and says so, and skips nothing.
    Lasting(Fault),
}

impl From<Fault> for Setback {
    fn from(fault: Fault) -> Self {
        Self::Passing(fault)
    }
}

/// Takes over what another journal brings.
pub(crate) trait Absorb: Send + Sync {
    /// How far it has been taken over, by what is on disk.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    fn cursor(&self) -> Result<Option<Cursor>, Fault>;

    /// Takes over the events up to a cursor, in one commit with that cursor. Returns when it is on disk; a repeat has
    /// no effect.
    ///
    /// # Errors
    /// After a passing setback the same stretch is tried again, after a lasting one following ends.
    fn absorb(
        &self,
        link: &Link,
        through: Cursor,
        events: Vec<Event>,
    ) -> impl Future<Output = Result<(), Setback>> + Send;
}

/// Follows for ever, until `stop`. A fork of the other journal, or an event that is not known here, ends it and takes
/// the service out of readiness: only a person can tell what is right.
pub(crate) async fn follow(
    source: Source,
    absorb: impl Absorb,
    step: Step,
    ready: Ready,
    stop: CancellationToken,
) {
    ready.followings.add(&source, &step);
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        let ended = stop.run_until_cancelled(once(&source, &absorb, &step, &mut pause)).await;
        match ended {
            None => return,
            Some(End::Lasting(cause)) => {
                error!(url = %source.url, %cause, "following stops until an operator reconciles");
                let _ = step.stopped.set(Stopped { url: source.url, why: cause });
                ready.give_up().await;
                return;
            }
            Some(End::Broken(cause)) => {
                if pause == FIRST_PAUSE {
                    warn!(url = %source.url, %cause, "following is interrupted; trying again");
                } else {
                    debug!(url = %source.url, %cause, "following is still interrupted");
                }
            }
        }
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

enum End {
    Broken(String),
    Lasting(String),
}

async fn once(source: &Source, absorb: &impl Absorb, step: &Step, pause: &mut Duration) -> End {
    let broken = |cause: &dyn std::error::Error| End::Broken(chain(cause));
    let link = match source.link() {
        Ok(link) => link,
        Err(e) => return broken(&e),
    };
    let after = match absorb.cursor() {
        Ok(after) => after,
        Err(fault) => return broken(&fault),
    };
    step.through.send_replace(after);
    let request = FollowRequest { after: after.as_ref().map(cursor_to) };
    let mut replies = match JournalServiceClient::new(link.clone()).follow(request).await {
        Ok(replies) => replies.into_inner(),
        Err(status) => return ended_by(&status),
    };
    let mut at = after.map_or(0, |cursor| cursor.sequence);
    info!(url = %source.url, after = at, "following");
    loop {
        let reply = match replies.next().await {
            None => return End::Broken("the other service ended the stream".to_owned()),
            Some(Err(status)) => return ended_by(&status),
            Some(Ok(reply)) => reply,
        };
        let through = match cursor_from(reply.covers_through.as_ref(), "covers_through") {
            Ok(Some(through)) => through,
            Ok(None) => return End::Broken("a reply does not say what it covers".to_owned()),
            Err(fault) => return broken(&fault),
        };
        if reply.covers_from != at {
            return End::Broken(format!("a reply covers from {}, not from {at}", reply.covers_from));
        }
        if !reply.events.is_empty() {
            match absorb.absorb(&link, through, reply.events).await {
                Ok(()) => {}
                Err(Setback::Passing(fault)) => return broken(&fault),
                Err(Setback::Lasting(fault)) => return End::Lasting(chain(&fault)),
            }
        }
        at = through.sequence;
        step.through.send_replace(Some(through));
        *pause = FIRST_PAUSE;
    }
}

fn ended_by(status: &Status) -> End {
    let received = jiyao_wire::from_status(status);
    match received.reason {
        Some(Reason::JournalForked | Reason::CursorForeign) => End::Lasting(received.message),
        _ => End::Broken(format!("{}: {}", status.code(), chain(status))),
    }
}
