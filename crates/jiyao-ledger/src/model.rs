//! The ledger against a plain model in memory: random commands, repeats, groups, erasures, restarts, kills and lost states.
//! `PROPTEST_CASES=10000` makes it long.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiyao_fault::{Fault, Reason};
use jiyao_proto::journal::v1::event::Kind;
use jiyao_state::{LoosePin, StateError};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use tempfile::TempDir;
use tokio_stream::StreamExt as _;

use crate::Ledger;
use crate::tests::{Counters, NOW, add, ask, by, open, state_of, total};

const NAMES: [&str; 3] = ["a", "b", "private"];
const IDS: [&str; 4] = ["", "id-1", "id-2", "id-3"];
const STEPS: usize = 50;

#[derive(Clone, Debug)]
struct Command {
    name: &'static str,
    by: i64,
    id: &'static str,
}

#[derive(Clone, Debug)]
enum Step {
    /// Commands that are submitted at the same time: those of one group see each other, in this order.
    Group(Vec<Command>),
    /// Somebody asks that a counter be erased.
    Ask(&'static str),
    /// The one who asked, or another, confirms what was asked at this share of all, or what nobody asked.
    Confirm { share: u8, is_same_person: bool },
    /// The service stops and starts.
    Restart,
    /// The service is killed: what is on the disk at this moment is what the next one finds.
    Kill,
    /// The same, and the state's folder is gone.
    LoseState,
    /// Somebody follows from the record of this share of the head.
    Follow(u8),
    /// Somebody begins to read, and goes on after other steps.
    Pin,
    /// A reader meets a fault of the state: another takes its place.
    FailState,
}

/// What should be so.
#[derive(Clone, Debug, Default)]
struct Model {
    totals: BTreeMap<&'static str, i64>,
    /// By id: of which counter, with which body, and the answer.
    used: BTreeMap<&'static str, (&'static str, Option<i64>, i64)>,
    /// Each record, from sequence 1 on.
    records: Vec<Record>,
    /// What was asked to be erased.
    asked: Vec<&'static str>,
    /// Of what was asked, in that order, and erased: the sequences of its records.
    erased: BTreeMap<usize, Vec<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Record {
    Added(&'static str),
    Asked,
    Erased(&'static str),
}

/// A bug of the model.
#[derive(Clone, Copy, Debug)]
enum Bug {
    /// It forgets which requests it has answered.
    Requests,
    /// It forgets what was erased, once that was said.
    Erasures,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Total(i64),
    Refused(Reason),
}

impl Model {
    fn submit(&mut self, Command { name, by, id }: &Command) -> Answer {
        if matches!(PLANTED.get(), Some(Bug::Requests)) {
            self.used.clear();
        }
        if let Some((_, before, answer)) = self.used.get(id) {
            // The digest of a command is how much it adds: the same id with another body is refused, and with any where
            // it went with what was erased.
            return if *before == Some(*by) {
                Answer::Total(*answer)
            } else {
                Answer::Refused(Reason::RequestIdReused)
            };
        }
        if *by < 0 {
            return Answer::Refused(Reason::FieldInvalid);
        }
        let total = self.totals.get(name).copied().unwrap_or(0) + by;
        if *by > 0 {
            self.totals.insert(name, total);
            self.records.push(Record::Added(name));
            if !id.is_empty() {
                self.used.insert(id, (name, Some(*by), total));
            }
        }
        Answer::Total(total)
    }

    fn ask(&mut self, name: &'static str) -> Result<(), Reason> {
        if !self.totals.contains_key(name) {
            return Err(Reason::MinutesNotFound);
        }
        self.asked.push(name);
        self.records.push(Record::Asked);
        Ok(())
    }

    /// Which of all that was asked is at a share of it; one more share is of none.
    fn at(&self, share: u8) -> Option<usize> {
        let at = (self.asked.len() + 1) * usize::from(share) / 256;
        (at < self.asked.len()).then_some(at)
    }

    fn confirm(&mut self, at: Option<usize>, is_same_person: bool) -> Result<Vec<u64>, Reason> {
        let at = at.ok_or(Reason::ErasureNotFound)?;
        if let Some(done) = self.erased.get(&at) {
            return Ok(done.clone());
        }
        if is_same_person {
            return Err(Reason::SamePerson);
        }
        let name = self.asked[at];
        if self.erased.keys().any(|done| self.asked[*done] == name) {
            return Err(Reason::MinutesErased);
        }
        let of_it = (1..).zip(&self.records).filter(|(_, record)| **record == Record::Added(name));
        let sequences: Vec<u64> = of_it.map(|(sequence, _)| sequence).collect();
        self.records.push(Record::Erased(name));
        self.erased.insert(at, sequences.clone());
        for (_, body, _) in self.used.values_mut().filter(|(of, ..)| *of == name) {
            *body = None;
        }
        if !matches!(PLANTED.get(), Some(Bug::Erasures)) {
            // What remains of a counter is its name, and when it was erased.
            self.totals.insert(name, NOW);
        }
        Ok(sequences)
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        let name = proptest::sample::select(NAMES.as_slice());
        let id = proptest::sample::select(IDS.as_slice());
        let command = (name.clone(), -1_i64..3, id).prop_map(|(name, by, id)| Command { name, by, id });
        prop_oneof![
            20 => proptest::collection::vec(command, 1..6).prop_map(Step::Group),
            1 => name.prop_map(Step::Ask),
            1 => (any::<u8>(), any::<bool>())
                .prop_map(|(share, is_same_person)| Step::Confirm { share, is_same_person }),
            1 => Just(Step::Restart),
            1 => Just(Step::Kill),
            1 => Just(Step::LoseState),
            4 => any::<u8>().prop_map(Step::Follow),
            4 => Just(Step::Pin),
            1 => Just(Step::FailState),
        ]
        .boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        match step {
            Step::Group(commands) => {
                for command in commands {
                    state.submit(command);
                }
            }
            Step::Ask(name) => drop(state.ask(name)),
            Step::Confirm { share, is_same_person } => drop(state.confirm(state.at(*share), *is_same_person)),
            Step::Restart | Step::Kill | Step::LoseState | Step::Follow(_) | Step::Pin | Step::FailState => {}
        }
        state
    }
}

struct Real {
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
    ledger: Ledger<Counters>,
    /// As it was before the step, to tell what each answer should be.
    model: Model,
    /// The ids of what was asked to be erased.
    asked: Vec<String>,
    /// Reads that go on, and what they must see.
    pins: Vec<(LoosePin, BTreeMap<&'static str, i64>)>,
}

type Totals = BTreeMap<String, i64>;

fn totals(pairs: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Totals {
    let of_counters = pairs.into_iter().filter(|(key, _)| key[0] != 0);
    let total = |value: Vec<u8>| i64::from_be_bytes(value.try_into().unwrap());
    of_counters.map(|(key, value)| (String::from_utf8(key).unwrap(), total(value))).collect()
}

fn named(totals: &BTreeMap<&'static str, i64>) -> Totals {
    totals.iter().map(|(name, total)| ((*name).to_owned(), *total)).collect()
}

fn known(name: &str) -> &'static str {
    NAMES.into_iter().find(|known| *known == name).unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

impl Real {
    fn reopen(&mut self, without_state: bool) {
        // What waits for sled would wait for them.
        self.pins.clear();
        self.runtime.block_on(self.ledger.close());
        if without_state {
            std::fs::remove_dir_all(self.folder.path().join("state")).unwrap();
        }
        self.ledger = open(&self.folder);
    }

    fn kill(&mut self) {
        self.pins.clear();
        let found = TempDir::new().unwrap();
        copy(self.folder.path(), found.path());
        self.runtime.block_on(self.ledger.close());
        self.folder = found;
        self.ledger = open(&self.folder);
    }
}

impl StateMachineTest for Real {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(model: &Model) -> Self {
        let folder = TempDir::new().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self {
            ledger: open(&folder),
            folder,
            runtime,
            model: model.clone(),
            asked: Vec::new(),
            pins: Vec::new(),
        }
    }

    fn apply(mut real: Self, after: &Model, step: Step) -> Self {
        match step {
            Step::Group(commands) => {
                let ledger = real.ledger.clone();
                // Queued one behind the other before the writer may answer any.
                let answers = real.runtime.block_on(async {
                    let mut waiting = tokio::task::JoinSet::new();
                    for (at, Command { name, by, id }) in commands.iter().cloned().enumerate() {
                        let ledger = ledger.clone();
                        waiting.spawn(async move { (at, ledger.submit(add(name, by, id)).await) });
                    }
                    waiting.join_all().await
                });
                let mut answers: Vec<_> = answers;
                answers.sort_by_key(|(at, _)| *at);
                for (command, (_, answer)) in commands.iter().zip(answers) {
                    let answer = answer.map_or_else(
                        |fault| Answer::Refused(fault.reason()),
                        |committed| Answer::Total(total(committed)),
                    );
                    assert_eq!(answer, real.model.submit(command), "{command:?}");
                }
            }
            Step::Ask(name) => {
                let answer = real.runtime.block_on(ask(&real.ledger, name));
                let wanted = real.model.ask(name);
                assert_eq!(answer.as_ref().map(drop).map_err(Fault::reason), wanted, "{name}");
                real.asked.extend(answer.ok());
            }
            Step::Confirm { share, is_same_person } => {
                let at = real.model.at(share);
                let id = at.map_or("00000000", |at| &real.asked[at]);
                let who = if is_same_person { "first" } else { "second" };
                let answer = real.runtime.block_on(real.ledger.erase(by(who, id)));
                let sequences = answer
                    .map(|done| done.records.iter().map(|record| record.sequence).collect::<Vec<_>>())
                    .map_err(|fault| fault.reason());
                assert_eq!(sequences, real.model.confirm(at, is_same_person), "{at:?}");
            }
            Step::Pin => {
                let pin = real.ledger.inner.state.get().unwrap().pin().unwrap();
                real.pins.push((pin.loose(), real.model.totals.clone()));
            }
            Step::FailState => {
                let state = real.ledger.inner.state.get().unwrap();
                real.ledger.ask_for_another(&state);
                let failed = Arc::downgrade(&state);
                drop(state);
                let is_another = || {
                    let now = real.ledger.inner.state.get();
                    now.is_some_and(|now| !Weak::ptr_eq(&Arc::downgrade(&now), &failed))
                };
                while !is_another() {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            Step::Restart => real.reopen(false),
            Step::Kill => real.kill(),
            Step::LoseState => real.reopen(true),
            Step::Follow(share) => {
                let from = after.records.len() * usize::from(share) / 256;
                let cursor = real.ledger.log().cursor_at(from as u64).unwrap();
                let _inside = real.runtime.enter();
                let mut followed = real.ledger.follow(Some(cursor)).unwrap();
                let told = (1..).zip(&after.records).skip(from).filter(|(_, record)| match record {
                    Record::Added(name) => *name != "private",
                    Record::Asked => false,
                    Record::Erased(_) => true,
                });
                let expected: Vec<_> = told.map(|(sequence, record)| (sequence, *record)).collect();
                let (mut found, mut reached) = (Vec::new(), from as u64);
                real.runtime.block_on(async {
                    while reached < after.records.len() as u64 {
                        let stretch = tokio::time::timeout(Duration::from_secs(20), followed.next());
                        let stretch = stretch.await.unwrap().unwrap().unwrap();
                        assert_eq!(stretch.from, reached, "stretches are dense");
                        reached = stretch.through.sequence;
                        found.extend(stretch.events().unwrap().into_iter().map(|event| match event.kind {
                            Some(Kind::OrganCreated(created)) => {
                                (event.sequence, Record::Added(known(&created.organ)))
                            }
                            Some(Kind::MinutesErased(erased)) => {
                                (event.sequence, Record::Erased(known(&erased.minutes)))
                            }
                            other => panic!("{other:?}"),
                        }));
                    }
                });
                assert_eq!(found, expected);
            }
        }
        real
    }

    fn check_invariants(real: &Self, model: &Model) {
        assert_eq!(real.ledger.head().sequence, model.records.len() as u64);
        assert_eq!(totals(state_of(&real.ledger)), named(&model.totals));
        // A read that began before sees what there was then, for as long as its version is there.
        for (pin, expected) in &real.pins {
            let Some(pin) = pin.pin() else { continue };
            match pin.scan(b"", b"").collect::<Result<Vec<_>, _>>() {
                Ok(pairs) => assert_eq!(totals(pairs), named(expected)),
                Err(e) => assert!(matches!(e, StateError::Revoked), "{e}"),
            }
        }
    }

    fn teardown(real: Self, _: Model) {
        real.runtime.block_on(real.ledger.close());
    }
}

fn config() -> Config {
    let config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { config } else { Config { cases: 40, ..config } }
}

prop_state_machine! {
    #![proptest_config(config())]

    #[test]
    fn the_ledger_does_what_a_plain_model_does(sequential STEPS => Real);
}

#[test]
fn a_planted_difference_between_ledger_and_model_is_found() {
    let strategy = Model::sequential_strategy(STEPS);
    for bug in [Bug::Requests, Bug::Erasures] {
        let mut runner = TestRunner::deterministic();
        PLANTED.set(Some(bug));
        let is_found = (0..40).any(|_| {
            let (model, steps, seen) = strategy.new_tree(&mut runner).unwrap().current();
            let run = || Real::test_sequential(config(), model, steps, seen);
            catch_unwind(AssertUnwindSafe(run)).is_err()
        });
        PLANTED.set(None);
        assert!(is_found, "{bug:?}");
    }
}
