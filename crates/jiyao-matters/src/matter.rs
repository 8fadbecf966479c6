use jiyao_calendar::{Date, Timestamp};
use serde::{Deserialize, Serialize};

use crate::act::{Act, Evidence};
use crate::state::State;

/// What the decision says comes next (requirements 8, 55 and 56).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Next {
    /// 组织落实: to be carried out.
    #[default]
    Carry,
    /// 按程序印发实施: closed only with the issued document's number and date.
    Issue,
    /// 提请 or 报 another body: closed only with that body's recorded outcome.
    Submit {
        /// The body, e.g. 市委常委会.
        body: String,
    },
}

/// At once (立行立改), or in stages with dated milestones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Class {
    /// Due on one day.
    #[default]
    Immediate,
    /// With milestones.
    Staged,
}

/// The paragraph that a matter was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `organs/{organ}/minutes/{minutes}`.
    pub minutes: String,
    /// The immutable revision of it.
    pub revision: u64,
    /// Position of its item, from 0.
    pub item: u32,
    /// Position of the decision in the item, from 0; None for a matter made by hand of a paragraph.
    pub decision: Option<u32>,
    /// The item's number as printed.
    pub item_number: String,
    /// The verdict as printed; empty by hand.
    pub verdict: String,
    /// The words that the matter was made of.
    pub text: String,
}

/// A step with its own day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// What is to be reached.
    pub what: String,
    /// By when.
    pub due: Date,
    /// When it was reported reached.
    pub reached: Option<Date>,
}

/// An extension asked for, and what was decided (requirement 59).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// The day asked for.
    pub due: Date,
    /// Why.
    pub reason: String,
    /// How far the matter is.
    pub progress: String,
    /// Who asked.
    pub asked_by: String,
    /// Where the matter goes on when it is decided.
    pub resume: State,
    /// Granted or not; None while it waits.
    pub granted: Option<bool>,
}

/// What the other body decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its decision in its words.
    pub text: String,
    /// Whether it agreed.
    pub approved: bool,
    /// Number of its document, where it has one.
    pub document: String,
    /// The day it was recorded.
    pub date: Date,
}

/// The document that was issued on the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// 发文字号, in the standard form.
    pub number: String,
    /// 印发日期.
    pub date: Date,
}

/// A report or sign of progress from the lead unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Who sent it.
    pub by: String,
    /// Who in the unit approved it; empty for mere progress.
    pub approver: String,
    /// The day.
    pub date: Date,
    /// Says that all is done.
    pub is_final: bool,
}

/// 挂牌督办 (requirement 64).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// E.g. 市级.
    pub level: String,
    /// 挂牌.
    pub listed: Date,
    /// At most a year later.
    pub deadline: Date,
    /// Where the public was told.
    pub notice: String,
    /// 摘牌, after acceptance.
    pub delisted: Option<Date>,
    /// Where the public was told of that.
    pub delisting_notice: String,
}

/// A slip of supervision (requirement 61).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slip {
    /// From 1.
    pub level: u32,
    /// What is demanded.
    pub requirement: String,
    /// By when.
    pub due: Date,
    /// The matter is grave: levels may be left out.
    pub grave: bool,
    /// What was answered.
    pub answer: String,
    /// Whether the answer was a good reason; None while there is none.
    pub excused: Option<bool>,
}

/// An objection to a conclusion, and what was decided (requirement 69).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objection {
    /// Against what, in the unit's words.
    pub text: String,
    /// Who filed it.
    pub by: String,
    /// When.
    pub date: Date,
    /// Who made the conclusion.
    pub concluded_by: String,
    /// Upheld or not; None while it waits.
    pub upheld: Option<bool>,
}

/// An answer to whoever raised the matter (事事有回音).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// To whom.
    pub to: String,
    /// What.
    pub text: String,
    /// When.
    pub date: Date,
}

/// One line of the history. Never changed, never taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What was done.
    pub act: Act,
    /// By whom.
    pub actor: String,
    /// For which unit; empty for the office that follows up.
    pub unit: String,
    /// When.
    pub time: Timestamp,
    /// The civil day of that in the organ's zone.
    pub day: Date,
    /// From this state.
    pub from: State,
    /// To this one.
    pub to: State,
    /// Other matters that were closed with the same evidence (requirement 63).
    // Written also where it is empty: where a matter is packed, fields go by their place alone.
    #[serde(default)]
    pub same_evidence: Vec<String>,
}

/// A decision on its way to being done (督办事项).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matter {
    /// `organs/{organ}/matters/{matter}`.
    pub name: String,
    /// E.g. `督〔2020〕3号`: gap-free within organ and year.
    pub number: String,
    /// What it was made of.
    pub source: Source,
    /// What is to be done.
    pub content: String,
    /// The one unit that leads (requirement 53).
    pub lead: String,
    /// Units that help.
    pub helpers: Vec<String>,
    /// The leader who answers for it.
    pub leader: String,
    /// Whom to ask.
    pub contact: String,
    /// Immediate or staged.
    pub class: Class,
    /// In order; only of a staged one.
    pub milestones: Vec<Milestone>,
    /// What the decision says comes next.
    pub next: Next,
    /// The draft must be revised before the next act: 原则同意 (requirement 8).
    pub to_revise: bool,
    /// Who raised it and waits for an answer; empty: nobody.
    pub raised_by: String,
    /// The day that is in force; None: none was set.
    pub due: Option<Date>,
    /// The day that was set first: it stays, and counts in statistics.
    pub original_due: Option<Date>,
    /// The deadline as the minutes print it.
    pub printed_due: String,
    /// When the decision takes effect (requirement 57).
    pub effective: Option<Date>,
    /// The day of the decision.
    pub decided: Option<Date>,
    /// 印发日期 of the minutes: notices go out within days of it (requirement 51).
    pub issued: Option<Date>,
    /// When it was made.
    pub established: Timestamp,
    /// Counts acts: what a client compares with.
    pub version: u64,
    /// Where it stands.
    pub state: State,
    /// Approved by whoever picks (requirement 51); empty until then.
    pub approved_by: String,
    /// The day the notice went out.
    pub noticed: Option<Date>,
    /// The day its lead unit signed for the minutes (签收).
    #[serde(default)]
    pub received: Option<Date>,
    /// The day of the revised draft, with its title.
    pub revised: Option<(Date, String)>,
    /// What the other body decided.
    pub outcome: Option<Outcome>,
    /// What was issued.
    pub document: Option<Issued>,
    /// Reports and progress, oldest first.
    pub feedback: Vec<Feedback>,
    /// Who reported last that it is done.
    pub reporter: String,
    /// Who reviewed that, and the day.
    pub reviewed: Option<(String, Date)>,
    /// Evidence that it was struck off with.
    pub evidence: Vec<Evidence>,
    /// Extensions, oldest first.
    pub extensions: Vec<Extension>,
    /// Where it goes on after a suspension.
    pub resume: Option<State>,
    /// 挂牌督办.
    pub listing: Option<Listing>,
    /// Slips, oldest first.
    pub slips: Vec<Slip>,
    /// Objections, oldest first.
    pub objections: Vec<Objection>,
    /// Replies to whoever raised it.
    pub replies: Vec<Reply>,
    /// Days on which it was struck off: more than one where it was reopened (requirement 63).
    pub struck_off: Vec<Date>,
    /// Days on which it was reopened.
    pub reopened: Vec<Date>,
    /// Other matters that were closed with the same evidence.
    pub same_evidence: Vec<String>,
    /// All acts, oldest first.
    pub history: Vec<Entry>,
}

impl Matter {
    /// Whether it is closed and whoever raised it has no answer (事事有回音).
    #[must_use]
    pub fn owes_answer(&self) -> bool {
        self.state.is_end()
            && !self.raised_by.is_empty()
            && !self.replies.iter().any(|reply| reply.to == self.raised_by)
    }
}
