//! The life of minutes to messages, and the requests of its acts to acts.

use jiyao_calendar::Date;
use jiyao_fault::{Fault, Result};
use jiyao_minutes::{self as domain, Act};
use jiyao_proto::records::v1 as wire;

use crate::asks::asks;
use crate::{date_from, required_date};

/// A stage as a message.
#[must_use]
pub fn stage_to(stage: domain::Stage) -> wire::Stage {
    use domain::Stage;
    match stage {
        Stage::Draft => wire::Stage::Draft,
        Stage::Review => wire::Stage::Review,
        Stage::Reviewed => wire::Stage::Reviewed,
        Stage::Signed => wire::Stage::Signed,
        Stage::Proofread => wire::Stage::Proofread,
        Stage::Registered => wire::Stage::Registered,
        Stage::Printed => wire::Stage::Printed,
        Stage::Issued => wire::Stage::Issued,
        Stage::Published => wire::Stage::Published,
        Stage::Archived => wire::Stage::Archived,
    }
}

/// The stage that a message names; None for none.
#[must_use]
pub fn stage_from(stage: i32) -> Option<domain::Stage> {
    let stage = wire::Stage::try_from(stage).ok()?;
    domain::Stage::ALL.into_iter().find(|known| stage_to(*known) == stage)
}

/// The mark that a message names; words where it names none.
///
/// # Errors
/// `FIELD_INVALID`.
pub fn mark_from(mark: i32) -> Result<domain::Mark> {
    match wire::Mark::try_from(mark) {
        Ok(wire::Mark::Unspecified | wire::Mark::Words) => Ok(domain::Mark::Words),
        Ok(wire::Mark::Circle) => Ok(domain::Mark::Circle),
        Ok(wire::Mark::Name) => Ok(domain::Mark::Name),
        Err(_) => Err(Fault::invalid("mark", mark)),
    }
}

/// Whether somebody agreed; an answer that was not given is none.
///
/// # Errors
/// `FIELD_REQUIRED`, `FIELD_INVALID` at `decision`.
pub fn ruling_from(decision: i32) -> Result<bool> {
    match wire::Ruling::try_from(decision) {
        Ok(wire::Ruling::Approved) => Ok(true),
        Ok(wire::Ruling::Refused) => Ok(false),
        Ok(wire::Ruling::Unspecified) => Err(Fault::required("decision")),
        Err(_) => Err(Fault::invalid("decision", decision)),
    }
}

/// The way back.
#[must_use]
pub fn ruling_to(agrees: bool) -> wire::Ruling {
    if agrees { wire::Ruling::Approved } else { wire::Ruling::Refused }
}

/// A mark as a message.
#[must_use]
pub fn mark_to(mark: domain::Mark) -> wire::Mark {
    match mark {
        domain::Mark::Words => wire::Mark::Words,
        domain::Mark::Circle => wire::Mark::Circle,
        domain::Mark::Name => wire::Mark::Name,
    }
}

/// The class of disclosure that a message names; None for none.
///
/// # Errors
/// `FIELD_INVALID`.
pub fn class_from(class: i32, field: &str) -> Result<Option<domain::DisclosureClass>> {
    match wire::DisclosureClass::try_from(class) {
        Ok(wire::DisclosureClass::Unspecified) => Ok(None),
        Ok(wire::DisclosureClass::Public) => Ok(Some(domain::DisclosureClass::Public)),
        Ok(wire::DisclosureClass::OnRequest) => Ok(Some(domain::DisclosureClass::OnRequest)),
        Ok(wire::DisclosureClass::Withheld) => Ok(Some(domain::DisclosureClass::Withheld)),
        Err(_) => Err(Fault::invalid(field, class)),
    }
}

/// A class of disclosure as a message.
#[must_use]
pub fn class_to(class: domain::DisclosureClass) -> wire::DisclosureClass {
    match class {
        domain::DisclosureClass::Public => wire::DisclosureClass::Public,
        domain::DisclosureClass::OnRequest => wire::DisclosureClass::OnRequest,
        domain::DisclosureClass::Withheld => wire::DisclosureClass::Withheld,
    }
}

fn disclosure_from(disclosure: Option<wire::Disclosure>) -> Result<Option<domain::Disclosure>> {
    let Some(disclosure) = disclosure else { return Ok(None) };
    let Some(class) = class_from(disclosure.class, "disclosure.class")? else { return Ok(None) };
    Ok(Some(domain::Disclosure { class, reason: disclosure.reason, article: disclosure.article }))
}

/// A class of disclosure as a message.
#[must_use]
pub fn disclosure_to(disclosure: &domain::Disclosure) -> wire::Disclosure {
    wire::Disclosure {
        class: class_to(disclosure.class).into(),
        reason: disclosure.reason.clone(),
        article: disclosure.article.clone(),
    }
}

/// The level of secrecy of a message; None for none.
///
/// # Errors
/// `FIELD_INVALID`.
pub fn secrecy_from(secrecy: Option<wire::Secrecy>) -> Result<Option<domain::Secrecy>> {
    let Some(secrecy) = secrecy else { return Ok(None) };
    let level = match wire::SecrecyLevel::try_from(secrecy.level) {
        Ok(wire::SecrecyLevel::Unspecified) => return Ok(None),
        Ok(wire::SecrecyLevel::Secret) => domain::Level::Secret,
        Ok(wire::SecrecyLevel::Confidential) => domain::Level::Confidential,
        Ok(wire::SecrecyLevel::TopSecret) => domain::Level::TopSecret,
        Err(_) => return Err(Fault::invalid("secrecy.level", secrecy.level)),
    };
    Ok(Some(domain::Secrecy { level, years: secrecy.years, condition: secrecy.condition }))
}

/// A level of secrecy as a message.
#[must_use]
pub fn secrecy_to(secrecy: &domain::Secrecy) -> wire::Secrecy {
    let level = match secrecy.level {
        domain::Level::Secret => wire::SecrecyLevel::Secret,
        domain::Level::Confidential => wire::SecrecyLevel::Confidential,
        domain::Level::TopSecret => wire::SecrecyLevel::TopSecret,
    };
    wire::Secrecy { level: level.into(), years: secrecy.years, condition: secrecy.condition.clone() }
}

/// The outcome of the quorum of a message.
///
/// # Errors
/// `FIELD_INVALID`.
pub fn quorum_from(outcome: i32) -> Result<domain::Quorum> {
    match wire::QuorumOutcome::try_from(outcome) {
        Ok(wire::QuorumOutcome::Unspecified) => Ok(domain::Quorum::Unknown),
        Ok(wire::QuorumOutcome::Met) => Ok(domain::Quorum::Met),
        Ok(wire::QuorumOutcome::NotMet) => Ok(domain::Quorum::NotMet),
        Ok(wire::QuorumOutcome::Overridden) => Ok(domain::Quorum::Overridden),
        Ok(wire::QuorumOutcome::NoRule) => Ok(domain::Quorum::NoRule),
        Err(_) => Err(Fault::invalid("outcome", outcome)),
    }
}

/// An outcome of the quorum as a message.
#[must_use]
pub fn quorum_to(quorum: domain::Quorum) -> wire::QuorumOutcome {
    match quorum {
        domain::Quorum::Unknown => wire::QuorumOutcome::Unspecified,
        domain::Quorum::Met => wire::QuorumOutcome::Met,
        domain::Quorum::NotMet => wire::QuorumOutcome::NotMet,
        domain::Quorum::Overridden => wire::QuorumOutcome::Overridden,
        domain::Quorum::NoRule => wire::QuorumOutcome::NoRule,
    }
}

/// A standing as a message.
#[must_use]
pub fn standing_to(standing: domain::Standing) -> wire::LegalStanding {
    match standing {
        domain::Standing::NotIssued => wire::LegalStanding::NotIssued,
        domain::Standing::InForce => wire::LegalStanding::InForce,
        domain::Standing::Replaced => wire::LegalStanding::Replaced,
        domain::Standing::Repealed => wire::LegalStanding::Repealed,
        domain::Standing::Revoked => wire::LegalStanding::Revoked,
        domain::Standing::Voided => wire::LegalStanding::Voided,
    }
}

/// A life as a message.
#[must_use]
pub fn life_to(life: &domain::Life) -> wire::Life {
    let date = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
    wire::Life {
        stage: stage_to(life.stage).into(),
        version: life.version,
        reviewed: life.reviewed.clone(),
        signed_date: date(life.signed),
        number: life.number.clone(),
        copies: life.copies,
        scope: life.scope.clone(),
        issued_date: date(life.issued),
        published_date: date(life.published),
        reclassified_date: date(life.reclassified),
        archived_date: date(life.archived),
        disclosure: life.disclosure.as_ref().map(disclosure_to),
        secrecy: life.secrecy.as_ref().map(secrecy_to),
        quorum: quorum_to(life.quorum).into(),
        replaced_by: life.replaced_by.clone(),
        revoked_date: date(life.revoked),
        repealed_date: date(life.repealed),
        voided_date: date(life.voided),
        major_items: life.majors.iter().map(|major| major.item).collect(),
        history: life.history.iter().map(entry_to).collect(),
        frozen_scope: life.frozen.as_ref().map(|scope| wire::FrozenScope {
            revision: scope.revision,
            date: scope.date.to_string(),
            hash: scope.hash.clone(),
        }),
        passages: life
            .passages
            .iter()
            .map(|passage| wire::Passage {
                quote: passage.quote.clone(),
                class: class_to(passage.class).into(),
                reason: passage.reason.clone(),
            })
            .collect(),
    }
}

fn entry_to(entry: &domain::Entry) -> wire::LifeEntry {
    let (post, mark, opinion) = match &entry.act {
        Act::Review { post, mark, opinion, .. } | Act::Sign { post, mark, opinion, .. } => {
            (post.clone(), mark_to(*mark), opinion.clone())
        }
        act => (String::new(), wire::Mark::Unspecified, words_of(act)),
    };
    wire::LifeEntry {
        act: entry.act.name().to_owned(),
        actor: entry.actor.clone(),
        post,
        mark: mark.into(),
        opinion,
        time: Some(crate::timestamp(entry.time.as_millisecond())),
        to: stage_to(entry.to).into(),
        delegated_by: entry.delegated_by.clone().unwrap_or_default(),
    }
}

fn words_of(act: &Act) -> String {
    match act {
        Act::Submit { opinion } | Act::Proofread { opinion } => opinion.clone(),
        Act::Amend { note, from_revision, to_revision, .. } => {
            format!("{from_revision} → {to_revision}: {note}")
        }
        Act::Register { number, copies, scope, .. } => format!("{number} ({copies}) {scope}"),
        Act::Print { copies } => copies.to_string(),
        Act::RecordScope { scope } => format!("{} {} {}", scope.revision, scope.date, scope.hash),
        Act::MarkPassage { passage } => format!("{}: {}", passage.quote, passage.reason),
        Act::Publish { place: words, .. }
        | Act::Archive { file: words }
        | Act::Replace { by: words }
        | Act::Reinstate { was: words } => words.clone(),
        Act::RecordQuorum { outcome, reason } => format!("{}: {reason}", outcome.as_str()),
        Act::SetSecrecy { reason, .. } | Act::Void { reason } => reason.clone(),
        Act::Reclassify { disclosure, reason } => format!("{} {reason}", disclosure.class.note()),
        Act::FlagMajor { major } => format!("{}: {} {}", major.item + 1, major.review, major.review_date),
        Act::Revoke { document, reason }
        | Act::Repeal { document, reason, .. }
        | Act::Declassify { document, reason } => {
            format!("{document}: {reason}")
        }
        Act::ProposeDisclosure { disclosure } => disclosure.reason.clone(),
        Act::Review { .. } | Act::Sign { .. } | Act::Issue => String::new(),
    }
}

/// Chains, posts and delegations as a message.
#[must_use]
pub fn sign_off_to(sign_off: &domain::SignOff) -> wire::SignOff {
    let chain = |chain: &domain::Chain| wire::Chain {
        meeting_kind: chain.meeting_kind.clone(),
        reviewers: chain.reviewers.clone(),
        signer: chain.signer.clone(),
    };
    let delegation = |one: &domain::Delegation| wire::Delegation {
        of: one.of.clone(),
        to: one.to.clone(),
        from: one.from.to_string(),
        until: one.until.to_string(),
        document: one.document.clone(),
    };
    let holder = |(post, principals): (&String, &Vec<String>)| wire::Holder {
        post: post.clone(),
        principals: principals.clone(),
    };
    wire::SignOff {
        chains: sign_off.chains.iter().map(chain).collect(),
        holders: sign_off.holders.iter().map(holder).collect(),
        delegations: sign_off.delegations.iter().map(delegation).collect(),
    }
}

/// Those of a message.
///
/// # Errors
/// `FIELD_REQUIRED` for a reviewer without a post; `FIELD_INVALID` for days that are none or run backwards.
pub fn sign_off_from(sign_off: wire::SignOff) -> Result<domain::SignOff> {
    crate::check_count(&sign_off.chains, "sign_off.chains")?;
    crate::check_count(&sign_off.holders, "sign_off.holders")?;
    crate::check_count(&sign_off.delegations, "sign_off.delegations")?;
    let mut found = domain::SignOff { chains: Vec::new(), ..domain::SignOff::default() };
    for (at, chain) in sign_off.chains.into_iter().enumerate() {
        if let Some(blank) = chain.reviewers.iter().position(|post| post.trim().is_empty()) {
            return Err(Fault::required(&format!("sign_off.chains[{at}].reviewers[{blank}]")));
        }
        let wire::Chain { meeting_kind, reviewers, signer } = chain;
        found.chains.push(domain::Chain { meeting_kind, reviewers, signer });
    }
    for holder in sign_off.holders {
        found.holders.insert(holder.post, holder.principals);
    }
    for (at, one) in sign_off.delegations.into_iter().enumerate() {
        let field = |name: &str| format!("sign_off.delegations[{at}].{name}");
        let (from, until) =
            (required_date(&one.from, &field("from"))?, required_date(&one.until, &field("until"))?);
        if until < from {
            return Err(Fault::invalid(&field("until"), until));
        }
        let wire::Delegation { of, to, document, .. } = one;
        found.delegations.push(domain::Delegation { of, to, from, until, document });
    }
    Ok(found)
}

asks! { Act;
    SubmitMinutesRequest => |r| Act::Submit { opinion: r.opinion };
    ReviewMinutesRequest => |r| {
        Act::Review { post: r.post, mark: mark_from(r.mark)?, opinion: r.opinion, approve: ruling_from(r.decision)? }
    };
    SignMinutesRequest => |r| Act::Sign {
        post: r.post,
        mark: mark_from(r.mark)?,
        opinion: r.opinion,
        date: date_from(&r.date, "date")?,
        disclosure: disclosure_from(r.disclosure)?,
    };
    ProofreadMinutesRequest => |r| Act::Proofread { opinion: r.opinion };
    RegisterMinutesRequest => |r| {
        Act::Register { series: r.series, number: String::new(), copies: r.copies, scope: r.scope }
    };
    PrintMinutesRequest => |r| Act::Print { copies: r.copies };
    IssueMinutesRequest => |_r| Act::Issue;
    PublishMinutesRequest => |r| Act::Publish { place: r.place, separable: r.separable };
    MarkPassageRequest => |r| Act::MarkPassage {
        passage: domain::Passage {
            class: class_from(r.class, "class")?.ok_or_else(|| Fault::required("class"))?,
            quote: r.quote,
            reason: r.reason,
        },
    };
    ArchiveMinutesRequest => |r| Act::Archive { file: r.file };
    RecordQuorumOutcomeRequest => |r| Act::RecordQuorum {
        outcome: match quorum_from(r.outcome)? {
            domain::Quorum::Unknown => return Err(Fault::required("outcome")),
            outcome => outcome,
        },
        reason: r.reason,
    };
    ProposeDisclosureRequest => |r| Act::ProposeDisclosure {
        disclosure: disclosure_from(r.disclosure)?.ok_or_else(|| Fault::required("disclosure.class"))?,
    };
    SetSecrecyRequest => |r| Act::SetSecrecy { secrecy: secrecy_from(r.secrecy)?, reason: r.reason };
    DeclassifyMinutesRequest => |r| Act::Declassify { document: r.document, reason: r.reason };
    ReclassifyMinutesRequest => |r| Act::Reclassify {
        disclosure: disclosure_from(r.disclosure)?.ok_or_else(|| Fault::required("disclosure.class"))?,
        reason: r.reason,
    };
    FlagMajorDecisionRequest => |r| Act::FlagMajor {
        major: domain::Major {
            item: r.item_index,
            review: r.review,
            review_date: required_date(&r.review_date, "review_date")?,
            differs: r.differs,
            reason: r.reason,
        },
    };
    RevokeMinutesRequest => |r| Act::Revoke { document: r.document, reason: r.reason };
    RepealMinutesRequest => |r| {
        Act::Repeal { from: required_date(&r.from, "from")?, document: r.document, reason: r.reason }
    };
    VoidImportRequest => |r| Act::Void { reason: r.reason };
}
