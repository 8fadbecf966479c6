//! Follow-through of decisions (督查督办): a matter from its beginning to the day it is struck off.
//!
//! A matter is what it was established as, plus its history: each [`Act`] is decided against the matter as it is
//! ([`Matter::decide`]), becomes an [`Entry`] with actor, time and the state that it leads to, and is then applied
//! ([`Matter::apply`]), which decides nothing. What the days make of a matter, its light and its findings, is derived
//! and never kept ([`Rules::light`], [`Rules::findings`]).
//!
//! Requirement numbers are those of the project's list of domain rules: follow-through is 51 to 69.

mod act;
mod board;
mod list;
mod matter;
mod pick;
mod rules;
mod state;

pub use act::{Act, Actor, Context, Evidence};
pub use board::{Bulletin, bulletin, percent};
pub use list::{MeasureList, Row};
pub use matter::{
    Class, Entry, Extension, Feedback, Issued, Listing, Matter, Milestone, Next, Objection, Outcome, Reply,
    Slip, Source,
};
pub use pick::{Pick, due_day, pick};
pub use rules::{Finding, FindingCode, Light, Rules, Threshold};
pub use state::State;

#[cfg(test)]
mod tests;
