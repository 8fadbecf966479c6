//! All three services in this process, each with its own folder, port and state.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use jiyao_attendance::Attendance;
use jiyao_client::{Client, Lang};
use jiyao_distribution::Distribution;
use jiyao_records::Records;
use jiyao_serve::{Program, ServeError};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Which ports the services take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ports {
    /// This one and the next two; any free ones for 0.
    From(u16),
    /// The usual ones, or any free ones where they are taken.
    UsualOrFree,
}

/// The services while they run.
pub(crate) struct Stack {
    stop: CancellationToken,
    services: Vec<Running>,
}

/// One of them.
struct Running {
    name: &'static str,
    address: SocketAddr,
    task: JoinHandle<Result<(), ServeError>>,
}

async fn bind(port: u16, ports: Ports) -> Result<TcpListener> {
    let wanted = match ports {
        Ports::From(0) => 0,
        Ports::From(first) => first + (port - jiyao_records::PORT),
        Ports::UsualOrFree => port,
    };
    match (TcpListener::bind(("127.0.0.1", wanted)).await, ports) {
        (Ok(listener), _) => Ok(listener),
        (Err(_), Ports::UsualOrFree) => Ok(TcpListener::bind(("127.0.0.1", 0)).await?),
        (Err(e), Ports::From(_)) => Err(e).with_context(|| format!("listen on 127.0.0.1:{wanted}")),
    }
}

impl Stack {
    /// Starts the services on a folder; returns when all of them answer.
    pub(crate) async fn start(folder: &Path, ports: Ports) -> Result<Self> {
        let mut stack = Self { stop: CancellationToken::new(), services: Vec::new() };
        let at = |name: &str| folder.join(name).display().to_string();

        let records = bind(jiyao_records::PORT, ports).await?;
        let attendance = bind(jiyao_attendance::PORT, ports).await?;
        let distribution = bind(jiyao_distribution::PORT, ports).await?;
        let url =
            |listener: &TcpListener| Ok::<_, anyhow::Error>(format!("http://{}", listener.local_addr()?));
        let (from_records, from_attendance) = (url(&records)?, url(&attendance)?);

        let mut config = jiyao_records::Config::default();
        config.serve.data_dir = at("records");
        config.attendance.clone_from(&from_attendance);
        config.distribution = url(&distribution)?;
        stack.run::<Records>(config, records).await?;

        let mut config = jiyao_attendance::Config::default();
        config.0.serve.data_dir = at("attendance");
        config.0.records.clone_from(&from_records);
        stack.run::<Attendance>(config, attendance).await?;

        let mut config = jiyao_distribution::Config::default();
        config.follow.serve.data_dir = at("distribution");
        config.follow.records = from_records;
        config.attendance = from_attendance;
        stack.run::<Distribution>(config, distribution).await?;
        Ok(stack)
    }

    async fn run<P: Program + 'static>(
        &mut self,
        config: P::Config,
        listener: TcpListener,
    ) -> Result<SocketAddr> {
        let (tell, told) = oneshot::channel();
        let on_ready = move |address| {
            let _ = tell.send(address);
        };
        let task = tokio::spawn(P::run(config, listener, self.stop.clone(), on_ready));
        match told.await {
            Ok(address) => {
                self.services.push(Running { name: P::NAME, address, task });
                Ok(address)
            }
            Err(_) => {
                let ended = task.await?;
                let cause = ended.err().map_or_else(|| "it ended".to_owned(), |e| e.to_string());
                Err(anyhow!("{}: {cause}", P::NAME))
            }
        }
    }

    /// Name and address of each.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> + '_ {
        self.services.iter().map(|service| (service.name, service.address))
    }

    /// A client of them.
    pub(crate) fn client(&self, lang: Lang) -> Result<Client> {
        let url = |at: usize| format!("http://{}", self.services[at].address);
        Ok(Client::builder().records(url(0)).attendance(url(1)).distribution(url(2)).lang(lang).build()?)
    }

    /// Stops them in the reverse order, and waits for each.
    pub(crate) async fn stop(self) -> Result<()> {
        self.stop.cancel();
        for service in self.services.into_iter().rev() {
            service.task.await?.with_context(|| service.name.to_owned())?;
        }
        Ok(())
    }

    /// Serves until Ctrl-C or SIGTERM.
    pub(crate) async fn until_stopped(self) -> Result<()> {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            signalled = tokio::signal::ctrl_c() => signalled?,
            _ = terminate.recv() => {}
        }
        self.stop().await
    }
}
