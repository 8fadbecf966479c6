//! One place at a meeting: invited, answered, on leave or there, from when to when, recused from what.

use jiyao_calendar::Timestamp;
use jiyao_fault::{Fault, Reason, Result};
use serde::{Deserialize, Serialize};

use crate::directory::{Rank, plain};
use crate::meeting::{Meeting, RollRules, Stage, observer_refused};
use crate::quorum::Interval;

/// In what capacity somebody is asked (requirement 25).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Capacity {
    /// 出席: members alone.
    Member,
    /// 列席.
    #[default]
    Observer,
    /// 记录.
    Recorder,
    /// 工作人员.
    Staff,
}

/// Kinds of 列席 (requirement 26).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ObserverKind {
    /// 固定列席.
    #[default]
    Fixed,
    /// 按议题列席: for its items.
    ByItem,
    /// 邀请.
    Invited,
    /// 替会: an approved substitute.
    Substitute,
    /// 公众代表.
    Public,
    /// An assistant of a reporting unit (requirement 35).
    Assistant,
}

/// What a roll shows of a seat (requirement 25).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Shown {
    /// 出席.
    Present,
    /// 列席.
    Observer,
    /// 请假.
    OnLeave,
    /// 缺席.
    Absent,
    /// 记录.
    Recorder,
    /// 工作人员.
    Staff,
}

/// A 回执 (requirement 34).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reply {
    /// Comes.
    Comes,
    /// Sends somebody else.
    Sends {
        /// Whom.
        person: String,
    },
    /// Asks for leave.
    Leave {
        /// Why.
        reason: String,
    },
}

/// Leave (requirement 28).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// Why.
    pub reason: String,
    /// When it was asked for.
    pub asked: Timestamp,
    /// Granted or not; None while it waits.
    pub granted: Option<bool>,
    /// As what it was decided, by whom, when.
    pub decided: Option<(String, String, Timestamp)>,
}

/// Somebody who comes instead (requirement 28).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Substitute {
    /// Who.
    pub person: String,
    /// Approved or not; None while it waits.
    pub approved: Option<bool>,
    /// As what that was decided, and by whom.
    pub decided: Option<(String, String)>,
}

/// Why somebody takes no part (公务员法 art. 76).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Ground {
    /// An interest of their own.
    OwnInterest,
    /// One of a relative.
    Relative,
    /// Fairness may suffer otherwise.
    #[default]
    Other,
}

/// A recusal (requirement 33).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recusal {
    /// From which item, from 0.
    pub item: u32,
    /// Why.
    pub ground: Ground,
    /// In words.
    pub reason: String,
    /// Who decided it.
    pub decided_by: String,
}

/// In the room, and who of both it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// From when to when.
    #[serde(flatten)]
    pub interval: Interval,
    /// Who came, where it was not the invited person.
    pub by: String,
    /// Terminals of coming and going; empty for what was recorded by hand.
    pub terminals: [String; 2],
}

/// A place at a meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Place in the printed order (requirement 32), from 1. It never changes by itself.
    pub order: u32,
    /// In what capacity.
    pub capacity: Capacity,
    /// Which kind of observer.
    pub observer: ObserverKind,
    /// Id of the person in the directory; empty where they are not in it.
    pub person_id: String,
    /// Name; empty for a unit's unnamed representative (requirement 30).
    pub person: String,
    /// Their unit as printed; empty where none is.
    pub unit: String,
    /// Post that a member is one by, as it was on the day.
    pub post: String,
    /// Its rank.
    pub rank: Rank,
    /// Items, from 0, that an observer comes for.
    pub items: Vec<u32>,
    /// Counts acts.
    pub version: u64,
    /// What was answered to the notice, and when.
    pub reply: Option<(Reply, Timestamp)>,
    /// Leave.
    pub leave: Option<Leave>,
    /// Who comes instead.
    pub substitute: Option<Substitute>,
    /// When somebody was in the room for it, oldest first.
    pub stays: Vec<Stay>,
    /// Items decided without them.
    pub recusals: Vec<Recusal>,
}

/// What is done with a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the fields are those of the proto requests, which say what they are")]
pub enum SeatAct {
    /// 回执.
    Answer { reply: Reply },
    /// Leave is granted or refused.
    DecideLeave { post: String, grant: bool },
    /// A substitute is approved or refused.
    DecideSubstitute { post: String, approve: bool },
    /// Comes in; `person` where it is not the invited one.
    SignIn { terminal: String, person: String },
    /// Goes out.
    SignOut { terminal: String },
    /// Was in the room, recorded by hand.
    RecordStay { from: i64, until: i64, person: String },
    /// Takes no part in an item.
    Recuse { item: u32, ground: Ground, reason: String, decided_by: String },
    /// Stands at another place of the order: an explicit act.
    Move { order: u32 },
}

impl SeatAct {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "ANSWER",
            Self::DecideLeave { .. } => "DECIDE_LEAVE",
            Self::DecideSubstitute { .. } => "DECIDE_SUBSTITUTE",
            Self::SignIn { .. } => "SIGN_IN",
            Self::SignOut { .. } => "SIGN_OUT",
            Self::RecordStay { .. } => "RECORD_STAY",
            Self::Recuse { .. } => "RECUSE",
            Self::Move { .. } => "MOVE",
        }
    }
}

/// Who acts, and for which unit (empty: for none).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The principal.
    pub name: String,
    /// The unit.
    pub unit: String,
    /// Of the office that holds the meeting: what it records it records for anybody, and late too.
    pub is_office: bool,
}

/// What a decision may know besides the seat.
#[derive(Clone, Copy, Debug)]
pub struct SeatContext<'c> {
    /// Who.
    pub actor: &'c Actor,
    /// When.
    pub now: Timestamp,
    /// The meeting.
    pub meeting: &'c Meeting,
    /// The organ's rules.
    pub rules: &'c RollRules,
}

/// One line of a seat's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatEntry {
    /// What.
    pub act: SeatAct,
    /// By whom.
    pub actor: String,
    /// When.
    pub time: Timestamp,
}

const LONGEST_WORDS: usize = 2000;

pub(crate) fn words(value: &str, field: &str) -> Result<()> {
    if value.trim().is_empty() { Err(Fault::required(field)) } else { bounded(value, field) }
}

/// Words that may be absent.
pub(crate) fn bounded(value: &str, field: &str) -> Result<()> {
    if value.len() > LONGEST_WORDS {
        return Err(Fault::invalid(field, format!("{} bytes", value.len())));
    }
    Ok(())
}

impl Seat {
    /// Whether it is that of somebody who becomes a member: by their id, or by name where it has none and comes for no
    /// unit.
    #[must_use]
    pub fn is_of_person(&self, member: &Self) -> bool {
        match self.person_id.as_str() {
            "" => {
                self.unit.is_empty()
                    && !self.person.is_empty()
                    && plain(&self.person) == plain(&member.person)
            }
            id => id == member.person_id,
        }
    }

    /// The seat of somebody who becomes a member, at a place of the order: for the whole meeting, and for no unit.
    #[must_use]
    pub fn promoted(&self, member: &Self, order: u32) -> Self {
        let (stays, recusals) = (self.stays.clone(), self.recusals.clone());
        let (reply, leave, substitute) = (self.reply.clone(), self.leave.clone(), self.substitute.clone());
        Self { order, version: self.version, stays, recusals, reply, leave, substitute, ..member.clone() }
    }

    /// What becomes of a member's seat when the directory of the day has changed: `member` is the seat that it would get
    /// now, None where somebody is none any more. Then nothing remains of it, unless they were in the room or something
    /// was decided on it: they become an invited observer.
    #[must_use]
    pub fn refreshed(&self, member: Option<&Self>) -> Option<Self> {
        let after = self.clone();
        match member {
            Some(member) => Some(Self { post: member.post.clone(), rank: member.rank, ..after }),
            None if self.is_unused() => None,
            None => Some(Self { capacity: Capacity::Observer, observer: ObserverKind::Invited, ..after }),
        }
    }

    /// Whether nothing hangs on it yet: nobody was in the room for it, and nothing was decided on it.
    fn is_unused(&self) -> bool {
        let is_decided = self.leave.as_ref().is_some_and(|leave| leave.granted.is_some())
            || self.substitute.as_ref().is_some_and(|substitute| substitute.approved.is_some());
        self.stays.is_empty() && self.recusals.is_empty() && !is_decided
    }

    /// Whoever is in the room now for it.
    fn open_stay(&self) -> Option<&Stay> {
        self.stays.last().filter(|stay| stay.interval.until.is_none())
    }

    /// Decides an act: the entry that it becomes, or why not.
    ///
    /// # Errors
    /// `UNIT_FOREIGN`, `STATE_FORBIDS`, `POST_FORBIDS`, `TOO_LATE`, `ALREADY_IN`, `NOT_IN`, `FIELD_REQUIRED`,
    /// `FIELD_INVALID`.
    pub fn decide(&self, act: SeatAct, context: &SeatContext<'_>) -> Result<SeatEntry> {
        let SeatContext { actor, now, meeting, .. } = *context;
        let forbids =
            |state: &str| Err(Fault::new(Reason::StateForbids).with("state", state).with("act", act.name()));
        let instant = now.as_millisecond();
        match &act {
            SeatAct::Move { order } => {
                if *order == 0 {
                    return Err(Fault::required("order"));
                }
            }
            // What was decided on stays; the order of a printed list alone may be mended.
            _ if meeting.stage == Stage::Held => return forbids("HELD"),
            SeatAct::Answer { reply } => {
                let is_own = !actor.unit.is_empty() && actor.unit == self.unit;
                if !is_own && !actor.is_office {
                    return Err(Fault::new(Reason::UnitForeign)
                        .with("unit", &actor.unit)
                        .with("lead", &self.unit));
                }
                if meeting.stage != Stage::Notified && !actor.is_office {
                    return forbids(meeting.stage.as_str());
                }
                // Who falls ill that morning tells the office.
                if let Some(by) = meeting.reply_by.filter(|by| now > *by && !actor.is_office) {
                    return Err(Fault::new(Reason::TooLate).with("due", by).with("today", now));
                }
                match reply {
                    Reply::Comes => {}
                    Reply::Sends { person } => words(person, "substitute")?,
                    Reply::Leave { .. } if self.is_on_leave() => return forbids("LEAVE_GRANTED"),
                    Reply::Leave { reason } => words(reason, "reason")?,
                }
            }
            SeatAct::DecideLeave { post, .. } => {
                if self.leave.as_ref().is_none_or(|leave| leave.granted.is_some()) {
                    return forbids("NO_LEAVE_ASKED");
                }
                self.authority(post, context)?;
            }
            SeatAct::DecideSubstitute { post, .. } => {
                if self.substitute.as_ref().is_none_or(|substitute| substitute.approved.is_some()) {
                    return forbids("NO_SUBSTITUTE_NAMED");
                }
                self.authority(post, context)?;
            }
            SeatAct::SignIn { terminal, person } => {
                words(terminal, "terminal")?;
                bounded(person, "person")?;
                let running =
                    (0..).zip(&meeting.items).find(|(_, item)| item.is_running() && !item.admits(self));
                if let Some((index, _)) = running {
                    return Err(observer_refused(self, index));
                }
                if let Some(stay) = self.open_stay() {
                    return Err(Fault::new(Reason::AlreadyIn)
                        .with("terminal", &stay.terminals[0])
                        .with("since", instant_of(stay.interval.from)));
                }
                if self.stays.last().and_then(|stay| stay.interval.until).is_some_and(|until| instant < until)
                {
                    return forbids("RECORDED_UNTIL_LATER");
                }
            }
            SeatAct::SignOut { terminal } => {
                words(terminal, "terminal")?;
                if self.open_stay().is_none() {
                    return Err(Fault::new(Reason::NotIn));
                }
            }
            SeatAct::RecordStay { from, until, person } => {
                bounded(person, "person")?;
                if from >= until || *until > instant {
                    return Err(Fault::invalid("until", instant_of(*until)));
                }
                if let Some(stay) = self.stays.iter().find(|stay| stay.interval.meets(*from, *until)) {
                    return Err(Fault::new(Reason::AlreadyIn)
                        .with("terminal", &stay.terminals[0])
                        .with("since", instant_of(stay.interval.from)));
                }
            }
            SeatAct::Recuse { item, reason, decided_by, .. } => {
                if *item as usize >= meeting.items.len() {
                    return Err(Fault::invalid("item_index", item));
                }
                words(reason, "reason")?;
                words(decided_by, "decided_by")?;
                if self.capacity != Capacity::Member {
                    return forbids("NO_MEMBER");
                }
            }
        }
        Ok(SeatEntry { act, actor: actor.name.clone(), time: now })
    }

    /// Leave and substitutes are decided by a post that the organ's rules name.
    fn authority(&self, post: &str, context: &SeatContext<'_>) -> Result<()> {
        words(post, "post")?;
        let wanted = match self.capacity {
            Capacity::Member => &context.rules.members_ask,
            _ => &context.rules.observers_ask,
        };
        if wanted.iter().any(|wanted| wanted == post) {
            return Ok(());
        }
        Err(Fault::new(Reason::PostForbids).at("post").with("post", post).with("wanted", wanted.join("、")))
    }

    /// Brings the seat up to date.
    pub fn apply(&mut self, entry: SeatEntry) {
        self.version += 1;
        let time = entry.time;
        match entry.act {
            SeatAct::Answer { reply } => {
                match &reply {
                    Reply::Leave { reason } => {
                        self.leave =
                            Some(Leave { reason: reason.clone(), asked: time, granted: None, decided: None });
                    }
                    Reply::Sends { person } => {
                        self.substitute =
                            Some(Substitute { person: person.clone(), approved: None, decided: None });
                    }
                    // Whoever comes after all needs neither.
                    Reply::Comes => (self.leave, self.substitute) = (None, None),
                }
                self.reply = Some((reply, time));
            }
            SeatAct::DecideLeave { post, grant } => {
                if let Some(leave) = &mut self.leave {
                    leave.granted = Some(grant);
                    leave.decided = Some((post, entry.actor, time));
                }
            }
            SeatAct::DecideSubstitute { post, approve } => {
                if let Some(substitute) = &mut self.substitute {
                    substitute.approved = Some(approve);
                    substitute.decided = Some((post, entry.actor));
                }
            }
            SeatAct::SignIn { terminal, person } => self.stays.push(Stay {
                interval: Interval { from: time.as_millisecond(), until: None },
                by: self.other_than_invited(&person),
                terminals: [terminal, String::new()],
            }),
            SeatAct::SignOut { terminal } => {
                if let Some(stay) = self.stays.last_mut() {
                    // Whoever goes in the moment they came was there for that moment.
                    stay.interval.until = Some(time.as_millisecond().max(stay.interval.from + 1));
                    stay.terminals[1] = terminal;
                }
            }
            SeatAct::RecordStay { from, until, person } => {
                let by = self.other_than_invited(&person);
                let interval = Interval { from, until: Some(until) };
                self.stays.push(Stay { interval, by, terminals: Default::default() });
                self.stays.sort_by_key(|stay| stay.interval.from);
            }
            SeatAct::Recuse { item, ground, reason, decided_by } => {
                self.recusals.retain(|recusal| recusal.item != item);
                self.recusals.push(Recusal { item, ground, reason, decided_by });
            }
            // Where it stands then is decided with the others of its list.
            SeatAct::Move { .. } => {}
        }
    }

    /// Who came, where it was not the invited person.
    fn other_than_invited(&self, person: &str) -> String {
        if plain(person) == plain(&self.person) { String::new() } else { person.trim().to_owned() }
    }

    /// Whether it was the invited person; of a unit that names nobody, whoever it sent (requirement 30).
    fn is_own(&self, stay: &Stay) -> bool {
        stay.by.is_empty() || self.person.is_empty()
    }

    /// Whether whoever it was may: the invited one, or an approved substitute.
    fn may(&self, stay: &Stay) -> bool {
        self.is_own(stay) || self.is_approved(&stay.by)
    }

    /// When the invited person themself was there: what counts to a quorum.
    #[must_use]
    pub fn own_intervals(&self) -> Vec<Interval> {
        self.stays.iter().filter(|stay| self.is_own(stay)).map(|stay| stay.interval).collect()
    }

    /// Whether somebody who may was there at all.
    fn is_filled(&self) -> bool {
        self.stays.iter().any(|stay| self.may(stay))
    }

    /// Whether it is asked for items, not for the whole meeting.
    #[must_use]
    pub fn is_for_items(&self) -> bool {
        self.capacity == Capacity::Observer
            && matches!(self.observer, ObserverKind::ByItem | ObserverKind::Assistant)
    }

    fn is_on_leave(&self) -> bool {
        self.leave.as_ref().is_some_and(|leave| leave.granted == Some(true))
    }

    /// Whether the invited person has said that they do not come.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.leave.as_ref().is_some_and(|leave| leave.granted != Some(false)) || self.substitute.is_some()
    }

    fn is_approved(&self, person: &str) -> bool {
        let is_one = |one: &Substitute| one.approved == Some(true) && plain(&one.person) == plain(person);
        self.substitute.as_ref().is_some_and(is_one)
    }

    /// People who came instead and were not approved: a finding each (requirement 28).
    #[must_use]
    pub fn unapproved(&self) -> Vec<&str> {
        self.stays.iter().filter(|stay| !self.may(stay)).map(|stay| stay.by.as_str()).collect()
    }

    /// What a roll shows of it. Only members are 出席; whoever stands in for a member is 列席.
    #[must_use]
    pub fn shown(&self) -> Shown {
        let own = self.stays.iter().any(|stay| self.is_own(stay));
        match self.capacity {
            Capacity::Recorder => Shown::Recorder,
            Capacity::Staff => Shown::Staff,
            Capacity::Member if own => Shown::Present,
            _ if self.is_filled() => Shown::Observer,
            _ if self.is_on_leave() => Shown::OnLeave,
            _ => Shown::Absent,
        }
    }

    /// The kind of observer that it shows.
    #[must_use]
    pub fn observed_as(&self) -> ObserverKind {
        let own = self.stays.iter().any(|stay| self.is_own(stay));
        if !own && self.is_filled() { ObserverKind::Substitute } else { self.observer }
    }

    /// Who was in the room for it, as far as they may: the invited one, else the approved substitute; of a unit that
    /// names nobody, whom it sent.
    #[must_use]
    pub fn who(&self) -> &str {
        let own = self.stays.iter().find(|stay| self.is_own(stay));
        let came = own.or_else(|| self.stays.iter().find(|stay| self.may(stay)));
        came.filter(|stay| !stay.by.is_empty()).map_or(&self.person, |stay| &stay.by)
    }

    /// Whether somebody was in the room for an item (requirement 26): by the item's times once it was begun; without
    /// times an observer or assistant by item for the named ones, and everybody else for all that admit them.
    #[must_use]
    pub fn was_there_for(&self, index: u32, meeting: &Meeting, now: i64) -> bool {
        let Some(item) = meeting.items.get(index as usize) else { return false };
        match item.time(now) {
            Some((from, until)) => {
                self.stays.iter().filter(|stay| self.may(stay)).any(|stay| stay.interval.meets(from, until))
            }
            None => {
                self.is_filled() && item.admits(self) && (!self.is_for_items() || self.items.contains(&index))
            }
        }
    }

    /// Whether it was neither filled nor excused.
    #[must_use]
    pub fn is_absent_without_leave(&self) -> bool {
        matches!(self.capacity, Capacity::Member | Capacity::Observer) && self.shown() == Shown::Absent
    }
}

/// The order of a list after one of its seats was put at another place: the order of each that changes, by number of the
/// seat. Others give way, and none shares a place (requirement 32).
#[must_use]
pub fn moved(seats: &[(u32, Seat)], number: u32, to: u32) -> Vec<(u32, u32)> {
    let Some((_, moving)) = seats.iter().find(|(known, _)| *known == number) else { return Vec::new() };
    let mut list: Vec<(u32, u32)> = seats
        .iter()
        .filter(|(_, seat)| seat.capacity == moving.capacity)
        .map(|(number, seat)| (seat.order, *number))
        .collect();
    list.sort_unstable();
    let places: Vec<u32> = list.iter().map(|(order, _)| *order).collect();
    let others = list.iter().filter(|(_, known)| *known != number);
    // Down the list it stands behind whoever had the place, up the list before them.
    let is_before = |order: u32| if to > moving.order { order <= to } else { order < to };
    let at = others.clone().filter(|(order, _)| is_before(*order)).count();
    let mut numbers: Vec<u32> = others.map(|(_, number)| *number).collect();
    numbers.insert(at, number);
    let order_of = |number: u32| list.iter().find(|(_, known)| *known == number).map(|(order, _)| *order);
    let after = numbers.into_iter().zip(places);
    after.filter(|(number, place)| order_of(*number) != Some(*place)).collect()
}

fn instant_of(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
