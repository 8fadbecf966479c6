//! Recipients: frozen before the issue, each with a delivery after it, more by approval.

use std::iter;

use jiyao_calendar::Timestamp;
use jiyao_deliveries::{Act, Channel, Delivery, Scope, State, Target, copy_number};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Context, Lookup as _, Overlay, from_json, noted, to_json};
use jiyao_minutes::{Level, Stage};
use jiyao_names::{Delivery as DeliveryName, Minutes};
use jiyao_proto::stored::v1::Event;
use serde::{Deserialize, Serialize};

use super::{DELIVERIES_MADE, DistributionDomain, SCOPE_FROZEN, SCOPE_STAGED, answer, check_content};
use crate::documents::{Known, View as _};
use crate::freezing::{Found, Freeze, check_copies, is_large};
use crate::keys;

/// The answer where the targets of a scope are to be staged before it is frozen.
pub(crate) const STAGE: &[u8] = b"stage";
/// Deliveries made in one commit.
const SLICE: u32 = 200;
/// Numbered copies of deliveries made in one commit, where each has no more.
const COPIES_AT_ONCE: u32 = 2000;
/// Most copies for each recipient.
const MOST_COPIES: u32 = 1000;

/// How far the deliveries of minutes are made.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Made {
    /// The next place of the scope; behind it, of those that get them besides.
    pub(super) until: u32,
    /// The next place among the deliveries of what the minutes correct.
    pub(super) held: u32,
}

/// Deliveries and recalls of one commit.
#[derive(Default)]
struct Step {
    made: Made,
    deliveries: Vec<Vec<u8>>,
    recalled: Vec<Event>,
}

impl Step {
    fn take(&mut self, (delivery, recalled): (Delivery, Option<Event>)) -> Result<()> {
        self.deliveries.push(to_json(&delivery)?);
        self.recalled.extend(recalled);
        Ok(())
    }
}

/// How many deliveries one commit makes: fewer where each has many numbered copies.
fn at_once(known: &Known, scope: &Scope) -> u32 {
    match known.secrecy {
        Some(_) => (COPIES_AT_ONCE / scope.copies.max(1)).clamp(1, SLICE),
        None => SLICE,
    }
}

impl DistributionDomain {
    pub(super) fn freeze(
        &self,
        view: &Overlay<'_>,
        (freeze, found): (&Freeze, Option<&Found>),
        now: Timestamp,
    ) -> Result<(Vec<Event>, Vec<u8>)> {
        let name = &freeze.minutes;
        check_content(view, name)?;
        let (list, known) = (view.list(name, "minutes")?, view.known(name, "minutes")?);
        if freeze.date < self.today(now) && !known.is_foreign {
            return Err(Fault::invalid("date", freeze.date));
        }
        let is_issued_here = known.stage.is_issued() && !known.is_foreign;
        if view.number(&keys::count_made(name))? > 0 || view.task(name)?.deliver.is_some() || is_issued_here {
            return Err(Fault::new(Reason::ScopeFrozen).with("minutes", name));
        }
        known.check_not_over()?;
        // Scope and copies are fixed at 登记 (requirement 37): before, the text may still change.
        if known.stage < Stage::Registered {
            return Err(Fault::new(Reason::StateForbids)
                .with("state", known.stage.as_str())
                .with("act", "FREEZE_SCOPE"));
        }
        if known.is_paper_only(self.paper_from) && !freeze.is_paper {
            return Err(Fault::new(Reason::ChannelForbidden)
                .at("paper")
                .with("channel", "INBOX")
                .with("level", level_name(known.secrecy)));
        }
        if freeze.copies > MOST_COPIES {
            return Err(Fault::invalid("copies", freeze.copies));
        }
        let directory = view.whole_directory_version(&name.organ)?;
        // Worked out from what is no longer so: whoever asks looks again.
        let is_so =
            |found: &&Found| found.directory == directory && found.list == list && found.known == known;
        let Some(found) = found.filter(is_so) else { return Ok((Vec::new(), Vec::new())) };
        let (scope, targets) = found.outcome.as_ref().map_err(Fault::clone)?;
        let mut parts = Vec::new();
        if !is_large(scope) {
            parts.clone_from(targets);
        } else if view.number(&keys::staged(name, &scope.hash))? < scope.targets {
            return Ok((Vec::new(), STAGE.to_vec()));
        }
        Ok((vec![noted(SCOPE_FROZEN, name, 0, to_json(scope)?, parts)], answer(&scope.hash)))
    }

    /// A page of targets, from a place on, that are there when their scope is frozen.
    pub(super) fn stage(
        view: &Overlay<'_>,
        name: &Minutes,
        hash: &str,
        (from, targets): (u32, &[Vec<u8>]),
    ) -> Result<Vec<Event>> {
        // Another call stages the same.
        if view.number(&keys::staged(name, hash))? != from {
            return Ok(Vec::new());
        }
        let of = u64::from(from);
        Ok(vec![noted(SCOPE_STAGED, name, of, hash.as_bytes().to_vec(), targets.to_vec())])
    }

    /// A delivery of a scope, and the recall of what it takes the place of.
    fn made(
        &self,
        view: &Overlay<'_>,
        (name, known, scope): (&Minutes, &Known, &Scope),
        (index, target): (u32, Target),
        context: &mut Context<'_>,
    ) -> Result<(Delivery, Option<Event>)> {
        let address = view.address(&name.organ, &target.unit)?;
        let channel = match address.channel {
            _ if scope.is_paper || known.is_paper_only(self.paper_from) => Channel::Paper,
            channel if !address.reaches(channel) => Channel::Inbox,
            channel => channel,
        };
        let copies = if known.secrecy.is_some() {
            (0..scope.copies).map(|copy| copy_number(index * scope.copies + copy + 1)).collect()
        } else {
            Vec::new()
        };
        let id = DeliveryName { organ: name.organ.clone(), id: context.new_id() };
        let mut delivery = Delivery {
            name: id.to_string(),
            minutes: name.to_string(),
            revision: scope.revision,
            sha256: scope.sha256.clone(),
            unit: target.unit,
            title: target.title,
            index,
            channel,
            copies,
            ..Delivery::default()
        };
        delivery.goes_again(context.now);
        let mut recalled = None;
        if let Ok(old) = Minutes::parse(&known.corrects, "corrects")
            && let Some(held) = view.value(&keys::by_unit(&old, &delivery.unit))?
        {
            let held = view.named(&held)?;
            delivery.replaces.clone_from(&held.name);
            if held.state != State::Recalled {
                recalled = Some(self.recall(view, name, &held, context)?);
            }
        }
        Ok((delivery, recalled))
    }

    pub(super) fn make(
        &self,
        view: &Overlay<'_>,
        name: &Minutes,
        context: &mut Context<'_>,
    ) -> Result<(Vec<Event>, Vec<u8>)> {
        let task = view.task(name)?;
        let Some(until) = task.deliver else { return Ok((Vec::new(), Vec::new())) };
        let known = view.known(name, "minutes")?;
        if !known.replaced_by.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let not_frozen = || Fault::new(Reason::ScopeNotFrozen).with("minutes", name);
        let scope = view.scope(name)?.ok_or_else(not_frozen)?;
        let old = Minutes::parse(&known.corrects, "corrects").ok();
        let of = (name, &known, &scope);
        let mut step = Step { made: Made { until, held: task.held }, ..Step::default() };
        let is_last = match old {
            _ if until < scope.targets => {
                self.make_next(view, of, &mut step, context)?;
                step.made.until == scope.targets && old.is_none()
            }
            Some(old) => self.make_for_held(view, (of, &old), &mut step, context)?,
            None => true,
        };
        let made = noted(DELIVERIES_MADE, name, u64::from(is_last), to_json(&step.made)?, step.deliveries);
        Ok((iter::once(made).chain(step.recalled).collect(), Vec::new()))
    }

    /// Some more of the scope.
    fn make_next(
        &self,
        view: &Overlay<'_>,
        of: (&Minutes, &Known, &Scope),
        step: &mut Step,
        context: &mut Context<'_>,
    ) -> Result<()> {
        let (name, known, scope) = of;
        let from = step.made.until;
        step.made.until = scope.targets.min(from + at_once(known, scope));
        for index in from..step.made.until {
            let missing = || Fault::internal("a target of a frozen scope is not there");
            let target = view.value(&keys::target(name, &scope.hash, index))?.ok_or_else(missing)?;
            step.take(self.made(view, of, (index, from_json(&target)?), context)?)?;
        }
        Ok(())
    }

    /// Deliveries of what minutes correct that went out after the scope was frozen, or never arrived. Whoever holds the
    /// old text gets the new one (requirement 15), nobody else the old, nor any of them the old once more. Answers
    /// whether these were the last.
    fn make_for_held(
        &self,
        view: &Overlay<'_>,
        (of, old): ((&Minutes, &Known, &Scope), &Minutes),
        step: &mut Step,
        context: &mut Context<'_>,
    ) -> Result<bool> {
        let (name, known, scope) = of;
        let after = step.made.held.checked_sub(1).map(|last| keys::in_minutes(old, last)).unwrap_or_default();
        let most = at_once(known, scope) as usize;
        let some = view.scan_some(&keys::by_minutes(old), &after, most)?;
        for (_, held) in &some {
            let held = view.named(held)?;
            step.made.held = held.index + 1;
            if held.state == State::Recalled {
                continue;
            }
            if held.may_have_text() && view.value(&keys::by_unit(name, &held.unit))?.is_none() {
                let target = Target { unit: held.unit, title: held.title, via: known.corrects.clone() };
                step.take(self.made(view, of, (step.made.until, target), context)?)?;
                step.made.until += 1;
            } else {
                step.recalled.push(self.recall(view, name, &held, context)?);
            }
        }
        Ok(some.len() < most)
    }

    /// A delivery of what minutes correct is recalled.
    fn recall(
        &self,
        view: &Overlay<'_>,
        by: &Minutes,
        held: &Delivery,
        context: &mut Context<'_>,
    ) -> Result<Event> {
        let reason = format!("更正重印件 {by}");
        let of = DeliveryName::parse(&held.name, "replaces")?;
        self.system(view, &of, held, Act::Recall { reason }, context)
    }

    pub(super) fn add(
        &self,
        view: &Overlay<'_>,
        name: &Minutes,
        (unit, approved_by): (&str, &str),
        context: &mut Context<'_>,
    ) -> Result<(Vec<Event>, Vec<u8>)> {
        let known = view.known(name, "minutes")?;
        let scope = view.scope(name)?;
        let scope = scope.ok_or_else(|| Fault::new(Reason::ScopeNotFrozen).with("minutes", name))?;
        known.check_deliverable()?;
        // One more comes behind those of the scope, which must be there.
        let made = view.number(&keys::count_made(name))?;
        if made < scope.targets || view.task(name)?.deliver.is_some() {
            return Err(Fault::new(Reason::StateForbids)
                .with("state", "NOT_DELIVERED")
                .with("act", "ADD_RECIPIENT"));
        }
        let found = view.unit(&name.organ, unit, "unit")?;
        // A unit that it was recalled from may get it anew, as where the correction that took its place is revoked.
        if let Some(held) = view.value(&keys::by_unit(name, unit))?
            && view.named(&held)?.state != State::Recalled
        {
            return Err(Fault::invalid("unit", unit));
        }
        let index = made;
        check_copies(&known, index as usize + 1, scope.copies, "unit")?;
        let target = Target { unit: unit.to_owned(), title: found.called().to_owned(), via: String::new() };
        let (mut delivery, recalled) = self.made(view, (name, &known, &scope), (index, target), context)?;
        delivery.approved_by = approved_by.to_owned();
        let made = delivery.name.clone();
        let body = to_json(&Made { until: index + 1, held: 0 })?;
        let mut events = vec![noted(DELIVERIES_MADE, name, 2, body, vec![to_json(&delivery)?])];
        events.extend(recalled);
        Ok((events, answer(&made)))
    }
}

pub(super) fn level_name(level: Option<Level>) -> &'static str {
    match level {
        None => "",
        Some(Level::Secret) => "SECRET",
        Some(Level::Confidential) => "CONFIDENTIAL",
        Some(Level::TopSecret) => "TOP_SECRET",
    }
}
