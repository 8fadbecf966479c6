//! One connection: deadline, language, token, and repeats of what may run twice.

use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiyao_fault::{Reason, chain};
use jiyao_phrases::Lang;
use jiyao_proto::Method;
use jiyao_proto::calls::{self, Call};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use uuid::Uuid;

use crate::error::Error;

const CONNECT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Largest answer taken.
pub(crate) const RESPONSE_LIMIT: usize = 4 << 20;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) ca: Option<Vec<u8>>,
    pub(crate) token: Option<String>,
    /// Principal and unit of local mode; empty: the service's own.
    pub(crate) acting: (String, String),
    pub(crate) lang: Lang,
    pub(crate) timeout: Duration,
}

/// A connection to one service.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) url: String,
    channel: Channel,
    settings: Arc<Settings>,
    authorization: Option<tonic::metadata::MetadataValue<tonic::metadata::Ascii>>,
}

impl Connection {
    pub(crate) fn new(url: String, settings: &Arc<Settings>) -> Result<Self, Error> {
        let what = "read the address of a service";
        let bad = |e: &dyn std::error::Error| Error::settings(what, format!("{url:?}: {}", chain(e)));
        let mut endpoint = Endpoint::from_shared(url.clone())
            .map_err(|e| bad(&e))?
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_while_idle(true);
        if url.starts_with("https:") {
            let mut tls = ClientTlsConfig::new();
            if let Some(ca) = &settings.ca {
                tls = tls.ca_certificate(Certificate::from_pem(ca));
            }
            endpoint = endpoint.tls_config(tls).map_err(|e| bad(&e))?;
        } else if !url.starts_with("http:") {
            return Err(Error::settings(what, format!("{url:?} begins with neither http:// nor https://")));
        }
        let authorization = match &settings.token {
            Some(_) if !jiyao_wire::may_carry_token(&url) => {
                let clear = format!("{url} is neither https nor on this machine: a token is not sent there");
                return Err(Error::settings(what, clear));
            }
            Some(token) => {
                let header = format!("Bearer {}", token.trim()).parse();
                Some(header.map_err(|_| Error::settings("read the token", "it is not printable ASCII"))?)
            }
            None => None,
        };
        Ok(Self { channel: endpoint.connect_lazy(), url, settings: Arc::clone(settings), authorization })
    }

    /// The same connection, of which some settings are others.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::clone(&self.settings);
        change(&mut settings);
        Self { settings: Arc::new(settings), ..self.clone() }
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A request with all that goes along with one; without a deadline where `left` is None (streams that never end).
    pub(crate) fn request<M>(&self, message: M, left: Option<Duration>) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(left) = left {
            request.set_timeout(left);
        }
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        let (principal, unit) = &self.settings.acting;
        for (header, value) in [(jiyao_wire::AS, principal), (jiyao_wire::UNIT, unit)] {
            let encoded = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            if !value.is_empty()
                && let Ok(encoded) = encoded.to_string().parse()
            {
                request.metadata_mut().insert(header, encoded);
            }
        }
        if let Ok(tag) = self.settings.lang.tag().parse() {
            request.metadata_mut().insert("accept-language", tag);
        }
        request
    }

    /// The language that people are answered in.
    pub(crate) fn lang(&self) -> Lang {
        self.settings.lang
    }

    /// Calls until there is an answer, a refusal, or the deadline is over. A call that changes something gets a
    /// `request_id`, where it has none, so that its repeats have no second effect.
    pub(crate) async fn call<Q: Call>(&self, mut request: Q) -> Result<Q::Answer, Error> {
        if let Some(id) = request.request_id()
            && id.is_empty()
        {
            *id = new_request_id();
        }
        let once = async |channel, request| calls::call(channel, request, RESPONSE_LIMIT).await;
        Ok(self.repeated(name_of(Q::METHOD), request, once).await?.into_inner())
    }

    /// Tries until there is an answer, a refusal, or the deadline is over. Only for what may run twice.
    pub(crate) async fn repeated<M: Clone, R, F>(
        &self,
        what: &'static str,
        message: M,
        once: impl Fn(Channel, Request<M>) -> F,
    ) -> Result<R, Error>
    where
        F: Future<Output = Result<R, Status>>,
    {
        let deadline = Instant::now() + self.settings.timeout;
        let mut pause = FIRST_PAUSE;
        let mut before: Option<Status> = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let status = match once(self.channel(), self.request(message.clone(), Some(left))).await {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            let wait = jittered(pause);
            let is_over = Instant::now() + wait >= deadline;
            if is_over || !may_repeat(&status) {
                // That time ran out during a repeat says less than why there had to be one.
                let told = before.filter(|_| is_over && jiyao_wire::from_status(&status).reason.is_none());
                return Err(self.failed(what, &told.unwrap_or(status)));
            }
            before = Some(status);
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    pub(crate) fn failed(&self, what: &'static str, status: &Status) -> Error {
        Error::of_status(what, &self.url, status)
    }

    pub(crate) fn malformed(&self, what: &'static str) -> Error {
        Error::malformed(what, &self.url, "the answer lacks a required field")
    }
}

/// What is repeated: nothing but UNAVAILABLE. A broken connection shows as that, or as an unknown error with a cause
/// of the transport; a read that is not caught up has waited on the server already.
pub(crate) fn may_repeat(status: &Status) -> bool {
    let reason = jiyao_wire::from_status(status).reason;
    match status.code() {
        Code::Unavailable => reason != Some(Reason::NotCaughtUp),
        Code::Unknown | Code::Internal | Code::Cancelled => reason.is_none() && status.source().is_some(),
        _ => false,
    }
}

/// Between half of a pause and all of it, so that clients that failed together do not return together.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let random = f64::from(Uuid::new_v4().as_bytes()[0]) / 255.0;
    pause.mul_f64(0.5 + random / 2.0)
}

/// The next pause of a series without an end.
pub(crate) fn longer(pause: Duration) -> Duration {
    (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE)
}

/// A UUID for a call that changes something. It grows with time, for a service keeps ids in their order.
pub(crate) fn new_request_id() -> String {
    Uuid::now_v7().to_string()
}

/// A method as errors call it, e.g. `ImportMinutes`.
pub(crate) fn name_of(method: &'static Method) -> &'static str {
    method.path.rsplit('/').next().unwrap_or(method.path)
}
