//! Generated messages, clients, servers and the descriptor set of the protos in `proto/`. All but one message is made by
//! `cargo xtask proto`, and its check fails when it is not current.
//!
//! What the messages and fields mean stands in the proto files, whose comments the generated code carries.

mod encoded;
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

pub use generated::jiyao::{attendance, distribution, fault, journal, operations, records, stored};

/// A request with a `request_id`, by which its repeat is known.
pub trait Repeatable: prost::Message {
    /// Takes the `request_id` out: what is left is what was asked.
    fn take_request_id(&mut self) -> String;
}

/// What a service implements. Apart from the messages, because a server may send what it has encoded already where a
/// client reads a message: the same bytes, another type.
pub mod server {
    pub use crate::encoded::EncodedFollowResponse;
    pub use crate::generated_servers::jiyao::{attendance, distribution, journal, operations, records};
}

/// Descriptors of everything that is served, encoded as a `google.protobuf.FileDescriptorSet`, for reflection and
/// for tests that walk all methods.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");
