//! Commands that are decided one upon the other, written together and synced at once.

use std::time::{Duration, Instant};

use jiyao_fault::{Fault, Reason, Result};
use jiyao_journal::{Cursor, Entry, Log};
use jiyao_state::{Pin, State};
use tokio::sync::oneshot;

use crate::ledger::{Committed, damaged, decode_record};
use crate::overlay::Overlay;

/// Most commands of a group, and most bytes unless one record alone is larger.
const COMMANDS: usize = 256;
const BYTES: usize = 1 << 20;
/// A group is decided for so many times as long as the last one took to be synced: beyond that the callers who wait for
/// it lose more than a common sync saves, and the network has nothing to do meanwhile.
const SYNCS: u32 = 4;

pub(crate) type Reply = oneshot::Sender<Result<Committed>>;

/// What a command waits for.
pub(crate) enum Outcome {
    /// A refusal.
    Refused(Fault),
    /// The record at this place of the group.
    New { at: usize, answer: Vec<u8>, told: Option<Vec<u8>> },
    /// The record of this sequence, decided before.
    Repeat { sequence: u64 },
    /// An answer without a record.
    Unchanged { answer: Vec<u8> },
}

/// A group while it is decided.
pub(crate) struct Group<'s> {
    pub(crate) overlay: Overlay<'s>,
    /// Sequence of its first record.
    pub(crate) first: u64,
    pub(crate) entries: Vec<Entry>,
    pub(crate) answers: Answers,
    pub(crate) bytes: usize,
    /// The state is not to be used any more, or not as the overlay has it.
    pub(crate) state_failed: bool,
    /// It has the record that the clock is accepted.
    pub(crate) accepts_clock: bool,
    /// Its first command came.
    since: Option<Instant>,
}

impl<'s> Group<'s> {
    /// The group that begins with a record, upon a state that may still miss the group before it.
    pub(crate) fn new(state: &'s State, first: u64) -> Self {
        Self {
            overlay: Overlay::new(state),
            first,
            entries: Vec::new(),
            answers: Answers(Vec::new()),
            bytes: 0,
            state_failed: false,
            accepts_clock: false,
            since: None,
        }
    }

    /// Somebody waits for it.
    pub(crate) fn add(&mut self, outcome: Outcome, reply: Reply) {
        self.since.get_or_insert_with(Instant::now);
        self.answers.0.push((outcome, reply));
    }

    /// Nobody waits for it.
    pub(crate) fn is_empty(&self) -> bool {
        self.answers.0.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.answers.0.len() >= COMMANDS || self.bytes >= BYTES
    }

    /// The sequence that its next record gets.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Whoever waits for it has waited long enough.
    pub(crate) fn is_due(&self, last_sync: Duration) -> bool {
        self.is_full() || self.since.is_some_and(|since| since.elapsed() >= last_sync * SYNCS)
    }
}

/// Who waits for a group, and for what of it.
pub(crate) struct Answers(Vec<(Outcome, Reply)>);

impl Answers {
    /// Nothing of the group was written: only what is on disk from before is answered.
    pub(crate) fn refuse(self, log: &Log, why: impl Fn() -> Fault) {
        let head = log.head();
        for (outcome, reply) in self.0 {
            let is_on_disk = matches!(outcome, Outcome::Repeat { sequence } if sequence <= head.sequence);
            let _ = reply.send(if is_on_disk { answer(log, head, &[], outcome) } else { Err(why()) });
        }
    }

    /// The group is on disk, and the state has it where a version shows it. Else those of what is recorded wait for
    /// another state.
    pub(crate) fn give(self, log: &Log, appended: &[Cursor], shown: Option<Pin>) -> Unshown {
        let (head, shown) = (log.head(), shown.map(|shown| shown.loose()));
        let mut unshown = Unshown::default();
        for (outcome, reply) in self.0 {
            let is_recorded = matches!(outcome, Outcome::New { .. } | Outcome::Repeat { .. });
            let answer = match outcome {
                Outcome::Refused(fault) if fault.reason() == Reason::Internal => Err(fault),
                outcome if shown.is_some() || is_recorded => answer(log, head, appended, outcome),
                // It may rest on a state that is not there.
                _ => Err(Fault::new(Reason::StateUnavailable)),
            };
            match (answer, &shown) {
                (Ok(committed), None) => unshown.0.push((committed, reply)),
                (answer, shown) => {
                    let shown = shown.clone();
                    let _ = reply.send(answer.map(|committed| Committed { shown, ..committed }));
                    jiyao_journal::kill_point("answered");
                }
            }
        }
        unshown
    }
}

/// What is recorded and waits for a state that shows it.
#[derive(Default)]
pub(crate) struct Unshown(Vec<(Committed, Reply)>);

impl Unshown {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(crate) fn give(&mut self, shown: &Pin) {
        for (committed, reply) in self.0.drain(..) {
            let _ = reply.send(Ok(Committed { shown: Some(shown.loose()), ..committed }));
        }
    }
}

fn answer(log: &Log, head: Cursor, appended: &[Cursor], outcome: Outcome) -> Result<Committed> {
    match outcome {
        Outcome::Refused(fault) => Err(fault),
        Outcome::Unchanged { answer } => Ok(Committed { answer, told: None, cursor: head, shown: None }),
        Outcome::New { at, answer, told } => {
            let cursor = appended.get(at).copied().unwrap_or(head);
            Ok(Committed { answer, told, cursor, shown: None })
        }
        Outcome::Repeat { sequence } => {
            let cursor = log.cursor_at(sequence).map_err(damaged)?;
            let payload = log.read(sequence).map_err(damaged)?.payload;
            // The answer went with an erased record; what stays is that it was given.
            let answer =
                payload.map(|payload| decode_record(&payload)).transpose()?.unwrap_or_default().answer;
            Ok(Committed { answer, told: None, cursor, shown: None })
        }
    }
}
