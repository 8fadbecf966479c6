//! What is newer than sled waits in memory as the layers of a version, and goes to sled in slices of whole groups, on a
//! thread of its own. The journal has it already, so nothing is lost that way, and what is written often, as a counter,
//! is written once a slice.
//!
//! Whoever reads pins the newest version: sled gets no slice that is newer than a version which is looked at. A version
//! that a newer has taken the place of holds sled back for so long, or while there is room; then its readers are told
//! that it is gone.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::layers::{Layer, Version};
use crate::store::Store;
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError, spawn};
use crate::{Applied, StateError, Writes};

/// So many bytes go to sled at once, or what there is after so long.
const LEAVE_BYTES: usize = if cfg!(shuttle) { 256 } else { 64 << 10 };
const LEAVE_AFTER: Duration = Duration::from_millis(50);
/// With so many waiting, a writer waits for a slice to leave.
const ROOM: usize = 512 << 10;
/// With so many, however many are pinned, it waits until there are less.
const MOST: usize = 8 << 20;
/// How long a version that is not the newest may be looked at, once sled waits for it.
const PINNED: Duration = Duration::from_secs(if cfg!(shuttle) { 0 } else { 2 });
/// A slice takes milliseconds; one that takes so long never ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who looks at a version.
#[derive(Debug, Default)]
struct Readers {
    many: usize,
    /// When a newer version took its place.
    superseded: Option<Instant>,
}

#[derive(Debug, Default)]
struct Waiting {
    newest: Arc<Version>,
    /// Since when the last layer of the newest version grows; None: it does not.
    open: Option<Instant>,
    /// Slices that do not grow any more, the oldest first; that one may be on its way.
    sealed: VecDeque<Arc<Layer>>,
    /// Bytes of all of them.
    bytes: usize,
    /// Slices that sled took.
    left: u64,
    /// Versions that are looked at, by number.
    pinned: BTreeMap<u64, Readers>,
    /// The next slice waits for a reader.
    is_held: bool,
    /// What sled has now. Whoever brings the next batch drops it: memory is best given back where it was taken.
    spent: Vec<Arc<Layer>>,
    is_hurried: bool,
    is_ending: bool,
    has_ended: bool,
    failed: Option<String>,
}

/// Shared by those who write, those who read and the thread that brings it to sled.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    waiting: Mutex<Waiting>,
    work: Condvar,
    done: Condvar,
    /// Versions before this one are gone.
    floor: AtomicU64,
    has_failed: AtomicBool,
}

/// A bug for the test of orders: sled goes past versions that are looked at.
#[cfg(shuttle)]
pub static GOES_PAST_PINS: AtomicBool = AtomicBool::new(false);

/// What is next for the thread.
enum Next {
    Leave(Arc<Layer>),
    /// Nothing before this much time has passed, unless something comes.
    Wait(Duration),
    End,
}

impl Waiting {
    fn check(&self) -> Result<(), StateError> {
        self.failed.clone().map_or(Ok(()), |why| Err(StateError::Failed(why)))
    }

    fn open_bytes(&self) -> usize {
        self.open.and(self.newest.last()).map_or(0, |last| last.bytes)
    }

    fn is_settled(&self) -> bool {
        self.open.is_none() && self.sealed.is_empty()
    }

    /// The last layer grows no more.
    fn seal(&mut self) {
        if let Some((_, last)) = self.open.take().zip(self.newest.last()) {
            self.sealed.push_back(Arc::clone(last));
        }
    }

    fn next(&mut self, now: Instant, floor: &AtomicU64) -> Next {
        if self.failed.is_some() {
            return Next::End;
        }
        let is_due = self.is_hurried || self.is_ending || self.open_bytes() >= LEAVE_BYTES;
        let left = self.open.map(|open| LEAVE_AFTER.saturating_sub(now.duration_since(open)));
        if is_due || left.is_some_and(|left| left.is_zero()) {
            self.seal();
        }
        self.is_held = false;
        let Some(slice) = self.sealed.front() else {
            let forever = Duration::from_secs(3600);
            return if self.is_ending { Next::End } else { Next::Wait(left.unwrap_or(forever)) };
        };
        #[cfg(shuttle)]
        if GOES_PAST_PINS.load(Ordering::SeqCst) {
            return Next::Leave(Arc::clone(slice));
        }
        let oldest = self.pinned.first_key_value().filter(|(number, _)| **number < slice.through);
        if let Some((_, readers)) = oldest {
            let held = readers.superseded.map_or(Duration::ZERO, |since| now.duration_since(since));
            if held < PINNED && self.bytes < MOST && !self.is_ending {
                self.is_held = true;
                return Next::Wait(PINNED - held);
            }
            // Before sled gets anything: whoever reads what is newer than the version sees this too.
            floor.store(slice.through, Ordering::SeqCst);
            self.pinned = self.pinned.split_off(&slice.through);
        }
        Next::Leave(Arc::clone(slice))
    }
}

impl Recent {
    /// Begins with what sled shows, and starts the thread.
    pub(crate) fn over(store: Arc<Store>, applied: Applied) -> Result<Arc<Self>, StateError> {
        let waiting = Waiting { newest: Arc::new(Version::of(applied)), ..Waiting::default() };
        let recent = Arc::new(Self { waiting: Mutex::new(waiting), ..Self::default() });
        let shared = Arc::clone(&recent);
        spawn("state-writer", move || {
            let failed = shared.bring_to(&store).err();
            drop(store);
            let mut waiting = shared.lock();
            shared.has_failed.fetch_or(failed.is_some(), Ordering::SeqCst);
            waiting.failed = waiting.failed.take().or(failed);
            waiting.has_ended = true;
            shared.done.notify_all();
        })?;
        Ok(recent)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bring_to(&self, store: &Store) -> Result<(), String> {
        let mut waiting = self.lock();
        loop {
            let slice = match waiting.next(Instant::now(), &self.floor) {
                Next::End => return Ok(()),
                Next::Wait(time) => {
                    // Whoever waits for a slice to leave waits for no reader.
                    self.done.notify_all();
                    waiting = self.work.wait_timeout(waiting, time).unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
                Next::Leave(slice) => slice,
            };
            drop(waiting);
            let written = catch_unwind(AssertUnwindSafe(|| store.write(&slice.writes, slice.applied)));
            let written = written.map_err(|_| "sled panicked".to_owned());
            written.and_then(|written| written.map_err(|e| e.to_string()))?;
            waiting = self.lock();
            let gone = Arc::make_mut(&mut waiting.newest).drop_through(slice.through);
            waiting.spent.extend(gone);
            waiting.sealed.pop_front();
            waiting.bytes = waiting.bytes.saturating_sub(slice.bytes);
            waiting.left += 1;
            waiting.spent.push(slice);
            self.done.notify_all();
        }
    }

    /// Takes a batch.
    pub(crate) fn take(&self, writes: Writes, applied: Applied) -> Result<(), StateError> {
        let left = self.lock().left;
        let mut waiting = self.wait_while(|waiting| {
            let is_slow = waiting.bytes >= ROOM && !waiting.is_held && waiting.left == left;
            waiting.bytes >= MOST || is_slow
        })?;
        let number = waiting.newest.number;
        if let Some(readers) = waiting.pinned.get_mut(&number) {
            readers.superseded = Some(Instant::now());
        }
        let before = waiting.open_bytes();
        let is_open = waiting.open.is_some();
        Arc::make_mut(&mut waiting.newest).add(writes, applied, is_open);
        if !is_open {
            waiting.open = Some(Instant::now());
        }
        let after = waiting.open_bytes();
        waiting.bytes += after - before;
        if after >= LEAVE_BYTES {
            waiting.seal();
        }
        if !is_open || after >= LEAVE_BYTES || waiting.bytes >= MOST {
            self.work.notify_one();
        }
        let spent = std::mem::take(&mut waiting.spent);
        drop(waiting);
        drop(spent);
        Ok(())
    }

    /// The newest version, kept from sled while it is looked at.
    pub(crate) fn pin(&self) -> Result<Arc<Version>, StateError> {
        let mut waiting = self.lock();
        waiting.check()?;
        let version = Arc::clone(&waiting.newest);
        waiting.pinned.entry(version.number).or_default().many += 1;
        Ok(version)
    }

    /// One reader less looks at a version.
    pub(crate) fn unpin(&self, number: u64) {
        let mut waiting = self.lock();
        // One that is gone is not counted any more.
        if number < self.floor.load(Ordering::SeqCst) {
            return;
        }
        if let Some(readers) = waiting.pinned.get_mut(&number) {
            readers.many -= 1;
            if readers.many == 0 {
                waiting.pinned.remove(&number);
                if waiting.is_held {
                    self.work.notify_one();
                }
            }
        }
    }

    /// Whether a version can still be read.
    pub(crate) fn check(&self, number: u64) -> Result<(), StateError> {
        if self.has_failed.load(Ordering::SeqCst) {
            return self.lock().check();
        }
        if number < self.floor.load(Ordering::SeqCst) { Err(StateError::Revoked) } else { Ok(()) }
    }

    /// The newest version. Only for the one who brings the next: nobody else keeps sled from going past it.
    pub(crate) fn newest(&self) -> Result<Arc<Version>, StateError> {
        let waiting = self.lock();
        waiting.check()?;
        Ok(Arc::clone(&waiting.newest))
    }

    /// Returns when sled has all that was taken before.
    pub(crate) fn settle(&self) -> Result<(), StateError> {
        self.lock().is_hurried = true;
        self.work.notify_one();
        let settled = self.wait_while(|waiting| !waiting.is_settled());
        settled.map(|mut waiting| waiting.is_hurried = false)
    }

    /// Ends the thread when sled has all. Whether it has.
    pub(crate) fn end(&self) -> bool {
        self.lock().is_ending = true;
        self.work.notify_one();
        let ended = self.done.wait_timeout_while(self.lock(), PATIENCE, |waiting| !waiting.has_ended);
        let (waiting, _) = ended.unwrap_or_else(PoisonError::into_inner);
        waiting.has_ended && waiting.failed.is_none()
    }

    /// Versions that are looked at.
    #[cfg(test)]
    pub(crate) fn pinned(&self) -> usize {
        self.lock().pinned.len()
    }

    /// Slices that sled took, and those that wait.
    #[cfg(test)]
    pub(crate) fn slices(&self) -> (u64, usize) {
        let waiting = self.lock();
        (waiting.left, waiting.sealed.len())
    }

    /// As if sled had refused.
    #[cfg(any(test, shuttle))]
    pub(crate) fn fail(&self, why: &str) {
        self.lock().failed = Some(why.to_owned());
        self.has_failed.store(true, Ordering::SeqCst);
        self.work.notify_one();
        self.done.notify_all();
    }

    /// Waits as long as slices leave.
    fn wait_while(&self, busy: impl Fn(&Waiting) -> bool) -> Result<MutexGuard<'_, Waiting>, StateError> {
        let mut waiting = self.lock();
        while waiting.failed.is_none() && busy(&waiting) {
            let left = waiting.left;
            let is_stuck =
                |waiting: &mut Waiting| waiting.failed.is_none() && busy(waiting) && waiting.left == left;
            let waited = self.done.wait_timeout_while(waiting, PATIENCE, is_stuck);
            let (after, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            waiting = after;
            if waited.timed_out() {
                self.has_failed.store(true, Ordering::SeqCst);
                waiting.failed = Some(format!("sled did not answer within {PATIENCE:?}"));
            }
        }
        waiting.check()?;
        Ok(waiting)
    }
}
