use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiyao_calendar::{Clock as _, TestClock, Timestamp};
use jiyao_fault::{Fault, Reason};
use jiyao_journal::{Cursor, Options};
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::journal::v1::{self as journal, OrganCreated};
use jiyao_proto::stored::v1::Event;
use jiyao_state::State;
use prost::Message as _;
use tempfile::TempDir;
use tokio_stream::StreamExt as _;
use uuid::Uuid;

use super::*;

mod clock;
mod reads;

/// Named counters: a command adds to one, 0 asks without changing anything, negative is refused.
pub(crate) struct Counters;

/// A counter that others could not do without.
const NEEDED: &str = "needed";

/// A counter that the rules have a bug with.
const BUG: &str = "bug";

pub(crate) struct Add(&'static str, i64);

impl Domain for Counters {
    type Command = Add;
    const PROJECTION: u32 = 1;

    fn decide(
        &self,
        view: &Overlay<'_>,
        Add(name, by): &Add,
        _: &mut Context<'_>,
    ) -> jiyao_fault::Result<Decided> {
        assert_ne!(*name, BUG, "a rule with a bug");
        let before =
            view.get(name.as_bytes())?.map_or(0, |bytes| i64::from_be_bytes(bytes.try_into().unwrap()));
        let answer = (before + by).to_be_bytes().to_vec();
        match by {
            0 => Ok(Decided { events: Vec::new(), answer }),
            1.. => {
                let body = [&(before + by).to_be_bytes()[..], name.as_bytes()].concat();
                let event = Event { r#type: "added".to_owned(), version: 1, body };
                Ok(Decided { events: vec![event], answer })
            }
            _ => Err(Fault::invalid("by", by)),
        }
    }

    fn apply(&self, view: &mut Overlay<'_>, event: &Event, _: u64) -> jiyao_fault::Result<()> {
        if (event.r#type.as_str(), event.version) != ("added", 1) {
            return Err(Fault::internal("unknown event"));
        }
        let (total, name) = event.body.split_at(8);
        view.put(name.to_vec(), total.to_vec());
        Ok(())
    }

    fn public(&self, event: &Event) -> jiyao_fault::Result<Vec<Kind>> {
        let organ = String::from_utf8(event.body[8..].to_vec()).unwrap();
        Ok(if organ == "private" { Vec::new() } else { vec![Kind::OrganCreated(OrganCreated { organ })] })
    }

    fn may_erase(&self, view: &Overlay<'_>, name: &str) -> jiyao_fault::Result<()> {
        let is_known = name == BUG || !view.scan_prefix(name.as_bytes())?.is_empty();
        is_known.then_some(()).ok_or_else(|| Fault::new(Reason::MinutesNotFound))
    }

    /// Of a counter its name up to the first slash remains, and when it was erased; of [`NEEDED`] nothing that could be
    /// applied.
    fn erased(&self, event: &Event, erasing: &mut Erasing) -> jiyao_fault::Result<Option<Vec<Event>>> {
        assert_ne!(erasing.minutes, BUG, "a rule with a bug");
        let kept = erasing.minutes.as_bytes();
        if !event.body[8..].starts_with(kept) {
            return Ok(None);
        }
        let kind = if erasing.minutes == NEEDED { "?" } else { "added" };
        let body = [&erasing.time.as_millisecond().to_be_bytes()[..], kept].concat();
        Ok(Some(vec![Event { r#type: kind.to_owned(), version: 1, body }]))
    }

    fn sweep(&self, _: &Erasing) -> std::io::Result<()> {
        if CANNOT_SWEEP.get() { Err(std::io::Error::other("a disk that fails")) } else { Ok(()) }
    }
}

thread_local! {
    /// Whether files of what is erased cannot be removed, as who opens a ledger on this thread finds it.
    static CANNOT_SWEEP: Cell<bool> = const { Cell::new(false) };
}

/// When everything happens, in ms.
pub(crate) const NOW: i64 = 1_700_000_000_000;
const OPTIONS: Options = Options { segment_size: 1 << 20, reserve: 0 };

fn open_with(folder: &TempDir, options: Options) -> Result<Ledger<Counters>, OpenError> {
    open_at(folder, options, NOW)
}

fn open_at(folder: &TempDir, options: Options, now: i64) -> Result<Ledger<Counters>, OpenError> {
    open_by(folder, options, TestClock::at(Timestamp::from_millisecond(now).unwrap()))
}

fn open_by(folder: &TempDir, options: Options, clock: TestClock) -> Result<Ledger<Counters>, OpenError> {
    // Never the same one again, also where the same journal is opened again.
    static LAST: AtomicU64 = AtomicU64::new(0);
    let ids = Box::new(|_| Uuid::from_u64_pair(LAST.fetch_add(1, Ordering::SeqCst), 0));
    Ledger::open(&Places::in_folder(folder.path()), options, Counters, clock, ids)
}

pub(crate) fn open(folder: &TempDir) -> Ledger<Counters> {
    open_with(folder, OPTIONS).unwrap()
}

pub(crate) fn add(name: &'static str, by: i64, request_id: &str) -> Submission<Add> {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&by.to_be_bytes());
    Submission {
        principal: "clerk".to_owned(),
        method: "/test/Add",
        request_id: request_id.to_owned(),
        digest,
        command: Add(name, by),
    }
}

pub(crate) fn total(committed: Committed) -> i64 {
    i64::from_be_bytes(committed.answer.try_into().unwrap())
}

pub(crate) fn state_of(ledger: &Ledger<Counters>) -> Vec<(Vec<u8>, Vec<u8>)> {
    ledger.read(|view| view.scan(b"", b"").collect()).unwrap().0
}

#[tokio::test]
async fn commands_of_one_group_see_each_other_and_survive() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    let all = (0..500).map(|_| ledger.submit(add("a", 1, "")));
    let mut totals: Vec<i64> = Vec::new();
    for waiting in all.map(|one| async { total(one.await.unwrap()) }).collect::<Vec<_>>() {
        totals.push(waiting.await);
    }
    assert_eq!(totals, (1..=500).collect::<Vec<_>>());
    let tasks: Vec<_> = (0..300)
        .map(|_| {
            let ledger = ledger.clone();
            tokio::spawn(async move { total(ledger.submit(add("b", 1, "")).await.unwrap()) })
        })
        .collect();
    let mut concurrent = Vec::new();
    for task in tasks {
        concurrent.push(task.await.unwrap());
    }
    concurrent.sort_unstable();
    assert_eq!(concurrent, (1..=300).collect::<Vec<_>>());
    assert_eq!(ledger.head().sequence, 800);
    let before = state_of(&ledger);
    ledger.close().await;
    let again = open(&folder);
    assert_eq!(state_of(&again), before);
    again.close().await;
    fs_remove(&folder, "state");
    let rebuilt = open(&folder);
    assert_eq!(state_of(&rebuilt), before, "a rebuild gives the same state, bit for bit");
}

fn fs_remove(folder: &TempDir, name: &str) {
    std::fs::remove_dir_all(folder.path().join(name)).unwrap();
}

#[tokio::test]
async fn a_rule_that_panics_fails_its_command_alone() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    for turn in 1..=3 {
        let (before, bug, behind) = tokio::join!(
            ledger.submit(add("a", 1, "")),
            ledger.submit(add(BUG, 1, "")),
            ledger.submit(add("b", 1, ""))
        );
        assert_eq!(bug.unwrap_err().reason(), Reason::Internal);
        // Whoever was in its group is told to repeat; nothing that was acknowledged is missing.
        for told in [before, behind] {
            assert!(told.is_ok() || told.unwrap_err().reason() == Reason::StateUnavailable);
        }
        let again = async {
            loop {
                if let Ok(committed) = ledger.submit(add("c", 1, "")).await {
                    return total(committed);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let total = tokio::time::timeout(Duration::from_secs(20), again).await.unwrap();
        assert_eq!(total, turn, "the service goes on");
    }
    ledger.close().await;
}

#[tokio::test]
async fn a_start_that_is_refused_leaves_everything_as_it_is() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    ledger.submit(add("a", 1, "")).await.unwrap();
    ledger.close().await;
    let files = || {
        let mut all = Vec::new();
        for place in ["journal", "state"] {
            for entry in std::fs::read_dir(folder.path().join(place)).unwrap() {
                let path = entry.unwrap().path();
                all.push((
                    path.clone(),
                    if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() },
                ));
            }
        }
        all.sort();
        all
    };
    // A segment of a newer format: the version is in the first bytes behind the mark.
    let journal = folder.path().join("journal");
    let segment = std::fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path());
    let segment =
        segment.into_iter().find(|path| path.extension().is_some_and(|of| of == "segment")).unwrap();
    let old = std::fs::read(&segment).unwrap();
    let newer = [&old[..7], &[old[7] + 1], &old[8..]].concat();
    std::fs::write(&segment, &newer).unwrap();
    let before = files();
    let refused = open_with(&folder, OPTIONS).err().unwrap();
    assert!(matches!(refused, OpenError::Journal(jiyao_journal::OpenError::Version { .. })), "{refused}");
    assert_eq!(files(), before);
    // A state of a newer program.
    std::fs::write(&segment, &old).unwrap();
    drop(jiyao_state::State::open(&folder.path().join("newer"), 2, Duration::from_secs(20)).unwrap());
    let (newer, kept) = (folder.path().join("newer/version"), folder.path().join("state/version"));
    std::fs::copy(newer, &kept).unwrap();
    let before = files();
    let refused = open_with(&folder, OPTIONS).err().unwrap();
    assert!(refused.to_string().contains("a newer program wrote it"), "{refused}");
    assert_eq!(files(), before);
    // A damaged one says nothing: the state is looked at, as ever.
    std::fs::write(&kept, "7 00000000").unwrap();
    open_with(&folder, OPTIONS).unwrap().close().await;
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_another_body_is_refused() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    let first = ledger.submit(add("a", 5, "id-1")).await.unwrap();
    ledger.submit(add("a", 1, "")).await.unwrap();
    let repeat = ledger.submit(add("a", 5, "id-1")).await.unwrap();
    assert_eq!((total(repeat.clone()), repeat.cursor), (5, first.cursor));
    let refused = ledger.submit(add("a", 6, "id-1")).await.unwrap_err();
    assert_eq!(
        (refused.reason(), refused.fields()),
        (Reason::RequestIdReused, &["request_id".to_owned()][..])
    );
    assert_eq!(ledger.submit(add("a", -1, "id-2")).await.unwrap_err().reason(), Reason::FieldInvalid);
    assert_eq!(total(ledger.submit(add("a", 2, "id-2")).await.unwrap()), 8, "a refusal uses up no id");
    ledger.close().await;
    fs_remove(&folder, "state");
    let rebuilt = open(&folder);
    assert_eq!(total(rebuilt.submit(add("a", 5, "id-1")).await.unwrap()), 5);
    assert_eq!(rebuilt.submit(add("a", 0, "")).await.map(total).unwrap(), 8);
    assert_eq!(rebuilt.head().sequence, 3, "what changes nothing is not written");
}

#[tokio::test]
async fn followers_get_every_stretch_once_and_foreign_or_forked_cursors_are_refused() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    for name in ["a", "private", "b"] {
        ledger.submit(add(name, 1, "")).await.unwrap();
    }
    let mut stream = ledger.follow(None).unwrap();
    let stretch = stream.next().await.unwrap().unwrap();
    assert_eq!((stretch.from, stretch.through), (0, ledger.head()));
    assert_eq!(stretch.events().unwrap().iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 3]);
    ledger.submit(add("c", 1, "")).await.unwrap();
    let news = stream.next().await.unwrap().unwrap();
    assert_eq!((news.from, news.through.sequence, news.events().unwrap().len()), (3, 4, 1));
    let mut resumed = ledger.follow(Some(stretch.through)).unwrap();
    assert_eq!(resumed.next().await.unwrap().unwrap().encoded, news.encoded);

    let head = ledger.head();
    let refusal = |cursor| ledger.follow(Some(cursor)).unwrap_err().reason();
    assert_eq!(refusal(Cursor { journal: Uuid::nil(), ..head }), Reason::CursorForeign);
    assert_eq!(refusal(Cursor { sequence: 99, ..head }), Reason::JournalForked);
    assert_eq!(refusal(Cursor { hash: [0; 32], ..head }), Reason::JournalForked);
    ledger.close().await;
    assert!(stream.next().await.is_none(), "closing ends the streams");
}

/// All that happened behind a sequence, in stretches that follow on each other.
async fn followed(ledger: &Ledger<Counters>, from: u64) -> Vec<journal::Event> {
    let mut stream = ledger.follow(Some(ledger.log().cursor_at(from).unwrap())).unwrap();
    let (mut at, mut events) = (from, Vec::new());
    while at < ledger.head().sequence {
        let stretch = stream.next().await.unwrap().unwrap();
        assert_eq!(stretch.from, at);
        at = stretch.through.sequence;
        events.extend(stretch.events().unwrap());
    }
    events
}

#[tokio::test]
async fn full_blocks_of_what_is_public_lie_in_the_state_as_the_journal_has_them() {
    let folder = TempDir::new().unwrap();
    let mut ledger = open(&folder);
    for n in 0..10 {
        ledger.submit(add(if n % 3 == 0 { "private" } else { "a" }, 1, "")).await.unwrap();
    }
    let head = ledger.head().sequence;
    let block = crate::public::end_of_block(0);
    for is_rebuilt in [false, true] {
        if is_rebuilt {
            ledger.close().await;
            fs_remove(&folder, "state");
            ledger = open(&folder);
        }
        let inner = &ledger.inner;
        let read = |from, through| crate::public::read(&Counters, &inner.log, from, through).unwrap().0;
        let kept = |from, through| crate::public::kept(&inner.state, from, through);
        for from in (0..head - block).step_by(block as usize) {
            assert_eq!(kept(from, from + block).unwrap(), read(from, from + block), "from {from}");
        }
        assert_eq!(kept(head / block * block, head), None, "a block that is not full");
        assert_eq!(kept(1, block), None, "a part of one");
        for from in 0..head {
            let reply =
                journal::FollowResponse { events: followed(&ledger, from).await, ..Default::default() };
            assert_eq!(reply.encode_to_vec(), read(from, head), "from {from}");
        }
    }
}

/// A name that makes an event so large that a block of them is more than a reply takes.
const LONG: &str = "a name of a counter that is so long that not even two events of it go into a reply of the size that \
                    tests have, which is far below what services have, and no test of a service comes to that";

#[tokio::test]
async fn what_is_public_goes_out_in_replies_that_a_client_takes() {
    let folder = TempDir::new().unwrap();
    let mut ledger = open(&folder);
    for n in 0..22 {
        ledger.submit(add(if n % 5 == 0 { "a" } else { LONG }, 1, "")).await.unwrap();
    }
    let head = ledger.head().sequence;
    for is_opened_again in [false, true] {
        if is_opened_again {
            ledger.close().await;
            ledger = open(&folder);
            ledger.submit(add(LONG, 1, "")).await.unwrap();
        }
        for from in 0..head {
            let mut stream = ledger.follow(Some(ledger.log().cursor_at(from).unwrap())).unwrap();
            let (mut at, mut sequences) = (from, Vec::new());
            while at < head {
                let stretch = stream.next().await.unwrap().unwrap();
                assert!(stretch.encoded.len() < 600, "{} bytes", stretch.encoded.len());
                at = stretch.through.sequence;
                sequences.extend(stretch.events().unwrap().iter().map(|event| event.sequence));
            }
            assert_eq!(sequences, (from + 1..=at).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn without_room_commands_are_refused_and_reads_go_on() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    ledger.submit(add("a", 1, "")).await.unwrap();
    ledger.close().await;
    let full = open_with(&folder, Options { reserve: u64::MAX / 2, ..OPTIONS }).unwrap();
    assert_eq!(full.submit(add("a", 1, "")).await.unwrap_err().reason(), Reason::DiskFull);
    assert_eq!(state_of(&full).len(), 1);
    full.close().await;
    assert_eq!(total(open(&folder).submit(add("a", 1, "")).await.unwrap()), 2);
}

#[tokio::test]
async fn reading_waits_for_a_sequence_but_not_for_ever() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    let fault = ledger.reached(1, Duration::from_millis(20)).await.unwrap_err();
    assert_eq!((fault.reason(), fault.metadata()["wanted"].as_str()), (Reason::NotCaughtUp, "1"));
    let waiting = ledger.clone();
    let waiter = tokio::spawn(async move { waiting.reached(1, Duration::from_secs(20)).await });
    ledger.submit(add("a", 1, "")).await.unwrap();
    waiter.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_journal_that_lost_acknowledged_records_is_refused_however_it_lost_them() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    ledger.submit(add("a", 1, "")).await.unwrap();
    ledger.close().await;
    let journal = folder.path().join("journal");
    let segment = std::fs::read_dir(&journal)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "segment"))
        .unwrap();
    let older = std::fs::read(&segment).unwrap();
    let ledger = open(&folder);
    ledger.submit(add("a", 1, "")).await.unwrap();
    ledger.close().await;
    let newer = std::fs::read(&segment).unwrap();

    // The last group is gone from its second sector on: as a torn tail it would be cut, but the state has seen it.
    let mut torn = newer.clone();
    let from = older.iter().rposition(|byte| *byte != 0).unwrap() + 1 + 110;
    torn[from..].fill(0);
    std::fs::write(&segment, &torn).unwrap();
    for _ in 0..2 {
        let refused = open_with(&folder, OPTIONS).err().unwrap();
        assert!(matches!(refused, OpenError::RecordsMissing { shown: 2, held: 1, .. }), "{refused}");
    }

    // As it was before: nothing is torn, and yet the state knows more. Whoever put it back on purpose removes the state.
    for cut in [older.clone(), newer[..from - 110].to_vec()] {
        std::fs::write(&segment, &cut).unwrap();
        let refused = open_with(&folder, OPTIONS).err().unwrap();
        assert!(matches!(refused, OpenError::RecordsMissing { shown: 2, held: 1, .. }), "{refused}");
    }
    std::fs::write(&segment, &older).unwrap();
    fs_remove(&folder, "state");
    let restored = open(&folder);
    assert_eq!(total(restored.submit(add("a", 0, "")).await.unwrap()), 1);
    restored.close().await;

    // Without its segments it is known that there were some; without anything the state still knows.
    std::fs::remove_file(&segment).unwrap();
    let gone =
        |refused: &OpenError| matches!(refused, OpenError::Journal(jiyao_journal::OpenError::Gone { .. }));
    assert!(open_with(&folder, OPTIONS).err().is_some_and(|refused| gone(&refused)));
    fs_remove(&folder, "journal");
    for _ in 0..2 {
        assert!(matches!(open_with(&folder, OPTIONS), Err(OpenError::RecordsMissing { held: 0, .. })));
    }
}

#[tokio::test]
async fn an_erased_record_is_passed_over_by_replay_follow_and_repeat() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    for (name, request_id) in [("a", "id-1"), ("b", "id-2"), ("c", "id-3")] {
        ledger.submit(add(name, 1, request_id)).await.unwrap();
    }
    let head = ledger.head();
    ledger.close().await;
    let places = Places::in_folder(folder.path());
    let mut journal = jiyao_journal::Journal::open(&places.journal, OPTIONS).unwrap().journal;
    journal.erase(&BTreeMap::from([(2, Vec::new())])).unwrap();
    drop(journal);

    // The state still shows what it had; a repeat of the erased request has no effect, and no answer to give.
    let kept = open(&folder);
    assert_eq!(kept.submit(add("b", 1, "id-2")).await.unwrap().answer, Vec::<u8>::new());
    kept.close().await;
    fs_remove(&folder, "state");
    let rebuilt = open(&folder);
    assert_eq!(rebuilt.head(), head);
    let shown: Vec<_> =
        state_of(&rebuilt).into_iter().filter(|(key, _)| key[0] != 0).map(|(key, _)| key).collect();
    assert_eq!(shown, [b"a".to_vec(), b"c".to_vec()]);
    let stretch = rebuilt.follow(None).unwrap().next().await.unwrap().unwrap();
    assert_eq!(stretch.through, head);
    assert_eq!(stretch.events().unwrap().iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 3]);
}

const SECRET: &str = "secret/机密的一段话，不得留存";
const NAME: &str = "secret";

fn is_left(folder: &Path) -> bool {
    is_found(folder, SECRET.split_at(NAME.len() + 1).1.as_bytes())
}

async fn three(folder: &TempDir) -> Ledger<Counters> {
    let ledger = open(folder);
    for (name, request_id) in [("a", "id-1"), (SECRET, "id-2"), ("c", "id-3"), (SECRET, "id-4"), (NEEDED, "")]
    {
        ledger.submit(add(name, 1, request_id)).await.unwrap();
    }
    ledger
}

pub(crate) async fn ask(ledger: &Ledger<Counters>, minutes: &str) -> jiyao_fault::Result<String> {
    let command =
        AskErasure { minutes: minutes.to_owned(), basis: "个人信息保护法第四十七条".to_owned() };
    let submission = Submission {
        principal: "first".to_owned(),
        method: "/test/AskErasure",
        request_id: String::new(),
        digest: [0; 32],
        command,
    };
    Ok(ledger.ask_erasure(submission).await?.id)
}

pub(crate) fn by(principal: &str, id: &str) -> CarryOut {
    let (id, principal) = (id.to_owned(), principal.to_owned());
    CarryOut::Confirmed { id, principal, method: "/test/ConfirmErasure" }
}

/// Whether any file under a folder has these bytes.
fn is_found(folder: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_found(&path, needle);
        }
        std::fs::read(path).unwrap().windows(needle.len()).any(|window| window == needle)
    })
}

fn names(ledger: &Ledger<Counters>) -> Vec<String> {
    let shown = state_of(ledger).into_iter().filter(|(key, _)| key.first() != Some(&0));
    shown.map(|(key, _)| String::from_utf8(key).unwrap()).collect()
}

#[tokio::test]
async fn what_two_persons_erase_is_gone_and_everything_else_stands() {
    let folder = TempDir::new().unwrap();
    let ledger = three(&folder).await;
    let before = ledger.head();
    let cursor = ledger.log().cursor_at(4).unwrap();
    assert_eq!(ask(&ledger, "nothing").await.unwrap_err().reason(), Reason::MinutesNotFound);
    let id = ask(&ledger, NAME).await.unwrap();
    assert!(is_left(folder.path()), "nothing happens yet");
    let same = ledger.erase(by("first", &id)).await.unwrap_err();
    assert_eq!(same.reason(), Reason::SamePerson);
    let unknown = ledger.erase(by("second", "00000000")).await.unwrap_err();
    assert_eq!(unknown.reason(), Reason::ErasureNotFound);

    let erased = ledger.erase(by("second", &id)).await.unwrap();
    assert_eq!(erased.records.iter().map(|record| record.sequence).collect::<Vec<_>>(), [2, 4]);
    assert!(!is_left(folder.path()));
    let count = |ledger: &Ledger<Counters>| ledger.erasures().unwrap().len();
    assert_eq!((names(&ledger), count(&ledger)), (["a", "c", NEEDED, NAME].map(str::to_owned).to_vec(), 1));
    assert_eq!(ledger.head().sequence, before.sequence + 2, "that it was asked, and that it was done");
    assert_eq!(ledger.log().cursor_at(4).unwrap(), cursor, "the chain is the same");
    assert_eq!(ledger.erase(by("third", &id)).await.unwrap(), erased, "a repeat answers the same");
    let reused = ledger.submit(add(SECRET, 1, "id-2")).await.unwrap_err();
    assert_eq!(reused.reason(), Reason::RequestIdReused);
    ledger.submit(add("d", 1, "")).await.unwrap();
    ledger.close().await;

    for _ in 0..2 {
        let again = open(&folder);
        assert_eq!((names(&again).len(), count(&again)), (5, 1));
        let told = |event: &journal::Event| match event.kind.as_ref().unwrap() {
            Kind::OrganCreated(created) => created.organ.clone(),
            Kind::MinutesErased(erased) => erased.confirmed_by.clone(),
            _ => unreachable!(),
        };
        let told: Vec<_> = followed(&again, 0).await.iter().map(told).collect();
        assert_eq!(told, ["a", NAME, "c", NAME, NEEDED, "second", "d"]);
        again.close().await;
        // From the journal alone it comes to the same.
        fs_remove(&folder, "state");
    }
}

#[tokio::test]
async fn an_erasure_that_meets_a_bug_is_refused_and_the_ledger_goes_on() {
    let folder = TempDir::new().unwrap();
    let ledger = three(&folder).await;
    let id = ask(&ledger, BUG).await.unwrap();
    let head = ledger.head();
    let refused = ledger.erase(by("second", &id)).await.unwrap_err();
    assert_eq!((refused.reason(), ledger.head()), (Reason::Internal, head));
    ledger.submit(add("a", 1, "")).await.unwrap();
    ledger.close().await;
}

/// What is stored, what the group before puts, and what this one puts are read as one.
#[test]
fn an_overlay_lies_upon_the_group_before_and_that_upon_the_state() {
    let folder = TempDir::new().unwrap();
    let patience = Duration::from_secs(20);
    let (state, _) = jiyao_state::State::open(&folder.path().join("state"), 1, patience).unwrap();
    let pairs = |pairs: &[(&str, Option<&str>)]| -> jiyao_state::Writes {
        pairs
            .iter()
            .map(|(key, value)| (key.as_bytes().to_vec(), value.map(|v| v.as_bytes().to_vec().into())))
            .collect()
    };
    let at = |sequence| jiyao_state::Applied { journal: [1; 16], sequence, hash: [2; 32] };
    let stored = [("k/a", Some("1")), ("k/b", Some("1")), ("k/c", Some("1")), ("k/d", Some("1"))];
    state.apply(pairs(&stored), at(1)).unwrap();
    let mut overlay = Overlay::new(&state);
    overlay.lay_upon(pairs(&[("k/a", None), ("k/b", Some("2")), ("k/c", None), ("k/e", Some("2"))]));
    overlay.put(b"k/b".to_vec(), b"3".to_vec());
    overlay.put(b"k/c".to_vec(), b"3".to_vec());
    overlay.remove(b"k/e".to_vec());
    let expected = [("k/b", "3"), ("k/c", "3"), ("k/d", "1")];
    let seen = |overlay: &Overlay<'_>| {
        for key in ["k/a", "k/b", "k/c", "k/d", "k/e", "k/f"] {
            let found =
                expected.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_bytes().to_vec());
            assert_eq!(overlay.get(key.as_bytes()).unwrap(), found, "{key}");
        }
        let found = overlay.scan_prefix(b"k/").unwrap();
        let found: Vec<_> =
            found.iter().map(|(k, v)| [k, v].map(|s| std::str::from_utf8(s).unwrap())).collect();
        assert_eq!(found, expected.map(|(key, value)| [key, value]));
    };
    seen(&overlay);
    let under = overlay.settle();
    state.apply(under, at(2)).unwrap();
    seen(&overlay);
}

/// Answers and reads are in one order that fits the time in which they were asked for and given: none is of before what
/// was answered when it began, none of behind what was asked for when it ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commands_and_reads_at_the_same_time_are_in_one_order() {
    const WRITERS: i64 = 8;
    const EACH: i64 = 100;
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    // What was asked for, and the largest that was answered.
    let (asked, answered) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let mut totals = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let (ledger, asked, answered) = (ledger.clone(), Arc::clone(&asked), Arc::clone(&answered));
        totals.spawn(async move {
            let mut totals = Vec::new();
            for _ in 0..EACH {
                let before = answered.load(Ordering::SeqCst);
                asked.fetch_add(1, Ordering::SeqCst);
                let total = total(ledger.submit(add("a", 1, "")).await.unwrap());
                assert!(before < total && total <= asked.load(Ordering::SeqCst), "{before} {total}");
                answered.fetch_max(total, Ordering::SeqCst);
                totals.push(total);
            }
            totals
        });
    }
    let reader = tokio::spawn({
        let (ledger, asked, answered) = (ledger.clone(), Arc::clone(&asked), Arc::clone(&answered));
        async move {
            let mut reads = 0;
            while answered.load(Ordering::SeqCst) < WRITERS * EACH {
                let before = answered.load(Ordering::SeqCst);
                let shown = ledger.read(|view| view.get(b"a")).unwrap().0;
                let shown = shown.map_or(0, |bytes| i64::from_be_bytes(bytes.try_into().unwrap()));
                assert!(before <= shown && shown <= asked.load(Ordering::SeqCst), "{before} {shown}");
                reads += 1;
                tokio::task::yield_now().await;
            }
            reads
        }
    });
    let mut all = totals.join_all().await.concat();
    all.sort_unstable();
    assert_eq!(all, (1..=WRITERS * EACH).collect::<Vec<_>>());
    assert!(reader.await.unwrap() > 0);
    ledger.close().await;
}

/// Another process that has the state open is proof that it lives: nothing of it is set aside.
#[tokio::test]
async fn a_state_that_is_open_elsewhere_ends_the_start() {
    let folder = TempDir::new().unwrap();
    open(&folder).close().await;
    let places = Places::in_folder(folder.path());
    let (held, _) = State::open(&places.state, Counters::PROJECTION, Duration::from_secs(20)).unwrap();
    let refused = open_with(&folder, OPTIONS).err().unwrap();
    assert!(matches!(refused, OpenError::StateInUse { .. }), "{refused}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "journal and state alone");
    drop(held);
    open(&folder).close().await;
}

/// The disk may be full for a new command: what was done before is answered all the same.
#[tokio::test]
async fn a_repeat_of_what_is_on_disk_is_answered_though_its_group_is_not_written() {
    let folder = TempDir::new().unwrap();
    let ledger = open(&folder);
    ledger.submit(add("a", 1, "id-1")).await.unwrap();
    let state = ledger.inner.state.get().unwrap();
    let mut group = crate::group::Group::new(&state, 2);
    let mut ask = |outcome| {
        let (reply, answer) = tokio::sync::oneshot::channel();
        group.add(outcome, reply);
        answer
    };
    let old = ask(crate::group::Outcome::Repeat { sequence: 1 });
    let new = ask(crate::group::Outcome::New { at: 0, answer: Vec::new(), told: None });
    let repeated = ask(crate::group::Outcome::Repeat { sequence: 2 });
    group.answers.refuse(&ledger.log(), || Fault::new(Reason::DiskFull));
    assert_eq!(total(old.await.unwrap().unwrap()), 1);
    for refused in [new, repeated] {
        assert_eq!(refused.await.unwrap().unwrap_err().reason(), Reason::DiskFull);
    }
}

#[tokio::test]
async fn what_others_cannot_do_without_is_not_erased() {
    let folder = TempDir::new().unwrap();
    let ledger = three(&folder).await;
    let id = ask(&ledger, NEEDED).await.unwrap();
    let (head, shown) = (ledger.head(), state_of(&ledger));
    let refused = ledger.erase(by("second", &id)).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::StateForbids);
    assert_eq!((ledger.head(), state_of(&ledger)), (head, shown));
    assert!(!ledger.log().read(5).unwrap().is_erased);
    ledger.submit(add("a", 1, "")).await.unwrap();
    ledger.close().await;
}

/// A closed ledger whose newest record is an erasure, of which so many records were written anew.
async fn interrupted(folder: &TempDir, done: usize) -> jiyao_proto::stored::v1::Erasure {
    let ledger = three(folder).await;
    ask(&ledger, NAME).await.unwrap();
    let mut erasure = ledger.erasures().unwrap().remove(0);
    let log = ledger.log();
    erasure.erase_time = erasure.ask_time;
    let plan = erasure::plan(&Counters, &log, &erasure).unwrap();
    erasure.records = erasure::named(&plan);
    ledger.close().await;
    drop((ledger, log));
    let places = Places::in_folder(folder.path());
    let mut journal = jiyao_journal::Journal::open(&places.journal, OPTIONS).unwrap().journal;
    let payload = erasure::record(&erasure, &by("second", &erasure.id)).encode_to_vec();
    journal.append(&[jiyao_journal::Entry { time_ms: journal.last_time_ms(), payload }]).unwrap();
    let first: BTreeMap<_, _> = plan.remains.into_iter().take(done).collect();
    journal.erase(&first).unwrap();
    erasure
}

/// Whatever a start gets to, the next one finds what is left to do: the state must not be ahead of it.
#[tokio::test]
async fn an_erasure_that_a_start_could_not_finish_is_finished_at_the_one_after() {
    for done in 0..3 {
        let folder = TempDir::new().unwrap();
        let erasure = interrupted(&folder, done).await;
        CANNOT_SWEEP.set(true);
        for _ in 0..2 {
            // With all written anew there is nothing to sweep: that was done before.
            let opened = open_with(&folder, OPTIONS);
            assert_eq!(opened.is_ok(), done == 2, "after {done}");
            if let Ok(ledger) = opened {
                ledger.close().await;
            }
        }
        CANNOT_SWEEP.set(false);
        let ledger = open(&folder);
        assert_eq!(names(&ledger), ["a", "c", NEEDED, NAME]);
        assert_eq!(ledger.erasures().unwrap(), [erasure]);
        ledger.close().await;
        assert!(!is_left(folder.path()), "after {done}");
    }
}

/// What an older program left of a record is proven by what it wrote down: it is not asked to be what this one would leave.
#[tokio::test]
async fn what_another_program_left_of_an_erased_record_stays() {
    let folder = TempDir::new().unwrap();
    let ledger = three(&folder).await;
    ask(&ledger, NAME).await.unwrap();
    let mut erasure = ledger.erasures().unwrap().remove(0);
    let mut plan = erasure::plan(&Counters, &ledger.log(), &erasure).unwrap();
    ledger.close().await;
    drop(ledger);
    let body = [&7_i64.to_be_bytes()[..], NAME.as_bytes()].concat();
    let events = vec![Event { r#type: "added".to_owned(), version: 1, body }];
    let other = jiyao_proto::stored::v1::Record { events, ..Default::default() }.encode_to_vec();
    plan.remains.values_mut().for_each(|left| left.clone_from(&other));
    erasure.erase_time = erasure.ask_time;
    erasure.records = erasure::named(&plan);
    let places = Places::in_folder(folder.path());
    let mut journal = jiyao_journal::Journal::open(&places.journal, OPTIONS).unwrap().journal;
    let payload = erasure::record(&erasure, &by("second", &erasure.id)).encode_to_vec();
    journal.append(&[jiyao_journal::Entry { time_ms: journal.last_time_ms(), payload }]).unwrap();
    journal.erase(&plan.remains).unwrap();
    drop(journal);
    for _ in 0..2 {
        let ledger = open(&folder);
        let kept = ledger.read(|view| view.get(NAME.as_bytes())).unwrap().0;
        assert_eq!(kept, Some(7_i64.to_be_bytes().to_vec()));
        ledger.close().await;
        fs_remove(&folder, "state");
    }
    assert!(!is_left(folder.path()));
}

#[tokio::test]
async fn an_erasure_that_was_interrupted_is_finished_at_the_next_start() {
    // What is on disk when the record is there: nothing erased, one segment of two, all but the state.
    for done in 0..3 {
        let folder = TempDir::new().unwrap();
        let erasure = interrupted(&folder, done).await;
        // What the process that was killed had begun beside the state in use.
        let places = Places::in_folder(folder.path());
        std::fs::create_dir(places.beside()).unwrap();
        std::fs::write(places.beside().join("db"), SECRET).unwrap();

        let ledger = open(&folder);
        assert_eq!(names(&ledger), ["a", "c", NEEDED, NAME]);
        assert_eq!(ledger.erasures().unwrap(), [erasure]);
        ledger.close().await;
        assert!(!is_left(folder.path()), "after {done}");
        assert!(!places.beside().exists());
    }
}

/// One record may tell of several minutes, as those of followers do.
#[tokio::test]
async fn an_interrupted_erasure_is_finished_also_where_another_one_was_before() {
    let folder = TempDir::new().unwrap();
    let places = Places::in_folder(folder.path());
    let added = |name: &str| Event {
        r#type: "added".to_owned(),
        version: 1,
        body: [&1_i64.to_be_bytes()[..], name.as_bytes()].concat(),
    };
    open(&folder).close().await;
    let both = jiyao_proto::stored::v1::Record {
        events: vec![added("one/of-the-first"), added("two/of-the-second")],
        ..jiyao_proto::stored::v1::Record::default()
    };
    let append = |payload: Vec<u8>| {
        let mut journal = jiyao_journal::Journal::open(&places.journal, OPTIONS).unwrap().journal;
        journal.append(&[jiyao_journal::Entry { time_ms: journal.last_time_ms().max(0), payload }]).unwrap();
    };
    append(both.encode_to_vec());
    let ledger = open(&folder);
    let first = ask(&ledger, "one").await.unwrap();
    ledger.erase(by("second", &first)).await.unwrap();
    ask(&ledger, "two").await.unwrap();
    let mut erasure = ledger.erasures().unwrap().into_iter().find(|one| one.minutes == "two").unwrap();
    let log = ledger.log();
    erasure.erase_time = erasure.ask_time;
    erasure.records = erasure::named(&erasure::plan(&Counters, &log, &erasure).unwrap());
    ledger.close().await;
    drop((ledger, log));
    // It is on record, and then the process was killed.
    append(erasure::record(&erasure, &by("second", &erasure.id)).encode_to_vec());
    assert!(is_found(folder.path(), b"of-the-second"));

    let ledger = open(&folder);
    assert_eq!(names(&ledger), ["one", "two"]);
    ledger.close().await;
    assert!(!is_found(folder.path(), b"of-the-second") && !is_found(folder.path(), b"of-the-first"));
}

#[tokio::test]
async fn minutes_are_erased_once_however_often_it_was_asked_for() {
    let folder = TempDir::new().unwrap();
    let ledger = three(&folder).await;
    let first = ask(&ledger, NAME).await.unwrap();
    let other = ask(&ledger, NAME).await.unwrap();
    ledger.erase(by("second", &first)).await.unwrap();
    let head = ledger.head();
    let again = ledger.erase(by("second", &other)).await.unwrap_err();
    assert_eq!((again.reason(), ledger.head()), (Reason::MinutesErased, head));

    // An older program carried out both: what remains tells of the last.
    let mut erasure = ledger.erasures().unwrap().into_iter().find(|one| one.id == other).unwrap();
    erasure.erase_time =
        erasure.ask_time.map(|time| prost_types::Timestamp { seconds: time.seconds + 60, ..time });
    let plan = erasure::plan(&Counters, &ledger.log(), &erasure).unwrap();
    erasure.records = erasure::named(&plan);
    ledger.close().await;
    drop(ledger);
    let places = Places::in_folder(folder.path());
    let mut journal = jiyao_journal::Journal::open(&places.journal, OPTIONS).unwrap().journal;
    let payload = erasure::record(&erasure, &by("second", &other)).encode_to_vec();
    journal.append(&[jiyao_journal::Entry { time_ms: journal.last_time_ms(), payload }]).unwrap();
    journal.erase(&plan.remains).unwrap();
    drop(journal);
    for _ in 0..2 {
        let ledger = open(&folder);
        assert_eq!(names(&ledger), ["a", "c", NEEDED, NAME]);
        ledger.close().await;
        fs_remove(&folder, "state");
    }
}
