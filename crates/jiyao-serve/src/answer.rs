//! Between a gRPC call and the code that answers it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use jiyao_fault::{Fault, Kind, Reason, chain};
use jiyao_ledger::{Committed, Domain, Ledger, Reading, Submission};
use jiyao_phrases::Lang;
use jiyao_proto::Repeatable;
use jiyao_proto::checks::Checked;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tracing::error;
use uuid::Uuid;

use crate::follower::Followed;
use crate::identity::Principal;
use crate::journal_service::cursor_from;
use crate::page::{PageQuery, Seal};
use crate::server::Late;

/// Who asks for what, and in which language they are answered.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// Their language.
    pub lang: Lang,
    /// Full path of the method, e.g. `/jiyao.records.v1.RecordsService/GetMinutes`.
    pub method: &'static str,
    /// The service's seal of page tokens.
    pub(crate) seal: Late<Arc<Seal>>,
}

impl Caller {
    /// The query made of these parts, method and filters: what a page token belongs to.
    ///
    /// # Errors
    /// `STARTING`.
    pub fn query(&self, parts: &[&str]) -> jiyao_fault::Result<PageQuery> {
        Ok(PageQuery::new(Arc::clone(self.seal.get()?), parts))
    }
}

/// Who asks. The guard put it there; without one it is nobody, with no rights.
pub fn caller<Q>(request: &Request<Q>) -> Caller {
    request.extensions().get().cloned().unwrap_or_else(|| Caller {
        principal: Principal { name: String::new(), unit: String::new(), roles: Vec::new() },
        lang: Lang::default(),
        method: "",
        seal: Late::default(),
    })
}

/// Answers a unary call: the handler gets who asks and what, which has its form, and a fault becomes a status in their
/// language.
///
/// # Errors
/// `FIELD_REQUIRED`, `FIELD_INVALID`, or the handler's fault, as a status.
pub async fn answer<Q: Checked, R, F>(
    request: Request<Q>,
    handle: impl FnOnce(Caller, Q) -> F,
) -> Result<Response<R>, Status>
where
    F: Future<Output = jiyao_fault::Result<R>>,
{
    receive(request, async |caller, request| {
        jiyao_wire::check(&request)?;
        handle(caller, request).await
    })
    .await
}

/// The same for what comes in pieces: the handler looks at their form.
///
/// # Errors
/// The handler's fault as a status.
pub async fn receive<Q, R, F>(
    request: Request<Q>,
    handle: impl FnOnce(Caller, Q) -> F,
) -> Result<Response<R>, Status>
where
    F: Future<Output = jiyao_fault::Result<R>>,
{
    let caller = caller(&request);
    let lang = caller.lang;
    handle(caller, request.into_inner()).await.map(Response::new).map_err(|fault| status(fault, lang))
}

/// A fault as a status. Here it leaves the service, so here it is logged, if it needs a human.
fn status(mut fault: Fault, lang: Lang) -> Status {
    if matches!(fault.reason().kind(), Kind::Internal | Kind::DataLoss) {
        let incident = Uuid::new_v4();
        error!(%incident, cause = %chain(&fault), "a call failed");
        if fault.reason() == Reason::Internal {
            fault = fault.with("incident", incident);
        }
    }
    jiyao_wire::to_status(&fault, lang)
}

/// What makes the repeat of a request known: its `request_id`, and a digest of the rest.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    request_id: String,
    digest: [u8; 32],
}

impl Asked {
    /// Takes the id out of a request: a UUID, or empty, and then no repeat is known.
    ///
    /// # Errors
    /// `FIELD_INVALID`.
    pub fn of(request: &mut impl Repeatable) -> jiyao_fault::Result<Self> {
        let request_id = request.take_request_id();
        if !request_id.is_empty() && Uuid::try_parse(&request_id).is_err() {
            return Err(Fault::malformed("request_id", request_id, "018f2f6e-7c1c-7aaa-8bbb-0123456789ab"));
        }
        Ok(Self { request_id, digest: Sha256::digest(request.encode_to_vec()).into() })
    }

    pub(crate) fn by<C>(self, caller: &Caller, command: C) -> Submission<C> {
        let Self { request_id, digest } = self;
        Submission {
            principal: caller.principal.name.clone(),
            method: caller.method,
            request_id,
            digest,
            command,
        }
    }
}

impl<D: Domain> Late<Ledger<D>> {
    /// Puts a caller's command to the ledger; answers when it is durable.
    ///
    /// # Errors
    /// `STARTING`; those of [`Ledger::submit`].
    pub async fn submit(
        &self,
        caller: &Caller,
        asked: Asked,
        command: D::Command,
    ) -> jiyao_fault::Result<Committed> {
        self.get()?.submit(asked.by(caller, command)).await
    }

    /// Reads what may be much, off the async thread; the answer comes with the sequence that it was read at.
    ///
    /// # Errors
    /// `STARTING`; those of [`Ledger::read`].
    pub async fn read_much<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reading<'_>) -> jiyao_fault::Result<T> + Send + 'static,
    ) -> jiyao_fault::Result<(T, u64)> {
        let ledger = self.get()?.clone();
        tokio::task::spawn_blocking(move || ledger.read(read)).await.map_err(Fault::internal)?
    }

    /// Reads what a command came to, at the version that shows it.
    ///
    /// # Errors
    /// The closure's: see [`Ledger::read_at`].
    pub async fn read_at<T>(
        &self,
        committed: &Committed,
        read: impl Fn(&Reading<'_>) -> jiyao_fault::Result<T>,
    ) -> jiyao_fault::Result<T> {
        self.get()?.read_at(committed, read).await
    }

    /// The same, of what may be much: off the async thread.
    ///
    /// # Errors
    /// The closure's: see [`Ledger::read_at`].
    pub async fn read_much_at<T: Send + 'static>(
        &self,
        committed: &Committed,
        read: impl Fn(&Reading<'_>) -> jiyao_fault::Result<T> + Send + Sync + 'static,
    ) -> jiyao_fault::Result<T> {
        self.get()?.read_much_at(committed, read).await
    }
}

/// How long a read waits for the position that it demands.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits until this service shows a position: of its own journal, or of the one that it follows. None: does not wait.
///
/// # Errors
/// `NOT_CAUGHT_UP`, `CURSOR_FOREIGN`, `FIELD_INVALID`.
pub async fn wait_for<D: Domain>(
    ledger: &Ledger<D>,
    followed: Option<&Followed>,
    read_after: Option<&jiyao_proto::journal::v1::Cursor>,
) -> jiyao_fault::Result<()> {
    let Some(wanted) = cursor_from(read_after, "read_after")? else { return Ok(()) };
    let own = ledger.head().journal;
    if wanted.journal == own {
        return ledger.reached(wanted.sequence, PATIENCE).await;
    }
    match followed {
        // Before the first contact any other journal may turn out to be the followed one.
        Some(followed) if followed.is_of(wanted.journal) || followed.is_new() => {
            followed.reached(&wanted, PATIENCE).await
        }
        _ => {
            let fault = Fault::new(Reason::CursorForeign).at("read_after.journal");
            Err(fault.with("journal", own).with("cursor_journal", wanted.journal))
        }
    }
}

/// What a streaming call answers with.
pub type Answers<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;

/// Answers a streaming call until the service stops: the handler gets who asks and what, and gives what is sent; a fault,
/// at once or on the way, becomes a status in their language.
///
/// # Errors
/// `FIELD_REQUIRED`, `FIELD_INVALID`, or the handler's fault, as a status.
pub async fn stream<Q: Checked, R, S, F>(
    request: Request<Q>,
    stop: &CancellationToken,
    handle: impl FnOnce(Caller, Q) -> F,
) -> Result<Response<Answers<R>>, Status>
where
    F: Future<Output = jiyao_fault::Result<S>>,
    S: Stream<Item = jiyao_fault::Result<R>> + Send + 'static,
{
    let caller = caller(&request);
    let lang = caller.lang;
    let request = request.into_inner();
    jiyao_wire::check(&request).map_err(|fault| status(fault, lang))?;
    let items = handle(caller, request).await.map_err(|fault| status(fault, lang))?;
    let items = items.map(move |item| item.map_err(|fault| status(fault, lang)));
    Ok(Response::new(Box::pin(items.take_until(stop.clone().cancelled_owned()))))
}
