//! The ledger against a plain model in memory: random commands, repeats, groups, restarts and lost states.
//! `PROPTEST_CASES=10000` makes it long.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use jiyao_fault::Reason;
use jiyao_proto::journal::v1::event::Kind;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use tempfile::TempDir;
use tokio_stream::StreamExt as _;

use crate::Ledger;
use crate::tests::{Counters, add, open, state_of, total};

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
    /// The service stops and starts.
    Restart,
    /// The same, and the state's folder is gone.
    LoseState,
    /// Somebody follows from the record of this share of the head.
    Follow(u8),
}

/// What should be so.
#[derive(Clone, Debug, Default)]
struct Model {
    totals: BTreeMap<&'static str, i64>,
    used: BTreeMap<&'static str, (&'static str, i64, i64)>,
    /// Name of each record, from sequence 1 on.
    records: Vec<&'static str>,
}

thread_local! {
    /// A bug of the model: it forgets which requests it has answered.
    static PLANTED: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Total(i64),
    Refused(Reason),
}

impl Model {
    fn submit(&mut self, Command { name, by, id }: &Command) -> Answer {
        if PLANTED.get() {
            self.used.clear();
        }
        if let Some((_, before, answer)) = self.used.get(id) {
            // The digest of a command is how much it adds: the same id with another body is refused.
            return if before == by {
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
            self.records.push(name);
            if !id.is_empty() {
                self.used.insert(id, (name, *by, total));
            }
        }
        Answer::Total(total)
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
        let command = (name, -1_i64..3, id).prop_map(|(name, by, id)| Command { name, by, id });
        prop_oneof![
            20 => proptest::collection::vec(command, 1..6).prop_map(Step::Group),
            1 => Just(Step::Restart),
            1 => Just(Step::LoseState),
            4 => any::<u8>().prop_map(Step::Follow),
        ]
        .boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        if let Step::Group(commands) = step {
            for command in commands {
                state.submit(command);
            }
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
}

impl Real {
    fn reopen(&mut self, without_state: bool) {
        self.runtime.block_on(self.ledger.close());
        if without_state {
            std::fs::remove_dir_all(self.folder.path().join("state")).unwrap();
        }
        self.ledger = open(&self.folder);
    }
}

impl StateMachineTest for Real {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(model: &Model) -> Self {
        let folder = TempDir::new().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { ledger: open(&folder), folder, runtime, model: model.clone() }
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
            Step::Restart => real.reopen(false),
            Step::LoseState => real.reopen(true),
            Step::Follow(share) => {
                let from = after.records.len() * usize::from(share) / 256;
                let cursor = real.ledger.log().cursor_at(from as u64).unwrap();
                let _inside = real.runtime.enter();
                let mut followed = real.ledger.follow(Some(cursor)).unwrap();
                let expected: Vec<_> = after.records[from..]
                    .iter()
                    .enumerate()
                    .filter(|(_, name)| **name != "private")
                    .map(|(at, name)| ((from + at + 1) as u64, (*name).to_owned()))
                    .collect();
                let (mut found, mut reached) = (Vec::new(), from as u64);
                real.runtime.block_on(async {
                    while reached < after.records.len() as u64 {
                        let stretch = tokio::time::timeout(Duration::from_secs(20), followed.next());
                        let stretch = stretch.await.unwrap().unwrap().unwrap();
                        assert_eq!(stretch.from, reached, "stretches are dense");
                        reached = stretch.through.sequence;
                        found.extend(stretch.events().unwrap().into_iter().map(|event| match event.kind {
                            Some(Kind::OrganCreated(created)) => (event.sequence, created.organ),
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
        let shown: BTreeMap<_, _> = state_of(&real.ledger)
            .into_iter()
            .filter(|(key, _)| key[0] != 0)
            .map(|(key, value)| {
                (String::from_utf8(key).unwrap(), i64::from_be_bytes(value.try_into().unwrap()))
            })
            .collect();
        let expected: BTreeMap<_, _> =
            model.totals.iter().map(|(name, total)| ((*name).to_owned(), *total)).collect();
        assert_eq!(shown, expected);
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
    let mut runner = TestRunner::deterministic();
    PLANTED.set(true);
    let is_found = (0..40).any(|_| {
        let (model, steps, seen) = strategy.new_tree(&mut runner).unwrap().current();
        let run = || Real::test_sequential(config(), model, steps, seen);
        catch_unwind(AssertUnwindSafe(run)).is_err()
    });
    PLANTED.set(false);
    assert!(is_found);
}
