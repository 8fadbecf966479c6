//! A meeting: notice, agenda, the times of its items, and whether it could decide.

use jiyao_calendar::{Date, Timestamp};
use jiyao_fault::{Fault, Reason, Result};
use serde::{Deserialize, Serialize};

use crate::directory::{By, Directory, Membership, Rank, plain};
use crate::quorum::{Count, Interval, Member, QuorumRule};
use crate::seat::{Capacity, ObserverKind, Seat, bounded, words};

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
    /// Its times, once it was begun: as long as it lasts, until now and at least for the moment that it began.
    #[must_use]
    pub fn time(&self, now: i64) -> Option<(i64, i64)> {
        let from = self.from?;
        Some((from, self.until.unwrap_or(now.max(from + 1))))
    }

    /// Whether it is being taken.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.from.is_some() && self.until.is_none()
    }

    /// Whether somebody may be in the room for it (requirement 27): for a 人事 item members and the people who keep
    /// the record, and of observers those of its units alone.
    #[must_use]
    pub fn admits(&self, seat: &Seat) -> bool {
        !self.is_personnel || seat.capacity != Capacity::Observer || self.units.contains(&seat.unit)
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
            members_ask: vec!["市长".to_owned(), CHAIR.to_owned()],
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
    /// Of each item that was begun.
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
    /// It was held. `result` is what was counted, `findings` how its members differed from the directory then.
    Hold {
        result: QuorumResult,
        #[serde(default)]
        findings: Vec<String>,
    },
    /// These are its minutes.
    LinkMinutes { minutes: String },
    /// Its members are those that the directory now has for its day: names of those who came to it and who left it, and
    /// what the law says of the list. Asked for without them: [`MeetingAct::refresh_members`].
    RefreshMembers { added: Vec<String>, removed: Vec<String>, findings: Vec<String> },
}

impl MeetingAct {
    /// Members as of today's directory, as they are asked for: who came and who left is found when it is decided.
    #[must_use]
    pub fn refresh_members() -> Self {
        Self::RefreshMembers { added: Vec::new(), removed: Vec::new(), findings: Vec::new() }
    }

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
            Self::RefreshMembers { .. } => "REFRESH_MEMBERS",
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
            MeetingAct::RefreshMembers { .. } => {}
            MeetingAct::Notify { reply_by } => {
                if self.stage != Stage::Planned {
                    return forbids(self.stage.as_str());
                }
                if let Some(by) = reply_by.filter(|by| *by <= now) {
                    return Err(Fault::invalid("reply_by", by));
                }
            }
            MeetingAct::SetAgenda { items } => {
                check_items(items, "items")?;
                if self.items.iter().any(|item| item.from.is_some()) {
                    return forbids("ITEM_TAKEN");
                }
            }
            MeetingAct::KeepItem { item: index, by } => {
                item(*index)?;
                words(by, "by")?;
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
            MeetingAct::Hold { result, .. } => {
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
            MeetingAct::Hold { result, findings } => {
                self.findings.extend(findings.iter().cloned());
                self.stage = Stage::Held;
                self.quorum = Some(result.clone());
                // What was still being taken ended with it.
                for item in self.items.iter_mut().filter(|item| item.is_running()) {
                    item.until = item.time(now).map(|(_, until)| until);
                }
            }
            MeetingAct::LinkMinutes { minutes } => self.minutes.clone_from(minutes),
            MeetingAct::RefreshMembers { findings, .. } => self.findings.clone_from(findings),
        }
        self.history.push(entry);
    }

    /// Counts a quorum at a moment, and over each item that was begun: one that is still being taken until now.
    #[must_use]
    pub fn count(&self, rule: Option<&QuorumRule>, seats: &[Seat], at: i64, now: i64) -> QuorumResult {
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
            let (from, until) = item.time(now)?;
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

    /// What [`Meeting::members_of`] and [`Meeting::member_changes`] must know of a directory.
    #[must_use]
    pub fn looked_up(&self, rules: &RollRules) -> Vec<By<'_>> {
        let lawful = self.lawful(rules).iter().map(|rank| By::Rank(*rank));
        lawful.chain([By::MemberOf(&self.kind)]).collect()
    }

    /// To a plenary (全体会议) belong the heads of departments too: the law lists the 常务会议.
    fn lawful(&self, rules: &RollRules) -> &'static [Rank] {
        if self.kind.contains("全体") { &[] } else { rules.level.members() }
    }

    /// The seats of its members: those of the day, in the order of rank (requirement 22), and what the law says of that
    /// list (requirement 21).
    #[must_use]
    pub fn members_of(&self, directory: &Directory, rules: &RollRules) -> (Vec<Seat>, Vec<String>) {
        let members = directory.members_on(&self.kind, self.date);
        let lawful = self.lawful(rules);
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
        let is_member = |person: &str| members.iter().any(|(member, _)| member.id == person);
        for (person, post) in directory.holders_on(self.date) {
            if lawful.contains(&post.rank) && !is_member(&person.id) {
                findings.push(format!("MEMBER_LACKING {}（{}）", person.name, post.title));
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

    /// Whether a seat may be added (requirement 27): nobody is asked for a 人事 item who may not be in the room for it,
    /// nor to a meeting that has no other. Whoever comes for the whole meeting goes out for it.
    ///
    /// # Errors
    /// `OBSERVER_REFUSED`, `FIELD_REQUIRED`, `FIELD_INVALID`, with paths below `field`.
    pub fn admits(&self, seat: &Seat, field: &str) -> Result<()> {
        let at = |name: &str| format!("{field}.{name}");
        for (value, name) in [(&seat.person, "person"), (&seat.unit, "unit"), (&seat.person_id, "person_id")]
        {
            bounded(value, &at(name))?;
        }
        if seat.person.trim().is_empty() && seat.unit.trim().is_empty() {
            return Err(Fault::required(&at("person")));
        }
        if seat.is_for_items() && seat.items.is_empty() {
            return Err(Fault::required(&at("items")));
        }
        for (place, index) in seat.items.iter().enumerate() {
            if *index as usize >= self.items.len() {
                return Err(Fault::invalid(&at(&format!("items[{place}]")), index));
            }
        }
        match self.refusing(seat) {
            Some(index) => Err(observer_refused(seat, index).at(at("unit"))),
            None => Ok(()),
        }
    }

    /// The first item, counted from 0, that keeps a seat from the meeting.
    fn refusing(&self, seat: &Seat) -> Option<u32> {
        let is_asked = |(index, _): &(u32, &Item)| seat.items.is_empty() || seat.items.contains(index);
        let (admitting, refusing): (Vec<_>, Vec<_>) =
            (0..).zip(&self.items).filter(is_asked).partition(|(_, item)| item.admits(seat));
        // Whoever is asked for named items comes for each; for the whole meeting, for those that admit them.
        let is_refused = !seat.items.is_empty() || admitting.is_empty();
        refusing.first().filter(|_| is_refused).map(|(index, _)| *index)
    }

    /// Whether another agenda fits the seats that there are: an item that somebody is asked for or recused from stays
    /// where it is, and admits them.
    ///
    /// # Errors
    /// `STATE_FORBIDS`, `OBSERVER_REFUSED`.
    pub fn check_agenda(&self, items: &[Item], seats: &[Seat]) -> Result<()> {
        let after = Self { items: items.to_vec(), ..Self::default() };
        for seat in seats {
            let recused = seat.recusals.iter().map(|recusal| recusal.item);
            for index in seat.items.iter().copied().chain(recused) {
                let title = |items: &[Item]| items.get(index as usize).map(|item| item.title.clone());
                if title(items) != title(&self.items) {
                    return Err(Fault::new(Reason::StateForbids)
                        .at(format!("items[{index}].title"))
                        .with("state", "ITEM_IN_USE")
                        .with("act", "SET_AGENDA"));
                }
            }
            if let Some(index) = after.refusing(seat) {
                return Err(observer_refused(seat, index).at(format!("items[{index}].units")));
            }
        }
        Ok(())
    }

    /// How the directory of the day differs from the seats that its members were given: it was changed since the
    /// meeting was planned (requirement 22).
    #[must_use]
    pub fn member_changes(&self, seats: &[Seat], directory: &Directory) -> Vec<(&'static str, String)> {
        let members = directory.members_on(&self.kind, self.date);
        let seated = seats.iter().filter(|seat| seat.capacity == Capacity::Member);
        let is_gone = |seat: &&Seat| !members.iter().any(|(person, _)| person.id == seat.person_id);
        let gone = seated.clone().filter(is_gone).map(|seat| ("MEMBER_GONE", seat.person.clone()));
        let is_other = |seat: &&Seat| {
            let member = members.iter().find(|(person, _)| person.id == seat.person_id);
            member.is_some_and(|(_, post)| post.title != seat.post || post.rank != seat.rank)
        };
        let other = seated.clone().filter(is_other).map(|seat| ("MEMBER_CHANGED", seat.person.clone()));
        let is_new = |(person, _): &&Membership<'_>| !seated.clone().any(|seat| seat.person_id == person.id);
        let new = members.iter().filter(is_new).map(|(person, _)| ("MEMBER_NEW", person.name.clone()));
        gone.chain(other).chain(new).collect()
    }

    /// Whether somebody decides as what they are: by the title of the post, or by the name of who holds it on the day or
    /// presides. Of a post that the directory does not know nobody can say.
    ///
    /// # Errors
    /// `POST_FORBIDS`.
    pub fn check_holder(&self, directory: &Directory, post: &str, principal: &str) -> Result<()> {
        let holders = directory.holders_on(self.date).filter(|(_, held)| held.is_called(post));
        let mut names: Vec<&str> = holders.map(|(person, _)| person.name.as_str()).collect();
        if post == CHAIR && !self.chair.is_empty() {
            names.push(&self.chair);
        }
        if names.is_empty() || principal == post || names.iter().any(|name| plain(name) == plain(principal)) {
            return Ok(());
        }
        let wanted = names.join("、");
        Err(Fault::new(Reason::PostForbids).at("post").with("post", principal).with("wanted", wanted))
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
        let quorum = self.quorum.iter().filter(|quorum| quorum.has_rule);
        for item in quorum.flat_map(|quorum| &quorum.items).filter(|item| !item.is_met) {
            let Count { present, needed, .. } = item.lowest;
            found.push(("ITEM_NOT_MET", format!("{} {present}/{needed}", item.item + 1)));
        }
        for (index, item) in (0_u32..).zip(&self.items) {
            let deputy = seats.iter().find(|seat| seat.person == item.deputy);
            let is_away = |seat: &Seat| {
                let own = seat.own_intervals();
                let is_there = |(from, until)| own.iter().any(|stay| stay.meets(from, until));
                match (self.stage, item.from.zip(item.until)) {
                    (Stage::Held, Some(time)) => !is_there(time),
                    (Stage::Held, None) => own.is_empty(),
                    _ => seat.is_away() && own.is_empty(),
                }
            };
            match deputy {
                _ if item.deputy.is_empty() || !item.stays_by.is_empty() => {}
                None => found.push(("DEPUTY_UNKNOWN", format!("{} {}", index + 1, item.deputy))),
                Some(seat) if is_away(seat) => {
                    found.push(("DEPUTY_ABSENT", format!("{} {}", index + 1, item.deputy)));
                }
                Some(_) => {}
            }
            if let Some((from, until)) = item.from.zip(item.until) {
                let stayed = |seat: &&Seat| seat.stays.iter().any(|stay| stay.interval.meets(from, until));
                for seat in seats.iter().filter(|seat| !item.admits(seat)).filter(stayed) {
                    found.push((
                        "OBSERVER_AT_PERSONNEL",
                        format!("{} {}{}", index + 1, seat.unit, seat.who()),
                    ));
                }
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

/// What rules call whoever presides.
const CHAIR: &str = "主持人";
/// Most items of an agenda.
const MOST_ITEMS: usize = 200;

/// The form of an agenda.
///
/// # Errors
/// `FIELD_REQUIRED`, `FIELD_INVALID`.
pub(crate) fn check_items(items: &[Item], field: &str) -> Result<()> {
    if items.len() > MOST_ITEMS {
        return Err(Fault::invalid(field, items.len()));
    }
    for (at, item) in items.iter().enumerate() {
        words(&item.title, &format!("{field}[{at}].title"))?;
        bounded(&item.deputy, &format!("{field}[{at}].deputy"))?;
        for (unit_at, unit) in item.units.iter().enumerate() {
            bounded(unit, &format!("{field}[{at}].units[{unit_at}]"))?;
        }
    }
    Ok(())
}

impl Meeting {
    /// The form of a new meeting.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub fn check(&self) -> Result<()> {
        words(&self.kind, "meeting.kind")?;
        let others = [(&self.title, "title"), (&self.place, "place"), (&self.chair, "chair")];
        others.into_iter().try_for_each(|(value, name)| bounded(value, &format!("meeting.{name}")))?;
        check_items(&self.items, "meeting.items")
    }
}

/// An item, counted from 0, does not admit a seat.
pub(crate) fn observer_refused(seat: &Seat, index: u32) -> Fault {
    Fault::new(Reason::ObserverRefused).with("unit", &seat.unit).with("item", index + 1)
}
