use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, anyhow};
use jiyao_attendance::Attendance;
use jiyao_client::Client;
use jiyao_distribution::Distribution;
use jiyao_records::Records;
use jiyao_serve::{Program, ServeError};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The three services in this process, on free ports.
pub struct Local {
    /// Of records.
    pub records: SocketAddr,
    /// Of attendance.
    pub attendance: SocketAddr,
    /// Of distribution.
    pub distribution: SocketAddr,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<Result<(), ServeError>>>,
}

impl Local {
    /// Starts them on a folder, records following nobody: an issue needs no frozen recipients.
    ///
    /// # Errors
    /// What a service says when it does not start.
    pub async fn start(folder: &Path) -> Result<Self> {
        Self::start_with(folder, |_| {}).await
    }

    /// The same with other settings of records.
    ///
    /// # Errors
    /// What a service says when it does not start.
    pub async fn start_with(folder: &Path, change: impl FnOnce(&mut jiyao_records::Config)) -> Result<Self> {
        Self::start_all(folder, false, change, |_| {}).await
    }

    /// Starts them as they run in earnest, each following the others, with other settings of distribution.
    ///
    /// # Errors
    /// What a service says when it does not start.
    pub async fn start_joined(
        folder: &Path,
        change: impl FnOnce(&mut jiyao_distribution::Config),
    ) -> Result<Self> {
        Self::start_all(folder, true, |_| {}, change).await
    }

    /// Starts them joined, taking state secrets.
    ///
    /// # Errors
    /// What a service says when it does not start.
    pub async fn start_secret(folder: &Path) -> Result<Self> {
        Self::start_all(folder, true, |records| records.state_secrets = true, |_| {}).await
    }

    async fn start_all(
        folder: &Path,
        is_joined: bool,
        of_records: impl FnOnce(&mut jiyao_records::Config),
        of_distribution: impl FnOnce(&mut jiyao_distribution::Config),
    ) -> Result<Self> {
        let stop = CancellationToken::new();
        let mut tasks = Vec::new();
        let at = |name: &str| folder.join(name).display().to_string();
        let bound = || TcpListener::bind(("127.0.0.1", 0));
        let [records, attendance, distribution] = [bound().await?, bound().await?, bound().await?];
        let url =
            |listener: &TcpListener| Ok::<_, anyhow::Error>(format!("http://{}", listener.local_addr()?));

        let mut config = jiyao_records::Config::default();
        config.serve.data_dir = at("records");
        config.serve.reserve_mb = 1;
        // This process is a test: it is not the child that reads Word and PDF files.
        config.extractor = crate::binary("jiyao-records", "jiyao-records", None)?.display().to_string();
        if is_joined {
            config.attendance = url(&attendance)?;
            config.distribution = url(&distribution)?;
        }
        of_records(&mut config);
        let (from_records, from_attendance) = (url(&records)?, url(&attendance)?);
        let records = run::<Records>(config, records, &stop, &mut tasks).await?;

        let mut config = jiyao_attendance::Config::default();
        config.0.serve.data_dir = at("attendance");
        config.0.serve.reserve_mb = 1;
        config.0.records.clone_from(&from_records);
        let attendance = run::<Attendance>(config, attendance, &stop, &mut tasks).await?;

        let mut config = jiyao_distribution::Config::default();
        config.follow.serve.data_dir = at("distribution");
        config.follow.serve.reserve_mb = 1;
        config.follow.records = from_records;
        config.attendance = from_attendance;
        of_distribution(&mut config);
        let distribution = run::<Distribution>(config, distribution, &stop, &mut tasks).await?;
        Ok(Self { records, attendance, distribution, stop, tasks })
    }

    /// A client of them.
    ///
    /// # Errors
    /// None that a test expects.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::builder()
            .records(format!("http://{}", self.records))
            .attendance(format!("http://{}", self.attendance))
            .distribution(format!("http://{}", self.distribution))
            .build()?)
    }

    /// Stops them and waits until their folders are free.
    ///
    /// # Errors
    /// What a service says when it ends badly.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }
}

async fn run<P: Program + 'static>(
    config: P::Config,
    listener: TcpListener,
    stop: &CancellationToken,
    tasks: &mut Vec<JoinHandle<Result<(), ServeError>>>,
) -> Result<SocketAddr> {
    let (tell, told) = oneshot::channel();
    let on_ready = move |address| {
        let _ = tell.send(address);
    };
    let task = tokio::spawn(P::run(config, listener, stop.clone(), on_ready));
    match told.await {
        Ok(address) => {
            tasks.push(task);
            Ok(address)
        }
        Err(_) => Err(anyhow!("{}: {:?}", P::NAME, task.await?.err().map(|e| e.to_string()))),
    }
}
