//! Where things lie in the state. Ids hold neither `/` nor NUL, so keys cannot run into each other.

use jiyao_names::{Minutes, Organ, Scope};

pub(crate) const ORGANS: &[u8] = b"o/";

pub(crate) fn organ(organ: &Organ) -> Vec<u8> {
    [ORGANS, organ.id().as_bytes()].concat()
}

/// Names and aliases that organs are called by.
pub(crate) fn called(name: &str) -> Vec<u8> {
    [b"c/", name.as_bytes()].concat()
}

pub(crate) fn minutes(name: &Minutes) -> Vec<u8> {
    [b"m/", name.organ.id().as_bytes(), b"/", name.id.as_bytes()].concat()
}

pub(crate) fn by_digest(organ: &Organ, digest: &[u8; 32]) -> Vec<u8> {
    [b"b/", organ.id().as_bytes(), b"/", &digest[..]].concat()
}

pub(crate) fn by_identity(organ: &Organ, identity: &str) -> Vec<u8> {
    [b"i/", organ.id().as_bytes(), b"/", identity.as_bytes()].concat()
}

/// Prefix of the list that a scope is read from.
pub(crate) fn list(scope: &Scope) -> Vec<u8> {
    match scope {
        Scope::All => b"a/".to_vec(),
        Scope::One(organ) => [b"l/", organ.id().as_bytes(), b"/"].concat(),
    }
}

/// Places of minutes in both lists: newest meeting first, those without a date last.
pub(crate) fn places(name: &Minutes, date: &str) -> [Vec<u8>; 2] {
    let newest_first: Vec<u8> = match date.len() {
        10 => date.bytes().map(|byte| 0xff - byte).collect(),
        _ => vec![0xff; 10],
    };
    let tail = [&newest_first[..], name.organ.id().as_bytes(), b"/", name.id.as_bytes()].concat();
    [list(&Scope::All), list(&Scope::One(name.organ.clone()))].map(|list| [list, tail.clone()].concat())
}
