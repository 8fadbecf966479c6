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
    /// Starts them on a folder.
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
        let stop = CancellationToken::new();
        let mut tasks = Vec::new();
        let at = |name: &str| folder.join(name).display().to_string();

        let mut config = jiyao_records::Config::default();
        config.serve.data_dir = at("records");
        config.serve.reserve_mb = 1;
        // This process is a test: it is not the child that reads Word and PDF files.
        config.extractor = crate::binary("jiyao-records", "jiyao-records", None)?.display().to_string();
        change(&mut config);
        let records = run::<Records>(config, &stop, &mut tasks).await?;

        let mut config = jiyao_attendance::Config::default();
        config.0.serve.data_dir = at("attendance");
        config.0.serve.reserve_mb = 1;
        config.0.records = format!("http://{records}");
        let attendance = run::<Attendance>(config, &stop, &mut tasks).await?;

        let mut config = jiyao_distribution::Config::default();
        config.0.serve.data_dir = at("distribution");
        config.0.serve.reserve_mb = 1;
        config.0.records = format!("http://{records}");
        let distribution = run::<Distribution>(config, &stop, &mut tasks).await?;
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
    stop: &CancellationToken,
    tasks: &mut Vec<JoinHandle<Result<(), ServeError>>>,
) -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
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
