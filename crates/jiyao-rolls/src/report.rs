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
    /// Came.
    pub came: u64,
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

/// Rates over seats, by what `of` makes of a seat (a person, a unit); empty names are left out. In order of name.
pub fn rates<'s>(seats: impl IntoIterator<Item = &'s Seat>, of: impl Fn(&Seat) -> String) -> Vec<Rate> {
    let mut found: BTreeMap<String, Rate> = BTreeMap::new();
    for seat in seats {
        if !matches!(seat.capacity, Capacity::Member | Capacity::Observer) {
            continue;
        }
        let name = of(seat);
        if name.is_empty() {
            continue;
        }
        let rate = found.entry(name.clone()).or_insert_with(|| Rate { of: name, ..Rate::default() });
        rate.asked += 1;
        match seat.shown() {
            Shown::OnLeave => rate.on_leave += 1,
            Shown::Absent => rate.absent += 1,
            _ => rate.came += 1,
        }
    }
    found.into_values().collect()
}
