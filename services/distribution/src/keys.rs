//! Where scopes, deliveries, addresses and requests lie in the state; lists lie where `jiyao-serve` says.

use jiyao_names::{Delivery, DisclosureRequest, Minutes, Organ};

fn of(prefix: &[u8], organ: &Organ, tail: &[&[u8]]) -> Vec<u8> {
    [&[prefix, organ.id().as_bytes(), b"/"], tail].concat().concat()
}

fn of_minutes(prefix: &[u8], minutes: &Minutes, tail: &[u8]) -> Vec<u8> {
    of(prefix, &minutes.organ, &[minutes.id.as_bytes(), b"/", tail])
}

/// An organisation of a directory, by id.
pub(crate) fn unit(organ: &Organ, id: &str) -> Vec<u8> {
    of(b"d/", organ, &[id.as_bytes()])
}

/// Ids of organisations by what they are found by: its place in the index.
pub(crate) fn found_at(organ: &Organ, place: &str) -> Vec<u8> {
    of(b"c/", organ, &[place.as_bytes(), &[0]])
}

/// The version of a directory that is being taken over, as long as a part of it is still to come.
pub(crate) fn directory_partial(organ: &Organ) -> Vec<u8> {
    of(b"w/", organ, &[])
}

/// Version of the directory that is known here.
pub(crate) fn directory_version(organ: &Organ) -> Vec<u8> {
    of(b"v/", organ, &[])
}

/// What is known of minutes.
pub(crate) fn known(minutes: &Minutes) -> Vec<u8> {
    of_minutes(b"n/", minutes, b"")
}

/// What is known of all minutes of an organ.
pub(crate) fn all_known(organ: &Organ) -> Vec<u8> {
    of(b"n/", organ, &[])
}

/// Sequence of the record that holds the bytes of a revision.
pub(crate) fn content(minutes: &Minutes, sha256: &str) -> Vec<u8> {
    of_minutes(b"e/", minutes, sha256.as_bytes())
}

/// What is to be done with minutes: delivering, making public.
pub(crate) const TASKS: &[u8] = b"t/";

pub(crate) fn task(minutes: &Minutes) -> Vec<u8> {
    of_minutes(TASKS, minutes, b"")
}

/// The frozen scope of minutes.
pub(crate) fn scope(minutes: &Minutes) -> Vec<u8> {
    of_minutes(b"f/", minutes, b"")
}

/// Scopes that were frozen, by hash.
pub(crate) fn frozen(minutes: &Minutes, hash: &str) -> Vec<u8> {
    of_minutes(b"F/", minutes, hash.as_bytes())
}

/// A target of a scope, by its hash and the target's place.
pub(crate) fn target(minutes: &Minutes, hash: &str, index: u32) -> Vec<u8> {
    of_minutes(b"g/", minutes, &[hash.as_bytes(), &index.to_be_bytes()].concat())
}

/// How many targets of a scope are here before it is frozen.
pub(crate) fn staged(minutes: &Minutes, hash: &str) -> Vec<u8> {
    of_minutes(b"G/", minutes, hash.as_bytes())
}

pub(crate) fn delivery(delivery: &Delivery) -> Vec<u8> {
    of(b"p/", &delivery.organ, &[delivery.id.as_bytes()])
}

/// Places of the scope of minutes that have deliveries.
pub(crate) fn count_made(minutes: &Minutes) -> Vec<u8> {
    of_minutes(b"o/", minutes, b"")
}

/// Names of the deliveries of minutes, in the order of the scope.
pub(crate) fn by_minutes(minutes: &Minutes) -> Vec<u8> {
    of_minutes(b"h/", minutes, b"")
}

pub(crate) fn in_minutes(minutes: &Minutes, index: u32) -> Vec<u8> {
    of_minutes(b"h/", minutes, &index.to_be_bytes())
}

/// The delivery of minutes to a unit.
pub(crate) fn by_unit(minutes: &Minutes, unit: &str) -> Vec<u8> {
    of_minutes(b"j/", minutes, unit.as_bytes())
}

/// Names of deliveries of minutes that nobody has signed for.
pub(crate) fn silent_of(minutes: &Minutes) -> Vec<u8> {
    of_minutes(b"u/", minutes, b"")
}

pub(crate) fn silent_in(minutes: &Minutes, index: u32) -> Vec<u8> {
    of_minutes(b"u/", minutes, &index.to_be_bytes())
}

/// Names of an organ's deliveries that nobody has signed for, the oldest first.
pub(crate) fn silent(organ: &Organ) -> Vec<u8> {
    of(b"x/", organ, &[])
}

pub(crate) fn silent_at(delivery: &Delivery) -> Vec<u8> {
    of(b"x/", &delivery.organ, &[delivery.id.as_bytes()])
}

/// Names of what a unit has to fetch and sign for, the oldest first.
pub(crate) fn inbox(organ: &Organ, unit: &str) -> Vec<u8> {
    of(b"i/", organ, &[unit.as_bytes(), &[0]])
}

pub(crate) fn in_inbox(delivery: &Delivery, unit: &str) -> Vec<u8> {
    [inbox(&delivery.organ, unit), delivery.id.as_bytes().to_vec()].concat()
}

/// Names of deliveries that are to be sent, by when.
pub(crate) const DUE: &[u8] = b"q/";

pub(crate) fn due(milliseconds: i64, delivery: &Delivery) -> Vec<u8> {
    let at = u64::try_from(milliseconds).unwrap_or(0);
    [DUE, &at.to_be_bytes(), b"/", delivery.organ.id().as_bytes(), delivery.id.as_bytes()].concat()
}

/// How many deliveries of minutes are in a state.
pub(crate) fn count(minutes: &Minutes, state: u8) -> Vec<u8> {
    of_minutes(b"k/", minutes, &[state])
}

/// Receipts of a delivery, the oldest first.
pub(crate) fn receipts(delivery: &Delivery) -> Vec<u8> {
    of(b"r/", &delivery.organ, &[delivery.id.as_bytes(), b"/"])
}

pub(crate) fn receipt(delivery: &Delivery, version: u64) -> Vec<u8> {
    [receipts(delivery), version.to_be_bytes().to_vec()].concat()
}

/// Public keys that receipts were ever signed by.
pub(crate) const RECEIPT_KEYS: &[u8] = b"K/";

pub(crate) fn receipt_key(id: &str) -> Vec<u8> {
    [RECEIPT_KEYS, id.as_bytes()].concat()
}

/// By what way a unit gets deliveries.
pub(crate) fn address(organ: &Organ, unit: &str) -> Vec<u8> {
    of(b"w/", organ, &[unit.as_bytes()])
}

/// Numbered copies of minutes.
pub(crate) fn copies(minutes: &Minutes) -> Vec<u8> {
    of_minutes(b"y/", minutes, b"")
}

pub(crate) fn copy(minutes: &Minutes, number: &str) -> Vec<u8> {
    of_minutes(b"y/", minutes, number.as_bytes())
}

/// What is public, of all organs and of one, the newest first.
pub(crate) const ALL_PUBLISHED: &[u8] = b"P/";

pub(crate) fn published(organ: &Organ) -> Vec<u8> {
    of(b"Q/", organ, &[])
}

/// Places of public minutes in both.
pub(crate) fn published_places(minutes: &Minutes, date: &str) -> [Vec<u8>; 2] {
    let newest_first: Vec<u8> = date.bytes().map(|byte| 0xff - byte).collect();
    let tail = [&newest_first[..], minutes.organ.id().as_bytes(), b"/", minutes.id.as_bytes()].concat();
    [ALL_PUBLISHED.to_vec(), published(&minutes.organ)].map(|list| [list, tail.clone()].concat())
}

/// Public minutes by name.
pub(crate) fn published_at(minutes: &Minutes) -> Vec<u8> {
    of_minutes(b"R/", minutes, b"")
}

/// When withheld minutes are looked at again.
pub(crate) fn reassess(minutes: &Minutes) -> Vec<u8> {
    of_minutes(b"S/", minutes, b"")
}

/// Requests of an organ, the newest first.
pub(crate) fn requests(organ: &Organ) -> Vec<u8> {
    of(b"z/", organ, &[])
}

pub(crate) fn request(request: &DisclosureRequest) -> Vec<u8> {
    let newest_first: Vec<u8> = request.id.as_bytes().iter().map(|byte| 0xff - byte).collect();
    of(b"z/", &request.organ, &[&newest_first])
}
