//! What survives: kills, power cuts, a broken state, services that come and go. `JIYAO_FAULTS=long` runs the long
//! forms.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail};
use jiyao_client::{Client, DisclosureRequest, Import, ListMinutes, NewMatter, NewMeeting, Service};
use jiyao_testkit::{Dice, FullDisk, LoopDisk, Process, binary, may_mount, numbered, skip};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Clients that import at the same time.
const CLIENTS: usize = 4;

fn rounds(short: usize, long: usize) -> usize {
    if std::env::var("JIYAO_FAULTS").is_ok_and(|form| form == "long") { long } else { short }
}

/// A service, and how it is loaded: what is written to it can be looked up as it was.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Records,
    Attendance,
    Distribution,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Records, Self::Attendance, Self::Distribution];

    fn package(self) -> &'static str {
        match self {
            Self::Records => "jiyao-records",
            Self::Attendance => "jiyao-attendance",
            Self::Distribution => "jiyao-distribution",
        }
    }

    fn client(self, address: &str) -> Result<Client> {
        let (url, builder) = (format!("http://{address}"), Client::builder().timeout(Duration::from_secs(5)));
        let builder = match self {
            Self::Records => builder.records(url),
            Self::Attendance => builder.attendance(url),
            Self::Distribution => builder.distribution(url),
        };
        Ok(builder.build()?)
    }

    async fn begin(self, client: &Client) -> Result<()> {
        if matches!(self, Self::Records) {
            client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
        }
        Ok(())
    }

    /// Most are small, some are large: 200 B to nearly 1 MiB.
    fn text(self, n: usize) -> String {
        let size = match n {
            n if n % 40 == 39 => 900_000,
            n if n % 10 == 9 => 100_000,
            n => 200 + n % 7 * 600,
        };
        match self {
            // The reader works for its bytes: these stay smaller.
            Self::Records => numbered(n) + &"附件内容另册存放。\n".repeat(size / 270),
            _ => format!("{n}，{}", "略".repeat(size / 3)),
        }
    }

    async fn write(self, client: &Client, n: usize) -> Result<String> {
        let (organ, text) = ("organs/linlan", self.text(n));
        Ok(match self {
            Self::Records => client.import_minutes(Import::new(organ, text.into_bytes())).await?.minutes.name,
            Self::Attendance => {
                let new = NewMeeting {
                    kind: "常务会议".into(),
                    date: "2025-04-15".into(),
                    title: text,
                    ..NewMeeting::default()
                };
                client.create_meeting(organ, new).await?.name
            }
            Self::Distribution => {
                let new = DisclosureRequest {
                    applicant: "申请人甲".into(),
                    subject: text,
                    received: "2025-04-01".into(),
                    ..DisclosureRequest::default()
                };
                client.create_disclosure_request(organ, new).await?.name
            }
        })
    }

    async fn is_as_written(self, client: &Client, name: &str, n: usize) -> bool {
        let text = self.text(n);
        match self {
            Self::Records => client.minutes_text(name).await.is_ok_and(|bytes| bytes == text.as_bytes()),
            Self::Attendance => client.meeting(name).await.is_ok_and(|meeting| meeting.title == text),
            Self::Distribution => {
                client.disclosure_request(name, "2025-04-02").await.is_ok_and(|found| found.subject == text)
            }
        }
    }
}

/// The settings with which a service runs here.
fn arguments(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let arguments =
        ["--listen", "127.0.0.1:0", "--data-dir", &folder, "--set", "log=error", "--set", "reserve_mb=1"];
    arguments.map(str::to_owned).to_vec()
}

fn records(program: &Path, folder: &Path) -> Result<Process> {
    let arguments = arguments(folder);
    Process::start(program, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The same, of a build with fail points, one of which acts after so many passes.
fn records_until(program: &Path, folder: &Path, point: &str, passes: usize) -> Result<Process> {
    let mut all = vec![format!("FAILPOINTS={point}={passes}*off->return"), program.display().to_string()];
    all.extend(arguments(folder));
    Process::start(Path::new("/usr/bin/env"), &all.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What was acknowledged: name to number of the text.
type Acknowledged = Arc<Mutex<BTreeMap<String, usize>>>;

/// Imports under load until the service goes away.
struct Load {
    acknowledged: Acknowledged,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    async fn start(
        kind: Kind,
        address: &str,
        next: &Arc<AtomicUsize>,
        acknowledged: &Acknowledged,
    ) -> Result<Self> {
        let mut tasks = Vec::new();
        for _ in 0..CLIENTS {
            let client = kind.client(address)?;
            let (next, acknowledged) = (Arc::clone(next), Arc::clone(acknowledged));
            tasks.push(tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Ok(name) = kind.write(&client, n).await else { return };
                    acknowledged.lock().unwrap().insert(name, n);
                }
            }));
        }
        Ok(Self { acknowledged: Arc::clone(acknowledged), tasks })
    }

    fn acknowledged(&self) -> BTreeMap<String, usize> {
        self.acknowledged.lock().unwrap().clone()
    }

    fn end(self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// How many acknowledged writes the service no longer has as they were.
async fn lost(kind: Kind, address: &str, acknowledged: &BTreeMap<String, usize>) -> Result<usize> {
    let client = kind.client(address)?;
    let mut lost = 0;
    for (name, n) in acknowledged {
        lost += usize::from(!kind.is_as_written(&client, name, *n).await);
    }
    Ok(lost)
}

async fn create_organ(address: &str) -> Result<()> {
    Kind::Records.begin(&Kind::Records.client(address)?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_load_lose_nothing() -> Result<()> {
    let program = binary("jiyao-records", "jiyao-records", None)?;
    let folder = TempDir::new()?;
    let mut dice = Dice::new("kills");
    let (next, acknowledged) = (Arc::new(AtomicUsize::new(0)), Acknowledged::default());
    let mut service = records(&program, folder.path())?;
    create_organ(&service.address).await?;
    let kills = rounds(100, 500);
    let mut checked = 0;
    for kill in 0..kills {
        let load = Load::start(Kind::Records, &service.address, &next, &acknowledged).await?;
        tokio::time::sleep(dice.milliseconds(0, 120)).await;
        service.kill()?;
        load.end();
        service = records(&program, folder.path())?;
        let all = acknowledged.lock().unwrap().clone();
        // Each round its own; all of them at the end.
        let newest: BTreeMap<_, _> = all.iter().rev().take(40).map(|(name, n)| (name.clone(), *n)).collect();
        checked += newest.len();
        assert_eq!(lost(Kind::Records, &service.address, &newest).await?, 0, "after kill {kill}");
    }
    let all = acknowledged.lock().unwrap().clone();
    assert_eq!(lost(Kind::Records, &service.address, &all).await?, 0);
    println!("{kills} kills: {} imports acknowledged, 0 lost ({checked} checked in between)", all.len());
    assert!(all.len() > kills / 4, "there was load");
    Ok(())
}

/// Builds with this feature can be told to end at a point, or to have a bug.
const PLANTED: &str = "planted-failpoints";
/// Points that every group of writes passes, and those that only a new segment does.
const OF_A_GROUP: [&str; 5] = ["group-decided", "group-written", "group-synced", "state-applied", "answered"];
const OF_A_SEGMENT: [&str; 2] = ["segment-made", "segment-named"];
/// Points of an erasure, in their order.
const OF_AN_ERASURE: [&str; 7] = [
    "erasure-rehearsed",
    "erasure-recorded",
    "segment-rewritten",
    "segment-replaced",
    "erasure-written",
    "erasure-shown",
    "state-replaced",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_each_point_of_a_write_lose_nothing() -> Result<()> {
    let program = binary("jiyao-records", "jiyao-records", Some(PLANTED))?;
    let folder = TempDir::new()?;
    // Before there is anything: the journal itself is on its way.
    for point in OF_A_SEGMENT {
        assert!(
            records_until(&program, folder.path(), point, 0).is_err(),
            "{point} is not passed at the start"
        );
    }
    let (next, acknowledged) = (Arc::new(AtomicUsize::new(0)), Acknowledged::default());
    let service = records(&program, folder.path())?;
    create_organ(&service.address).await?;
    service.kill()?;
    let mut kills = 0;
    let passes = rounds(3, 40);
    let all = OF_A_GROUP.iter().map(|point| (*point, passes)).chain(OF_A_SEGMENT.map(|point| (point, 1)));
    for (point, passes) in all {
        for after in 0..passes {
            let service = records_until(&program, folder.path(), point, after)?;
            let load = Load::start(Kind::Records, &service.address, &next, &acknowledged).await?;
            let ended = tokio::task::spawn_blocking(|| service.ended()).await??;
            assert!(!ended.success(), "{point} is passed");
            load.end();
            kills += 1;
            let all = acknowledged.lock().unwrap().clone();
            let newest = all.iter().rev().take(40).map(|(name, n)| (name.clone(), *n)).collect();
            let service = records(&program, folder.path())?;
            assert_eq!(lost(Kind::Records, &service.address, &newest).await?, 0, "{point}, pass {after}");
            service.kill()?;
        }
    }
    let service = records(&program, folder.path())?;
    let all = acknowledged.lock().unwrap().clone();
    assert_eq!(lost(Kind::Records, &service.address, &all).await?, 0);
    println!("{kills} kills at named points: {} imports acknowledged, 0 lost", all.len());
    assert!(!all.is_empty(), "there was load");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_killed_at_any_point_is_whole_or_not_at_all() -> Result<()> {
    let program = binary("jiyao-records", "jiyao-records", Some(PLANTED))?;
    let canary = "金丝雀之言";
    for point in OF_AN_ERASURE {
        let folder = TempDir::new()?;
        let service = records(&program, folder.path())?;
        create_organ(&service.address).await?;
        let client = |address: &str, name: &str| {
            Client::builder().records(format!("http://{address}")).acting_as(name, "").build()
        };
        let first = client(&service.address, "甲")?;
        let mut others = BTreeMap::new();
        for n in 0..3 {
            others.insert(Kind::Records.write(&first, n).await?, n);
        }
        let text = numbered(99) + canary;
        let name = first.import_minutes(Import::new("organs/linlan", text.into_bytes())).await?.minutes.name;
        let id = first.ask_erasure(&name, "某法第九条").await?.id;
        service.kill()?;

        let service = records_until(&program, folder.path(), point, 0)?;
        let outcome = client(&service.address, "乙")?.confirm_erasure(&id).await;
        assert!(outcome.is_err(), "{point} is passed");
        assert!(!service.ended()?.success());
        let service = records(&program, folder.path())?;
        let second = client(&service.address, "乙")?;
        let is_done = !second.erasures(Service::Records).await?[0].erased.is_empty();
        assert_eq!(is_done, point != OF_AN_ERASURE[0], "{point}: it is done once it is on record");
        let found = crate::erasure::found(folder.path(), canary.as_bytes())?;
        assert_eq!(found.is_empty(), is_done, "{point}: {found:?}");
        second.confirm_erasure(&id).await?;
        assert_eq!(crate::erasure::found(folder.path(), canary.as_bytes())?, Vec::<String>::new(), "{point}");
        assert_eq!(lost(Kind::Records, &service.address, &others).await?, 0);
        let verified = second.verify_journal(Service::Records, |_| {}).await?;
        assert!(verified.damaged.is_empty() && verified.erased == 1, "{point}: {verified:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn req_03_kills_leave_no_gap_and_no_double_in_numbers() -> Result<()> {
    let program = binary("jiyao-records", "jiyao-records", None)?;
    let folder = TempDir::new()?;
    let mut dice = Dice::new("numbers");
    let mut service = records(&program, folder.path())?;
    create_organ(&service.address).await?;
    let import = Import::new("organs/linlan", jiyao_testkit::SAMPLE.as_bytes().to_vec());
    let minutes = Kind::Records.client(&service.address)?.import_minutes(import).await?.minutes.name;
    let given: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let kills = rounds(20, 100);
    for _ in 0..kills {
        let mut tasks = Vec::new();
        for _ in 0..32 {
            let (client, given) = (Kind::Records.client(&service.address)?, Arc::clone(&given));
            let new = NewMatter {
                minutes: minutes.clone(),
                text: "每季度向市政府报告一次进度".into(),
                content: "按季报告进度".into(),
                lead: "市住建局".into(),
                due: "2099-12-31".into(),
                ..NewMatter::default()
            };
            tasks.push(tokio::spawn(async move {
                while let Ok(made) = client.create_matter(new.clone()).await {
                    assert!(given.lock().unwrap().insert(made.summary.number), "a number was given twice");
                }
            }));
        }
        tokio::time::sleep(dice.milliseconds(50, 200)).await;
        service.kill()?;
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        for task in tasks {
            assert!(!task.await.is_err_and(|ended| ended.is_panic()), "a number was given twice");
        }
        service = records(&program, folder.path())?;
    }
    let (client, mut numbers, mut page) = (Kind::Records.client(&service.address)?, BTreeSet::new(), None);
    loop {
        let found = client.list_matters("organs/linlan", None, false, page.as_deref()).await?;
        for matter in found.entries {
            assert!(numbers.insert(matter.number.clone()), "{} twice", matter.number);
        }
        page = found.next;
        if page.is_none() {
            break;
        }
    }
    let year = numbers.first().and_then(|number| number.get(..10)).unwrap_or_default().to_owned();
    let expected: BTreeSet<_> = (1..=numbers.len()).map(|n| format!("{year}〕{n}号")).collect();
    assert_eq!(numbers, expected, "no gap");
    let given = given.lock().unwrap();
    assert!(given.is_subset(&numbers), "nothing acknowledged is lost");
    println!(
        "{kills} kills, 32 at once: {} numbers acknowledged, {} there, no gap, no double",
        given.len(),
        numbers.len()
    );
    assert!(given.len() > kills, "there was load");
    Ok(())
}

/// Power cuts of a service under load: how many acknowledged writes were lost, of how many, and how often it did not
/// open.
async fn power_cuts(
    kind: Kind,
    start: impl Fn(&Path) -> Result<Process>,
    cuts: usize,
    until_loss: bool,
) -> Result<(usize, usize, usize)> {
    let (folder, copies) = (TempDir::new()?, TempDir::new()?);
    let disk = LoopDisk::new(folder.path(), 512)?;
    let mut dice = Dice::new("power cuts");
    let (next, acknowledged) = (Arc::new(AtomicUsize::new(0)), Acknowledged::default());
    let (mut lost_writes, mut acknowledged_writes, mut refused) = (0, 0, 0);
    for cut in 0..cuts {
        // Every third time a fresh store: the first segments are where folders matter.
        let data = disk.folder().join(format!("data-{}", cut / 3));
        if cut % 3 == 0 {
            acknowledged.lock().unwrap().clear();
            if cut > 0 {
                fs_err::remove_dir_all(disk.folder().join(format!("data-{}", cut / 3 - 1)))?;
            }
        }
        let service = start(&data)?;
        if cut % 3 == 0 {
            kind.begin(&kind.client(&service.address)?).await?;
        }
        let load = Load::start(kind, &service.address, &next, &acknowledged).await?;
        tokio::time::sleep(dice.milliseconds(20, 500)).await;
        service.signal(Signal::STOP)?;
        let all = load.acknowledged();
        let after = disk.cut(copies.path())?;
        service.kill()?;
        load.end();
        acknowledged_writes += all.len();
        match start(&after.folder().join(format!("data-{}", cut / 3))) {
            Ok(service) => lost_writes += lost(kind, &service.address, &all).await?,
            Err(e) => {
                println!("{kind:?}, cut {cut}: {e:#}");
                refused += 1;
            }
        }
        drop(after);
        if until_loss && lost_writes + refused > 0 {
            break;
        }
    }
    Ok((lost_writes, acknowledged_writes, refused))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts_lose_nothing_and_a_planted_missing_sync_is_found() -> Result<()> {
    if let Err(why) = may_mount() {
        skip("power cuts", &format!("{why:#}"));
        return Ok(());
    }
    for kind in Kind::ALL {
        let program = binary(kind.package(), kind.package(), None)?;
        let cuts = rounds(12, 200);
        let (lost, acknowledged, refused) =
            power_cuts(kind, |data| records(&program, data), cuts, false).await?;
        println!(
            "{kind:?}, {cuts} power cuts: {acknowledged} writes acknowledged, {lost} lost, {refused} refusals to open"
        );
        assert_eq!((lost, refused), (0, 0));
        assert!(acknowledged > cuts);
    }
    let planted = binary("jiyao-records", "jiyao-records", Some(PLANTED))?;
    let without_sync = |data: &Path| records_until(&planted, data, "no-sync", 0);
    let (lost, acknowledged, refused) = power_cuts(Kind::Records, without_sync, 20, true).await?;
    println!(
        "without fdatasync: {acknowledged} writes acknowledged, {lost} lost, {refused} refusals to open"
    );
    assert!(lost + refused > 0, "the harness does not see a missing fdatasync");
    Ok(())
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs_err::create_dir_all(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs_err::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Breaks the state's folder in one of the ways that disks and crashes know. Says how.
fn break_state(state: &Path, dice: &mut Dice) -> Result<String> {
    let all = files(state)?;
    if all.is_empty() {
        bail!("the state has no files");
    }
    let file = &all[dice.below(all.len() as u64) as usize];
    let mut bytes = fs_err::read(file)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(match dice.below(8) {
        0 => {
            fs_err::remove_dir_all(state)?;
            "folder deleted".to_owned()
        }
        1 => {
            fs_err::remove_file(file)?;
            format!("{name} deleted")
        }
        2 => {
            let length = dice.below(bytes.len() as u64 + 1);
            fs_err::write(file, &bytes[..length as usize])?;
            format!("{name} truncated to {length}")
        }
        3 => {
            fs_err::write(state.join("snap.0000000000000001.generating"), b"half")?;
            "a half snapshot".to_owned()
        }
        4 if bytes.len() > 4096 => {
            let page = dice.below(bytes.len() as u64 / 4096) as usize * 4096;
            bytes[page..page + 4096].fill(0);
            fs_err::write(file, &bytes)?;
            format!("{name}: page at {page} zeroed")
        }
        _ => {
            // The written part of a file is at its beginning.
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
            let at = dice.below(used as u64) as usize;
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
            fs_err::write(file, &bytes)?;
            format!("{name}: a bit at {at} flipped")
        }
    })
}

/// All that records answers.
async fn answers(address: &str) -> Result<Vec<String>> {
    let client = Kind::Records.client(address)?;
    let mut answers = Vec::new();
    let mut query = ListMinutes { page_size: 200, ..ListMinutes::of("organs/-") };
    loop {
        let page = client.list_minutes(query.clone()).await?;
        for summary in &page.entries {
            answers.push(format!("{summary:?}"));
            answers.push(format!("{:?}", client.minutes(&summary.name, None).await?));
        }
        query.page = page.next;
        if query.page.is_none() {
            break;
        }
    }
    answers.push(format!("{:?}", client.list_organs(None, None).await?));
    answers.push(format!("{:?}", client.list_decisions("organs/-", None).await?));
    Ok(answers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_state_gives_the_same_answers_after_start() -> Result<()> {
    let program = binary("jiyao-records", "jiyao-records", None)?;
    let folder = TempDir::new()?;
    let whole = folder.path().join("whole");
    let service = records(&program, &whole)?;
    create_organ(&service.address).await?;
    let importer = Kind::Records.client(&service.address)?;
    for n in 0..25 {
        importer.import_minutes(Import::new("organs/linlan", numbered(n).into_bytes())).await?;
    }
    let expected = answers(&service.address).await?;
    assert!(service.stop()?.success());

    let mut dice = Dice::new("broken states");
    let mutations = rounds(100, 300);
    let mut ways = BTreeMap::<String, usize>::new();
    for round in 0..mutations {
        let broken = folder.path().join(format!("broken-{round}"));
        copy(&whole, &broken)?;
        let how = break_state(&broken.join("state"), &mut dice)?;
        let service = records(&program, &broken)?;
        assert_eq!(answers(&service.address).await?, expected, "mutation {round}: {how}");
        service.kill()?;
        let names = fs_err::read_dir(&broken)?.filter_map(|entry| Some(entry.ok()?.file_name()));
        let aside = names.into_iter().any(|name| name.to_string_lossy().contains("aside"));
        *ways
            .entry(if aside { "set aside".to_owned() } else { "kept or made anew".to_owned() })
            .or_default() += 1;
        fs_err::remove_dir_all(&broken)?;
    }
    println!("{mutations} mutations of the state's folder: the same answers each time ({ways:?})");
    Ok(())
}

/// A follower of records, on a port that stays the same through its deaths.
struct Follower {
    program: PathBuf,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Follower {
    fn start(package: &str, folder: &Path, records: &str) -> Result<Self> {
        let program = binary(package, package, None)?;
        let records = format!("records=http://{records}");
        let folder = folder.join(package).display().to_string();
        let arguments = [
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            &folder,
            "--set",
            &records,
            "--set",
            "log=off",
            "--set",
            "reserve_mb=1",
        ]
        .map(str::to_owned)
        .to_vec();
        let mut follower = Self { program, arguments, process: None };
        follower.restart()?;
        follower.arguments[1] = follower.address();
        Ok(follower)
    }

    fn restart(&mut self) -> Result<()> {
        if let Some(process) = self.process.take() {
            process.kill()?;
        }
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.process = Some(Process::start(&self.program, &arguments)?);
        Ok(())
    }

    fn address(&self) -> String {
        self.process.as_ref().map(|process| process.address.clone()).unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_that_are_killed_end_with_everything_once() -> Result<()> {
    let folder = TempDir::new()?;
    let source = records(&binary("jiyao-records", "jiyao-records", None)?, &folder.path().join("records"))?;
    let mut followers = [
        Follower::start("jiyao-attendance", folder.path(), &source.address)?,
        Follower::start("jiyao-distribution", folder.path(), &source.address)?,
    ];
    let client = Client::builder()
        .records(format!("http://{}", source.address))
        .attendance(format!("http://{}", followers[0].address()))
        .distribution(format!("http://{}", followers[1].address()))
        .build()?;
    create_organ(&source.address).await?;

    let importer = client.clone();
    let importing = tokio::spawn(async move {
        let mut last = None;
        for n in 0..200 {
            let import = Import::new("organs/linlan", numbered(n).into_bytes());
            last = Some(importer.import_minutes(import).await?);
            tokio::time::sleep(Duration::from_millis(12)).await;
        }
        anyhow::Ok(last)
    });
    let mut dice = Dice::new("killed followers");
    for _ in 0..20 {
        tokio::time::sleep(dice.milliseconds(20, 150)).await;
        followers[dice.below(2) as usize].restart()?;
    }
    let last = importing.await??.unwrap();

    let names = async |parent: &str| {
        let (mut rolls, mut lists) = (Vec::new(), Vec::new());
        let mut page = None;
        loop {
            let found = client.list_rolls(parent, page.as_deref()).await?;
            rolls.extend(found.entries.into_iter().map(|roll| roll.minutes));
            page = found.next;
            if page.is_none() {
                break;
            }
        }
        loop {
            let found = client.list_distribution_lists(parent, page.as_deref()).await?;
            lists.extend(found.entries.into_iter().map(|list| list.minutes));
            page = found.next;
            if page.is_none() {
                break;
            }
        }
        anyhow::Ok((rolls, lists))
    };
    client.roll(&last.minutes.name, Some(&last.position)).await?;
    client.distribution_list(&last.minutes.name, Some(&last.position)).await?;
    let (rolls, lists) = names("organs/-").await?;
    let unique = |names: &[String]| names.iter().collect::<BTreeSet<_>>().len();
    assert_eq!((rolls.len(), unique(&rolls)), (200, 200));
    assert_eq!((lists.len(), unique(&lists)), (200, 200));
    // Not only the view: the journal itself has each roll once.
    let mut watch = client.watch_rolls("organs/-", None);
    let mut stated = Vec::new();
    while stated.len() < 200 {
        stated.extend(watch.next().await?.changes.into_iter().map(|roll| roll.minutes));
    }
    assert_eq!((stated.len(), unique(&stated)), (200, 200));
    println!("20 kills of followers during 200 imports: each roll and each list once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_ends_the_process_and_nothing_acknowledged_is_lost() -> Result<()> {
    let strace = Path::new("/usr/bin/strace");
    if !strace.exists() {
        skip("failed syncs", "strace is not installed");
        return Ok(());
    }
    let program = binary("jiyao-records", "jiyao-records", None)?;
    for nth in [2, 5, 9] {
        let folder = TempDir::new()?;
        let data = folder.path().display().to_string();
        let inject = format!("inject=fdatasync:error=EIO:when={nth}");
        let program_name = program.display().to_string();
        let traced = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", &inject, &program_name];
        let arguments =
            ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "log=off", "--set", "reserve_mb=1"];
        let service = Process::start(strace, &[&traced[..], &arguments].concat())?;
        create_organ(&service.address).await?;
        let importer = Kind::Records.client(&service.address)?;
        let mut acknowledged = BTreeMap::new();
        for n in 0..20 {
            match importer
                .import_minutes(Import::new("organs/linlan", Kind::Records.text(n).into_bytes()))
                .await
            {
                Ok(imported) => acknowledged.insert(imported.minutes.name, n),
                Err(e) => {
                    assert!(e.is_unavailable(), "{e}");
                    break;
                }
            };
        }
        // The organ took the first sync; the import that met the failure was not acknowledged.
        assert_eq!(acknowledged.len(), nth - 2);
        assert_eq!(service.ended()?.code(), Some(74));
        let again = records(&program, folder.path())?;
        assert_eq!(lost(Kind::Records, &again.address, &acknowledged).await?, 0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_cannot_be_written_is_rebuilt_when_there_is_room_again() -> Result<()> {
    if let Err(why) = may_mount() {
        skip("a state without room", &format!("{why:#}"));
        return Ok(());
    }
    let program = binary("jiyao-records", "jiyao-records", None)?;
    let folder = TempDir::new()?;
    let disk = FullDisk::new(folder.path(), 96)?;
    // Without a reserve the journal's segment has room when nothing else has.
    let data = folder.path().join("records").display().to_string();
    let arguments =
        ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "log=error", "--set", "reserve_mb=0"];
    let service = Process::start(&program, &arguments)?;
    create_organ(&service.address).await?;
    let importer = Kind::Records.client(&service.address)?;
    let mut acknowledged = BTreeMap::new();
    let first =
        importer.import_minutes(Import::new("organs/linlan", Kind::Records.text(0).into_bytes())).await?;
    acknowledged.insert(first.minutes.name, 0);
    let ballast = disk.fill()?;
    // Imports go on until the state has no room; from then on the answer is: not now.
    let mut refused = None;
    for n in 1..150 {
        match importer.import_minutes(Import::new("organs/linlan", Kind::Records.text(n).into_bytes())).await
        {
            Ok(imported) => {
                acknowledged.insert(imported.minutes.name, n);
            }
            Err(e) => {
                refused = Some(e);
                break;
            }
        }
    }
    let refused = refused.expect("a state of its own needs room");
    assert_eq!(refused.reason(), Some(jiyao_fault::Reason::StateUnavailable));
    println!(
        "without room for the state: {} acknowledged, then {:?}",
        acknowledged.len(),
        refused.to_string()
    );
    fs_err::remove_file(&ballast)?;
    let mut resumed = false;
    for n in 150..200 {
        if let Ok(imported) =
            importer.import_minutes(Import::new("organs/linlan", Kind::Records.text(n).into_bytes())).await
        {
            acknowledged.insert(imported.minutes.name, n);
            resumed = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(resumed, "the service goes on without a restart");
    assert_eq!(lost(Kind::Records, &service.address, &acknowledged).await?, 0);
    service.kill()?;
    let again = records(&program, &folder.path().join("records"))?;
    assert_eq!(lost(Kind::Records, &again.address, &acknowledged).await?, 0);
    Ok(())
}

/// One run under strace with a call that fails the n-th time in each thread: whether it was hit, and what was
/// acknowledged.
async fn with_failing_call(
    kind: Kind,
    program: &Path,
    folder: &Path,
    inject: &str,
) -> Result<(bool, BTreeMap<String, usize>)> {
    let (data, hits) = (folder.join("data"), folder.join("hits"));
    // Only what touches the data directory: the network and the loader are others' business.
    let (journal, state) = (data.join("journal"), data.join("state"));
    let segment = journal.join("00000000000000000001.segment");
    let paths = [
        journal.join("lock"),
        segment.with_extension("tmp"),
        segment,
        state.join("db"),
        state.join("conf"),
        state.join("blobs"),
        journal,
        state,
    ]
    .map(|path| path.display().to_string());
    let call = inject.split_once(':').map_or(inject, |(call, _)| call);
    let (hits_file, data_dir) = (hits.display().to_string(), data.display().to_string());
    let (program_name, trace) = (program.display().to_string(), format!("trace={call}"));
    let inject = format!("inject={inject}");
    let mut traced = vec!["-f", "-qq", "-o", &hits_file, "-e", &trace, "-e", &inject];
    for path in &paths {
        traced.extend(["-P", path]);
    }
    let arguments =
        ["--listen", "127.0.0.1:0", "--data-dir", &data_dir, "--set", "log=off", "--set", "reserve_mb=1"];
    traced.push(&program_name);
    traced.extend(arguments);
    let mut acknowledged = BTreeMap::new();
    // A service that does not start with a failing disk has promised nothing.
    if let Ok(service) = Process::start(Path::new("/usr/bin/strace"), &traced) {
        let client = kind.client(&service.address)?;
        if kind.begin(&client).await.is_ok() {
            for n in 0..4 {
                if let Ok(name) = kind.write(&client, n).await {
                    acknowledged.insert(name, n);
                }
            }
        }
        // strace ends with what it traces, not the other way round.
        let children = format!("/proc/{0}/task/{0}/children", service.id());
        for child in fs_err::read_to_string(children)?.split_whitespace() {
            if let Some(child) = Pid::from_raw(child.parse()?) {
                // It may have ended by itself, as a failed sync makes it.
                let _ = kill_process(child, Signal::KILL);
            }
        }
        service.ended()?;
    }
    let was_hit = fs_err::read_to_string(&hits).unwrap_or_default().contains("(INJECTED)");
    Ok((was_hit, acknowledged))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_call_fails_nothing_acknowledged_is_lost() -> Result<()> {
    if !Path::new("/usr/bin/strace").exists() {
        skip("failing calls", "strace is not installed");
        return Ok(());
    }
    let is_long = rounds(0, 1) == 1;
    let calls: &[&str] = if is_long {
        &["write", "pwrite64", "fdatasync", "fsync", "rename", "openat", "ftruncate", "fallocate"]
    } else {
        &["pwrite64", "fsync", "rename", "openat"]
    };
    let errors: &[&str] = if is_long { &["EIO", "ENOSPC"] } else { &["EIO"] };
    let kinds = if is_long { &Kind::ALL[..] } else { &Kind::ALL[..1] };
    let most = if is_long { usize::MAX } else { 3 };
    let (mut runs, mut hit) = (0, 0);
    for kind in kinds {
        let program = binary(kind.package(), kind.package(), None)?;
        for (call, error) in calls.iter().flat_map(|call| errors.iter().map(move |error| (call, error))) {
            for nth in 1..=most {
                let folder = TempDir::new()?;
                let inject = format!("{call}:error={error}:when={nth}");
                let (was_hit, acknowledged) =
                    with_failing_call(*kind, &program, folder.path(), &inject).await?;
                runs += 1;
                hit += usize::from(was_hit);
                // The disk is whole again.
                let data = folder.path().join("data");
                let again = records(&program, &data);
                let again = again.map_err(|e| e.context(format!("{kind:?} after {inject}")))?;
                let missing = lost(*kind, &again.address, &acknowledged).await?;
                assert_eq!(missing, 0, "{kind:?} after {inject}");
                if !was_hit {
                    break;
                }
            }
        }
    }
    println!("{runs} runs with a failing call, {hit} of them hit: nothing acknowledged was lost");
    assert!(hit > calls.len(), "the harness hits something");
    Ok(())
}

/// Flips a bit among the used bytes of a file of a folder. Says which.
fn flip(folder: &Path, dice: &mut Dice) -> Result<String> {
    // The lock is empty: there is nothing to flip in it.
    let all: Vec<_> = files(folder)?.into_iter().filter(|file| !file.ends_with("lock")).collect();
    let file = &all[dice.below(all.len() as u64) as usize];
    let mut bytes = fs_err::read(file)?;
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
    let at = dice.below(used as u64) as usize;
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << dice.below(8);
    }
    // In place, as a disk does it: who has the file open sees it.
    let mut file = fs_err::OpenOptions::new().write(true).open(file)?;
    std::io::Write::write_all(&mut file, &bytes)?;
    Ok(format!("{}: a bit at {at}", file.path().display()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_found_or_means_nothing() -> Result<()> {
    let program = binary("jiyao-records", "jiyao-records", None)?;
    let folder = TempDir::new()?;
    let whole = folder.path().join("whole");
    let service = records(&program, &whole)?;
    create_organ(&service.address).await?;
    let importer = Kind::Records.client(&service.address)?;
    let mut texts = BTreeMap::new();
    for n in 0..25 {
        texts.insert(Kind::Records.write(&importer, n).await?, n);
    }
    let expected = answers(&service.address).await?;
    assert!(service.stop()?.success());

    let mut dice = Dice::new("flipped bits");
    let flips = rounds(60, 1000);
    let (mut refused, mut harmless, mut lost_data, mut wrong) = (0, 0, 0, Vec::new());
    for round in 0..flips {
        let broken = folder.path().join("broken");
        copy(&whole, &broken)?;
        let while_it_runs = round % 4 == 3;
        let place = broken.join(if while_it_runs || dice.below(2) == 0 { "journal" } else { "state" });
        let mut how = String::new();
        if !while_it_runs {
            how = flip(&place, &mut dice)?;
        }
        match records(&program, &broken) {
            Err(e) => {
                let told = format!("{e:#}");
                assert!(told.contains(".segment") && told.contains("record"), "{how}: {told}");
                refused += 1;
            }
            Ok(service) => {
                if while_it_runs {
                    how = flip(&place, &mut dice)?;
                }
                let client = Kind::Records.client(&service.address)?;
                let mut is_whole = answers(&service.address).await? == expected;
                for (name, n) in &texts {
                    match client.minutes_text(name).await {
                        Ok(bytes) if bytes == Kind::Records.text(*n).as_bytes() => {}
                        Ok(_) => is_whole = false,
                        Err(e) => {
                            assert_eq!(e.reason(), Some(jiyao_fault::Reason::RecordDamaged), "{how}: {e}");
                            lost_data += 1;
                        }
                    }
                }
                if is_whole {
                    harmless += 1;
                } else {
                    wrong.push(how);
                }
                service.kill()?;
            }
        }
        fs_err::remove_dir_all(&broken)?;
    }
    println!(
        "{flips} flipped bits: {refused} starts refused by name of the record, {harmless} without effect on any \
         answer, {lost_data} texts refused as damaged, {} wrong answers",
        wrong.len()
    );
    assert_eq!(wrong, Vec::<String>::new());
    assert!(refused > 0 && lost_data > 0, "the harness hits what matters");
    Ok(())
}
