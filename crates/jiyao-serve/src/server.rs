//! A tonic server with every limit set, health that tells the truth, and a drain that ends.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiyao_fault::{Fault, Reason};
use jiyao_proto::methods_of;
use rustix::process::{Resource, getrlimit};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::RoutesBuilder;
use tonic::transport::{Identity, ServerTlsConfig};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::Service;
use tracing::{info, warn};

use crate::allowance::WINDOW;
use crate::config::{ServeConfig, path};
use crate::follower::Followings;
use crate::guard::{Gate, GuardLayer};
use crate::identity::{Identities, Role};
use crate::incoming::incoming;
use crate::page::Seal;
use crate::rights::roles_of;

/// Largest message taken. Larger things come in chunks.
pub const REQUEST_LIMIT: usize = 1 << 20;
/// Largest message sent. Longer things are paged.
pub const RESPONSE_LIMIT: usize = 4 << 20;
const HANDSHAKE: Duration = Duration::from_secs(5);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);
const KEEPALIVE_WAIT: Duration = Duration::from_secs(10);
const CONNECTION_AGE: Duration = Duration::from_secs(30 * 60);
const HEADER_LIST: u32 = 16 << 10;
const LOCAL_RESETS: usize = 256;

/// Why a service does not run, or stopped running.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The settings do not fit: exit code 64.
    #[error("{0}")]
    Settings(String),
    /// The ledger.
    #[error(transparent)]
    Open(#[from] jiyao_ledger::OpenError),
    /// The network or the file system.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The server.
    #[error("serve: {0}")]
    Serve(#[from] tonic::transport::Error),
    /// A bug of this program.
    #[error("{0}")]
    Bug(String),
}

/// Something that is there once the service has started.
pub struct Late<T>(Arc<OnceLock<T>>);

impl<T> Clone for Late<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Late<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "Late(there)" } else { "Late" })
    }
}

impl<T> Default for Late<T> {
    fn default() -> Self {
        Self(Arc::new(OnceLock::new()))
    }
}

impl<T> Late<T> {
    /// It is there now. A second one is ignored.
    pub fn set(&self, value: T) {
        let _ = self.0.set(value);
    }

    /// It, if it is there.
    ///
    /// # Errors
    /// `STARTING`.
    pub fn get(&self) -> Result<&T, Fault> {
        self.0.get().ok_or_else(|| Fault::new(Reason::Starting))
    }
}

/// What a server is given: the port and the stop signal are the caller's.
pub struct Parts {
    /// Its name, e.g. `jiyao-records`.
    pub name: &'static str,
    /// Settings.
    pub config: ServeConfig,
    /// Bound.
    pub listener: TcpListener,
    /// Cancelled: drain and end.
    pub stop: CancellationToken,
}

/// Tells the health of a service. Clones speak for the same service.
#[derive(Clone)]
pub struct Ready {
    health: HealthReporter,
    services: Arc<Vec<&'static str>>,
    /// Once unfit, never fit again: only a new start, after a person has looked, may say so.
    unfit: Arc<AtomicBool>,
    pub(crate) followings: Followings,
}

impl Ready {
    fn new(health: HealthReporter, services: Vec<&'static str>, followings: Followings) -> Self {
        Self { health, services: Arc::new(services), unfit: Arc::default(), followings }
    }

    /// Sets the health of the whole server and of each of its services.
    async fn set(&self, is_ready: bool) {
        if is_ready {
            self.tell(ServingStatus::Serving).await;
        }
        if !is_ready || self.unfit.load(Ordering::SeqCst) {
            self.tell(ServingStatus::NotServing).await;
        }
    }

    async fn tell(&self, status: ServingStatus) {
        self.health.set_service_status("", status).await;
        for service in self.services.iter() {
            self.health.set_service_status(*service, status).await;
        }
    }

    /// The service is not fit to answer until a person has looked.
    pub(crate) async fn give_up(&self) {
        self.unfit.store(true, Ordering::SeqCst);
        self.set(false).await;
    }
}

/// A server that gets its APIs one by one, each with its permission table.
pub struct Server {
    parts: Parts,
    routes: RoutesBuilder,
    rights: HashMap<&'static str, &'static [Role]>,
    services: Vec<&'static str>,
    pub(crate) followings: Followings,
    /// The seal of page tokens, whose key lies in the data directory.
    pub(crate) seal: Late<Arc<Seal>>,
}

impl Server {
    /// Begins.
    ///
    /// # Errors
    /// `Settings`.
    pub(crate) fn new(parts: Parts) -> Result<Self, ServeError> {
        // Whatever libraries make in the data directory is for its owner alone too.
        jiyao_journal::make_private_by_default();
        parts.config.check().map_err(ServeError::Settings)?;
        Ok(Self {
            parts,
            routes: RoutesBuilder::default(),
            rights: HashMap::new(),
            services: Vec::new(),
            followings: Followings::default(),
            seal: Late::default(),
        })
    }

    /// A server with a service more. Who may call its methods is what their options in proto say.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.services.push(S::NAME);
        self.rights.extend(methods_of(S::NAME).map(|method| (method.path, roles_of(method))));
        self
    }

    /// Serves: health at once, the rest when `start` has ended well; then `on_ready` is told the address. Ends when
    /// the stop signal comes and what is under way has ended, or the drain's time is over.
    ///
    /// # Errors
    /// Those of `start`, of the settings, of the network.
    pub(crate) async fn run(
        mut self,
        start: impl AsyncFnOnce(Ready) -> Result<(), ServeError>,
        on_ready: impl FnOnce(SocketAddr),
    ) -> Result<(), ServeError> {
        let Parts { config, listener, stop, .. } = self.parts;
        let address =
            listener.local_addr().map_err(|source| ServeError::Io { what: "ask for the address", source })?;
        let (health, health_service) = tonic_health::server::health_reporter();
        let ready = Ready::new(health, self.services.clone(), self.followings);
        ready.set(false).await;
        self.routes.add_service(health_service);
        if config.reflection {
            let builder = || {
                let mut builder = tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(jiyao_proto::DESCRIPTORS)
                    .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                    .register_encoded_file_descriptor_set(jiyao_wire::ERROR_DESCRIPTORS)
                    .with_service_name("grpc.health.v1.Health");
                for service in &self.services {
                    builder = builder.with_service_name(*service);
                }
                builder
            };
            let bug = |e: tonic_reflection::server::Error| ServeError::Bug(format!("reflection: {e}"));
            self.routes.add_service(builder().build_v1().map_err(bug)?);
            self.routes.add_service(builder().build_v1alpha().map_err(bug)?);
        }

        let identities = match path(&config.tokens) {
            Some(file) => {
                Identities::from_file(file.to_owned(), stop.clone()).map_err(ServeError::Settings)?
            }
            None => {
                warn!("local mode: everyone who reaches {address} has every role");
                Identities::local(&config.local)
            }
        };
        let gate = Gate::new(identities, self.rights, config.calls as usize, self.seal);
        let mut server = tonic::transport::Server::builder()
            .timeout(Duration::from_secs(config.timeout_seconds.into()))
            .max_concurrent_streams(config.streams)
            .initial_stream_window_size(WINDOW)
            .max_connection_age(CONNECTION_AGE)
            .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
            .http2_keepalive_timeout(Some(KEEPALIVE_WAIT))
            .http2_max_header_list_size(HEADER_LIST)
            .http2_max_local_error_reset_streams(Some(LOCAL_RESETS))
            .accept_http1(false);
        if let (Some(cert), Some(key)) = (path(&config.tls_cert), path(&config.tls_key)) {
            let read =
                |file| fs_err::read(file).map_err(|source| ServeError::Io { what: "read TLS files", source });
            let identity = Identity::from_pem(read(cert)?, read(key)?);
            let tls = ServerTlsConfig::new().identity(identity).timeout(HANDSHAKE);
            server = server.tls_config(tls).map_err(|e| {
                ServeError::Settings(format!("tls_cert, tls_key: {}", jiyao_fault::chain(&e)))
            })?;
        }
        let connections = incoming(listener, connections(&config)?, config.connections_per_peer as usize);
        let serving = server
            .layer(GuardLayer(Arc::new(gate)))
            .add_routes(self.routes.routes())
            .serve_with_incoming_shutdown(connections, stop.clone().cancelled_owned());
        let serving = tokio::spawn(serving);

        let started = tokio::select! {
            started = start(ready.clone()) => started,
            () = stop.cancelled() => Ok(()),
        };
        match started {
            Ok(()) if !stop.is_cancelled() => {
                ready.set(true).await;
                info!(%address, "ready");
                on_ready(address);
            }
            Ok(()) => {}
            Err(e) => {
                serving.abort();
                return Err(e);
            }
        }
        drained(serving, &stop, config.drain(), &ready).await
    }
}

/// Open files that the service needs for itself: the journal and those that are read of it, the state, what it follows,
/// uploads and children.
const OWN_FILES: u64 = 40;

/// Connections that may be open: what the settings say, and what is left of the files that the process may have open.
fn connections(config: &ServeConfig) -> Result<usize, ServeError> {
    let wanted = u64::from(config.connections);
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let left = allowed.saturating_sub(OWN_FILES);
    if left == 0 {
        let few = format!("only {allowed} files may be open (ulimit -n): more than {OWN_FILES} are needed");
        return Err(ServeError::Settings(few));
    }
    if left < wanted {
        warn!(files = allowed, connections = left, "fewer connections are taken than the settings say");
    }
    Ok(usize::try_from(wanted.min(left)).unwrap_or(usize::MAX))
}

/// Waits for the end of serving: after the stop signal no longer than `patience`, for a silent connection can hold a
/// shutdown for ever.
async fn drained(
    mut serving: tokio::task::JoinHandle<Result<(), tonic::transport::Error>>,
    stop: &CancellationToken,
    patience: Duration,
    ready: &Ready,
) -> Result<(), ServeError> {
    let late = async {
        stop.cancelled().await;
        ready.set(false).await;
        tokio::time::sleep(patience).await;
    };
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = late => {
            warn!("connections were still open after the drain's time; closing them");
            serving.abort();
            return Ok(());
        }
    };
    match ended {
        Ok(served) => Ok(served?),
        Err(e) => Err(ServeError::Bug(format!("the server's task failed: {e}"))),
    }
}
