//! The roll that minutes state, held against the directory of the day and against who signed in: agreement, and each
//! difference as a finding for a person to decide.

use jiyao_calendar::Date;
use serde::{Deserialize, Serialize};

use crate::directory::{By, Directory, plain};
use crate::meeting::Meeting;
use crate::seat::{Capacity, Seat, Shown};
use crate::stated::{Presence, Stated};

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FindingCode {
    /// The directory knows nobody of the name.
    PersonUnknown,
    /// It knows more than one.
    PersonAmbiguous,
    /// It knows no organisation of the name on that day.
    UnitUnknown,
    /// Stated as 出席, and no member on that day (requirement 25).
    NotAMember,
    /// A member on that day of whom the minutes say nothing.
    MemberUnmentioned,
    /// Stated as in the room, and never signed in.
    NotSignedIn,
    /// Signed in, and not on the stated roll.
    NotStated,
    /// Stated in another capacity than the room shows.
    OtherCapacity,
}

impl FindingCode {
    /// Its name on the wire, and in the catalogue of phrases after `roll-`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PersonUnknown => "PERSON_UNKNOWN",
            Self::PersonAmbiguous => "PERSON_AMBIGUOUS",
            Self::UnitUnknown => "UNIT_UNKNOWN",
            Self::NotAMember => "NOT_A_MEMBER",
            Self::MemberUnmentioned => "MEMBER_UNMENTIONED",
            Self::NotSignedIn => "NOT_SIGNED_IN",
            Self::NotStated => "NOT_STATED",
            Self::OtherCapacity => "OTHER_CAPACITY",
        }
    }
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub code: FindingCode,
    /// Place on the stated roll, from 1; 0 for what it does not state.
    pub entry: u32,
    /// Unit and person it concerns.
    pub about: String,
    /// What the other side says.
    pub other: String,
}

impl Finding {
    /// What a decision on it is kept by: the same difference has the same key.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.code.as_str(), self.entry, self.about)
    }
}

/// What a person decided on a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Key of the finding.
    pub finding: String,
    /// What was decided, and why.
    pub reason: String,
    /// By whom.
    pub actor: String,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Entries of the stated roll that agree with all that is known.
    pub agreeing: usize,
    /// Differences, in the order of the roll, then what it does not state.
    pub findings: Vec<Finding>,
}

/// What [`check`] must know of a directory.
#[must_use]
pub fn looked_up<'w>(roll: &'w [Stated], kind: &'w str, seats: &'w [Seat]) -> Vec<By<'w>> {
    let named = |name: &&str| !name.is_empty();
    let people = roll.iter().map(|entry| entry.person.as_str()).filter(named).map(By::PersonName);
    let units = roll.iter().map(|entry| &entry.unit).chain(seats.iter().map(|seat| &seat.unit));
    let units = units.map(String::as_str).filter(named).map(By::UnitName);
    people.chain(units).chain([By::MemberOf(kind)]).collect()
}

/// Holds a stated roll against the directory of a day, or as much of it as [`looked_up`] names, and, where there is one,
/// the meeting with its seats.
#[must_use]
pub fn check(
    roll: &[Stated],
    kind: &str,
    day: Option<Date>,
    directory: &Directory,
    meeting: Option<(&Meeting, &[Seat])>,
) -> Agreement {
    let mut agreement = Agreement::default();
    let members = day.map(|day| directory.members_on(kind, day)).unwrap_or_default();
    let seats = meeting.map(|(_, seats)| seats).unwrap_or_default();
    let mut found_seats = vec![false; seats.len()];
    // Whatever a unit is called, it is the same one.
    let is_same_unit = |one: &str, other: &str| {
        plain(one) == plain(other)
            || day.is_some_and(|day| {
                let others = directory.units_called(other, day);
                directory.units_called(one, day).iter().any(|unit| others.contains(unit))
            })
    };
    for (place, entry) in (1..).zip(roll) {
        let about = format!("{}{}", entry.unit, entry.person);
        let before = agreement.findings.len();
        let mut find = |code, other: String| {
            agreement.findings.push(Finding { code, entry: place, about: about.clone(), other });
        };
        if !entry.person.is_empty() {
            let people = directory.people_called(&entry.person);
            match people.as_slice() {
                // Observers come from everywhere: only those whom the directory must know are unknown.
                [] if entry.presence == Presence::Present => find(FindingCode::PersonUnknown, String::new()),
                [_] | [] => {}
                many => find(
                    FindingCode::PersonAmbiguous,
                    many.iter().map(|person| person.id.as_str()).collect::<Vec<_>>().join("、"),
                ),
            }
            let is_member = members.iter().any(|(person, _)| plain(&person.name) == plain(&entry.person));
            if entry.presence == Presence::Present && day.is_some() && !people.is_empty() && !is_member {
                find(FindingCode::NotAMember, kind.to_owned());
            }
        }
        if !entry.unit.is_empty()
            && day.is_some_and(|day| directory.units_called(&entry.unit, day).is_empty())
        {
            find(FindingCode::UnitUnknown, String::new());
        }
        if meeting.is_some() {
            // Of two of a name, the one of that unit.
            let at = (0..seats.len())
                .filter(|at| !found_seats[*at] && is_same(&seats[*at], entry, &is_same_unit))
                .max_by_key(|at| (is_same_unit(&seats[*at].unit, &entry.unit), std::cmp::Reverse(*at)));
            if let Some(at) = at {
                found_seats[at] = true;
            }
            let shown = at.map_or(Shown::Absent, |at| seats[at].shown());
            let is_in = |shown: Shown| !matches!(shown, Shown::Absent | Shown::OnLeave);
            match entry.presence {
                Presence::Present | Presence::Observer if !is_in(shown) => {
                    find(FindingCode::NotSignedIn, name_of(shown).to_owned());
                }
                Presence::Present if shown != Shown::Present => {
                    find(FindingCode::OtherCapacity, name_of(shown).to_owned());
                }
                Presence::Observer if !matches!(shown, Shown::Observer | Shown::Staff) => {
                    find(FindingCode::OtherCapacity, name_of(shown).to_owned());
                }
                Presence::Absent if is_in(shown) => {
                    find(FindingCode::OtherCapacity, name_of(shown).to_owned());
                }
                _ => {}
            }
        }
        agreement.agreeing += usize::from(agreement.findings.len() == before);
    }
    for (person, post) in &members {
        // An observer or a recorder of the same name is somebody else.
        let is_said_of = |entry: &&Stated| matches!(entry.presence, Presence::Present | Presence::Absent);
        if !roll.iter().filter(is_said_of).any(|entry| plain(&entry.person) == plain(&person.name)) {
            agreement.findings.push(Finding {
                code: FindingCode::MemberUnmentioned,
                entry: 0,
                about: person.name.clone(),
                other: post.title.clone(),
            });
        }
    }
    for (seat, _) in seats.iter().zip(found_seats).filter(|(_, found)| !found) {
        let is_listed = matches!(seat.capacity, Capacity::Member | Capacity::Observer);
        if is_listed && matches!(seat.shown(), Shown::Present | Shown::Observer) {
            agreement.findings.push(Finding {
                code: FindingCode::NotStated,
                entry: 0,
                about: format!("{}{}", seat.unit, seat.who()),
                other: name_of(seat.shown()).to_owned(),
            });
        }
    }
    agreement
}

/// A seat and an entry are the same: the person where both name one, else the unit.
fn is_same(seat: &Seat, entry: &Stated, is_same_unit: &impl Fn(&str, &str) -> bool) -> bool {
    if entry.person.is_empty() || (seat.person.is_empty() && seat.who().is_empty()) {
        return !entry.unit.is_empty() && is_same_unit(&seat.unit, &entry.unit);
    }
    let is_person = [seat.person.as_str(), seat.who()].iter().any(|name| plain(name) == plain(&entry.person));
    is_person && (entry.unit.is_empty() || seat.unit.is_empty() || is_same_unit(&seat.unit, &entry.unit))
}

fn name_of(shown: Shown) -> &'static str {
    match shown {
        Shown::Present => "出席",
        Shown::Observer => "列席",
        Shown::OnLeave => "请假",
        Shown::Absent => "缺席",
        Shown::Recorder => "记录",
        Shown::Staff => "工作人员",
    }
}
