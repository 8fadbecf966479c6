//! Where directory, meetings, seats and decisions lie in the state; rolls and their lists lie where `jiyao-serve` says.

use jiyao_names::{Meeting, Minutes, Organ, Seat};
use jiyao_rolls::By;

/// A whole state of a directory: small changes are made in it, a large one is staged as another that takes its place.
/// The first has none but zeros; another is named by the digest of what was staged.
pub(crate) type Generation = [u8; 16];

fn of(prefix: &[u8], organ: &Organ, tail: &[&[u8]]) -> Vec<u8> {
    [&[prefix, organ.id().as_bytes(), b"/"], tail].concat().concat()
}

/// Entries of a generation of a directory, by their key.
pub(crate) fn entries(organ: &Organ, generation: &Generation) -> Vec<u8> {
    of(b"d/", organ, &[generation, b"/"])
}

/// Keys of entries that are found by something.
pub(crate) fn found_by(organ: &Organ, generation: &Generation, by: &By<'_>) -> Vec<u8> {
    found_at(organ, generation, &by.place())
}

/// The same, by its place in the index.
pub(crate) fn found_at(organ: &Organ, generation: &Generation, place: &str) -> Vec<u8> {
    of(b"j/", organ, &[generation, b"/", place.as_bytes(), b"\0"])
}

/// The generation in force.
pub(crate) fn generation(organ: &Organ) -> Vec<u8> {
    of(b"c/", organ, &[])
}

/// Generations that were staged and are still there.
pub(crate) fn generations(organ: &Organ) -> Vec<u8> {
    of(b"e/", organ, &[])
}

/// One of them.
pub(crate) fn staged(organ: &Organ, generation: &Generation) -> Vec<u8> {
    of(b"e/", organ, &[generation])
}

/// Sequence of the record that holds a page of what was staged.
pub(crate) fn staged_page(organ: &Organ, generation: &Generation, page: u32) -> Vec<u8> {
    of(b"q/", organ, &[generation, &page.to_be_bytes()])
}

/// How often a directory was changed.
pub(crate) fn directory_version(organ: &Organ) -> Vec<u8> {
    of(b"v/", organ, &[])
}

/// Sequence of the record that holds a change of a directory, or the generation that it put in force.
pub(crate) fn directory_change(organ: &Organ, version: u64) -> Vec<u8> {
    of(b"w/", organ, &[&version.to_be_bytes()])
}

/// An organ's rules.
pub(crate) fn rules(organ: &Organ) -> Vec<u8> {
    of(b"f/", organ, &[])
}

/// A meeting.
pub(crate) fn meeting(meeting: &Meeting) -> Vec<u8> {
    of(b"g/", &meeting.organ, &[meeting.id.as_bytes()])
}

/// Names of meetings, the newest day first.
pub(crate) fn by_day(organ: &Organ) -> Vec<u8> {
    of(b"h/", organ, &[])
}

/// Those of one day.
pub(crate) fn on_day(organ: &Organ, date: &str) -> Vec<u8> {
    let newest_first: Vec<u8> = date.bytes().map(|byte| 0xff - byte).collect();
    [by_day(organ), newest_first].concat()
}

/// A meeting's place among them.
pub(crate) fn day_of(meeting: &Meeting, date: &str) -> Vec<u8> {
    [on_day(&meeting.organ, date), meeting.id.as_bytes().to_vec()].concat()
}

/// Seats of a meeting; members first.
pub(crate) fn seats(meeting: &Meeting) -> Vec<u8> {
    of(b"z/", &meeting.organ, &[meeting.id.as_bytes(), b"/"])
}

/// Seats of its members.
pub(crate) fn member_seats(meeting: &Meeting) -> Vec<u8> {
    [seats(meeting), b"0".to_vec()].concat()
}

/// A seat: that of a member, or of another.
pub(crate) fn seat(seat: &Seat, is_member: bool) -> Vec<u8> {
    let part: &[u8] = if is_member { b"0" } else { b"1" };
    [&seats(&seat.meeting)[..], part, &seat.number.to_be_bytes()].concat()
}

/// How many seats a meeting has.
pub(crate) fn seat_count(meeting: &Meeting) -> Vec<u8> {
    of(b"y/", &meeting.organ, &[meeting.id.as_bytes()])
}

/// The meeting of minutes.
pub(crate) fn meeting_of(minutes: &Minutes) -> Vec<u8> {
    of(b"x/", &minutes.organ, &[minutes.id.as_bytes()])
}

/// What was decided on a finding of a roll.
pub(crate) fn decision(minutes: &Minutes, finding: &str) -> Vec<u8> {
    of(b"n/", &minutes.organ, &[minutes.id.as_bytes(), finding.as_bytes()])
}
