//! Recipients: frozen before the issue, each with a delivery after it, more by approval.

use std::collections::BTreeSet;

use jiyao_calendar::{Date, Timestamp};
use jiyao_deliveries::{
    Act, Channel, Delivery, Recipient, RecipientKind, Scope, State, Target, copy_number, expand,
};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Context, Lookup as _, Overlay, from_json, noted, to_json};
use jiyao_minutes::{Level, Stage};
use jiyao_names::{Delivery as DeliveryName, Minutes};
use jiyao_proto::stored::v1::Event;
use jiyao_rolls::By;

use super::{DELIVERIES_MADE, DistributionDomain, SCOPE_FROZEN, answer, check_content};
use crate::documents::{Known, View as _};
use crate::keys;

/// Deliveries made in one commit.
const SLICE: usize = 200;
/// Most copies for each recipient.
const MOST_COPIES: u32 = 1000;
/// 份号 have six digits.
const MOST_NUMBERED: usize = 999_999;

/// A scope to freeze.
pub(crate) struct Freeze {
    pub(crate) minutes: Minutes,
    pub(crate) date: Date,
    pub(crate) copies: u32,
    pub(crate) is_paper: bool,
    pub(crate) extra: Vec<String>,
}

impl DistributionDomain {
    pub(super) fn freeze(
        &self,
        view: &Overlay<'_>,
        freeze: &Freeze,
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
        if known.is_void {
            return Err(Fault::new(Reason::NotIssued).with("minutes", name));
        }
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
        let version = view.whole_directory_version(&name.organ)?;
        let listed = list.recipients.iter().map(|recipient| Recipient {
            title: recipient.title.clone(),
            kind: if recipient.kind() == jiyao_proto::distribution::v1::RecipientKind::Class {
                RecipientKind::Class
            } else {
                RecipientKind::Unit
            },
        });
        let extra =
            freeze.extra.iter().map(|title| Recipient { title: title.clone(), kind: RecipientKind::Unit });
        let lines: Vec<Recipient> = listed.chain(extra).collect();
        // Those who do not hold it yet, but may by the issue.
        let mut may_follow = 0;
        let of_lines = lines.iter().map(|line| match line.kind {
            RecipientKind::Class => By::UnitClass(&line.title),
            RecipientKind::Unit => By::UnitName(&line.title),
        });
        let attending = list.attending_units.iter().map(|name| By::UnitName(name));
        let wanted: Vec<_> = of_lines.chain(attending).collect();
        let directory = view.part(&name.organ, &wanted)?;
        let mut targets = expand(&lines, &list.attending_units, &directory, freeze.date)?;
        // Whoever holds what this corrects gets the correction, and must sign for it (requirement 15).
        if let Ok(old) = Minutes::parse(&known.corrects, "corrects") {
            for (_, held) in view.scan_prefix(&keys::by_minutes(&old))? {
                let held = view.named(&held)?;
                if targets.iter().any(|target| target.unit == held.unit) {
                    continue;
                }
                if held.may_have_text() {
                    targets.push(Target { unit: held.unit, title: held.title, via: known.corrects.clone() });
                } else if !matches!(held.state, State::Returned | State::Recalled) {
                    may_follow += 1;
                }
            }
        }
        if targets.is_empty() {
            return Err(Fault::new(Reason::ClassEmpty).with("class", ""));
        }
        let copies = freeze.copies.max(1);
        check_copies(&known, targets.len() + may_follow, copies, "copies")?;
        let mut scope = Scope {
            minutes: name.to_string(),
            revision: known.revision,
            sha256: known.sha256,
            date: freeze.date,
            directory: version,
            lines: lines.into_iter().map(|line| line.title).collect(),
            targets: u32::try_from(targets.len()).map_err(Fault::internal)?,
            copies,
            is_paper: freeze.is_paper,
            hash: String::new(),
        };
        scope.hash = scope.hash_with(&targets);
        let parts = targets.iter().map(to_json).collect::<Result<_>>()?;
        Ok((vec![noted(SCOPE_FROZEN, name, 0, to_json(&scope)?, parts)], answer(name)))
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
                let reason = format!("更正重印件 {name}");
                let of = DeliveryName::parse(&held.name, "replaces")?;
                recalled = Some(self.system(view, &of, &held, Act::Recall { reason }, context)?);
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
        let Some(from) = view.task(name)?.deliver else { return Ok((Vec::new(), Vec::new())) };
        let known = view.known(name, "minutes")?;
        let not_frozen = || Fault::new(Reason::ScopeNotFrozen).with("minutes", name);
        let scope = view.scope(name)?.ok_or_else(not_frozen)?;
        let (mut parts, mut events) = (Vec::new(), Vec::new());
        let until = scope.targets.min(from + u32::try_from(SLICE).map_err(Fault::internal)?);
        for index in from..until {
            let target = view.value(&keys::target(name, index))?.ok_or_else(not_frozen)?;
            let (delivery, recalled) =
                self.made(view, (name, &known, &scope), (index, from_json(&target)?), context)?;
            parts.push(to_json(&delivery)?);
            events.extend(recalled);
        }
        let is_last = until >= scope.targets;
        let mut made = until;
        if is_last {
            for held in self.left_out(view, name, &known)? {
                if !held.may_have_text() {
                    let reason = format!("更正重印件 {name}");
                    let of = DeliveryName::parse(&held.name, "replaces")?;
                    events.push(self.system(view, &of, &held, Act::Recall { reason }, context)?);
                    continue;
                }
                let target = Target { unit: held.unit, title: held.title, via: known.corrects.clone() };
                let (delivery, recalled) =
                    self.made(view, (name, &known, &scope), (made, target), context)?;
                parts.push(to_json(&delivery)?);
                events.extend(recalled);
                made += 1;
            }
        }
        events.insert(0, noted(DELIVERIES_MADE, name, u64::from(is_last), to_json(&made)?, parts));
        Ok((events, Vec::new()))
    }

    /// Deliveries of what minutes correct, to units that are not in their scope: what went out after the scope was
    /// frozen, or never arrived. Whoever holds the old text gets the new one (requirement 15), nobody else the old.
    fn left_out(&self, view: &Overlay<'_>, name: &Minutes, known: &Known) -> Result<Vec<Delivery>> {
        let Ok(old) = Minutes::parse(&known.corrects, "corrects") else { return Ok(Vec::new()) };
        let in_scope = view.scan_prefix(&keys::targets(name))?.into_iter();
        let in_scope: BTreeSet<String> =
            in_scope.map(|(_, target)| Ok(from_json::<Target>(&target)?.unit)).collect::<Result<_>>()?;
        let mut found = Vec::new();
        for (_, held) in view.scan_prefix(&keys::by_minutes(&old))? {
            let held = view.named(&held)?;
            let goes_on = !matches!(held.state, State::Returned | State::Recalled);
            if goes_on && !in_scope.contains(&held.unit) {
                found.push(held);
            }
        }
        Ok(found)
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
        if !known.is_in_force() {
            return Err(Fault::new(Reason::NotIssued).with("minutes", name));
        }
        // One more comes behind those of the scope, which must be there.
        let made = view.number(&keys::count_made(name))?;
        if made < scope.targets {
            return Err(Fault::new(Reason::StateForbids)
                .with("state", "NOT_DELIVERED")
                .with("act", "ADD_RECIPIENT"));
        }
        let found = view.unit(&name.organ, unit, "unit")?;
        if view.value(&keys::by_unit(name, unit))?.is_some() {
            return Err(Fault::invalid("unit", unit));
        }
        let index = made;
        check_copies(&known, index as usize + 1, scope.copies, "unit")?;
        let target = Target { unit: unit.to_owned(), title: found.called().to_owned(), via: String::new() };
        let (mut delivery, recalled) = self.made(view, (name, &known, &scope), (index, target), context)?;
        delivery.approved_by = approved_by.to_owned();
        let made = delivery.name.clone();
        let body = to_json(&(index + 1))?;
        let mut events = vec![noted(DELIVERIES_MADE, name, 2, body, vec![to_json(&delivery)?])];
        events.extend(recalled);
        Ok((events, answer(&made)))
    }
}

/// Copies have numbers of six digits, and those that are numbered were counted at 登记 (requirements 37 and 38).
fn check_copies(known: &Known, recipients: usize, copies: u32, field: &str) -> Result<()> {
    let all = recipients * copies as usize;
    let is_numbered = known.secrecy.is_some() && known.copies > 0;
    let most = if is_numbered { known.copies as usize } else { MOST_NUMBERED };
    if all > most {
        return Err(Fault::invalid(field, format!("{all} copies in all, more than {most}")));
    }
    Ok(())
}

pub(super) fn level_name(level: Option<Level>) -> &'static str {
    match level {
        None => "",
        Some(Level::Secret) => "SECRET",
        Some(Level::Confidential) => "CONFIDENTIAL",
        Some(Level::TopSecret) => "TOP_SECRET",
    }
}
