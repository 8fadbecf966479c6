//! A meeting: notice, agenda, the times of its items, and whether it could decide.

use jiyao_calendar::{Date, Timestamp};
use jiyao_fault::{Fault, Reason, Result};
use serde::{Deserialize, Serialize};

use crate::directory::{Directory, Rank};
use crate::quorum::{Count, Interval, Member, QuorumRule};
use crate::seat::{Capacity, ObserverKind, Seat, Shown};

/// How far a meeting is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    /// Being prepared.
    #[default]
    Planned,
    /// The notice is out.
    Notified,
    /// It was held, and whether it could decide is settled.
    Held,
}

impl Stage {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "PLANNED",
            Self::Notified => "NOTIFIED",
            Self::Held => "HELD",
        }
    }
}

/// An item of the agenda.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it is about.
    pub title: String,
    /// 人事: only members and the units listed for it (requirement 27).
    pub is_personnel: bool,
    /// Name of the deputy in charge (分管领导); empty: none.
    pub deputy: String,
    /// Units that report on it.
    pub units: Vec<String>,
    /// Why it stays although the deputy is on leave: the head's consent, or a written opinion (requirement 29).
    pub stays_by: String,
    /// When it was taken, in milliseconds since 1970.
    pub from: Option<i64>,
    /// When it ended.
    pub until: Option<i64>,
}

impl Item {
    /// Its times, where both are known.
    #[must_use]
    pub fn time(&self) -> Option<(i64, i64)> {
        Some((self.from?, self.until?))
    }
}

/// Level of an organ: what the law says of its members (地方组织法 art. 78).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// Provinces and 设区的市: head, deputies, 秘书长.
    #[default]
    City,
    /// Counties and districts: head and deputies.
    County,
    /// The law says nothing of its meetings.
    Other,
}

impl Level {
    /// Ranks that are members by law.
    #[must_use]
    pub fn members(self) -> &'static [Rank] {
        match self {
            Self::City => &[Rank::Head, Rank::Deputy, Rank::SecretaryGeneral],
            Self::County => &[Rank::Head, Rank::Deputy],
            Self::Other => &[],
        }
    }
}

/// Rules of an organ (requirements 21, 23, 28 and 35).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RollRules {
    /// Its level.
    pub level: Level,
    /// Rules of quorum by kind of meeting; none: NO_RULE.
    pub quorums: Vec<QuorumRule>,
    /// Posts that members ask for leave.
    pub members_ask: Vec<String>,
    /// Posts that observers ask.
    pub observers_ask: Vec<String>,
    /// Assistants that a reporting unit may bring to an item.
    pub assistants: u32,
}

impl Default for RollRules {
    fn default() -> Self {
        let half = QuorumRule { text: "半数以上组成人员到会".to_owned(), ..QuorumRule::default() };
        Self {
            level: Level::City,
            quorums: vec![half],
            members_ask: vec!["市长".to_owned(), "主持人".to_owned()],
            observers_ask: vec!["秘书长".to_owned()],
            assistants: 1,
        }
    }
}

impl RollRules {
    /// The rule for a kind of meeting.
    #[must_use]
    pub fn quorum(&self, kind: &str) -> Option<&QuorumRule> {
        let of = |kind: &str| self.quorums.iter().find(|rule| rule.meeting_kind == kind);
        of(kind).or_else(|| of(""))
    }
}

/// Whether it could decide on an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemQuorum {
    /// Which, from 0.
    pub item: u32,
    /// The lowest count while it was taken.
    pub lowest: Count,
    /// When that was, in milliseconds since 1970.
    pub at: i64,
    /// Names of those recused.
    pub recused: Vec<String>,
    /// Whether it was met all the time.
    pub is_met: bool,
}

/// Whether a meeting could decide: stored with it, and never changed by what the directory says later (requirement 24).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumResult {
    /// The moment that it is of, in milliseconds since 1970.
    pub at: i64,
    /// The count.
    pub count: Count,
    /// The rule's words.
    pub rule: String,
    /// Whether the organ has a rule at all.
    pub has_rule: bool,
    /// Why it stands although too few were there: by whom, and the reason.
    pub overridden: Option<(String, String)>,
    /// Of each item whose times are known.
    pub items: Vec<ItemQuorum>,
    /// Names of the members that it counted as there.
    pub present: Vec<String>,
}

impl QuorumResult {
    /// MET, NOT_MET, OVERRIDDEN or NO_RULE.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        if !self.has_rule {
            "NO_RULE"
        } else if self.overridden.is_some() {
            "OVERRIDDEN"
        } else if self.count.is_met() {
            "MET"
        } else {
            "NOT_MET"
        }
    }
}

/// A meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    /// `organs/{organ}/meetings/{meeting}`.
    pub name: String,
    /// E.g. 常务会议.
    pub kind: String,
    /// E.g. 市政府第99次常务会议.
    pub title: String,
    /// The day.
    pub date: Date,
    /// Where.
    pub place: String,
    /// Who presides.
    pub chair: String,
    /// The agenda.
    pub items: Vec<Item>,
    /// How far it is.
    pub stage: Stage,
    /// Counts acts.
    pub version: u64,
    /// Answers to the notice are taken until then.
    pub reply_by: Option<Timestamp>,
    /// Whether it could decide.
    pub quorum: Option<QuorumResult>,
    /// `organs/{organ}/minutes/{minutes}` of it.
    pub minutes: String,
    /// What was at odds with the law when it was made: names of members beyond it, or ranks that lack.
    pub findings: Vec<String>,
    /// All acts, oldest first.
    pub history: Vec<MeetingEntry>,
}

/// What is done with a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the fields are those of the proto requests, which say what they are")]
pub enum MeetingAct {
    /// The notice goes out.
    Notify { reply_by: Option<Timestamp> },
    /// Another agenda.
    SetAgenda { items: Vec<Item> },
    /// An item stays although its deputy is on leave.
    KeepItem { item: u32, by: String },
    /// An item is taken now.
    StartItem { item: u32 },
    /// An item ends now.
    EndItem { item: u32 },
    /// The times of an item, recorded by hand.
    TimeItem { item: u32, from: i64, until: i64 },
    /// It was held. `result` is what was counted.
    Hold { result: QuorumResult },
    /// These are its minutes.
    LinkMinutes { minutes: String },
}

impl MeetingAct {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Notify { .. } => "NOTIFY",
            Self::SetAgenda { .. } => "SET_AGENDA",
            Self::KeepItem { .. } => "KEEP_ITEM",
            Self::StartItem { .. } => "START_ITEM",
            Self::EndItem { .. } => "END_ITEM",
            Self::TimeItem { .. } => "TIME_ITEM",
            Self::Hold { .. } => "HOLD",
            Self::LinkMinutes { .. } => "LINK_MINUTES",
        }
    }
}

/// One line of a meeting's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingEntry {
    /// What.
    pub act: MeetingAct,
    /// By whom.
    pub actor: String,
    /// When.
    pub time: Timestamp,
}

impl Meeting {
    /// Decides an act: the entry that it becomes, or why not.
    ///
    /// # Errors
    /// `STATE_FORBIDS`, `QUORUM_OPEN`, `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub fn decide(&self, act: MeetingAct, actor: &str, now: Timestamp) -> Result<MeetingEntry> {
        let forbids =
            |state: &str| Err(Fault::new(Reason::StateForbids).with("state", state).with("act", act.name()));
        let item =
            |index: u32| self.items.get(index as usize).ok_or_else(|| Fault::invalid("item_index", index));
        match &act {
            MeetingAct::LinkMinutes { .. } => {}
            _ if self.stage == Stage::Held => return forbids("HELD"),
            MeetingAct::Notify { reply_by } => {
                if self.stage != Stage::Planned {
                    return forbids(self.stage.as_str());
                }
                if let Some(by) = reply_by.filter(|by| *by <= now) {
                    return Err(Fault::invalid("reply_by", by));
                }
            }
            MeetingAct::SetAgenda { items } => {
                check_items(items)?;
                if self.items.iter().any(|item| item.from.is_some()) {
                    return forbids("ITEM_TAKEN");
                }
            }
            MeetingAct::KeepItem { item: index, by } => {
                item(*index)?;
                if by.trim().is_empty() {
                    return Err(Fault::required("by"));
                }
            }
            MeetingAct::StartItem { item: index } => {
                if item(*index)?.from.is_some() {
                    return forbids("ITEM_TAKEN");
                }
            }
            MeetingAct::EndItem { item: index } => {
                let item = item(*index)?;
                if item.from.is_none() || item.until.is_some() {
                    return forbids(if item.until.is_some() { "ITEM_ENDED" } else { "ITEM_NOT_TAKEN" });
                }
            }
            MeetingAct::TimeItem { item: index, from, until } => {
                item(*index)?;
                if from >= until || *until > now.as_millisecond() {
                    return Err(Fault::invalid("until", until));
                }
            }
            MeetingAct::Hold { result } => {
                if result.outcome() == "NOT_MET" {
                    return Err(Fault::new(Reason::QuorumOpen).with("outcome", "NOT_MET"));
                }
            }
        }
        Ok(MeetingEntry { act, actor: actor.to_owned(), time: now })
    }

    /// Brings the meeting up to date.
    pub fn apply(&mut self, entry: MeetingEntry) {
        self.version += 1;
        let now = entry.time.as_millisecond();
        let at = |index: u32| index as usize;
        match &entry.act {
            MeetingAct::Notify { reply_by } => {
                self.stage = Stage::Notified;
                self.reply_by = *reply_by;
            }
            MeetingAct::SetAgenda { items } => self.items.clone_from(items),
            MeetingAct::KeepItem { item, by } => {
                if let Some(item) = self.items.get_mut(at(*item)) {
                    item.stays_by.clone_from(by);
                }
            }
            MeetingAct::StartItem { item } => {
                if let Some(item) = self.items.get_mut(at(*item)) {
                    item.from = Some(now);
                }
            }
            MeetingAct::EndItem { item } => {
                if let Some(item) = self.items.get_mut(at(*item)) {
                    item.until = Some(now.max(item.from.unwrap_or(now) + 1));
                }
            }
            MeetingAct::TimeItem { item, from, until } => {
                if let Some(item) = self.items.get_mut(at(*item)) {
                    (item.from, item.until) = (Some(*from), Some(*until));
                }
            }
            MeetingAct::Hold { result } => {
                self.stage = Stage::Held;
                self.quorum = Some(result.clone());
            }
            MeetingAct::LinkMinutes { minutes } => self.minutes.clone_from(minutes),
        }
        self.history.push(entry);
    }

    /// Counts a quorum at a moment, and over each item whose times are known.
    #[must_use]
    pub fn count(&self, rule: Option<&QuorumRule>, seats: &[Seat], at: i64) -> QuorumResult {
        let held: Vec<_> = seats
            .iter()
            .filter(|seat| seat.capacity == Capacity::Member)
            .map(|seat| {
                let recused: Vec<u32> = seat.recusals.iter().map(|recusal| recusal.item).collect();
                (seat, seat.own_intervals(), recused)
            })
            .collect();
        let members: Vec<Member<'_>> = held
            .iter()
            .map(|(seat, intervals, recused)| Member { rank: seat.rank, intervals, recused })
            .collect();
        let free = QuorumRule::default();
        let counted = rule.unwrap_or(&free);
        let item = |(index, item): (u32, &Item)| {
            let (from, until) = item.time()?;
            let sweep = counted.over(&members, from, until, Some(index));
            let recused = held.iter().filter(|(_, _, recused)| recused.contains(&index));
            Some(ItemQuorum {
                item: index,
                is_met: sweep.gaps.is_empty(),
                lowest: sweep.lowest,
                at: sweep.at,
                recused: recused.map(|(seat, ..)| seat.person.clone()).collect(),
            })
        };
        let is_there = |(_, intervals, _): &&(&Seat, Vec<Interval>, Vec<u32>)| {
            intervals.iter().any(|interval| interval.holds(at))
        };
        QuorumResult {
            at,
            count: counted.at(&members, at, None),
            rule: rule.map(|rule| rule.text.clone()).unwrap_or_default(),
            has_rule: rule.is_some(),
            overridden: None,
            items: (0..).zip(&self.items).filter_map(item).collect(),
            present: held.iter().filter(is_there).map(|(seat, ..)| seat.person.clone()).collect(),
        }
    }

    /// The seats of its members: those of the day, in the order of rank (requirement 22), and what the law says of that
    /// list (requirement 21).
    #[must_use]
    pub fn members_of(&self, directory: &Directory, rules: &RollRules) -> (Vec<Seat>, Vec<String>) {
        let members = directory.members_on(&self.kind, self.date);
        let lawful = rules.level.members();
        let mut findings: Vec<String> = members
            .iter()
            .filter(|(_, post)| !lawful.is_empty() && !lawful.contains(&post.rank))
            .map(|(person, post)| format!("MEMBER_BEYOND_LAW {}（{}）", person.name, post.title))
            .collect();
        for rank in lawful {
            if !members.iter().any(|(_, post)| post.rank == *rank) {
                let name = Rank::ALL.iter().find(|(known, _)| known == rank).map_or("", |(_, name)| name);
                findings.push(format!("MEMBER_LACKING {name}"));
            }
        }
        let seats = (1..)
            .zip(members)
            .map(|(order, (person, post))| Seat {
                order,
                capacity: Capacity::Member,
                person_id: person.id.clone(),
                person: person.name.clone(),
                post: post.title.clone(),
                rank: post.rank,
                ..Seat::default()
            })
            .collect();
        (seats, findings)
    }

    /// Whether a seat may be added (requirement 27): a 人事 item admits nobody but members and its units.
    ///
    /// # Errors
    /// `OBSERVER_REFUSED`, `FIELD_INVALID`.
    pub fn admits(&self, seat: &Seat) -> Result<()> {
        for index in &seat.items {
            let item = self.items.get(*index as usize).ok_or_else(|| Fault::invalid("items", index))?;
            if item.is_personnel && seat.capacity == Capacity::Observer && !item.units.contains(&seat.unit) {
                return Err(Fault::new(Reason::ObserverRefused)
                    .at("unit")
                    .with("unit", &seat.unit)
                    .with("item", index + 1));
            }
        }
        let for_items = seat.observer == ObserverKind::ByItem || seat.observer == ObserverKind::Assistant;
        if seat.capacity == Capacity::Observer && for_items && seat.items.is_empty() {
            return Err(Fault::required("items"));
        }
        if seat.person.trim().is_empty() && seat.unit.trim().is_empty() {
            return Err(Fault::required("person"));
        }
        Ok(())
    }

    /// What the room shows that should be looked at: code, whom or what it concerns.
    #[must_use]
    pub fn room_findings(&self, seats: &[Seat], rules: &RollRules) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        for seat in seats {
            let who = || format!("{}{}", seat.unit, seat.person);
            found.extend(seat.unapproved().into_iter().map(|by| ("SUBSTITUTE_UNAPPROVED", by.to_owned())));
            if self.stage == Stage::Held && seat.is_absent_without_leave() {
                found.push(("ABSENT_WITHOUT_LEAVE", who()));
            }
            if self.stage == Stage::Notified && seat.reply.is_none() && seat.capacity != Capacity::Recorder {
                found.push(("NO_REPLY", who()));
            }
        }
        for (index, item) in (0_u32..).zip(&self.items) {
            let deputy = seats.iter().find(|seat| !item.deputy.is_empty() && seat.person == item.deputy);
            let is_away = |seat: &Seat| match seat.shown() {
                Shown::OnLeave => true,
                Shown::Absent => self.stage == Stage::Held || seat.leave.is_some(),
                _ => false,
            };
            if deputy.is_some_and(is_away) && item.stays_by.is_empty() {
                found.push(("DEPUTY_ABSENT", format!("{} {}", index + 1, item.deputy)));
            }
            let mut brought: Vec<(&str, u32)> = Vec::new();
            for seat in seats
                .iter()
                .filter(|seat| seat.observer == ObserverKind::Assistant && seat.items.contains(&index))
            {
                match brought.iter_mut().find(|(unit, _)| *unit == seat.unit) {
                    Some((_, count)) => *count += 1,
                    None => brought.push((&seat.unit, 1)),
                }
            }
            for (unit, count) in brought {
                let allowed =
                    if item.units.iter().any(|reporting| reporting == unit) { rules.assistants } else { 0 };
                if count > allowed {
                    found.push(("ASSISTANTS", format!("{} {unit} {count}", index + 1)));
                }
            }
        }
        found
    }
}

/// Most items of an agenda.
const MOST_ITEMS: usize = 200;

/// The form of an agenda.
///
/// # Errors
/// `FIELD_REQUIRED`, `FIELD_INVALID`.
pub(crate) fn check_items(items: &[Item]) -> Result<()> {
    if items.len() > MOST_ITEMS {
        return Err(Fault::invalid("items", items.len()));
    }
    match items.iter().position(|item| item.title.trim().is_empty()) {
        Some(at) => Err(Fault::required(&format!("items[{at}].title"))),
        None => Ok(()),
    }
}

impl Meeting {
    /// The form of a new meeting.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub fn check(&self) -> Result<()> {
        if self.kind.trim().is_empty() {
            return Err(Fault::required("meeting.kind"));
        }
        check_items(&self.items)
    }
}
