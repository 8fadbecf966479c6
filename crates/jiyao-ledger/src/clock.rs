//! The machine's clock, held against the last record and against time as it passes. Dates of documents come from it, so
//! a clock that jumped is refused until an operator accepts it on record.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiyao_calendar::{Clock, Timestamp};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_proto::stored::v1::{ClockAccepted, Event};
use prost::Message as _;
use tracing::{info, warn};

use crate::domain::{Context, Decided, event};
use crate::writer::timestamp;

/// Type of the event that a clock was accepted.
pub(crate) const ACCEPTED: &str = "clock.accepted";
/// How far the clock may be behind the last record.
const BEHIND: Duration = Duration::from_secs(5 * 60);
/// How far it may drift from the time that passed, for each minute of that.
const DRIFT: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);
/// Longest reason in bytes.
const LONGEST_REASON: usize = 2000;

/// A fault of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockFault {
    /// It is more than five minutes before the time of the last record.
    BehindLastRecord,
    /// It moved by more than two seconds a minute against the time that passed.
    Jumped,
}

impl ClockFault {
    /// Its name in messages, metadata and the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BehindLastRecord => "BEHIND_LAST_RECORD",
            Self::Jumped => "JUMPED",
        }
    }
}

/// A look at the clock.
#[derive(Clone, Copy, Debug)]
pub struct ClockLook {
    /// The time that it shows.
    pub now: Timestamp,
    /// The time that was expected: the time that passed since it was trusted last, but not before the last record.
    pub expected: Timestamp,
    /// Why nothing is recorded by it; None: it is trusted.
    pub fault: Option<ClockFault>,
}

/// That an operator accepts a clock that is not trusted.
#[derive(Clone, Debug)]
pub struct AcceptClock {
    /// Why it is right, for the record.
    pub reason: String,
}

pub(crate) struct Timekeeper {
    clock: Box<dyn Clock>,
    trust: Mutex<Trust>,
}

struct Trust {
    /// The time that the clock showed when it was trusted last.
    at: Timestamp,
    /// Time that had passed then.
    passed: Duration,
    /// Drift that was allowed when the clock jumped: it does not grow while the clock is not trusted.
    allowed: Option<Duration>,
    last_record: Timestamp,
}

impl Timekeeper {
    pub(crate) fn new(clock: impl Clock, last_record_ms: i64) -> Self {
        let (at, passed) = (clock.now(), clock.passed());
        let trust = Trust { at, passed, allowed: None, last_record: instant(last_record_ms) };
        Self { clock: Box::new(clock), trust: Mutex::new(trust) }
    }

    fn trust(&self) -> MutexGuard<'_, Trust> {
        self.trust.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the clock. To be done at least each minute: drift is allowed for the time since the last look.
    pub(crate) fn look(&self) -> ClockLook {
        let mut trust = self.trust();
        let (now, passed) = (self.clock.now(), self.clock.passed());
        let since = passed.saturating_sub(trust.passed);
        let expected = trust.at.saturating_add(since).unwrap_or(Timestamp::MAX);
        let drift = now.duration_since(expected).unsigned_abs();
        let allowed = trust.allowed.unwrap_or_else(|| {
            let minutes = since.as_secs_f64() / MINUTE.as_secs_f64();
            DRIFT.mul_f64(minutes.max(1.0))
        });
        let has_jumped = drift > allowed;
        if has_jumped != trust.allowed.is_some() {
            if has_jumped {
                warn!(%now, %expected, "the clock jumped: nothing is recorded until it is right or accepted");
            } else {
                info!("the clock is right again");
            }
        }
        trust.allowed = has_jumped.then_some(allowed);
        if !has_jumped && since >= MINUTE {
            (trust.at, trust.passed) = (now, passed);
        }
        let is_behind = now.saturating_add(BEHIND).unwrap_or(Timestamp::MAX) < trust.last_record;
        let fault = match (has_jumped, is_behind) {
            (true, _) => Some(ClockFault::Jumped),
            (false, true) => Some(ClockFault::BehindLastRecord),
            (false, false) => None,
        };
        ClockLook { now, expected: expected.max(trust.last_record), fault }
    }

    /// The time of a record that is written now, in ms since 1970.
    ///
    /// # Errors
    /// `CLOCK_JUMPED`.
    pub(crate) fn now_ms(&self) -> Result<i64> {
        let look = self.look();
        match look.fault {
            None => Ok(look.now.as_millisecond()),
            Some(fault) => Err(Fault::new(Reason::ClockJumped)
                .with("clock", look.now)
                .with("expected", look.expected)
                .with("why", fault.as_str())),
        }
    }

    /// A record of this time was written.
    pub(crate) fn recorded(&self, time_ms: i64) {
        self.trust().last_record = instant(time_ms);
    }

    /// Trusts the clock from now on.
    pub(crate) fn accept(&self) {
        let mut trust = self.trust();
        (trust.at, trust.passed, trust.allowed) = (self.clock.now(), self.clock.passed(), None);
    }

    /// Decides that the clock is accepted, on record with what it says and what was expected.
    ///
    /// # Errors
    /// `STATE_FORBIDS` where it is trusted; `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub(crate) fn decide(&self, accept: &AcceptClock, context: &Context<'_>) -> Result<Decided> {
        if accept.reason.trim().is_empty() {
            return Err(Fault::required("reason"));
        }
        if accept.reason.len() > LONGEST_REASON {
            let value = format!("{} bytes, more than {LONGEST_REASON}", accept.reason.len());
            return Err(Fault::invalid("reason", value));
        }
        let look = self.look();
        let trusted =
            || Fault::new(Reason::StateForbids).with("state", "TRUSTED").with("act", "ACCEPT_CLOCK");
        let accepted = ClockAccepted {
            clock_time: Some(timestamp(context.now.as_millisecond())),
            expected_time: Some(timestamp(look.expected.as_millisecond())),
            why: look.fault.ok_or_else(trusted)?.as_str().to_owned(),
            reason: accept.reason.clone(),
            accepted_by: context.principal.to_owned(),
        };
        Ok(Decided { events: vec![event(ACCEPTED, 1, &accepted)], answer: accepted.encode_to_vec() })
    }

    pub(crate) fn untrusted_now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

/// Whether an event says that a clock was accepted. It shows nothing.
pub(crate) fn is_accepted(event: &Event) -> bool {
    event.version == 1 && event.r#type == ACCEPTED
}

fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MIN)
}
