//! Between the services: a network that delays, cuts, resets, goes silent and crawls, while one of them is killed
//! again and again. In the end they agree. `just faults long` makes it ten minutes, `JIYAO_STORM_SECONDS` as many as wanted.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use jiyao_client::{Client, Import, Service};
use jiyao_testkit::{Dice, Process, binary, numbered};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::faults::is_long;

/// What happens to a connection.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Nothing.
    Whole,
    /// Each piece comes late.
    Late(Duration),
    /// After so many bytes it ends, in the middle of a frame.
    Cut(usize),
    /// After so many bytes it is reset.
    Reset(usize),
    /// After so many bytes nothing comes any more, and nobody says so.
    Silent(usize),
    /// A byte at a time, one a second.
    Crawl,
}

/// A proxy in front of a service.
struct Proxy {
    address: SocketAddr,
    is_kind: Arc<AtomicBool>,
    met: Arc<Mutex<Vec<Fate>>>,
}

async fn pass(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    fate: Fate,
) {
    let (mut bytes, mut passed) = (vec![0; 16 << 10], 0);
    loop {
        let Ok(read @ 1..) = from.read(&mut bytes).await else { return };
        let (limit, piece) = match fate {
            Fate::Cut(limit) | Fate::Reset(limit) | Fate::Silent(limit) => {
                (limit, &bytes[..read.min(limit.saturating_sub(passed))])
            }
            _ => (usize::MAX, &bytes[..read]),
        };
        match fate {
            Fate::Late(by) => tokio::time::sleep(by).await,
            Fate::Crawl => {
                for byte in piece {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    if to.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                }
                continue;
            }
            _ => {}
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
        passed += piece.len();
        if passed >= limit {
            if matches!(fate, Fate::Silent(_)) {
                std::future::pending::<()>().await;
            }
            return;
        }
    }
}

impl Proxy {
    async fn start(to: String, mut dice: Dice) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (is_kind, met) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Vec<Fate>>>::default());
        let (kind, seen) = (Arc::clone(&is_kind), Arc::clone(&met));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let after = dice.below(20_000) as usize;
                let fate = match dice.below(6) {
                    _ if kind.load(Ordering::SeqCst) => Fate::Whole,
                    0 => Fate::Whole,
                    1 => Fate::Late(dice.milliseconds(5, 200)),
                    2 => Fate::Cut(after),
                    3 => Fate::Reset(after),
                    4 => Fate::Silent(after),
                    _ => Fate::Crawl,
                };
                seen.lock().unwrap().push(fate);
                let (to, kind) = (to.clone(), Arc::clone(&kind));
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(&to).await else { return };
                    if matches!(fate, Fate::Reset(_)) {
                        // Dropped, it sends a reset, not an end.
                        let _ = near.set_zero_linger();
                    }
                    let (near_in, near_out) = near.into_split();
                    let (far_in, far_out) = far.into_split();
                    let healed = async {
                        // A connection with a bad fate ends when the network is made whole.
                        while matches!(fate, Fate::Whole) || !kind.load(Ordering::SeqCst) {
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    };
                    tokio::select! {
                        () = pass(near_in, far_out, Fate::Whole) => {}
                        () = pass(far_in, near_out, fate) => {}
                        () = healed => {}
                    }
                });
            }
        });
        Ok(Self { address, is_kind, met })
    }
}

struct Served {
    package: &'static str,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Served {
    fn start(&mut self) -> Result<()> {
        drop(self.process.take());
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.process = Some(Process::start(&binary(self.package, self.package, None)?, &arguments)?);
        Ok(())
    }

    fn new(package: &'static str, folder: &TempDir, settings: &[String]) -> Result<Self> {
        let listen = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let data = folder.path().join(package).display().to_string();
        let mut arguments: Vec<String> =
            ["--listen", &listen, "--data-dir", &data].map(str::to_owned).to_vec();
        for setting in ["log=off", "reserve_mb=1"].map(str::to_owned).iter().chain(settings) {
            arguments.extend(["--set".to_owned(), setting.clone()]);
        }
        let mut served = Self { package, arguments, process: None };
        served.start()?;
        Ok(served)
    }

    fn address(&self) -> String {
        self.arguments[1].clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_bad_network_and_kills_the_services_come_to_agree() -> Result<()> {
    let asked = std::env::var("JIYAO_STORM_SECONDS").ok().and_then(|text| text.parse().ok());
    let storm = Duration::from_secs(asked.unwrap_or(if is_long() { 600 } else { 20 }));
    let folder = TempDir::new()?;
    let records = Served::new("jiyao-records", &folder, &[])?;
    let of_attendance = Proxy::start(records.address(), Dice::new("network of attendance")).await?;
    let attendance =
        Served::new("jiyao-attendance", &folder, &[format!("records=http://{}", of_attendance.address)])?;
    let of_distribution = Proxy::start(records.address(), Dice::new("network of distribution")).await?;
    let of_directory = Proxy::start(attendance.address(), Dice::new("network of the directory")).await?;
    let distribution = Served::new(
        "jiyao-distribution",
        &folder,
        &[
            format!("records=http://{}", of_distribution.address),
            format!("attendance=http://{}", of_directory.address),
        ],
    )?;
    // The clerk and the check stand beside the services: only what is between them is bad.
    let client = Client::builder()
        .records(format!("http://{}", records.address()))
        .attendance(format!("http://{}", attendance.address()))
        .distribution(format!("http://{}", distribution.address()))
        .timeout(Duration::from_secs(20))
        .build()?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    let (importer, made) = (client.clone(), Arc::new(AtomicUsize::new(0)));
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::clone(&made));
    let stopped = Arc::clone(&stop);
    let load = tokio::spawn(async move {
        while !stopped.load(Ordering::SeqCst) {
            let n = count.fetch_add(1, Ordering::SeqCst);
            // The request_id goes along with each repeat: a kill in between makes no second one.
            importer.import_minutes(Import::new("organs/linlan", numbered(n).into_bytes())).await?;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        anyhow::Ok(())
    });
    let (began, mut dice, mut kills) = (Instant::now(), Dice::new("between"), 0);
    let mut all = [records, attendance, distribution];
    while began.elapsed() < storm {
        tokio::time::sleep(Duration::from_secs(5)).await;
        all[dice.below(3) as usize].start()?;
        kills += 1;
    }
    stop.store(true, Ordering::SeqCst);
    load.await??;
    let mut met = 0;
    for proxy in [&of_attendance, &of_distribution, &of_directory] {
        proxy.is_kind.store(true, Ordering::SeqCst);
        met += proxy.met.lock().unwrap().iter().filter(|fate| !matches!(fate, Fate::Whole)).count();
    }
    let made = made.load(Ordering::SeqCst);
    let mut differences = Vec::new();
    for _ in 0..100 {
        differences = client.reconcile("organs/-").await?;
        if differences.is_empty() {
            for service in [Service::Attendance, Service::Distribution] {
                let status = client.status(service).await?;
                assert!(status.following.iter().all(|one| one.stopped.is_empty()), "{status:?}");
            }
            println!("{made} imports, {kills} kills, {met} bad connections: the services agree");
            assert!(made > 20 && met > 0);
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    bail!("after {kills} kills the services do not agree: {differences:?}")
}
