//! Whatever the order in which a writer, readers and the thread that brings slices to sled get their turns: a reader sees
//! one version, or is told that it is gone; whoever writes waits for nobody; in the end sled has all.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use jiyao_state::{Applied, GOES_PAST_PINS, State, StateError, Writes};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, thread};

const BATCHES: u64 = 8;
const READERS: usize = 2;
const KEYS: u8 = 3;

fn at(sequence: u64) -> Applied {
    Applied { journal: [1; 16], sequence, hash: [2; 32] }
}

/// Every key has the batch's number.
fn batch(sequence: u64) -> Writes {
    let value = Bytes::from([&sequence.to_be_bytes()[..], &[7; 40]].concat());
    (0..KEYS).map(|key| (vec![key], Some(value.clone()))).collect()
}

/// How often readers were told that their version is gone, and how often not.
#[derive(Default)]
struct Seen {
    gone: std::sync::atomic::AtomicUsize,
    there: std::sync::atomic::AtomicUsize,
}

fn read(state: &Arc<State>, seen: &Seen) {
    let pin = state.pin().unwrap();
    let expected = pin.applied().sequence;
    let is_one = |value: &[u8]| value[..8] == expected.to_be_bytes();
    let look = || {
        if let Some(value) = pin.get(&[0])? {
            assert!(is_one(&value), "a get of another version than {expected}");
        }
        thread::yield_now();
        let mut found = 0;
        for pair in pin.scan(b"", b"") {
            assert!(is_one(&pair?.1), "a scan of another version than {expected}");
            found += 1;
            thread::yield_now();
        }
        assert_eq!(found, if expected == 0 { 0 } else { KEYS });
        Ok(())
    };
    match look() {
        Ok(()) => seen.there.fetch_add(1, Relaxed),
        Err(StateError::Revoked) => seen.gone.fetch_add(1, Relaxed),
        Err(e) => panic!("{e}"),
    };
}

fn story(seen: &Arc<Seen>) {
    let folder = tempfile::TempDir::new().unwrap();
    let path: PathBuf = folder.path().join("state");
    let patience = Duration::from_secs(20);
    let state = Arc::new(State::open(&path, 1, patience).unwrap().0);
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let (state, seen) = (Arc::clone(&state), Arc::clone(seen));
            thread::spawn(move || (0..3).for_each(|_| read(&state, &seen)))
        })
        .collect();
    for sequence in 1..=BATCHES {
        state.apply(batch(sequence), at(sequence)).unwrap();
        thread::yield_now();
    }
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    state.settle().unwrap();
    read(&state, seen);
    drop(state);
    let (state, _) = State::open(&path, 1, patience).unwrap();
    assert_eq!(state.applied().unwrap(), at(BATCHES));
}

/// The state fails at some time, under readers and a writer.
fn failing_story() {
    let folder = tempfile::TempDir::new().unwrap();
    let state = Arc::new(State::open(&folder.path().join("state"), 1, Duration::from_secs(20)).unwrap().0);
    let (read_from, failed) = (Arc::clone(&state), Arc::clone(&state));
    let reader = thread::spawn(move || {
        let Ok(pin) = read_from.pin() else { return };
        let expected = pin.applied().sequence;
        for _ in 0..3 {
            match pin.get(&[0]) {
                Ok(value) => assert!(value.is_none_or(|value| value[..8] == expected.to_be_bytes())),
                Err(StateError::Failed(_) | StateError::Revoked) => {}
                Err(e) => panic!("{e}"),
            }
            thread::yield_now();
        }
    });
    let failing = thread::spawn(move || failed.fail("a disk that is full"));
    for sequence in 1..=BATCHES {
        if let Err(e) = state.apply(batch(sequence), at(sequence)) {
            assert!(matches!(e, StateError::Failed(_)), "{e}");
        }
    }
    failing.join().unwrap();
    reader.join().unwrap();
    assert!(matches!(state.settle(), Err(StateError::Failed(_))), "it does not come back");
}

#[test]
fn whatever_the_order_a_reader_sees_one_version_or_is_told_that_it_is_gone() {
    let many = std::env::var("JIYAO_ORDERS").ok().and_then(|n| n.parse().ok()).unwrap_or(500);
    let seed = std::env::var("JIYAO_SEED")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or_else(|| std::process::id().into());
    println!("JIYAO_SEED={seed}");
    Runner::new(RandomScheduler::new_from_seed(seed, many), Config::default()).run(failing_story);
    let seen = Arc::new(Seen::default());
    let orders = || {
        let one = Arc::clone(&seen);
        let at_random = RandomScheduler::new_from_seed(seed, many);
        Runner::new(at_random, Config::default()).run(move || story(&one));
        let one = Arc::clone(&seen);
        let by_priority = PctScheduler::new_from_seed(seed, 3, many);
        Runner::new(by_priority, Config::default()).run(move || story(&one));
    };
    orders();
    let [gone, there] = [&seen.gone, &seen.there].map(|count| count.load(Relaxed));
    println!("{there} reads of one version, {gone} of one that was gone, in {} orders", many * 2);
    assert!(gone > 0 && there > gone, "both happen");
    GOES_PAST_PINS.store(true, Relaxed);
    let red = std::panic::catch_unwind(orders).is_err();
    GOES_PAST_PINS.store(false, Relaxed);
    assert!(red, "the harness does not see that sled goes past a pin");
}
