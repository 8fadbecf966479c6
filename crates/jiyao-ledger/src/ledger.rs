use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
#[cfg(not(shuttle))]
use std::thread;
use std::time::Duration;

use jiyao_calendar::Clock;
use jiyao_fault::{Fault, Reason, Result};
use jiyao_journal::{Cursor, Journal, Locked, Log, Options};
use jiyao_proto::stored::v1;
use jiyao_state::{Look, LoosePin, Origin, Pin, State};
use prost::Message as _;
#[cfg(shuttle)]
use shuttle::thread;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use crate::clock::{AcceptClock, ClockLook, Timekeeper};
use crate::domain::{Domain, Ids};
use crate::erasure::{self, AskErasure, CarryOut};
use crate::group::Unshown;
use crate::overlay::unavailable;
use crate::public::Blocks;
use crate::syncer::Syncer;
use crate::writer::{Asked, Job, Writer, end_for};

/// Commands that may wait for the writer.
const QUEUE: usize = 1024;
/// Most keys that one read may look at: more goes by pages or kept counters.
const LOOKED_AT: usize = 20_000;
/// Pairs of one read among those that look through many: each may need another key.
const AT_ONCE: usize = 5000;
/// How often a read after a commit may panic before that is its answer.
const PANICS: usize = 2;
/// How long a read after a commit waits for a state that failed before it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Where a ledger keeps its files.
#[derive(Clone, Debug)]
pub struct Places {
    /// Folder of the journal: what must not be lost.
    pub journal: PathBuf,
    /// Folder of the state: may be deleted while the service is stopped.
    pub state: PathBuf,
}

impl Places {
    /// The usual places in a data directory.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { journal: folder.join("journal"), state: folder.join("state") }
    }

    /// Where a state is made that is to take the other's place.
    pub(crate) fn beside(&self) -> PathBuf {
        self.state.with_extension("beside")
    }
}

/// Why a ledger does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] jiyao_journal::OpenError),
    /// The state: not even an empty one can be made.
    #[error("open the state: {0}")]
    State(#[from] jiyao_state::StateError),
    /// The state is open in another process.
    #[error("open the state in {state}: another process is using this data directory, stop it first ({why})")]
    StateInUse {
        /// Folder of the state.
        state: PathBuf,
        /// sled's words.
        why: String,
    },
    /// A record cannot be read again.
    #[error("replay the journal: {0}")]
    Replay(#[from] jiyao_journal::ReadError),
    /// An erasure that was interrupted cannot be finished.
    #[error("finish an erasure: {0}")]
    Erase(#[from] jiyao_journal::EraseError),
    /// A folder of a state cannot be removed.
    #[error("remove a state: {0}")]
    Io(#[from] std::io::Error),
    /// A record holds what this program does not know.
    #[error(
        "replay record {sequence}: {fault}; it was written by a newer program, or is not of this service"
    )]
    Unknown {
        /// Sequence.
        sequence: u64,
        /// What.
        fault: Fault,
    },
    /// The state shows acknowledged records that the journal no longer has.
    #[error(
        "the state in {state} shows {shown} records of a journal whose folder {journal} holds {held}: records that were acknowledged are missing. Restore the journal from a backup; to go on without them, remove the state's folder"
    )]
    RecordsMissing {
        /// Folder of the journal.
        journal: PathBuf,
        /// Folder of the state.
        state: PathBuf,
        /// Records that the state shows.
        shown: u64,
        /// Records that the journal holds.
        held: u64,
    },
}

/// A command with who asks and how to recognise a repeat.
#[derive(Debug)]
pub struct Submission<C> {
    /// Who.
    pub principal: String,
    /// Full method, e.g. `/jiyao.records.v1.RecordsService/ImportMinutes`.
    pub method: &'static str,
    /// The client's UUID; empty: a repeat is not recognised.
    pub request_id: String,
    /// SHA-256 of the request without its request_id.
    pub digest: [u8; 32],
    /// What.
    pub command: C,
}

impl<C> Submission<C> {
    /// What a service does by itself, as nobody asks twice.
    pub fn own(principal: &str, method: &'static str, command: C) -> Self {
        Self { principal: principal.to_owned(), method, request_id: String::new(), digest: [0; 32], command }
    }

    fn map<T>(self, of: impl FnOnce(C) -> T) -> Submission<T> {
        let Self { principal, method, request_id, digest, command } = self;
        Submission { principal, method, request_id, digest, command: of(command) }
    }
}

/// What a command came to. On disk.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The encoded answer.
    pub answer: Vec<u8>,
    /// What [`crate::Context::tell`] says besides; None for a repeat.
    pub told: Option<Vec<u8>>,
    /// Where the answer's record stands; for an answer without a record, the head at that time.
    pub cursor: Cursor,
    /// The version that shows it: see [`Ledger::read_at`].
    pub(crate) shown: Option<LoosePin>,
}

/// One service's journal and the view of it. Clones are cheap handles.
pub struct Ledger<D: Domain> {
    pub(crate) inner: Arc<Inner<D>>,
}

impl<D: Domain> Clone for Ledger<D> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

pub(crate) struct Inner<D: Domain> {
    pub(crate) domain: Arc<D>,
    pub(crate) log: Log,
    pub(crate) state: Arc<Slot>,
    clock: Arc<Timekeeper>,
    queue: mpsc::Sender<Job<D>>,
    pub(crate) progress: watch::Receiver<u64>,
}

/// The state in use. Empty while it is rebuilt.
pub(crate) struct Slot(RwLock<Option<Arc<State>>>);

impl Slot {
    pub(crate) fn get(&self) -> Option<Arc<State>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, state: Option<Arc<State>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl<D: Domain> Ledger<D> {
    /// Opens journal and state, brings the state up to date and starts the writer. Blocks: call it off the async
    /// threads.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing is served then.
    pub fn open(
        places: &Places,
        options: Options,
        domain: D,
        clock: impl Clock,
        ids: Ids,
    ) -> Result<Self, OpenError> {
        // Each takes long where there is much, and neither needs the other yet.
        let locked = Locked::take(&places.journal)?;
        // A newer program's folder is refused before anything in it is touched.
        locked.check_format()?;
        let (opened, found) = std::thread::scope(|scope| {
            let found = scope.spawn(|| look_at_state::<D>(places));
            let opened = locked.open(options);
            (opened, found.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        let mut opened = opened?;
        let found = match found? {
            Look::InUse(why) => return Err(OpenError::StateInUse { state: places.state.clone(), why }),
            found => found,
        };
        let state = found_or_begun::<D>(places, found);
        let log = opened.journal.log();
        if let Some(cut) = &opened.cut {
            warn!(path = %cut.path.display(), offset = cut.offset, bytes = cut.length, "left out a torn tail that was never acknowledged");
        }
        let domain = Arc::new(domain);
        let state = catch_up(&domain, places, &mut opened.journal, state?)?;
        let clock = Arc::new(Timekeeper::new(clock, opened.journal.last_time_ms()));
        let (report, progress) = watch::channel(log.head().sequence);
        let (queue, jobs) = mpsc::channel(QUEUE);
        let slot = Arc::new(Slot(RwLock::new(Some(Arc::new(state)))));
        let writer = Writer {
            domain: Arc::clone(&domain),
            journal: opened.journal,
            places: places.clone(),
            state: Arc::clone(&slot),
            clock: Arc::clone(&clock),
            ids,
            jobs,
            report,
            blocks: Blocks::default(),
            syncer: Syncer::start().map_err(jiyao_journal::OpenError::Io)?,
            runtime: Builder::new_current_thread().build().map_err(jiyao_journal::OpenError::Io)?,
            last_sync: Duration::ZERO,
            unshown: Unshown::default(),
        };
        thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || writer.run_or_end())
            .map_err(jiyao_journal::OpenError::Io)?;
        Ok(Self { inner: Arc::new(Inner { domain, log, state: slot, clock, queue, progress }) })
    }

    /// Hands a command to the writer and waits for its outcome. A caller that stops waiting does not stop the
    /// command.
    ///
    /// # Errors
    /// The domain's refusals; `REQUEST_ID_REUSED`, `DISK_FULL`, `BUSY`, `CLOCK_JUMPED`, `STATE_UNAVAILABLE`.
    pub async fn submit(&self, submission: Submission<D::Command>) -> Result<Committed> {
        self.queue(submission.map(Asked::Command)).await
    }

    async fn queue(&self, submission: Submission<Asked<D::Command>>) -> Result<Committed> {
        if self.inner.state.get().is_none() {
            // The writer is busy with the state: nobody should wait for that in its queue.
            return Err(Fault::new(Reason::StateUnavailable));
        }
        let (reply, outcome) = oneshot::channel();
        self.inner.queue.try_send(Job::Decide { submission, reply }).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Fault::new(Reason::Busy),
            mpsc::error::TrySendError::Closed(_) => Fault::new(Reason::StateUnavailable),
        })?;
        outcome.await.unwrap_or_else(|_| Err(Fault::new(Reason::StateUnavailable)))
    }

    /// Asks that the content of minutes be erased. Nothing happens until another person confirms it.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `FIELD_INVALID`; the domain's where nothing is known of them; those of [`Ledger::submit`].
    pub async fn ask_erasure(&self, submission: Submission<AskErasure>) -> Result<v1::Erasure> {
        let committed = self.queue(submission.map(Asked::Erasure)).await?;
        v1::Erasure::decode(committed.answer.as_slice()).map_err(Fault::internal)
    }

    /// Accepts a clock that is refused, on record. A repeat answers the same.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `FIELD_INVALID`; `STATE_FORBIDS` where the clock is trusted; those of [`Ledger::submit`].
    pub async fn accept_clock(&self, submission: Submission<AcceptClock>) -> Result<v1::ClockAccepted> {
        let committed = self.queue(submission.map(Asked::Clock)).await?;
        v1::ClockAccepted::decode(committed.answer.as_slice()).map_err(Fault::internal)
    }

    /// The clock, and whether it is trusted. To be asked at least each minute: drift is allowed for the time between two
    /// looks.
    #[must_use]
    pub fn look_at_clock(&self) -> ClockLook {
        self.inner.clock.look()
    }

    /// Ends the process where another folder has the name of the journal's: another process may be using that one.
    pub fn end_if_replaced(&self) {
        if let Err(e) = self.inner.log.check_folder() {
            end_for("the data directory is no longer the one that was locked", &e);
        }
    }

    /// Carries an erasure out, and answers when nothing of it is left in the journal's and the state's folders. A
    /// repeat answers the same.
    ///
    /// # Errors
    /// `ERASURE_NOT_FOUND`, `SAME_PERSON`, `MINUTES_ERASED` by another; `STATE_FORBIDS` where other records cannot do
    /// without; `DISK_FULL`, `CLOCK_JUMPED`, `STATE_UNAVAILABLE`.
    pub async fn erase(&self, order: CarryOut) -> Result<v1::Erasure> {
        let (reply, outcome) = oneshot::channel();
        let unavailable = || Fault::new(Reason::StateUnavailable);
        self.inner.queue.send(Job::Erase { order, reply }).await.map_err(|_| unavailable())?;
        outcome.await.unwrap_or_else(|_| Err(unavailable()))
    }

    /// Every erasure that was asked for or carried out here, the oldest first.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub fn erasures(&self) -> Result<Vec<v1::Erasure>> {
        let decode = |value: Vec<u8>| v1::Erasure::decode(value.as_slice()).map_err(Fault::internal);
        let (mut all, _) = self.read(|view| {
            view.scan(erasure::KEPT, b"").map(|pair| decode(pair?.1)).collect::<Result<Vec<_>>>()
        })?;
        all.sort_by_key(|erasure| erasure.ask_time.map(|time| (time.seconds, time.nanos)));
        Ok(all)
    }

    /// Reads one version of the state, whatever is recorded meanwhile; the answer comes with the sequence of that
    /// version.
    ///
    /// # Errors
    /// The closure's; `READ_TOO_LONG` where it looks at too many keys, or holds up what is recorded for too long;
    /// `STATE_UNAVAILABLE`.
    pub fn read<T>(&self, read: impl FnOnce(&Reading<'_>) -> Result<T>) -> Result<(T, u64)> {
        let state = self.inner.state.get().ok_or_else(|| Fault::new(Reason::StateUnavailable))?;
        let read = || {
            let pin = state.pin().map_err(unavailable)?;
            Ok((answer(&pin, LOOKED_AT, read)?, pin.applied().sequence))
        };
        // sled may panic on damaged pages that it reads late.
        let answer = catch_unwind(AssertUnwindSafe(read));
        let answer = answer.unwrap_or_else(|_| Err(Fault::new(Reason::StateUnavailable)));
        if answer.as_ref().is_err_and(|fault| fault.reason() == Reason::StateUnavailable) {
            self.ask_for_another(&state);
        }
        answer
    }

    /// Looks at each pair under a prefix, in reads of some thousands, as long as `goes_on` holds at the beginning of each;
    /// answers whether it did to the end. A pair that is written meanwhile may be seen or not.
    ///
    /// # Errors
    /// Those of [`Ledger::read`] and of the closures.
    pub fn look_through(
        &self,
        prefix: &[u8],
        goes_on: impl Fn(&Reading<'_>) -> Result<bool>,
        mut look: impl FnMut(&Reading<'_>, &[u8], &[u8]) -> Result<()>,
    ) -> Result<bool> {
        let mut next = Some(Vec::new());
        while let Some(after) = next {
            let (read, _) = self.read(|view| {
                if !goes_on(view)? {
                    return Ok(None);
                }
                let (mut at_once, mut last) = (0, None);
                for pair in view.scan(prefix, &after).take(AT_ONCE) {
                    let (key, value) = pair?;
                    look(view, &key, &value)?;
                    (at_once, last) = (at_once + 1, Some(key));
                }
                Ok(Some(last.filter(|_| at_once == AT_ONCE)))
            })?;
            let Some(last) = read else { return Ok(false) };
            next = last;
        }
        Ok(true)
    }

    /// Reads the version that shows what was committed. Where that is gone it reads a newer one, and where the state has
    /// failed it waits for another: what is recorded is not refused any more.
    ///
    /// # Errors
    /// The closure's; `STATE_UNAVAILABLE` where the service stops.
    pub async fn read_at<T>(
        &self,
        committed: &Committed,
        read: impl Fn(&Reading<'_>) -> Result<T>,
    ) -> Result<T> {
        let (mut shown, mut panics) = (committed.shown.clone(), 0);
        loop {
            if let Some(value) = self.read_shown(shown.take(), &read, &mut panics) {
                return value;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The same, of what may be much: off the async thread.
    ///
    /// # Errors
    /// As [`Ledger::read_at`].
    pub async fn read_much_at<T: Send + 'static>(
        &self,
        committed: &Committed,
        read: impl Fn(&Reading<'_>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        let (mut shown, mut panics, read) = (committed.shown.clone(), 0, Arc::new(read));
        loop {
            let (ledger, read, pin) = (self.clone(), Arc::clone(&read), shown.take());
            let once = move || {
                let value = ledger.read_shown(pin, read.as_ref(), &mut panics);
                (value, panics)
            };
            let (value, after) = tokio::task::spawn_blocking(once).await.map_err(Fault::internal)?;
            if let Some(value) = value {
                return value;
            }
            panics = after;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Reads a version, or the newest one. None: it is gone, or the state failed, and another is to be read.
    fn read_shown<T>(
        &self,
        shown: Option<LoosePin>,
        read: &impl Fn(&Reading<'_>) -> Result<T>,
        panics: &mut usize,
    ) -> Option<Result<T>> {
        let unless_stopped =
            || self.inner.queue.is_closed().then(|| Err(Fault::new(Reason::StateUnavailable)));
        let Some(state) = self.inner.state.get() else { return unless_stopped() };
        let Some(pin) = shown.and_then(|shown| shown.pin()).or_else(|| state.pin().ok()) else {
            self.ask_for_another(&state);
            return unless_stopped();
        };
        // However much it is: nobody is told to ask for less of what is recorded.
        match catch_unwind(AssertUnwindSafe(|| answer(&pin, usize::MAX, read))) {
            Ok(Err(fault)) if fault.reason() == Reason::ReadTooLong => unless_stopped(),
            Ok(Err(fault)) if fault.reason() == Reason::StateUnavailable => {
                self.ask_for_another(&state);
                unless_stopped()
            }
            Ok(value) => Some(value),
            // sled may panic on damaged pages that it reads late; one that does it again and again is a bug.
            Err(_) => {
                *panics += 1;
                self.ask_for_another(&state);
                (*panics > PANICS).then(|| Err(Fault::internal("a read after a commit panicked")))
            }
        }
    }

    pub(crate) fn ask_for_another(&self, failed: &Arc<State>) {
        // A full queue means that the writer is at work and will meet the same fault.
        let _ = self.inner.queue.try_send(Job::Replace { failed: Arc::downgrade(failed) });
    }

    /// Waits until the state shows this sequence.
    ///
    /// # Errors
    /// `NOT_CAUGHT_UP` after `patience`.
    pub async fn reached(&self, sequence: u64, patience: Duration) -> Result<()> {
        let mut progress = self.inner.progress.clone();
        let wait = progress.wait_for(|reached| *reached >= sequence);
        if let Ok(Ok(_)) = tokio::time::timeout(patience, wait).await {
            return Ok(());
        }
        let reached = *self.inner.progress.borrow();
        Err(Fault::new(Reason::NotCaughtUp).with("wanted", sequence).with("reached", reached))
    }

    /// Cursor of the newest record that is on disk and shown.
    #[must_use]
    pub fn head(&self) -> Cursor {
        self.inner.log.head()
    }

    /// The journal, to read.
    #[must_use]
    pub fn log(&self) -> Log {
        self.inner.log.clone()
    }

    /// The stored record of a sequence; None where it was erased. Blocks on the disk.
    ///
    /// # Errors
    /// `RECORD_DAMAGED`, `INTERNAL`.
    pub fn record(&self, sequence: u64) -> Result<Option<v1::Record>> {
        let record = self.inner.log.read(sequence).map_err(damaged)?;
        record.payload.map(|payload| decode_record(&payload)).transpose()
    }

    /// Stops the writer after what waits now, and returns when the folders are released.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.inner.queue.send(Job::Stop { done }).await.is_ok() {
            let _ = closed.await;
        }
    }
}

pub(crate) fn damaged(e: jiyao_journal::ReadError) -> Fault {
    match &e {
        jiyao_journal::ReadError::Damaged { sequence, .. } => {
            Fault::new(Reason::RecordDamaged).with("sequence", sequence).because(e)
        }
        _ => Fault::internal(e),
    }
}

pub(crate) fn decode_record(payload: &[u8]) -> Result<v1::Record> {
    v1::Record::decode(payload).map_err(Fault::internal)
}

/// How long a state may take to be opened: a sound one opens at hundreds of MB a second; one that hangs must not hold up
/// its rebuilding for long.
fn patience(places: &Places) -> Duration {
    Duration::from_secs(5 + folder_size(&places.state) / (10 << 20))
}

/// What lies there.
pub(crate) fn look_at_state<D: Domain>(places: &Places) -> Result<Look, OpenError> {
    Ok(State::look(&places.state, D::PROJECTION, patience(places))?)
}

/// The state that was found, or an empty one where it is not sound.
pub(crate) fn found_or_begun<D: Domain>(places: &Places, found: Look) -> Result<State, OpenError> {
    State::remove(&places.beside())?;
    let (state, origin) = found.or_begin(&places.state, D::PROJECTION, patience(places))?;
    if let Origin::SetAside { why, to } = &origin {
        warn!(%why, aside = %to.display(), "the state was set aside; rebuilding it from the journal");
    }
    Ok(state)
}

/// Brings a state up to its journal. What was recorded of erasures since is finished in the journal first, and a state
/// that shows what they took away is made anew: none ever comes to the record of an erasure that is not done, however
/// often this is interrupted.
pub(crate) fn catch_up<D: Domain>(
    domain: &Arc<D>,
    places: &Places,
    journal: &mut Journal,
    state: State,
) -> Result<State, OpenError> {
    let mut state = of_this_journal(places, journal, state)?;
    let began = state.applied()?.sequence;
    let met = erasure::recorded_since(&journal.log(), began)?;
    if !met.is_empty() {
        erasure::finish(domain.as_ref(), journal, &met)?;
        // A state that showed what was erased later still has it in its files, and so has what was set aside in its place.
        State::remove_asides(&places.state)?;
        if met.iter().filter_map(|erasure| erasure.records.first()).any(|first| first.sequence <= began) {
            info!("the state is made anew after an erasure");
            drop(state);
            State::remove(&places.state)?;
            state = found_or_begun::<D>(places, Look::Nothing)?;
        }
    }
    let log = journal.log();
    if let Err(e) = crate::writer::replay(domain.as_ref(), &log, &state, &BTreeMap::new()) {
        // Dropped here it could hold up the writer for ever.
        Arc::new(state).retire();
        return Err(e);
    }
    let head = log.head();
    info!(head = head.sequence, journal = %head.journal, "the state is up to date");
    Ok(state)
}

/// A state of another journal, or of another story of this one, is set aside. One that is ahead of its journal, or has
/// an empty one beside it, proves that acknowledged records are missing: what is applied was synced before. That is
/// refused.
fn of_this_journal(places: &Places, journal: &Journal, state: State) -> Result<State, OpenError> {
    let log = journal.log();
    let head = log.head();
    let applied = state.applied()?;
    let is_of_it = applied.journal == *log.id().as_bytes();
    let fits = applied.sequence == 0
        || (is_of_it
            && applied.sequence <= head.sequence
            && log.cursor_at(applied.sequence).is_ok_and(|cursor| cursor.hash == applied.hash));
    if fits {
        return Ok(state);
    }
    if head.sequence == 0 || (is_of_it && applied.sequence > head.sequence) {
        return Err(OpenError::RecordsMissing {
            journal: places.journal.clone(),
            state: places.state.clone(),
            shown: applied.sequence,
            held: head.sequence,
        });
    }
    let (fresh, aside) = state.begin_anew(&places.state, patience(places))?;
    warn!(shown = applied.sequence, head = head.sequence, aside = %aside.display(), "the state does not belong to this journal; rebuilding it");
    Ok(fresh)
}

pub(crate) fn folder_size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// What a read of a version comes to. Once that is gone there is no answer.
fn answer<T>(pin: &Pin, most: usize, read: impl FnOnce(&Reading<'_>) -> Result<T>) -> Result<T> {
    let value = read(&Reading { pin, left: Cell::new(most) });
    // A refusal too would be of what it saw.
    pin.check().map_err(unavailable)?;
    value
}

/// One version of the state while it is read.
pub struct Reading<'p> {
    pin: &'p Pin,
    /// Keys that it may still look at.
    left: Cell<usize>,
}

impl Reading<'_> {
    fn look(&self) -> Result<()> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| Fault::new(Reason::ReadTooLong))?;
        self.left.set(left);
        Ok(())
    }

    /// The value of a key.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`, `READ_TOO_LONG`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.look()?;
        self.pin.get(key).map_err(unavailable)
    }

    /// Pairs whose key begins with `prefix`, in key order, from the first key after `after` on.
    pub fn scan(
        &self,
        prefix: &[u8],
        after: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>)>> + use<'_> {
        self.pin.scan(prefix, after).map(|pair| {
            self.look()?;
            pair.map_err(unavailable)
        })
    }
}
