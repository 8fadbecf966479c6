//! Tests of the whole system, in one binary: `cargo test -p jiyao-tests`, or one by name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod attendance;
mod bad_input;
mod between;
mod bounded;
mod calls;
mod channels;
mod cli;
mod corpus;
mod decoders;
mod directory;
mod distribution;
mod erasure;
mod faults;
mod foreign;
mod formats;
mod guarded;
mod hostile;
mod identity;
mod keeping;
mod lifecycle;
mod matters;
mod operations;
mod receipts;
mod requests;
mod rights;
mod scopes;
mod secrecy;
mod story;
mod upgrade;
mod workspace;
