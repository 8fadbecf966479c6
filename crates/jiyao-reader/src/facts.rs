//! The facts of one minutes text, each with where it stands.

use std::fmt::{Arguments, Display};

use compact_str::{CompactString, ToCompactString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

/// A stretch of the text in bytes of its UTF-8: start inclusive, end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The stretch itself. Empty where the span is not one of this text.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// Stretches that belong together. Nearly all facts have one, kept in place.
pub type Spans = SmallVec<[Span; 2]>;

/// One fact. The spans, without the repairs inside them, read together as it is printed; the value is that text
/// itself, or for dates the ISO date and for numbers the number that it says. Serializes as the value; what is read from
/// elsewhere stands nowhere and has no spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact<T = CompactString> {
    /// What.
    pub value: T,
    /// Where, in reading order. More than one where a shared suffix is written out.
    pub spans: Spans,
}

impl<T: Serialize> Serialize for Fact<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fact<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self { value, spans: Spans::new() })
    }
}

/// All of it. What the text does not say is absent: nothing is guessed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The organ whose minutes these are, as printed.
    pub issuer: Option<Fact>,
    /// The document's own number, as printed, e.g. `〔2020〕17号`.
    pub document_number: Option<Fact>,
    /// The meeting.
    pub meeting: Meeting,
    /// Items in the order of the text.
    pub items: Vec<Item>,
    /// Who was there.
    pub attendance: Attendance,
    /// Who compiled the minutes (整理), and the date of the document (成文日期).
    pub compiled: Option<Imprint>,
    /// The disclosure note (附注), e.g. 此件公开发布.
    pub disclosure: Option<Fact>,
    /// Recipients and recipient classes (分送), a shared suffix written out.
    pub distribution: Vec<Fact>,
    /// Who printed and when (印发).
    pub printed: Option<Imprint>,
}

/// The meeting that the minutes are of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meeting {
    /// E.g. 常务会议.
    pub kind: Option<Fact>,
    /// 第N次.
    pub ordinal: Option<Fact<u32>>,
    /// Term of office, the number before 届.
    pub term: Option<Fact<u32>>,
    /// ISO date.
    pub date: Option<Fact>,
    /// Half-day as printed, e.g. 上午.
    pub session: Option<Fact>,
    /// Who presided.
    pub chair: Option<Fact>,
}

/// One item of business.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// As numbered, e.g. 一; absent where the text has no number.
    pub no: Option<Fact>,
    /// Heading, or the opening clause of an item without one.
    pub heading: Option<Fact>,
    /// Titles laid before the meeting under this item.
    pub documents: Vec<Fact>,
    /// Explicit verdicts.
    pub decisions: Vec<Decision>,
}

/// One explicit verdict of the meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The verb as printed, e.g. 原则同意.
    pub outcome: Fact,
    /// What it is given to.
    pub subjects: Vec<Fact>,
    /// Who must carry it out.
    pub lead_units: Vec<Fact>,
    /// Who helps.
    pub support_units: Vec<Fact>,
    /// The formal next act, as printed.
    pub next_step: Option<Fact>,
    /// The other body that must decide.
    pub next_body: Option<Fact>,
    /// When it takes effect, ISO date.
    pub effective_date: Option<Fact>,
    /// As printed, e.g. 6月底前.
    pub deadlines: Vec<Fact>,
}

/// The lists of the roll.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attendance {
    /// 出席.
    pub present: Vec<Attendee>,
    /// 列席.
    pub observers: Vec<Attendee>,
    /// 请假 and 缺席.
    pub absent: Vec<Attendee>,
    /// 记录.
    pub recorders: Vec<Fact>,
}

/// One entry of a list. At least one of the two is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attendee {
    /// Unit, as printed.
    pub unit: Option<Fact>,
    /// Name; absent for a unit's unnamed representative.
    pub name: Option<Fact>,
}

/// By whom and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imprint {
    /// The office.
    pub by: Option<Fact>,
    /// ISO date.
    pub date: Option<Fact>,
}

impl Facts {
    /// Whether the text has anything of the genre: a number, a meeting, an item, a list of people or recipients.
    #[must_use]
    pub fn is_minutes(&self) -> bool {
        let people = &self.attendance;
        self.document_number.is_some()
            || self.meeting.kind.is_some()
            || self.meeting.ordinal.is_some()
            || !self.items.is_empty()
            || !(people.present.is_empty() && people.observers.is_empty() && people.absent.is_empty())
            || !self.distribution.is_empty()
    }

    /// Shows every fact in turn: its kind, its path, its value as printed or in digits, and where it stands.
    pub(crate) fn visit<'f>(
        &'f self,
        mut see: impl FnMut(&'static str, Arguments<'_>, &dyn Display, &'f [Span]),
    ) {
        let mut one = |kind, path: Arguments<'_>, fact: Option<&'f Fact>| {
            if let Some(fact) = fact {
                see(kind, path, &fact.value, &fact.spans);
            }
        };
        one("issuer", format_args!("issuer"), self.issuer.as_ref());
        one("document_number", format_args!("document_number"), self.document_number.as_ref());
        let meeting = &self.meeting;
        one("meeting.kind", format_args!("meeting.kind"), meeting.kind.as_ref());
        one("meeting.date", format_args!("meeting.date"), meeting.date.as_ref());
        one("meeting.session", format_args!("meeting.session"), meeting.session.as_ref());
        one("meeting.chair", format_args!("meeting.chair"), meeting.chair.as_ref());
        for (at, item) in self.items.iter().enumerate() {
            one("item.no", format_args!("items[{at}].number"), item.no.as_ref());
            one("item.heading", format_args!("items[{at}].heading"), item.heading.as_ref());
            for (n, title) in item.documents.iter().enumerate() {
                one("item.document", format_args!("items[{at}].documents[{n}]"), Some(title));
            }
            for (n, decision) in item.decisions.iter().enumerate() {
                for (kind, field, fact) in [
                    ("decision.outcome", "outcome", Some(&decision.outcome)),
                    ("decision.next_step", "next_step", decision.next_step.as_ref()),
                    ("decision.next_body", "next_body", decision.next_body.as_ref()),
                    ("decision.effective_date", "effective_date", decision.effective_date.as_ref()),
                ] {
                    one(kind, format_args!("items[{at}].decisions[{n}].{field}"), fact);
                }
                for (kind, field, facts) in [
                    ("decision.subject", "subjects", &decision.subjects),
                    ("decision.lead_unit", "lead_units", &decision.lead_units),
                    ("decision.support_unit", "support_units", &decision.support_units),
                    ("decision.deadline", "deadlines", &decision.deadlines),
                ] {
                    for (m, fact) in facts.iter().enumerate() {
                        one(kind, format_args!("items[{at}].decisions[{n}].{field}[{m}]"), Some(fact));
                    }
                }
            }
        }
        let people = &self.attendance;
        for (name, entries) in
            [("present", &people.present), ("observers", &people.observers), ("absent", &people.absent)]
        {
            for (at, entry) in entries.iter().enumerate() {
                one("attendee.unit", format_args!("{name}[{at}].unit"), entry.unit.as_ref());
                one("attendee.name", format_args!("{name}[{at}].name"), entry.name.as_ref());
            }
        }
        for (at, name) in people.recorders.iter().enumerate() {
            one("recorder", format_args!("recorders[{at}]"), Some(name));
        }
        for (name, imprint) in [("compiled", &self.compiled), ("printed", &self.printed)] {
            let Some(imprint) = imprint else { continue };
            one("imprint.by", format_args!("{name}.by"), imprint.by.as_ref());
            one("imprint.date", format_args!("{name}.date"), imprint.date.as_ref());
        }
        one("disclosure", format_args!("disclosure"), self.disclosure.as_ref());
        for (at, recipient) in self.distribution.iter().enumerate() {
            one("recipient", format_args!("distribution[{at}]"), Some(recipient));
        }
        for (name, number) in [("meeting.ordinal", &meeting.ordinal), ("meeting.term", &meeting.term)] {
            if let Some(number) = number {
                see(name, format_args!("{name}"), &number.value, &number.spans);
            }
        }
    }

    /// Every fact with its kind and path: what a doubt points to, and what a check of all spans walks over. Numbers
    /// are given in digits.
    #[must_use]
    pub fn all(&self) -> Vec<Placed> {
        let mut all = Vec::new();
        self.visit(|kind, path, value, spans| {
            let fact = Fact { value: value.to_compact_string(), spans: spans.into() };
            all.push(Placed { kind, path: path.to_string(), fact });
        });
        all
    }

    /// For each doubt the paths of the facts that stand where it does.
    #[must_use]
    pub fn in_doubt(&self, doubts: &[Doubt]) -> Vec<Vec<String>> {
        let mut places: Vec<(Span, String)> = Vec::new();
        if doubts.is_empty() {
            return Vec::new();
        }
        self.visit(|_, path, _, spans| places.extend(spans.iter().map(|span| (*span, path.to_string()))));
        places.sort();
        let longest = places.iter().map(|(span, _)| span.end - span.start).max().unwrap_or(0);
        let met = |doubt: &Span| {
            let end = places.partition_point(|(span, _)| span.start < doubt.end);
            let near = places[..end].iter().rev().take_while(|(span, _)| span.start + longest > doubt.start);
            near.filter(|(span, _)| span.end > doubt.start).map(|(_, path)| path.clone()).collect::<Vec<_>>()
        };
        let paths = |doubt: &Doubt| {
            let mut paths: Vec<String> = doubt.spans.iter().flat_map(met).collect();
            paths.sort();
            paths.dedup();
            paths
        };
        doubts.iter().map(paths).collect()
    }
}

/// A fact in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What kind of fact, e.g. `decision.lead_unit`.
    pub kind: &'static str,
    /// Where among the facts, e.g. `items[2].decisions[0].lead_units[0]`.
    pub path: String,
    /// The fact.
    pub fact: Fact,
}

/// Why reading skips a stretch inside a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RepairKind {
    /// A line break inside a sentence, name or word.
    LineWrap,
    /// The same with an empty line: the page ended there.
    PageBreak,
    /// A blank inside a word.
    Blank,
}

/// A stretch that reading skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repair {
    /// Where.
    pub span: Span,
    /// Why.
    pub kind: RepairKind,
}

/// What is doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DoubtCode {
    /// An entry of a roll that neither dictionary nor surnames prove.
    EntryUnproved,
    /// An entry of a roll with more than one proved split.
    SplitAmbiguous,
    /// A responsible unit that the dictionary does not prove.
    UnitUnproved,
    /// A verdict without anything it is given to.
    SubjectMissing,
    /// Someone presides, but the name is not proved.
    ChairUnproved,
    /// A recipient list that does not end.
    ListUnclosed,
    /// A verdict that the text does not clearly give as the meeting's.
    VerdictUnproved,
    /// No date of the meeting, or one whose year the text does not say.
    DateUnproved,
    /// A formal act that may be the next step.
    NextUnproved,
    /// No organ whose minutes these are.
    IssuerUnproved,
}

impl DoubtCode {
    /// Every code.
    pub const ALL: [Self; 10] = [
        Self::EntryUnproved,
        Self::SplitAmbiguous,
        Self::UnitUnproved,
        Self::SubjectMissing,
        Self::ChairUnproved,
        Self::ListUnclosed,
        Self::VerdictUnproved,
        Self::DateUnproved,
        Self::NextUnproved,
        Self::IssuerUnproved,
    ];

    /// Its name on the wire, and in the catalogue of phrases after `doubt-`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EntryUnproved => "ENTRY_UNPROVED",
            Self::SplitAmbiguous => "SPLIT_AMBIGUOUS",
            Self::UnitUnproved => "UNIT_UNPROVED",
            Self::SubjectMissing => "SUBJECT_MISSING",
            Self::ChairUnproved => "CHAIR_UNPROVED",
            Self::ListUnclosed => "LIST_UNCLOSED",
            Self::VerdictUnproved => "VERDICT_UNPROVED",
            Self::DateUnproved => "DATE_UNPROVED",
            Self::NextUnproved => "NEXT_UNPROVED",
            Self::IssuerUnproved => "ISSUER_UNPROVED",
        }
    }
}

/// What the text does not prove, put to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// What.
    pub code: DoubtCode,
    /// Where.
    pub spans: Spans,
    /// Possible readings, best first.
    pub candidates: Vec<String>,
}
