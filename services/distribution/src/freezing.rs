//! Who gets minutes. It is worked out beside the writer, read piece by piece, and where the scope is frozen it is only made
//! sure that it is still so. Many targets are staged in pages before: the writer never has more than a page to do.

use std::collections::BTreeSet;

use jiyao_calendar::Date;
use jiyao_deliveries::{Recipient, RecipientKind, Scope, State, Target, expand};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Ledger, Lookup as _, Reading, from_json, to_json};
use jiyao_names::{Minutes, Organ};
use jiyao_proto::distribution::v1::{self as api, DistributionList};
use jiyao_rolls::{By, Directory, Entry, Unit};
use jiyao_serve::Interest;
use jiyao_wire::MOST_AT_ONCE;

use crate::documents::{Known, View as _};
use crate::domain::DistributionDomain;
use crate::keys;

/// Organisations that are read at once.
const READ_AT_ONCE: usize = 5000;
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

/// A scope with its targets, or why there is none, and what that was worked out from.
pub(crate) struct Found {
    pub(crate) list: DistributionList,
    pub(crate) known: Known,
    /// Version of the directory.
    pub(crate) directory: u64,
    pub(crate) outcome: Result<(Scope, Vec<Vec<u8>>)>,
}

impl Found {
    /// Targets that are too many for one command, in pages.
    pub(crate) fn pages(&self) -> Option<(&str, impl Iterator<Item = &[Vec<u8>]>)> {
        let (scope, targets) = self.outcome.as_ref().ok()?;
        is_large(scope).then(|| (scope.hash.as_str(), targets.chunks(MOST_AT_ONCE)))
    }
}

/// Whether a scope has more targets than one command may bring.
pub(crate) fn is_large(scope: &Scope) -> bool {
    scope.targets as usize > MOST_AT_ONCE
}

/// The scope that minutes would have now. None where it cannot be told, or nobody waits for it any more; freezing it
/// says why, or that one must look again.
///
/// # Errors
/// `STATE_UNAVAILABLE`.
pub(crate) fn look(
    ledger: &Ledger<DistributionDomain>,
    freeze: &Freeze,
    interest: &Interest,
) -> Result<Option<Found>> {
    let name = &freeze.minutes;
    let read = |view: &Reading<'_>| {
        let (list, known) = (view.list(name, "minutes")?, view.known(name, "minutes")?);
        Ok((list, known, view.whole_directory_version(&name.organ)?))
    };
    let Ok(((list, known, version), _)) = ledger.read(read) else { return Ok(None) };
    let lines = lines_of(&list, &freeze.extra);
    let of_lines = lines.iter().map(|line| match line.kind {
        RecipientKind::Class => By::UnitClass(&line.title),
        RecipientKind::Unit => By::UnitName(&line.title),
    });
    let attending = list.attending_units.iter().map(|name| By::UnitName(name));
    let wanted: Vec<_> = of_lines.chain(attending).collect();
    let Some(directory) = part(ledger, (&name.organ, version), &wanted, interest)? else { return Ok(None) };
    let held = match Minutes::parse(&known.corrects, "corrects") {
        Ok(old) => held(ledger, &old, interest)?,
        Err(_) => Some(Vec::new()),
    };
    let Some(held) = held else { return Ok(None) };
    let outcome = expand(&lines, &list.attending_units, &directory, freeze.date)
        .and_then(|targets| scope(freeze, (&known, version), lines, (targets, held)));
    Ok(Some(Found { list, known, directory: version, outcome }))
}

/// The lines of a list, and those that are added to it.
fn lines_of(list: &DistributionList, extra: &[String]) -> Vec<Recipient> {
    let listed = list.recipients.iter().map(|recipient| Recipient {
        title: recipient.title.clone(),
        kind: match recipient.kind() {
            api::RecipientKind::Class => RecipientKind::Class,
            _ => RecipientKind::Unit,
        },
    });
    let extra = extra.iter().map(|title| Recipient { title: title.clone(), kind: RecipientKind::Unit });
    listed.chain(extra).collect()
}

/// Whoever holds what is corrected gets the correction, and must sign for it (requirement 15).
fn scope(
    freeze: &Freeze,
    (known, directory): (&Known, u64),
    lines: Vec<Recipient>,
    (mut targets, held): (Vec<Target>, Vec<Held>),
) -> Result<(Scope, Vec<Vec<u8>>)> {
    let in_list: BTreeSet<String> = targets.iter().map(|target| target.unit.clone()).collect();
    // Those who do not hold it yet, but may by the issue.
    let mut may_follow = 0;
    for Held { unit, title, may_have_text } in held {
        match may_have_text {
            _ if in_list.contains(&unit) => {}
            true => targets.push(Target { unit, title, via: known.corrects.clone() }),
            false => may_follow += 1,
        }
    }
    if targets.is_empty() {
        return Err(Fault::new(Reason::ClassEmpty).with("class", ""));
    }
    let copies = freeze.copies.max(1);
    check_copies(known, targets.len() + may_follow, copies, "copies")?;
    let mut scope = Scope {
        minutes: freeze.minutes.to_string(),
        revision: known.revision,
        sha256: known.sha256.clone(),
        date: freeze.date,
        directory,
        lines: lines.into_iter().map(|line| line.title).collect(),
        targets: u32::try_from(targets.len()).map_err(Fault::internal)?,
        copies,
        is_paper: freeze.is_paper,
        hash: String::new(),
    };
    scope.hash = scope.hash_with(&targets);
    Ok((scope, targets.iter().map(to_json).collect::<Result<_>>()?))
}

/// Copies have numbers of six digits, and those that are numbered were counted at 登记 (requirements 37 and 38).
pub(crate) fn check_copies(known: &Known, recipients: usize, copies: u32, field: &str) -> Result<()> {
    let all = recipients * copies as usize;
    let is_numbered = known.secrecy.is_some() && known.copies > 0;
    let most = if is_numbered { known.copies as usize } else { MOST_NUMBERED };
    if all > most {
        return Err(Fault::invalid(field, format!("{all} copies in all, more than {most}")));
    }
    Ok(())
}

/// Somebody that minutes go to or went to.
struct Held {
    unit: String,
    title: String,
    may_have_text: bool,
}

/// Recipients of minutes, without those that gave them back or that they were recalled from. None where nobody waits for
/// them any more.
fn held(
    ledger: &Ledger<DistributionDomain>,
    minutes: &Minutes,
    interest: &Interest,
) -> Result<Option<Vec<Held>>> {
    let mut found = Vec::new();
    let is_whole = ledger.look_through(
        &keys::by_minutes(minutes),
        |_| Ok(!interest.is_over()),
        |view, _, name| {
            let delivery = view.named(name)?;
            let may_have_text = delivery.may_have_text();
            if may_have_text || !matches!(delivery.state, State::Returned | State::Recalled) {
                found.push(Held { unit: delivery.unit, title: delivery.title, may_have_text });
            }
            Ok(())
        },
    )?;
    Ok(is_whole.then_some(found))
}

/// Organisations of a version of a directory that are found by what is wanted, and all that ever took their place. None
/// where the directory changed meanwhile, or nobody waits for them any more.
fn part(
    ledger: &Ledger<DistributionDomain>,
    (organ, version): (&Organ, u64),
    wanted: &[By<'_>],
    interest: &Interest,
) -> Result<Option<Directory>> {
    let (mut part, mut open) = (Directory::default(), Vec::new());
    // While it is being taken over it has no version.
    let is_same = |view: &Reading<'_>| match view.whole_directory_version(organ) {
        Err(fault) if fault.reason() == Reason::NotCaughtUp => Ok(false),
        now => now.map(|now| now == version && !interest.is_over()),
    };
    for by in wanted {
        let place = keys::found_at(organ, &by.place());
        let was_same = ledger.look_through(&place, is_same, |_, key, _| {
            open.push(String::from_utf8(key[place.len()..].to_vec()).map_err(Fault::internal)?);
            Ok(())
        })?;
        if !was_same {
            return Ok(None);
        }
    }
    while !open.is_empty() {
        let (was_same, _) = ledger.read(|view| {
            if !is_same(view)? {
                return Ok(false);
            }
            for id in open.split_off(open.len().saturating_sub(READ_AT_ONCE)) {
                if part.units.contains_key(&id) {
                    continue;
                }
                if let Some(kept) = view.value(&keys::unit(organ, &id))? {
                    let unit: Unit = from_json(&kept)?;
                    open.extend(unit.successors.iter().cloned());
                    part.put(Entry::Unit(unit));
                }
            }
            Ok(true)
        })?;
        if !was_same {
            return Ok(None);
        }
    }
    Ok(Some(part))
}
