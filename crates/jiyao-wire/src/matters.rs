//! Matters of follow-through to messages, and the requests of their acts to acts.

use jiyao_calendar::{Date, Holidays, parse_iso};
use jiyao_fault::{Fault, Result};
use jiyao_matters::{self as domain, Act, Next, State};
use jiyao_proto::records::v1 as wire;

use crate::asks::asks;
use crate::life::ruling_from;

/// A state as a message.
#[must_use]
pub fn state_to(state: State) -> wire::MatterState {
    match state {
        State::Established => wire::MatterState::Established,
        State::Assigned => wire::MatterState::Assigned,
        State::Accepted => wire::MatterState::Accepted,
        State::Underway => wire::MatterState::Underway,
        State::UnderReview => wire::MatterState::UnderReview,
        State::Returned => wire::MatterState::Returned,
        State::Finished => wire::MatterState::Finished,
        State::StruckOff => wire::MatterState::StruckOff,
        State::ExtensionAsked => wire::MatterState::ExtensionAsked,
        State::AwaitingBody => wire::MatterState::AwaitingBody,
        State::Suspended => wire::MatterState::Suspended,
    }
}

/// The state that a message names; None for none.
#[must_use]
pub fn state_from(state: i32) -> Option<State> {
    let state = wire::MatterState::try_from(state).ok()?;
    State::ALL.into_iter().find(|known| state_to(*known) == state)
}

fn date_to(date: Option<Date>) -> String {
    date.map(|date| date.to_string()).unwrap_or_default()
}

/// An ISO date of a request; None where it is empty.
///
/// # Errors
/// `FIELD_INVALID`.
pub fn date_from(text: &str, field: &str) -> Result<Option<Date>> {
    match text {
        "" => Ok(None),
        text => parse_iso(text)
            .map(Some)
            .ok_or_else(|| Fault::malformed(field, text.escape_debug(), "YYYY-MM-DD")),
    }
}

/// The same where it must be there.
///
/// # Errors
/// `FIELD_REQUIRED`, `FIELD_INVALID`.
pub fn required_date(text: &str, field: &str) -> Result<Date> {
    date_from(text, field)?.ok_or_else(|| Fault::required(field))
}

/// What comes next, in the words of minutes.
fn next_words(next: &Next) -> String {
    match next {
        Next::Carry => "组织落实".to_owned(),
        Next::Issue => "按程序印发实施".to_owned(),
        Next::Submit { body } => format!("提请{body}"),
    }
}

/// A matter in short. The light hangs on the day, and is filled in when it is read.
#[must_use]
pub fn matter_summary(matter: &domain::Matter) -> wire::MatterSummary {
    let source = &matter.source;
    wire::MatterSummary {
        name: matter.name.clone(),
        number: matter.number.clone(),
        content: matter.content.clone(),
        lead: matter.lead.clone(),
        state: state_to(matter.state).into(),
        due: date_to(matter.due),
        light: String::new(),
        minutes: source.minutes.clone(),
        item_number: source.item_number.clone(),
        item_index: source.item,
        decision_index: source.decision.map_or(-1, |at| i32::try_from(at).unwrap_or(i32::MAX)),
        verdict: source.verdict.clone(),
        next: next_words(&matter.next),
        meeting_date: date_to(matter.decided),
    }
}

/// Fills in the light of a day.
pub fn light_up(summary: &mut wire::MatterSummary, rules: &domain::Rules, today: Date) {
    let state = state_from(summary.state).unwrap_or(State::Established);
    summary.light = rules.light_of(state, parse_iso(&summary.due), today).unwrap_or_default();
}

/// A matter with its history, as of a day.
#[must_use]
pub fn matter_to(
    matter: &domain::Matter,
    rules: &domain::Rules,
    today: Date,
    holidays: &Holidays,
    is_lead_known: bool,
) -> wire::Matter {
    let mut summary = matter_summary(matter);
    light_up(&mut summary, rules, today);
    let (next_act, next_body) = match &matter.next {
        Next::Carry => (wire::NextAct::Carry, String::new()),
        Next::Issue => (wire::NextAct::Issue, String::new()),
        Next::Submit { body } => (wire::NextAct::Submit, body.clone()),
    };
    let findings = rules.findings(matter, today, holidays, is_lead_known);
    let listing = matter.listing.as_ref();
    wire::Matter {
        summary: Some(summary),
        version: matter.version,
        minutes_revision: matter.source.revision,
        text: matter.source.text.clone(),
        helpers: matter.helpers.clone(),
        leader: matter.leader.clone(),
        contact: matter.contact.clone(),
        milestones: matter
            .milestones
            .iter()
            .map(|milestone| wire::Milestone {
                what: milestone.what.clone(),
                due: milestone.due.to_string(),
                reached: date_to(milestone.reached),
            })
            .collect(),
        next_act: next_act.into(),
        next_body,
        to_revise: matter.to_revise,
        revised_title: matter.revised.as_ref().map(|(_, title)| title.clone()).unwrap_or_default(),
        raised_by: matter.raised_by.clone(),
        original_due: date_to(matter.original_due),
        printed_due: matter.printed_due.clone(),
        effective_date: date_to(matter.effective),
        outcome: matter.outcome.as_ref().map(|outcome| outcome.text.clone()).unwrap_or_default(),
        issued_number: matter.document.as_ref().map(|issued| issued.number.clone()).unwrap_or_default(),
        issued_date: date_to(matter.document.as_ref().map(|issued| issued.date)),
        evidence: matter
            .evidence
            .iter()
            .map(|file| wire::Evidence { title: file.title.clone(), sha256: file.sha256.clone() })
            .collect(),
        struck_off_dates: matter.struck_off.iter().map(ToString::to_string).collect(),
        listing_level: listing.map(|listing| listing.level.clone()).unwrap_or_default(),
        listing_deadline: date_to(listing.map(|listing| listing.deadline)),
        delisted_date: date_to(listing.and_then(|listing| listing.delisted)),
        slip_level: matter.slips.last().map_or(0, |slip| slip.level),
        objection_open: matter.objections.last().is_some_and(|objection| objection.upheld.is_none()),
        history: matter.history.iter().map(entry_to).collect(),
        findings: findings
            .into_iter()
            .map(|finding| wire::MatterFinding {
                code: finding.code.as_str().to_owned(),
                day: date_to(finding.day),
                about: finding.about,
            })
            .collect(),
        create_time: Some(crate::timestamp(matter.established.as_millisecond())),
    }
}

fn entry_to(entry: &domain::Entry) -> wire::MatterEntry {
    wire::MatterEntry {
        act: entry.act.name().to_owned(),
        actor: entry.actor.clone(),
        unit: entry.unit.clone(),
        time: Some(crate::timestamp(entry.time.as_millisecond())),
        from: state_to(entry.from).into(),
        to: state_to(entry.to).into(),
        words: words_of(&entry.act),
    }
}

/// What came with an act, as a person reads it.
#[must_use]
pub fn words_of(act: &Act) -> String {
    match act {
        Act::Accept => String::new(),
        Act::SignFor { delivery, day } => format!("{day} {delivery}"),
        Act::Approve { opinion: words }
        | Act::Notify { notice: words }
        | Act::Progress { text: words }
        | Act::Revise { title: words }
        | Act::Dispatch { paper: words }
        | Act::RecordOutcome { text: words, .. }
        | Act::Reach { text: words, .. }
        | Act::Review { reason: words, .. }
        | Act::DecideExtension { reason: words, .. }
        | Act::Resume { reason: words }
        | Act::Reopen { reason: words }
        | Act::Delist { notice: words }
        | Act::AnswerSlip { text: words, .. }
        | Act::Object { text: words }
        | Act::DecideObjection { reason: words, .. } => words.clone(),
        Act::RecordIssued { number, date } => format!("{number} {date}"),
        Act::Report { text, approver } => format!("{text} ({approver})"),
        Act::AskExtension { due, reason, .. } => format!("{due}: {reason}"),
        Act::Suspend { decision, reason } => format!("{decision}: {reason}"),
        Act::StrikeOff { evidence, reason } => {
            let titles: Vec<_> = evidence.iter().map(|file| file.title.as_str()).collect();
            format!("{reason} [{}]", titles.join("；"))
        }
        Act::ListPublicly { level, deadline, .. } => format!("{level} {deadline}"),
        Act::ExtendListing { deadline, reason } => format!("{deadline}: {reason}"),
        Act::SendSlip { level, requirement, due, .. } => format!("{level}: {requirement} ({due})"),
        Act::Answer { to, text } => format!("{to}: {text}"),
    }
}

/// An organ's rules as a message.
#[must_use]
pub fn rules_to(rules: &domain::Rules) -> wire::FollowUpRules {
    wire::FollowUpRules {
        needs_approval: rules.needs_approval,
        notice_days: rules.notice_days,
        feedback_days: rules.feedback_days,
        feedback_from_decision: rules.feedback_from_decision,
        lights: rules
            .lights
            .iter()
            .map(|light| wire::LightThreshold { days_left: light.days_left, colour: light.colour.clone() })
            .collect(),
        calm: rules.calm.clone(),
        listing_extension_days: rules.listing_extension_days,
        objection_days: rules.objection_days,
    }
}

/// The rules of a message.
///
/// # Errors
/// `FIELD_INVALID` for thresholds that do not rise, or days beyond a year.
pub fn rules_from(rules: &wire::FollowUpRules) -> Result<domain::Rules> {
    let mut last = i64::MIN;
    let mut lights = Vec::new();
    for (at, light) in rules.lights.iter().enumerate() {
        if light.days_left <= last || !(-366..=366).contains(&light.days_left) {
            return Err(Fault::invalid(&format!("rules.lights[{at}].days_left"), light.days_left));
        }
        last = light.days_left;
        lights.push(domain::Threshold { days_left: light.days_left, colour: light.colour.clone() });
    }
    for (field, days) in [
        ("rules.notice_days", rules.notice_days),
        ("rules.feedback_days", rules.feedback_days),
        ("rules.listing_extension_days", rules.listing_extension_days),
        ("rules.objection_days", rules.objection_days),
    ] {
        if days > 366 {
            return Err(Fault::invalid(field, days));
        }
    }
    Ok(domain::Rules {
        needs_approval: rules.needs_approval,
        notice_days: rules.notice_days,
        feedback_days: rules.feedback_days,
        feedback_from_decision: rules.feedback_from_decision,
        lights,
        calm: rules.calm.clone(),
        listing_extension_days: rules.listing_extension_days,
        objection_days: rules.objection_days,
    })
}

/// A list of measures as a message.
#[must_use]
pub fn list_to(list: &domain::MeasureList) -> wire::MeasureList {
    let row = |row: &domain::Row| wire::MeasureRow {
        problem: row.problem.clone(),
        measure: row.measure.clone(),
        owner: row.owner.clone(),
        due: date_to(row.due),
        progress: row.progress.clone(),
        evidence: row.evidence.clone(),
        raised_by: row.raised_by.clone(),
        reply: row.reply.clone(),
        done: row.is_done,
    };
    wire::MeasureList {
        matter: list.matter.clone(),
        version: list.version,
        r#final: list.is_final,
        rows: list.rows.iter().map(row).collect(),
    }
}

/// Rows of a request.
///
/// # Errors
/// `FIELD_INVALID`.
pub fn rows_from(rows: &[wire::MeasureRow]) -> Result<Vec<domain::Row>> {
    crate::check_count(rows, "rows")?;
    let row = |(at, row): (usize, &wire::MeasureRow)| {
        Ok(domain::Row {
            problem: row.problem.clone(),
            measure: row.measure.clone(),
            owner: row.owner.clone(),
            due: date_from(&row.due, &format!("rows[{at}].due"))?,
            progress: row.progress.clone(),
            evidence: row.evidence.clone(),
            raised_by: row.raised_by.clone(),
            reply: row.reply.clone(),
            is_done: row.done,
        })
    };
    rows.iter().enumerate().map(row).collect()
}

asks! { Act;
    ApproveMatterRequest => |r| Act::Approve { opinion: r.opinion };
    NotifyMatterRequest => |r| Act::Notify { notice: r.notice };
    AcceptMatterRequest => |_r| Act::Accept;
    RecordProgressRequest => |r| Act::Progress { text: r.text };
    RecordRevisionRequest => |r| Act::Revise { title: r.title };
    DispatchMatterRequest => |r| Act::Dispatch { paper: r.paper };
    RecordOutcomeRequest => |r| Act::RecordOutcome { text: r.text, approved: ruling_from(r.decision)?, document: r.document };
    RecordIssuedDocumentRequest => |r| Act::RecordIssued { date: required_date(&r.date, "date")?, number: r.number };
    ReachMilestoneRequest => |r| Act::Reach { milestone: r.milestone, text: r.text };
    ReportMatterRequest => |r| Act::Report { text: r.text, approver: r.approver };
    ReviewMatterRequest => |r| Act::Review { accept: ruling_from(r.decision)?, reason: r.reason };
    AskExtensionRequest => |r| {
        Act::AskExtension { due: required_date(&r.due, "due")?, reason: r.reason, progress: r.progress }
    };
    DecideExtensionRequest => |r| Act::DecideExtension { grant: ruling_from(r.decision)?, reason: r.reason };
    SuspendMatterRequest => |r| Act::Suspend { decision: r.decision, reason: r.reason };
    ResumeMatterRequest => |r| Act::Resume { reason: r.reason };
    StrikeOffMatterRequest => |r| Act::StrikeOff {
        evidence: r
            .evidence
            .into_iter()
            .map(|file| domain::Evidence { title: file.title, sha256: file.sha256 })
            .collect(),
        reason: r.reason,
    };
    ReopenMatterRequest => |r| Act::Reopen { reason: r.reason };
    ListMatterPubliclyRequest => |r| {
        Act::ListPublicly { level: r.level, deadline: required_date(&r.deadline, "deadline")?, notice: r.notice }
    };
    ExtendListingRequest => |r| {
        Act::ExtendListing { deadline: required_date(&r.deadline, "deadline")?, reason: r.reason }
    };
    DelistMatterRequest => |r| Act::Delist { notice: r.notice };
    SendSlipRequest => |r| Act::SendSlip {
        level: r.level,
        requirement: r.requirement,
        due: required_date(&r.due, "due")?,
        grave: r.grave,
    };
    AnswerSlipRequest => |r| Act::AnswerSlip { text: r.text, excused: r.excused };
    ObjectToConclusionRequest => |r| Act::Object { text: r.text };
    DecideObjectionRequest => |r| Act::DecideObjection { upheld: ruling_from(r.decision)?, reason: r.reason };
    AnswerRaiserRequest => |r| Act::Answer { to: r.to, text: r.text };
}
