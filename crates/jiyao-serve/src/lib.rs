//! What every service shares: settings and flags, identity and rights, limits, health, reflection, the journal
//! service, following another service, draining.

mod allowance;
mod answer;
mod config;
mod follower;
mod guard;
mod help;
mod identity;
mod incoming;
mod journal_service;
mod listing;
mod methods;
mod operations;
mod page;
mod program;
mod rights;
mod search;
mod secret;
mod server;
mod service;
mod takeover;
mod workers;

pub use answer::{Answers, Asked, Caller, answer, caller, receive, stream, wait_for};
pub use config::ServeConfig;
pub use follower::{FollowConfig, Followed, Link, Setback, Source, Step};
pub use help::{language, translated};
pub use identity::{Principal, Role, check_tokens};
pub use journal_service::{cursor_from, cursor_to};
pub use listing::{Page, document_of, list_of, places_of, put_listed};
pub use page::{PageQuery, Seal, page_size};
pub use program::{Program, program};
pub use rights::{CLEARED, SUPERVISORS, roles_of};
pub use search::Wanted;
pub use secret::secret;
pub use server::{Late, Parts, REQUEST_LIMIT, RESPONSE_LIMIT, Ready, ServeError, Server};
pub use service::serve_domain;
pub use takeover::{
    FETCHED_AT_ONCE, Intake, directory_change, fetch_minutes, fetch_newest, is_new, keep, take_over,
    unknown_kind,
};
pub use workers::{Interest, Workers};

/// Services and the command spend much of their time in small allocations from several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(test)]
mod tests;
