//! The frozen scope: lines of a list, expanded to organisations as of the day of issue, with a hash that the issue
//! names (requirements 36 and 37).

use std::collections::BTreeSet;

use jiyao_calendar::Date;
use jiyao_fault::{Fault, Reason, Result};
use jiyao_rolls::Directory;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::stated::{Recipient, RecipientKind};

/// A recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Id of the organisation in the directory.
    #[serde(rename = "u")]
    pub unit: String,
    /// What it is called on that day.
    #[serde(rename = "t")]
    pub title: String,
    /// The line of the list that it is in by.
    #[serde(rename = "v", default, skip_serializing_if = "String::is_empty")]
    pub via: String,
}

/// A scope, without its targets: those are many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// `organs/{organ}/minutes/{minutes}`.
    pub minutes: String,
    /// The revision that they get.
    pub revision: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// The planned day of issue.
    pub date: Date,
    /// Version of the directory that classes were expanded by.
    pub directory: u64,
    /// Lines of the list as printed.
    pub lines: Vec<String>,
    /// How many targets.
    pub targets: u32,
    /// Copies for each.
    pub copies: u32,
    /// By paper alone.
    pub is_paper: bool,
    /// SHA-256 of all of that and the targets, in hexadecimal digits.
    pub hash: String,
}

impl Scope {
    /// The hash of it and its targets; `hash` itself is left out.
    #[must_use]
    pub fn hash_with(&self, targets: &[Target]) -> String {
        let mut hasher = Sha256::new();
        let mut put = |text: &str| {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        };
        let numbers = [self.revision, self.directory, u64::from(self.copies), u64::from(self.is_paper)];
        put(&self.minutes);
        put(&self.sha256);
        put(&self.date.to_string());
        numbers.iter().for_each(|number| put(&number.to_string()));
        self.lines.iter().for_each(|line| put(line));
        for target in targets {
            put(&target.unit);
            put(&target.title);
        }
        jiyao_names::hex(&hasher.finalize())
    }
}

/// Lines of a list as organisations of a day, each once, by the first line that it is in. `attending` are the units on
/// the roll, for 与会各单位.
///
/// # Errors
/// `CLASS_EMPTY` for a class that stands for nobody; `UNIT_NOT_FOUND` for a body that the directory does not know, or
/// that nothing has taken the place of.
pub fn expand(
    lines: &[Recipient],
    attending: &[String],
    directory: &Directory,
    day: Date,
) -> Result<Vec<Target>> {
    let (mut targets, mut seen) = (Vec::new(), BTreeSet::new());
    for line in lines {
        let mut units = Vec::new();
        if line.kind == RecipientKind::Class {
            units.extend(directory.units_of(&line.title, day));
            if units.is_empty() && line.title.contains("与会") {
                for name in attending {
                    units.extend(named(name, directory, day)?);
                }
            }
            if units.is_empty() {
                return Err(Fault::new(Reason::ClassEmpty).with("class", &line.title));
            }
        } else {
            units.extend(named(&line.title, directory, day)?);
        }
        for unit in units {
            if seen.insert(unit.id.clone()) {
                let title = unit.called().to_owned();
                targets.push(Target { unit: unit.id.clone(), title, via: line.title.clone() });
            }
        }
    }
    Ok(targets)
}

/// Organisations of a name on a day; of one that is no more, what took its place.
fn named<'d>(name: &str, directory: &'d Directory, day: Date) -> Result<Vec<&'d jiyao_rolls::Unit>> {
    let mut found = directory.units_called(name, day);
    if found.is_empty() {
        let was_there = |unit: &&jiyao_rolls::Unit| unit.span.holds(unit.span.until.unwrap_or(day));
        let former = directory.units.values().filter(was_there).filter(|unit| unit.is_called(name));
        found = former.flat_map(|unit| directory.standing_for(&unit.id, day)).collect();
    }
    if found.is_empty() {
        return Err(Fault::new(Reason::UnitNotFound).with("unit", name));
    }
    Ok(found)
}
