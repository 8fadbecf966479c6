//! What lies in the state, decoded.

use std::collections::BTreeMap;

use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Lookup, from_json};
use jiyao_names::{Meeting as MeetingName, Minutes, Organ, Seat as SeatName};
use jiyao_proto::attendance::v1::{self as api, Roll};
use jiyao_rolls::{
    Agreement, By, Decision, Directory, Entry, Meeting, Presence, RollRules, Seat, Stated, Tenure, check,
    looked_up,
};
use jiyao_serve::{CLEARED, Principal, document_of};
use prost::Message as _;

use crate::keys::{self, Generation};
use crate::staging::Staged;

/// The stated roll of minutes, held against what is known.
pub(crate) struct Checked {
    pub(crate) agreement: Agreement,
    pub(crate) entries: usize,
    pub(crate) decisions: BTreeMap<String, Decision>,
    pub(crate) meeting: String,
}

fn not_stated(minutes: &Minutes, field: &str) -> Fault {
    Fault::new(Reason::NotStated).at(field).with("minutes", minutes)
}

/// Whether somebody may see a roll: that of minutes with a 密级 is for those who make, decide and keep them.
pub(crate) fn is_seen(roll: &Roll, principal: &Principal) -> bool {
    !roll.classified || principal.is_any(CLEARED)
}

/// The documents of this service.
pub(crate) trait View: Lookup {
    /// An organ's rules, or the usual ones.
    fn rules(&self, organ: &Organ) -> Result<RollRules> {
        self.value(&keys::rules(organ))?.map_or_else(|| Ok(RollRules::default()), |kept| from_json(&kept))
    }

    /// How often a directory was changed.
    fn directory_version(&self, organ: &Organ) -> Result<u64> {
        let kept = self.value(&keys::directory_version(organ))?;
        Ok(kept.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes))
    }

    /// The generation of a directory that is in force.
    fn generation(&self, organ: &Organ) -> Result<Generation> {
        let kept = self.value(&keys::generation(organ))?;
        Ok(kept.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default())
    }

    /// What is known of a generation that was staged and is not in force.
    fn staged(&self, organ: &Organ, generation: &Generation) -> Result<Option<Staged>> {
        self.value(&keys::staged(organ, generation))?.map(|kept| Staged::decode(&kept)).transpose()
    }

    /// As much of a directory as is found by what is wanted: of a post all its entries, its tenures and who has them.
    fn part(&self, organ: &Organ, wanted: &[By<'_>]) -> Result<Directory> {
        let generation = self.generation(organ)?;
        let mut part = Directory::default();
        for by in wanted {
            for key in self.found(organ, &generation, by)? {
                match self.entry(organ, &generation, &key)? {
                    Some(Entry::Post(post)) => self.add_post(organ, &generation, &post.id, &mut part)?,
                    Some(Entry::Tenure(tenure)) => {
                        self.add_post(organ, &generation, &tenure.post, &mut part)?;
                    }
                    Some(entry) => part.put(entry),
                    None => return Err(Fault::internal("the index of a directory names what is not there")),
                }
            }
        }
        Ok(part)
    }

    /// Keys of the entries that are found by something.
    fn found(&self, organ: &Organ, generation: &Generation, by: &By<'_>) -> Result<Vec<String>> {
        let place = keys::found_by(organ, generation, by);
        let key = |(key, _): (Vec<u8>, Vec<u8>)| {
            String::from_utf8(key[place.len()..].to_vec()).map_err(Fault::internal)
        };
        self.under(&place)?.into_iter().map(key).collect()
    }

    /// An entry by its key.
    fn entry(&self, organ: &Organ, generation: &Generation, key: &str) -> Result<Option<Entry>> {
        let kept = self.value(&[&keys::entries(organ, generation)[..], key.as_bytes()].concat())?;
        kept.map(|kept| from_json(&kept)).transpose()
    }

    /// Adds a post: all its entries, its tenures and who has them.
    fn add_post(&self, organ: &Organ, generation: &Generation, post: &str, to: &mut Directory) -> Result<()> {
        if to.entries_of(post).next().is_some() {
            return Ok(());
        }
        let entries = keys::entries(organ, generation);
        for keys in [Entry::post_keys(post), Entry::tenure_keys(post)] {
            for (_, kept) in self.under(&[&entries[..], keys.as_bytes()].concat())? {
                let entry = from_json(&kept)?;
                if let Entry::Tenure(tenure) = &entry {
                    self.add_person(organ, generation, &tenure.person, to)?;
                }
                to.put(entry);
            }
        }
        Ok(())
    }

    /// Adds somebody.
    fn add_person(&self, organ: &Organ, generation: &Generation, id: &str, to: &mut Directory) -> Result<()> {
        if !to.people.contains_key(id)
            && let Some(person) = self.entry(organ, generation, &Entry::person_key(id))?
        {
            to.put(person);
        }
        Ok(())
    }

    /// What a tenure names: all entries of the post, and who has it.
    fn named_by(&self, organ: &Organ, generation: &Generation, tenure: &Tenure) -> Result<Directory> {
        let mut part = Directory::default();
        let post =
            [&keys::entries(organ, generation)[..], Entry::post_keys(&tenure.post).as_bytes()].concat();
        for (_, kept) in self.under(&post)? {
            part.put(from_json(&kept)?);
        }
        self.add_person(organ, generation, &tenure.person, &mut part)?;
        Ok(part)
    }

    /// An organisation and all that ever took its place.
    fn lineage(&self, organ: &Organ, id: &str) -> Result<Directory> {
        let generation = self.generation(organ)?;
        let (mut part, mut open) = (Directory::default(), vec![id.to_owned()]);
        while let Some(id) = open.pop() {
            if part.units.contains_key(&id) {
                continue;
            }
            if let Some(Entry::Unit(unit)) = self.entry(organ, &generation, &Entry::unit_key(&id))? {
                open.extend(unit.successors.iter().cloned());
                part.put(Entry::Unit(unit));
            }
        }
        Ok(part)
    }

    /// A meeting; without it the field is blamed.
    fn meeting(&self, name: &MeetingName, field: &str) -> Result<Meeting> {
        let missing = || Fault::new(Reason::MeetingNotFound).at(field).with("meeting", name);
        from_json(&self.value(&keys::meeting(name))?.ok_or_else(missing)?)
    }

    /// Whether somebody may see a meeting: that of minutes with a 密级 is for those who may see their roll.
    fn sees_meeting(&self, principal: &Principal, meeting: &Meeting) -> Result<bool> {
        let Ok(minutes) = Minutes::parse(&meeting.minutes, "minutes") else { return Ok(true) };
        if principal.is_any(CLEARED) {
            return Ok(true);
        }
        match self.roll(&minutes, "minutes") {
            Ok(roll) => Ok(is_seen(&roll, principal)),
            Err(fault) if fault.reason() == Reason::NotStated => Ok(true),
            Err(fault) => Err(fault),
        }
    }

    /// A meeting that somebody may see; else it looks as if it were not there.
    fn seen_meeting(&self, principal: &Principal, name: &MeetingName, field: &str) -> Result<Meeting> {
        let meeting = self.meeting(name, field)?;
        if self.sees_meeting(principal, &meeting)? {
            return Ok(meeting);
        }
        Err(Fault::new(Reason::MeetingNotFound).at(field).with("meeting", name))
    }

    /// A seat, and the key that it lies under.
    fn seat(&self, name: &SeatName, field: &str) -> Result<(Seat, Vec<u8>)> {
        for is_member in [true, false] {
            let key = keys::seat(name, is_member);
            if let Some(kept) = self.value(&key)? {
                return Ok((from_json(&kept)?, key));
            }
        }
        Err(Fault::new(Reason::SeatNotFound).at(field).with("seat", name))
    }

    /// Seats under a prefix with their names, in the printed order.
    fn seats(&self, meeting: &MeetingName, prefix: &[u8]) -> Result<Vec<(SeatName, Seat)>> {
        let mut found = Vec::new();
        for (key, value) in self.under(prefix)? {
            let number = key.last_chunk().copied().map_or(0, u32::from_be_bytes);
            found.push((SeatName { meeting: meeting.clone(), number }, from_json::<Seat>(&value)?));
        }
        found.sort_by_key(|(name, seat)| (seat.capacity, seat.order, name.number));
        Ok(found)
    }

    /// The roll that minutes state, held against the directory and, where it is linked, the meeting.
    fn checked(&self, minutes: &Minutes, roll: &Roll) -> Result<Checked> {
        let stated: Vec<Stated> = roll
            .entries
            .iter()
            .map(|entry| Stated {
                presence: match entry.presence() {
                    api::Presence::Present | api::Presence::Unspecified => Presence::Present,
                    api::Presence::Observer => Presence::Observer,
                    api::Presence::Absent => Presence::Absent,
                    api::Presence::Recorder => Presence::Recorder,
                },
                unit: entry.unit.clone(),
                person: entry.person.clone(),
            })
            .collect();
        let linked = self.value(&keys::meeting_of(minutes))?;
        let meeting = linked.map(|name| String::from_utf8_lossy(&name).into_owned()).unwrap_or_default();
        let held = match meeting.as_str() {
            "" => None,
            name => {
                let name = MeetingName::parse(name, "meeting")?;
                let seats = self.seats(&name, &keys::seats(&name))?;
                Some((
                    self.meeting(&name, "meeting")?,
                    seats.into_iter().map(|(_, seat)| seat).collect::<Vec<_>>(),
                ))
            }
        };
        let day =
            held.as_ref().map(|(meeting, _)| meeting.date).or(jiyao_calendar::parse_iso(&roll.meeting_date));
        let kind = held.as_ref().map_or(roll.meeting_kind.as_str(), |(meeting, _)| meeting.kind.as_str());
        let seats = held.as_ref().map_or(&[][..], |(_, seats)| seats);
        let directory = self.part(&minutes.organ, &looked_up(&stated, kind, seats))?;
        let room = held.as_ref().map(|(meeting, seats)| (meeting, seats.as_slice()));
        let mut decisions = BTreeMap::new();
        for (_, value) in self.under(&keys::decision(minutes, ""))? {
            let decision: Decision = from_json(&value)?;
            decisions.insert(decision.finding.clone(), decision);
        }
        let agreement = check(&stated, kind, day, &directory, room);
        Ok(Checked { agreement, entries: stated.len(), decisions, meeting })
    }

    /// The roll that minutes state, where somebody may see it; else it looks as if it were not there.
    fn seen_roll(&self, principal: &Principal, minutes: &Minutes, field: &str) -> Result<Roll> {
        let roll = self.roll(minutes, field)?;
        if is_seen(&roll, principal) { Ok(roll) } else { Err(not_stated(minutes, field)) }
    }

    /// The roll that minutes state.
    fn roll(&self, minutes: &Minutes, field: &str) -> Result<Roll> {
        let found = self.value(&document_of(minutes))?.ok_or_else(|| not_stated(minutes, field))?;
        Roll::decode(found.as_slice()).map_err(Fault::internal)
    }
}

impl<L: Lookup> View for L {}
