//! Where organs and the ways to find minutes lie in the state; minutes and their lists lie where `jiyao-serve` says.

use jiyao_names::{Minutes, Organ};

pub(crate) const ORGANS: &[u8] = b"o/";

pub(crate) fn organ(organ: &Organ) -> Vec<u8> {
    [ORGANS, organ.id().as_bytes()].concat()
}

/// A revision of minutes that is no longer the newest.
pub(crate) fn revision(minutes: &Minutes, revision: u64) -> Vec<u8> {
    [b"r/", minutes.organ.id().as_bytes(), b"/", minutes.id.as_bytes(), &revision.to_be_bytes()].concat()
}

/// Names and aliases that organs are called by.
pub(crate) fn called(name: &str) -> Vec<u8> {
    [b"c/", name.as_bytes()].concat()
}

pub(crate) fn by_digest(organ: &Organ, digest: &[u8; 32]) -> Vec<u8> {
    [b"b/", organ.id().as_bytes(), b"/", &digest[..]].concat()
}

pub(crate) fn by_identity(organ: &Organ, identity: &str) -> Vec<u8> {
    [b"i/", organ.id().as_bytes(), b"/", identity.as_bytes()].concat()
}
