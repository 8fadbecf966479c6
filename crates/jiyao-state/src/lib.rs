//! The store that answers: ordered keys and values in sled, a view of the journal that can be deleted and rebuilt at
//! any time. The only crate that names sled.
//!
//! sled 0.34.7 promises less than it says (its `flush` is no fsync, a power cut can leave a folder on which `open`
//! panics, damage can silently shorten it), so nothing rests on it:
//! - every batch carries [`Applied`], the place in the journal that the state has reached, in the same atomic write;
//! - every batch also carries the number of pairs and the sum of their hashes, and opening checks both against all
//!   pairs, so a store that lost or changed something is found out before it answers;
//! - a folder that fails to open, panics, hangs, is damaged, of another version or was left half-snapshotted is set
//!   aside as evidence and a new one begun; the caller replays the journal.
//!
//! Values above 32 KB are stored in chunks in the same batch: larger tree nodes would go to files that sled never
//! syncs.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

const FORMAT: u8 = 1;
const CHUNK: usize = 32 << 10;
const KEPT_ASIDE: usize = 2;
/// A batch takes milliseconds; one that takes so long never ends.
const APPLY_PATIENCE: Duration = Duration::from_secs(10);

// Key spaces inside the one tree (an atomic batch is per tree).
const META_KEY: &[u8] = b"m";
const DATA: u8 = b'd';
const CHUNKS: u8 = b'x';

// First byte of a stored value.
const WHOLE: u8 = 0;
const CHUNKED: u8 = 1;

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

/// Why the state does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// sled refused.
    #[error("state: {0}")]
    Sled(#[from] sled::Error),
    /// sled refused, panicked or did not answer in time.
    #[error("state: {0}")]
    Failed(String),
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
    db: sled::Db,
    projection: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Meta {
    projection: u32,
    applied: Applied,
    pairs: u64,
    sum: u128,
}

impl State {
    /// Opens the store in `folder`. `projection` is the version of what the caller keeps in it: another version than
    /// the stored one means a new beginning. `patience` bounds the opening of a store that hangs.
    ///
    /// # Errors
    /// Only where not even an empty store can be made.
    pub fn open(folder: &Path, projection: u32, patience: Duration) -> Result<(Self, Origin), StateError> {
        if !folder.exists() {
            return Ok((Self::create(folder, projection, patience)?, Origin::New));
        }
        match Self::open_sound(folder, projection, patience) {
            Ok(state) => Ok((state, Origin::Kept)),
            Err(why) => {
                let to = set_aside(folder)?;
                Ok((Self::create(folder, projection, patience)?, Origin::SetAside { why, to }))
            }
        }
    }

    /// Sets the folder aside, whatever is in it, and begins a new one.
    ///
    /// # Errors
    /// As [`State::open`].
    pub fn begin_anew(self, folder: &Path, patience: Duration) -> Result<(Self, PathBuf), StateError> {
        let projection = self.projection;
        Arc::new(self).retire();
        let to = set_aside(folder)?;
        Ok((Self::create(folder, projection, patience)?, to))
    }

    /// Closes a store that failed, on a thread of its own and after its last reader: sled may wait for ever for what it
    /// cannot write.
    pub fn retire(self: Arc<Self>) {
        std::thread::spawn(move || {
            while Arc::strong_count(&self) > 1 {
                std::thread::sleep(Duration::from_millis(10));
            }
            // A panic of sled on its way out is of no interest any more.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(self)));
        });
    }

    fn create(folder: &Path, projection: u32, patience: Duration) -> Result<Self, StateError> {
        let owned = folder.to_owned();
        let created = guarded(patience, move || {
            let state = Self { db: config(&owned).open().map_err(|e| e.to_string())?, projection };
            let meta = state.encode(&Meta { projection, ..Meta::default() });
            state.db.insert(META_KEY, meta).map_err(|e| e.to_string())?;
            Ok(state)
        });
        created.map_err(StateError::Failed)
    }

    /// Opens and verifies a folder that is there.
    fn open_sound(folder: &Path, projection: u32, patience: Duration) -> Result<Self, String> {
        for entry in fs_err::read_dir(folder).map_err(|e| e.to_string())? {
            let name = entry.map_err(|e| e.to_string())?.file_name().to_string_lossy().into_owned();
            if name.starts_with("snap.") && name.ends_with(".generating") {
                return Err(format!("a snapshot was not finished: {name}"));
            }
        }
        let owned = folder.to_owned();
        guarded(patience, move || {
            let state = Self { db: config(&owned).open().map_err(|e| e.to_string())?, projection };
            state.verify()?;
            Ok(state)
        })
    }

    fn verify(&self) -> Result<(), String> {
        let meta = self.meta().map_err(|e| e.to_string())?;
        if meta.projection != self.projection {
            return Err(format!(
                "it is of version {}, this program's is {}",
                meta.projection, self.projection
            ));
        }
        let (mut pairs, mut sum) = (0_u64, 0_u128);
        for pair in self.scan::<Vec<u8>>(..) {
            let (key, value) = pair.map_err(|e| e.to_string())?;
            pairs += 1;
            sum = sum.wrapping_add(pair_hash(&key, &value));
        }
        if (pairs, sum) != (meta.pairs, meta.sum) {
            return Err(format!("{pairs} pairs do not match the {} that were stored", meta.pairs));
        }
        Ok(())
    }

    /// The place in the journal that this state shows.
    ///
    /// # Errors
    /// `Sled`, `Malformed`.
    pub fn applied(&self) -> Result<Applied, StateError> {
        Ok(self.meta()?.applied)
    }

    /// The value of a key.
    ///
    /// # Errors
    /// `Sled`, `Malformed`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        match self.db.get(data_key(key))? {
            Some(stored) => self.decode(key, &stored).map(Some),
            None => Ok(None),
        }
    }

    /// Pairs of a range in key order; reversible.
    pub fn scan<K: AsRef<[u8]>>(
        &self,
        range: impl RangeBounds<K>,
    ) -> impl DoubleEndedIterator<Item = Result<(Vec<u8>, Vec<u8>), StateError>> + '_ {
        let bound = |bound: Bound<&K>, open_end: u8| match bound {
            Bound::Included(key) => Bound::Included(data_key(key.as_ref())),
            Bound::Excluded(key) => Bound::Excluded(data_key(key.as_ref())),
            Bound::Unbounded if open_end == DATA => Bound::Included(vec![DATA]),
            Bound::Unbounded => Bound::Excluded(vec![open_end]),
        };
        let range = (bound(range.start_bound(), DATA), bound(range.end_bound(), DATA + 1));
        self.db.range(range).map(|pair| {
            let (key, stored) = pair?;
            let key = key[1..].to_vec();
            let value = self.decode(&key, &stored)?;
            Ok((key, value))
        })
    }

    /// Writes a batch, and that the state has now reached `applied`: all of it or nothing. On a thread of its own: on a
    /// full disk sled may wait for ever, and whoever waits for it must not.
    ///
    /// # Errors
    /// `Failed`: the state must then be opened anew.
    pub fn apply(&self, writes: Writes, applied: Applied) -> Result<(), StateError> {
        let state = Self { db: self.db.clone(), projection: self.projection };
        guarded(APPLY_PATIENCE, move || state.apply_here(&writes, applied).map_err(|e| e.to_string()))
            .map_err(StateError::Failed)
    }

    fn apply_here(&self, writes: &Writes, applied: Applied) -> Result<(), StateError> {
        let mut meta = Meta { applied, ..self.meta()? };
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            if let Some(stored) = self.db.get(data_key(key))? {
                let old = self.decode(key, &stored)?;
                meta.pairs = meta.pairs.wrapping_sub(1);
                meta.sum = meta.sum.wrapping_sub(pair_hash(key, &old));
                for at in 0..chunk_count(&stored)? {
                    batch.remove(chunk_key(key, at));
                }
                if value.is_none() {
                    batch.remove(data_key(key));
                }
            }
            let Some(value) = value else { continue };
            meta.pairs = meta.pairs.wrapping_add(1);
            meta.sum = meta.sum.wrapping_add(pair_hash(key, value));
            if value.len() < CHUNK {
                batch.insert(data_key(key), [&[WHOLE], value.as_slice()].concat());
            } else {
                let chunks = value.chunks(CHUNK - 64);
                let count =
                    u32::try_from(chunks.len()).map_err(|_| StateError::Malformed("a value is too large"))?;
                for (at, chunk) in (0..count).zip(chunks) {
                    batch.insert(chunk_key(key, at), chunk);
                }
                batch.insert(data_key(key), [&[CHUNKED][..], &count.to_be_bytes()].concat());
            }
        }
        batch.insert(META_KEY, self.encode(&meta));
        self.db.apply_batch(batch)?;
        Ok(())
    }

    fn decode(&self, key: &[u8], stored: &[u8]) -> Result<Vec<u8>, StateError> {
        let count = chunk_count(stored)?;
        if stored[0] == WHOLE {
            return Ok(stored[1..].to_vec());
        }
        let mut value = Vec::new();
        for at in 0..count {
            let chunk = self.db.get(chunk_key(key, at))?;
            value.extend_from_slice(&chunk.ok_or(StateError::Malformed("a chunk is missing"))?);
        }
        Ok(value)
    }

    fn meta(&self) -> Result<Meta, StateError> {
        let stored =
            self.db.get(META_KEY)?.ok_or(StateError::Malformed("the state does not say what it shows"))?;
        Meta::decode(&stored).ok_or(StateError::Malformed("the state is of another format"))
    }

    fn encode(&self, meta: &Meta) -> Vec<u8> {
        let mut out = vec![FORMAT];
        out.extend_from_slice(&meta.projection.to_be_bytes());
        out.extend_from_slice(&meta.applied.journal);
        out.extend_from_slice(&meta.applied.sequence.to_be_bytes());
        out.extend_from_slice(&meta.applied.hash);
        out.extend_from_slice(&meta.pairs.to_be_bytes());
        out.extend_from_slice(&meta.sum.to_be_bytes());
        out
    }
}

impl Meta {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (format, rest) = bytes.split_first()?;
        let (projection, rest) = rest.split_first_chunk()?;
        let (journal, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (hash, rest) = rest.split_first_chunk()?;
        let (pairs, rest) = rest.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        (*format == FORMAT && rest.is_empty()).then_some(Self {
            projection: u32::from_be_bytes(*projection),
            applied: Applied { journal: *journal, sequence: u64::from_be_bytes(*sequence), hash: *hash },
            pairs: u64::from_be_bytes(*pairs),
            sum: u128::from_be_bytes(*sum),
        })
    }
}

fn config(folder: &Path) -> sled::Config {
    // 4 MB segments: with the default a tree node above 128 KB goes to a file that is never synced.
    sled::Config::new().path(folder).segment_size(4 << 20).cache_capacity(16 << 20).flush_every_ms(Some(500))
}

fn data_key(key: &[u8]) -> Vec<u8> {
    [&[DATA], key].concat()
}

fn chunk_key(key: &[u8], at: u32) -> Vec<u8> {
    [&[CHUNKS], key, &at.to_be_bytes()].concat()
}

fn chunk_count(stored: &[u8]) -> Result<u32, StateError> {
    match stored.split_first() {
        Some((&WHOLE, _)) => Ok(0),
        Some((&CHUNKED, count)) => Ok(u32::from_be_bytes(
            count.try_into().map_err(|_| StateError::Malformed("a chunk count is cut short"))?,
        )),
        _ => Err(StateError::Malformed("a value is in no known form")),
    }
}

fn pair_hash(key: &[u8], value: &[u8]) -> u128 {
    let mut hasher = Sha256::new();
    hasher.update((key.len() as u64).to_be_bytes());
    hasher.update(key);
    hasher.update(value);
    let hash: [u8; 32] = hasher.finalize().into();
    hash.first_chunk().map_or(0, |head| u128::from_be_bytes(*head))
}

/// Runs what calls sled on a thread of its own: it may panic, and it may hang; then the thread is left behind.
fn guarded<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("sled panicked".to_owned()));
        // Nobody listens any more when it took too long.
        let _ = send.send(done);
    });
    receive.recv_timeout(patience).unwrap_or_else(|_| Err(format!("sled did not answer within {patience:?}")))
}

/// Moves a folder out of the way, and removes the oldest moved before.
fn set_aside(folder: &Path) -> Result<PathBuf, std::io::Error> {
    let aside = |n: u32| {
        let mut name = folder.file_name().unwrap_or_default().to_owned();
        name.push(format!(".aside-{n:04}"));
        folder.with_file_name(name)
    };
    let prefix = aside(0).to_string_lossy().trim_end_matches("0000").to_owned();
    let mut taken: Vec<u32> = fs_err::read_dir(folder.parent().unwrap_or(Path::new(".")))?
        .filter_map(|entry| entry.ok()?.path().to_string_lossy().strip_prefix(&prefix)?.parse().ok())
        .collect();
    taken.sort_unstable();
    let to = aside(taken.last().map_or(1, |last| last + 1));
    fs_err::rename(folder, &to)?;
    for n in taken.iter().rev().skip(KEPT_ASIDE - 1) {
        fs_err::remove_dir_all(aside(*n))?;
    }
    Ok(to)
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
        state.scan::<Vec<u8>>(..).map(Result::unwrap).collect()
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
        let from_b: Vec<_> = state.scan(b"b".to_vec()..).map(|pair| pair.unwrap().0).collect();
        assert_eq!(from_b, [b"b".to_vec()]);
        let last = state.scan::<Vec<u8>>(..).next_back().unwrap().unwrap().0;
        assert_eq!(last, b"b");
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
        fill();
        fs_err::write(path.join("snap.0000.generating"), b"").unwrap();
        assert!(matches!(fill(), Origin::SetAside { why, .. } if why.contains("snapshot")));
        fs_err::write(path.join("db"), vec![0x5a; 100_000]).unwrap();
        assert!(matches!(fill(), Origin::SetAside { .. }));
        let asides = fs_err::read_dir(folder.path()).unwrap().count() - 1;
        assert_eq!(asides, KEPT_ASIDE, "older ones are removed");
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
