//! Between the services: a network that delays, cuts, resets, goes silent and crawls, while one of them is killed
//! again and again. In the end they agree. `just faults long` makes it ten minutes, `JIYAO_STORM_SECONDS` as many as wanted.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use jiyao_client::{Client, Difference, DisclosureClass, Import, Service};
use jiyao_testkit::{DIRECTORY, Dice, Process, binary, hold_posts, numbered, until};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::distribution::{draft, drafted, freeze, frozen, issue};
use crate::faults::{PLANTED, is_long};

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
    async fn start(to: SocketAddr, mut dice: Dice) -> Result<Self> {
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
                // Mostly the answers meet it, at times what is asked meets it too.
                let of_requests = if dice.below(3) == 0 { fate } else { Fate::Whole };
                let kind = Arc::clone(&kind);
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(to).await else { return };
                    // A wait for more to send along would make every call slow, on a good network too.
                    if near.set_nodelay(true).and(far.set_nodelay(true)).is_err() {
                        return;
                    }
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
                        () = pass(near_in, far_out, of_requests) => {}
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
    program: PathBuf,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Served {
    fn start(&mut self) -> Result<()> {
        drop(self.process.take());
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.process = Some(Process::start(&self.program, &arguments)?);
        Ok(())
    }

    /// `bug`: what is planted.
    fn new(
        package: &'static str,
        listen: SocketAddr,
        folder: &TempDir,
        settings: &[String],
        bug: Option<&str>,
    ) -> Result<Self> {
        let (listen, data) = (listen.to_string(), folder.path().join(package).display().to_string());
        let mut program = binary(package, package, bug.map(|_| PLANTED))?;
        let mut arguments = Vec::new();
        if let Some(bug) = bug {
            arguments.extend([format!("FAILPOINTS={bug}"), program.display().to_string()]);
            program = PathBuf::from("/usr/bin/env");
        }
        arguments.extend(["--listen", &listen, "--data-dir", &data].map(str::to_owned));
        for setting in ["log=off", "reserve_mb=1"].map(str::to_owned).iter().chain(settings) {
            arguments.extend(["--set".to_owned(), setting.clone()]);
        }
        let mut served = Self { program, arguments, process: None };
        served.start()?;
        Ok(served)
    }
}

/// Imports until it is told to stop.
async fn import(client: Client, stop: Arc<AtomicBool>, made: Arc<AtomicUsize>) -> Result<()> {
    while !stop.load(Ordering::SeqCst) {
        let n = made.fetch_add(1, Ordering::SeqCst);
        // The request_id goes along with each repeat: a kill in between makes no second one. Their numbers are of years
        // to come, for those of this one are of what is issued.
        client.import_minutes(Import::new("organs/linlan", numbered(3000 + n).into_bytes())).await?;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    Ok(())
}

/// Issues minutes until it is told to stop, which needs distribution's scope in records and records' registration in
/// distribution: each with how many are to have it. One that took too long in a bad hour is left where it is.
async fn issue_minutes(client: Client, stop: Arc<AtomicBool>) -> Result<Vec<(String, usize)>> {
    let mut issued = Vec::new();
    for n in 5000.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let text = draft().replace("第42次", &format!("第{n}次"));
        let name = drafted(&client, &text, DisclosureClass::Public).await?;
        let Ok(scope) = frozen(&client, freeze(&name)).await else { continue };
        if issue(&client, &name).await.is_ok() {
            issued.push((name, scope.total as usize));
        }
    }
    Ok(issued)
}

/// What followers may take after the storm.
const CATCHING_UP: Duration = Duration::from_secs(300);

/// Waits until nobody is behind another.
pub(crate) async fn caught_up(client: &Client) -> Result<()> {
    let began = Instant::now();
    for service in Service::ALL {
        loop {
            let status = client.status(service).await?;
            if status.following.iter().all(|one| !one.is_away && one.lag == 0) {
                break;
            }
            ensure!(began.elapsed() < CATCHING_UP, "{service:?} is still behind: {status:?}");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    Ok(())
}

/// What three services came to through a storm.
struct Came {
    imports: usize,
    issued: usize,
    kills: usize,
    bad_connections: usize,
    /// What they do not agree on, when all have caught up.
    differences: Vec<Difference>,
}

/// Load on three services, over bad networks, one of them killed every five seconds; `bug`: what is planted in attendance.
async fn storm(storm: Duration, bug: Option<&str>) -> Result<Came> {
    let folder = TempDir::new()?;
    let free = || std::net::TcpListener::bind("127.0.0.1:0")?.local_addr();
    let (at_records, at_attendance, at_distribution) = (free()?, free()?, free()?);
    // Whoever follows somebody does so over a network of its own.
    let mut proxies = Vec::new();
    let mut over = async |to: SocketAddr, whose: &str| {
        let proxy = Proxy::start(to, Dice::new(whose)).await?;
        let url = format!("http://{}", proxy.address);
        proxies.push(proxy);
        anyhow::Ok(url)
    };
    let of_records = [
        format!("attendance={}", over(at_attendance, "records to attendance").await?),
        format!("distribution={}", over(at_distribution, "records to distribution").await?),
    ];
    let of_attendance = [format!("records={}", over(at_records, "attendance to records").await?)];
    let of_distribution = [
        format!("records={}", over(at_records, "distribution to records").await?),
        format!("attendance={}", over(at_attendance, "distribution to attendance").await?),
    ];
    let records = Served::new("jiyao-records", at_records, &folder, &of_records, None)?;
    let attendance = Served::new("jiyao-attendance", at_attendance, &folder, &of_attendance, bug)?;
    let distribution = Served::new("jiyao-distribution", at_distribution, &folder, &of_distribution, None)?;
    // The clerk and the check stand beside the services: only what is between them is bad.
    let client = Client::builder()
        .records(format!("http://{at_records}"))
        .attendance(format!("http://{at_attendance}"))
        .distribution(format!("http://{at_distribution}"))
        .timeout(Duration::from_secs(20))
        .build()?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    hold_posts(&at_records.to_string(), "organs/linlan", "local", None).await?;
    client.import_directory("organs/linlan", DIRECTORY.as_bytes().to_vec(), false).await?;
    let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = tokio::spawn(import(client.clone(), Arc::clone(&stop), Arc::clone(&made)));
    let issuing = tokio::spawn(issue_minutes(client.clone(), Arc::clone(&stop)));
    let (began, mut dice, mut kills) = (Instant::now(), Dice::new("between"), 0);
    let mut all = [records, attendance, distribution];
    while began.elapsed() < storm {
        tokio::time::sleep(Duration::from_secs(5)).await;
        all[dice.below(3) as usize].start()?;
        kills += 1;
    }
    stop.store(true, Ordering::SeqCst);
    let mut met = 0;
    for proxy in &proxies {
        proxy.is_kind.store(true, Ordering::SeqCst);
        met += proxy.met.lock().unwrap().iter().filter(|fate| !matches!(fate, Fate::Whole)).count();
    }
    load.await??;
    let issued = issuing.await??;
    let made = made.load(Ordering::SeqCst);
    // Holding all against each other takes long: first whoever follows comes to the end of what there is.
    caught_up(&client).await?;
    for served in &mut all {
        served.start()?;
    }
    caught_up(&client).await?;
    for service in [Service::Attendance, Service::Distribution] {
        let status = client.status(service).await?;
        assert!(status.following.iter().all(|one| one.stopped.is_empty()), "{status:?}");
    }
    // Each that was issued is delivered to exactly those that it was frozen for, whatever was between.
    for (minutes, total) in &issued {
        let all = until("deliveries", async || {
            let all = client.list_deliveries(minutes, false, None).await?.entries;
            Ok((all.len() >= *total).then_some(all))
        });
        let all = all.await?;
        let titles: BTreeSet<&str> = all.iter().map(|delivery| delivery.title.as_str()).collect();
        assert_eq!((all.len(), titles.len()), (*total, *total), "{minutes}");
    }
    let mut differences = client.reconcile("organs/-").await?;
    if !differences.is_empty() {
        // What caught up last may have been on its way still.
        tokio::time::sleep(Duration::from_secs(2)).await;
        differences = client.reconcile("organs/-").await?;
    }
    Ok(Came { imports: made, issued: issued.len(), kills, bad_connections: met, differences })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_bad_network_and_kills_the_services_come_to_agree_and_a_planted_gap_is_found() -> Result<()>
{
    let asked = std::env::var("JIYAO_STORM_SECONDS").ok().and_then(|text| text.parse().ok());
    let long = Duration::from_secs(asked.unwrap_or(if is_long() { 600 } else { 20 }));
    let came = storm(long, None).await?;
    println!(
        "{} imports, {} minutes issued and delivered, {} kills, {} bad connections: {} differences",
        came.imports,
        came.issued,
        came.kills,
        came.bad_connections,
        came.differences.len()
    );
    assert_eq!(came.differences, []);
    assert!(came.imports > 20 && came.bad_connections > 0 && came.issued > 0);
    let came = storm(Duration::from_secs(10), Some("misses=return")).await?;
    println!("with attendance missing the last of each stretch: {} differences", came.differences.len());
    assert!(!came.differences.is_empty(), "the harness does not see what was never taken over");
    Ok(())
}
