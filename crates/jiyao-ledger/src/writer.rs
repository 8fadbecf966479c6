//! The one thread that writes.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use jiyao_calendar::Timestamp;
use jiyao_fault::{Fault, Reason, Result, chain};
use jiyao_journal::{
    AppendError, Entry, EraseError, Journal, Log, free_bytes, is_planted, kill_point, put_in_place,
};
use jiyao_proto::stored::v1::{Erasure, Record, UsedRequest};
use jiyao_state::{Applied, Look, State, Writes};
use jiyao_telemetry::histogram;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, warn};

use crate::clock::{AcceptClock, Timekeeper};
use crate::domain::{Context, Domain, Ids};
use crate::erasure::{self, AskErasure, CarryOut};
use crate::group::{Answers, Group, Outcome, Reply, Unshown};
use crate::ledger::{
    OpenError, Places, Slot, Submission, catch_up, decode_record, folder_size, found_or_begun, look_at_state,
};
use crate::overlay::{Overlay, unavailable};
use crate::public::Blocks;
use crate::syncer::{Syncer, Timed};

/// Exit code where the writer has a bug (EX_SOFTWARE): the next start reads all that was acknowledged.
const EXIT_BUG: i32 = 70;
/// Keys of the ledger begin with 0: this one holds used request ids.
const USED: &[u8] = b"\0used/";
/// Pause before a state that cannot be opened is tried again.
const STATE_RETRY: Duration = Duration::from_millis(500);
/// How long an empty state may take to be opened, and a reader to let go of one.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of records that are replayed at once: what they put goes to sled together.
const REPLAYED: usize = 32 << 10;
/// What a new state takes on the disk at first, beyond what the last one took.
const STATE_ROOM: u64 = 8 << 20;

/// A request of the domain or of the ledger itself.
#[derive(Debug)]
pub(crate) enum Asked<C> {
    Command(C),
    Erasure(AskErasure),
    Clock(AcceptClock),
}

pub(crate) enum Job<D: Domain> {
    Decide {
        submission: Submission<Asked<D::Command>>,
        reply: Reply,
    },
    Erase {
        order: CarryOut,
        reply: oneshot::Sender<Result<Erasure>>,
    },
    /// A reader met a fault of this state: another is to take its place, if it is still in use.
    Replace {
        failed: Weak<State>,
    },
    Stop {
        done: oneshot::Sender<()>,
    },
}

pub(crate) struct Writer<D: Domain> {
    pub(crate) domain: Arc<D>,
    pub(crate) journal: Journal,
    pub(crate) places: Places,
    pub(crate) state: Arc<Slot>,
    pub(crate) clock: Arc<Timekeeper>,
    pub(crate) ids: Ids,
    pub(crate) jobs: mpsc::Receiver<Job<D>>,
    pub(crate) report: watch::Sender<u64>,
    pub(crate) blocks: Blocks,
    pub(crate) syncer: Syncer,
    /// Waits for what comes first, a job or the disk.
    pub(crate) runtime: Runtime,
    pub(crate) last_sync: Duration,
    /// Who waits for a state that shows what is recorded.
    pub(crate) unshown: Unshown,
}

/// Why no group is decided any more, but for a state that failed.
enum End {
    /// Everyone has gone.
    Closed,
    Stop(oneshot::Sender<()>),
    Erase(CarryOut, oneshot::Sender<Result<Erasure>>),
}

/// A group that was written and is being synced. What it puts lies under the group that is decided meanwhile.
struct Behind {
    answers: Answers,
    state_failed: bool,
    accepts_clock: bool,
}

/// What comes first.
enum News<D: Domain> {
    Job(Job<D>),
    Synced(Timed),
    Closed,
}

impl<D: Domain> Writer<D> {
    /// Works until it is stopped. Without it nothing is ever written again, so where it fails the process ends.
    pub(crate) fn run_or_end(self) {
        // Shuttle ends what it gives up with a panic.
        if cfg!(shuttle) {
            return self.run();
        }
        if catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {
            error!("the writer panicked; ending the process");
            std::process::exit(EXIT_BUG);
        }
    }

    fn run(mut self) {
        // A state that failed is made good before anyone asks: readers wait for it too.
        let stop = loop {
            let state = match self.sound_state() {
                Ok(state) => state,
                Err(stop) => break stop,
            };
            let (is_sound, end) = self.serve(&state);
            if !is_sound {
                self.state.set(None);
                Arc::clone(&state).retire();
            }
            match (end, is_sound.then_some(state)) {
                (Some(End::Erase(order, reply)), Some(state)) => {
                    let erased = self.erase(&order, &state);
                    let changed = match &erased {
                        Ok(erased) if erased.is_new => self.change_over(state),
                        _ => Ok(()),
                    };
                    // Whoever is told that it is gone finds nothing of it: a stop while the state has it still is no
                    // answer.
                    let told = match &changed {
                        Ok(()) => erased.map(|erased| erased.erasure),
                        Err(_) => Err(Fault::new(Reason::StateUnavailable)),
                    };
                    let _ = reply.send(told);
                    if let Err(stop) = changed {
                        break stop;
                    }
                }
                (Some(End::Erase(_, reply)), None) => {
                    let _ = reply.send(Err(Fault::new(Reason::StateUnavailable)));
                }
                (Some(End::Stop(done)), _) => break Some(done),
                (Some(End::Closed), _) => break None,
                (None, _) => {}
            }
        };
        if let Some(state) = self.state.get()
            && let Err(e) = state.settle()
        {
            warn!(cause = %chain(&e), "the state was left behind the journal; the next start catches up");
        }
        self.state.set(None);
        drop(self.journal);
        if let Some(done) = stop {
            let _ = done.send(());
        }
    }

    /// Decides, writes, syncs and answers group after group: while one is synced, the next is decided upon it. Returns
    /// when nothing is on its way: whether the state is sound, and what else ended it.
    fn serve(&mut self, state: &Arc<State>) -> (bool, Option<End>) {
        let mut group = Group::new(state, self.journal.log().head().sequence + 1);
        let (mut behind, mut end, mut is_sound) = (None, None, true);
        loop {
            // Nothing more is decided against an overlay that may hold half of a record.
            // Nor while somebody waits for a state that shows what is recorded.
            is_sound &= !group.state_failed && self.unshown.is_empty();
            let is_closed = end.is_some() || !is_sound;
            // None: nothing is to be waited for.
            let news = match &behind {
                Some(_) if is_closed || group.is_full() => {
                    Some(News::Synced(self.runtime.block_on(self.syncer.synced())))
                }
                Some(_) => Some(self.news()),
                None if is_closed => None,
                None if group.is_empty() => Some(self.news()),
                None if group.is_due(self.last_sync) => None,
                None => self.jobs.try_recv().ok().map(News::Job),
            };
            match news {
                Some(News::Job(Job::Decide { submission, reply })) => {
                    self.decide(&mut group, &submission, reply);
                }
                Some(News::Job(Job::Erase { order, reply })) => end = Some(End::Erase(order, reply)),
                Some(News::Job(Job::Stop { done })) => end = Some(End::Stop(done)),
                Some(News::Closed) => end = Some(End::Closed),
                Some(News::Job(Job::Replace { failed })) => {
                    group.state_failed |= std::ptr::eq(failed.as_ptr(), Arc::as_ptr(state));
                }
                Some(News::Synced(synced)) => {
                    let writes = group.overlay.settle();
                    let shown = behind.take().is_none_or(|behind| self.finish(behind, synced, writes, state));
                    group.state_failed |= !shown;
                }
                None if is_closed && group.is_empty() => return (is_sound, end),
                None => (group, behind) = self.begin(group, state),
            }
        }
    }

    /// A job, or what was synced.
    fn news(&mut self) -> News<D> {
        let (syncer, jobs) = (&mut self.syncer, &mut self.jobs);
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                synced = syncer.synced() => News::Synced(synced),
                job = jobs.recv() => job.map_or(News::Closed, News::Job),
            }
        })
    }

    /// The state; opened again, or rebuilt, when it failed.
    ///
    /// # Errors
    /// It is to stop: whoever asked for that, if anyone is left.
    fn sound_state(&mut self) -> Result<Arc<State>, Option<oneshot::Sender<()>>> {
        if let Some(state) = self.state.get() {
            return Ok(state);
        }
        // What it took may be of a group that was not written, or of records that were erased.
        self.blocks = Blocks::default();
        // What was found, while there is no room for another.
        let mut waiting = None;
        loop {
            let was_full = waiting.is_some();
            let next = waiting.take().unwrap_or_else(|| look_at_state::<D>(&self.places));
            let is_there = matches!(next, Ok(Look::Sound(_)));
            // A store that failed is never quite gone while the process lives: what it holds on the disk stays taken.
            // So none is begun that is bound to fail.
            if is_there || self.has_room_for_state() {
                let opened = next
                    .and_then(|found| found_or_begun::<D>(&self.places, found))
                    .and_then(|state| catch_up(&self.domain, &self.places, &mut self.journal, state));
                match opened {
                    Ok(state) => {
                        let state = Arc::new(state);
                        self.state.set(Some(Arc::clone(&state)));
                        self.report.send_replace(self.journal.log().head().sequence);
                        if let Ok(shown) = state.pin() {
                            self.unshown.give(&shown);
                        }
                        return Ok(state);
                    }
                    Err(e) => error!(cause = %chain(&e), "the state cannot be opened; trying again"),
                }
            } else {
                if !was_full {
                    error!(needed = self.room_for_state(), "the disk has no room for another state; waiting");
                }
                waiting = Some(next);
            }
            loop {
                match self.jobs.try_recv() {
                    Ok(Job::Decide { reply, .. }) => {
                        let _ = reply.send(Err(Fault::new(Reason::StateUnavailable)));
                    }
                    Ok(Job::Erase { reply, .. }) => {
                        let _ = reply.send(Err(Fault::new(Reason::StateUnavailable)));
                    }
                    Ok(Job::Replace { .. }) => {}
                    Ok(Job::Stop { done }) => return Err(Some(done)),
                    Err(TryRecvError::Disconnected) => return Err(None),
                    Err(TryRecvError::Empty) => break,
                }
            }
            std::thread::sleep(STATE_RETRY);
        }
    }

    /// The reserve is kept for this.
    fn has_room_for_state(&self) -> bool {
        free_bytes(&self.places.journal).is_ok_and(|free| free >= self.room_for_state())
    }

    fn room_for_state(&self) -> u64 {
        folder_size(&self.places.state) + STATE_ROOM
    }

    fn decide(&mut self, group: &mut Group<'_>, submission: &Submission<Asked<D::Command>>, reply: Reply) {
        // A rule that panics is a bug of this program; sled may panic on damaged pages that it reads late.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.outcome(group, submission)));
        let outcome = outcome.unwrap_or_else(|_| {
            group.state_failed = true;
            Err(Fault::internal(format!("{} panicked", submission.method)))
        });
        // It may have failed since the last group: what it took then was still on its way to the disk.
        group.state_failed |= outcome.as_ref().is_err_and(|fault| fault.reason() == Reason::StateUnavailable);
        group.add(outcome.unwrap_or_else(Outcome::Refused), reply);
    }

    fn outcome(
        &mut self,
        group: &mut Group<'_>,
        submission: &Submission<Asked<D::Command>>,
    ) -> Result<Outcome> {
        if !submission.request_id.is_empty()
            && let Some(found) = group.overlay.get(&used_key(submission))?
        {
            let found = UsedRequest::decode(found.as_slice()).map_err(Fault::internal)?;
            check_same(&submission.request_id, &found.digest, &submission.digest)?;
            return Ok(Outcome::Repeat { sequence: found.sequence });
        }
        // Asked once for a group: the append asks again.
        if group.entries.is_empty() {
            self.journal.room().map_err(|e| refused_append(&e))?;
        }
        let time_ms = match &submission.command {
            Asked::Clock(_) => self.clock.untrusted_now_ms(),
            _ => self.clock.now_ms()?,
        };
        let now = Timestamp::from_millisecond(time_ms).map_err(Fault::internal)?;
        let latest = Timestamp::from_millisecond(self.journal.latest_time_ms()).unwrap_or(Timestamp::MIN);
        let mut context = Context {
            principal: &submission.principal,
            now,
            id_time: now.max(latest),
            ids: &mut self.ids,
            told: None,
        };
        let decided = match &submission.command {
            Asked::Command(command) => self.domain.decide(&group.overlay, command, &mut context)?,
            Asked::Erasure(ask) => erasure::ask(self.domain.as_ref(), &group.overlay, ask, &mut context)?,
            Asked::Clock(accept) => {
                let decided = self.clock.decide(accept, &context)?;
                group.accepts_clock = true;
                decided
            }
        };
        let told = context.told.take();
        if decided.events.is_empty() {
            return Ok(Outcome::Unchanged { answer: decided.answer });
        }
        let at = group.entries.len();
        let record = Record {
            method: submission.method.to_owned(),
            principal: submission.principal.clone(),
            request_id: submission.request_id.clone(),
            request_digest: submission.digest.to_vec(),
            events: decided.events,
            answer: decided.answer.clone(),
        };
        let sequence = group.next();
        let shown =
            apply(self.domain.as_ref(), &mut group.overlay, &record, sequence, time_ms).and_then(|()| {
                let shown = (sequence, time_ms, Some(&record));
                self.blocks.take(self.domain.as_ref(), &self.journal.log(), &mut group.overlay, shown)
            });
        if let Err(fault) = shown {
            // The overlay may hold half of the record: it must not become the state.
            group.state_failed = true;
            return Err(fault);
        }
        let payload = record.encode_to_vec();
        group.bytes += payload.len();
        group.entries.push(Entry { time_ms, payload });
        Ok(Outcome::New { at, answer: decided.answer, told })
    }

    /// Carries an erasure out, all but the change to the state that shows what is left: it is made beside the one in
    /// use, from the records as they will be, before anything is written. What does not replay is refused.
    fn erase(&mut self, order: &CarryOut, state: &State) -> Result<Erased> {
        let time_ms = self.clock.now_ms()?;
        let (mut erasure, is_done) = erasure::begin(&Overlay::new(state), order, time_ms)?;
        if is_done {
            return Ok(Erased { erasure, is_new: false });
        }
        let log = self.journal.log();
        let domain = self.domain.as_ref();
        // A rule that panics is a bug of this program, and would be met again at every start.
        let planned = catch_unwind(AssertUnwindSafe(|| erasure::plan(domain, &log, &erasure)));
        let plan = planned.unwrap_or_else(|_| Err(Fault::internal("planning an erasure panicked")))?;
        erasure.records = erasure::named(&plan);
        let record = erasure::record(&erasure, order);
        let payload = record.encode_to_vec();
        if plan.remains.is_empty() {
            // A follower that had nothing of it confirms that too. What cannot be shown is not written.
            let sequence = log.head().sequence + 1;
            let mut overlay = Overlay::new(state);
            apply(domain, &mut overlay, &record, sequence, time_ms)?;
            let shown = (sequence, time_ms, Some(&record));
            self.blocks.take(domain, &log, &mut overlay, shown)?;
            self.write_down(Entry { time_ms, payload })?;
            let head = log.head();
            let applied = Applied { journal: *head.journal.as_bytes(), sequence, hash: head.hash };
            state.apply(overlay.writes, applied).map_err(unavailable)?;
            self.report.send_replace(sequence);
            return Ok(Erased { erasure, is_new: false });
        }
        let fresh = self.rehearse(&plan)?;
        kill_point("erasure-rehearsed");
        // The rehearsal took some of the room that was there before.
        let written = self.can_erase(&plan).and_then(|()| self.write_down(Entry { time_ms, payload }));
        if let Err(fault) = written {
            self.give_up_rehearsal(fresh);
            return Err(fault);
        }
        kill_point("erasure-recorded");
        if let Err(e) = erasure::carry_out(self.domain.as_ref(), &mut self.journal, &plan) {
            end_for("what was erased cannot be written anew", &e);
        }
        self.blocks = Blocks::default();
        kill_point("erasure-written");
        // The erasure itself. Where this fails the change-over finds a state to be made anew.
        let shown =
            replay(self.domain.as_ref(), &log, &fresh, &BTreeMap::new()).and_then(|()| Ok(fresh.settle()?));
        if let Err(e) = shown {
            warn!(cause = %chain(&e), "the state must be rebuilt after an erasure");
            self.give_up_rehearsal(fresh);
        }
        Ok(Erased { erasure, is_new: true })
    }

    /// The state as it will be without what a plan erases, made beside the one in use. Where that is not to be had,
    /// nothing is left of it.
    fn rehearse(&self, plan: &erasure::Plan) -> Result<State> {
        let (beside, log) = (self.places.beside(), self.journal.log());
        State::remove(&beside).map_err(Fault::internal)?;
        if !self.has_room_for_state() {
            let free = free_bytes(&self.places.journal).map_err(Fault::internal)?;
            return Err(refused_append(&AppendError::NoRoom { free, needed: self.room_for_state() }));
        }
        self.can_erase(plan)?;
        let cannot_go = |e: OpenError| {
            warn!(cause = %chain(&e), "an erasure is refused: the journal cannot be replayed without what should go");
            needed().because(e)
        };
        let (fresh, _) = State::open(&beside, D::PROJECTION, PATIENCE).map_err(|e| cannot_go(e.into()))?;
        let replayed =
            catch_unwind(AssertUnwindSafe(|| replay(self.domain.as_ref(), &log, &fresh, &plan.remains)));
        let replayed = replayed.unwrap_or_else(|_| {
            let fault = Fault::internal("rehearsing an erasure panicked");
            Err(OpenError::Unknown { sequence: log.head().sequence, fault })
        });
        match replayed {
            Ok(()) => Ok(fresh),
            Err(e) => {
                self.give_up_rehearsal(fresh);
                Err(cannot_go(e))
            }
        }
    }

    /// Lets go of the state beside the one in use, and of the room that it takes. Dropped here it could hold up the writer
    /// for ever.
    fn give_up_rehearsal(&self, fresh: State) {
        Arc::new(fresh).retire();
        if let Err(e) = State::remove(&self.places.beside()) {
            warn!(cause = %e, "a state that is of no use cannot be removed; the next erasure or start tries again");
        }
    }

    /// Whether the journal has room to be written anew without what a plan erases.
    fn can_erase(&self, plan: &erasure::Plan) -> Result<()> {
        self.journal.can_erase(&plan.remains).map_err(|e| match e {
            EraseError::Seal(e) => refused_append(&e),
            e => needed().because(e),
        })
    }

    /// Appends one record alone.
    fn write_down(&mut self, entry: Entry) -> Result<()> {
        let time_ms = entry.time_ms;
        let appended = self.journal.append(&[entry]).inspect(|_| self.clock.recorded(time_ms));
        appended.map(drop).map_err(|e| match e {
            AppendError::Fatal(e) => end_for("the journal cannot be written", &e),
            e => {
                // It has taken what was not written.
                self.blocks = Blocks::default();
                refused_append(&e)
            }
        })
    }

    /// Puts the state that was made beside the one in use in its place. Readers wait for what goes.
    ///
    /// # Errors
    /// As [`Writer::sound_state`].
    fn change_over(&mut self, old: Arc<State>) -> Result<(), Option<oneshot::Sender<()>>> {
        self.state.set(None);
        old.give_up_folder();
        kill_point("erasure-shown");
        let until = Instant::now() + PATIENCE;
        while Arc::strong_count(&old) > 1 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        match Arc::into_inner(old) {
            Some(old) => drop(old),
            None => warn!("a reader holds on to the state: what was erased stays in memory until it lets go"),
        }
        let (beside, state) = (self.places.beside(), &self.places.state);
        if let Err(e) = State::remove(state).and_then(|()| put_in_place(&beside, state)) {
            warn!(cause = %e, "the state must be rebuilt after an erasure");
        }
        kill_point("state-replaced");
        // It is opened, or rebuilt, as after any failure; nobody is answered before.
        self.sound_state().map(drop)
    }

    /// Writes a group and begins to sync it: the group that is decided upon it meanwhile, and what waits. Where there is
    /// nothing to write, or no room, it is answered at once.
    fn begin<'s>(&mut self, mut group: Group<'s>, state: &'s Arc<State>) -> (Group<'s>, Option<Behind>) {
        kill_point("group-decided");
        if group.entries.is_empty() {
            let shown = if group.state_failed { None } else { state.pin().ok() };
            self.unshown.add(group.answers.give(&self.journal.log(), &[], shown));
            return (Group::new(state, group.first), None);
        }
        if is_planted("report-early") {
            self.report.send_replace(group.next() - 1);
        }
        let began = Instant::now();
        match self.journal.write(&group.entries) {
            Ok(written) => {
                histogram!("jiyao_journal_group_records").record(group.entries.len() as f64);
                self.clock.recorded(self.journal.last_time_ms());
                self.syncer.begin(written, began);
                let mut upon = Group::new(state, group.next());
                upon.overlay.lay_upon(std::mem::take(&mut group.overlay.writes));
                (
                    upon,
                    Some(Behind {
                        answers: group.answers,
                        state_failed: group.state_failed,
                        accepts_clock: group.accepts_clock,
                    }),
                )
            }
            Err(AppendError::Fatal(e)) => end_for("the journal cannot be written", &e),
            Err(e) => {
                // It has taken what was not written.
                self.blocks = Blocks::default();
                warn!(cause = %chain(&e), "a group is refused");
                group.answers.refuse(&self.journal.log(), || refused_append(&e));
                (Group::new(state, group.first), None)
            }
        }
    }

    /// Shows a group that was synced and answers it. False: the state must be opened anew.
    fn finish(&mut self, behind: Behind, (synced, took): Timed, writes: Writes, state: &Arc<State>) -> bool {
        self.last_sync = took;
        histogram!("jiyao_journal_append_seconds").record(took);
        let cursors = self.journal.show(synced);
        if behind.accepts_clock {
            self.clock.accept();
        }
        let (log, began) = (self.journal.log(), Instant::now());
        let head = log.head();
        let applied = Applied { journal: *head.journal.as_bytes(), sequence: head.sequence, hash: head.hash };
        let mut is_shown = !behind.state_failed;
        if is_shown && let Err(e) = state.apply(writes, applied) {
            error!(cause = %chain(&e), "the state cannot be written; rebuilding it");
            is_shown = false;
        }
        kill_point("state-applied");
        if is_shown {
            histogram!("jiyao_state_apply_seconds").record(began.elapsed());
            self.report.send_replace(head.sequence);
        }
        let shown = if is_shown { state.pin().ok() } else { None };
        is_shown &= shown.is_some();
        self.unshown.add(behind.answers.give(&log, &cursors, shown));
        is_shown
    }
}

struct Erased {
    erasure: Erasure,
    /// It was carried out now, and the state that shows what is left stands beside the one in use.
    is_new: bool,
}

/// What is on disk is found out, and finished, at the next start.
pub(crate) fn end_for(what: &str, e: &dyn std::error::Error) -> ! {
    error!(cause = %chain(e), "{what}; ending the process");
    std::process::exit(crate::EXIT_STORAGE);
}

fn refused_append(e: &AppendError) -> Fault {
    match e {
        AppendError::NoRoom { free, needed } => {
            Fault::new(Reason::DiskFull).with("free", free).with("needed", needed)
        }
        // It comes right when a connection or a file is closed.
        AppendError::NoFiles(_) => Fault::new(Reason::Busy),
        AppendError::TooLarge { limit, .. } => Fault::new(Reason::SourceTooLarge).with("limit", limit),
        AppendError::Fatal(e) => Fault::internal(e.to_string()),
    }
}

/// What should go cannot be done without.
fn needed() -> Fault {
    Fault::new(Reason::StateForbids).with("state", "NEEDED").with("act", "ERASE")
}

fn check_same(request_id: &str, before: &[u8], now: &[u8; 32]) -> Result<()> {
    if before == now {
        return Ok(());
    }
    Err(Fault::new(Reason::RequestIdReused).at("request_id").with("request_id", request_id))
}

/// Begins with the id: where callers make ids that grow with time, as the SDK does, those of a day lie together.
fn used_key_of(principal: &str, method: &str, request_id: &str) -> Vec<u8> {
    let mut hasher = Sha256::new();
    for part in [principal, method] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    [USED, request_id.as_bytes(), b"/", &hasher.finalize()[..16]].concat()
}

fn used_key<C>(submission: &Submission<C>) -> Vec<u8> {
    used_key_of(&submission.principal, submission.method, &submission.request_id)
}

/// Applies a record to the overlay: its events, and that its request_id is used.
fn apply<D: Domain>(
    domain: &D,
    overlay: &mut Overlay<'_>,
    record: &Record,
    sequence: u64,
    time_ms: i64,
) -> Result<()> {
    for event in &record.events {
        if !erasure::apply(overlay, event)? {
            domain.apply(overlay, event, sequence)?;
        }
    }
    if !record.request_id.is_empty() {
        let used =
            UsedRequest { digest: record.request_digest.clone(), sequence, time: Some(timestamp(time_ms)) };
        overlay.put(used_key_of(&record.principal, &record.method, &record.request_id), used.encode_to_vec());
    }
    Ok(())
}

/// An instant as messages have it.
pub(crate) fn timestamp(time_ms: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time_ms.div_euclid(1000),
        nanos: i32::try_from(time_ms.rem_euclid(1000) * 1_000_000).unwrap_or(0),
    }
}

/// Brings the state up to the journal's head, with other payloads instead of those of some records.
pub(crate) fn replay<D: Domain>(
    domain: &D,
    log: &Log,
    state: &State,
    instead: &BTreeMap<u64, Vec<u8>>,
) -> Result<(), OpenError> {
    if is_planted("no-replay") {
        return Ok(());
    }
    let head = log.head().sequence;
    let mut next = state.applied()?.sequence + 1;
    let mut blocks = Blocks::default();
    while next <= head {
        let records = log.read_some(next, head)?;
        let mut records = records.into_iter().peekable();
        while records.peek().is_some() {
            let mut overlay = Overlay::new(state);
            let (mut reached, mut bytes) = (None, 0);
            while bytes < REPLAYED
                && let Some(record) = records.next()
            {
                // Of an erased record nothing may be left to show; its place in the chain is.
                let payload = instead.get(&next).or(record.payload.as_ref());
                bytes += payload.map_or(0, Vec::len);
                let unknown = |fault| OpenError::Unknown { sequence: next, fault };
                let decoded = payload.map(|payload| decode_record(payload)).transpose().map_err(unknown)?;
                if let Some(decoded) = &decoded {
                    apply(domain, &mut overlay, decoded, next, record.time_ms).map_err(unknown)?;
                }
                let shown = (next, record.time_ms, decoded.as_ref());
                blocks.take(domain, log, &mut overlay, shown).map_err(unknown)?;
                reached = Some(Applied { journal: *log.id().as_bytes(), sequence: next, hash: record.hash });
                next += 1;
            }
            if let Some(applied) = reached {
                state.apply(overlay.writes, applied)?;
            }
        }
    }
    // Proves that the state can be read before anyone is served from it.
    let shown = state.applied();
    shown.map(drop).map_err(|e| OpenError::Unknown { sequence: head, fault: unavailable(e) })
}
