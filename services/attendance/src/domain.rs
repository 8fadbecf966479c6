//! What attendance decides, and what its state shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{
    Context, Decided, Domain, Erasing, Lookup as _, Overlay, check_etag, decode_event, event, from_json,
    noted, to_json, unknown_event,
};
use jiyao_names::{Meeting as MeetingName, Minutes, Organ, ROLL, Seat as SeatName};
use jiyao_proto::attendance::v1::{self as api, Presence, Roll, RollEntry};
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::journal::v1::{Cursor, DirectoryChanged, QuorumSettled, RollStated};
use jiyao_proto::records::v1 as records;
use jiyao_proto::stored::v1::{Event, Noted, RollsStated};
use jiyao_rolls::{
    Actor, By, Capacity, Decision, Meeting, MeetingAct, MeetingEntry, Preview, RollRules, Seat, SeatAct,
    SeatContext, SeatEntry, Stage,
};
use jiyao_serve::{document_of, is_new, keep, put_listed};
use prost::Message as _;

use crate::documents::View as _;
use crate::keys::{self, Generation};
use crate::staging;

/// The journal of records, by name.
pub(crate) const RECORDS: &str = "records";
const ROLLS_STATED: &str = "rolls.stated";
const DIRECTORY_CHANGED: &str = "directory.changed";
const DIRECTORY_STAGED: &str = "directory.staged";
const DIRECTORY_SWEPT: &str = "directory.swept";
const ROLL_RULES_SET: &str = "roll_rules.set";
const MEETING_CREATED: &str = "meeting.created";
const MEETING_ACTED: &str = "meeting.acted";
const SEATS_ADDED: &str = "seats.added";
const SEATS_CHANGED: &str = "seats.changed";
const SEAT_ACTED: &str = "seat.acted";
const FINDING_DECIDED: &str = "roll_finding.decided";
/// Most seats of a meeting.
const MOST_SEATS: u32 = 5000;

pub(crate) struct AttendanceDomain;

pub(crate) enum Command {
    /// Take over the rolls that these minutes state.
    State {
        minutes: Vec<records::Minutes>,
        source: Cursor,
    },
    /// A table of entries, as it was held against a version of the directory.
    ChangeDirectory {
        organ: Organ,
        base: u64,
        found: Arc<Preview>,
        /// What it comes to, where that is more than one command may bring.
        staged: Option<Generation>,
    },
    /// A page of what a table comes to. Nobody sees it before all take effect.
    StageDirectory {
        organ: Organ,
        base: u64,
        generation: Generation,
        page: u32,
        entries: Vec<Vec<u8>>,
    },
    /// Some entries of generations that are not in force and never will be go.
    SweepDirectory {
        organ: Organ,
    },
    SetRules {
        organ: Organ,
        rules: Box<RollRules>,
    },
    Create {
        organ: Organ,
        meeting: Box<Meeting>,
    },
    AddSeats {
        meeting: MeetingName,
        seats: Vec<Seat>,
    },
    Meet {
        meeting: MeetingName,
        etag: u64,
        act: Box<MeetingAct>,
    },
    Hold {
        meeting: MeetingName,
        etag: u64,
        at: Option<i64>,
        overridden: Option<(String, String)>,
    },
    Sit {
        seat: SeatName,
        etag: u64,
        unit: String,
        is_office: bool,
        act: Box<SeatAct>,
    },
    DecideFinding {
        minutes: Minutes,
        finding: String,
        reason: String,
    },
}

fn stub(name: &impl ToString) -> Vec<u8> {
    api::Meeting { name: name.to_string(), ..api::Meeting::default() }.encode_to_vec()
}

impl Domain for AttendanceDomain {
    type Command = Command;
    const PROJECTION: u32 = 9;

    fn decide(&self, view: &Overlay<'_>, command: &Command, context: &mut Context<'_>) -> Result<Decided> {
        let (events, answer) = match command {
            Command::State { minutes, source } => {
                if !is_new(view, RECORDS, source)? {
                    return Ok(Decided::default());
                }
                let rolls = new_rolls(view, minutes, context.now.as_millisecond())?;
                if rolls.is_empty() {
                    return Ok(Decided::default());
                }
                let stated = RollsStated { rolls, source: Some(source.clone()), has_levels: true };
                (vec![event(ROLLS_STATED, 1, &stated)], Vec::new())
            }
            Command::ChangeDirectory { organ, base, found, staged } => {
                let (change, answer) = staging::change(view, organ, *base, found, staged.as_ref())?;
                let event = |(version, body, parts)| noted(DIRECTORY_CHANGED, organ, version, body, parts);
                (change.map(event).into_iter().collect(), answer)
            }
            Command::StageDirectory { organ, base, generation, page, entries } => {
                let (is_new, answer) = staging::page(view, organ, *base, generation, *page)?;
                let body = staging::page_body(*base, generation);
                let event = || noted(DIRECTORY_STAGED, organ, u64::from(*page), body, entries.clone());
                (is_new.then(event).into_iter().collect(), answer)
            }
            Command::SweepDirectory { organ } => {
                let swept = staging::to_sweep(view, organ)?;
                let event = |swept: Generation| noted(DIRECTORY_SWEPT, organ, 0, swept.to_vec(), Vec::new());
                let answer = if swept.is_some() { staging::TAKEN.to_vec() } else { Vec::new() };
                (swept.map(event).into_iter().collect(), answer)
            }
            Command::SetRules { organ, rules } => {
                (vec![noted(ROLL_RULES_SET, organ, 0, to_json(&**rules)?, Vec::new())], Vec::new())
            }
            Command::Create { organ, meeting } => create(view, organ, meeting, context)?,
            Command::AddSeats { meeting: name, seats } => add_seats(view, name, seats, context)?,
            Command::Meet { meeting: name, etag, act } => {
                let meeting = view.meeting(name, "name")?;
                check_etag(*etag, meeting.version)?;
                if let MeetingAct::SetAgenda { items } = &**act {
                    let seats = view.seats(name, &keys::seats(name))?.into_iter().map(|(_, seat)| seat);
                    meeting.check_agenda(items, &seats.collect::<Vec<_>>())?;
                }
                if let MeetingAct::LinkMinutes { minutes } = &**act {
                    let minutes = Minutes::parse(minutes, "minutes")?;
                    if minutes.organ != name.organ {
                        return Err(Fault::invalid("minutes", minutes));
                    }
                    let taken = view.get(&keys::meeting_of(&minutes))?;
                    if taken.is_some_and(|taken| taken != name.to_string().into_bytes()) {
                        return Err(Fault::invalid("minutes", minutes));
                    }
                }
                let (mut act, mut seated) = ((**act).clone(), Vec::new());
                if matches!(act, MeetingAct::RefreshMembers { .. }) {
                    (act, seated) = refreshed(view, name, &meeting)?;
                }
                let entry = meeting.decide(act, context.principal, context.now)?;
                seated.push(acted(name, &meeting, &entry)?);
                (seated, stub(name))
            }
            Command::Hold { meeting: name, etag, at, overridden } => {
                let meeting = view.meeting(name, "name")?;
                check_etag(*etag, meeting.version)?;
                let now = context.now.as_millisecond();
                let at = at.unwrap_or(now);
                if at > now {
                    return Err(Fault::invalid("at", at));
                }
                let rules = view.rules(&name.organ)?;
                let seats: Vec<Seat> =
                    view.seats(name, &keys::member_seats(name))?.into_iter().map(|(_, seat)| seat).collect();
                let directory = view.part(&name.organ, &meeting.looked_up(&rules))?;
                let changes = meeting.member_changes(&seats, &directory);
                let findings = changes.into_iter().map(|(code, about)| format!("{code} {about}")).collect();
                let mut result = meeting.count(rules.quorum(&meeting.kind), &seats, at, now);
                if result.outcome() == "NOT_MET" {
                    result.overridden.clone_from(overridden);
                }
                let entry =
                    meeting.decide(MeetingAct::Hold { result, findings }, context.principal, context.now)?;
                (vec![acted(name, &meeting, &entry)?], stub(name))
            }
            Command::Sit { seat: name, etag, unit, is_office, act } => {
                let (seat, _) = view.seat(name, "name")?;
                check_etag(*etag, seat.version)?;
                let meeting = view.meeting(&name.meeting, "name")?;
                let rules = view.rules(&name.meeting.organ)?;
                let actor =
                    Actor { name: context.principal.to_owned(), unit: unit.clone(), is_office: *is_office };
                if let SeatAct::DecideLeave { post, .. } | SeatAct::DecideSubstitute { post, .. } = &**act {
                    let directory = view.part(&name.meeting.organ, &[By::PostTitle(post)])?;
                    meeting.check_holder(&directory, post, context.principal)?;
                }
                let known = SeatContext { actor: &actor, now: context.now, meeting: &meeting, rules: &rules };
                let entry = seat.decide((**act).clone(), &known)?;
                let answer = api::Seat { name: name.to_string(), ..api::Seat::default() };
                let mut orders = Vec::new();
                if let SeatAct::Move { order } = &entry.act {
                    let seats = view.seats(&name.meeting, &keys::seats(&name.meeting))?;
                    let seats: Vec<_> = seats.into_iter().map(|(name, seat)| (name.number, seat)).collect();
                    for one in jiyao_rolls::moved(&seats, name.number, *order) {
                        orders.push(to_json(&one)?);
                    }
                }
                let happened = noted(SEAT_ACTED, name, seat.version + 1, to_json(&entry)?, orders);
                let mut after = seat;
                after.apply(entry);
                context.tell(jiyao_wire::seat_to(&name.to_string(), &after).encode_to_vec());
                (vec![happened], answer.encode_to_vec())
            }
            Command::DecideFinding { minutes, finding, reason } => {
                let found = view.checked(minutes, &view.roll(minutes, "minutes")?)?.agreement.findings;
                let found = found.iter().find(|found| found.key() == *finding);
                let found = found.ok_or_else(|| Fault::invalid("finding", finding))?;
                let decision = Decision {
                    finding: finding.clone(),
                    reason: reason.clone(),
                    actor: context.principal.to_owned(),
                };
                let answer = jiyao_wire::roll_finding_to(found, Some(&decision)).encode_to_vec();
                (vec![noted(FINDING_DECIDED, minutes, 0, to_json(&decision)?, Vec::new())], answer)
            }
        };
        Ok(Decided { events, answer })
    }

    fn apply(&self, view: &mut Overlay<'_>, event: &Event, sequence: u64) -> Result<()> {
        if event.r#type == ROLLS_STATED {
            return show_rolls(view, event);
        }
        let Noted { of, version, body, parts, .. } = known(event)?;
        match event.r#type.as_str() {
            DIRECTORY_CHANGED => {
                staging::show_change(view, &Organ::parse(&of, "of")?, (version, sequence), &body, parts)?;
            }
            DIRECTORY_STAGED => {
                let page = u32::try_from(version).map_err(Fault::internal)?;
                staging::show_page(view, &Organ::parse(&of, "of")?, (page, sequence), &body, parts)?;
            }
            DIRECTORY_SWEPT => staging::show_sweep(view, &Organ::parse(&of, "of")?, &body)?,
            ROLL_RULES_SET => view.put(keys::rules(&Organ::parse(&of, "of")?), body),
            MEETING_CREATED => {
                let name = MeetingName::parse(&of, "of")?;
                let meeting: Meeting = from_json(&body)?;
                let day = keys::day_of(&name, &meeting.date.to_string());
                view.put(day, of.into_bytes());
                view.put(keys::meeting(&name), body);
                show_seats(view, &name, 1, parts)?;
            }
            MEETING_ACTED => {
                let name = MeetingName::parse(&of, "of")?;
                let mut meeting = view.meeting(&name, "of")?;
                if let Ok(minutes) = Minutes::parse(&meeting.minutes, "minutes") {
                    view.remove(keys::meeting_of(&minutes));
                }
                meeting.apply(from_json::<MeetingEntry>(&body)?);
                if let Ok(minutes) = Minutes::parse(&meeting.minutes, "minutes") {
                    view.put(keys::meeting_of(&minutes), of.into_bytes());
                }
                view.put(keys::meeting(&name), to_json(&meeting)?);
            }
            SEATS_ADDED => {
                let first = u32::try_from(version).map_err(Fault::internal)?;
                show_seats(view, &MeetingName::parse(&of, "of")?, first, parts)?;
            }
            SEATS_CHANGED => {
                let meeting = MeetingName::parse(&of, "of")?;
                for (number, seat) in from_json::<Vec<(u32, Option<Seat>)>>(&body)? {
                    let name = SeatName { meeting: meeting.clone(), number };
                    let (_, key) = view.seat(&name, "of")?;
                    view.remove(key);
                    if let Some(seat) = seat {
                        let is_member = seat.capacity == Capacity::Member;
                        view.put(keys::seat(&name, is_member), to_json(&seat)?);
                    }
                }
            }
            SEAT_ACTED => {
                let name = SeatName::parse(&of, "of")?;
                let (mut seat, key) = view.seat(&name, "of")?;
                seat.apply(from_json::<SeatEntry>(&body)?);
                view.put(key, to_json(&seat)?);
                for part in parts {
                    let (number, order) = from_json(&part)?;
                    let other = SeatName { meeting: name.meeting.clone(), number };
                    let (mut seat, key) = view.seat(&other, "of")?;
                    seat.order = order;
                    view.put(key, to_json(&seat)?);
                }
            }
            _ => {
                let decision: Decision = from_json(&body)?;
                view.put(keys::decision(&Minutes::parse(&of, "of")?, &decision.finding), body);
            }
        }
        Ok(())
    }

    fn public(&self, event: &Event) -> Result<Vec<Kind>> {
        if event.r#type == ROLLS_STATED {
            let rolls = decode_event::<RollsStated>(event)?.rolls.into_iter();
            let stated = |roll: Roll| RollStated { minutes: roll.minutes, revision: roll.revision };
            return Ok(rolls.map(stated).map(Kind::RollStated).collect());
        }
        let Noted { of, version, parts, .. } = known(event)?;
        Ok(match event.r#type.as_str() {
            DIRECTORY_CHANGED => vec![Kind::DirectoryChanged(DirectoryChanged { organ: of, version })],
            // The event has the outcome where both are known: the meeting was held, and its minutes are linked.
            MEETING_ACTED => {
                let settled = |part: Vec<u8>| {
                    let (minutes, outcome): (String, String) = from_json(&part)?;
                    Ok(Kind::QuorumSettled(QuorumSettled { minutes, meeting: of.clone(), outcome }))
                };
                parts.into_iter().map(settled).collect::<Result<_>>()?
            }
            _ => Vec::new(),
        })
    }

    fn may_erase(&self, view: &Overlay<'_>, minutes: &str) -> Result<()> {
        view.roll(&Minutes::parse(minutes, "minutes")?, "minutes").map(drop)
    }

    /// Of a roll that it was stated remains; the meeting and who signed in there are no content of minutes.
    fn erased(&self, of: &Event, erasing: &mut Erasing) -> Result<Option<Vec<Event>>> {
        let is_one = |minutes: &str| minutes == erasing.minutes;
        match of.r#type.as_str() {
            ROLLS_STATED => {
                let RollsStated { mut rolls, source, has_levels } = decode_event(of)?;
                if !rolls.iter().any(|roll| is_one(&roll.minutes)) {
                    return Ok(None);
                }
                for roll in rolls.iter_mut().filter(|roll| is_one(&roll.minutes)) {
                    *roll = without_content(std::mem::take(roll));
                }
                Ok(Some(vec![event(ROLLS_STATED, 1, &RollsStated { rolls, source, has_levels })]))
            }
            FINDING_DECIDED if is_one(&decode_event::<Noted>(of)?.of) => Ok(Some(Vec::new())),
            _ => Ok(None),
        }
    }
}

/// The body of an event that is known here.
fn known(event: &Event) -> Result<Noted> {
    let kinds = [
        DIRECTORY_CHANGED,
        DIRECTORY_STAGED,
        DIRECTORY_SWEPT,
        ROLL_RULES_SET,
        MEETING_CREATED,
        MEETING_ACTED,
        SEATS_ADDED,
        SEATS_CHANGED,
        SEAT_ACTED,
        FINDING_DECIDED,
    ];
    if event.version == 1 && kinds.contains(&event.r#type.as_str()) {
        return decode_event(event);
    }
    Err(unknown_event(event))
}

/// An act on a meeting; with it, once the meeting was held and its minutes are known, those and the outcome.
fn acted(name: &MeetingName, meeting: &Meeting, entry: &MeetingEntry) -> Result<Event> {
    let mut after = meeting.clone();
    after.apply(entry.clone());
    let mut settled = Vec::new();
    if let Some(quorum) = after.quorum.as_ref().filter(|_| after.stage == Stage::Held) {
        // Those that were linked by mistake have no quorum of it.
        if !meeting.minutes.is_empty() && meeting.minutes != after.minutes {
            settled.push(to_json(&(&meeting.minutes, "UNKNOWN"))?);
        }
        if !after.minutes.is_empty() {
            settled.push(to_json(&(&after.minutes, quorum.outcome()))?);
        }
    }
    Ok(noted(MEETING_ACTED, name, after.version, to_json(entry)?, settled))
}

fn create(
    view: &Overlay<'_>,
    organ: &Organ,
    meeting: &Meeting,
    context: &mut Context<'_>,
) -> Result<(Vec<Event>, Vec<u8>)> {
    meeting.check()?;
    let name = MeetingName { organ: organ.clone(), id: context.new_id() };
    let rules = view.rules(organ)?;
    let (seats, findings) = meeting.members_of(&view.part(organ, &meeting.looked_up(&rules))?, &rules);
    let meeting = Meeting { name: name.to_string(), findings, ..meeting.clone() };
    let parts = seats.iter().map(to_json).collect::<Result<_>>()?;
    Ok((vec![noted(MEETING_CREATED, &name, 0, to_json(&meeting)?, parts)], stub(&name)))
}

fn seat_count(view: &Overlay<'_>, name: &MeetingName) -> Result<u32> {
    let kept = view.get(&keys::seat_count(name))?;
    Ok(kept.and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes))
}

fn add_seats(
    view: &Overlay<'_>,
    name: &MeetingName,
    seats: &[Seat],
    context: &mut Context<'_>,
) -> Result<(Vec<Event>, Vec<u8>)> {
    let meeting = view.meeting(name, "parent")?;
    if meeting.stage == Stage::Held {
        return Err(Fault::new(Reason::StateForbids).with("state", "HELD").with("act", "ADD_SEATS"));
    }
    let count = seat_count(view, name)?;
    let total = count.saturating_add(u32::try_from(seats.len()).unwrap_or(u32::MAX));
    if total > MOST_SEATS {
        return Err(Fault::invalid("seats", format!("{total} seats, more than {MOST_SEATS}")));
    }
    let (mut parts, mut added) = (Vec::new(), Vec::new());
    let of = |seat: &Seat| (seat.person.clone(), seat.unit.clone());
    let there = view.seats(name, &keys::seats(name))?;
    let members = there.iter().filter(|(_, seat)| seat.capacity == Capacity::Member);
    let members: BTreeSet<String> = members.map(|(_, seat)| seat.person.clone()).collect();
    let mut known: BTreeSet<_> = there.iter().map(|(_, seat)| of(seat)).collect();
    for (at, (order, seat)) in (count + 1..).zip(seats).enumerate() {
        meeting.admits(seat, &format!("seats[{at}]"))?;
        // Twice at a meeting, somebody could be signed in twice.
        let is_member = members.contains(&seat.person) && seat.unit.is_empty();
        if !seat.person.is_empty() && (is_member || !known.insert(of(seat))) {
            return Err(Fault::invalid(&format!("seats[{at}].person"), &seat.person));
        }
        let seat = Seat { order, ..seat.clone() };
        parts.push(to_json(&seat)?);
        let name = SeatName { meeting: name.clone(), number: order };
        added.push(jiyao_wire::seat_to(&name.to_string(), &seat));
    }
    let names = added.iter().map(|seat| api::Seat { name: seat.name.clone(), ..api::Seat::default() });
    let answer = api::AddSeatsRequest { seats: names.collect(), ..api::AddSeatsRequest::default() };
    context.tell(api::AddSeatsRequest { seats: added, ..api::AddSeatsRequest::default() }.encode_to_vec());
    Ok((vec![noted(SEATS_ADDED, name, u64::from(count + 1), Vec::new(), parts)], answer.encode_to_vec()))
}

/// The members of a meeting as the directory has them now: what that does to its seats, and the act that says so.
fn refreshed(view: &Overlay<'_>, name: &MeetingName, meeting: &Meeting) -> Result<(MeetingAct, Vec<Event>)> {
    let all = view.seats(name, &keys::seats(name))?;
    let rules = view.rules(&name.organ)?;
    let (wanted, findings) = meeting.members_of(&view.part(&name.organ, &meeting.looked_up(&rules))?, &rules);
    let is_member = |seat: &Seat| seat.capacity == Capacity::Member;
    let (mut changed, mut added, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    let mut last = 0;
    for (name, seat) in all.iter().filter(|(_, seat)| is_member(seat)) {
        let after = seat.refreshed(wanted.iter().find(|member| member.person_id == seat.person_id));
        match &after {
            Some(after) if is_member(after) => last = last.max(after.order),
            _ => removed.push(seat.person.clone()),
        }
        if after.as_ref() != Some(seat) {
            changed.push((name.number, after));
        }
    }
    // Behind those that stay, and nobody twice: whoever was asked otherwise becomes a member where they are.
    let mut new = Vec::new();
    for member in &wanted {
        if all.iter().any(|(_, seat)| is_member(seat) && seat.person_id == member.person_id) {
            continue;
        }
        last += 1;
        added.push(member.person.clone());
        let other = all.iter().find(|(_, seat)| !is_member(seat) && seat.is_of_person(member));
        match other {
            Some((name, seat)) => changed.push((name.number, Some(seat.promoted(member, last)))),
            None => new.push(to_json(&Seat { order: last, ..member.clone() })?),
        }
    }
    let mut events = Vec::new();
    if !changed.is_empty() {
        events.push(noted(SEATS_CHANGED, name, 0, to_json(&changed)?, Vec::new()));
    }
    if !new.is_empty() {
        events.push(noted(SEATS_ADDED, name, u64::from(seat_count(view, name)? + 1), Vec::new(), new));
    }
    let act = MeetingAct::RefreshMembers { added, removed, findings };
    Ok((act, events))
}

fn show_seats(view: &mut Overlay<'_>, meeting: &MeetingName, first: u32, parts: Vec<Vec<u8>>) -> Result<()> {
    let mut count = first - 1;
    for (number, part) in (first..).zip(parts) {
        let is_member = from_json::<Seat>(&part)?.capacity == Capacity::Member;
        view.put(keys::seat(&SeatName { meeting: meeting.clone(), number }, is_member), part);
        count = number;
    }
    view.put(keys::seat_count(meeting), count.to_be_bytes().to_vec());
    Ok(())
}

fn show_rolls(view: &mut Overlay<'_>, event: &Event) -> Result<()> {
    let RollsStated { rolls, source, has_levels } = decode_event(event)?;
    for roll in rolls {
        let minutes = Minutes::parse(&roll.minutes, "roll.minutes")?;
        let before = view.get(&document_of(&minutes))?;
        let before = before.map(|roll| Roll::decode(roll.as_slice())).transpose().map_err(Fault::internal)?;
        view.put(document_of(&minutes), roll.encode_to_vec());
        let short = Roll { entries: Vec::new(), ..roll };
        let date = before.as_ref().map(|roll| roll.meeting_date.as_str());
        put_listed(view, &minutes, date, &short.meeting_date, &short.encode_to_vec());
    }
    // Rolls from before levels were taken over are fetched once more: their minutes may have one.
    if has_levels {
        keep(view, RECORDS, &source.unwrap_or_default());
    }
    Ok(())
}

/// Of a roll that it was stated, by minutes of which meeting, and who may see it.
fn without_content(roll: Roll) -> Roll {
    let Roll { name, minutes, revision, meeting_date, meeting_kind, create_time, classified, .. } = roll;
    Roll { name, minutes, revision, meeting_date, meeting_kind, create_time, classified, ..Roll::default() }
}

/// The rolls that minutes state, without those that are known as they are.
fn new_rolls(view: &Overlay<'_>, minutes: &[records::Minutes], now: i64) -> Result<Vec<Roll>> {
    let mut rolls: Vec<Roll> = Vec::new();
    for minutes in minutes {
        let stated = roll(minutes, now);
        rolls.retain(|other| other.minutes != stated.minutes);
        let name = Minutes::parse(&stated.minutes, "minutes")?;
        // What was erased does not come in again.
        let stated = if view.is_erased(&stated.minutes)? { without_content(stated) } else { stated };
        let known = match view.roll(&name, "minutes") {
            Ok(roll) => Some(roll),
            Err(fault) if fault.reason() == Reason::NotStated => None,
            Err(fault) => return Err(fault),
        };
        let is_known = known.is_some_and(|known| Roll { create_time: stated.create_time, ..known } == stated);
        if !is_known {
            rolls.push(stated);
        }
    }
    Ok(rolls)
}

fn roll(minutes: &records::Minutes, now: i64) -> Roll {
    let facts = minutes.facts.as_ref().map(jiyao_wire::facts_from).unwrap_or_default();
    let doubted: BTreeSet<&str> = minutes
        .doubts
        .iter()
        .flat_map(|doubt| &doubt.paths)
        .filter_map(|path| path.find(']').map(|end| &path[..=end]))
        .collect();
    let mut counts = [0; 4];
    let entries: Vec<RollEntry> = jiyao_rolls::stated(&facts)
        .into_iter()
        .map(|entry| {
            let (presence, list) = match entry.presence {
                jiyao_rolls::Presence::Present => (Presence::Present, "present"),
                jiyao_rolls::Presence::Observer => (Presence::Observer, "observers"),
                jiyao_rolls::Presence::Absent => (Presence::Absent, "absent"),
                jiyao_rolls::Presence::Recorder => (Presence::Recorder, "recorders"),
            };
            let index = &mut counts[entry.presence as usize];
            let path = format!("{list}[{index}]");
            *index += 1;
            let doubted = doubted.contains(path.as_str());
            RollEntry { presence: presence.into(), unit: entry.unit, person: entry.person, doubted }
        })
        .collect();
    let count = |presence: Presence| {
        u32::try_from(entries.iter().filter(|entry| entry.presence() == presence).count()).unwrap_or(u32::MAX)
    };
    Roll {
        name: format!("{}/{ROLL}", minutes.name),
        minutes: minutes.name.clone(),
        revision: minutes.revision,
        meeting_date: facts.meeting.date.map(|date| date.value.into()).unwrap_or_default(),
        meeting_kind: facts.meeting.kind.map(|kind| kind.value.into()).unwrap_or_default(),
        chair: facts.meeting.chair.map(|chair| chair.value.into()).unwrap_or_default(),
        present: count(Presence::Present),
        observers: count(Presence::Observer),
        absent: count(Presence::Absent),
        create_time: Some(jiyao_wire::timestamp(now)),
        entries,
        // A level that this program does not know is one all the same.
        classified: minutes.life.as_ref().is_some_and(|life| life.secrecy.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_in_the_room_is_doubted_where_the_reader_doubts() {
        let fact = |value: &str| Some(records::Fact { value: value.to_owned(), ..Default::default() });
        let attendee = |name: &str| records::Attendee { unit: None, name: fact(name) };
        let doubt = |path: &str| records::Doubt { paths: vec![path.to_owned()], ..Default::default() };
        let facts = records::Facts {
            present: vec![attendee("章树声"), attendee("白若溪")],
            observers: vec![attendee("何一舟"), attendee("陆远山")],
            ..Default::default()
        };
        let minutes = records::Minutes {
            facts: Some(facts),
            doubts: vec![
                doubt("present[1].name"),
                doubt("observers[0].unit"),
                doubt("items[0].decisions[0].text"),
            ],
            ..Default::default()
        };
        let roll = roll(&minutes, 0);
        let doubted: Vec<_> =
            roll.entries.iter().filter(|entry| entry.doubted).map(|entry| &entry.person).collect();
        assert_eq!(doubted, ["白若溪", "何一舟"]);
    }
}
