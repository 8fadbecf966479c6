//! The store that answers: ordered keys and values in sled, a view of the journal that can be deleted and rebuilt at
//! any time. The only crate that names sled.
//!
//! sled 0.34.7 promises less than it says (its `flush` is no fsync, a power cut can leave a folder on which `open`
//! panics, damage can silently shorten it), so nothing rests on it:
//! - every batch carries [`Applied`], the place in the journal that the state has reached, in the same atomic write;
//! - every batch also carries the number of pairs and the sum of their hashes, and opening checks both against all
//!   pairs, so a store that lost or changed something is found out before it answers; after an orderly close the
//!   checksums of its files do the same sooner;
//! - a folder that fails to open, panics, hangs, is damaged, of another version or was left half-snapshotted is set
//!   aside as evidence and a new one begun; the caller replays the journal.
//!
//! What is applied is read back at once and waits in memory until sled has it, a few hundredths of a second: a process that dies
//! finds less in its state than in its journal, and replays the rest.
//!
//! Values above 32 KB are stored in chunks in the same batch: larger tree nodes would go to files that sled never
//! syncs.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

mod recent;
mod scan;
mod seal;
mod store;

use recent::Recent;
use store::{Store, set_aside};

/// The place in the journal that the state has reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The journal's id.
    pub journal: [u8; 16],
    /// Sequence of the last record applied; 0 before the first.
    pub sequence: u64,
    /// Hash of that record's header.
    pub hash: [u8; 32],
}

/// Changes of one batch: a value to put, or None to remove the key.
pub type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// There was no folder.
    New,
    /// The folder is sound.
    Kept,
    /// The folder could not be used: it was set aside, and this is an empty one.
    SetAside {
        /// Why.
        why: String,
        /// Where the old one is now.
        to: PathBuf,
    },
}

/// What lies in a folder.
#[derive(Debug)]
pub enum Look {
    /// Nothing.
    Nothing,
    /// A store that can be used.
    Sound(Box<State>),
    /// One that cannot, and why.
    Unsound(String),
    /// One that is open: in another process, or in this one where it failed and is not let go of.
    InUse(String),
}

impl Look {
    /// The store that was found; else an empty one, and what cannot be used is set aside.
    ///
    /// # Errors
    /// Where not even an empty store can be made.
    pub fn or_begin(
        self,
        folder: &Path,
        projection: u32,
        patience: Duration,
    ) -> Result<(State, Origin), StateError> {
        let origin = match self {
            Self::Sound(state) => return Ok((*state, Origin::Kept)),
            Self::Nothing => Origin::New,
            Self::Unsound(why) | Self::InUse(why) => Origin::SetAside { why, to: set_aside(folder)? },
        };
        Ok((State::of(Store::create(folder, projection, patience)?)?, origin))
    }
}

/// Why the state does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// sled refused.
    #[error("state: {0}")]
    Sled(#[from] sled::Error),
    /// sled refused, panicked or did not answer in time.
    #[error("state: {0}")]
    Failed(String),
    /// A newer program wrote it: this one leaves it as it is.
    #[error("state: it is of version {found}, this program knows {known}: a newer program wrote it")]
    Newer {
        /// Its version.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// What is stored is not of its form.
    #[error("state: {0}")]
    Malformed(&'static str),
    /// The folder cannot be moved or made.
    #[error("state folder: {0}")]
    Io(#[from] std::io::Error),
}

/// One open store. Reading is possible from any thread; there is one writer.
#[derive(Debug)]
pub struct State {
    store: Arc<Store>,
    recent: Arc<Recent>,
    /// Held by those who read while nothing may be applied.
    gate: RwLock<()>,
    /// Its folder may be another's by the time it goes.
    is_retired: AtomicBool,
}

impl State {
    /// Opens the store in `folder`, or begins one. `projection` is the version of what the caller keeps in it: an older
    /// version than this means a new beginning. `patience` bounds the opening of a store that hangs.
    ///
    /// # Errors
    /// `Newer`; else only where not even an empty store can be made.
    pub fn open(folder: &Path, projection: u32, patience: Duration) -> Result<(Self, Origin), StateError> {
        Self::look(folder, projection, patience)?.or_begin(folder, projection, patience)
    }

    /// Opens the store in `folder` if it is sound, and changes nothing else.
    ///
    /// # Errors
    /// `Newer`.
    pub fn look(folder: &Path, projection: u32, patience: Duration) -> Result<Look, StateError> {
        if !folder.exists() {
            return Ok(Look::Nothing);
        }
        match store::version(folder) {
            Some(found) if found > projection => Err(StateError::Newer { found, known: projection }),
            _ => match Store::open_sound(folder, projection, patience) {
                Ok(store) => Ok(Look::Sound(Box::new(Self::of(store)?))),
                Err(why) if why.contains(store::IN_USE) => Ok(Look::InUse(why)),
                Err(why) => Ok(Look::Unsound(why)),
            },
        }
    }

    fn of(store: Store) -> Result<Self, StateError> {
        let store = Arc::new(store);
        let recent = Recent::over(Arc::clone(&store), store.applied()?)?;
        Ok(Self { store, recent, gate: RwLock::default(), is_retired: AtomicBool::new(false) })
    }

    /// Sets the folder aside, whatever is in it, and begins a new one.
    ///
    /// # Errors
    /// As [`State::open`].
    pub fn begin_anew(self, folder: &Path, patience: Duration) -> Result<(Self, PathBuf), StateError> {
        let projection = self.store.projection();
        Arc::new(self).retire();
        let to = set_aside(folder)?;
        Ok((Self::of(Store::create(folder, projection, patience)?)?, to))
    }

    /// Removes a closed store and all that was set aside of it before: nothing of it is to be read again.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(folder: &Path) -> std::io::Result<()> {
        Self::remove_asides(folder)?;
        if folder.exists() { fs_err::remove_dir_all(folder) } else { Ok(()) }
    }

    /// Removes all that was set aside of a store.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove_asides(folder: &Path) -> std::io::Result<()> {
        store::remove_asides(folder)
    }

    /// Its folder will be another's before it is closed, or has gone wrong: nothing is sealed.
    pub fn give_up_folder(&self) {
        self.is_retired.store(true, Ordering::SeqCst);
    }

    /// Closes a store that failed, on a thread of its own and after its last reader: sled may wait for ever for what it
    /// cannot write.
    pub fn retire(self: Arc<Self>) {
        self.give_up_folder();
        std::thread::spawn(move || {
            while Arc::strong_count(&self) > 1 {
                std::thread::sleep(Duration::from_millis(10));
            }
            // A panic of sled on its way out is of no interest any more.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(self)));
        });
    }

    /// The place in the journal that this state shows.
    ///
    /// # Errors
    /// `Failed`.
    pub fn applied(&self) -> Result<Applied, StateError> {
        self.recent.applied()
    }

    /// The value of a key.
    ///
    /// # Errors
    /// `Sled`, `Failed`, `Malformed`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        match self.recent.get(key)? {
            Some(waiting) => Ok(waiting),
            None => self.store.get(key),
        }
    }

    /// Pairs whose key begins with `prefix`, in key order, from the first key after `after` on; from the first of all
    /// where that is empty. Each pair is at least as new as the scan; between them batches may come.
    pub fn scan<'s>(
        &'s self,
        prefix: &[u8],
        after: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StateError>> + use<'s> {
        scan::Scan::new(&self.store, &self.recent, prefix, after)
    }

    /// Takes a batch, and that the state has now reached `applied`: all of it or nothing. Waits while too much waits
    /// for sled.
    ///
    /// # Errors
    /// `Failed`, for this batch or one before: the state must then be opened anew.
    pub fn apply(&self, writes: Writes, applied: Applied) -> Result<(), StateError> {
        let _alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.recent.take(writes, applied)
    }

    /// Keeps the state as it is while the answer lives: whoever applies waits for it.
    #[must_use]
    pub fn hold(&self) -> Held<'_> {
        Held { _gate: self.gate.read().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Returns when sled has all that was applied.
    ///
    /// # Errors
    /// As [`State::apply`].
    pub fn settle(&self) -> Result<(), StateError> {
        self.recent.settle()
    }
}

/// A state that nothing is applied to while this lives.
#[derive(Debug)]
pub struct Held<'s> {
    _gate: RwLockReadGuard<'s, ()>,
}

impl Drop for State {
    fn drop(&mut self) {
        if self.recent.end() && !self.is_retired.load(Ordering::SeqCst) {
            self.store.seal.mark_orderly();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn writes(pairs: &[(&str, Option<&[u8]>)]) -> Writes {
        pairs.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.map(<[u8]>::to_vec))).collect()
    }

    fn at(sequence: u64) -> Applied {
        Applied { journal: [1; 16], sequence, hash: [2; 32] }
    }

    fn all(state: &State) -> Vec<(Vec<u8>, Vec<u8>)> {
        state.scan(&[], &[]).map(Result::unwrap).collect()
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
            assert_eq!(state.get(b"a").unwrap().unwrap().len(), 99_999);
            assert_eq!(state.get(b"c").unwrap(), None);
            all(&state)
        };
        let (state, origin) = State::open(&path, 1, PATIENCE).unwrap();
        assert_eq!((origin, state.applied().unwrap()), (Origin::Kept, at(2)));
        assert_eq!(all(&state), expected);
        let after_a: Vec<_> = state.scan(b"", b"a").map(|pair| pair.unwrap().0).collect();
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
            let pairs = (0..200_u64).map(|k| ([n, k].map(u64::to_be_bytes).concat(), Some(vec![7; 300])));
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
                let value = (next(4) > 0).then(|| vec![next(256) as u8; next(200) as usize]);
                batch.insert(key, value);
            }
            for (key, value) in &batch {
                match value {
                    Some(value) => plain.insert(key.clone(), value.clone()),
                    None => plain.remove(key),
                };
            }
            state.apply(batch, at(sequence)).unwrap();
            if next(9) == 0 {
                state.settle().unwrap();
            }
            let key = format!("b/{}", next(300)).into_bytes();
            assert_eq!(state.get(&key).unwrap().as_ref(), plain.get(&key));
            let found: Vec<_> = state.scan(b"b/", &key).map(Result::unwrap).collect();
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
            state.apply(Writes::from([(one.to_vec(), Some(b"1".to_vec()))]), at(1)).unwrap();
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
}
