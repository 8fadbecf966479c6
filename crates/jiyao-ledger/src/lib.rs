//! Journal, state and the single writer: how a service changes, and how others see that it did.
//!
//! A command is decided by the service's [`Domain`] against the state and what the commands before it in the same
//! group have done, becomes events, and the group goes to the journal in one write and one sync; then the state
//! follows in one batch, and only then is anyone answered. While a group is synced the next one is decided upon it.
//! Replay applies the same events and never decides again.
//!
//! Every answer of a group waits for its sync and for that of the group before, refusals too: they may rest on what
//! either is about to write.

mod clock;
mod domain;
mod erasure;
mod follow;
mod group;
mod ledger;
mod lookup;
mod overlay;
mod public;
mod syncer;
mod writer;

pub use clock::{AcceptClock, ClockFault, ClockLook};
pub use domain::{Context, Decided, Domain, Ids, check_etag, decode_event, event, noted, unknown_event};
pub use erasure::{AskErasure, CarryOut, Erasing, carried_out};
pub use follow::Stretch;
pub use ledger::{Committed, Ledger, OpenError, Places, Reading, Submission};
pub use lookup::{Lookup, blank_json, from_json, pack, to_json, unpack};
pub use overlay::Overlay;

/// Exit code of a process whose journal could not be written or synced: what is on disk is found out at the next
/// start (EX_IOERR).
pub const EXIT_STORAGE: i32 = 74;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
