//! Counts over matters.

use serde::{Deserialize, Serialize};

use crate::matter::Matter;

/// What has become of a meeting's matters (requirement 67).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulletin {
    /// All.
    pub total: u32,
    /// 办结 or 销号.
    pub closed: u32,
    /// The rest.
    pub open: u32,
    /// Share of the closed, whole per cent, rounded half up.
    pub closed_percent: u32,
    /// Share of the open, whole per cent, rounded half up: the two need not add up to 100.
    pub open_percent: u32,
    /// Units that lead a matter which is overdue, with how many.
    pub laggards: Vec<(String, u32)>,
}

/// A share in whole per cent, rounded half up; 0 of nothing.
#[must_use]
pub fn percent(part: u32, whole: u32) -> u32 {
    (part * 200 + whole).checked_div(whole * 2).unwrap_or(0)
}

/// Counts a meeting's matters as of a day.
#[must_use]
pub fn bulletin<'m>(
    matters: impl Iterator<Item = &'m Matter>,
    is_late: impl Fn(&Matter) -> bool,
) -> Bulletin {
    let mut found = Bulletin::default();
    for matter in matters {
        found.total += 1;
        if matter.state.is_end() {
            found.closed += 1;
        } else if is_late(matter) {
            match found.laggards.iter_mut().find(|(unit, _)| *unit == matter.lead) {
                Some((_, count)) => *count += 1,
                None => found.laggards.push((matter.lead.clone(), 1)),
            }
        }
    }
    found.open = found.total - found.closed;
    found.closed_percent = percent(found.closed, found.total);
    found.open_percent = percent(found.open, found.total);
    found.laggards.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    found
}
