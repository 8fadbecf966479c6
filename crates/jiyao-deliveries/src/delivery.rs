//! One delivery: sent, received, signed for, returned, recalled; at least once on the way, once in effect.

use std::time::Duration;

use jiyao_calendar::Timestamp;
use jiyao_fault::{Fault, Reason, Result};
use jiyao_receipts::{Claim, Kind, PublicKey, Statement};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How long an attempt may go without an answer before it counts as lost, as when the sender died in the middle of it.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// Where a delivery stands (requirement 39).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// 待发.
    #[default]
    Pending,
    /// 已发.
    Sent,
    /// 已接收.
    Received,
    /// 已签收.
    Signed,
    /// 已退回.
    Returned,
    /// 已撤回.
    Recalled,
    /// 失败: parked until a person resends, redirects or closes it.
    Failed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Sent,
        Self::Received,
        Self::Signed,
        Self::Returned,
        Self::Recalled,
        Self::Failed,
    ];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Sent => "SENT",
            Self::Received => "RECEIVED",
            Self::Signed => "SIGNED",
            Self::Returned => "RETURNED",
            Self::Recalled => "RECALLED",
            Self::Failed => "FAILED",
        }
    }

    /// Whether the recipient still owes a signature.
    #[must_use]
    pub fn is_silent(self) -> bool {
        matches!(self, Self::Pending | Self::Sent | Self::Received | Self::Failed)
    }
}

/// By what way it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Channel {
    /// The recipient fetches it.
    #[default]
    Inbox,
    /// E-mail.
    Email,
    /// A call to the recipient's system, which then fetches it.
    Webhook,
    /// On paper, by hand.
    Paper,
}

impl Channel {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "INBOX",
            Self::Email => "EMAIL",
            Self::Webhook => "WEBHOOK",
            Self::Paper => "PAPER",
        }
    }

    /// Whether the service itself must send it.
    #[must_use]
    pub fn is_sent(self) -> bool {
        matches!(self, Self::Email | Self::Webhook)
    }
}

/// Longest wait that a recipient's system may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 3600);

/// When an attempt that failed is tried again: after its pause and up to a fifth more, so that what failed together does
/// not come back together; and not before the recipient's system asked for, within a day. The same delivery and attempt
/// give the same time.
#[must_use]
pub fn retry_time(
    now: Timestamp,
    pause: Duration,
    asked: Option<Duration>,
    delivery: &str,
    attempt: u32,
) -> Option<Timestamp> {
    let dice = Sha256::digest(format!("{delivery} {attempt}"));
    let more = pause.as_secs_f64() / 5.0 * f64::from(dice[0]) / 255.0;
    let pause = pause + Duration::from_secs_f64(more);
    now.checked_add(pause.max(asked.unwrap_or_default().min(LONGEST_ASKED))).ok()
}

/// Reasons of a return (requirement 41): of form, of content.
pub const RETURN_CODES: [(&str, &str); 8] = [
    ("11", "格式不符"),
    ("12", "版式或印章缺失"),
    ("13", "文件无法打开"),
    ("14", "附件缺失"),
    ("21", "主送或抄送有误"),
    ("22", "内容有误"),
    ("23", "重复发送"),
    ("99", "其他"),
];
/// 其他: needs text, and alone may have it.
pub const OTHER_CODE: &str = "99";
/// Longest text of a return.
const LONGEST_RETURN: usize = 200;
const LONGEST_WORDS: usize = 2000;

/// 签收 (requirement 40).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Who signed, by name.
    pub signer: String,
    /// The principal.
    pub actor: String,
    /// For which unit.
    pub unit: String,
    /// When.
    pub time: Timestamp,
    /// What was held: SHA-256 of the bytes, in hexadecimal digits.
    pub sha256: String,
    /// How it was handed over, on paper.
    pub note: String,
}

/// 退回.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// Codes of the reasons.
    pub codes: Vec<String>,
    /// For 其他.
    pub text: String,
    /// The principal.
    pub actor: String,
    /// When.
    pub time: Timestamp,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which.
    pub attempt: u32,
    /// When.
    pub time: Timestamp,
    /// Why, as the other side said it.
    pub why: String,
}

/// A delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Delivery {
    /// `organs/{organ}/deliveries/{delivery}`.
    pub name: String,
    /// `organs/{organ}/minutes/{minutes}`.
    pub minutes: String,
    /// The revision.
    pub revision: u64,
    /// SHA-256 of the exact bytes, in hexadecimal digits.
    pub sha256: String,
    /// Id of the organisation.
    pub unit: String,
    /// What it is called.
    pub title: String,
    /// Place in the scope, from 0.
    pub index: u32,
    /// By what way.
    pub channel: Channel,
    /// Where it stands.
    pub state: State,
    /// Counts acts.
    pub version: u64,
    /// Attempts begun.
    pub attempt: u32,
    /// Attempts begun before it was last made ready to go out: what is tried again begins its pauses anew.
    pub earlier_attempts: u32,
    /// It went out once, and did not come back since: the recipient may have it.
    pub was_out: bool,
    /// When it was last made ready to go out.
    pub ready: Option<Timestamp>,
    /// When it was sent first: set by the system (requirement 39).
    pub sent: Option<Timestamp>,
    /// When it was received.
    pub received: Option<Timestamp>,
    /// How mail systems report on it: accepted, delivered, relayed, delayed, expanded. Only `delivered` is a receipt.
    pub transit: String,
    /// 签收.
    pub signed: Option<Signed>,
    /// 退回.
    pub returned: Option<Returned>,
    /// 催办: when, and in what words.
    pub reminders: Vec<(Timestamp, String)>,
    /// The last reminder is to go out by the delivery's way, when `next_try` says.
    pub is_reminding: bool,
    /// Attempts that failed, oldest first; the last few.
    pub failures: Vec<Failure>,
    /// When it is tried again, if no answer comes before.
    pub next_try: Option<Timestamp>,
    /// Numbers of its copies (份号).
    pub copies: Vec<String>,
    /// The delivery of what takes its place, or of what this one takes the place of.
    pub replaces: String,
    /// Who approved that it was added to the scope (requirement 37).
    pub approved_by: String,
    /// What a person decided of a parked one.
    pub closed: String,
}

/// What is done with a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the fields are those of the proto requests, which say what they are")]
pub enum Act {
    /// An attempt went out.
    Send { attempt: u32 },
    /// An attempt failed; `retry`: when it is tried again, None: no more.
    Fail { attempt: u32, why: String, retry: Option<Timestamp> },
    /// A mail system reports.
    Transit { attempt: u32, action: String },
    /// It arrived, as the recipient's system or the inbox says.
    Receive { attempt: u32 },
    /// A mail system reports that it arrived.
    ReportDelivered { attempt: u32 },
    /// Its content was fetched.
    Open { attempt: u32 },
    /// 签收; with the claim that the unit's own key signed.
    Sign { attempt: u32, sha256: String, signer: String, claim_signature: String },
    /// Signed for on paper, recorded by the office.
    HandOver { signer: String, note: String },
    /// 退回.
    Return { attempt: u32, codes: Vec<String>, text: String },
    /// 催办.
    Remind { text: String },
    /// The last reminder goes out.
    Reminding,
    /// So many reminders went out; `failure`: why the last did not.
    Reminded { number: u32, failure: String },
    /// 撤回.
    Recall { reason: String },
    /// A parked or returned one goes out again.
    Resend { reason: String },
    /// It goes by another way.
    Redirect { channel: Channel, reason: String },
    /// A parked one is given up.
    Close { reason: String },
}

impl Act {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Send { .. } => "SEND",
            Self::Fail { .. } => "FAIL",
            Self::Transit { .. } => "TRANSIT",
            Self::Receive { .. } => "RECEIVE",
            Self::ReportDelivered { .. } => "REPORT_DELIVERED",
            Self::Open { .. } => "OPEN",
            Self::Sign { .. } => "SIGN",
            Self::HandOver { .. } => "HAND_OVER",
            Self::Return { .. } => "RETURN",
            Self::Remind { .. } => "REMIND",
            Self::Reminding => "REMINDING",
            Self::Reminded { .. } => "REMINDED",
            Self::Recall { .. } => "RECALL",
            Self::Resend { .. } => "RESEND",
            Self::Redirect { .. } => "REDIRECT",
            Self::Close { .. } => "CLOSE",
        }
    }

    /// What the recipient does, and nobody else.
    fn is_of_the_recipient(&self) -> bool {
        matches!(self, Self::Receive { .. } | Self::Open { .. } | Self::Sign { .. } | Self::Return { .. })
    }

    fn attempt(&self) -> Option<u32> {
        match self {
            Self::Send { attempt }
            | Self::Fail { attempt, .. }
            | Self::Transit { attempt, .. }
            | Self::Receive { attempt }
            | Self::ReportDelivered { attempt }
            | Self::Open { attempt }
            | Self::Sign { attempt, .. }
            | Self::Return { attempt, .. } => Some(*attempt),
            _ => None,
        }
    }
}

/// What a decision may know besides the delivery.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// The principal.
    pub actor: &'c str,
    /// The unit that it acts for, by what it is called; empty: none.
    pub unit: &'c str,
    /// Names of the units that may act for the recipient: its own, and those of what took its place.
    pub recipients: &'c [String],
    /// The service itself acts: what channels report.
    pub is_system: bool,
    /// When.
    pub now: Timestamp,
    /// The unit's own key, where it registered one.
    pub key: Option<&'c PublicKey>,
}

/// One line of a delivery's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What.
    pub act: Act,
    /// By whom.
    pub actor: String,
    /// For which unit.
    pub unit: String,
    /// When.
    pub time: Timestamp,
    /// A reminder that goes out by the delivery's way, and is not only on record.
    #[serde(default)]
    pub goes_out: bool,
    /// Nothing changed: a repeat of what was done.
    #[serde(skip)]
    pub is_repeat: bool,
}

fn words(value: &str, field: &str) -> Result<()> {
    match value.trim() {
        "" => Err(Fault::required(field)),
        value if value.len() > LONGEST_WORDS => Err(Fault::invalid(field, format!("{} bytes", value.len()))),
        _ => Ok(()),
    }
}

/// Most failures that are kept; the journal has all of them.
const MOST_FAILURES: usize = 20;

impl Delivery {
    /// Decides an act: the entry that it becomes, or why not.
    ///
    /// # Errors
    /// `UNIT_FOREIGN`, `STATE_FORBIDS`, `ATTEMPT_STALE`, `HASH_MISMATCH`, `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub fn decide(&self, act: Act, context: &Context<'_>) -> Result<Entry> {
        use State::{Failed, Pending, Recalled, Received, Returned, Sent, Signed};
        if act.is_of_the_recipient()
            && !context.is_system
            && !context.recipients.iter().any(|name| name == context.unit)
        {
            return Err(Fault::new(Reason::UnitForeign).with("unit", context.unit).with("lead", &self.title));
        }
        let entry = |act, is_repeat| Entry {
            act,
            actor: context.actor.to_owned(),
            unit: context.unit.to_owned(),
            time: context.now,
            goes_out: false,
            is_repeat,
        };
        // What is signed for stays so: a repeat of it is the same receipt again.
        if let (Act::Sign { sha256, .. }, Some(_)) = (&act, &self.signed) {
            self.holds(sha256)?;
            return Ok(entry(act, true));
        }
        let is_repeat = matches!(act, Act::Receive { .. } | Act::ReportDelivered { .. })
            && matches!(self.state, Received | Signed);
        let allowed = match &act {
            Act::Send { .. } => matches!(self.state, Pending | Sent),
            Act::Fail { .. } => matches!(self.state, Sent | Received),
            // Mail systems speak of mail alone.
            Act::Transit { .. } => {
                self.channel == Channel::Email && matches!(self.state, Sent | Received | Signed)
            }
            Act::ReportDelivered { .. } => self.channel == Channel::Email && self.is_held(),
            Act::Receive { .. } | Act::Open { .. } => self.channel != Channel::Paper && self.is_held(),
            Act::Sign { .. } | Act::Return { .. } => self.is_out(),
            Act::HandOver { .. } => {
                self.channel == Channel::Paper && matches!(self.state, Pending | Sent | Received)
            }
            Act::Remind { .. } => matches!(self.state, Pending | Sent | Received),
            Act::Reminding => self.is_reminding,
            // Of a newer one nothing is known yet.
            Act::Reminded { number, .. } => self.is_reminding && *number as usize == self.reminders.len(),
            Act::Recall { .. } => self.state != Recalled,
            Act::Resend { .. } => matches!(self.state, Failed | Returned),
            Act::Redirect { .. } => matches!(self.state, Pending | Sent | Failed | Returned),
            Act::Close { .. } => self.state == Failed && self.closed.is_empty(),
        };
        if !allowed {
            return Err(Fault::new(Reason::StateForbids)
                .with("state", self.state.as_str())
                .with("act", act.name()));
        }
        if let Some(attempt) = act.attempt() {
            let wanted = if matches!(act, Act::Send { .. }) { self.attempt + 1 } else { self.attempt };
            if attempt != wanted {
                return Err(Fault::new(Reason::AttemptStale)
                    .at("attempt")
                    .with("attempt", attempt)
                    .with("newest", self.attempt));
            }
        }
        match &act {
            Act::Sign { sha256, signer, claim_signature, attempt } => {
                words(signer, "signer")?;
                self.holds(sha256)?;
                let claim = Claim { delivery: self.name.clone(), sha256: sha256.clone(), attempt: *attempt };
                match (context.key, claim_signature.as_str()) {
                    (Some(key), signature) if !key.signed_claim(&claim, signature) => {
                        return Err(Fault::invalid("claim_signature", signature));
                    }
                    (None, signature) if !signature.is_empty() => {
                        return Err(Fault::invalid("claim_signature", "no key of this unit is registered"));
                    }
                    _ => {}
                }
            }
            Act::HandOver { signer, .. } => words(signer, "signer")?,
            Act::Return { codes, text, .. } => check_return(codes, text)?,
            Act::Remind { text } => words(text, "text")?,
            Act::Recall { reason }
            | Act::Resend { reason }
            | Act::Redirect { reason, .. }
            | Act::Close { reason } => words(reason, "reason")?,
            _ => {}
        }
        // Where it has not arrived, or is on its way, it comes by itself, and speaks for itself.
        let is_there = self.state == Received || !self.transit.is_empty();
        let goes_out = matches!(act, Act::Remind { .. })
            && self.channel.is_sent()
            && is_there
            && (self.next_try.is_none() || self.is_reminding);
        Ok(Entry { goes_out, ..entry(act, is_repeat) })
    }

    /// Whether the recipient may have it: it went out, even where the sender has heard no answer and will try again.
    #[must_use]
    pub fn is_out(&self) -> bool {
        match self.state {
            State::Sent | State::Received => true,
            State::Pending => self.channel.is_sent() && self.attempt > self.earlier_attempts,
            _ => false,
        }
    }

    /// Whether the recipient has it, or may.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_out() || self.state == State::Signed
    }

    /// Whether the recipient has the text, or may: also where it went out once and waits now for another way, or was
    /// parked. Whoever has the old text gets the new one (requirement 15).
    #[must_use]
    pub fn may_have_text(&self) -> bool {
        self.is_held() || (self.was_out && !matches!(self.state, State::Returned | State::Recalled))
    }

    /// Whether nothing shows that it arrived, although it has been ready since before an instant (requirement 42).
    #[must_use]
    pub fn is_unreceived_since(&self, instant: Timestamp) -> bool {
        self.received.is_none() && self.ready.or(self.sent).is_some_and(|since| since <= instant)
    }

    fn holds(&self, sha256: &str) -> Result<()> {
        if sha256 == self.sha256 {
            return Ok(());
        }
        Err(Fault::new(Reason::HashMismatch).at("sha256").with("sha256", sha256).with("sent", &self.sha256))
    }

    /// Brings the delivery up to date.
    pub fn apply(&mut self, entry: Entry) {
        self.version += 1;
        let Entry { act, actor, unit, time, goes_out, .. } = entry;
        match act {
            Act::Send { attempt } => {
                self.was_out = true;
                self.attempt = attempt;
                self.state = State::Sent;
                self.sent.get_or_insert(time);
                self.next_try = time.checked_add(ANSWER_WITHIN).ok();
                self.transit.clear();
            }
            Act::Fail { attempt, why, retry } => {
                self.failed(attempt, time, why);
                // Where it arrived nevertheless, there is nothing left to try.
                if self.state == State::Sent {
                    self.next_try = retry;
                    self.state = if retry.is_some() { State::Pending } else { State::Failed };
                }
            }
            Act::Transit { action, .. } => {
                // Reports overtake each other, and even the answer of the server that took the mail.
                if progress(&action) >= progress(&self.transit) {
                    self.transit = action;
                }
                if !self.is_reminding {
                    self.next_try = None;
                }
            }
            Act::Receive { .. } | Act::ReportDelivered { .. } | Act::Open { .. } => {
                self.received.get_or_insert(time);
                if self.channel == Channel::Email {
                    self.transit = "delivered".to_owned();
                }
                if self.is_out() {
                    self.state = State::Received;
                }
            }
            Act::Sign { sha256, signer, .. } => {
                self.received.get_or_insert(time);
                self.signed = Some(Signed { signer, actor, unit, time, sha256, note: String::new() });
                self.state = State::Signed;
            }
            Act::HandOver { signer, note } => {
                self.sent.get_or_insert(time);
                self.received.get_or_insert(time);
                self.attempt = self.attempt.max(1);
                let (unit, sha256) = (self.title.clone(), self.sha256.clone());
                self.signed = Some(Signed { signer, actor, unit, time, sha256, note });
                self.state = State::Signed;
            }
            Act::Return { codes, text, .. } => {
                self.was_out = false;
                self.returned = Some(Returned { codes, text, actor, time });
                self.state = State::Returned;
            }
            Act::Remind { text } => {
                self.reminders.push((time, text));
                if goes_out {
                    (self.is_reminding, self.next_try) = (true, Some(time));
                }
            }
            Act::Reminding => self.next_try = time.checked_add(ANSWER_WITHIN).ok(),
            Act::Reminded { failure, .. } => {
                (self.is_reminding, self.next_try) = (false, None);
                if !failure.is_empty() {
                    self.failed(self.attempt, time, failure);
                }
            }
            Act::Recall { .. } => self.state = State::Recalled,
            Act::Resend { .. } => self.goes_again(time),
            Act::Redirect { channel, .. } => {
                self.channel = channel;
                self.goes_again(time);
            }
            Act::Close { reason } => self.closed = reason,
        }
        self.is_reminding &= matches!(self.state, State::Sent | State::Received);
        if !matches!(self.state, State::Pending | State::Sent) && !self.is_reminding {
            self.next_try = None;
        }
    }

    fn failed(&mut self, attempt: u32, time: Timestamp, why: String) {
        self.failures.push(Failure { attempt, time, why });
        let most = self.failures.len().saturating_sub(MOST_FAILURES);
        self.failures.drain(..most);
    }

    /// Ready to go out: the inbox has it at once, what is sent waits for its sender, paper for a hand.
    pub fn goes_again(&mut self, time: Timestamp) {
        (self.returned, self.sent, self.received) = (None, None, None);
        self.is_reminding = false;
        self.closed.clear();
        self.ready = Some(time);
        self.earlier_attempts = self.attempt;
        match self.channel {
            Channel::Inbox => {
                self.was_out = true;
                self.attempt += 1;
                self.state = State::Sent;
                self.sent.get_or_insert(time);
                self.next_try = None;
            }
            Channel::Paper => {
                self.state = State::Pending;
                self.next_try = None;
            }
            Channel::Email | Channel::Webhook => {
                self.state = State::Pending;
                self.next_try = Some(time);
            }
        }
    }

    /// What a receipt of an act states; None where an act has none.
    #[must_use]
    pub fn statement(&self, entry: &Entry, key: Option<&PublicKey>) -> Option<Statement> {
        let (kind, signer, claim) = match &entry.act {
            Act::Receive { .. } => (Kind::Delivered, "", ""),
            Act::ReportDelivered { .. } => (Kind::MailReported, "", ""),
            Act::Open { .. } => (Kind::Opened, "", ""),
            Act::Sign { signer, claim_signature, .. } => {
                (Kind::SignedFor, signer.as_str(), claim_signature.as_str())
            }
            Act::HandOver { signer, .. } => (Kind::SignedFor, signer.as_str(), ""),
            Act::Return { .. } => (Kind::Refused, entry.actor.as_str(), ""),
            _ => return None,
        };
        Some(Statement {
            delivery: self.name.clone(),
            recipient: self.title.clone(),
            minutes: self.minutes.clone(),
            revision: self.revision,
            sha256: self.sha256.clone(),
            time: entry.time.to_string(),
            attempt: entry.act.attempt().unwrap_or(self.attempt.max(1)),
            kind,
            signer: signer.to_owned(),
            claim_key: if claim.is_empty() {
                String::new()
            } else {
                key.map(PublicKey::id).unwrap_or_default()
            },
            claim_signature: claim.to_owned(),
        })
    }
}

/// How far on its way mail is that a system reports so of.
fn progress(action: &str) -> usize {
    ["accepted", "delayed", "expanded", "relayed", "delivered"]
        .iter()
        .position(|known| *known == action)
        .unwrap_or(0)
}

/// At least one coded reason; 其他 needs text, and text needs 其他 (requirement 41).
fn check_return(codes: &[String], text: &str) -> Result<()> {
    if codes.is_empty() {
        return Err(Fault::required("codes"));
    }
    for (at, code) in codes.iter().enumerate() {
        let is_known = RETURN_CODES.iter().any(|(known, _)| known == code);
        if !is_known || codes[..at].contains(code) {
            return Err(Fault::invalid(&format!("codes[{at}]"), code));
        }
    }
    let has_other = codes.iter().any(|code| code == OTHER_CODE);
    match (has_other, text.trim().is_empty()) {
        (true, true) => Err(Fault::required("text")),
        (false, false) => Err(Fault::invalid("text", text)),
        _ if text.chars().count() > LONGEST_RETURN => Err(Fault::invalid("text", text.chars().count())),
        _ => Ok(()),
    }
}
