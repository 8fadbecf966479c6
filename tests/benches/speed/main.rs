//! Where the time goes: each kind of work against the floor that physics or the library sets, in one run, services and
//! floor in processes of their own. `just bench speed`; `JIYAO_MINUTES` says how many small minutes lie in the store
//! (100,000), and words behind it which parts are wanted: `reads`, `writes`, `beside` (lists and boards while others
//! import), `follows`, `starts`. Prints a line for each,
//! and after all parts draws `target/speed.svg`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use jiyao_client::{Act, Client, Import, NewMatter};
use jiyao_proto::journal::v1::FollowRequest;
use jiyao_proto::records::v1 as api;
use jiyao_testkit::{Process, Raw, SAMPLE, binary};
use prost::Message as _;
use prost::bytes::Bytes;
use prost_types::FieldMask;
use tempfile::TempDir;
use tokio_stream::StreamExt as _;
use tonic::Request;
use tonic::metadata::MetadataMap;
use uuid::Uuid;

use crate::floor::{ask, channel, keep};

mod floor;
mod postgres;

const AT_ONCE: usize = 64;
const CALLS: usize = 25_600;
/// What a start may take that makes the state of a million minutes anew.
const REBUILDING: Duration = Duration::from_secs(900);
/// A store to begin with, that a larger one is held against.
const FEW: usize = 10_000;
const READS: &str = "reads";
const WRITES: &str = "writes";
const BESIDE: &str = "beside";
const FOLLOWS: &str = "follows";
const STARTS: &str = "starts";
const PARTS: [&str; 5] = [READS, WRITES, BESIDE, FOLLOWS, STARTS];
/// Lists and boards that are read beside imports, and by how many at once.
const BESIDE_CALLS: usize = 6_400;
const BESIDE_AT_ONCE: usize = 8;
/// Imports a second, where they come at their own pace.
const PACE: u32 = 500;
const IMPORT: &str = "/jiyao.records.v1.RecordsService/ImportMinutes";
const ACCEPT: &str = "/jiyao.records.v1.MattersService/AcceptMatter";

/// Throughput and latency of one kind of call.
#[derive(Clone, Copy)]
struct Speed {
    per_second: f64,
    p99: Duration,
}

/// What clients send, encoded before anything is measured, and by turns where there is more than one: a client of the
/// floor and one of a service do the same.
struct Calls {
    messages: Vec<Bytes>,
    /// Who calls, as headers.
    caller: MetadataMap,
}

impl Calls {
    fn of(message: &Bytes) -> Arc<Self> {
        Arc::new(Self { messages: vec![message.clone()], caller: MetadataMap::new() })
    }

    /// An import of each text.
    fn imports(texts: &[String]) -> Arc<Self> {
        let import = |text: &String| {
            let from = Some(api::source::From::Content(text.clone().into_bytes()));
            let source = Some(api::Source { from });
            let request_id = Uuid::now_v7().to_string();
            let parent = "organs/linlan".to_owned();
            let request = api::ImportMinutesRequest { parent, source, request_id, ..Default::default() };
            Bytes::from(request.encode_to_vec())
        };
        Arc::new(Self { messages: texts.iter().map(import).collect(), caller: MetadataMap::new() })
    }

    /// The unit accepts each matter.
    fn accepts(matters: Vec<String>) -> Result<Arc<Self>> {
        let accept = |name: String| {
            let request_id = Uuid::now_v7().to_string();
            Bytes::from(api::AcceptMatterRequest { name, etag: 0, request_id }.encode_to_vec())
        };
        let mut caller = MetadataMap::new();
        for (header, value) in [(jiyao_wire::AS, "住建张"), (jiyao_wire::UNIT, "市住建局")] {
            let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            caller.insert(header, value.parse()?);
        }
        Ok(Arc::new(Self { messages: matters.into_iter().map(accept).collect(), caller }))
    }

    fn nth(&self, n: usize) -> Request<Bytes> {
        let mut request = Request::new(self.messages[n % self.messages.len()].clone());
        request.metadata_mut().clone_from(&self.caller);
        request
    }
}

/// So many calls by so many clients.
async fn speed(address: &str, path: &str, calls: &Arc<Calls>) -> Result<Speed> {
    let channels = [channel(address).await?, channel(address).await?];
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..AT_ONCE {
        let (channel, path, calls) = (channels[client % 2].clone(), path.to_owned(), Arc::clone(calls));
        tasks.spawn(async move {
            let mut took = Vec::with_capacity(CALLS / AT_ONCE);
            for n in (client..CALLS).step_by(AT_ONCE) {
                let start = Instant::now();
                ask(&channel, &path, calls.nth(n)).await?;
                took.push(start.elapsed());
            }
            anyhow::Ok(took)
        });
    }
    let mut took = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        took.extend(ended??);
    }
    let per_second = CALLS as f64 / start.elapsed().as_secs_f64();
    took.sort_unstable();
    Ok(Speed { per_second, p99: took[took.len() * 99 / 100] })
}

/// A line of the report: what, how much of the floor, how much was hoped for.
struct Line {
    what: String,
    ratio: f64,
    aim: f64,
    /// Less is better.
    is_cost: bool,
}

struct Report(Vec<Line>);

impl Report {
    fn at_least(&mut self, what: &str, ratio: f64, aim: f64) {
        println!("{what}: {ratio:.2} (aim: at least {aim})");
        self.0.push(Line { what: what.to_owned(), ratio, aim, is_cost: false });
    }

    fn at_most(&mut self, what: &str, ratio: f64, aim: f64) {
        println!("{what}: {ratio:.2} (aim: at most {aim})");
        self.0.push(Line { what: what.to_owned(), ratio, aim, is_cost: true });
    }

    /// Bars, each against its aim, which is the line in the middle.
    fn svg(&self) -> String {
        let height = self.0.len() * 26 + 40;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"900\" height=\"{height}\" font-family=\"sans-serif\" \
             font-size=\"13\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
        );
        for (at, line) in self.0.iter().enumerate() {
            let share = if line.is_cost { line.aim / line.ratio } else { line.ratio / line.aim };
            let (y, width) = (at * 26 + 10, (share * 180.0).clamp(1.0, 400.0));
            let colour = if share >= 1.0 { "#2a7" } else { "#c64" };
            let sign = if line.is_cost { "≤" } else { "≥" };
            svg += &format!(
                "<text x=\"10\" y=\"{}\">{}</text><rect x=\"420\" y=\"{y}\" width=\"{width:.0}\" height=\"18\" \
                 fill=\"{colour}\"/><text x=\"425\" y=\"{}\">{:.2} ({sign} {})</text>",
                y + 14,
                line.what,
                y + 14,
                line.ratio,
                line.aim
            );
        }
        svg += &format!(
            "<line x1=\"600\" y1=\"5\" x2=\"600\" y2=\"{}\" stroke=\"black\"/><text x=\"570\" y=\"{}\">the aim</text></svg>",
            height - 30,
            height - 12
        );
        svg
    }
}

/// Year and number of the minutes in a place: each pair once, of years that minutes can have.
fn year_and_number(n: usize) -> (usize, usize) {
    (2026 + n % YEARS, n / YEARS + 1)
}

/// Years that numbers are spread over.
const YEARS: usize = 60;

/// Small minutes of one item: about 1 KB of text, a summary below 500 B.
fn small(n: usize) -> String {
    let (year, number) = year_and_number(n);
    let (month, day) = (n / 28 % 12 + 1, n % 28 + 1);
    format!(
        "临岚市人民政府常务会议纪要\n〔{year}〕{number}号\n\n{year}年{month}月{day}日，市长主持召开市政府第{number}次常务会议。\
         现将会议议定事项纪要如下：\n\n一、会议听取了市住建局关于城市更新工作情况的汇报。会议原则同意市住建局的意见，由市住建局牵头\
         落实，各县、区配合。\n{}\n出席：章树声\n",
        "会议要求，各有关单位要按照职责分工抓好落实，按季报告进度。\n".repeat(7)
    )
}

async fn fill(client: &Client, from: usize, to: usize) -> Result<f64> {
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..AT_ONCE {
        let client = client.clone();
        tasks.spawn(async move {
            for n in (from + worker..to).step_by(AT_ONCE) {
                client.import_minutes(Import::new("organs/linlan", small(n).into_bytes())).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok((to - from) as f64 / start.elapsed().as_secs_f64())
}

/// Imports until it is stopped: so many a second, or as many as there is room for.
async fn import_on(client: Client, from: usize, pace: Option<u32>, imported: Arc<AtomicUsize>) -> Result<()> {
    let mut ticks = pace.map(|pace| tokio::time::interval(Duration::from_secs(1) / pace));
    let mut under_way = tokio::task::JoinSet::new();
    for n in from.. {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        if under_way.len() == AT_ONCE
            && let Some(ended) = under_way.join_next().await
        {
            ended??;
        }
        let (client, imported) = (client.clone(), Arc::clone(&imported));
        under_way.spawn(async move {
            client.import_minutes(Import::new("organs/linlan", small(n).into_bytes())).await?;
            imported.fetch_add(1, Relaxed);
            anyhow::Ok(())
        });
    }
    Ok(())
}

/// The same call by so many at once; how many a second.
async fn durable<F: Future<Output = Result<()>> + Send + 'static>(
    calls: usize,
    call: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Result<f64> {
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..AT_ONCE {
        let call = call.clone();
        tasks.spawn(async move {
            for n in (worker..calls).step_by(AT_ONCE) {
                call(n).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(calls as f64 / start.elapsed().as_secs_f64())
}

/// Texts of the sample's size, as many as there will be calls.
fn of_the_sample(from: usize) -> Vec<String> {
    let text = |n| {
        let (year, number) = year_and_number(n);
        let number_line = format!("〔{year}〕{number}号");
        SAMPLE.replace("〔2025〕9号", &number_line).replace("第42次", &format!("第{number}次"))
    };
    (from..from + CALLS).map(text).collect()
}

/// These texts read by so many threads, and nothing else; how many a second.
fn read_all(texts: &[String], at_once: usize) -> f64 {
    let (words, start) = (jiyao_reader::Words::default(), Instant::now());
    std::thread::scope(|scope| {
        for share in texts.chunks(texts.len().div_ceil(at_once)) {
            let words = &words;
            scope.spawn(move || {
                for text in share {
                    std::hint::black_box(jiyao_reader::read(text, words));
                }
            });
        }
    });
    texts.len() as f64 / start.elapsed().as_secs_f64()
}

/// Matters of which a unit was notified, as many as there will be calls.
async fn to_accept(address: &str, minutes: &str) -> Result<Vec<String>> {
    let as_person = |name| Client::builder().records(format!("http://{address}")).acting_as(name, "").build();
    let (office, secretary) = (as_person("督查李")?, as_person("秘书长")?);
    let made = Arc::new(Mutex::new(vec![String::new(); CALLS]));
    let (minutes, filled) = (minutes.to_owned(), Arc::clone(&made));
    let prepare = move |n: usize| {
        let (office, secretary, filled) = (office.clone(), secretary.clone(), Arc::clone(&filled));
        let new = NewMatter {
            minutes: minutes.clone(),
            text: "每季度向市政府报告一次进度".into(),
            content: format!("按季报告进度之{n}"),
            lead: "市住建局".into(),
            due: "2099-12-31".into(),
            ..NewMatter::default()
        };
        async move {
            let name = office.create_matter(new).await?.summary.name;
            secretary.act(&name, Act::Approve { opinion: "同意".into() }, None).await?;
            office.act(&name, Act::Notify { notice: "督查通知1号".into() }, None).await?;
            filled.lock().unwrap_or_else(PoisonError::into_inner)[n] = name;
            Ok(())
        }
    };
    let rate = durable(CALLS, prepare).await?;
    println!("matters made, approved and notified: {rate:.0} a second");
    let names = std::mem::take(&mut *made.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(names)
}

/// Records of 600 bytes, each appended and synced by one of so many threads; how many a second.
#[expect(
    clippy::disallowed_methods,
    reason = "the floor is a bare append and fdatasync, without the journal"
)]
fn plain_append(folder: &Path) -> Result<f64> {
    let file = std::fs::File::options().create(true).append(true).open(folder.join("plain"))?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| -> std::io::Result<()> {
                    let mut file = file.try_clone()?;
                    for _ in 0..CALLS / AT_ONCE {
                        std::io::Write::write_all(&mut file, &[7; 600])?;
                        file.sync_data()?;
                    }
                    Ok(())
                })
            })
            .collect();
        writers.into_iter().try_for_each(|writer| writer.join().unwrap_or(Ok(())))
    })?;
    Ok(CALLS as f64 / start.elapsed().as_secs_f64())
}

async fn followed(address: &str, path: &str, message: &Bytes, most: usize) -> Result<(Vec<Bytes>, Duration)> {
    let start = Instant::now();
    let mut grpc = tonic::client::Grpc::new(channel(address).await?);
    grpc.ready().await?;
    let replies = grpc.server_streaming(Request::new(message.clone()), path.parse()?, Raw).await?;
    let (mut replies, mut found) = (replies.into_inner(), Vec::new());
    let mut events = 0;
    while events < most {
        let Some(reply) = replies.next().await else { break };
        let reply = reply?;
        events += jiyao_proto::journal::v1::FollowResponse::decode(reply.clone())?.events.len();
        found.push(reply);
    }
    Ok((found, start.elapsed()))
}

fn records(data: &Path) -> Result<Process> {
    let data = data.display().to_string();
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        &data,
        "--set",
        "log=error",
        "--set",
        "reserve_mb=1",
        "--set",
        "calls=1024",
    ];
    Process::start_within(&binary("jiyao-records", "jiyao-records", None)?, &arguments, REBUILDING)
}

fn client(address: &str) -> Result<Client> {
    Ok(Client::builder().records(format!("http://{address}")).build()?)
}

/// Services, floor and what has been found so far.
struct Run {
    folder: TempDir,
    service: Process,
    floor: Process,
    client: Client,
    /// Minutes of the sample's size.
    seed: String,
    report: Report,
}

impl Run {
    async fn begin() -> Result<Self> {
        let (folder, mut report) = (TempDir::new()?, Report(Vec::new()));
        let answers = folder.path().join("answers");
        fs_err::create_dir(&answers)?;
        let service = records(&folder.path().join("records"))?;
        report.at_most("resident memory idle, MiB", service.memory("VmRSS")?, 40.0);
        let kept = answers.display().to_string();
        let floor = Process::start(&std::env::current_exe()?, &["floor", &kept])?;
        let client = client(&service.address)?;
        client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
        let import = Import::new("organs/linlan", SAMPLE.as_bytes().to_vec());
        let seed = client.import_minutes(import).await?.minutes.name;
        let rate = fill(&client, 0, FEW).await?;
        println!("{FEW} small minutes imported, {rate:.0} a second");
        Ok(Self { folder, service, floor, client, seed, report })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("records")
    }

    /// What the floor answers to a name.
    fn keep(&self, name: &str, answers: &[Bytes]) -> Result<()> {
        keep(&self.folder.path().join("answers").join(name), answers)
    }

    /// The answer of the service to a call, kept for the floor.
    async fn keep_answer(&self, method: &str, message: &Bytes) -> Result<()> {
        let direct = channel(&self.service.address).await?;
        let path = format!("/jiyao.records.v1.RecordsService/{method}");
        let answer = ask(&direct, &path, Request::new(message.clone())).await?;
        println!("{method} answers {} bytes", answer.len());
        self.keep(method, &[answer])
    }

    /// Service and floor by turns, so that what the machine does meanwhile meets both. `method`: the RPC, behind the
    /// name of the floor's answer where that is another: `Narrow/GetMinutes`.
    async fn against_floor(
        &mut self,
        what: &str,
        method: &str,
        message: &Bytes,
        aims: [f64; 2],
    ) -> Result<Speed> {
        let (name, method) = method.split_once('/').unwrap_or((method, method));
        let path = format!("/jiyao.records.v1.RecordsService/{method}");
        let (calls, mut own, mut least) = (Calls::of(message), Vec::new(), Vec::new());
        for _ in 0..3 {
            own.push(speed(&self.service.address, &path, &calls).await?);
            least.push(speed(&self.floor.address, &format!("/floor/{name}"), &calls).await?);
        }
        let middle = |all: &mut Vec<Speed>| {
            all.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
            all[1]
        };
        let (own, least) = (middle(&mut own), middle(&mut least));
        println!(
            "{what}: {:.0} a second, p99 {:.1?}; floor {:.0} a second, p99 {:.1?}",
            own.per_second, own.p99, least.per_second, least.p99
        );
        self.report.at_least(&format!("{what}, throughput"), own.per_second / least.per_second, aims[0]);
        let slower = own.p99.as_secs_f64() / least.p99.as_secs_f64();
        self.report.at_most(&format!("{what}, p99"), slower, aims[1]);
        Ok(own)
    }

    fn get(&self) -> Bytes {
        api::GetMinutesRequest { name: self.seed.clone(), ..Default::default() }.encode_to_vec().into()
    }

    /// The seed, a page of the list, and a little of the seed, among so many.
    async fn reads(&mut self, among: &str) -> Result<[Speed; 3]> {
        let list =
            api::ListMinutesRequest { parent: "organs/linlan".into(), page_size: 100, ..Default::default() };
        let (get, list) = (self.get(), Bytes::from(list.encode_to_vec()));
        self.keep_answer("GetMinutes", &get).await?;
        self.keep_answer("ListMinutes", &list).await?;
        let what = format!("GetMinutes{among}");
        let get = self.against_floor(&what, "GetMinutes", &get, [0.9, 1.2]).await?;
        let what = format!("ListMinutes, 100{among}");
        let list = self.against_floor(&what, "ListMinutes", &list, [0.7, 1.5]).await?;
        Ok([get, list, self.narrow_read(among).await?])
    }

    async fn narrow_read(&mut self, among: &str) -> Result<Speed> {
        let paths = ["name", "revision", "digest", "facts.meeting.date", "facts.document_number"];
        let read_mask = Some(FieldMask { paths: paths.map(str::to_owned).to_vec() });
        let narrow = api::GetMinutesRequest { name: self.seed.clone(), read_mask, ..Default::default() };
        let narrow = Bytes::from(narrow.encode_to_vec());
        let direct = channel(&self.service.address).await?;
        let path = "/jiyao.records.v1.RecordsService/GetMinutes";
        let answer = ask(&direct, path, Request::new(narrow.clone())).await?;
        println!("GetMinutes with a narrow mask answers {} bytes; its floor 1024", answer.len());
        self.keep("Narrow", &[Bytes::from(vec![0; 1024])])?;
        let what = format!("GetMinutes, narrow mask{among}");
        self.against_floor(&what, "Narrow/GetMinutes", &narrow, [0.9, 1.2]).await
    }

    async fn import(&self, texts: &[String]) -> Result<Speed> {
        speed(&self.service.address, IMPORT, &Calls::imports(texts)).await
    }

    async fn accept(&self) -> Result<Speed> {
        let accepts = Calls::accepts(to_accept(&self.service.address, &self.seed).await?)?;
        speed(&self.service.address, ACCEPT, &accepts).await
    }

    /// Imports of the sample's size, against the reader alone on one core, and small commands.
    async fn writes(&mut self) -> Result<[Speed; 2]> {
        let texts = of_the_sample(3_000_000);
        let processors = std::thread::available_parallelism()?.get();
        let (reader, readers) = (read_all(&texts, 1), read_all(&texts, processors));
        let import = self.import(&texts).await?;
        let imports = import.per_second;
        println!(
            "imports of the sample: {imports:.0} a second; the reader alone {reader:.0}, {processors} at once {readers:.0}"
        );
        self.report.at_least("ImportMinutes, of the reader alone", imports / reader, 0.5);

        let accept = self.accept().await?;
        let commands = accept.per_second;
        self.keep("NoOp", &[Bytes::new()])?;
        let no_op = speed(&self.floor.address, "/floor/NoOp", &Calls::of(&Bytes::new())).await?.per_second;
        let folder = self.folder.path();
        let appends = [plain_append(folder)?, plain_append(folder)?, plain_append(folder)?];
        let append = appends.into_iter().fold(0.0, f64::max);
        println!(
            "small durable commands (AcceptMatter): {commands:.0} a second; no-op {no_op:.0}, plain append {append:.0}"
        );
        self.report.at_least("small durable command, of the lower floor", commands / no_op.min(append), 0.6);

        let Some(server) = postgres::Server::start(folder).await? else {
            println!(
                "PostgreSQL is not at hand (JIYAO_POSTGRES: folder of its programs): not held against it"
            );
            return Ok([import, accept]);
        };
        let matters = server.fill(CALLS).await?;
        let socket = server.folder.display().to_string();
        let front = Process::start(&std::env::current_exe()?, &["postgres", &socket])?;
        let usual_imports = speed(&front.address, IMPORT, &Calls::imports(&texts)).await?.per_second;
        let usual_commands = speed(&front.address, ACCEPT, &Calls::accepts(matters)?).await?.per_second;
        println!("on PostgreSQL: {usual_imports:.0} imports and {usual_commands:.0} commands a second");
        self.report.at_least("ImportMinutes, of the same on PostgreSQL", imports / usual_imports, 3.0);
        self.report.at_least("small command, of the same on PostgreSQL", commands / usual_commands, 3.0);
        Ok([import, accept])
    }

    /// Lists and boards while 64 clients import without pause: how many a second, and how many were refused.
    async fn beside(&self) -> Result<()> {
        to_accept(&self.service.address, &self.seed).await?;
        let list =
            api::ListMinutesRequest { parent: "organs/linlan".into(), page_size: 100, ..Default::default() };
        let board = api::GetBoardRequest { parent: "organs/linlan".into(), ..Default::default() };
        let reads = [
            ("ListMinutes, 100", "/jiyao.records.v1.RecordsService/ListMinutes", list.encode_to_vec()),
            ("GetBoard", "/jiyao.records.v1.MattersService/GetBoard", board.encode_to_vec()),
        ];
        for (n, pace) in [Some(PACE), None].into_iter().enumerate() {
            let (client, imported) = (self.client.clone(), Arc::new(AtomicUsize::new(0)));
            let from = 5_000_000 + n * 500_000;
            let importing = tokio::spawn(import_on(client, from, pace, Arc::clone(&imported)));
            for (what, path, message) in &reads {
                let before = imported.load(Relaxed);
                let start = Instant::now();
                let (took, refused) = self.read_on(path, &Bytes::from(message.clone())).await?;
                let (passed, load) =
                    (start.elapsed().as_secs_f64(), if pace.is_some() { "paced" } else { "all" });
                println!(
                    "{what} beside {load} imports: {:.0} a second, p99 {:.1?}, {refused} refused; {:.0} imports a second",
                    BESIDE_CALLS as f64 / passed,
                    took[took.len() * 99 / 100],
                    (imported.load(Relaxed) - before) as f64 / passed
                );
            }
            importing.abort();
            let _ = importing.await;
        }
        Ok(())
    }

    /// The same read by some at once; how long each took, the shortest first, and how many were refused.
    async fn read_on(&self, path: &'static str, message: &Bytes) -> Result<(Vec<Duration>, usize)> {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..BESIDE_AT_ONCE {
            let (channel, message) = (channel(&self.service.address).await?, message.clone());
            tasks.spawn(async move {
                let (mut took, mut refused) = (Vec::new(), 0_usize);
                for _ in 0..BESIDE_CALLS / BESIDE_AT_ONCE {
                    let start = Instant::now();
                    let answer = ask(&channel, path, Request::new(message.clone())).await;
                    refused += usize::from(answer.is_err());
                    took.push(start.elapsed());
                }
                (took, refused)
            });
        }
        let (mut took, mut refused) = (Vec::new(), 0);
        for (of_one, refused_of_one) in tasks.join_all().await {
            took.extend(of_one);
            refused += refused_of_one;
        }
        took.sort_unstable();
        Ok((took, refused))
    }

    fn grown(&mut self, what: &str, few: Speed, many: Speed) {
        println!(
            "{what} among many: {:.0} a second, p99 {:.1?}; before {:.1?}",
            many.per_second, many.p99, few.p99
        );
        let grown = many.p99.as_secs_f64() / few.p99.as_secs_f64();
        self.report.at_most(&format!("growth of p99, {what}"), grown, 1.5);
    }

    async fn tell_disk(&self) -> Result<()> {
        let status = self.client.status(jiyao_client::Service::Records).await?;
        let mib = |bytes: u64| bytes >> 20;
        println!(
            "disk: journal {} MiB, state {} MiB, {} records; {} MiB free",
            mib(status.journal_bytes),
            mib(status.state_bytes),
            status.head,
            mib(status.free_bytes),
        );
        Ok(())
    }

    async fn follow(&mut self, most: usize) -> Result<()> {
        let follow = Bytes::from(FollowRequest { after: None }.encode_to_vec());
        let path = "/jiyao.journal.v1.JournalService/Follow";
        let (replies, _) = followed(&self.service.address, path, &follow, most).await?;
        self.keep("Follow", &replies)?;
        let (mut own, mut least) = (Vec::new(), Vec::new());
        // Each lasts some hundredths of a second only.
        for _ in 0..25 {
            own.push(followed(&self.service.address, path, &follow, most).await?.1);
            least.push(followed(&self.floor.address, "/floor/Follow", &follow, most).await?.1);
        }
        let middle = |all: &mut Vec<Duration>| {
            all.sort_unstable();
            all[all.len() / 2]
        };
        let (own, least) = (middle(&mut own), middle(&mut least));
        println!("Follow of {most} events: {own:.1?}, {} messages; a bare stream {least:.1?}", replies.len());
        self.report.at_least("Follow, of a bare stream", least.as_secs_f64() / own.as_secs_f64(), 0.8);
        Ok(())
    }

    /// Starts: clean, after a kill, from nothing.
    async fn starts(self) -> Result<Report> {
        self.tell_disk().await?;
        let data = self.data();
        let Self { folder, service, floor: _floor, mut report, .. } = self;
        anyhow::ensure!(service.stop()?.success());
        let state = data.join("state");
        // Of a copy: opening changes files.
        let copy = folder.path().join("copy");
        fs_err::create_dir(&copy)?;
        for entry in fs_err::read_dir(&state)? {
            let entry = entry?;
            if entry.path().is_file() {
                fs_err::copy(entry.path(), copy.join(entry.file_name()))?;
            }
        }
        let start = Instant::now();
        let db = sled::Config::new().path(&copy).segment_size(4 << 20).cache_capacity(64 << 20).open()?;
        let bare = start.elapsed();
        drop(db);
        let timed_start = || {
            let start = Instant::now();
            records(&data).map(|process| (process, start.elapsed()))
        };
        let (service, clean) = timed_start()?;
        println!("clean start {clean:.1?}; bare sled::open {bare:.1?}");
        report.at_most("clean start, of a bare sled::open", clean.as_secs_f64() / bare.as_secs_f64(), 1.5);
        fill(&client(&service.address)?, 2_000_000, 2_000_000 + FEW).await?;
        service.kill()?;
        let (service, killed) = timed_start()?;
        println!("start after a kill {killed:.1?}");
        anyhow::ensure!(service.stop()?.success());
        fs_err::remove_dir_all(&state)?;
        let start = Instant::now();
        for entry in fs_err::read_dir(data.join("journal"))? {
            std::hint::black_box(fs_err::read(entry?.path())?);
        }
        let reading = start.elapsed();
        let of_reading = killed.as_secs_f64() / reading.as_secs_f64();
        report.at_most("start after a kill, of reading the journal", of_reading, 3.0);
        let (_, rebuilt) = timed_start()?;
        println!("rebuilt from nothing in {rebuilt:.1?}; reading the journal {reading:.1?}");
        Ok(report)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["floor", folder] => return floor::serve(folder.into()).await,
        ["postgres", folder] => return postgres::front(folder.into()).await,
        _ => {}
    }
    let many: usize = std::env::var("JIYAO_MINUTES").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let is_asked = |part: &str| {
        PARTS.iter().all(|known| !arguments.iter().any(|word| word == known))
            || arguments.iter().any(|word| word == part)
    };
    let mut run = Run::begin().await?;
    let mut few = None;
    if is_asked(READS) {
        few = Some(run.reads("").await?);
    }
    let written = if is_asked(WRITES) { Some(run.writes().await?) } else { None };
    if is_asked(BESIDE) {
        run.beside().await?;
    }
    if is_asked(READS) || is_asked(FOLLOWS) || is_asked(STARTS) {
        println!("filling up to {many}");
        let rate = fill(&run.client, FEW, many).await?;
        println!("{rate:.0} imports a second, durable");
        run.tell_disk().await?;
    }
    if let Some(few) = few {
        let many = run.reads(" among many").await?;
        for (at, what) in ["GetMinutes", "ListMinutes", "GetMinutes, narrow mask"].into_iter().enumerate() {
            run.grown(what, few[at], many[at]);
        }
        run.report.at_most("resident memory with many, MiB", run.service.memory("VmRSS")?, 400.0);
        if let Some([import, accept]) = written {
            let among_many = run.import(&of_the_sample(6_000_000)).await?;
            run.grown("ImportMinutes", import, among_many);
            let among_many = run.accept().await?;
            run.grown("AcceptMatter", accept, among_many);
            println!("resident memory after that: {:.0} MiB", run.service.memory("VmRSS")?);
        }
    }
    if is_asked(FOLLOWS) {
        run.follow(many.min(100_000)).await?;
    }
    let is_whole = PARTS.iter().all(|part| is_asked(part));
    let report = if is_asked(STARTS) { run.starts().await? } else { run.report };
    if is_whole {
        let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/speed.svg");
        fs_err::write(&chart, report.svg())?;
        println!("drawn: {}", chart.display());
    }
    Ok(())
}
