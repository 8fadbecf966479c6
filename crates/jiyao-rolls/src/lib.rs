//! Who may decide, who was in the room, and whether that was enough: the directory of organisations, people and posts
//! as of any day; meetings and the seats at them; quorum over time; the roll that minutes state, checked against both.
//! Pure: no clock, no I/O, no randomness.

mod check;
mod directory;
mod meeting;
mod quorum;
mod report;
mod rows;
mod seat;
mod stated;

pub use check::{Agreement, Decision, Finding, FindingCode, check, looked_up};
pub use directory::{By, Directory, Entry, Membership, Person, Post, Rank, Span, Tenure, Unit, UnitKind};
pub use meeting::{
    Item, ItemQuorum, Level, Meeting, MeetingAct, MeetingEntry, QuorumResult, RollRules, Stage,
};
pub use quorum::{Base, Comparison, Count, Interval, Member, QuorumRule, Sweep};
pub use report::{Rate, RatesOf, rates};
pub use rows::{Preview, RowCode, RowError, Table};
pub use seat::{
    Actor, Capacity, Ground, Leave, ObserverKind, Recusal, Reply, Seat, SeatAct, SeatContext, SeatEntry,
    Shown, Stay, Substitute, moved,
};
pub use stated::{Presence, Stated, stated};

#[cfg(test)]
mod tests;
