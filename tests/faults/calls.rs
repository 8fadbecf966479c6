//! Calls of the system fail, and disks are full.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use jiyao_client::{Client, Import};
use jiyao_testkit::{FullDisk, Process, binary, may_mount, numbered, skip};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::erasure::found;

use super::{Found, Kind, PLANTED, create_organ, is_long, kinds, lost, records};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_ends_the_process_and_nothing_acknowledged_is_lost() -> Result<()> {
    let strace = Path::new("/usr/bin/strace");
    if !strace.exists() {
        skip("failed syncs", "strace is not installed");
        return Ok(());
    }
    let program = binary("jiyao-records", "jiyao-records", None)?;
    // With many at once the next group is in hand when a sync fails.
    for (nth, at_once) in [(2, 1), (5, 1), (9, 1), (4, 16), (9, 16)] {
        let temporary = TempDir::new()?;
        // The service makes it, closed to others.
        let folder = temporary.path().join("data");
        let data = folder.display().to_string();
        let inject = format!("inject=fdatasync:error=EIO:when={nth}");
        let program_name = program.display().to_string();
        let traced = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", &inject, &program_name];
        let arguments =
            ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "log=off", "--set", "reserve_mb=1"];
        let service = Process::start(strace, &[&traced[..], &arguments].concat())?;
        create_organ(&service.address).await?;
        let importer = Kind::Records.client(&service.address)?;
        let mut acknowledged = BTreeMap::new();
        let mut importers = tokio::task::JoinSet::new();
        for of in 0..at_once {
            let importer = importer.clone();
            importers.spawn(async move {
                let mut done = Vec::new();
                for n in (of..20 * at_once).step_by(at_once) {
                    let text = Kind::Records.text(n).into_bytes();
                    match importer.import_minutes(Import::new("organs/linlan", text)).await {
                        Ok(imported) => done.push((imported.minutes.name, n)),
                        Err(e) => {
                            assert!(e.is_unavailable(), "{e}");
                            break;
                        }
                    }
                }
                done
            });
        }
        while let Some(done) = importers.join_next().await {
            acknowledged.extend(done?);
        }
        // The start syncs on another thread, and the organ took the writer's first; the import that met the failure was
        // not acknowledged.
        if at_once == 1 {
            assert_eq!(acknowledged.len(), nth - 2);
        }
        println!("fdatasync {nth} failed under {at_once}: {} acknowledged", acknowledged.len());
        assert_eq!(service.ended()?.code(), Some(74));
        let again = records(&program, &folder)?;
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
    let (mut refused, mut unanswered) = (None, 0);
    for n in 1..150 {
        match importer.import_minutes(Import::new("organs/linlan", Kind::Records.text(n).into_bytes())).await
        {
            Ok(imported) => {
                acknowledged.insert(imported.minutes.name, n);
            }
            // It was recorded as the state failed: its answer waits for another state, longer than the client.
            Err(e) if e.reason().is_none() && unanswered == 0 => unanswered += 1,
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

/// What a service has when a call fails, and what is written then.
struct Story {
    kind: Kind,
    /// A data directory to begin with, and what was acknowledged in it; None: an empty one.
    before: Option<(TempDir, BTreeMap<String, usize>)>,
    writes: Vec<usize>,
    /// Sequences that a segment may begin with.
    firsts: RangeInclusive<u64>,
}

impl Story {
    /// A new service, and its first words.
    fn young(kind: Kind) -> Self {
        Self { kind, before: None, writes: (0..4).collect(), firsts: 1..=1 }
    }

    /// A service whose first segment is nearly full: the next words begin another.
    async fn nearly_full(kind: Kind, program: &Path) -> Result<Self> {
        let large = |nth: usize| nth * 40 + 39;
        let mut room = usize::MAX;
        loop {
            let folder = TempDir::new()?;
            let service = records(program, &folder.path().join("data"))?;
            let client = kind.client(&service.address)?;
            kind.begin(&client).await?;
            let mut acknowledged = BTreeMap::new();
            for nth in 0..room {
                if segments(folder.path())? > 1 {
                    // The one that began the second is one too many.
                    room = nth - 1;
                    break;
                }
                acknowledged.insert(kind.write(&client, large(nth)).await?, large(nth));
            }
            service.stop()?;
            if acknowledged.len() == room {
                let writes = (room..room + 3).map(large).collect();
                let head = room as u64 + 1;
                return Ok(Self {
                    kind,
                    before: Some((folder, acknowledged)),
                    writes,
                    firsts: head..=head + 3,
                });
            }
        }
    }
}

fn segments(folder: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs_err::read_dir(folder.join("data/journal"))? {
        count += usize::from(entry?.path().extension().is_some_and(|extension| extension == "segment"));
    }
    Ok(count)
}

/// A service under strace, with a call that fails. `paths`: only calls that touch them count; none: all do.
fn traced(program: &Path, folder: &Path, inject: &str, paths: &[PathBuf], bug: &str) -> Result<Process> {
    let (hits, data) = (hits(folder).display().to_string(), folder.join("data").display().to_string());
    let call = inject.split_once(':').map_or(inject, |(call, _)| call);
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let (program, trace) = (program.display().to_string(), format!("trace={call}"));
    let (inject, planted) = (format!("inject={inject}"), format!("FAILPOINTS={bug}"));
    let mut traced = vec!["-f", "-qq", "-o", &hits, "-E", &planted, "-e", &trace, "-e", &inject];
    for path in &paths {
        traced.extend(["-P", path]);
    }
    traced.push(&program);
    traced.extend([
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        &data,
        "--set",
        "log=off",
        "--set",
        "reserve_mb=1",
    ]);
    Process::start(Path::new("/usr/bin/strace"), &traced)
}

/// Each call with each error that it fails with.
fn with_errors<'c>(calls: &'c [&'c str]) -> impl Iterator<Item = (&'c str, &'static str)> {
    let errors: &[&str] = if is_long() { &["EIO", "ENOSPC"] } else { &["EIO"] };
    calls.iter().flat_map(|call| errors.iter().map(|error| (*call, *error)))
}

fn hits(folder: &Path) -> PathBuf {
    folder.join("hits")
}

fn was_hit(folder: &Path) -> bool {
    fs_err::read_to_string(hits(folder)).unwrap_or_default().contains("(INJECTED)")
}

/// What strace runs: strace ends with it, not the other way round. None: it has ended.
fn child(strace: &Process) -> Option<Pid> {
    let children = format!("/proc/{0}/task/{0}/children", strace.id());
    let children = fs_err::read_to_string(children).ok()?;
    Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
}

/// One run under strace with a call that fails the n-th time in each thread: whether it was hit, and what was
/// acknowledged.
async fn with_failing_call(
    Story { kind, before, writes, firsts }: &Story,
    program: &Path,
    folder: &Path,
    inject: &str,
    bug: &str,
) -> Result<(bool, BTreeMap<String, usize>)> {
    let data = folder.join("data");
    let mut acknowledged = BTreeMap::new();
    if let Some((before, had)) = before {
        super::copy(&before.path().join("data"), &data)?;
        acknowledged.clone_from(had);
    }
    // Only what touches the data directory: the network and the loader are others' business.
    let (journal, state) = (data.join("journal"), data.join("state"));
    let named = |first| journal.join(format!("{first:020}.segment"));
    let segments = firsts.clone().chain([1]).map(named).flat_map(|path| [path.with_extension("tmp"), path]);
    let others = ["db", "conf", "blobs", "seal", "version"].map(|name| state.join(name));
    let paths: Vec<PathBuf> =
        segments.chain(others).chain([journal.join("lock"), journal.clone(), state.clone()]).collect();
    // A service that does not start with a failing disk has promised nothing.
    if let Ok(service) = traced(program, folder, inject, &paths, bug) {
        let client = kind.client(&service.address)?;
        if before.is_some() || kind.begin(&client).await.is_ok() {
            for n in writes {
                if let Ok(name) = kind.write(&client, *n).await {
                    acknowledged.insert(name, *n);
                }
            }
        }
        if let Some(child) = child(&service) {
            // It may have ended by itself, as a failed sync makes it.
            let _ = kill_process(child, Signal::KILL);
        }
        service.ended()?;
    }
    Ok((was_hit(folder), acknowledged))
}

/// What was acknowledged of a life.
#[derive(Default)]
struct Lived {
    writes: BTreeMap<String, usize>,
    is_erased: bool,
    backup: Option<Vec<u8>>,
}

const CANARY: &str = "金丝雀在册";

/// A whole life, as far as it comes: words small and large, an upload, a backup, an erasure, an end in order.
async fn live(kind: Kind, service: &Process) -> Result<Lived> {
    let (client, mut lived) = (kind.client(&service.address)?, Lived::default());
    if kind.begin(&client).await.is_err() {
        return Ok(lived);
    }
    for n in [0, 39, 1] {
        if child(service).is_none() {
            return Ok(lived);
        }
        if let Ok(name) = kind.write(&client, n).await {
            lived.writes.insert(name, n);
        }
    }
    let mut copied = Vec::new();
    if child(service).is_some() && client.backup(kind.service(), &mut copied).await.is_ok() {
        lived.backup = Some(copied);
    }
    if matches!(kind, Kind::Records) && child(service).is_some() {
        // A page of more than a text may have goes by upload.
        let page = format!(
            "<html><!--{}--><body><p>{CANARY}</p><p>{}</p></body></html>",
            "-".repeat(1 << 20),
            numbered(7)
        );
        let import = Import::new("organs/linlan", page.into_bytes());
        if let Ok(imported) = client.import_minutes(import).await
            && let Ok(asked) = client.ask_erasure(&imported.minutes.name, "个人信息保护法第四十七条").await
        {
            let url = format!("http://{}", service.address);
            let other = Client::builder().records(url).acting_as("second", "").timeout(TIMEOUT).build()?;
            lived.is_erased = other.confirm_erasure(&asked.id).await.is_ok();
        }
    }
    Ok(lived)
}

const TIMEOUT: Duration = Duration::from_secs(5);

/// What came of a whole life with a failing call, on a disk that is whole again.
struct Outlived {
    was_hit: bool,
    lost: usize,
    /// Files that still have what was erased; None: nothing was.
    left: Option<Vec<String>>,
    is_copied: bool,
}

/// Lives with calls that fail as `inject` says; `bug`: what is planted.
async fn outlive(kind: Kind, program: &Path, inject: &str, bug: &str) -> Result<Outlived> {
    let folder = TempDir::new()?;
    // A service that does not start with a failing disk has promised nothing.
    let mut lived = Lived::default();
    if let Ok(service) = traced(program, folder.path(), inject, &[], bug) {
        lived = live(kind, &service).await?;
        if let Some(child) = child(&service) {
            let _ = kill_process(child, Signal::TERM);
        }
        service.ended()?;
    }
    let was_hit = was_hit(folder.path());
    let data = folder.path().join("data");
    let again = records(program, &data)?;
    let lost = lost(kind, &again.address, &lived.writes).await?;
    let left = if lived.is_erased { Some(found(&data, CANARY.as_bytes())?) } else { None };
    if let Some(backup) = &lived.backup {
        jiyao_backup::check(backup.as_slice())?;
    }
    Ok(Outlived { was_hit, lost, left, is_copied: lived.backup.is_some() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_life_stands_failing_calls_and_a_planted_deaf_ear_is_found() -> Result<()> {
    if !Path::new("/usr/bin/strace").exists() {
        skip("failing calls of a whole life", "strace is not installed");
        return Ok(());
    }
    let is_long = is_long();
    // Not `write`: threads are woken by it too, which no disk makes fail. `ftruncate` is a restore's alone.
    let calls: &[&str] = if is_long {
        &["pwrite64", "fdatasync", "fsync", "rename", "openat", "fallocate", "unlink", "mkdir"]
    } else {
        &["fdatasync", "rename", "unlink"]
    };
    let most = if is_long { 40 } else { 4 };
    let (mut runs, mut hits, mut erased, mut copies) = (0, BTreeMap::<&str, usize>::new(), 0, 0);
    for kind in kinds() {
        let program = binary(kind.package(), kind.package(), None)?;
        for (call, error) in with_errors(calls) {
            for for_ever in ["", "+"] {
                for nth in 1..=most {
                    let inject = format!("{call}:error={error}:when={nth}{for_ever}");
                    let came = outlive(*kind, &program, &inject, "").await;
                    let came = came.map_err(|e| e.context(format!("{kind:?} after {inject}")))?;
                    runs += 1;
                    *hits.entry(call).or_default() += usize::from(came.was_hit);
                    assert_eq!(came.lost, 0, "{kind:?} after {inject}");
                    if let Some(left) = came.left {
                        assert!(left.is_empty(), "{kind:?} after {inject}: {left:?}");
                        erased += 1;
                    }
                    copies += usize::from(came.is_copied);
                    if !came.was_hit {
                        break;
                    }
                }
            }
        }
    }
    println!(
        "{runs} lives with a failing call, that many of them hit: {hits:?}; {erased} erased, {copies} copied"
    );
    assert!(hits.values().all(|hits| *hits > 0), "each call is met: {hits:?}");
    assert!(erased > 0 && copies > 0, "lives come as far as that");

    let program = binary("jiyao-records", "jiyao-records", Some(PLANTED))?;
    let mut is_found = false;
    for nth in 1..20 {
        let inject = format!("pwrite64:error=EIO:when={nth}");
        let came = outlive(Kind::Records, &program, &inject, "no-errors=return").await;
        is_found |= came.is_err() || came.is_ok_and(|came| came.lost > 0);
        if is_found {
            println!("with errors that nobody hears: found after {inject}");
            break;
        }
    }
    assert!(is_found, "the harness does not see an error that nobody hears");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_call_fails_nothing_acknowledged_is_lost_and_a_planted_deaf_ear_is_found() -> Result<()> {
    if !Path::new("/usr/bin/strace").exists() {
        skip("failing calls", "strace is not installed");
        return Ok(());
    }
    let is_long = is_long();
    let calls: &[&str] = if is_long {
        &["write", "pwrite64", "fdatasync", "fsync", "rename", "openat", "fallocate"]
    } else {
        &["pwrite64", "fsync", "rename", "openat"]
    };
    let most = if is_long { usize::MAX } else { 3 };
    let (mut runs, mut hits) = (0, BTreeMap::<&str, usize>::new());
    for kind in kinds() {
        let program = binary(kind.package(), kind.package(), None)?;
        for story in [Story::young(*kind), Story::nearly_full(*kind, &program).await?] {
            let mut rolled = 0;
            for (call, error) in with_errors(calls) {
                for nth in 1..=most {
                    let folder = TempDir::new()?;
                    let inject = format!("{call}:error={error}:when={nth}");
                    let (was_hit, acknowledged) =
                        with_failing_call(&story, &program, folder.path(), &inject, "").await?;
                    runs += 1;
                    *hits.entry(call).or_default() += usize::from(was_hit);
                    rolled += usize::from(segments(folder.path())? > 1);
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
            assert!(story.before.is_none() || rolled > 0, "{kind:?}: no run came to another segment");
        }
    }
    println!(
        "{runs} runs with a failing call, that many of them hit: {hits:?}; nothing acknowledged was lost"
    );
    assert!(hits.values().sum::<usize>() > 2 * calls.len(), "the harness hits something: {hits:?}");
    for call in calls {
        assert!(hits[call] > 0, "no {call} failed: {hits:?}");
    }

    let program = binary("jiyao-records", "jiyao-records", Some(PLANTED))?;
    let (mut found, young) = (Found::default(), Story::young(Kind::Records));
    for nth in 1..20 {
        let (folder, inject) = (TempDir::new()?, format!("pwrite64:error=EIO:when={nth}"));
        let deaf = "no-errors=return";
        let (_, acknowledged) = with_failing_call(&young, &program, folder.path(), &inject, deaf).await?;
        found.acknowledged += acknowledged.len();
        found.look(Kind::Records, || records(&program, &folder.path().join("data")), &acknowledged).await?;
        if !found.is_clean() {
            break;
        }
    }
    println!("with errors that nobody hears: {found:?}");
    assert!(!found.is_clean(), "the harness does not see an error that nobody hears");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_with_a_failing_call_is_whole_or_nothing() -> Result<()> {
    let strace = Path::new("/usr/bin/strace");
    if !strace.exists() {
        skip("failing calls of a restore", "strace is not installed");
        return Ok(());
    }
    // The one that has keys besides its journal.
    let kind = Kind::Distribution;
    let (program, folder) = (binary(kind.package(), kind.package(), None)?, TempDir::new()?);
    let service = records(&program, &folder.path().join("whole"))?;
    let client = kind.client(&service.address)?;
    let mut writes = BTreeMap::new();
    for n in [0, 39, 1] {
        writes.insert(kind.write(&client, n).await?, n);
    }
    let backup = folder.path().join("backup.tar");
    client.backup(kind.service(), fs_err::File::create(&backup)?).await?;
    service.stop()?;
    let jiyao = binary("jiyao-cli", "jiyao", None)?;
    let restored = |data: &Path, inject: Option<&str>| -> Result<bool> {
        let mut command = std::process::Command::new(if inject.is_some() { strace } else { &jiyao });
        if let Some(inject) = inject {
            let call = inject.split_once(':').map_or(inject, |(call, _)| call);
            command.args(["-f", "-qq", "-o"]).arg(hits(folder.path()));
            command.args(["-e", &format!("trace={call}"), "-e", &format!("inject={inject}")]).arg(&jiyao);
        }
        Ok(command.arg("restore").arg(&backup).arg(data).output()?.status.success())
    };
    let calls = ["ftruncate", "write", "fsync", "rename", "mkdir", "openat", "unlink"];
    let most = if is_long() { 60 } else { 3 };
    let (mut runs, mut whole, mut nothing) = (0, 0, 0);
    for (call, error) in with_errors(&calls) {
        for nth in 1..=most {
            let (data, inject) = (folder.path().join("data"), format!("{call}:error={error}:when={nth}"));
            let is_done = restored(&data, Some(&inject))?;
            let was_hit = was_hit(folder.path());
            runs += 1;
            // What has a name is whole; without one there is nothing that would be in the way of another restore.
            if is_done || data.join("journal").exists() {
                whole += 1;
            } else {
                nothing += 1;
                assert!(restored(&data, None)?, "after {inject} there is no other restore");
            }
            let again = records(&program, &data).map_err(|e| e.context(inject.clone()))?;
            assert_eq!(lost(kind, &again.address, &writes).await?, 0, "after {inject}");
            again.kill()?;
            fs_err::remove_dir_all(&data)?;
            if !was_hit {
                break;
            }
        }
    }
    println!("{runs} restores with a failing call: {whole} whole, {nothing} nothing at all");
    assert!(whole > 0 && nothing > 0, "the harness hits some");
    Ok(())
}
