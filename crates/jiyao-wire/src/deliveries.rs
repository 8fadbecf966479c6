//! Deliveries, copies and requests for disclosure to messages, and the requests of their acts to acts.

use jiyao_calendar::{Date, Holidays, Timestamp};
use jiyao_deliveries::{self as domain, Act, RequestAct};
use jiyao_fault::{Fault, Result};
use jiyao_proto::distribution::v1 as wire;

use crate::asks::asks;

/// A state as a message.
#[must_use]
pub fn delivery_state_to(state: domain::State) -> wire::DeliveryState {
    match state {
        domain::State::Pending => wire::DeliveryState::Pending,
        domain::State::Sent => wire::DeliveryState::Sent,
        domain::State::Received => wire::DeliveryState::Received,
        domain::State::Signed => wire::DeliveryState::Signed,
        domain::State::Returned => wire::DeliveryState::Returned,
        domain::State::Recalled => wire::DeliveryState::Recalled,
        domain::State::Failed => wire::DeliveryState::Failed,
    }
}

/// The state that a message names; None for none.
#[must_use]
pub fn delivery_state_from(state: i32) -> Option<domain::State> {
    let state = wire::DeliveryState::try_from(state).ok()?;
    domain::State::ALL.into_iter().find(|known| delivery_state_to(*known) == state)
}

/// A way as a message.
#[must_use]
pub fn channel_to(channel: domain::Channel) -> wire::Channel {
    match channel {
        domain::Channel::Inbox => wire::Channel::Inbox,
        domain::Channel::Email => wire::Channel::Email,
        domain::Channel::Webhook => wire::Channel::Webhook,
        domain::Channel::Paper => wire::Channel::Paper,
    }
}

/// The way that a message names.
///
/// # Errors
/// `FIELD_REQUIRED`, `FIELD_INVALID`.
pub fn channel_from(channel: i32, field: &str) -> Result<domain::Channel> {
    match wire::Channel::try_from(channel) {
        Ok(wire::Channel::Unspecified) => Err(Fault::required(field)),
        Ok(wire::Channel::Inbox) => Ok(domain::Channel::Inbox),
        Ok(wire::Channel::Email) => Ok(domain::Channel::Email),
        Ok(wire::Channel::Webhook) => Ok(domain::Channel::Webhook),
        Ok(wire::Channel::Paper) => Ok(domain::Channel::Paper),
        Err(_) => Err(Fault::invalid(field, channel)),
    }
}

/// A delivery as a message.
#[must_use]
pub fn delivery_to(delivery: &domain::Delivery) -> wire::Delivery {
    let instant = |time: Option<Timestamp>| time.map(|time| crate::timestamp(time.as_millisecond()));
    let failure = |failure: &domain::Failure| wire::Failure {
        attempt: failure.attempt,
        time: instant(Some(failure.time)),
        why: failure.why.clone(),
    };
    let (signed, returned) = (delivery.signed.as_ref(), delivery.returned.as_ref());
    wire::Delivery {
        name: delivery.name.clone(),
        minutes: delivery.minutes.clone(),
        revision: delivery.revision,
        sha256: delivery.sha256.clone(),
        unit: delivery.unit.clone(),
        title: delivery.title.clone(),
        channel: channel_to(delivery.channel).into(),
        state: delivery_state_to(delivery.state).into(),
        version: delivery.version,
        attempt: delivery.attempt,
        sent_time: instant(delivery.sent),
        received_time: instant(delivery.received),
        signed_time: instant(signed.map(|signed| signed.time)),
        signer: signed.map(|signed| signed.signer.clone()).unwrap_or_default(),
        signed_unit: signed.map(|signed| signed.unit.clone()).unwrap_or_default(),
        transit: delivery.transit.clone(),
        return_codes: returned.map(|returned| returned.codes.clone()).unwrap_or_default(),
        return_text: returned.map(|returned| returned.text.clone()).unwrap_or_default(),
        reminders: delivery.reminders.iter().map(|(time, text)| format!("{time} {text}")).collect(),
        failures: delivery.failures.iter().map(failure).collect(),
        next_try: instant(delivery.next_try),
        copies: delivery.copies.clone(),
        replaces: delivery.replaces.clone(),
        approved_by: delivery.approved_by.clone(),
        closed: delivery.closed.clone(),
    }
}

/// A scope as a message, with some of its targets.
#[must_use]
pub fn scope_to(scope: &domain::Scope, targets: Vec<domain::Target>) -> wire::Scope {
    let target =
        |target: domain::Target| wire::Target { unit: target.unit, title: target.title, via: target.via };
    wire::Scope {
        minutes: scope.minutes.clone(),
        revision: scope.revision,
        sha256: scope.sha256.clone(),
        date: scope.date.to_string(),
        directory: scope.directory,
        lines: scope.lines.clone(),
        targets: targets.into_iter().map(target).collect(),
        total: scope.targets,
        copies: scope.copies,
        paper: scope.is_paper,
        hash: scope.hash.clone(),
    }
}

/// A numbered copy as a message.
#[must_use]
pub fn copy_to(copy: &domain::Copy) -> wire::Copy {
    let (state, approved_by, witnesses, actor) = match &copy.end {
        None => ("OUT", String::new(), Vec::new(), String::new()),
        Some((domain::CopyEnd::Returned, actor, _)) => ("RETURNED", String::new(), Vec::new(), actor.clone()),
        Some((domain::CopyEnd::Destroyed { approved_by, witnesses }, actor, _)) => {
            ("DESTROYED", approved_by.clone(), witnesses.clone(), actor.clone())
        }
    };
    wire::Copy {
        number: copy.number.clone(),
        unit: copy.unit.clone(),
        delivery: copy.delivery.clone(),
        state: state.to_owned(),
        approved_by,
        witnesses,
        actor,
    }
}

/// A request for disclosure as a message, as of a day.
#[must_use]
pub fn disclosure_request_to(
    request: &domain::Request,
    today: Date,
    holidays: &Holidays,
) -> wire::DisclosureRequest {
    let line = |entry: &domain::RequestEntry| format!("{} {} {}", entry.day, entry.act.name(), entry.actor);
    let late = request.is_late(today, holidays);
    wire::DisclosureRequest {
        name: request.name.clone(),
        applicant: request.applicant.clone(),
        subject: request.subject.clone(),
        minutes: request.minutes.clone(),
        received: request.received.to_string(),
        state: request.state.as_str().to_owned(),
        due: request.due(today, holidays).map(|due| due.to_string()).unwrap_or_default(),
        finding: late.as_ref().err().map(|fault| fault.reason().to_string()).unwrap_or_default(),
        late: late.unwrap_or(false),
        version: request.version,
        history: request.history.iter().map(line).collect(),
    }
}

asks! { Act;
    AcknowledgeDeliveryRequest => |r| Act::Receive { attempt: r.attempt };
    SignDeliveryRequest => |r| Act::Sign {
        attempt: r.attempt,
        sha256: r.sha256,
        signer: r.signer,
        claim_signature: r.claim_signature,
    };
    ReturnDeliveryRequest => |r| Act::Return { attempt: r.attempt, codes: r.codes, text: r.text };
    HandOverDeliveryRequest => |r| Act::HandOver { signer: r.signer, note: r.note };
    RemindDeliveryRequest => |r| Act::Remind { text: r.text };
    RecallDeliveryRequest => |r| Act::Recall { reason: r.reason };
    ResendDeliveryRequest => |r| Act::Resend { reason: r.reason };
    RedirectDeliveryRequest => |r| Act::Redirect {
        channel: channel_from(r.channel, "channel")?,
        reason: r.reason,
    };
    CloseDeliveryRequest => |r| Act::Close { reason: r.reason };
}

asks! { RequestAct;
    AskCompletionRequest => |r| RequestAct::AskCompletion { what: r.what };
    CompleteDisclosureRequestRequest => |_r| RequestAct::Complete;
    DropDisclosureRequestRequest => |r| RequestAct::Drop { reason: r.reason };
    AskThirdPartyRequest => |r| RequestAct::AskThirdParty { party: r.party };
    HearThirdPartyRequest => |r| RequestAct::HearThirdParty { text: r.text };
    ExtendDisclosureRequestRequest => |r| RequestAct::Extend { working_days: r.working_days, reason: r.reason };
    AnswerDisclosureRequestRequest => |r| RequestAct::Answer { kind: r.kind, text: r.text };
}
