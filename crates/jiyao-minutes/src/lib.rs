//! Rules of minutes: what makes two of them the same, and the life of one from draft to archive.
//!
//! A [`Life`] is decided like a matter: an [`Act`] becomes an [`Entry`] ([`Life::decide`]), which is then applied
//! ([`Life::apply`]) without deciding anything. Requirement numbers are those of the project's list of domain rules:
//! records are 1 to 20.

mod clauses;
mod disclosure;
mod formatting;
mod identity;
mod life;
mod sign_off;
mod words;

pub use clauses::{Change, ChangeKind, compare};
pub use disclosure::{Disclosure, DisclosureClass, Level, Passage, Secrecy};
pub use formatting::{Difference, Filled, Version, content_change};
pub use identity::Identity;
pub use life::{Act, Context, Entry, FrozenScope, Life, Major, Mark, Quorum, Stage, Standing};
pub use sign_off::{Chain, Delegation, SignOff};
pub use words::{DOCUMENT_KINDS, ItemKind, MINUTES_KIND, Verdict};
