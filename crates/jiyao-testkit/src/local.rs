use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, anyhow};
use jiyao_attendance::Attendance;
use jiyao_client::{Builder, Client};
use jiyao_distribution::Distribution;
use jiyao_proto::client::records::v1::lifecycle_service_client::LifecycleServiceClient;
use jiyao_proto::records::v1 as wire;
use jiyao_records::Records;
use jiyao_serve::{Program, ServeError};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Settings of the three.
#[derive(Default)]
struct Settings {
    records: jiyao_records::Config,
    attendance: jiyao_attendance::Config,
    distribution: jiyao_distribution::Config,
}

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
        Self::start_all(folder, false, |settings| change(&mut settings.records)).await
    }

    /// Starts them as they run in earnest, each following the others, with other settings of distribution.
    ///
    /// # Errors
    /// What a service says when it does not start.
    pub async fn start_joined(
        folder: &Path,
        change: impl FnOnce(&mut jiyao_distribution::Config),
    ) -> Result<Self> {
        Self::start_all(folder, true, |settings| change(&mut settings.distribution)).await
    }

    /// Starts them joined, taking state secrets.
    ///
    /// # Errors
    /// What a service says when it does not start.
    pub async fn start_secret(folder: &Path) -> Result<Self> {
        Self::start_all(folder, true, |settings| settings.records.state_secrets = true).await
    }

    /// Starts them joined, taking state secrets, for those who hold tokens; `service` is a file with the one that they
    /// show each other.
    ///
    /// # Errors
    /// What a service says when it does not start.
    pub async fn start_keyed(folder: &Path, tokens: &Path, service: &Path) -> Result<Self> {
        let (tokens, service) = (tokens.display().to_string(), service.display().to_string());
        let change = |settings: &mut Settings| {
            let Settings { records, attendance, distribution } = settings;
            records.state_secrets = true;
            for serve in [&mut records.serve, &mut attendance.0.serve, &mut distribution.follow.serve] {
                serve.tokens.clone_from(&tokens);
            }
            for token in [
                &mut records.attendance_token,
                &mut records.distribution_token,
                &mut attendance.0.records_token,
                &mut distribution.follow.records_token,
                &mut distribution.attendance_token,
            ] {
                token.clone_from(&service);
            }
        };
        Self::start_all(folder, true, change).await
    }

    async fn start_all(folder: &Path, is_joined: bool, change: impl FnOnce(&mut Settings)) -> Result<Self> {
        let stop = CancellationToken::new();
        let mut tasks = Vec::new();
        let at = |name: &str| folder.join(name).display().to_string();
        let bound = || TcpListener::bind(("127.0.0.1", 0));
        let [records, attendance, distribution] = [bound().await?, bound().await?, bound().await?];
        let url =
            |listener: &TcpListener| Ok::<_, anyhow::Error>(format!("http://{}", listener.local_addr()?));

        let mut settings = Settings::default();
        let Settings { records: of_records, attendance: of_attendance, distribution: of_distribution } =
            &mut settings;
        let both = [&mut of_attendance.0, &mut of_distribution.follow];
        for follow in both {
            follow.serve.reserve_mb = 1;
            follow.records = url(&records)?;
        }
        of_records.serve.reserve_mb = 1;
        of_records.serve.data_dir = at("records");
        of_attendance.0.serve.data_dir = at("attendance");
        of_distribution.follow.serve.data_dir = at("distribution");
        of_distribution.attendance = url(&attendance)?;
        // This process is a test: it is not the child that reads Word and PDF files.
        of_records.extractor = crate::binary("jiyao-records", "jiyao-records", None)?.display().to_string();
        if is_joined {
            of_records.attendance = url(&attendance)?;
            of_records.distribution = url(&distribution)?;
        }
        change(&mut settings);
        let records = run::<Records>(settings.records, records, &stop, &mut tasks).await?;
        let attendance = run::<Attendance>(settings.attendance, attendance, &stop, &mut tasks).await?;
        let distribution =
            run::<Distribution>(settings.distribution, distribution, &stop, &mut tasks).await?;
        Ok(Self { records, attendance, distribution, stop, tasks })
    }

    /// A client of them.
    ///
    /// # Errors
    /// None that a test expects.
    pub fn client(&self) -> Result<Client> {
        Ok(self.builder().build()?)
    }

    /// A client of them with a token.
    ///
    /// # Errors
    /// None that a test expects.
    pub fn client_with(&self, token: &str) -> Result<Client> {
        Ok(self.builder().token(Some(token.to_owned())).build()?)
    }

    /// Has a principal hold the posts of the usual chain in an organ: 秘书长 and 市长. `token` is a clerk's, where tokens
    /// are needed.
    ///
    /// # Errors
    /// None that a test expects.
    pub async fn hold_posts(&self, organ: &str, principal: &str, token: Option<&str>) -> Result<()> {
        hold_posts(&self.records.to_string(), organ, principal, token).await
    }

    fn builder(&self) -> Builder {
        Client::builder()
            .records(format!("http://{}", self.records))
            .attendance(format!("http://{}", self.attendance))
            .distribution(format!("http://{}", self.distribution))
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

/// The same with records at an address.
///
/// # Errors
/// None that a test expects.
pub async fn hold_posts(records: &str, organ: &str, principal: &str, token: Option<&str>) -> Result<()> {
    let holder = |post: &str| wire::Holder { post: post.to_owned(), principals: vec![principal.to_owned()] };
    let sign_off = wire::SignOff {
        chains: vec![wire::Chain {
            meeting_kind: String::new(),
            reviewers: vec!["秘书长".to_owned()],
            signer: "市长".to_owned(),
        }],
        holders: vec![holder("秘书长"), holder("市长")],
        delegations: Vec::new(),
    };
    let (organ, request_id) = (organ.to_owned(), String::new());
    let set = wire::SetSignOffRequest { organ, sign_off: Some(sign_off), request_id };
    let mut request = tonic::Request::new(set);
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    }
    LifecycleServiceClient::connect(format!("http://{records}")).await?.set_sign_off(request).await?;
    Ok(())
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
