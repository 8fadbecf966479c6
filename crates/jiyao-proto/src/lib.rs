//! Generated messages, clients, servers and the descriptor set of the protos in `proto/`. All but one message is made by
//! `cargo xtask proto`, and its check fails when it is not current.
//!
//! What the messages and fields mean stands in the proto files, whose comments the generated code carries.

pub mod calls;
pub mod checks;
mod encoded;
#[rustfmt::skip]
#[path = "generated/calls.rs"]
mod generated_calls;
#[rustfmt::skip]
#[path = "generated/checks.rs"]
mod generated_checks;
#[rustfmt::skip]
#[path = "generated/methods.rs"]
mod methods;
#[rustfmt::skip]
#[path = "generated/repeatable.rs"]
mod repeatable;
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    rust_2018_idioms,
    rustdoc::all
)]
#[rustfmt::skip]
mod generated;

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    rust_2018_idioms,
    rustdoc::all
)]
#[rustfmt::skip]
#[path = "generated/server/mod.rs"]
mod generated_servers;

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    rust_2018_idioms,
    rustdoc::all
)]
#[rustfmt::skip]
#[path = "generated/client/mod.rs"]
mod generated_clients;

pub use generated::jiyao::{attendance, distribution, fault, journal, operations, options, records, stored};
pub use methods::METHODS;

use options::v1::{Action, Effect, Least};

/// A method of a service, and what its option in proto says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// E.g. `/jiyao.records.v1.RecordsService/GetMinutes`.
    pub path: &'static str,
    /// The caller's deed.
    pub action: Action,
    /// Its trace.
    pub effect: Effect,
    /// Paths of the request's fields that name what it is done to.
    pub object: &'static [&'static str],
    /// The least that a caller must have.
    pub least: Least,
}

/// The methods of a service by its full name, e.g. `jiyao.records.v1.RecordsService`; none for a name that is not served
/// here.
pub fn methods_of(service: &str) -> impl Iterator<Item = &'static Method> {
    let is_of = move |method: &&Method| {
        method
            .path
            .strip_prefix('/')
            .and_then(|path| path.split_once('/'))
            .is_some_and(|(of, _)| of == service)
    };
    METHODS.iter().filter(is_of)
}

/// A request with a `request_id`, by which its repeat is known.
pub trait Repeatable: prost::Message {
    /// Takes the `request_id` out: what is left is what was asked.
    fn take_request_id(&mut self) -> String;
}

/// Clients with a method for each call, where those of [`calls`] do not fit.
pub mod client {
    pub use crate::generated_clients::jiyao::{attendance, distribution, journal, operations, records};
}

/// What a service implements. Apart from the messages, because a server may send what it has encoded already where a
/// client reads a message: the same bytes, another type.
pub mod server {
    pub use crate::encoded::EncodedFollowResponse;
    pub use crate::generated_servers::jiyao::{attendance, distribution, journal, operations, records};
}

/// Descriptors of everything that is served, with comments and options, encoded as a `google.protobuf.FileDescriptorSet`:
/// for reflection, and for tests that walk all methods.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");
