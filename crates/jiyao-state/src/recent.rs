//! What is newer than sled: batches wait in memory and go to sled together, on a thread of its own. The journal has
//! them already, so nothing is lost that way, and what is written often, as a counter, is written once.

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::Store;
use crate::{Applied, StateError, Writes};

/// So many bytes go to sled at once, or what there is after so long.
const LEAVE_BYTES: usize = 64 << 10;
const LEAVE_AFTER: Duration = Duration::from_millis(50);
/// With so many waiting, a writer waits too.
const ROOM: usize = 512 << 10;
/// A batch takes milliseconds; one that takes so long never ends.
const PATIENCE: Duration = Duration::from_secs(10);
/// Beside the bytes of a pair, what the map takes for it.
const PER_PAIR: usize = 64;

/// A key and its value, None where it was removed.
pub(crate) type Write = (Vec<u8>, Option<Vec<u8>>);

#[derive(Debug, Default)]
struct Waiting {
    applied: Applied,
    fresh: Writes,
    fresh_bytes: usize,
    /// Since when something waits, if only the place in the journal.
    since: Option<Instant>,
    /// On its way to sled.
    leaving: Option<Arc<Writes>>,
    /// What sled has now. Whoever brings the next batch drops it: memory is best given back where it was taken.
    spent: Vec<Arc<Writes>>,
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
}

impl Waiting {
    fn check(&self) -> Result<(), StateError> {
        self.failed.clone().map_or(Ok(()), |why| Err(StateError::Failed(why)))
    }

    fn is_due(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| {
            let is_old = now.duration_since(since) >= LEAVE_AFTER;
            self.is_hurried || self.is_ending || is_old || self.fresh_bytes >= LEAVE_BYTES
        })
    }
}

impl Recent {
    /// Begins with what sled shows, and starts the thread.
    pub(crate) fn over(store: Arc<Store>, applied: Applied) -> Result<Arc<Self>, StateError> {
        let recent = Arc::new(Self {
            waiting: Mutex::new(Waiting { applied, ..Waiting::default() }),
            ..Self::default()
        });
        let shared = Arc::clone(&recent);
        std::thread::Builder::new().name("state-writer".to_owned()).spawn(move || {
            let failed = shared.bring_to(&store).err();
            drop(store);
            let mut waiting = shared.lock();
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
        loop {
            let (leaving, applied) = {
                let mut waiting = self.lock();
                loop {
                    if waiting.failed.is_some() || (waiting.is_ending && waiting.since.is_none()) {
                        return Ok(());
                    }
                    let now = Instant::now();
                    if waiting.is_due(now) {
                        break;
                    }
                    let left =
                        waiting.since.map(|since| LEAVE_AFTER.saturating_sub(now.duration_since(since)));
                    let left = left.unwrap_or(Duration::from_secs(3600));
                    waiting = self.work.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
                }
                let leaving = Arc::new(std::mem::take(&mut waiting.fresh));
                waiting.fresh_bytes = 0;
                waiting.since = None;
                waiting.leaving = Some(Arc::clone(&leaving));
                (leaving, waiting.applied)
            };
            let written = catch_unwind(AssertUnwindSafe(|| store.write(&leaving, applied)));
            let written = written.map_err(|_| "sled panicked".to_owned());
            written.and_then(|written| written.map_err(|e| e.to_string()))?;
            let mut waiting = self.lock();
            waiting.leaving = None;
            waiting.spent.push(leaving);
            self.done.notify_all();
        }
    }

    /// Takes a batch.
    pub(crate) fn take(&self, writes: Writes, applied: Applied) -> Result<(), StateError> {
        let mut waiting = self.wait_while(|waiting| waiting.fresh_bytes >= ROOM)?;
        waiting.fresh_bytes += writes
            .iter()
            .map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len) + PER_PAIR)
            .sum::<usize>();
        if waiting.since.is_none() {
            waiting.fresh = writes;
            waiting.since = Some(Instant::now());
            self.work.notify_one();
        } else {
            waiting.fresh.extend(writes);
        }
        waiting.applied = applied;
        if waiting.fresh_bytes >= LEAVE_BYTES {
            self.work.notify_one();
        }
        let spent = std::mem::take(&mut waiting.spent);
        drop(waiting);
        drop(spent);
        Ok(())
    }

    /// Returns when sled has all that was taken before.
    pub(crate) fn settle(&self) -> Result<(), StateError> {
        self.lock().is_hurried = true;
        self.work.notify_one();
        let settled = self.wait_while(|waiting| waiting.since.is_some() || waiting.leaving.is_some());
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

    fn wait_while(&self, busy: impl Fn(&Waiting) -> bool) -> Result<MutexGuard<'_, Waiting>, StateError> {
        let busy = |waiting: &mut Waiting| waiting.failed.is_none() && busy(waiting);
        let waited = self.done.wait_timeout_while(self.lock(), PATIENCE, busy);
        let (mut waiting, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            waiting.failed = Some(format!("sled did not answer within {PATIENCE:?}"));
        }
        waiting.check()?;
        Ok(waiting)
    }

    pub(crate) fn applied(&self) -> Result<Applied, StateError> {
        let waiting = self.lock();
        waiting.check()?;
        Ok(waiting.applied)
    }

    /// What waits of a key; None: sled has it.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Option<Vec<u8>>>, StateError> {
        let waiting = self.lock();
        waiting.check()?;
        let leaving = || waiting.leaving.as_ref().and_then(|leaving| leaving.get(key));
        Ok(waiting.fresh.get(key).or_else(leaving).cloned())
    }

    /// The first so many under a prefix that wait, from a key on.
    pub(crate) fn first(&self, prefix: &[u8], from: &[u8], many: usize) -> Result<Vec<Write>, StateError> {
        let waiting = self.lock();
        waiting.check()?;
        let of = |writes: &Writes| -> Writes {
            let from = (Bound::Included(from), Bound::Unbounded);
            let found = writes.range::<[u8], _>(from).take_while(|(key, _)| key.starts_with(prefix));
            found.take(many).map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let mut found = waiting.leaving.as_deref().map(of).unwrap_or_default();
        found.extend(of(&waiting.fresh));
        Ok(found.into_iter().take(many).collect())
    }
}
