//! Append-only, checksummed, hash-chained segments: what a service promises, it promises with this. The only crate
//! that calls fsync, so whatever else must outlive a power cut is kept with it too: uploaded sources, keys.
//!
//! # On disk
//! A journal is a folder with a file `begun` and segments `{first sequence}.segment`, each allocated in full when it is
//! made (so that appending to it cannot run out of space) and beginning with a header that names the journal, the
//! format's version, its first sequence and the hash that came before. A segment that is full ends in a trailer that
//! names its successor, so that the newest segment cannot be missed in silence. The successor is synced as
//! `{first sequence}.tmp`, the trailer is written and synced, and the successor gets its name; opening finishes that.
//! `begun` says that there was a first segment. The folder itself is locked. A record is a 101-byte header and a body:
//!
//! | header | bytes | | body | bytes |
//! |---|---|---|---|---|
//! | magic `JYR1` | 4 | | state: 1 present, 2 erased | 1 |
//! | payload length | 4 | | salt | 16 |
//! | sequence, dense from 1 | 8 | | payload | length |
//! | first sequence of its group | 8 | | CRC32C of the three | 4 |
//! | time, ms since 1970 UTC | 8 | | end mark `E7` | 1 |
//! | hash of the header before | 32 | | | |
//! | SHA-256(salt ‖ payload) | 32 | | | |
//! | CRC32C of the above | 4 | | | |
//! | end mark `E7` | 1 | | | |
//!
//! The chain runs over headers alone, so a payload can be erased and every other record still verifies; the salt goes
//! with it, so that a short payload cannot be guessed from the commitment. Of an erased payload a part may remain: it
//! stands in the payload's place, its length in the salt's (32 bits, the lowest byte first), zeros behind both. The
//! header does not vouch for it: whoever erases writes a record that does.
//!
//! # Torn or damaged
//! A group is one write and one `fdatasync`. A header never crosses a 512-byte sector. After a crash the last group
//! may be there in part, and a part that was not written reads as zeros; such a tail was never acknowledged and is
//! cut. What is found whole at a start is synced before anybody sees it, whoever wrote it. Anything else that does not verify is damage: the journal names file and offset, and refuses.

mod attachments;
mod copy;
mod error;
mod files;
mod folder;
mod format;
mod journal;
mod log;
#[cfg(feature = "planted-failpoints")]
mod points;
mod scan;

pub use attachments::{Attachments, Receiving};
pub use copy::{Piece, Restoring};
pub use error::{AppendError, OpenError, ReadError};
pub use folder::{find_open, make_folder, make_private_by_default, private};
pub use journal::{
    Cut, Entry, EraseError, Journal, Locked, Opened, Options, Synced, UNFINISHED, Written, free_bytes,
    make_private, put_in_place,
};
pub use log::{Log, Record};
#[cfg(feature = "planted-failpoints")]
pub use points::{is_planted, kill_point};

use uuid::Uuid;

/// Nothing, but in builds with the feature `planted-failpoints`: there a test may end the process here.
#[cfg(not(feature = "planted-failpoints"))]
#[inline]
pub fn kill_point(_: &str) {}

/// No, but in builds with the feature `planted-failpoints`: there a test may plant a bug here.
#[cfg(not(feature = "planted-failpoints"))]
#[inline]
#[must_use]
pub fn is_planted(_: &str) -> bool {
    false
}

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// A place in one journal, proved by the hash of the record's header there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The journal's id.
    pub journal: Uuid,
    /// Sequence of the last record seen; 0 is before the first.
    pub sequence: u64,
    /// Hash of that record's header; at 0 the journal's genesis hash.
    pub hash: Hash,
}

#[cfg(test)]
mod tests;
