//! 草稿 → 审核 → 签发 → 复核 → 登记 → 印制 → 核发(印发) → 公开 → 归档: nothing is skipped, nothing back-dated
//! (requirement 11).

use jiyao_calendar::{Date, Timestamp};
use jiyao_fault::{Fault, Reason, Result};
use serde::{Deserialize, Serialize};

use crate::disclosure::{Disclosure, DisclosureClass, Passage, Secrecy, check_disclosure, check_secrecy};
use crate::sign_off::SignOff;

/// How far minutes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    /// 草稿.
    #[default]
    Draft,
    /// 审核: handed in, the chain's reviewers look at it one after the other.
    Review,
    /// All reviewers have agreed: it waits for its signer.
    Reviewed,
    /// 签发.
    Signed,
    /// 复核.
    Proofread,
    /// 登记: it has its number.
    Registered,
    /// 印制.
    Printed,
    /// 核发, 印发: read-only from here on.
    Issued,
    /// 公开.
    Published,
    /// 归档.
    Archived,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 10] = [
        Self::Draft,
        Self::Review,
        Self::Reviewed,
        Self::Signed,
        Self::Proofread,
        Self::Registered,
        Self::Printed,
        Self::Issued,
        Self::Published,
        Self::Archived,
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Review => "REVIEW",
            Self::Reviewed => "REVIEWED",
            Self::Signed => "SIGNED",
            Self::Proofread => "PROOFREAD",
            Self::Registered => "REGISTERED",
            Self::Printed => "PRINTED",
            Self::Issued => "ISSUED",
            Self::Published => "PUBLISHED",
            Self::Archived => "ARCHIVED",
        }
    }

    /// Whether matters may be made of it, and its content stays.
    #[must_use]
    pub fn is_issued(self) -> bool {
        self >= Self::Issued
    }
}

/// How somebody agreed (requirement 12): a circle or a bare name counts as consent and is shown as what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mark {
    /// In words.
    #[default]
    Words,
    /// 圈阅.
    Circle,
    /// The name alone.
    Name,
}

/// Recipients frozen before issue, as distribution says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenScope {
    /// The revision that they get.
    pub revision: u64,
    /// The planned day of issue.
    pub date: Date,
    /// Hash of the frozen list, in hexadecimal digits.
    pub hash: String,
}

/// Whether the meeting could decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Quorum {
    /// Nobody has said.
    #[default]
    Unknown,
    /// Enough members were there.
    Met,
    /// Not enough.
    NotMet,
    /// Not enough, but decided otherwise by somebody with a reason.
    Overridden,
    /// The organ has no such rule.
    NoRule,
}

impl Quorum {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Met => "MET",
            Self::NotMet => "NOT_MET",
            Self::Overridden => "OVERRIDDEN",
            Self::NoRule => "NO_RULE",
        }
    }
}

/// An item that is a 重大行政决策 (requirement 18).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Major {
    /// Which item, from 0.
    pub item: u32,
    /// Result of the legality review.
    pub review: String,
    /// Its day, before the meeting.
    pub review_date: Date,
    /// The head decided against the majority.
    pub differs: bool,
    /// Why; required then.
    pub reason: String,
}

/// What can be done with minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the fields are those of the proto requests, which say what they are")]
pub enum Act {
    /// 送审.
    Submit { opinion: String },
    /// 审核, by the next post of the chain.
    Review { post: String, mark: Mark, opinion: String, approve: bool },
    /// 签发.
    Sign { post: String, mark: Mark, opinion: String, date: Option<Date>, disclosure: Option<Disclosure> },
    /// 复核.
    Proofread { opinion: String },
    /// Content was changed after it was handed in.
    Amend { formatting: bool, from_revision: u64, to_revision: u64, note: String },
    /// 登记, with the number that it gets.
    Register { series: String, number: String, copies: u32, scope: String },
    /// 印制.
    Print { copies: u32 },
    /// 核发, 印发.
    Issue,
    /// Distribution froze the recipients.
    RecordScope { scope: FrozenScope },
    /// A passage is of another class than the whole.
    MarkPassage { passage: Passage },
    /// 公开; `separable`: without the withheld passages.
    Publish { place: String, separable: bool },
    /// 归档.
    Archive { file: String },
    /// Whether the meeting could decide.
    RecordQuorum { outcome: Quorum, reason: String },
    /// What the drafter proposes.
    ProposeDisclosure { disclosure: Disclosure },
    /// 定密.
    SetSecrecy { secrecy: Option<Secrecy>, reason: String },
    /// 解密: after the signature, by a document or because its term ended.
    Declassify { document: String, reason: String },
    /// Another 公开属性 than the signer decided, as after a re-assessment (requirement 48).
    Reclassify { disclosure: Disclosure, reason: String },
    /// An item is a 重大行政决策.
    FlagMajor { major: Major },
    /// A correction took its place (更正重印件).
    Replace { by: String },
    /// The correction was itself revoked or withdrawn: it is in force again.
    Reinstate { was: String },
    /// 撤销: void from its first day.
    Revoke { document: String, reason: String },
    /// 废止: from a day on.
    Repeal { from: Date, document: String, reason: String },
    /// It should never have been recorded.
    Void { reason: String },
}

impl Act {
    /// Name of [`Act::Issue`].
    pub const ISSUE: &'static str = "ISSUE";
    /// Name of [`Act::Publish`].
    pub const PUBLISH: &'static str = "PUBLISH";
    /// Name of [`Act::SetSecrecy`].
    pub const SET_SECRECY: &'static str = "SET_SECRECY";
    /// Name of [`Act::Declassify`].
    pub const DECLASSIFY: &'static str = "DECLASSIFY";

    /// Whether it is about what the minutes say. All others are about where they stand in law and in the register, and
    /// go on when their content was erased.
    #[must_use]
    pub fn needs_content(&self) -> bool {
        match self {
            Self::Submit { .. }
            | Self::Review { .. }
            | Self::Sign { .. }
            | Self::Proofread { .. }
            | Self::Amend { .. }
            | Self::Register { .. }
            | Self::Print { .. }
            | Self::Issue
            | Self::MarkPassage { .. }
            | Self::Publish { .. }
            | Self::ProposeDisclosure { .. }
            | Self::FlagMajor { .. } => true,
            Self::RecordScope { .. }
            | Self::Archive { .. }
            | Self::RecordQuorum { .. }
            | Self::SetSecrecy { .. }
            | Self::Declassify { .. }
            | Self::Reclassify { .. }
            | Self::Replace { .. }
            | Self::Reinstate { .. }
            | Self::Revoke { .. }
            | Self::Repeal { .. }
            | Self::Void { .. } => false,
        }
    }

    /// Its name, in integration events too.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Submit { .. } => "SUBMIT",
            Self::Review { .. } => "REVIEW",
            Self::Sign { .. } => "SIGN",
            Self::Proofread { .. } => "PROOFREAD",
            Self::Amend { .. } => "AMEND",
            Self::Register { .. } => "REGISTER",
            Self::Print { .. } => "PRINT",
            Self::Issue => Self::ISSUE,
            Self::RecordScope { .. } => "RECORD_SCOPE",
            Self::MarkPassage { .. } => "MARK_PASSAGE",
            Self::Publish { .. } => Self::PUBLISH,
            Self::Archive { .. } => "ARCHIVE",
            Self::RecordQuorum { .. } => "RECORD_QUORUM",
            Self::ProposeDisclosure { .. } => "PROPOSE_DISCLOSURE",
            Self::SetSecrecy { .. } => Self::SET_SECRECY,
            Self::Declassify { .. } => Self::DECLASSIFY,
            Self::Reclassify { .. } => "RECLASSIFY",
            Self::FlagMajor { .. } => "FLAG_MAJOR",
            Self::Replace { .. } => "REPLACE",
            Self::Reinstate { .. } => "REINSTATE",
            Self::Revoke { .. } => "REVOKE",
            Self::Repeal { .. } => "REPEAL",
            Self::Void { .. } => "VOID",
        }
    }
}

/// One line of the processing sheet (文件处理单). Never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What was done.
    pub act: Act,
    /// By whom.
    pub actor: String,
    /// When.
    pub time: Timestamp,
    /// The civil day of that.
    pub day: Date,
    /// From this stage.
    pub from: Stage,
    /// To this one.
    pub to: Stage,
    /// The revision that was looked at.
    pub revision: u64,
    /// Signed for another post (代), by this document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated_by: Option<String>,
}

/// Where minutes stand in law on a day (requirement 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not issued by that day.
    NotIssued,
    /// In force.
    InForce,
    /// A correction has taken its place.
    Replaced,
    /// 废止 before that day.
    Repealed,
    /// 撤销: void from the first day, whatever the day asked for.
    Revoked,
    /// Withdrawn from the record.
    Voided,
}

/// What a decision may know besides the life.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// The principal.
    pub actor: &'c str,
    /// When.
    pub now: Timestamp,
    /// The civil day of that in the organ's zone.
    pub today: Date,
    /// The organ's chains, posts and delegations.
    pub sign_off: &'c SignOff,
    /// The meeting's kind as read.
    pub meeting_kind: &'c str,
    /// The meeting's day as read.
    pub meeting_date: Option<Date>,
    /// 成文日期 as the text prints it.
    pub printed_date: Option<Date>,
    /// The number as the text prints it, in the standard form.
    pub printed_number: Option<&'c str>,
    /// How many items.
    pub items: u32,
    /// The deployment takes state secrets.
    pub takes_secrets: bool,
    /// The organ may set 绝密: it is above a city's.
    pub may_top_secret: bool,
    /// The revision that is looked at.
    pub revision: u64,
    /// An issue needs frozen recipients: distribution is followed.
    pub needs_scope: bool,
    /// 公开属性 as the text prints it (附注).
    pub printed_class: Option<DisclosureClass>,
}

/// The life of one minutes. Four dates stand apart: meeting, signature, issue, publication (requirement 1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// How far it is.
    pub stage: Stage,
    /// Counts acts.
    pub version: u64,
    /// Who imported the draft.
    pub drafter: String,
    /// Posts that have agreed, in the order of the chain.
    pub reviewed: Vec<String>,
    /// 成文日期: the day of the signature.
    pub signed: Option<Date>,
    /// The revision that was signed; None with `signed`.
    pub signed_revision: Option<u64>,
    /// 发文字号.
    pub number: String,
    /// Copies and scope, fixed at 登记.
    pub copies: u32,
    /// Who gets it, in words.
    pub scope: String,
    /// 印发日期.
    pub issued: Option<Date>,
    /// When it was made public.
    pub published: Option<Date>,
    /// When the class was changed after the signature: what became public then is due from then on.
    #[serde(default)]
    pub reclassified: Option<Date>,
    /// When it was filed.
    pub archived: Option<Date>,
    /// What the drafter proposed, then what the signer decided.
    pub disclosure: Option<Disclosure>,
    /// 密级.
    pub secrecy: Option<Secrecy>,
    /// Recipients, frozen before issue.
    #[serde(default)]
    pub frozen: Option<FrozenScope>,
    /// Passages of another class.
    #[serde(default)]
    pub passages: Vec<Passage>,
    /// Whether the meeting could decide.
    pub quorum: Quorum,
    /// Items that are 重大行政决策.
    pub majors: Vec<Major>,
    /// The correction that took its place.
    pub replaced_by: String,
    /// Since when.
    pub replaced: Option<Date>,
    /// 撤销.
    pub revoked: Option<Date>,
    /// 废止 from this day.
    pub repealed: Option<Date>,
    /// Withdrawn.
    pub voided: Option<Date>,
    /// All acts, oldest first.
    pub history: Vec<Entry>,
}

const LONGEST_WORDS: usize = 8000;

impl Life {
    /// Life of minutes that came in as issued elsewhere: their dates stay claims of the text.
    #[must_use]
    pub fn issued_elsewhere() -> Self {
        Self { stage: Stage::Issued, quorum: Quorum::NoRule, ..Self::default() }
    }

    /// Life of a draft.
    #[must_use]
    pub fn draft(drafter: &str) -> Self {
        Self { drafter: drafter.to_owned(), ..Self::default() }
    }

    /// Decides an act: the entry that it becomes, or why not. Nothing changes.
    ///
    /// # Errors
    /// `STATE_FORBIDS`, `FIELD_REQUIRED`, `FIELD_INVALID`, `POST_FORBIDS`, `DELEGATION_MISSING`, `DATE_MISMATCH`,
    /// `DISCLOSURE_MISSING`, `QUORUM_OPEN`, `SECRET_REFUSED`, `NUMBER_MISMATCH`, `DISCLOSURE_MISMATCH`, `REVIEW_MISSING`.
    pub fn decide(&self, act: Act, context: &Context<'_>) -> Result<Entry> {
        let to = self.leads_to(&act, context).ok_or_else(|| {
            Fault::new(Reason::StateForbids).with("state", self.state()).with("act", act.name())
        })?;
        let delegated_by = self.allow(&act, context)?;
        Ok(Entry {
            act,
            actor: context.actor.to_owned(),
            time: context.now,
            day: context.today,
            from: self.stage,
            to,
            revision: context.revision,
            delegated_by,
        })
    }

    /// The stage, or what ended it.
    fn state(&self) -> &'static str {
        match (self.voided, self.revoked, self.repealed) {
            (Some(_), ..) => "VOIDED",
            (_, Some(_), _) => "REVOKED",
            (.., Some(_)) => "REPEALED",
            _ => self.stage.as_str(),
        }
    }

    /// Came in as issued elsewhere.
    fn is_foreign(&self) -> bool {
        self.stage.is_issued() && self.issued.is_none()
    }

    /// The class decided here, else the one that a text from elsewhere prints.
    fn class(&self, context: &Context<'_>) -> Option<DisclosureClass> {
        let claimed = context.printed_class.filter(|_| self.is_foreign());
        self.disclosure.as_ref().map(|disclosure| disclosure.class).or(claimed)
    }

    fn is_over(&self) -> bool {
        self.voided.is_some() || self.revoked.is_some()
    }

    fn leads_to(&self, act: &Act, context: &Context<'_>) -> Option<Stage> {
        use Stage::{Draft, Issued, Printed, Proofread, Published, Registered, Review, Reviewed, Signed};
        if self.is_over() {
            return None;
        }
        let here = self.stage;
        let is = |holds: bool, to: Stage| holds.then_some(to);
        let reviewers = context.sign_off.chain(context.meeting_kind).map_or(0, |chain| chain.reviewers.len());
        match act {
            Act::Submit { .. } => is(here == Draft, if reviewers == 0 { Reviewed } else { Review }),
            Act::Review { approve: false, .. } => is(here == Review, Draft),
            Act::Review { .. } => {
                is(here == Review, if self.reviewed.len() + 1 >= reviewers { Reviewed } else { Review })
            }
            Act::Sign { .. } => is(here == Reviewed, Signed),
            Act::Proofread { .. } => is(here == Signed, Proofread),
            // What changes after the signature goes back to its signer, unless only the setting changed.
            Act::Amend { formatting: true, .. } => is(here < Issued, here),
            Act::Amend { .. } if here < Signed => Some(Draft),
            Act::Amend { .. } => is(here < Issued, Reviewed),
            Act::Register { .. } => is(here == Proofread, Registered),
            Act::Print { .. } => is(here == Registered, Printed),
            Act::Issue => is(here == Printed, Issued),
            // What came in as issued may get recipients here; what was issued here has those that it was issued to.
            Act::RecordScope { .. } => is(matches!(here, Registered | Printed) || self.is_foreign(), here),
            Act::MarkPassage { .. } => is(here < Published, here),
            // Its correction is, where that may be.
            Act::Publish { .. } if !self.replaced_by.is_empty() => None,
            Act::Publish { .. } if here == Stage::Archived => is(self.published.is_none(), here),
            Act::Publish { .. } => is(here == Issued, Published),
            Act::Archive { .. } => is(matches!(here, Issued | Published), Stage::Archived),
            Act::RecordQuorum { .. } | Act::FlagMajor { .. } => is(here < Issued, here),
            Act::ProposeDisclosure { .. } => is(here < Signed, here),
            // Of what came in as issued, the level is what its paper says; it ends as any other.
            Act::SetSecrecy { secrecy: Some(_), .. } if self.is_foreign() => {
                Some(if here == Published { Issued } else { here })
            }
            Act::SetSecrecy { .. } => is(here < Signed, here),
            Act::Declassify { .. } => is(here >= Signed && self.secrecy.is_some(), here),
            // Before the issue the text may still change: it is amended, and signed anew.
            Act::Reclassify { disclosure, .. } => {
                let is_withdrawn = here == Published && disclosure.class != DisclosureClass::Public;
                is(here.is_issued(), if is_withdrawn { Issued } else { here })
            }
            Act::Replace { .. } => is(here.is_issued() && self.replaced_by.is_empty(), here),
            Act::Reinstate { was } => is(!was.is_empty() && self.replaced_by == *was, here),
            Act::Revoke { .. } => is(here.is_issued(), here),
            Act::Repeal { .. } => is(here.is_issued() && self.repealed.is_none(), here),
            Act::Void { .. } => Some(here),
        }
    }

    /// What must hold besides the stage; the document of a delegation where one is used.
    fn allow(&self, act: &Act, context: &Context<'_>) -> Result<Option<String>> {
        let words = |text: &str, field: &str| {
            if text.trim().is_empty() {
                Err(Fault::required(field))
            } else if text.len() > LONGEST_WORDS {
                Err(Fault::invalid(field, format!("{} bytes, more than {LONGEST_WORDS}", text.len())))
            } else {
                Ok(())
            }
        };
        let holds = |post: &str| {
            let is_holder = context.sign_off.holds(context.actor, post);
            let fault = || {
                Fault::new(Reason::PostForbids).at("post").with("post", context.actor).with("wanted", post)
            };
            if is_holder { Ok(()) } else { Err(fault()) }
        };
        let chain = context.sign_off.chain(context.meeting_kind);
        let wrong = |wanted: &str, post: &str| {
            Fault::new(Reason::PostForbids).at("post").with("post", post).with("wanted", wanted)
        };
        match act {
            Act::Review { post, mark, opinion, approve } => {
                if !approve || *mark == Mark::Words {
                    words(opinion, "opinion")?;
                }
                let wanted = chain.and_then(|chain| chain.reviewers.get(self.reviewed.len()));
                let wanted = wanted.map_or("", String::as_str);
                if wanted != post {
                    return Err(wrong(wanted, post));
                }
                holds(post)?;
            }
            Act::Sign { post, mark, opinion, date, disclosure } => {
                if *mark == Mark::Words {
                    words(opinion, "opinion")?;
                }
                let signer = chain.map_or("", |chain| chain.signer.as_str());
                holds(post)?;
                let mismatch = |field: &str, date: Date| {
                    Fault::new(Reason::DateMismatch).at(field).with("date", date).with("today", context.today)
                };
                if let Some(date) = date.filter(|date| *date != context.today) {
                    return Err(mismatch("date", date));
                }
                if let Some(printed) = context.printed_date.filter(|date| *date != context.today) {
                    return Err(mismatch("name", printed).with("path", "compiled.date"));
                }
                if let Some(meeting) = context.meeting_date.filter(|meeting| context.today < *meeting) {
                    return Err(mismatch("name", meeting).with("path", "meeting.date"));
                }
                check_disclosure(disclosure.as_ref(), self.secrecy.as_ref())?;
                // What is printed on every copy must be what was decided (requirement 46).
                let decided = disclosure.as_ref().map(|disclosure| disclosure.class);
                if let (Some(printed), Some(decided)) = (context.printed_class, decided)
                    && printed != decided
                {
                    return Err(Fault::new(Reason::DisclosureMismatch)
                        .at("disclosure.class")
                        .with("printed", printed.note())
                        .with("note", decided.note()));
                }
                if post == signer {
                    return Ok(None);
                }
                let delegation = context.sign_off.delegation(signer, post, context.today);
                let fault = || {
                    Fault::new(Reason::DelegationMissing)
                        .at("post")
                        .with("post", post)
                        .with("signer", signer)
                        .with("today", context.today)
                };
                return Ok(Some(delegation.ok_or_else(fault)?.document.clone()));
            }
            Act::Register { copies, scope, number, .. } => {
                words(scope, "scope")?;
                if *copies == 0 {
                    return Err(Fault::required("copies"));
                }
                if let Some(printed) = context.printed_number.filter(|printed| printed != number) {
                    return Err(Fault::new(Reason::NumberMismatch)
                        .at("name")
                        .with("path", "document_number")
                        .with("printed", printed)
                        .with("number", number));
                }
            }
            Act::Issue => {
                if matches!(self.quorum, Quorum::Unknown | Quorum::NotMet) {
                    return Err(Fault::new(Reason::QuorumOpen).with("outcome", self.quorum.as_str()));
                }
                check_disclosure(self.disclosure.as_ref(), self.secrecy.as_ref())?;
                let fits =
                    |scope: &&FrozenScope| scope.revision == context.revision && scope.date == context.today;
                if context.needs_scope && self.frozen.as_ref().filter(fits).is_none() {
                    return Err(Fault::new(Reason::ScopeNotFrozen)
                        .with("revision", context.revision)
                        .with("date", context.today));
                }
            }
            Act::RecordScope { .. } => {}
            Act::MarkPassage { passage } => {
                words(&passage.quote, "quote")?;
                words(&passage.reason, "reason")?;
            }
            Act::Publish { place, separable } => {
                words(place, "place")?;
                let withheld =
                    self.passages.iter().filter(|one| one.class != DisclosureClass::Public).count();
                if withheld > 0 && !separable {
                    return Err(Fault::new(Reason::PassageWithheld)
                        .at("separable")
                        .with("passages", withheld));
                }
                if self.secrecy.is_some() {
                    return Err(Fault::new(Reason::StateForbids)
                        .with("state", "SECRET")
                        .with("act", act.name()));
                }
                if self.class(context) != Some(DisclosureClass::Public) {
                    return Err(Fault::new(Reason::DisclosureMissing).with("class", "PUBLIC"));
                }
            }
            Act::Archive { file } => words(file, "file")?,
            Act::Submit { .. } | Act::Proofread { .. } => {}
            Act::Print { copies } => {
                if *copies == 0 || *copies > self.copies {
                    return Err(Fault::invalid("copies", copies));
                }
            }
            Act::Amend { note, .. } => words(note, "note")?,
            Act::RecordQuorum { reason, .. } => {
                words(reason, "reason")?;
            }
            Act::ProposeDisclosure { disclosure } => {
                check_disclosure(Some(disclosure), self.secrecy.as_ref())?;
            }
            Act::SetSecrecy { secrecy, reason } => {
                words(reason, "reason")?;
                if let Some(secrecy) = secrecy {
                    check_secrecy(secrecy, context)?;
                }
            }
            Act::Declassify { document, reason } => {
                words(document, "document")?;
                words(reason, "reason")?;
            }
            Act::Reclassify { disclosure, reason } => {
                words(reason, "reason")?;
                check_disclosure(Some(disclosure), self.secrecy.as_ref())?;
                if self.class(context) == Some(disclosure.class) {
                    return Err(Fault::invalid("disclosure.class", disclosure.class.note()));
                }
            }
            Act::FlagMajor { major } => {
                if major.item >= context.items {
                    return Err(Fault::invalid("item_index", major.item));
                }
                words(&major.review, "review")?;
                if context.meeting_date.is_none_or(|meeting| major.review_date >= meeting) {
                    return Err(Fault::new(Reason::ReviewMissing)
                        .at("review_date")
                        .with("date", major.review_date));
                }
                if major.differs {
                    words(&major.reason, "reason")?;
                }
            }
            Act::Replace { by } => words(by, "by")?,
            Act::Reinstate { .. } => {}
            Act::Revoke { document, reason } => {
                words(document, "document")?;
                words(reason, "reason")?;
            }
            Act::Repeal { from, document, reason } => {
                words(document, "document")?;
                words(reason, "reason")?;
                if self.issued.is_some_and(|issued| *from < issued) {
                    return Err(Fault::invalid("from", from));
                }
            }
            Act::Void { reason } => words(reason, "reason")?,
        }
        Ok(None)
    }

    /// Brings the life up to date with an entry. Decides nothing.
    pub fn apply(&mut self, entry: Entry) {
        let day = Some(entry.day);
        match entry.act.clone() {
            Act::Submit { .. } => self.reviewed.clear(),
            Act::Review { post, approve: true, .. } => self.reviewed.push(post),
            Act::Review { .. } => self.reviewed.clear(),
            Act::Sign { disclosure, .. } => {
                self.signed = day;
                self.signed_revision = Some(entry.revision);
                self.disclosure = disclosure;
            }
            Act::Amend { formatting, .. } => {
                if !formatting {
                    (self.signed, self.signed_revision) = (None, None);
                    if entry.to == Stage::Draft {
                        self.reviewed.clear();
                    }
                }
            }
            Act::Register { number, copies, scope, .. } => {
                (self.number, self.copies, self.scope) = (number, copies, scope);
            }
            Act::Proofread { .. } | Act::Print { .. } => {}
            Act::Issue => self.issued = day,
            Act::RecordScope { scope } => self.frozen = Some(scope),
            Act::MarkPassage { passage } => {
                self.passages.retain(|known| known.quote != passage.quote);
                self.passages.push(passage);
            }
            Act::Publish { .. } => self.published = day,
            Act::Archive { .. } => self.archived = day,
            Act::RecordQuorum { outcome, .. } => self.quorum = outcome,
            Act::ProposeDisclosure { disclosure } => self.disclosure = Some(disclosure),
            Act::SetSecrecy { secrecy, .. } => {
                if secrecy.is_some() {
                    self.published = None;
                }
                self.secrecy = secrecy;
            }
            Act::Declassify { .. } => self.secrecy = None,
            Act::Reclassify { disclosure, .. } => {
                if disclosure.class != DisclosureClass::Public {
                    self.published = None;
                }
                self.disclosure = Some(disclosure);
                self.reclassified = day;
            }
            Act::FlagMajor { major } => {
                self.majors.retain(|known| known.item != major.item);
                self.majors.push(major);
            }
            Act::Replace { by } => (self.replaced_by, self.replaced) = (by, day),
            Act::Reinstate { .. } => (self.replaced_by, self.replaced) = (String::new(), None),
            Act::Revoke { .. } => self.revoked = day,
            Act::Repeal { from, .. } => self.repealed = Some(from),
            Act::Void { .. } => self.voided = day,
        }
        self.stage = entry.to;
        self.version += 1;
        self.history.push(entry);
    }

    /// Where it stands on a day. `printed` is 印发日期 of what was issued elsewhere, a claim of its text.
    #[must_use]
    pub fn standing_on(&self, day: Date, printed: Option<Date>) -> Standing {
        let by = |since: Option<Date>| since.is_some_and(|since| since <= day);
        if self.voided.is_some() {
            Standing::Voided
        } else if self.revoked.is_some() {
            Standing::Revoked
        } else if !self.stage.is_issued() || self.issued.or(printed).is_some_and(|issued| issued > day) {
            Standing::NotIssued
        } else if by(self.repealed) {
            Standing::Repealed
        } else if by(self.replaced) {
            Standing::Replaced
        } else {
            Standing::InForce
        }
    }
}

#[cfg(test)]
mod tests;
