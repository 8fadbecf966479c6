//! What the `main` of every service is made of.

use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use jiyao_config::{EXIT_USAGE, Sources};
use jiyao_fault::chain;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::config::ServeConfig;
use crate::help::{language, translated};
use crate::server::ServeError;

/// A service as a program.
pub trait Program {
    /// Its settings.
    type Config: Default + Serialize + DeserializeOwned + Send + 'static;
    /// Its name, e.g. `jiyao-records`.
    const NAME: &'static str;
    /// Prefix of its settings in the environment, e.g. `JIYAO_RECORDS_`.
    const PREFIX: &'static str;

    /// The settings that every service has.
    fn serve(config: &Self::Config) -> &ServeConfig;

    /// What its own settings must obey.
    ///
    /// # Errors
    /// What does not hold, in words.
    fn check(config: &Self::Config) -> Result<(), String>;

    /// Serves on the listener until `stop`; tells `on_ready` the address once it can answer.
    fn run(
        config: Self::Config,
        listener: TcpListener,
        stop: CancellationToken,
        on_ready: impl FnOnce(std::net::SocketAddr) + Send + 'static,
    ) -> impl Future<Output = Result<(), ServeError>> + Send;
}

/// Flags of every service; what they are for is in the catalogue of phrases.
#[derive(Debug, Parser)]
struct Flags {
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long = "as", value_name = "NAME")]
    local: Option<String>,
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[arg(long)]
    check_config: bool,
    #[arg(long)]
    dump_config: bool,
}

/// Runs a service as a process: settings, listening, stop on SIGTERM or Ctrl-C, exit code.
#[must_use]
pub fn program<P: Program>() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let command = <Flags as clap::CommandFactory>::command().name(P::NAME).version(env!("CARGO_PKG_VERSION"));
    let matches = translated(command, "service", language(&arguments)).try_get_matches_from(arguments);
    let flags = match matches.and_then(|matches| <Flags as clap::FromArgMatches>::from_arg_matches(&matches))
    {
        Ok(flags) => flags,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let config = match configure::<P>(&flags) {
        Ok(config) => config,
        Err(reason) => return refuse::<P>(&reason),
    };
    if flags.dump_config {
        return match jiyao_config::dump(&config) {
            Ok(text) => {
                let _ = std::io::stdout().write_all(text.as_bytes());
                ExitCode::SUCCESS
            }
            Err(e) => refuse::<P>(&e.to_string()),
        };
    }
    if let Err(reason) = P::serve(&config).check().and_then(|()| P::check(&config)) {
        return refuse::<P>(&reason);
    }
    if flags.check_config {
        println!("{}: the settings are sound", P::NAME);
        return ExitCode::SUCCESS;
    }
    allow_connections();
    jiyao_journal::make_private_by_default();
    // One thread for the network: on small machines it is the fastest, and the writer has a thread of its own.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return refuse::<P>(&format!("start the runtime: {e}")),
    };
    let inside = runtime.enter();
    let told = P::serve(&config);
    let collector = Some(told.traces.as_str()).filter(|address| !address.is_empty());
    let traces = match jiyao_telemetry::start(P::NAME, &told.log, collector) {
        Ok(traces) => traces,
        Err(reason) => return refuse::<P>(&reason),
    };
    drop(inside);
    let ended = runtime.block_on(async {
        let ended = serve::<P>(config).await;
        traces.end().await;
        ended
    });
    // What still blocks a thread, as a mail server that says nothing, does not hold up the end: a kill would be no worse.
    runtime.shutdown_timeout(LAST_WAIT);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(ServeError::Settings(reason)) => refuse::<P>(&reason),
        Err(e) => {
            error!(cause = %chain(&e), "the service ends");
            ExitCode::FAILURE
        }
    }
}

/// How long blocking work may go on after everything else has ended.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// A connection is an open file: as many as the system lets this process have, whatever it begins with.
fn allow_connections() {
    let allowed = getrlimit(Resource::Nofile);
    // Where that is refused, fewer connections are taken.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: allowed.maximum, ..allowed });
}

fn configure<P: Program>(flags: &Flags) -> Result<P::Config, String> {
    let mut given = Vec::new();
    for (key, value) in [("listen", &flags.listen), ("data_dir", &flags.data_dir), ("as", &flags.local)] {
        given.extend(value.clone().map(|value| (key.to_owned(), value)));
    }
    for pair in &flags.set {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| format!("--set {pair}: write it as KEY=VALUE"))?;
        given.push((key.to_owned(), value.to_owned()));
    }
    let sources =
        Sources { file: flags.config.clone(), environment: jiyao_config::environment(), flags: given };
    jiyao_config::load(P::PREFIX, &sources).map_err(|e| e.to_string())
}

fn refuse<P: Program>(reason: &str) -> ExitCode {
    eprintln!("{}: {reason}", P::NAME);
    ExitCode::from(EXIT_USAGE)
}

async fn serve<P: Program>(config: P::Config) -> Result<(), ServeError> {
    let address = P::serve(&config).address().map_err(ServeError::Settings)?;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|e| ServeError::Settings(format!("listen = {address}: {e}")))?;
    if let Some(address) = P::serve(&config).metrics_address().map_err(ServeError::Settings)? {
        jiyao_telemetry::serve_metrics(address).map_err(ServeError::Settings)?;
    }
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    let io = |source| ServeError::Io { what: "wait for signals", source };
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate()).map_err(io)?, signal(SignalKind::interrupt()).map_err(io)?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("stopping");
        signalled.cancel();
    });
    // Where nobody reads it any more, there is nobody to tell.
    let tell = |address| drop(writeln!(std::io::stdout(), "listening on {address}"));
    P::run(config, listener, stop, tell).await
}
