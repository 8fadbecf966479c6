//! Clients that mean harm, at the level of frames: the service lives, stays small, and others are served meanwhile.
//! `JIYAO_FAULTS=long` runs the long forms.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use jiyao_client::{Client, Import};
use jiyao_fault::Reason;
use jiyao_proto::records::v1::GetMinutesTextRequest;
use jiyao_testkit::{Authority, Process, binary, numbered};
use prost::Message as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::faults::{Kind, is_long};

/// What a service may take at most, whatever comes (MiB).
const MOST: f64 = 256.0;
/// What the store keeps in memory of each of its minutes, in bytes (benches/README.md: with 1,000,000 and with none).
const OF_EACH: f64 = 330.0;
/// What an attack may last: a service that closes the connection ends it earlier.
const PATIENCE: Duration = Duration::from_secs(20);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn literal(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(u8::try_from(text.len()).unwrap());
    bytes.extend(text.as_bytes());
}

/// The header block of a call.
fn call(method: &str) -> Vec<u8> {
    // :method POST, :scheme http, then :path, :authority, content-type, te as literals.
    let mut block = vec![0x83, 0x86, 0x04];
    literal(&mut block, method);
    block.push(0x01);
    literal(&mut block, "127.0.0.1");
    block.extend([0x0f, 0x10]);
    literal(&mut block, "application/grpc");
    block.push(0);
    literal(&mut block, "te");
    literal(&mut block, "trailers");
    block
}

const GET: &str = "/jiyao.records.v1.RecordsService/GetMinutes";

/// A connection from another address of this machine, as somebody else's, on which nothing is said yet; `peer`: whose.
async fn silent(to: SocketAddr, peer: u8) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 2 + peer], 0)))?;
    Ok(socket.connect(to).await?)
}

/// A connection of somebody else's that begins as HTTP/2 does.
async fn connect(to: SocketAddr, peer: u8) -> Result<TcpStream> {
    let mut stream = silent(to, peer).await?;
    stream.write_all(PREFACE).await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    Ok(stream)
}

/// A flood lasts so long at least: what the systems between take in at once is no flood yet.
const FLOOD: Duration = Duration::from_secs(3);
/// Bytes that are handed over at once.
const PIECE: usize = 32 << 10;

/// What an attacker says over each of its connections, made before the attack begins: making it is not what is measured.
struct Flood {
    /// What it begins with.
    first: Vec<u8>,
    /// What follows again and again; nothing: it begins anew, over another connection.
    again: Vec<u8>,
    /// The size of what is counted.
    size: usize,
}

impl Flood {
    /// The same over and over, behind something else or nothing.
    fn of(first: Vec<u8>, each: &[u8]) -> Self {
        Self { first, again: each.repeat(PIECE.div_ceil(each.len())), size: each.len() }
    }

    /// So many that differ.
    fn counted(many: usize, made: impl Fn(u32) -> Vec<u8>) -> Self {
        // Clients' streams have odd numbers.
        let first: Vec<u8> = (0..u32::try_from(many).unwrap()).flat_map(|n| made(2 * n + 1)).collect();
        Self { size: first.len() / many, first, again: Vec::new() }
    }

    /// Sends so many at least; begins anew where the service has closed the connection, or takes nothing. Answers how
    /// many went out whole, and over how many connections.
    async fn send(&self, to: SocketAddr, count: usize) -> (usize, usize) {
        let (mut bytes, mut connections, began) = (0, 0, Instant::now());
        let is_on = |bytes: usize| bytes / self.size < count || began.elapsed() < FLOOD;
        while is_on(bytes) && began.elapsed() < PATIENCE {
            let Ok(stream) = connect(to, 0).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            connections += 1;
            let (mut from, mut into) = stream.into_split();
            // What it answers is thrown away: a reader that never reads is an attack of its own.
            let reading = tokio::spawn(async move {
                let mut bytes = vec![0; 64 << 10];
                while matches!(from.read(&mut bytes).await, Ok(1..)) {}
            });
            let again = std::iter::repeat(self.again.as_slice()).take_while(|again| !again.is_empty());
            for piece in self.first.chunks(PIECE).chain(again) {
                let written = tokio::time::timeout(Duration::from_secs(2), into.write_all(piece)).await;
                if !matches!(written, Ok(Ok(()))) || !is_on(bytes) {
                    break;
                }
                bytes += piece.len();
            }
            reading.abort();
        }
        (bytes / self.size, connections)
    }

    /// Sends from a thread that has only what all others leave of the processors: an attacker brings its own.
    async fn attack(self, to: SocketAddr, count: usize) -> Result<(usize, usize)> {
        let (tell, told) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let sent = rustix::process::nice(19)
                .map_err(anyhow::Error::from)
                .and_then(|_| Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?))
                .map(|runtime| runtime.block_on(self.send(to, count)));
            let _ = tell.send(sent);
        });
        told.await?
    }
}

/// The most that a process has had in memory so far (MiB).
fn resident(process: &Process) -> Result<f64> {
    process.memory("VmHWM")
}

/// Reads one thing again and again until told to stop: 99 of 100 took at most so long, and how many there were.
async fn good_client(
    kind: Kind,
    client: Client,
    name: String,
    stop: Arc<AtomicBool>,
) -> Result<(Duration, usize)> {
    let mut took = Vec::new();
    while !stop.load(Ordering::SeqCst) || took.len() < 20 {
        let began = Instant::now();
        anyhow::ensure!(kind.is_as_written(&client, &name, 0).await, "a good client is not served");
        took.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    took.sort_unstable();
    Ok((took[took.len() * 99 / 100], took.len()))
}

async fn beside<F: Future<Output = Result<T>>, T>(
    kind: Kind,
    client: &Client,
    name: &str,
    attack: F,
) -> Result<(T, Duration, usize)> {
    let stop = Arc::new(AtomicBool::new(false));
    let good = tokio::spawn(good_client(kind, client.clone(), name.to_owned(), Arc::clone(&stop)));
    let came = attack.await;
    stop.store(true, Ordering::SeqCst);
    let (p99, calls) = good.await??;
    Ok((came?, p99, calls))
}

/// The p99 of a good client that has a service for itself.
async fn calm(kind: Kind, client: &Client, name: &str) -> Result<Duration> {
    let nobody = async {
        tokio::time::sleep(FLOOD).await;
        Ok(())
    };
    Ok(beside(kind, client, name, nobody).await?.1)
}

/// What an attack did to a good client beside it.
fn told(calls: usize, p99: Duration, calm: Duration) -> String {
    let times = p99.as_secs_f64() / calm.as_secs_f64();
    format!("beside it {calls} good calls, p99 {p99:.1?}, {times:.1} times the calm one")
}

async fn served(kind: Kind, folder: &TempDir, settings: &[&str]) -> Result<(Process, Client, String)> {
    let data = folder.path().join(kind.package()).display().to_string();
    let mut arguments =
        vec!["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "log=off", "--set", "reserve_mb=1"];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    let service = Process::start(&binary(kind.package(), kind.package(), None)?, &arguments)?;
    let client = kind.client(&service.address)?;
    kind.begin(&client).await?;
    let name = kind.write(&client, 0).await?;
    Ok((service, client, name))
}

/// Whom to attack: all three stand on the same ground, so a short run takes one.
fn attacked() -> &'static [Kind] {
    if is_long() { &Kind::ALL } else { &Kind::ALL[..1] }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_and_bombs_of_frames_harm_nobody_else() -> Result<()> {
    for kind in attacked() {
        floods(*kind).await?;
    }
    Ok(())
}

async fn floods(kind: Kind) -> Result<()> {
    let folder = TempDir::new()?;
    let (service, client, name) = served(kind, &folder, &[]).await?;
    let to: SocketAddr = service.address.parse()?;
    let calm = calm(kind, &client, &name).await?;
    println!("{kind:?}, calm: p99 of a good client {calm:.1?}, {:.0} MiB", resident(&service)?);
    let count = 100_000;
    let get = call(GET);
    let floods = [
        (
            "rapid resets",
            count,
            Flood::counted(count, |stream| {
                let mut bytes = frame(HEADERS, END_HEADERS, stream, &get);
                bytes.extend(frame(RESET, 0, stream, &8_u32.to_be_bytes()));
                bytes
            }),
        ),
        (
            "CONTINUATION",
            20_000,
            Flood::of(
                frame(HEADERS, 0, 1, &get),
                &frame(CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b'].repeat(200)),
            ),
        ),
        ("empty DATA", count, Flood::of(frame(HEADERS, END_HEADERS, 1, &get), &frame(DATA, 0, 1, &[]))),
        ("PING", count, Flood::of(Vec::new(), &frame(PING, 0, 0, &[7; 8]))),
        ("SETTINGS", count, Flood::of(Vec::new(), &frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]))),
        (
            "header bomb",
            1000,
            Flood::counted(1000, |stream| {
                // A header of 100 bytes kept in the table, then named again and again.
                let mut block = vec![0x40];
                literal(&mut block, "bomb");
                literal(&mut block, &"x".repeat(100));
                block.extend(vec![0xbe; 10_000]);
                frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
            }),
        ),
        (
            "windows that overflow",
            1000,
            Flood::of(Vec::new(), &frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes())),
        ),
    ];
    for (attack, count, flood) in floods {
        let ((sent, connections), p99, calls) = beside(kind, &client, &name, flood.attack(to, count)).await?;
        let memory = resident(&service)?;
        println!(
            "{attack}: {sent} handed over on {connections} connections, {memory:.0} MiB at most; {}",
            told(calls, p99, calm)
        );
        assert!(memory < MOST, "{attack}: {memory} MiB");
        // All of it was handed over, or the service closed one connection after the other.
        assert!(sent >= count || connections > 1, "{attack}: {sent} of {count}");
    }
    Ok(())
}

/// The bound is the rate itself: what is answered cannot be more than what time has brought since the connection began.
#[tokio::test]
async fn pings_beyond_the_burst_are_answered_at_their_rate_and_no_sooner() -> Result<()> {
    const PING_SIZE: usize = 17;
    let folder = TempDir::new()?;
    let (service, client, name) = served(Kind::Records, &folder, &[]).await?;
    let began = Instant::now();
    let (mut from, mut into) = connect(service.address.parse()?, 0).await?.into_split();
    let writing =
        tokio::spawn(async move { into.write_all(&frame(PING, 0, 0, &[7; 8]).repeat(100_000)).await });
    let (mut answered, mut bytes) = (0, vec![0; 64 << 10]);
    while began.elapsed() < Duration::from_secs(2) {
        answered +=
            tokio::time::timeout(Duration::from_millis(200), from.read(&mut bytes)).await.unwrap_or(Ok(0))?;
    }
    writing.abort();
    // One read may overdraw what is there.
    let (burst, rate, overdrawn) = (32 << 10, 16 << 10, 64 << 10);
    let most = burst + overdrawn + (rate as f64 * began.elapsed().as_secs_f64()) as usize;
    println!("{} of 100000 pings answered in {:.1?}", answered / PING_SIZE, began.elapsed());
    assert!(answered > 16 << 10, "pings are answered");
    assert!(answered < most, "{answered} bytes of answers, {most} at most");
    client.minutes(&name, None).await?;
    Ok(())
}

/// A refusal may be quicker than the request that it refuses. What still comes of that is no offence, however often: all
/// other calls of the connection would end with it.
#[tokio::test]
async fn requests_that_come_behind_their_refusals_are_not_held_against_a_connection() -> Result<()> {
    const ROUNDS: usize = 40;
    const AT_ONCE: usize = 25;
    const GO_AWAY: u8 = 7;
    let folder = TempDir::new()?;
    let (service, _client, _name) = served(Kind::Records, &folder, &[]).await?;
    let (mut from, mut into) = connect(service.address.parse()?, 0).await?.into_split();
    let block = call("/jiyao.records.v1.RecordsService/NoSuchMethod");
    let mut streams = (1..).step_by(2);
    let mut refused = 0;
    for round in 1..=ROUNDS {
        let of_round: Vec<u32> = streams.by_ref().take(AT_ONCE).collect();
        for stream in &of_round {
            into.write_all(&frame(HEADERS, END_HEADERS, *stream, &block)).await?;
        }
        while refused < round * AT_ONCE {
            let mut head = [0_u8; 9];
            from.read_exact(&mut head).await?;
            let [high, middle, low, kind, flags, ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
            from.read_exact(&mut payload).await?;
            anyhow::ensure!(kind != GO_AWAY, "the connection is closed after {refused} refusals");
            refused += usize::from(kind == HEADERS && flags & END_STREAM != 0);
        }
        for stream in of_round {
            into.write_all(&frame(DATA, END_STREAM, stream, &[0; 1000])).await?;
        }
    }
    assert_eq!(refused, ROUNDS * AT_ONCE);
    Ok(())
}

/// Sends a body as it is, and reads what the call comes to.
async fn ask(to: SocketAddr, deadline: Option<&str>, body: Vec<u8>) -> Result<tonic::Status> {
    let (mut client, connection) = h2::client::handshake(TcpStream::connect(to).await?).await?;
    let connection = tokio::spawn(connection);
    let mut request = http::Request::post(format!("http://{to}{GET}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(deadline) = deadline {
        request = request.header("grpc-timeout", http::HeaderValue::from_bytes(deadline.as_bytes())?);
    }
    let (answer, mut sending) = client.send_request(request.body(())?, false)?;
    // It may be refused before it is whole.
    let _ = sending.send_data(body.into(), true);
    let read = async {
        let (head, mut body) = answer.await?.into_parts();
        while let Some(piece) = body.data().await {
            body.flow_control().release_capacity(piece?.len())?;
        }
        let last = body.trailers().await?;
        anyhow::Ok(tonic::Status::from_header_map(last.as_ref().unwrap_or(&head.headers)))
    };
    let status = tokio::time::timeout(Duration::from_secs(10), read).await??;
    connection.abort();
    status.context("an answer says what came of it")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_and_deadlines_beyond_sense_are_refused_one_by_one() -> Result<()> {
    let folder = TempDir::new()?;
    let (service, client, name) = served(Kind::Records, &folder, &[]).await?;
    let to: SocketAddr = service.address.parse()?;
    let message = |bytes: &[u8], told: usize| {
        let mut payload = vec![0];
        payload.extend(u32::try_from(told).unwrap().to_be_bytes());
        payload.extend(bytes);
        payload
    };
    let deep = vec![0x0b; 10_000];
    let nested = (0..2000_u32).fold(Vec::new(), |inner: Vec<u8>, _| {
        let mut outer = vec![0x1a];
        let mut length = inner.len();
        while length > 127 {
            outer.push((length & 127) as u8 | 128);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend(inner);
        outer
    });
    let (unreadable, required) = (Some(Reason::MessageUnreadable), Some(Reason::FieldRequired));
    let too_large = Some(Reason::MessageTooLarge);
    for (what, payload, reason) in [
        ("a length of 4 GB", message(&[1, 2, 3], u32::MAX as usize), too_large),
        ("a length that lies", message(&[1, 2, 3], 3000), unreadable),
        ("10,000 groups in each other", message(&deep, deep.len()), unreadable),
        // What no field has is passed over.
        ("2,000 messages in each other", message(&nested, nested.len()), required),
        ("text that is no UTF-8", message(&[0x0a, 3, 0xff, 0xfe, 0xfd], 5), unreadable),
        ("compression that nobody offered", [&[1][..], &message(&[1], 1)[1..]].concat(), unreadable),
        ("60,000 unknown fields", message(&[0xf8, 0x7f, 1].repeat(20_000), 60_000), required),
        ("nothing", Vec::new(), unreadable),
    ] {
        let status = ask(to, None, payload).await.with_context(|| what.to_owned())?;
        let told = jiyao_wire::from_status(&status);
        assert_eq!(told.reason, reason, "{what}: {status:?}");
        client.minutes(&name, None).await.with_context(|| format!("after {what}"))?;
    }
    // What is no deadline is none, and one that is over may still be met.
    for deadline in ["99999999H", "0n", "1n", "-1S", "soon", "", "999999999999S", "1", "💥"] {
        let status = ask(to, Some(deadline), message(&[], 0)).await.context(deadline)?;
        let is_over = ["0n", "1n"].contains(&deadline)
            && matches!(status.code(), tonic::Code::DeadlineExceeded | tonic::Code::Cancelled);
        let told = jiyao_wire::from_status(&status);
        assert!(is_over || told.reason == required, "the deadline {deadline:?}: {status:?}");
        client.minutes(&name, None).await.with_context(|| format!("after the deadline {deadline:?}"))?;
    }
    assert!(resident(&service)? < MOST);
    Ok(())
}

/// Large files are asked for over windows that are shut, or open for one byte: what nobody takes must not fill the
/// memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_takes_do_not_fill_the_memory() -> Result<()> {
    let folder = TempDir::new()?;
    let (service, client, name) = served(Kind::Records, &folder, &[]).await?;
    let to: SocketAddr = service.address.parse()?;
    let paragraph = "会议要求，各有关单位要按照职责分工抓好落实，按季报告进度。\n";
    let text = numbered(7) + &paragraph.repeat(1_000_000 / paragraph.len());
    let large = client.import_minutes(Import::new("organs/linlan", text.into_bytes())).await?.minutes.name;
    let (before, calm) = (resident(&service)?, calm(Kind::Records, &client, &name).await?);
    let request = GetMinutesTextRequest { name: large.clone(), extracted: false }.encode_to_vec();
    let mut payload = vec![0];
    payload.extend(u32::try_from(request.len())?.to_be_bytes());
    payload.extend(request);
    let block = call("/jiyao.records.v1.RecordsService/GetMinutesText");
    let ((), p99, calls) = beside(Kind::Records, &client, &name, async {
        let mut held = Vec::new();
        for peer in 0..4 {
            let mut stream = connect(to, peer).await?;
            stream.write_all(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, peer % 2])).await?;
            for n in 0..60 {
                stream.write_all(&frame(HEADERS, END_HEADERS, n * 2 + 1, &block)).await?;
                stream.write_all(&frame(DATA, END_STREAM, n * 2 + 1, &payload)).await?;
            }
            held.push(stream);
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        Ok(())
    })
    .await?;
    let memory = resident(&service)?;
    println!(
        "240 files of 1 MB asked for, none taken: {before:.0} to {memory:.0} MiB at most; {}",
        told(calls, p99, calm)
    );
    assert!(memory < MOST, "{memory} MiB");
    // Once nobody holds them any more, they are read again.
    assert!(client.minutes_text(&large).await?.len() > 990_000);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_and_slow_connections_take_nobodys_place() -> Result<()> {
    for kind in attacked() {
        idle_and_slow(*kind).await?;
    }
    Ok(())
}

async fn idle_and_slow(kind: Kind) -> Result<()> {
    const SLOW: usize = 100;
    let folder = TempDir::new()?;
    // As many as a service takes from one address, of as many addresses as it takes: the last place is a good client's.
    let (service, client, name) = served(kind, &folder, &["connections=1200"]).await?;
    let to: SocketAddr = service.address.parse()?;
    let calm = calm(kind, &client, &name).await?;
    let attack = async {
        let mut held = Vec::new();
        for n in 0..1000_usize {
            held.push(connect(to, (n / 100) as u8).await?);
        }
        let mut slow = Vec::new();
        for _ in 0..SLOW {
            slow.push(connect(to, 20).await?);
        }
        // One byte of a frame at a time, for as long as the others are silent.
        let get = call(GET);
        let whole = frame(HEADERS, END_HEADERS, 1, &get);
        let mut crawled = 0;
        for byte in whole.iter().take(30) {
            for stream in &mut slow {
                crawled += usize::from(stream.write_all(&[*byte]).await.is_ok());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut open = 0;
        for stream in &mut held {
            // The settings of the service lie there; one that it closed ends behind them.
            let (mut bytes, mut came) = ([0; 4096], 0);
            let ended = loop {
                match stream.try_read(&mut bytes) {
                    Ok(0) => break true,
                    Ok(read) => came += read,
                    Err(e) => break e.kind() != std::io::ErrorKind::WouldBlock,
                }
            };
            open += usize::from(came > 0 && !ended);
        }
        Ok((open, crawled))
    };
    let ((open, crawled), p99, calls) = beside(kind, &client, &name, attack).await?;
    let memory = resident(&service)?;
    println!(
        "{kind:?}: {open} of 1,000 idle connections held, {SLOW} slow ones with {crawled} bytes; {memory:.0} MiB at \
         most; {}",
        told(calls, p99, calm)
    );
    assert!(memory < MOST);
    assert_eq!((open, crawled), (1000, 30 * SLOW), "all of them were there");
    // A client that comes now has its place too.
    let late = kind.client(&service.address)?;
    assert!(kind.is_as_written(&late, &name, 0).await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_stall_are_ended_and_take_nobodys_place() -> Result<()> {
    let folder = TempDir::new()?;
    let authority = Authority::new(folder.path())?;
    let (cert, key) = authority.certify("127.0.0.1")?;
    let data = folder.path().join("records").display().to_string();
    let (cert, key) = (format!("tls_cert={}", cert.display()), format!("tls_key={}", key.display()));
    let arguments =
        ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "log=off", "--set", &cert, "--set", &key];
    let service = Process::start(&binary("jiyao-records", "jiyao-records", None)?, &arguments)?;
    let client = Client::builder().records(format!("https://{}", service.address)).ca(Some(authority.ca()));
    let client = client.build()?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    let name = Kind::Records.write(&client, 0).await?;
    let to: SocketAddr = service.address.parse()?;
    let calm = calm(Kind::Records, &client, &name).await?;
    let attack = async {
        let mut held = Vec::new();
        for n in 0..200_usize {
            let mut stream = silent(to, (n / 100) as u8).await?;
            // Nothing at all, or a ClientHello that tells its length and never comes to its end.
            if n % 2 == 0 {
                stream.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await?;
            }
            held.push(stream);
        }
        for mut stream in held {
            let mut said = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut said));
            ended.await.context("a stalled handshake is not ended")?.ok();
        }
        Ok(())
    };
    let ((), p99, calls) = beside(Kind::Records, &client, &name, attack).await?;
    let memory = resident(&service)?;
    println!("200 stalled handshakes, all ended: {memory:.0} MiB; {}", told(calls, p99, calm));
    assert!(memory < MOST);
    let late = Client::builder().records(format!("https://{}", service.address)).ca(Some(authority.ca()));
    late.build()?.minutes(&name, None).await?;
    Ok(())
}

/// What came of a load.
#[derive(Default)]
struct Loaded {
    done: usize,
    /// How long each took that was refused as too much.
    refused: Vec<Duration>,
}

/// Imports by so many at once for so long; who is refused waits a tenth of a second.
async fn load(address: &str, next: &Arc<AtomicUsize>, clients: usize, time: Duration) -> Result<Loaded> {
    let until = Instant::now() + time;
    let mut tasks = tokio::task::JoinSet::new();
    let channels: Vec<Client> = (0..clients.div_ceil(32))
        .map(|_| {
            let once = Duration::from_secs(10);
            Client::builder().records(format!("http://{address}")).timeout(once).build()
        })
        .collect::<Result<_, _>>()?;
    for n in 0..clients {
        let (client, next) = (channels[n % channels.len()].clone(), Arc::clone(next));
        tasks.spawn(async move {
            let mut loaded = Loaded::default();
            while Instant::now() < until {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let import = Import::new("organs/linlan", numbered(n).into_bytes());
                let began = Instant::now();
                match client.import_minutes(import).await {
                    Ok(_) => loaded.done += 1,
                    Err(e) if e.reason() == Some(Reason::Busy) => {
                        loaded.refused.push(began.elapsed());
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    Err(e) => anyhow::bail!("refused otherwise than as too much: {e}"),
                }
            }
            Ok(loaded)
        });
    }
    let mut all = Loaded::default();
    while let Some(ended) = tasks.join_next().await {
        let loaded = ended??;
        all.done += loaded.done;
        all.refused.extend(loaded.refused);
    }
    all.refused.sort_unstable();
    Ok(all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_too_much_is_refused_by_name_and_the_rest_goes_on() -> Result<()> {
    let folder = TempDir::new()?;
    let (service, client, name) = served(Kind::Records, &folder, &["calls=96"]).await?;
    let next = Arc::new(AtomicUsize::new(1));
    let (calm, storm) = if is_long() { (30, 300) } else { (3, 6) };
    let capacity = load(&service.address, &next, 64, Duration::from_secs(calm)).await?.done;
    let Loaded { done: goodput, refused } =
        load(&service.address, &next, 640, Duration::from_secs(storm)).await?;
    let busy = refused.len();
    assert!(goodput > 0 && busy > 0, "{goodput} {busy}");
    let began = Instant::now();
    client.minutes(&name, None).await?;
    let recovery = began.elapsed();
    let later = load(&service.address, &next, 64, Duration::from_secs(calm)).await?;
    let after = later.done;
    let per_second = |count: usize, seconds: u64| count as f64 / seconds as f64;
    println!(
        "capacity {:.0} imports a second; with ten times the clients {:.0} done ({:.2} of it) and {:.0} refused as BUSY \
         a second, after {:.1?}, 99 of 100 within {:.1?}; the next read took {recovery:.1?}; afterwards {:.0} a second; {:.0} MiB",
        per_second(capacity, calm),
        per_second(goodput, storm),
        per_second(goodput, storm) / per_second(capacity, calm),
        per_second(busy, storm),
        refused[busy / 2],
        refused[busy * 99 / 100],
        per_second(after, calm),
        resident(&service)?
    );
    assert!(
        after > 0 && later.refused.is_empty(),
        "it has recovered: {after}, refused {}",
        later.refused.len()
    );
    // Minutes: the long form stores more than a million, which take memory whoever brings them.
    let stored = (capacity + goodput + after) as f64 * OF_EACH / f64::from(1 << 20);
    assert!(resident(&service)? < MOST + stored);
    Ok(())
}
