//! What the services know, as plain values. Conversions from the wire are at the end.

use std::fmt;

use jiyao_minutes::Stage;
use jiyao_proto::attendance::v1 as attendance;
use jiyao_proto::distribution::v1 as distribution;
use jiyao_proto::journal::v1::Cursor;
use jiyao_proto::records::v1 as records;
use jiyao_reader::{Decision, Doubt, Facts, Repair, Span};

use crate::Error;

/// A place in a service's journal: what a read may wait for, and where a watch resumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The journal's id.
    pub journal: String,
    /// Sequence of the last record seen.
    pub sequence: u64,
    hash: Vec<u8>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// In order.
    pub entries: Vec<T>,
    /// Where the next page begins; None: this was the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page that has something, or the last: what a list leaves out may fill pages.
    pub(crate) async fn filled<F: Future<Output = Result<Self, Error>>>(
        page: Option<&str>,
        read: impl Fn(String) -> F,
    ) -> Result<Self, Error> {
        let mut token = page.unwrap_or_default().to_owned();
        loop {
            let page = read(token).await?;
            match page.next {
                Some(next) if page.entries.is_empty() => token = next,
                _ => return Ok(page),
            }
        }
    }

    /// Every entry of a list: `read` is asked for the first page with None, then for each next one.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn all(read: impl AsyncFn(Option<&str>) -> Result<Self, Error>) -> Result<Vec<T>, Error> {
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let page = read(next.as_deref()).await?;
            found.extend(page.entries);
            next = page.next;
            if next.is_none() {
                return Ok(found);
            }
        }
    }
}

/// How minutes came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Issued before and outside.
    #[default]
    IssuedElsewhere,
    /// A draft.
    Draft,
}

/// An organ that keeps minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organ {
    /// `organs/{organ}`.
    pub name: String,
    /// Full name.
    pub display_name: String,
    /// Short forms.
    pub aliases: Vec<String>,
    /// IANA zone of its civil dates.
    pub time_zone: String,
}

/// What a dry run gives.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadMinutes {
    /// Facts.
    pub facts: Facts,
    /// What is put to a person.
    pub doubts: Vec<Doubt>,
    /// What was skipped.
    pub repairs: Vec<Repair>,
    /// Verdict words that became neither a decision nor a doubt.
    pub uncovered: Vec<Span>,
    /// The text that the spans are of, where it is not the bytes themselves.
    pub text: Option<String>,
    /// What the file is: UTF-8, GB18030, HTML, DOCX or PDF.
    pub format: String,
}

/// Minutes with all that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Minutes {
    /// `organs/{organ}/minutes/{minutes}`.
    pub name: String,
    /// From 1.
    pub revision: u64,
    /// How it came in.
    pub standing: Standing,
    /// What identifies it within its organ.
    pub identity: String,
    /// SHA-256 of the original.
    pub digest: Vec<u8>,
    /// Size of the original in bytes.
    pub size: u64,
    /// Who imported it.
    pub importer: String,
    /// When its content was erased, RFC 3339; empty: it was not.
    pub erased: String,
    /// Facts.
    pub facts: Facts,
    /// What is put to a person and not settled yet.
    pub doubts: Vec<OpenDoubt>,
    /// What was skipped.
    pub repairs: Vec<Repair>,
    /// Verdict words of the text that became neither a decision nor a doubt.
    pub uncovered: Vec<Span>,
    /// What the file was: UTF-8, GB18030, HTML, DOCX or PDF.
    pub format: String,
    /// What people settled, oldest first.
    pub settlements: Vec<Settlement>,
    /// How far they are, and what was done with them.
    pub life: crate::Life,
}

/// A doubt that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDoubt {
    /// Its number in these minutes, from 1.
    pub number: u32,
    /// Facts that it puts in doubt, e.g. `items[2].decisions[0].lead_units[0]`.
    pub paths: Vec<String>,
    /// What and where.
    pub doubt: Doubt,
}

/// What a person decided about a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The doubt; 0 where a fact was corrected without one.
    pub doubt: u32,
    /// The fact set; empty where none changed.
    pub path: String,
    /// What was decided; empty: it is not in the text.
    pub value: String,
    /// What stood there before.
    pub before: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub principal: String,
    /// The revision that it made.
    pub revision: u64,
}

/// Minutes in short. Empty texts and 0: the minutes do not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinutesSummary {
    /// `organs/{organ}/minutes/{minutes}`.
    pub name: String,
    /// As printed.
    pub issuer: String,
    /// The number that they were registered with, else as printed.
    pub document_number: String,
    /// How far they are; None: this program does not know the stage.
    pub stage: Option<Stage>,
    /// E.g. 常务会议.
    pub meeting_kind: String,
    /// 第N次.
    pub ordinal: u32,
    /// ISO date.
    pub meeting_date: String,
    /// How many.
    pub items: u32,
    /// How many.
    pub decisions: u32,
    /// How many are open.
    pub doubts: u32,
}

/// A change that a watch gives out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinutesChange {
    /// As they are now.
    pub minutes: MinutesSummary,
    /// The revision that the change made.
    pub revision: u64,
}

/// One decision in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionEntry {
    /// `organs/{organ}/minutes/{minutes}`.
    pub minutes: String,
    /// Position of the item, from 0.
    pub item_index: u32,
    /// Position in the item, from 0.
    pub decision_index: u32,
    /// As printed; empty where it has none.
    pub item_number: String,
    /// What was decided.
    pub decision: Decision,
}

/// In what capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// 出席.
    Present,
    /// 列席.
    Observer,
    /// 请假 or 缺席.
    Absent,
    /// 记录.
    Recorder,
}

/// One entry of a roll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollEntry {
    /// Capacity.
    pub presence: Presence,
    /// Empty where none is printed.
    pub unit: String,
    /// Empty for an unnamed representative.
    pub person: String,
    /// The reader doubts it, and nobody has settled that.
    pub is_doubted: bool,
}

/// A roll. In lists without its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// The minutes that state it.
    pub minutes: String,
    /// The revision that states it.
    pub revision: u64,
    /// ISO date; empty where the minutes do not say.
    pub meeting_date: String,
    /// Empty where the minutes do not say.
    pub chair: String,
    /// In the order of the text.
    pub entries: Vec<RollEntry>,
    /// How many 出席.
    pub present: u32,
    /// How many 列席.
    pub observers: u32,
    /// How many 请假 or 缺席.
    pub absent: u32,
}

/// One line of a distribution list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// As printed.
    pub title: String,
    /// Whether it stands for many bodies.
    pub is_class: bool,
}

/// A distribution list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistributionList {
    /// The minutes that state it.
    pub minutes: String,
    /// The revision that states it.
    pub revision: u64,
    /// In the order of the text.
    pub recipients: Vec<Recipient>,
    /// Note; empty where the minutes have none.
    pub disclosure: String,
    /// Empty where the minutes do not say.
    pub printed_by: String,
    /// ISO date; empty where the minutes do not say.
    pub printed_date: String,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:", self.journal, self.sequence)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Position {
    /// Reads what `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (journal, rest) = text.split_once('@')?;
        let (sequence, hash) = rest.split_once(':')?;
        let pairs = hash.is_ascii().then(|| hash.as_bytes().chunks(2))?;
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let hash = pairs.map(byte).collect::<Option<Vec<u8>>>()?;
        Some(Self { journal: journal.to_owned(), sequence: sequence.parse().ok()?, hash })
    }

    pub(crate) fn to_wire(&self) -> Cursor {
        Cursor { journal: self.journal.clone(), sequence: self.sequence, hash: self.hash.clone() }
    }

    pub(crate) fn of_wire(cursor: Option<Cursor>) -> Option<Self> {
        cursor.map(|cursor| Self { journal: cursor.journal, sequence: cursor.sequence, hash: cursor.hash })
    }
}

impl<T> Page<T> {
    pub(crate) fn of<W>(entries: Vec<W>, next: String, convert: impl Fn(W) -> Option<T>) -> Self {
        Self {
            entries: entries.into_iter().filter_map(convert).collect(),
            next: (!next.is_empty()).then_some(next),
        }
    }
}

pub(crate) fn organ(organ: records::Organ) -> Organ {
    Organ {
        name: organ.name,
        display_name: organ.display_name,
        aliases: organ.aliases,
        time_zone: organ.time_zone,
    }
}

pub(crate) fn read_minutes(read: &records::ReadMinutesResponse) -> ReadMinutes {
    ReadMinutes {
        facts: read.facts.as_ref().map(jiyao_wire::facts_from).unwrap_or_default(),
        doubts: read.doubts.iter().filter_map(jiyao_wire::doubt_from).collect(),
        repairs: read.repairs.iter().filter_map(jiyao_wire::repair_from).collect(),
        uncovered: read.uncovered.iter().map(jiyao_wire::span_from).collect(),
        text: Some(read.text.clone()).filter(|text| !text.is_empty()),
        format: read.format.clone(),
    }
}

pub(crate) fn minutes(minutes: records::Minutes) -> Minutes {
    let standing = match minutes.standing() {
        records::Standing::Draft => Standing::Draft,
        records::Standing::IssuedElsewhere | records::Standing::Unspecified => Standing::IssuedElsewhere,
    };
    Minutes {
        standing,
        facts: minutes.facts.as_ref().map(jiyao_wire::facts_from).unwrap_or_default(),
        doubts: minutes.doubts.into_iter().filter_map(open_doubt).collect(),
        settlements: minutes.settlements.into_iter().map(settlement).collect(),
        life: minutes.life.map(crate::lifecycle::life).unwrap_or_default(),
        format: minutes.format,
        repairs: minutes.repairs.iter().filter_map(jiyao_wire::repair_from).collect(),
        uncovered: minutes.uncovered.iter().map(jiyao_wire::span_from).collect(),
        name: minutes.name,
        revision: minutes.revision,
        identity: minutes.identity,
        digest: minutes.digest,
        size: minutes.size,
        importer: minutes.importer,
        erased: crate::operations::time(minutes.erase_time),
    }
}

fn open_doubt(doubt: records::Doubt) -> Option<OpenDoubt> {
    Some(OpenDoubt { number: doubt.number, doubt: jiyao_wire::doubt_from(&doubt)?, paths: doubt.paths })
}

fn settlement(settlement: records::Settlement) -> Settlement {
    Settlement {
        doubt: settlement.doubt,
        path: settlement.path,
        value: settlement.value,
        before: settlement.before,
        reason: settlement.reason,
        principal: settlement.principal,
        revision: settlement.revision,
    }
}

pub(crate) fn summary(summary: records::MinutesSummary) -> MinutesSummary {
    MinutesSummary {
        stage: jiyao_wire::stage_from(summary.stage),
        name: summary.name,
        issuer: summary.issuer,
        document_number: summary.document_number,
        meeting_kind: summary.meeting_kind,
        ordinal: summary.ordinal,
        meeting_date: summary.meeting_date,
        items: summary.items,
        decisions: summary.decisions,
        doubts: summary.doubts,
    }
}

pub(crate) fn decision_entry(entry: records::DecisionEntry) -> Option<DecisionEntry> {
    let item = records::Item { decisions: vec![entry.decision?], ..records::Item::default() };
    let facts = jiyao_wire::facts_from(&records::Facts { items: vec![item], ..records::Facts::default() });
    Some(DecisionEntry {
        minutes: entry.minutes,
        item_index: entry.item_index,
        decision_index: entry.decision_index,
        item_number: entry.item_number,
        decision: facts.items.into_iter().next()?.decisions.into_iter().next()?,
    })
}

pub(crate) fn roll(roll: attendance::Roll) -> Roll {
    let entry = |entry: attendance::RollEntry| {
        let presence = match entry.presence() {
            attendance::Presence::Present => Presence::Present,
            attendance::Presence::Observer => Presence::Observer,
            attendance::Presence::Absent => Presence::Absent,
            attendance::Presence::Recorder => Presence::Recorder,
            attendance::Presence::Unspecified => return None,
        };
        Some(RollEntry { presence, unit: entry.unit, person: entry.person, is_doubted: entry.doubted })
    };
    Roll {
        minutes: roll.minutes,
        revision: roll.revision,
        meeting_date: roll.meeting_date,
        chair: roll.chair,
        entries: roll.entries.into_iter().filter_map(entry).collect(),
        present: roll.present,
        observers: roll.observers,
        absent: roll.absent,
    }
}

pub(crate) fn list(list: distribution::DistributionList) -> DistributionList {
    let recipient = |recipient: distribution::Recipient| Recipient {
        is_class: recipient.kind() == distribution::RecipientKind::Class,
        title: recipient.title,
    };
    DistributionList {
        minutes: list.minutes,
        revision: list.revision,
        recipients: list.recipients.into_iter().map(recipient).collect(),
        disclosure: list.disclosure,
        printed_by: list.printed_by,
        printed_date: list.printed_date,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_rubbish_does_not() {
        let position = Position { journal: "j".to_owned(), sequence: 7, hash: vec![0, 255, 16] };
        assert_eq!(Position::parse(&position.to_string()), Some(position));
        for rubbish in ["", "j@7", "j@x:00", "j@7:0g", "j@7:中"] {
            assert_eq!(Position::parse(rubbish), None, "{rubbish}");
        }
    }
}
