//! Where organs, matters and the ways to find minutes lie in the state; minutes and their lists lie where
//! `jiyao-serve` says.

use jiyao_names::{Matter, Minutes, Organ};
use jiyao_rolls::By;

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

fn of(prefix: &[u8], organ: &Organ, tail: &[&[u8]]) -> Vec<u8> {
    let parts = || [prefix, organ.id().as_bytes(), b"/"].into_iter().chain(tail.iter().copied());
    let mut key = Vec::with_capacity(parts().map(<[u8]>::len).sum());
    parts().for_each(|part| key.extend_from_slice(part));
    key
}

/// A matter, in short and whole: the only place that changes with each act. All lists of matters hold this key.
pub(crate) fn matter(matter: &Matter) -> Vec<u8> {
    of(b"t/", &matter.organ, &[matter.id.as_bytes()])
}

/// List of matters, those due first come first; behind them those without a day, and last the closed ones. Of all units,
/// or of one.
pub(crate) fn by_due(organ: &Organ, lead: Option<&str>) -> Vec<u8> {
    match lead {
        None => of(b"u/", organ, &[]),
        Some(lead) => of(b"w/", organ, &[lead.as_bytes(), &[0]]),
    }
}

/// Places in those lists.
pub(crate) fn due_places(matter: &Matter, lead: &str, is_closed: bool, due: &str) -> [Vec<u8>; 2] {
    let due = if due.is_empty() { "9999-99-99" } else { due };
    let place = [if is_closed { b"1" } else { b"0" }, due.as_bytes(), b"/", matter.id.as_bytes()].concat();
    [None, Some(lead)].map(|lead| [by_due(&matter.organ, lead), place.clone()].concat())
}

/// List of the matters of one minutes, in the order of the text.
pub(crate) fn by_minutes(minutes: &Minutes) -> Vec<u8> {
    of(b"n/", &minutes.organ, &[minutes.id.as_bytes(), b"/"])
}

/// Place in that list.
pub(crate) fn place_in_text(matter: &Matter, minutes: &Minutes, item: u32, decision: Option<u32>) -> Vec<u8> {
    [by_decision(minutes, item, decision), matter.id.as_bytes().to_vec()].concat()
}

/// Those of one decision; `None`: made by hand of the item.
pub(crate) fn by_decision(minutes: &Minutes, item: u32, decision: Option<u32>) -> Vec<u8> {
    let decision = decision.unwrap_or(u32::MAX);
    [by_minutes(minutes), item.to_be_bytes().to_vec(), decision.to_be_bytes().to_vec(), b"/".to_vec()]
        .concat()
}

/// Counters of the board: kinds of rows, and of a row its states.
pub(crate) fn counts(organ: &Organ, kind: u8) -> Vec<u8> {
    of(b"g/", organ, &[&[kind], b"/"])
}

/// Matters that evidence was used for.
pub(crate) fn by_evidence(organ: &Organ, sha256: &str) -> Vec<u8> {
    of(b"e/", organ, &[sha256.as_bytes()])
}

/// An organ's rules of follow-through.
pub(crate) fn rules(organ: &Organ) -> Vec<u8> {
    of(b"f/", organ, &[])
}

/// The highest numbers of a series of an organ that are taken: see `crate::series`.
pub(crate) fn counter(organ: &Organ, series: &str) -> Vec<u8> {
    of(b"k/", organ, &[series.as_bytes()])
}

/// A version of a matter's list of measures; `u64::MAX` is the newest.
pub(crate) fn measures(matter: &Matter, version: u64) -> Vec<u8> {
    of(b"h/", &matter.organ, &[matter.id.as_bytes(), &version.to_be_bytes()])
}

/// When a unit signed for minutes.
pub(crate) fn signed_for(minutes: &Minutes, unit: &str) -> Vec<u8> {
    of(b"x/", &minutes.organ, &[minutes.id.as_bytes(), unit.as_bytes()])
}

/// The life of minutes.
pub(crate) fn life(minutes: &Minutes) -> Vec<u8> {
    of(b"v/", &minutes.organ, &[minutes.id.as_bytes()])
}

/// Names of minutes that have a level (密级).
pub(crate) const SECRETS: &[u8] = b"S/";

pub(crate) fn secret(minutes: &Minutes) -> Vec<u8> {
    of(SECRETS, &minutes.organ, &[minutes.id.as_bytes()])
}

/// Chains, posts and delegations of an organ.
pub(crate) fn sign_off(organ: &Organ) -> Vec<u8> {
    of(b"p/", organ, &[])
}

/// The directory of an organ is known.
pub(crate) fn units(organ: &Organ) -> Vec<u8> {
    of(b"U/", organ, &[])
}

/// A unit is called so, as far as the directory tells names apart.
pub(crate) fn unit_called(organ: &Organ, name: &str) -> Vec<u8> {
    of(b"U/", organ, &[By::UnitName(name).place().as_bytes()])
}

/// Holders of a post, by its title.
pub(crate) fn holders(organ: &Organ, post: &str) -> Vec<u8> {
    of(b"H/", organ, &[post.as_bytes(), b"\0"])
}

/// One who holds it, since a day.
pub(crate) fn holder(organ: &Organ, post: &str, post_id: &str, person: &str, from: &str) -> Vec<u8> {
    [&holders(organ, post)[..], [post_id, person, from].join("/").as_bytes()].concat()
}

/// The record of discussion of minutes.
pub(crate) fn proceedings(minutes: &Minutes) -> Vec<u8> {
    of(b"j/", &minutes.organ, &[minutes.id.as_bytes()])
}

/// Who took no part in which item of the meeting of minutes.
pub(crate) fn recusals(minutes: &Minutes) -> Vec<u8> {
    of(b"R/", &minutes.organ, &[minutes.id.as_bytes()])
}

/// Names of closed matters whose raiser, or that of a row of the list, waits for an answer.
pub(crate) fn unanswered_of(organ: &Organ) -> Vec<u8> {
    of(b"y/", organ, &[])
}

pub(crate) fn unanswered(matter: &Matter) -> Vec<u8> {
    [unanswered_of(&matter.organ), matter.id.as_bytes().to_vec()].concat()
}
