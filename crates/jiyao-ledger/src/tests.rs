use std::time::Duration;

use jiyao_calendar::{TestClock, Timestamp};
use jiyao_fault::{Fault, Reason};
use jiyao_journal::{Cursor, Options};
use jiyao_proto::journal::v1::OrganCreated;
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::stored::v1::Event;
use tempfile::TempDir;
use tokio_stream::StreamExt as _;
use uuid::Uuid;

use super::*;

/// Named counters: a command adds to one, 0 asks without changing anything, negative is refused.
pub(crate) struct Counters;

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
}

const OPTIONS: Options = Options { segment_size: 1 << 20, reserve: 0 };

fn open_with(folder: &TempDir, options: Options) -> Result<Ledger<Counters>, OpenError> {
    let clock = TestClock::at(Timestamp::from_second(1_700_000_000).unwrap());
    Ledger::open(&Places::in_folder(folder.path()), options, Counters, clock, Box::new(|_| Uuid::nil()))
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
    assert_eq!(stretch.events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 3]);
    ledger.submit(add("c", 1, "")).await.unwrap();
    let news = stream.next().await.unwrap().unwrap();
    assert_eq!((news.from, news.through.sequence, news.events.len()), (3, 4, 1));
    let mut resumed = ledger.follow(Some(stretch.through)).unwrap();
    assert_eq!(resumed.next().await.unwrap().unwrap().events, news.events);

    let head = ledger.head();
    let refusal = |cursor| ledger.follow(Some(cursor)).unwrap_err().reason();
    assert_eq!(refusal(Cursor { journal: Uuid::nil(), ..head }), Reason::CursorForeign);
    assert_eq!(refusal(Cursor { sequence: 99, ..head }), Reason::JournalForked);
    assert_eq!(refusal(Cursor { hash: [0; 32], ..head }), Reason::JournalForked);
    ledger.close().await;
    assert!(stream.next().await.is_none(), "closing ends the streams");
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
async fn a_journal_that_lost_acknowledged_records_is_refused_and_an_older_one_rebuilds() {
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

    // An older copy of the journal was put back on purpose.
    std::fs::write(&segment, &older).unwrap();
    let restored = open(&folder);
    assert_eq!(total(restored.submit(add("a", 0, "")).await.unwrap()), 1);
    restored.close().await;

    std::fs::remove_file(&segment).unwrap();
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
    journal.erase(2).unwrap();
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
    assert_eq!(stretch.events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 3]);
}
