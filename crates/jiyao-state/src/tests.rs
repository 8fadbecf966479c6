use super::*;

mod pins;

const PATIENCE: Duration = Duration::from_secs(20);

fn writes(pairs: &[(&str, Option<&[u8]>)]) -> Writes {
    pairs.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.map(Bytes::copy_from_slice))).collect()
}

fn at(sequence: u64) -> Applied {
    Applied { journal: [1; 16], sequence, hash: [2; 32] }
}

fn all(state: &State) -> Vec<(Vec<u8>, Vec<u8>)> {
    state.newest().unwrap().scan(&[], &[]).map(Result::unwrap).collect()
}

fn get(state: &State, key: &[u8]) -> Option<Vec<u8>> {
    state.newest().unwrap().get(key).unwrap()
}

#[test]
fn batches_are_read_back_in_order_and_survive_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let large = vec![7; 100_000];
    let expected = {
        let (state, origin) = State::open(&path, 1, PATIENCE).unwrap();
        assert_eq!((origin, state.applied().unwrap()), (Origin::New, Applied::default()));
        state.apply(writes(&[("b", Some(b"2")), ("a", Some(&large)), ("c", Some(b"3"))]), at(1)).unwrap();
        state.apply(writes(&[("c", None), ("a", Some(&large[1..])), ("nothing", None)]), at(2)).unwrap();
        assert_eq!(get(&state, b"a").unwrap().len(), 99_999);
        assert_eq!(get(&state, b"c"), None);
        all(&state)
    };
    let (state, origin) = State::open(&path, 1, PATIENCE).unwrap();
    assert_eq!((origin, state.applied().unwrap()), (Origin::Kept, at(2)));
    assert_eq!(all(&state), expected);
    let newest = state.newest().unwrap();
    let after_a: Vec<_> = newest.scan(b"", b"a").map(|pair| pair.unwrap().0).collect();
    assert_eq!(after_a, [b"b".to_vec()]);
}

/// A record may show nothing at all: how far the journal was followed is still kept, once.
#[test]
fn a_batch_of_nothing_moves_the_place_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let (state, _) = State::open(&path, 1, PATIENCE).unwrap();
    state.apply(writes(&[("a", Some(b"1"))]), at(1)).unwrap();
    state.settle().unwrap();
    state.apply(Writes::new(), at(2)).unwrap();
    state.settle().unwrap();
    assert_eq!(state.store.applied().unwrap(), at(2), "sled has it");
    drop(state);
    let (state, origin) = State::open(&path, 1, PATIENCE).unwrap();
    assert_eq!((origin, state.applied().unwrap()), (Origin::Kept, at(2)));
}

#[test]
fn a_state_of_a_newer_program_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    drop(State::open(&path, 2, PATIENCE).unwrap());
    let files = || {
        let mut all: Vec<_> = fs_err::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), fs_err::read(path).unwrap()))
            .collect();
        all.sort();
        all
    };
    let before = files();
    let refused = State::open(&path, 1, PATIENCE).unwrap_err();
    assert!(matches!(refused, StateError::Newer { found: 2, known: 1 }), "{refused}");
    assert_eq!(files(), before);
    assert_eq!(State::open(&path, 2, PATIENCE).unwrap().1, Origin::Kept);
}

#[test]
fn another_projection_a_half_snapshot_and_rubbish_are_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let fill = || {
        let (state, origin) = State::open(&path, 1, PATIENCE).unwrap();
        state.apply(writes(&[("a", Some(b"1"))]), at(9)).unwrap();
        origin
    };
    fill();
    let (state, origin) = State::open(&path, 2, PATIENCE).unwrap();
    assert!(matches!(&origin, Origin::SetAside { why, .. } if why.contains("version 1")), "{origin:?}");
    assert_eq!(state.applied().unwrap(), Applied::default());
    drop(state);
    fs_err::remove_dir_all(&path).unwrap();
    fill();
    fs_err::write(path.join("snap.0000.generating"), b"").unwrap();
    assert!(matches!(fill(), Origin::SetAside { why, .. } if why.contains("snapshot")));
    fs_err::write(path.join("db"), vec![0x5a; 100_000]).unwrap();
    assert!(matches!(fill(), Origin::SetAside { .. }));
    let asides = fs_err::read_dir(folder.path()).unwrap().count() - 1;
    assert_eq!(asides, store::KEPT_ASIDE, "older ones are removed");
}

#[test]
fn an_orderly_close_is_sealed_and_any_change_breaks_the_seal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let fill = |n: u64| {
        let (state, origin) = State::open(&path, 1, PATIENCE).unwrap();
        let pairs =
            (0..200_u64).map(|k| ([n, k].map(u64::to_be_bytes).concat(), Some(Bytes::from(vec![7; 300]))));
        state.apply(pairs.collect(), at(n)).unwrap();
        origin
    };
    assert_eq!(fill(1), Origin::New);
    let sealed = || fs_err::read_to_string(path.join("seal")).unwrap();
    let first = sealed();
    assert!(first.lines().any(|line| line.ends_with(" db")), "{first}");
    assert!(seal::Seal::take(&path), "files as they were closed");
    assert!(!seal::Seal::take(&path), "a seal holds once");
    assert_eq!(fill(2), Origin::Kept, "without a seal all pairs are looked at");
    assert_ne!(sealed(), first);
    let mut db = fs_err::read(path.join("db")).unwrap();
    let flipped = db.iter().rposition(|byte| *byte == 7).unwrap();
    db[flipped] ^= 1;
    fs_err::write(path.join("db"), &db).unwrap();
    assert!(!seal::Seal::take(&path), "one bit, wherever it is");
}

/// What waits and what sled has are read as one, against a plain map, while the thread between them works.
#[test]
fn reads_are_those_of_a_plain_map_wherever_the_pairs_are() {
    let folder = tempfile::tempdir().unwrap();
    let (state, _) = State::open(&folder.path().join("state"), 1, PATIENCE).unwrap();
    let mut plain = BTreeMap::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for sequence in 1..=400 {
        let mut batch = Writes::new();
        for _ in 0..next(40) {
            let key = format!("{}/{}", ["a", "b", "c"][next(3) as usize], next(300)).into_bytes();
            let value = (next(4) > 0).then(|| Bytes::from(vec![next(256) as u8; next(200) as usize]));
            batch.insert(key, value);
        }
        for (key, value) in &batch {
            match value {
                Some(value) => plain.insert(key.clone(), value.to_vec()),
                None => plain.remove(key),
            };
        }
        state.apply(batch, at(sequence)).unwrap();
        if next(9) == 0 {
            state.settle().unwrap();
        }
        let key = format!("b/{}", next(300)).into_bytes();
        assert_eq!(get(&state, &key).as_ref(), plain.get(&key));
        let found: Vec<_> = state.newest().unwrap().scan(b"b/", &key).map(Result::unwrap).collect();
        let expected = plain.range(key.clone()..).filter(|(k, _)| **k != key && k.starts_with(b"b/"));
        let expected: Vec<_> = expected.map(|(k, v)| (k.clone(), v.clone())).collect();
        assert_eq!(found, expected, "sequence {sequence}, after {}", String::from_utf8_lossy(&key));
    }
    assert_eq!(all(&state), plain.into_iter().collect::<Vec<_>>());
}

#[test]
fn a_store_that_another_still_has_is_waited_for_and_not_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let (state, _) = State::open(&path, 1, PATIENCE).unwrap();
    state.apply(writes(&[("a", Some(b"1"))]), at(1)).unwrap();
    let closing = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        drop(state);
    });
    let (state, origin) = State::open(&path, 1, PATIENCE).unwrap();
    closing.join().unwrap();
    assert_eq!((origin, state.applied().unwrap()), (Origin::Kept, at(1)));
}

#[test]
fn pairs_are_all_looked_at_whatever_their_keys_begin_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let keys = [&[][..], &[0], &[0, 1], &[1], &[0x7f], &[0xff], &[0xff, 0xff]];
    for one in keys {
        let (state, _) = State::open(&path, 1, PATIENCE).unwrap();
        state.apply(Writes::from([(one.to_vec(), Some(Bytes::from_static(b"1")))]), at(1)).unwrap();
        drop(state);
        fs_err::remove_file(path.join("seal")).unwrap();
    }
    let (state, origin) = State::open(&path, 1, PATIENCE).unwrap();
    assert_eq!(origin, Origin::Kept);
    assert_eq!(all(&state).into_iter().map(|(key, _)| key).collect::<Vec<_>>(), keys);
}

#[test]
fn an_emptied_store_is_not_taken_for_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let (state, _) = State::open(&path, 1, PATIENCE).unwrap();
    state.apply(writes(&[("a", Some(b"1"))]), at(1)).unwrap();
    drop(state);
    fs_err::write(path.join("db"), b"").unwrap();
    let (state, origin) = State::open(&path, 1, PATIENCE).unwrap();
    assert!(matches!(origin, Origin::SetAside { .. }));
    let (state, _) = state.begin_anew(&path, PATIENCE).unwrap();
    assert_eq!(all(&state), []);
}
