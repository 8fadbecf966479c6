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
//! Whoever reads pins one version and sees that alone, whatever is applied meanwhile: see [`Pin`].
//!
//! Values above 32 KB are stored in chunks in the same batch: larger tree nodes would go to files that sled never
//! syncs.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;

mod layers;
mod recent;
mod scan;
mod seal;
mod store;
mod sync;

use layers::Version;
#[cfg(shuttle)]
pub use recent::GOES_PAST_PINS;
use recent::Recent;
use scan::{Pair, Scan};
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
pub type Writes = BTreeMap<Vec<u8>, Option<Bytes>>;

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
    /// A version was looked at for so long that it held up what is applied, and is gone.
    #[error("state: the version is gone, it was read for too long")]
    Revoked,
    /// The folder cannot be moved or made.
    #[error("state folder: {0}")]
    Io(#[from] std::io::Error),
}

/// One open store. Reading is possible from any thread; there is one writer.
#[derive(Debug)]
pub struct State {
    store: Arc<Store>,
    recent: Arc<Recent>,
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
        Ok(Self { store, recent, is_retired: AtomicBool::new(false) })
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
        Ok(self.recent.newest()?.applied)
    }

    /// The newest version, to be read for a while.
    ///
    /// # Errors
    /// `Failed`.
    pub fn pin(self: &Arc<Self>) -> Result<Pin, StateError> {
        let version = self.recent.pin()?;
        let looked = Arc::new(Looked { recent: Arc::clone(&self.recent), version });
        Ok(Pin { state: Arc::clone(self), looked })
    }

    /// The newest version, for the one who applies: to anybody else it may pass away while it is read.
    ///
    /// # Errors
    /// `Failed`.
    pub fn newest(&self) -> Result<Newest<'_>, StateError> {
        Ok(Newest { store: &self.store, version: self.recent.newest()? })
    }

    /// Takes a batch, and that the state has now reached `applied`: all of it or nothing. Waits while too much waits
    /// for sled, and for no reader: where 8 MB wait for one, its version is gone.
    ///
    /// # Errors
    /// `Failed`, for this batch or one before: the state must then be opened anew.
    pub fn apply(&self, writes: Writes, applied: Applied) -> Result<(), StateError> {
        self.recent.take(writes, applied)
    }

    /// As if sled had refused: for tests of what becomes of readers and of the one who applies.
    #[cfg(any(test, shuttle))]
    pub fn fail(&self, why: &str) {
        self.recent.fail(why);
    }

    /// Returns when sled has all that was applied.
    ///
    /// # Errors
    /// As [`State::apply`].
    pub fn settle(&self) -> Result<(), StateError> {
        self.recent.settle()
    }
}

/// A version that is looked at.
#[derive(Debug)]
struct Looked {
    recent: Arc<Recent>,
    version: Arc<Version>,
}

impl Drop for Looked {
    fn drop(&mut self) {
        self.recent.unpin(self.version.number);
    }
}

/// One version of the state, the same for all that is read of it, while others go on applying. It may be looked at for
/// as long as it is the newest, and then for two seconds or until 8 MB wait for sled; after that it is gone.
#[derive(Clone, Debug)]
pub struct Pin {
    state: Arc<State>,
    looked: Arc<Looked>,
}

impl Pin {
    /// The place in the journal that it shows.
    #[must_use]
    pub fn applied(&self) -> Applied {
        self.looked.version.applied
    }

    /// The value of a key.
    ///
    /// # Errors
    /// `Revoked`, `Sled`, `Failed`, `Malformed`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        let found = value_of(&self.state.store, &self.looked.version, key);
        self.check()?;
        found
    }

    /// Pairs whose key begins with `prefix`, in key order, from the first key after `after` on; from the first of all
    /// where that is empty.
    pub fn scan(
        &self,
        prefix: &[u8],
        after: &[u8],
    ) -> impl Iterator<Item = Result<Pair, StateError>> + use<'_> {
        Scan::new(&self.state.store, &self.looked.version, prefix, after).map(|pair| {
            self.check()?;
            pair
        })
    }

    /// Whether it is still there: what was read of it before is of one version.
    ///
    /// # Errors
    /// `Revoked`, `Failed`.
    pub fn check(&self) -> Result<(), StateError> {
        self.looked.recent.check(self.looked.version.number)
    }

    /// The same, for later: it keeps the version, and not the state open.
    #[must_use]
    pub fn loose(&self) -> LoosePin {
        LoosePin { state: Arc::downgrade(&self.state), looked: Arc::clone(&self.looked) }
    }
}

/// A version of a state that may be closed meanwhile.
#[derive(Clone, Debug)]
pub struct LoosePin {
    state: Weak<State>,
    looked: Arc<Looked>,
}

impl LoosePin {
    /// The version, to be read; None where the state was closed.
    #[must_use]
    pub fn pin(&self) -> Option<Pin> {
        Some(Pin { state: self.state.upgrade()?, looked: Arc::clone(&self.looked) })
    }
}

/// The newest version, as the one who applies the next sees it.
#[derive(Debug)]
pub struct Newest<'s> {
    store: &'s Store,
    version: Arc<Version>,
}

impl Newest<'_> {
    /// The value of a key.
    ///
    /// # Errors
    /// `Sled`, `Malformed`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        value_of(self.store, &self.version, key)
    }

    /// Pairs, as [`Pin::scan`] has them.
    pub fn scan(
        &self,
        prefix: &[u8],
        after: &[u8],
    ) -> impl Iterator<Item = Result<Pair, StateError>> + use<'_> {
        Scan::new(self.store, &self.version, prefix, after)
    }
}

fn value_of(store: &Store, version: &Version, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
    match version.get(key) {
        Some(waiting) => Ok(waiting.as_ref().map(|value| value.to_vec())),
        None => store.get(key),
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if self.recent.end() && !self.is_retired.load(Ordering::SeqCst) {
            self.store.seal.mark_orderly();
        }
    }
}

#[cfg(test)]
mod tests;
