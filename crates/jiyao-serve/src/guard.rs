//! In front of every call: who asks, may they, is there room. A method without a row is refused.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::HeaderMap;
use http_body::Frame;
use jiyao_fault::{Fault, Reason};
use jiyao_phrases::Lang;
use jiyao_telemetry::{Counter, Histogram, TRACEPARENT, call_span, counter, histogram};
use prost::bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument as _, Span, info};

use crate::allowance::Paid;
use crate::answer::Caller;
use crate::identity::{Identities, Principal, Role};
use crate::incoming::{Share, Traffic};
use crate::page::Seal;
use crate::server::{Late, REQUEST_LIMIT};

/// What anyone may call who reaches the port.
const OPEN: [&str; 2] = ["/grpc.health.v1.Health/", "/grpc.reflection."];

pub(crate) struct Gate {
    identities: Identities,
    rights: HashMap<&'static str, &'static [Role]>,
    seal: Late<Arc<Seal>>,
    /// Found once: looking a metric up costs as much as a small call.
    told: HashMap<&'static str, Told>,
    /// Of paths that are no methods of ours: they are the caller's words, and become no series.
    other: Told,
    room: Arc<Semaphore>,
    /// Calls that one peer may have under way.
    of_peer: usize,
    watches: Watches,
}

/// Streams without an end that may be open, each of which takes some hundred kilobytes; services that follow have theirs
/// besides.
const WATCHES: usize = 512;
/// The same of one principal.
const WATCHES_OF_ONE: usize = 128;

/// The streams without an end that are open.
#[derive(Clone, Default)]
struct Watches(Arc<Mutex<HashMap<String, usize>>>);

impl Watches {
    /// A place for a principal; None where there is no more room.
    fn place(&self, principal: &str) -> Option<Watch> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= WATCHES
            || open.get(principal).copied().unwrap_or(0) >= WATCHES_OF_ONE
        {
            return None;
        }
        *open.entry(principal.to_owned()).or_default() += 1;
        Some(Watch { watches: self.clone(), principal: principal.to_owned() })
    }
}

/// A place among the streams without an end, until it goes.
struct Watch {
    watches: Watches,
    principal: String,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut open = self.watches.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.principal) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.principal);
            }
        }
    }
}

/// What is known of a method: its metrics, and how it answers.
#[derive(Clone)]
struct Told {
    took: Histogram,
    fine: Counter,
    /// Its answers come at once: whoever watches or follows, or waits for a report of much work now and then, keeps no
    /// place among the calls.
    has_end: bool,
    is_watch: bool,
}

impl Told {
    fn of(method: &str) -> Self {
        // A series that begins with its first error has no rate then.
        for code in ["13", "15"] {
            counter!("jiyao_calls_total", "method" => method.to_owned(), "code" => code).increment(0);
        }
        let name = method.rsplit('/').next().unwrap_or(method);
        Self {
            took: histogram!("jiyao_call_seconds", "method" => method.to_owned()),
            fine: counter!("jiyao_calls_total", "method" => method.to_owned(), "code" => "0"),
            has_end: !name.starts_with("Watch") && !["Follow", "VerifyJournal"].contains(&name),
            is_watch: name.starts_with("Watch"),
        }
    }
}

/// How an answer ended: what is behind its body, or that nobody wanted the rest. Counted once, when it goes.
struct Ending {
    told: Told,
    method: &'static str,
    code: Option<String>,
    /// What is behind the body was taken too.
    is_whole: bool,
    /// Of an answer that comes at once: a place among all calls and among those of its peer, and that it lies there.
    taking: Option<(OwnedSemaphorePermit, Share, Traffic)>,
    /// Its place among the streams without an end.
    _watch: Option<Watch>,
}

impl Ending {
    fn see(&mut self, trailers: &HeaderMap) {
        let code = trailers.get(STATUS).and_then(|code| code.to_str().ok());
        self.code = code.filter(|code| *code != "0").map(str::to_owned);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some((_, _, traffic)) = &self.taking {
            traffic.clear();
            if self.is_whole {
                traffic.mark_of_use();
            }
        }
        match self.code.take() {
            None => self.told.fine.increment(1),
            Some(code) => {
                counter!("jiyao_calls_total", "method" => self.method, "code" => code).increment(1);
            }
        }
    }
}

/// What other methods are counted as, and who may call them.
const OTHER: &str = "other";
const NOBODY: &[Role] = &[];

/// Header or trailer with the code of an answer.
const STATUS: &str = "grpc-status";

impl Gate {
    pub(crate) fn new(
        identities: Identities,
        rights: HashMap<&'static str, &'static [Role]>,
        calls: usize,
        seal: Late<Arc<Seal>>,
    ) -> Self {
        let told = rights.keys().map(|method| (*method, Told::of(method))).collect();
        let (other, room) = (Told::of(OTHER), Arc::new(Semaphore::new(calls)));
        let watches = Watches::default();
        Self { identities, rights, seal, told, other, room, of_peer: calls.div_ceil(4), watches }
    }

    fn admit<B>(&self, request: &mut http::Request<B>) -> Result<(), (Fault, Lang)> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let lang = header("accept-language").and_then(Lang::parse).unwrap_or_default();
        let path = request.uri().path();
        if OPEN.iter().any(|open| path.starts_with(open)) {
            return Ok(());
        }
        let known = self.rights.get_key_value(path);
        let (method, roles) = known.map_or((OTHER, NOBODY), |(method, roles)| (*method, *roles));
        let is_open = roles.contains(&Role::Anyone);
        let principal = match self.identities.identify(header) {
            Err(fault) if is_open && fault.reason() == Reason::TokenMissing => Principal::default(),
            identified => identified.map_err(|fault| (fault, lang))?,
        };
        if !is_open && !principal.is_any(roles) {
            info!(principal = %principal.mark(), method = path, "refused: the role is missing");
            return Err((Fault::new(Reason::RoleMissing).with("method", path), lang));
        }
        request.extensions_mut().insert(Caller { principal, lang, method, seal: self.seal.clone() });
        Ok(())
    }
}

#[derive(Clone)]
pub(crate) struct GuardLayer(pub(crate) Arc<Gate>);

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, gate: Arc::clone(&self.0) }
    }
}

#[derive(Clone)]
pub(crate) struct Guard<S> {
    inner: S,
    gate: Arc<Gate>,
}

/// Largest piece of an answer that is handed to the connection before it is taken.
const PIECE: usize = 16 << 10;

/// From this size on an answer's last byte is a piece of its own.
const LARGE: usize = 8 << 10;

/// An answer that is taken piece by piece: what is handed over whole would lie in the connection, however little of it
/// the peer takes.
struct Taken {
    body: Body,
    /// Of a piece that was too large.
    rest: Bytes,
    ending: Ending,
}

impl http_body::Body for Taken {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => {
                        if let Some(trailers) = frame.trailers_ref() {
                            self.ending.see(trailers);
                            self.ending.is_whole = true;
                        }
                        return Poll::Ready(Some(Ok(frame)));
                    }
                },
                ended => return Poll::Ready(ended),
            }
        }
        let size = match self.rest.len() {
            // What is behind it waits until all before it was taken, and with it the answer counts as not taken.
            large @ LARGE.. => (large - 1).min(PIECE),
            small => small,
        };
        let piece = self.rest.split_to(size);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

/// Content types that are served.
const CONTENT_TYPES: [&str; 2] = ["application/grpc", "application/grpc+proto"];

/// Why a request is no gRPC call, or is a browser's on behalf of a page: whoever reads a page elsewhere must not act here
/// by it.
fn unwelcome(headers: &HeaderMap) -> Option<http::StatusCode> {
    let content_type = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if headers.contains_key(http::header::ORIGIN) {
        Some(http::StatusCode::FORBIDDEN)
    } else if !content_type.is_some_and(|said| CONTENT_TYPES.contains(&said)) {
        Some(http::StatusCode::UNSUPPORTED_MEDIA_TYPE)
    } else {
        None
    }
}

/// A refusal that tonic made of a message before any handler saw it, with a reason. UNIMPLEMENTED, as for an unknown
/// compression, is the protocol's own answer and stays.
fn with_reason(response: http::Response<Body>, lang: Lang) -> http::Response<Body> {
    let Some(status) = Status::from_header_map(response.headers()) else { return response };
    let is_of_message = matches!(status.code(), Code::OutOfRange | Code::Internal);
    if !is_of_message || !status.details().is_empty() {
        return response;
    }
    let fault = match status.code() {
        Code::OutOfRange => Fault::new(Reason::MessageTooLarge).with("limit", REQUEST_LIMIT),
        _ => Fault::new(Reason::MessageUnreadable).with("detail", status.message()),
    };
    jiyao_wire::to_status(&fault, lang).into_http()
}

impl<S> Service<http::Request<Body>> for Guard<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if let Some(status) = unwelcome(request.headers()) {
            let mut refusal = http::Response::new(Body::empty());
            *refusal.status_mut() = status;
            return Box::pin(std::future::ready(Ok(refusal)));
        }
        let refuse = |fault: &Fault, lang, method: &str| {
            let refusal = jiyao_wire::to_status(fault, lang).into_http();
            // Only methods that there are become a series.
            if let Some((known, _)) = self.gate.told.get_key_value(method) {
                let code = refusal.headers().get(STATUS).and_then(|code| code.to_str().ok());
                let code = code.unwrap_or("2").to_owned();
                counter!("jiyao_calls_total", "method" => *known, "code" => code).increment(1);
            }
            Box::pin(std::future::ready(Ok(refusal)))
        };
        let traffic = request.extensions().get::<Traffic>().cloned().unwrap_or_default();
        traffic.ask();
        let paying = traffic.clone();
        let mut request = request.map(|body| Body::new(Paid::new(body, paying)));
        let known = self.gate.told.get_key_value(request.uri().path());
        let known = known.map(|(method, told)| (*method, told.clone()));
        // Health and reflection answer as long as somebody listens.
        let has_end = known.as_ref().is_some_and(|(_, told)| told.has_end);
        // Whoever takes nothing of what they asked for keeps no place from the others.
        let share = if has_end { traffic.share(self.gate.of_peer).map(Some) } else { Some(None) };
        let place = Arc::clone(&self.gate.room).try_acquire_owned();
        let (Some(share), Ok(place)) = (share, place) else {
            return refuse(&Fault::new(Reason::Busy), Lang::default(), request.uri().path());
        };
        match self.gate.admit(&mut request) {
            Ok(()) => {
                let (began, path) = (Instant::now(), request.uri().path());
                let parent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
                let span = call_span(path.trim_start_matches('/'), parent);
                let (method, told) = known.unwrap_or_else(|| (OTHER, self.gate.other.clone()));
                let watch = match request.extensions().get::<Caller>() {
                    Some(caller) if told.is_watch => {
                        self.gate.watches.place(&caller.principal.name).map(Some)
                    }
                    _ => Some(None),
                };
                let Some(watch) = watch else {
                    return refuse(&Fault::new(Reason::Busy), Lang::default(), path);
                };
                // Health and reflection have no caller, and no reasons.
                let lang = request.extensions().get::<Caller>().map(|caller| caller.lang);
                let response = self.inner.call(request);
                let answered = async move {
                    let response = response.await;
                    told.took.record(began.elapsed());
                    let mut response = response?;
                    if let Some(lang) = lang {
                        response = with_reason(response, lang);
                    }
                    // Other answers are when they are taken.
                    if share.is_none() || response.headers().contains_key(STATUS) {
                        traffic.mark_of_use();
                    }
                    let taking = share.map(|share| {
                        traffic.lay();
                        (place, share, traffic)
                    });
                    let mut ending =
                        Ending { told, method, code: None, is_whole: false, taking, _watch: watch };
                    // A status in the headers is a refusal; answers carry theirs behind the body.
                    ending.see(response.headers());
                    Span::current().record("rpc.grpc.status_code", ending.code.as_deref().unwrap_or("0"));
                    if ending.code.is_some() {
                        return Ok(response);
                    }
                    Ok(response.map(|body| Body::new(Taken { body, rest: Bytes::new(), ending })))
                };
                Box::pin(answered.instrument(span))
            }
            Err((fault, lang)) => refuse(&fault, lang, request.uri().path()),
        }
    }
}
