//! The register of requests for disclosure (依申请公开, requirement 49).

use jiyao_calendar::{Date, Holidays};
use jiyao_fault::{Fault, Reason, Result};
use serde::{Deserialize, Serialize};

/// The seven kinds of answer (政府信息公开条例 art. 36).
pub const ANSWERS: [&str; 7] =
    ["ALREADY_PUBLIC", "GIVEN", "WITHHELD", "NOT_HELD", "OTHER_BODY", "ANSWERED_BEFORE", "OTHER_REGISTER"];

/// Where a request stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RequestState {
    /// The clock runs.
    #[default]
    Open,
    /// The applicant was asked to complete it.
    AwaitingCompletion,
    /// A third party was asked: the clock stands.
    AwaitingThirdParty,
    /// Answered.
    Answered,
    /// Not completed in time, and given up.
    Dropped,
}

impl RequestState {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::AwaitingCompletion => "AWAITING_COMPLETION",
            Self::AwaitingThirdParty => "AWAITING_THIRD_PARTY",
            Self::Answered => "ANSWERED",
            Self::Dropped => "DROPPED",
        }
    }
}

/// What is done with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the fields are those of the proto requests, which say what they are")]
pub enum RequestAct {
    /// The applicant is asked to complete it, within working days of its receipt.
    AskCompletion { what: String },
    /// It was completed: the clock starts anew.
    Complete,
    /// Never completed.
    Drop { reason: String },
    /// A third party is asked.
    AskThirdParty { party: String },
    /// They said something, or nothing in time.
    HearThirdParty { text: String },
    /// Once, by at most 20 working days.
    Extend { working_days: u32, reason: String },
    /// One of the seven answers.
    Answer { kind: String, text: String },
}

impl RequestAct {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AskCompletion { .. } => "ASK_COMPLETION",
            Self::Complete => "COMPLETE",
            Self::Drop { .. } => "DROP",
            Self::AskThirdParty { .. } => "ASK_THIRD_PARTY",
            Self::HearThirdParty { .. } => "HEAR_THIRD_PARTY",
            Self::Extend { .. } => "EXTEND",
            Self::Answer { .. } => "ANSWER",
        }
    }
}

/// One line of a request's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestEntry {
    /// What.
    pub act: RequestAct,
    /// By whom.
    pub actor: String,
    /// The civil day.
    pub day: Date,
    /// Working days that the clock stood still until then, where a third party was heard.
    #[serde(default)]
    pub stood_still: u32,
}

/// A request for disclosure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `organs/{organ}/disclosureRequests/{request}`.
    pub name: String,
    /// Who asks.
    pub applicant: String,
    /// For what.
    pub subject: String,
    /// `organs/{organ}/minutes/{minutes}` that it is about; empty: none that is known.
    pub minutes: String,
    /// When it came in.
    pub received: Date,
    /// Since when the clock runs.
    pub since: Date,
    /// Where it stands.
    pub state: RequestState,
    /// Counts acts.
    pub version: u64,
    /// Working days that it was extended by.
    pub extended: u32,
    /// Working days that a third party took: they do not count.
    pub stood_still: u32,
    /// Since when a third party is asked.
    pub asked: Option<Date>,
    /// All acts, oldest first.
    pub history: Vec<RequestEntry>,
}

/// Working days to answer (art. 33), and to extend by.
const TO_ANSWER: u32 = 20;
/// Working days to ask for completion (art. 30).
const TO_ASK: u32 = 7;

fn unknown(year: jiyao_calendar::UnknownYear) -> Fault {
    Fault::new(Reason::HolidaysUnknown).with("year", year.0)
}

impl Request {
    /// The last day to answer, as of a day: while a third party is asked it moves on.
    ///
    /// # Errors
    /// `HOLIDAYS_UNKNOWN`.
    pub fn due(&self, today: Date, holidays: &Holidays) -> Result<Date> {
        let standing = match self.asked {
            Some(asked) => holidays.between(asked, today.max(asked)).map_err(unknown)?,
            None => 0,
        };
        holidays.after(self.since, TO_ANSWER + self.extended + self.stood_still + standing).map_err(unknown)
    }

    /// Whether it is late on a day.
    ///
    /// # Errors
    /// `HOLIDAYS_UNKNOWN`.
    pub fn is_late(&self, today: Date, holidays: &Holidays) -> Result<bool> {
        let is_open = matches!(self.state, RequestState::Open | RequestState::AwaitingThirdParty);
        Ok(is_open && today > self.due(today, holidays)?)
    }

    /// Decides an act: the entry that it becomes, or why not.
    ///
    /// # Errors
    /// `STATE_FORBIDS`, `TOO_LATE`, `HOLIDAYS_UNKNOWN`, `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub fn decide(
        &self,
        act: RequestAct,
        actor: &str,
        today: Date,
        holidays: &Holidays,
    ) -> Result<RequestEntry> {
        use RequestState::{AwaitingCompletion, AwaitingThirdParty, Open};
        let required = |value: &str, field: &str| {
            if value.trim().is_empty() { Err(Fault::required(field)) } else { Ok(()) }
        };
        let allowed = match &act {
            RequestAct::AskCompletion { .. } | RequestAct::AskThirdParty { .. } => self.state == Open,
            RequestAct::Complete | RequestAct::Drop { .. } => self.state == AwaitingCompletion,
            RequestAct::HearThirdParty { .. } => self.state == AwaitingThirdParty,
            RequestAct::Extend { .. } => self.state == Open && self.extended == 0,
            RequestAct::Answer { .. } => self.state == Open,
        };
        if !allowed {
            return Err(Fault::new(Reason::StateForbids)
                .with("state", self.state.as_str())
                .with("act", act.name()));
        }
        match &act {
            RequestAct::AskCompletion { what } => {
                required(what, "what")?;
                let last = holidays.after(self.received, TO_ASK).map_err(unknown)?;
                if today > last {
                    return Err(Fault::new(Reason::TooLate).with("due", last).with("today", today));
                }
            }
            RequestAct::Drop { reason } => required(reason, "reason")?,
            RequestAct::AskThirdParty { party } => required(party, "party")?,
            RequestAct::HearThirdParty { text } => required(text, "text")?,
            RequestAct::Extend { working_days, reason } => {
                required(reason, "reason")?;
                if !(1..=TO_ANSWER).contains(working_days) {
                    return Err(Fault::invalid("working_days", working_days));
                }
                let due = self.due(today, holidays)?;
                if today > due {
                    return Err(Fault::new(Reason::TooLate).with("due", due).with("today", today));
                }
            }
            RequestAct::Answer { kind, text } => {
                if !ANSWERS.contains(&kind.as_str()) {
                    return Err(Fault::invalid("kind", kind));
                }
                required(text, "text")?;
            }
            RequestAct::Complete => {}
        }
        let stood_still = match (&act, self.asked) {
            (RequestAct::HearThirdParty { .. }, Some(asked)) => {
                holidays.between(asked, today.max(asked)).map_err(unknown)?
            }
            _ => 0,
        };
        Ok(RequestEntry { act, actor: actor.to_owned(), day: today, stood_still })
    }

    /// Brings the request up to date.
    pub fn apply(&mut self, entry: RequestEntry) {
        self.version += 1;
        match &entry.act {
            RequestAct::AskCompletion { .. } => self.state = RequestState::AwaitingCompletion,
            RequestAct::Complete => {
                self.state = RequestState::Open;
                self.since = entry.day;
                // The days begin anew: what stood still of the old ones is over.
                self.stood_still = 0;
            }
            RequestAct::Drop { .. } => self.state = RequestState::Dropped,
            RequestAct::AskThirdParty { .. } => {
                self.state = RequestState::AwaitingThirdParty;
                self.asked = Some(entry.day);
            }
            RequestAct::HearThirdParty { .. } => {
                self.state = RequestState::Open;
                self.asked = None;
                self.stood_still += entry.stood_still;
            }
            RequestAct::Extend { working_days, .. } => self.extended = *working_days,
            RequestAct::Answer { .. } => self.state = RequestState::Answered,
        }
        self.history.push(entry);
    }
}
