//! What lies in sled, and how it is told sound from damaged.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use twox_hash::XxHash3_128;

use crate::seal::Seal;
use crate::{Applied, StateError, Writes};

const FORMAT: u8 = 2;
const CHUNK: usize = 32 << 10;
pub(crate) const KEPT_ASIDE: usize = 2;
/// How long sled's threads may take to let go of a store that was closed.
const LETTING_GO: Duration = Duration::from_secs(3);

/// The words of sled for a folder that is open already, here or in another process.
pub(crate) const IN_USE: &str = "could not acquire lock";

/// File beside those of sled that says the version: it is read before sled touches anything.
const VERSION: &str = "version";

/// The version of what lies in a folder; None where the folder does not say, or its file is damaged.
pub(crate) fn version(folder: &Path) -> Option<u32> {
    let line = fs_err::read_to_string(folder.join(VERSION)).ok()?;
    let version = line.split(' ').next()?.parse().ok()?;
    (line == version_line(version)).then_some(version)
}

/// With its CRC-32C: a flipped bit must not make a newer version of this one.
pub(crate) fn version_line(version: u32) -> String {
    format!("{version} {:08x}", crc32c::crc32c(version.to_string().as_bytes()))
}

// Key spaces inside the one tree (an atomic batch is per tree).
const META_KEY: &[u8] = b"m";
const DATA: u8 = b'd';
const CHUNKS: u8 = b'x';

// First byte of a stored value.
const WHOLE: u8 = 0;
const CHUNKED: u8 = 1;

/// One open folder.
#[derive(Debug)]
pub(crate) struct Store {
    db: sled::Db,
    projection: u32,
    // Fields go in their order: when the seal goes, sled has closed its files.
    pub(crate) seal: Seal,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Meta {
    projection: u32,
    applied: Applied,
    pairs: u64,
    sum: u128,
}

/// No, but in builds with the feature `planted-failpoints`: there a test may plant that nothing is verified.
fn is_trusted() -> bool {
    cfg!(feature = "planted-failpoints")
        && std::env::var("FAILPOINTS").is_ok_and(|planted| planted.contains("trust-state"))
}

impl Store {
    pub(crate) fn create(folder: &Path, projection: u32, patience: Duration) -> Result<Self, StateError> {
        let owned = folder.to_owned();
        let created = guarded(patience, move || {
            let store = Self::at(owned.clone(), projection)?;
            fs_err::write(owned.join(VERSION), version_line(projection)).map_err(|e| e.to_string())?;
            let meta = store.encode(&Meta { projection, ..Meta::default() });
            store.db.insert(META_KEY, meta).map_err(|e| e.to_string())?;
            Ok(store)
        });
        created.map_err(StateError::Failed)
    }

    /// Opens and verifies a folder that is there.
    pub(crate) fn open_sound(folder: &Path, projection: u32, patience: Duration) -> Result<Self, String> {
        for entry in fs_err::read_dir(folder).map_err(|e| e.to_string())? {
            let name = entry.map_err(|e| e.to_string())?.file_name().to_string_lossy().into_owned();
            if name.starts_with("snap.") && name.ends_with(".generating") {
                return Err(format!("a snapshot was not finished: {name}"));
            }
        }
        let owned = folder.to_owned();
        guarded(patience, move || {
            let is_sealed = Seal::take(&owned);
            let store = Self::at(owned, projection)?;
            store.verify(is_sealed)?;
            Ok(store)
        })
    }

    fn at(folder: PathBuf, projection: u32) -> Result<Self, String> {
        // 4 MB segments: with the default a tree node above 128 KB goes to a file that is never synced.
        let config = sled::Config::new().path(&folder).segment_size(4 << 20).cache_capacity(64 << 20);
        let config = config.flush_every_ms(Some(500));
        // No other process is here: whoever has it open has the journal's lock. But a store that was closed a moment
        // ago in this process is let go of by sled's own threads, when they have done what they were at.
        let until = Instant::now() + LETTING_GO;
        let db = loop {
            match config.open() {
                Err(e) if e.to_string().contains(IN_USE) && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                opened => break opened.map_err(|e| e.to_string())?,
            }
        };
        Ok(Self { db, projection, seal: Seal::of(folder) })
    }

    /// Files that are byte for byte those of an orderly close need no look at their pairs.
    fn verify(&self, is_sealed: bool) -> Result<(), String> {
        let meta = self.meta().map_err(|e| e.to_string())?;
        if meta.projection != self.projection {
            return Err(format!(
                "it is of version {}, this program's is {}",
                meta.projection, self.projection
            ));
        }
        if is_sealed || is_trusted() {
            return Ok(());
        }
        let (pairs, sum) = self.sum_of_all()?;
        if (pairs, sum) != (meta.pairs, meta.sum) {
            return Err(format!("{pairs} pairs do not match the {} that were stored", meta.pairs));
        }
        Ok(())
    }

    /// How many pairs there are, and the sum of their hashes: of the keys with one first byte after the other, on all
    /// processors.
    fn sum_of_all(&self) -> Result<(u64, u128), String> {
        let (first, total) = (AtomicU16::new(0), Mutex::new((0_u64, 0_u128)));
        let work = || {
            let (mut pairs, mut sum) = (0_u64, 0_u128);
            while let Ok(byte) = u8::try_from(first.fetch_add(1, Ordering::Relaxed)) {
                let from = vec![DATA, byte];
                let to = byte.checked_add(1).map_or(vec![DATA + 1], |next| vec![DATA, next]);
                // A key of no byte at all is before all others.
                let from = if byte == 0 { vec![DATA] } else { from };
                for pair in self.range(from..to) {
                    let (key, value) = pair.map_err(|e| e.to_string())?;
                    pairs += 1;
                    sum = sum.wrapping_add(pair_hash(&key, &value));
                }
            }
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            *total = (total.0 + pairs, total.1.wrapping_add(sum));
            Ok::<(), String>(())
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let ended =
                others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            std::iter::once(work()).chain(ended).collect::<Result<(), _>>()
        })?;
        Ok(total.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn projection(&self) -> u32 {
        self.projection
    }

    pub(crate) fn applied(&self) -> Result<Applied, StateError> {
        Ok(self.meta()?.applied)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        match self.db.get(data_key(key))? {
            Some(stored) => self.decode(key, &stored).map(Some),
            None => Ok(None),
        }
    }

    /// Pairs from a key on, in key order.
    pub(crate) fn scan(
        &self,
        from: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StateError>> + use<'_> {
        self.range(data_key(from)..vec![DATA + 1])
    }

    fn range(
        &self,
        keys: Range<Vec<u8>>,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StateError>> + use<'_> {
        self.db.range(keys).map(|pair| {
            let (key, stored) = pair?;
            let key = key[1..].to_vec();
            let value = self.decode(&key, &stored)?;
            Ok((key, value))
        })
    }

    /// Writes a batch, and that the state has now reached `applied`: all of it or nothing.
    pub(crate) fn write(&self, writes: &Writes, applied: Applied) -> Result<(), StateError> {
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
                batch.insert(data_key(key), [&[WHOLE], &value[..]].concat());
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

/// Hash of a pair for the sum of all: against accidents, so speed counts.
fn pair_hash(key: &[u8], value: &[u8]) -> u128 {
    let of_key = XxHash3_128::oneshot(key);
    // Folded to what a seed takes.
    let seed = (of_key >> 64) as u64 ^ of_key as u64;
    XxHash3_128::oneshot_with_seed(seed, value)
}

/// Runs what calls sled on a thread of its own: it may panic, and it may hang; then the thread is left behind.
pub(crate) fn guarded<T: Send + 'static>(
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

fn aside(folder: &Path, n: u32) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(format!(".aside-{n:04}"));
    folder.with_file_name(name)
}

/// Numbers of what was set aside of a folder, in order.
fn asides(folder: &Path) -> Result<Vec<u32>, std::io::Error> {
    let prefix = aside(folder, 0).to_string_lossy().trim_end_matches("0000").to_owned();
    let mut taken: Vec<u32> = fs_err::read_dir(folder.parent().unwrap_or(Path::new(".")))?
        .filter_map(|entry| entry.ok()?.path().to_string_lossy().strip_prefix(&prefix)?.parse().ok())
        .collect();
    taken.sort_unstable();
    Ok(taken)
}

/// Moves a folder out of the way, and removes the oldest moved before.
pub(crate) fn set_aside(folder: &Path) -> Result<PathBuf, std::io::Error> {
    let taken = asides(folder)?;
    let to = aside(folder, taken.last().map_or(1, |last| last + 1));
    fs_err::rename(folder, &to)?;
    for n in taken.iter().rev().skip(KEPT_ASIDE - 1) {
        fs_err::remove_dir_all(aside(folder, *n))?;
    }
    Ok(to)
}

/// Removes all that was set aside of a folder.
pub(crate) fn remove_asides(folder: &Path) -> Result<(), std::io::Error> {
    asides(folder)?.into_iter().try_for_each(|n| fs_err::remove_dir_all(aside(folder, n)))
}
