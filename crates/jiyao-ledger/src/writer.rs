//! The one thread that writes.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use jiyao_calendar::{Clock, Timestamp};
use jiyao_fault::{Fault, Reason, Result, chain};
use jiyao_journal::{
    AppendError, Cursor, Entry, EraseError, Journal, Log, free_bytes, is_planted, kill_point,
};
use jiyao_proto::stored::v1::{Erasure, Record, UsedRequest};
use jiyao_state::{Applied, Look, State};
use jiyao_telemetry::histogram;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, warn};

use crate::domain::{Context, Domain, Ids};
use crate::erasure::{self, AskErasure, CarryOut};
use crate::ledger::{
    Committed, OpenError, Places, Slot, Submission, catch_up, damaged, decode_record, folder_size,
    found_or_begun, look_at_state,
};
use crate::overlay::{Overlay, unavailable};
use crate::public::Blocks;

/// Exit code where the writer has a bug (EX_SOFTWARE): the next start reads all that was acknowledged.
const EXIT_BUG: i32 = 70;
/// Most commands of a group, and most bytes unless one record alone is larger.
const GROUP_COMMANDS: usize = 256;
const GROUP_BYTES: usize = 1 << 20;
/// A group is decided for so many times as long as the last one took to be synced: beyond that the callers who wait for
/// it lose more than a common sync saves, and the network has nothing to do meanwhile.
const SYNCS: u32 = 4;
/// Keys of the ledger begin with 0: this one holds used request ids.
const USED: &[u8] = b"\0used/";
/// Pause before a state that cannot be opened is tried again.
const STATE_RETRY: Duration = Duration::from_millis(500);
/// How long an empty state may take to be opened, and a reader to let go of one.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a new state takes on the disk at first, beyond what the last one took.
const STATE_ROOM: u64 = 8 << 20;

type Reply = oneshot::Sender<Result<Committed>>;

/// What is decided: the domain's, or that content should go.
#[derive(Debug)]
pub(crate) enum Asked<C> {
    Command(C),
    Erasure(AskErasure),
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
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) ids: Ids,
    pub(crate) jobs: mpsc::Receiver<Job<D>>,
    pub(crate) report: watch::Sender<u64>,
    pub(crate) blocks: Blocks,
    pub(crate) last_sync: Duration,
}

/// What a command waits for.
enum Outcome {
    /// A refusal.
    Refused(Fault),
    /// The record at this place of the group.
    New { at: usize, answer: Vec<u8> },
    /// The record of this sequence, written before.
    Repeat { sequence: u64 },
    /// An answer without a record.
    Unchanged { answer: Vec<u8> },
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
        let mut stop = None;
        while stop.is_none() {
            // A state that failed is made good before anyone asks: readers wait for it too.
            let Some(state) = self.sound_state() else { break };
            let Some(first) = self.jobs.blocking_recv() else { break };
            let mut group = Group::new(&state);
            let until = Instant::now() + self.last_sync * SYNCS;
            let mut next = Some(first);
            let mut erase = None;
            while let Some(job) = next {
                match job {
                    Job::Decide { submission, reply } => self.decide(&mut group, &submission, reply),
                    Job::Erase { order, reply } => erase = Some((order, reply)),
                    Job::Replace { failed } => {
                        group.state_failed |= std::ptr::eq(failed.as_ptr(), Arc::as_ptr(&state));
                    }
                    Job::Stop { done } => stop = Some(done),
                }
                let is_full = group.replies.len() >= GROUP_COMMANDS
                    || group.bytes >= GROUP_BYTES
                    || Instant::now() >= until;
                // Nothing more is decided against an overlay that may hold half of a record.
                let is_last = is_full || stop.is_some() || erase.is_some() || group.state_failed;
                next = if is_last { None } else { self.jobs.try_recv().ok() };
            }
            let sound = self.commit(group, &state);
            if let Some((order, reply)) = erase {
                let erased = if sound {
                    self.erase(&order, &state)
                } else {
                    Err(Fault::new(Reason::StateUnavailable))
                };
                let is_new = erased.as_ref().is_ok_and(|erased| erased.is_new);
                if is_new {
                    self.change_over(state);
                } else if !sound {
                    self.state.set(None);
                    state.retire();
                }
                // Whoever is told that it is gone finds nothing of it.
                let _ = reply.send(erased.map(|erased| erased.erasure));
            } else if !sound {
                self.state.set(None);
                state.retire();
            }
        }
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

    /// The state; opened again, or rebuilt, when it failed. None when the process should end.
    fn sound_state(&mut self) -> Option<Arc<State>> {
        if let Some(state) = self.state.get() {
            return Some(state);
        }
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
                        return Some(state);
                    }
                    Err(e) => error!(cause = %chain(&e), "the state cannot be opened; trying again"),
                }
            } else {
                if !was_full {
                    error!(needed = self.room_for_state(), "the disk has no room for another state; waiting");
                }
                waiting = Some(next);
            }
            while let Ok(job) = self.jobs.try_recv() {
                match job {
                    Job::Decide { reply, .. } => {
                        let _ = reply.send(Err(Fault::new(Reason::StateUnavailable)));
                    }
                    Job::Erase { reply, .. } => {
                        let _ = reply.send(Err(Fault::new(Reason::StateUnavailable)));
                    }
                    Job::Replace { .. } => {}
                    Job::Stop { done } => {
                        let _ = done.send(());
                        return None;
                    }
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

    /// Now, but not before the last record: the journal's time never goes back.
    fn now_ms(&self) -> i64 {
        let now = self.clock.now().as_millisecond();
        let last = self.journal.last_time_ms();
        if now < last {
            warn!(behind_ms = last - now, "the clock is behind the last record");
        }
        now.max(last)
    }

    fn decide(&mut self, group: &mut Group<'_>, submission: &Submission<Asked<D::Command>>, reply: Reply) {
        let time_ms = self.now_ms();
        // A rule that panics is a bug of this program; sled may panic on damaged pages that it reads late.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.outcome(group, submission, time_ms)));
        let outcome = outcome.unwrap_or_else(|_| {
            group.state_failed = true;
            Err(Fault::internal(format!("{} panicked", submission.method)))
        });
        // It may have failed since the last group: what it took then was still on its way to the disk.
        group.state_failed |= outcome.as_ref().is_err_and(|fault| fault.reason() == Reason::StateUnavailable);
        group.replies.push((outcome.unwrap_or_else(Outcome::Refused), reply));
    }

    fn outcome(
        &mut self,
        group: &mut Group<'_>,
        submission: &Submission<Asked<D::Command>>,
        time_ms: i64,
    ) -> Result<Outcome> {
        let used = (!submission.request_id.is_empty()).then(|| used_key(submission));
        if let Some(key) = &used {
            if let Some((digest, at)) = group.requests.get(key) {
                check_same(&submission.request_id, digest, &submission.digest)?;
                let answer = group.records[*at].answer.clone();
                return Ok(Outcome::New { at: *at, answer });
            }
            if let Some(found) = group.overlay.get(key)? {
                let found = UsedRequest::decode(found.as_slice()).map_err(Fault::internal)?;
                check_same(&submission.request_id, &found.digest, &submission.digest)?;
                return Ok(Outcome::Repeat { sequence: found.sequence });
            }
        }
        // Asked once for a group: the append asks again.
        if group.records.is_empty() {
            self.journal.room().map_err(|e| disk_full(&e))?;
        }
        let now = Timestamp::from_millisecond(time_ms).map_err(Fault::internal)?;
        let mut context = Context { principal: &submission.principal, now, ids: &mut self.ids };
        let decided = match &submission.command {
            Asked::Command(command) => self.domain.decide(&group.overlay, command, &mut context)?,
            Asked::Erasure(ask) => erasure::ask(self.domain.as_ref(), &group.overlay, ask, &mut context)?,
        };
        if decided.events.is_empty() {
            return Ok(Outcome::Unchanged { answer: decided.answer });
        }
        let at = group.records.len();
        let record = Record {
            method: submission.method.to_owned(),
            principal: submission.principal.clone(),
            request_id: submission.request_id.clone(),
            request_digest: submission.digest.to_vec(),
            events: decided.events,
            answer: decided.answer.clone(),
        };
        let sequence = self.journal.log().head().sequence + 1 + at as u64;
        if let Err(fault) = apply(self.domain.as_ref(), &mut group.overlay, &record, sequence, time_ms) {
            // The overlay may hold half of the record: it must not become the state.
            group.state_failed = true;
            return Err(fault);
        }
        group.entries.push(Entry { time_ms, payload: record.encode_to_vec() });
        group.bytes += group.entries.last().map_or(0, |entry| entry.payload.len());
        if let Some(key) = used {
            group.requests.insert(key, (submission.digest, at));
        }
        group.records.push(record);
        Ok(Outcome::New { at, answer: decided.answer })
    }

    /// Carries an erasure out, all but the change to the state that shows what is left: it is made beside the one in
    /// use, from the records as they will be, before anything is written. What does not replay is refused.
    fn erase(&mut self, order: &CarryOut, state: &State) -> Result<Erased> {
        let time_ms = self.now_ms();
        let (mut erasure, is_done) = erasure::begin(&Overlay::new(state), order, time_ms)?;
        if is_done {
            return Ok(Erased { erasure, is_new: false });
        }
        let log = self.journal.log();
        let plan = erasure::plan(self.domain.as_ref(), &log, &erasure)?;
        erasure.records = erasure::named(&plan);
        let record = erasure::record(&erasure, order);
        let payload = record.encode_to_vec();
        if plan.remains.is_empty() {
            // A follower that had nothing of it confirms that too.
            let sequence = self.write_down(Entry { time_ms, payload })?;
            let mut overlay = Overlay::new(state);
            apply(self.domain.as_ref(), &mut overlay, &record, sequence, time_ms)?;
            let shown = (sequence, time_ms, Some(&record));
            self.blocks.take(self.domain.as_ref(), &log, &mut overlay, shown)?;
            let head = log.head();
            let applied = Applied { journal: *head.journal.as_bytes(), sequence, hash: head.hash };
            state.apply(overlay.writes, applied).map_err(unavailable)?;
            self.report.send_replace(sequence);
            return Ok(Erased { erasure, is_new: false });
        }
        if !self.has_room_for_state() {
            return Err(disk_full(&AppendError::NoRoom { free: 0, needed: self.room_for_state() }));
        }
        self.journal.can_erase(&plan.remains).map_err(|e| match e {
            EraseError::Seal(e) => disk_full(&e),
            e => Fault::new(Reason::StateForbids).with("state", "NEEDED").with("act", "ERASE").because(e),
        })?;
        let beside = self.places.beside();
        State::remove(&beside).map_err(Fault::internal)?;
        let rehearsed =
            State::open(&beside, D::PROJECTION, PATIENCE).map_err(OpenError::from).and_then(|(fresh, _)| {
                replay(self.domain.as_ref(), &log, &fresh, &plan.remains)?;
                Ok(fresh)
            });
        let fresh = rehearsed.map_err(|e| {
            warn!(cause = %chain(&e), "an erasure is refused: the journal cannot be replayed without what should go");
            let needed = Fault::new(Reason::StateForbids).with("state", "NEEDED").with("act", "ERASE");
            needed.because(e)
        })?;
        kill_point("erasure-rehearsed");
        self.write_down(Entry { time_ms, payload })?;
        kill_point("erasure-recorded");
        if let Err(e) = erasure::carry_out(self.domain.as_ref(), &mut self.journal, &plan) {
            end_for("what was erased cannot be written anew", &e);
        }
        self.blocks = Blocks::default();
        kill_point("erasure-written");
        // The erasure itself. Where this fails the change-over finds a state to be made anew.
        let shown =
            replay(self.domain.as_ref(), &log, &fresh, &BTreeMap::new()).and_then(|_| Ok(fresh.settle()?));
        if let Err(e) = shown {
            warn!(cause = %chain(&e), "the state must be rebuilt after an erasure");
        }
        Ok(Erased { erasure, is_new: true })
    }

    /// Appends one record alone.
    fn write_down(&mut self, entry: Entry) -> Result<u64> {
        let appended = self.journal.append(&[entry]).map_err(|e| match e {
            AppendError::Fatal(e) => end_for("the journal cannot be written", &e),
            e => disk_full(&e),
        })?;
        Ok(appended.last().map_or(0, |cursor| cursor.sequence))
    }

    /// Puts the state that was made beside the one in use in its place. Readers wait for what goes.
    fn change_over(&mut self, old: Arc<State>) {
        self.state.set(None);
        kill_point("erasure-shown");
        let until = Instant::now() + PATIENCE;
        while Arc::strong_count(&old) > 1 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        match Arc::into_inner(old) {
            Some(old) => drop(old),
            None => warn!("a reader holds on to the state: what was erased stays in memory until it lets go"),
        }
        if let Err(e) = State::put_in_place(&self.places.beside(), &self.places.state) {
            warn!(cause = %e, "the state must be rebuilt after an erasure");
        }
        kill_point("state-replaced");
        // It is opened, or rebuilt, as after any failure; nobody is answered before.
        let _ = self.sound_state();
    }

    /// Writes, syncs, applies and answers a group. False: the state must be opened anew.
    fn commit(&mut self, mut group: Group<'_>, state: &State) -> bool {
        let began = Instant::now();
        kill_point("group-decided");
        if is_planted("report-early") {
            self.report.send_replace(self.journal.log().head().sequence + group.entries.len() as u64);
        }
        others_have_turns();
        let appended = match self.journal.append(&group.entries) {
            Ok(appended) => appended,
            Err(AppendError::Fatal(e)) => end_for("the journal cannot be written", &e),
            Err(e) => {
                for (_, reply) in group.replies {
                    let _ = reply.send(Err(disk_full(&e)));
                }
                return !group.state_failed;
            }
        };
        if !group.entries.is_empty() {
            self.last_sync = began.elapsed();
            histogram!("jiyao_journal_append_seconds").record(self.last_sync);
            histogram!("jiyao_journal_group_records").record(group.entries.len() as f64);
        }
        let log = self.journal.log();
        let head = log.head();
        let began = Instant::now();
        let applied = Applied { journal: *head.journal.as_bytes(), sequence: head.sequence, hash: head.hash };
        let mut sound = !group.state_failed;
        for (cursor, (entry, record)) in appended.iter().zip(group.entries.iter().zip(&group.records)) {
            let shown = (cursor.sequence, entry.time_ms, Some(record));
            if let Err(e) = self.blocks.take(self.domain.as_ref(), &log, &mut group.overlay, shown) {
                error!(cause = %chain(&e), "what is public of a record cannot be told");
                sound = false;
                break;
            }
        }
        if sound
            && !group.entries.is_empty()
            && let Err(e) = state.apply(std::mem::take(&mut group.overlay.writes), applied)
        {
            error!(cause = %chain(&e), "the state cannot be written; rebuilding it");
            sound = false;
        }
        kill_point("state-applied");
        if sound {
            histogram!("jiyao_state_apply_seconds").record(began.elapsed());
            self.report.send_replace(head.sequence);
        }
        for (outcome, reply) in group.replies {
            let answer = match outcome {
                Outcome::Refused(fault) if fault.reason() == Reason::Internal => Err(fault),
                outcome if sound => answer(&log, head, &appended, outcome),
                // Everything may rest on a state that is not there: a repeat with the same request_id finds out.
                _ => Err(Fault::new(Reason::StateUnavailable)),
            };
            let _ = reply.send(answer);
            kill_point("answered");
        }
        sound
    }
}

struct Erased {
    erasure: Erasure,
    /// It was carried out now, and the state that shows what is left stands beside the one in use.
    is_new: bool,
}

struct Group<'s> {
    overlay: Overlay<'s>,
    entries: Vec<Entry>,
    records: Vec<Record>,
    requests: HashMap<Vec<u8>, ([u8; 32], usize)>,
    replies: Vec<(Outcome, Reply)>,
    bytes: usize,
    state_failed: bool,
}

impl<'s> Group<'s> {
    fn new(state: &'s State) -> Self {
        Self {
            overlay: Overlay::new(state),
            entries: Vec::new(),
            records: Vec::new(),
            requests: HashMap::new(),
            replies: Vec::new(),
            bytes: 0,
            state_failed: false,
        }
    }
}

fn answer(log: &Log, head: Cursor, appended: &[Cursor], outcome: Outcome) -> Result<Committed> {
    match outcome {
        Outcome::Refused(fault) => Err(fault),
        Outcome::Unchanged { answer } => Ok(Committed { answer, cursor: head }),
        Outcome::New { at, answer } => {
            Ok(Committed { answer, cursor: appended.get(at).copied().unwrap_or(head) })
        }
        Outcome::Repeat { sequence } => {
            let cursor = log.cursor_at(sequence).map_err(damaged)?;
            let payload = log.read(sequence).map_err(damaged)?.payload;
            // The answer went with an erased record; what stays is that it was given.
            let answer =
                payload.map(|payload| decode_record(&payload)).transpose()?.unwrap_or_default().answer;
            Ok(Committed { answer, cursor })
        }
    }
}

/// A sync is the longest wait there is; shuttle, which knows nothing of disks, is told so.
fn others_have_turns() {
    #[cfg(shuttle)]
    for _ in 0..16 {
        shuttle::thread::yield_now();
    }
}

/// What is on disk is found out, and finished, at the next start.
fn end_for(what: &str, e: &dyn std::error::Error) -> ! {
    error!(cause = %chain(e), "{what}; ending the process");
    std::process::exit(crate::EXIT_STORAGE);
}

fn disk_full(e: &AppendError) -> Fault {
    match e {
        AppendError::NoRoom { free, needed } => {
            Fault::new(Reason::DiskFull).with("free", free).with("needed", needed)
        }
        AppendError::TooLarge { size } => Fault::new(Reason::SourceTooLarge).with("limit", size),
        AppendError::Fatal(e) => Fault::internal(e.to_string()),
    }
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

/// Brings the state up to the journal's head, with other payloads instead of those of some records. Answers the
/// erasures that it met on the way.
pub(crate) fn replay<D: Domain>(
    domain: &D,
    log: &Log,
    state: &State,
    instead: &BTreeMap<u64, Vec<u8>>,
) -> Result<Vec<Erasure>, OpenError> {
    if is_planted("no-replay") {
        return Ok(Vec::new());
    }
    let head = log.head().sequence;
    let mut next = state.applied()?.sequence + 1;
    let mut erasures = Vec::new();
    let mut blocks = Blocks::default();
    while next <= head {
        let mut overlay = Overlay::new(state);
        let mut reached = None;
        for record in log.read_some(next, head)? {
            // Of an erased record nothing may be left to show; its place in the chain is.
            let payload = instead.get(&next).or(record.payload.as_ref());
            let unknown = |fault| OpenError::Unknown { sequence: next, fault };
            let decoded = payload.map(|payload| decode_record(payload)).transpose().map_err(unknown)?;
            if let Some(decoded) = &decoded {
                apply(domain, &mut overlay, decoded, next, record.time_ms).map_err(unknown)?;
                erasures.extend(erasure::carried_out_by(decoded).map_err(unknown)?);
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
    // Proves that the state can be read before anyone is served from it.
    state.applied().map_err(|e| OpenError::Unknown { sequence: head, fault: unavailable(e) })?;
    Ok(erasures)
}
