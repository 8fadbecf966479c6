use jiyao_calendar::{Date, Holidays, Timestamp, days_between, days_later};
use jiyao_docnum::DocumentNumber;
use jiyao_fault::{Fault, Reason, Result};
use serde::{Deserialize, Serialize};

use crate::matter::{
    Entry, Extension, Feedback, Issued, Listing, Matter, Next, Objection, Outcome, Reply, Slip,
};
use crate::rules::Rules;
use crate::state::State;

/// Who acts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The principal.
    pub name: String,
    /// The unit that they act for; empty: not bound to one.
    pub unit: String,
}

/// What a decision may know besides the matter.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// Who acts.
    pub actor: &'c Actor,
    /// When.
    pub now: Timestamp,
    /// The civil day of that in the organ's zone.
    pub today: Date,
    /// The organ's settings.
    pub rules: &'c Rules,
    /// Working days.
    pub holidays: &'c Holidays,
}

/// A file that shows what was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it is called.
    pub title: String,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
}

/// What can be done with a matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the fields are those of the proto requests, which say what they are")]
pub enum Act {
    /// The pick is approved, by default by the 秘书长.
    Approve { opinion: String },
    /// 交办: the notice goes out.
    Notify { notice: String },
    /// 签收, by the lead unit.
    Accept,
    /// The lead unit signed for the minutes, on this day: distribution says so.
    SignFor { delivery: String, day: Date },
    /// 办理: how far it is.
    Progress { text: String },
    /// The draft is revised as the meeting asked.
    Revise { title: String },
    /// Sent to the body that must decide.
    Dispatch { paper: String },
    /// What that body decided.
    RecordOutcome { text: String, approved: bool, document: String },
    /// The document that was issued on it.
    RecordIssued { number: String, date: Date },
    /// A milestone is reached, counted from 0.
    Reach { milestone: u32, text: String },
    /// 反馈: the lead unit says that it is done.
    Report { text: String, approver: String },
    /// 审核: accepted, or returned with reasons.
    Review { accept: bool, reason: String },
    /// 延期申请.
    AskExtension { due: Date, reason: String, progress: String },
    /// Its answer.
    DecideExtension { grant: bool, reason: String },
    /// 中止, by a new decision that is named.
    Suspend { decision: String, reason: String },
    /// It goes on.
    Resume { reason: String },
    /// 销号.
    StrikeOff { evidence: Vec<Evidence>, reason: String },
    /// It was not done after all.
    Reopen { reason: String },
    /// 挂牌督办.
    ListPublicly { level: String, deadline: Date, notice: String },
    /// A later end of the listing.
    ExtendListing { deadline: Date, reason: String },
    /// 摘牌.
    Delist { notice: String },
    /// A slip of supervision.
    SendSlip { level: u32, requirement: String, due: Date, grave: bool },
    /// What came of the last slip.
    AnswerSlip { text: String, excused: bool },
    /// The unit does not agree with a conclusion.
    Object { text: String },
    /// What was decided on that.
    DecideObjection { upheld: bool, reason: String },
    /// An answer to whoever raised it.
    Answer { to: String, text: String },
}

impl Act {
    /// Its name, as in the RPC.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "APPROVE",
            Self::Notify { .. } => "NOTIFY",
            Self::Accept => "ACCEPT",
            Self::SignFor { .. } => "SIGN_FOR",
            Self::Progress { .. } => "PROGRESS",
            Self::Revise { .. } => "REVISE",
            Self::Dispatch { .. } => "DISPATCH",
            Self::RecordOutcome { .. } => "RECORD_OUTCOME",
            Self::RecordIssued { .. } => "RECORD_ISSUED",
            Self::Reach { .. } => "REACH",
            Self::Report { .. } => "REPORT",
            Self::Review { .. } => "REVIEW",
            Self::AskExtension { .. } => "ASK_EXTENSION",
            Self::DecideExtension { .. } => "DECIDE_EXTENSION",
            Self::Suspend { .. } => "SUSPEND",
            Self::Resume { .. } => "RESUME",
            Self::StrikeOff { .. } => "STRIKE_OFF",
            Self::Reopen { .. } => "REOPEN",
            Self::ListPublicly { .. } => "LIST_PUBLICLY",
            Self::ExtendListing { .. } => "EXTEND_LISTING",
            Self::Delist { .. } => "DELIST",
            Self::SendSlip { .. } => "SEND_SLIP",
            Self::AnswerSlip { .. } => "ANSWER_SLIP",
            Self::Object { .. } => "OBJECT",
            Self::DecideObjection { .. } => "DECIDE_OBJECTION",
            Self::Answer { .. } => "ANSWER",
        }
    }

    /// Whether only the lead unit may do it.
    #[must_use]
    pub fn is_of_the_unit(&self) -> bool {
        matches!(
            self,
            Self::Accept
                | Self::Progress { .. }
                | Self::Revise { .. }
                | Self::Dispatch { .. }
                | Self::Reach { .. }
                | Self::Report { .. }
                | Self::AskExtension { .. }
                | Self::AnswerSlip { .. }
                | Self::Object { .. }
        )
    }

    /// Words that must not be empty, with their fields.
    fn words(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Approve { opinion } => vec![("opinion", opinion)],
            Self::Notify { notice } | Self::Delist { notice } => vec![("notice", notice)],
            Self::Accept | Self::SignFor { .. } => Vec::new(),
            Self::Progress { text } | Self::Reach { text, .. } | Self::Object { text } => {
                vec![("text", text)]
            }
            Self::AnswerSlip { text, .. } | Self::RecordOutcome { text, .. } => vec![("text", text)],
            Self::Revise { title } => vec![("title", title)],
            Self::Dispatch { paper } => vec![("paper", paper)],
            Self::RecordIssued { number, .. } => vec![("number", number)],
            Self::Report { text, approver } => vec![("text", text), ("approver", approver)],
            Self::Review { reason, accept } if !accept => vec![("reason", reason)],
            Self::Review { .. } => Vec::new(),
            Self::AskExtension { reason, progress, .. } => vec![("reason", reason), ("progress", progress)],
            Self::DecideExtension { reason, .. }
            | Self::Resume { reason }
            | Self::StrikeOff { reason, .. }
            | Self::Reopen { reason }
            | Self::ExtendListing { reason, .. }
            | Self::DecideObjection { reason, .. } => vec![("reason", reason)],
            Self::Suspend { decision, reason } => vec![("decision", decision), ("reason", reason)],
            Self::ListPublicly { level, notice, .. } => vec![("level", level), ("notice", notice)],
            Self::SendSlip { requirement, .. } => vec![("requirement", requirement)],
            Self::Answer { to, text } => vec![("to", to), ("text", text)],
        }
    }
}

/// Highest level of a slip: no office is known that has more than some.
const HIGHEST_SLIP: u32 = 9;
/// Longest text of an act, in bytes.
const LONGEST_WORDS: usize = 8000;
/// Most files of evidence.
const MOST_EVIDENCE: usize = 50;

fn refuse(reason: Reason) -> Fault {
    Fault::new(reason)
}

impl Matter {
    /// Whether it is a unit's matter: whether that unit leads or helps.
    #[must_use]
    pub fn is_of(&self, unit: &str) -> bool {
        self.lead == unit || self.helpers.iter().any(|helper| helper == unit)
    }

    /// Decides an act: the entry that it becomes, or why not. Nothing changes.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `FIELD_INVALID`; `UNIT_FOREIGN`; `STATE_FORBIDS`; `NEXT_ACT_OPEN`; `SAME_PERSON`;
    /// `EVIDENCE_MISSING`; `TOO_LATE`; `SLIP_EARLY`; `HOLIDAYS_UNKNOWN`.
    pub fn decide(&self, act: Act, context: &Context<'_>) -> Result<Entry> {
        for (field, words) in act.words() {
            if words.trim().is_empty() {
                return Err(Fault::required(field));
            }
            if words.len() > LONGEST_WORDS {
                return Err(Fault::invalid(
                    field,
                    format!("{} bytes, more than {LONGEST_WORDS}", words.len()),
                ));
            }
        }
        let Context { actor, today, .. } = *context;
        let is_foreign = act.is_of_the_unit() && actor.unit != self.lead;
        // What another body decided or what was issued the office may record, and of the units those that work on it.
        let is_told = matches!(act, Act::RecordOutcome { .. } | Act::RecordIssued { .. });
        let is_office = actor.unit.is_empty();
        if is_foreign || (is_told && !is_office && !self.is_of(&actor.unit)) {
            return Err(refuse(Reason::UnitForeign).with("unit", &actor.unit).with("lead", &self.lead));
        }
        let to = self.leads_to(&act).ok_or_else(|| {
            refuse(Reason::StateForbids).with("state", self.state.as_str()).with("act", act.name())
        })?;
        self.allow(&act, context)?;
        Ok(Entry {
            act,
            actor: actor.name.clone(),
            unit: actor.unit.clone(),
            time: context.now,
            day: today,
            from: self.state,
            to,
            same_evidence: Vec::new(),
        })
    }

    /// The state that an act leads to from this one; None where it is not allowed.
    fn leads_to(&self, act: &Act) -> Option<State> {
        use State::{
            Accepted, Assigned, AwaitingBody, Established, ExtensionAsked, Finished, Returned, StruckOff,
            Suspended, UnderReview, Underway,
        };
        let here = self.state;
        let is = |holds: bool, to: State| holds.then_some(to);
        match act {
            Act::Approve { .. } => is(here == Established && self.approved_by.is_empty(), Established),
            Act::Notify { .. } => is(here == Established, Assigned),
            Act::Accept => is(here == Assigned, Accepted),
            Act::Progress { .. } | Act::Reach { .. } => is(here.is_in_hand(), Underway),
            Act::Revise { .. } => is(here.is_in_hand() && self.to_revise, Underway),
            Act::Dispatch { .. } => {
                is(here.is_in_hand() && matches!(self.next, Next::Submit { .. }), AwaitingBody)
            }
            Act::RecordOutcome { approved, .. } => {
                is(here == AwaitingBody, if *approved { Underway } else { Returned })
            }
            Act::RecordIssued { .. } => is(here.is_in_hand() && self.next == Next::Issue, Underway),
            Act::Report { .. } => is(here.is_in_hand(), UnderReview),
            Act::Review { accept, .. } => is(here == UnderReview, if *accept { Finished } else { Returned }),
            Act::AskExtension { .. } => is(here.is_in_hand(), ExtensionAsked),
            Act::DecideExtension { .. } => {
                let asked = self.extensions.last().filter(|_| here == ExtensionAsked)?;
                Some(asked.resume)
            }
            Act::Suspend { .. } => {
                is(here.is_in_hand() || matches!(here, Assigned | AwaitingBody), Suspended)
            }
            Act::Resume { .. } => self.resume.filter(|_| here == Suspended),
            Act::StrikeOff { .. } => is(here == Finished, StruckOff),
            Act::Reopen { .. } => is(here.is_end(), Underway),
            Act::ListPublicly { .. } => is(!here.is_end() && !self.is_listed(), here),
            Act::ExtendListing { .. } => is(!here.is_end() && self.is_listed(), here),
            Act::Delist { .. } => is(here.is_end() && self.is_listed(), here),
            Act::SendSlip { .. } => is(!here.is_end() && here != Established, here),
            Act::AnswerSlip { .. } => is(self.slips.last().is_some_and(|slip| slip.excused.is_none()), here),
            Act::Object { .. } => is(self.reviewed.is_some() && self.open_objection().is_none(), here),
            Act::DecideObjection { .. } => is(self.open_objection().is_some(), here),
            Act::SignFor { .. } => is(!here.is_end() && self.received.is_none(), here),
            Act::Answer { .. } => Some(here),
        }
    }

    fn is_listed(&self) -> bool {
        self.listing.as_ref().is_some_and(|listing| listing.delisted.is_none())
    }

    fn open_objection(&self) -> Option<&Objection> {
        self.objections.last().filter(|objection| objection.upheld.is_none())
    }

    /// The next act of the decision must be done, the revision before it (requirements 8, 55 and 56).
    fn next_is_done(&self) -> Result<()> {
        let open = |what: &str| Err(refuse(Reason::NextActOpen).with("what", what));
        self.is_revised()?;
        match &self.next {
            Next::Carry => Ok(()),
            Next::Issue if self.document.is_none() => open("issued document"),
            Next::Submit { .. } if !self.outcome.as_ref().is_some_and(|outcome| outcome.approved) => {
                open("outcome of the body")
            }
            Next::Issue | Next::Submit { .. } => Ok(()),
        }
    }

    fn is_revised(&self) -> Result<()> {
        if self.to_revise && self.revised.is_none() {
            return Err(refuse(Reason::NextActOpen).with("what", "revised draft"));
        }
        Ok(())
    }

    /// What must hold besides the state.
    fn allow(&self, act: &Act, context: &Context<'_>) -> Result<()> {
        let Context { actor, today, rules, holidays, .. } = *context;
        let same = |other: &str, role: &'static str| {
            let is_same = !other.is_empty() && other == actor.name;
            let fault = || refuse(Reason::SamePerson).with("principal", other).with("role", role);
            if is_same { Err(fault()) } else { Ok(()) }
        };
        let unknown =
            |year: jiyao_calendar::UnknownYear| refuse(Reason::HolidaysUnknown).with("year", year.0);
        let late = |due: Date| Err(refuse(Reason::TooLate).with("due", due).with("today", today));
        let after_today = |day: Date, field: &str| {
            if day > today { Ok(()) } else { Err(Fault::invalid(field, day)) }
        };
        match act {
            Act::Notify { .. } if rules.needs_approval && self.approved_by.is_empty() => {
                Err(refuse(Reason::NextActOpen).with("what", "approval of the pick"))
            }
            Act::Dispatch { .. } => self.is_revised(),
            Act::RecordIssued { number, date } => {
                DocumentNumber::strict(number)
                    .map_err(|why| Fault::invalid("number", number).with("why", why.as_str()))?;
                if *date > today || self.decided.is_some_and(|decided| *date < decided) {
                    return Err(Fault::invalid("date", date));
                }
                self.is_revised()
            }
            Act::Reach { milestone, .. } => {
                let found = self.milestones.get(*milestone as usize);
                let open = found.is_some_and(|found| found.reached.is_none());
                if open { Ok(()) } else { Err(Fault::invalid("milestone", milestone)) }
            }
            Act::Report { .. } => self.next_is_done(),
            Act::Review { .. } => same(&self.reporter, "reporter"),
            Act::AskExtension { due, .. } => match self.due {
                Some(before) if today > before => late(before),
                Some(before) if *due <= before => Err(Fault::invalid("due", due)),
                _ => after_today(*due, "due"),
            },
            Act::DecideExtension { .. } => {
                same(self.extensions.last().map_or("", |extension| &extension.asked_by), "applicant")
            }
            Act::StrikeOff { evidence, .. } => {
                if evidence.is_empty() {
                    return Err(refuse(Reason::EvidenceMissing).at("evidence"));
                }
                if evidence.len() > MOST_EVIDENCE {
                    return Err(Fault::invalid("evidence", evidence.len()));
                }
                for (at, file) in evidence.iter().enumerate() {
                    let is_digest = file.sha256.len() == 64
                        && file.sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                    if file.title.trim().is_empty() || file.title.len() > LONGEST_WORDS {
                        return Err(Fault::required(&format!("evidence[{at}].title")));
                    }
                    if !is_digest {
                        return Err(Fault::invalid(&format!("evidence[{at}].sha256"), &file.sha256));
                    }
                }
                self.next_is_done()?;
                same(&self.reporter, "reporter")
            }
            Act::ListPublicly { deadline, .. } => {
                after_today(*deadline, "deadline")?;
                let longest = days_later(today, 366);
                if *deadline > longest { Err(Fault::invalid("deadline", deadline)) } else { Ok(()) }
            }
            Act::ExtendListing { deadline, .. } => {
                let Some(listing) = &self.listing else { return Ok(()) };
                if *deadline <= listing.deadline {
                    return Err(Fault::invalid("deadline", deadline));
                }
                let left = holidays.between(today, listing.deadline).map_err(unknown)?;
                if left < rules.listing_extension_days { late(listing.deadline) } else { Ok(()) }
            }
            Act::SendSlip { level, due, grave, .. } => {
                after_today(*due, "due")?;
                let last = self.slips.last();
                let reached = last.map_or(0, |slip| slip.level);
                let lapsed = last.is_none_or(|slip| slip.due < today && slip.excused != Some(true));
                if *level > HIGHEST_SLIP {
                    return Err(Fault::invalid("level", level));
                }
                let is_next = *level == reached.saturating_add(1) && lapsed;
                if *level == 0 || *level <= reached || (!is_next && !grave) {
                    return Err(refuse(Reason::SlipEarly).with("level", level).with("reached", reached));
                }
                Ok(())
            }
            Act::Object { .. } => {
                let concluded = self.reviewed.as_ref().map_or(today, |(_, day)| *day);
                let last = days_later(concluded, i64::from(rules.objection_days));
                if today > last { late(last) } else { Ok(()) }
            }
            Act::DecideObjection { .. } => {
                let Some(objection) = self.open_objection() else { return Ok(()) };
                same(&objection.concluded_by, "author of the conclusion")?;
                same(&objection.by, "applicant")?;
                let last = days_later(objection.date, i64::from(rules.objection_days));
                if today > last { late(last) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    /// Brings the matter up to date with an entry. Decides nothing.
    pub fn apply(&mut self, entry: Entry) {
        let Entry { actor, day, .. } = &entry;
        let (actor, day) = (actor.clone(), *day);
        match entry.act.clone() {
            Act::Approve { .. } => self.approved_by = actor,
            Act::Notify { .. } => self.noticed = Some(day),
            Act::Accept | Act::Resume { .. } => {}
            Act::Progress { .. } => self.hear(actor, String::new(), day, false),
            Act::Revise { title } => self.revised = Some((day, title)),
            Act::Dispatch { .. } => self.outcome = None,
            Act::RecordOutcome { text, approved, document } => {
                self.outcome = Some(Outcome { text, approved, document, date: day });
            }
            Act::RecordIssued { number, date } => self.document = Some(Issued { number, date }),
            Act::Reach { milestone, .. } => {
                if let Some(found) = self.milestones.get_mut(milestone as usize) {
                    found.reached = Some(day);
                }
                self.hear(actor, String::new(), day, false);
            }
            Act::Report { approver, .. } => {
                self.reporter.clone_from(&actor);
                self.hear(actor, approver, day, true);
            }
            Act::Review { .. } => self.reviewed = Some((actor, day)),
            Act::AskExtension { due, reason, progress } => {
                let resume = entry.from;
                self.extensions.push(Extension {
                    due,
                    reason,
                    progress,
                    asked_by: actor,
                    resume,
                    granted: None,
                });
            }
            Act::DecideExtension { grant, .. } => {
                if let Some(asked) = self.extensions.last_mut() {
                    asked.granted = Some(grant);
                    if grant {
                        self.due = Some(asked.due);
                    }
                }
            }
            Act::Suspend { .. } => self.resume = Some(entry.from),
            Act::StrikeOff { evidence, .. } => {
                self.evidence = evidence;
                self.struck_off.push(day);
                self.same_evidence.clone_from(&entry.same_evidence);
            }
            Act::Reopen { .. } => self.reopened.push(day),
            Act::ListPublicly { level, deadline, notice } => {
                self.listing = Some(Listing {
                    level,
                    listed: day,
                    deadline,
                    notice,
                    delisted: None,
                    delisting_notice: String::new(),
                });
            }
            Act::ExtendListing { deadline, .. } => {
                if let Some(listing) = &mut self.listing {
                    listing.deadline = deadline;
                }
            }
            Act::Delist { notice } => {
                if let Some(listing) = &mut self.listing {
                    listing.delisted = Some(day);
                    listing.delisting_notice = notice;
                }
            }
            Act::SendSlip { level, requirement, due, grave } => {
                let answer = String::new();
                self.slips.push(Slip { level, requirement, due, grave, answer, excused: None });
            }
            Act::AnswerSlip { text, excused } => {
                if let Some(slip) = self.slips.last_mut() {
                    (slip.answer, slip.excused) = (text, Some(excused));
                }
            }
            Act::Object { text } => {
                let concluded_by = self.reviewed.as_ref().map(|(by, _)| by.clone()).unwrap_or_default();
                self.objections.push(Objection { text, by: actor, date: day, concluded_by, upheld: None });
            }
            Act::DecideObjection { upheld, .. } => {
                if let Some(objection) = self.objections.last_mut() {
                    objection.upheld = Some(upheld);
                }
            }
            Act::SignFor { day, .. } => self.received = Some(day),
            Act::Answer { to, text } => self.replies.push(Reply { to, text, date: day }),
        }
        self.state = entry.to;
        self.version += 1;
        self.history.push(entry);
    }

    fn hear(&mut self, by: String, approver: String, date: Date, is_final: bool) {
        self.feedback.push(Feedback { by, approver, date, is_final });
    }

    /// Days left until it is due, negative when it is late; None where no day was set.
    #[must_use]
    pub fn days_left(&self, today: Date) -> Option<i64> {
        self.due.map(|due| days_between(today, due))
    }
}
