//! Readers that see one version, whatever is applied meanwhile, and what becomes of those that never end.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::*;

type Plain = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(folder: &tempfile::TempDir) -> Arc<State> {
    Arc::new(State::open(&folder.path().join("state"), 1, PATIENCE).unwrap().0)
}

fn seen(pin: &Pin) -> Result<Plain, StateError> {
    pin.scan(b"", b"").collect()
}

/// A batch of so many bytes, under keys of its own.
fn large(n: u64, bytes: usize) -> Writes {
    let value = Bytes::from(vec![7; 1000]);
    let key = |k: usize| [&n.to_be_bytes()[..], &k.to_be_bytes()].concat();
    (0..bytes / 1000).map(|k| (key(k), Some(value.clone()))).collect()
}

/// Dice that always fall the same way.
fn dice() -> impl FnMut(u64) -> u64 {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    }
}

/// Against a plain map that is copied for each pin: gets and scans, with layers that grow, merge and go to sled below
/// the pins.
#[test]
fn each_pin_sees_its_own_version_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(&folder);
    let (mut next, mut plain) = (dice(), Plain::new());
    let mut pins: Vec<(Pin, Plain, u64)> = Vec::new();
    let mut looked = 0;
    for sequence in 1..=600 {
        let mut batch = Writes::new();
        for _ in 0..next(30) {
            let key = format!("{}/{}", ["a", "b", "c"][next(3) as usize], next(200)).into_bytes();
            let value = (next(4) > 0).then(|| Bytes::from(vec![next(256) as u8; next(600) as usize]));
            match &value {
                Some(value) => plain.insert(key.clone(), value.to_vec()),
                None => plain.remove(&key),
            };
            batch.insert(key, value);
        }
        state.apply(batch, at(sequence)).unwrap();
        if next(3) == 0 {
            pins.push((state.pin().unwrap(), plain.clone(), sequence));
        }
        if pins.len() > 12 || next(5) == 0 {
            let gone = next(pins.len().max(1) as u64) as usize;
            pins.drain(gone..(gone + 1).min(pins.len()));
        }
        for (pin, plain, sequence) in &pins {
            assert_eq!(pin.applied(), at(*sequence));
            let key = format!("b/{}", next(200)).into_bytes();
            let got = pin.get(&key);
            if matches!(got, Err(StateError::Revoked)) {
                // It was held for longer than a version may be held, on a machine that had other things to do.
                continue;
            }
            assert_eq!(got.unwrap().as_ref(), plain.get(&key), "{}", String::from_utf8_lossy(&key));
            let found: Result<Vec<_>, _> = pin.scan(b"b/", &key).collect();
            let Ok(found) = found else { continue };
            let behind = plain.range(key.clone()..).filter(|(k, _)| **k != key && k.starts_with(b"b/"));
            let expected: Vec<_> = behind.map(|(k, v)| (k.clone(), v.clone())).collect();
            assert_eq!(found, expected, "version {sequence}");
            looked += 1;
        }
    }
    assert!(looked > 600, "{looked}");
    drop(pins);
    state.settle().unwrap();
    assert_eq!(seen(&state.pin().unwrap()).unwrap(), plain);
}

/// Readers on threads of their own beside a writer that does not pause: every pair of a version has its number.
#[test]
fn readers_beside_a_full_load_of_writes_see_one_version_each() {
    const KEYS: u64 = 300;
    let folder = tempfile::tempdir().unwrap();
    let state = open(&folder);
    let stop = AtomicBool::new(false);
    let reads = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let pin = state.pin().unwrap();
                    let sequence = pin.applied().sequence;
                    let found = match seen(&pin) {
                        Ok(found) => found,
                        // The writer does not pause: eight megabytes are soon there.
                        Err(StateError::Revoked) => continue,
                        Err(e) => panic!("{e}"),
                    };
                    let numbers = found.values().all(|value| value[..8] == sequence.to_be_bytes());
                    assert!(numbers, "{sequence}");
                    assert_eq!(found.len() as u64, if sequence == 0 { 0 } else { KEYS });
                    reads.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let mut sequence = 0_u64;
        while reads.load(Ordering::SeqCst) < 200 {
            sequence += 1;
            let value = Bytes::from([&sequence.to_be_bytes()[..], &[7; 400]].concat());
            let key = |key: u64| key.to_be_bytes().to_vec();
            let batch = (0..KEYS).map(|k| (key(k), Some(value.clone()))).collect();
            state.apply(batch, at(sequence)).unwrap();
        }
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn whoever_applies_is_not_held_up_by_a_reader_that_never_ends() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(&folder);
    state.apply(writes(&[("a", Some(b"1"))]), at(1)).unwrap();
    let never_ends = state.pin().unwrap();
    let mut scanning = never_ends.scan(b"", b"");
    assert!(scanning.next().unwrap().is_ok());
    // Half of what may wait: it is still there.
    for n in 2..=5 {
        state.apply(large(n, 1 << 20), at(n)).unwrap();
    }
    assert_eq!(never_ends.get(b"a").unwrap().unwrap(), b"1");
    assert!(state.store.applied().unwrap().sequence <= 1, "sled waits for it");
    for n in 6..=20 {
        state.apply(large(n, 1 << 20), at(n)).unwrap();
    }
    assert!(matches!(never_ends.get(b"a"), Err(StateError::Revoked)));
    assert!(matches!(scanning.next(), None | Some(Err(StateError::Revoked))));
    state.settle().unwrap();
    assert_eq!(state.store.applied().unwrap(), at(20));
    assert_eq!(state.pin().unwrap().get(b"a").unwrap().unwrap(), b"1", "a new one reads");
}

#[test]
fn a_version_that_is_still_the_newest_is_read_for_as_long_as_anybody_likes() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(&folder);
    state.apply(writes(&[("a", Some(b"1"))]), at(1)).unwrap();
    let pin = state.pin().unwrap();
    std::thread::sleep(Duration::from_millis(2300));
    assert_eq!(pin.get(b"a").unwrap().unwrap(), b"1");
    // From now on sled waits for it, two seconds.
    state.apply(writes(&[("a", Some(b"2"))]), at(2)).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(pin.get(b"a").unwrap().unwrap(), b"1");
    assert_eq!(state.store.applied().unwrap(), at(1));
    let began = Instant::now();
    while pin.check().is_ok() {
        assert!(began.elapsed() < PATIENCE, "it is never gone");
        std::thread::sleep(Duration::from_millis(20));
    }
    state.settle().unwrap();
    assert_eq!(state.store.applied().unwrap(), at(2));
}

#[test]
fn a_thousand_pins_of_many_versions_are_let_go_of_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(&folder);
    let (mut next, mut pins) = (dice(), Vec::new());
    for sequence in 1..=1000_u64 {
        state.apply(writes(&[("a", Some(&sequence.to_be_bytes()[..]))]), at(sequence)).unwrap();
        pins.push((state.pin().unwrap(), sequence));
    }
    while !pins.is_empty() {
        let (pin, sequence) = pins.swap_remove(next(pins.len() as u64) as usize);
        match pin.get(b"a") {
            Ok(value) => assert_eq!(value.unwrap(), u64::to_be_bytes(sequence)),
            Err(e) => assert!(matches!(e, StateError::Revoked), "{e}"),
        }
    }
    assert_eq!(state.recent.pinned(), 0);
    state.settle().unwrap();
    assert_eq!(state.store.applied().unwrap(), at(1000));
}

/// What waited for a reader goes to sled in many slices, not in one.
#[test]
fn a_backlog_leaves_in_slices_of_whole_groups() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(&folder);
    let pin = state.pin().unwrap();
    for sequence in 1..=300 {
        state.apply(large(sequence, 10_000), at(sequence)).unwrap();
    }
    let (left, waiting) = state.recent.slices();
    // Seven groups have 64 KB; some may have left room to others where the machine was slow.
    assert!(left == 0 && (42..60).contains(&waiting), "{waiting} slices of 3 MB");
    assert_eq!(seen(&pin).unwrap(), Plain::new());
    drop(pin);
    state.settle().unwrap();
    assert!(state.recent.slices().0 >= 43);
    assert_eq!(seen(&state.pin().unwrap()).unwrap().len(), 3000);
}

#[test]
fn a_state_that_fails_fails_under_its_pins_too() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(&folder);
    state.apply(writes(&[("a", Some(b"1"))]), at(1)).unwrap();
    let pin = state.pin().unwrap();
    state.fail("a disk that is full");
    assert!(matches!(pin.get(b"a"), Err(StateError::Failed(_))));
    assert!(matches!(state.pin().map(|_| ()), Err(StateError::Failed(_))));
    assert!(matches!(state.apply(Writes::new(), at(2)), Err(StateError::Failed(_))));
}
