//! Rules of distribution: who must have minutes, frozen before they are issued; each delivery from 待发 to 签收; numbered
//! copies; what the public may read, by when; requests for the rest. Pure: no clock, no I/O, no randomness.

mod copies;
mod delivery;
mod disclosure;
mod requests;
mod scope;
mod stated;

pub use copies::{Copies, Copy, CopyEnd, copy_number};
pub use delivery::{
    Act, Channel, Context, Delivery, Entry, Failure, OTHER_CODE, RETURN_CODES, Returned, Signed, State,
    retry_time,
};
pub use disclosure::{DueRules, Publication, Standing, public_part};
pub use requests::{ANSWERS, Request, RequestAct, RequestEntry, RequestState};
pub use scope::{Scope, Target, expand};
pub use stated::{Recipient, RecipientKind, attending, stated};

#[cfg(test)]
mod tests;
