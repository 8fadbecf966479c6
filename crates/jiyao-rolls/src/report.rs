//! Rates of attendance.

use std::collections::BTreeMap;

use crate::seat::{Capacity, Seat, Shown};

/// How often somebody came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Person or unit.
    pub of: String,
    /// Meetings that they were asked to.
    pub asked: u64,
    /// Came: themself, or for a unit whoever was approved.
    pub came: u64,
    /// Sent somebody who was approved.
    pub sent: u64,
    /// On leave.
    pub on_leave: u64,
    /// Neither.
    pub absent: u64,
}

impl Rate {
    /// Came, of those asked, in whole percent, half rounded up.
    #[must_use]
    pub fn percent(&self) -> u64 {
        (self.came * 200 + self.asked).checked_div(self.asked * 2).unwrap_or(0)
    }
}

/// Whose rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RatesOf {
    /// People: two of a name are two where the directory or their units tell them apart.
    People,
    /// Units, of observers; members sit for none.
    Units,
}

/// Rates over seats, in order of name.
pub fn rates<'s>(seats: impl IntoIterator<Item = &'s Seat>, of: RatesOf) -> Vec<Rate> {
    let mut found: BTreeMap<(&str, &str, &str), Rate> = BTreeMap::new();
    for seat in seats {
        if !matches!(seat.capacity, Capacity::Member | Capacity::Observer) {
            continue;
        }
        let (name, unit, id) = match of {
            RatesOf::People => (seat.person.as_str(), seat.unit.as_str(), seat.person_id.as_str()),
            RatesOf::Units => (seat.unit.as_str(), "", ""),
        };
        if name.is_empty() {
            continue;
        }
        let blank = || Rate { of: name.to_owned(), ..Rate::default() };
        let rate = found.entry((name, if id.is_empty() { unit } else { "" }, id)).or_insert_with(blank);
        rate.asked += 1;
        match seat.shown() {
            Shown::OnLeave => rate.on_leave += 1,
            Shown::Absent => rate.absent += 1,
            _ if of == RatesOf::People && seat.own_intervals().is_empty() => rate.sent += 1,
            _ => rate.came += 1,
        }
    }
    found.into_values().collect()
}
