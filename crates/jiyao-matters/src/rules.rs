//! What varies from organ to organ, and what the days make of a matter by it.

use jiyao_calendar::{Date, Holidays};
use serde::{Deserialize, Serialize};

use crate::matter::Matter;
use crate::state::State;

/// A colour from a number of days left down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// So many days left or fewer; -1: overdue.
    pub days_left: i64,
    /// What it is called, e.g. yellow.
    pub colour: String,
}

/// A matter's light on a day: a colour, or none where nothing is open.
pub type Light = Option<String>;

/// Settings of an organ (requirements 51, 58, 60, 64 and 69).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// The pick of matters is approved before the notices go out.
    pub needs_approval: bool,
    /// Working days from 印发 to the notice.
    pub notice_days: u32,
    /// Working days to the first feedback.
    pub feedback_days: u32,
    /// They count from the decision, else from the notice.
    pub feedback_from_decision: bool,
    /// Colours, the most pressing first.
    pub lights: Vec<Threshold>,
    /// The colour where none of them applies.
    pub calm: String,
    /// Working days before the end of a listing by which an extension is asked.
    pub listing_extension_days: u32,
    /// Days to object, and to decide on an objection.
    pub objection_days: u32,
}

impl Default for Rules {
    fn default() -> Self {
        let threshold = |days_left, colour: &str| Threshold { days_left, colour: colour.to_owned() };
        Self {
            needs_approval: true,
            notice_days: 3,
            feedback_days: 5,
            feedback_from_decision: false,
            lights: vec![threshold(-1, "red"), threshold(3, "yellow")],
            calm: "green".to_owned(),
            listing_extension_days: 20,
            objection_days: 30,
        }
    }
}

/// What is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FindingCode {
    /// The notice is not out in time after 印发.
    NoticeLate,
    /// No report where one was due.
    FeedbackLate,
    /// The day has passed and it is not done.
    Overdue,
    /// The decision is in effect and the matter is open.
    EffectiveOpen,
    /// No day was set.
    DueMissing,
    /// A decision in principle without an owner.
    OwnerMissing,
    /// A decision in principle without a next act.
    NextMissing,
    /// A milestone's day has passed.
    MilestoneLate,
    /// Other matters were closed with the same evidence.
    EvidenceRepeated,
    /// The public listing has run out.
    ListingLate,
    /// Whoever raised it has no answer.
    Unanswered,
    /// The directory has nobody who is called like the lead.
    LeadUnknown,
    /// A year that a count of working days needs has no holiday table.
    HolidaysUnknown,
}

impl FindingCode {
    /// Its name on the wire, and in the catalogue of phrases after `finding-`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoticeLate => "NOTICE_LATE",
            Self::FeedbackLate => "FEEDBACK_LATE",
            Self::Overdue => "OVERDUE",
            Self::EffectiveOpen => "EFFECTIVE_OPEN",
            Self::DueMissing => "DUE_MISSING",
            Self::OwnerMissing => "OWNER_MISSING",
            Self::NextMissing => "NEXT_MISSING",
            Self::MilestoneLate => "MILESTONE_LATE",
            Self::EvidenceRepeated => "EVIDENCE_REPEATED",
            Self::ListingLate => "LISTING_LATE",
            Self::Unanswered => "UNANSWERED",
            Self::LeadUnknown => "LEAD_UNKNOWN",
            Self::HolidaysUnknown => "HOLIDAYS_UNKNOWN",
        }
    }
}

/// A finding: recorded nowhere, true on the day it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub code: FindingCode,
    /// Since, or by when.
    pub day: Option<Date>,
    /// Whom or what it concerns.
    pub about: String,
}

impl Rules {
    /// The light of a matter on a day. The same inputs give the same light (requirement 60).
    #[must_use]
    pub fn light(&self, matter: &Matter, today: Date) -> Light {
        self.light_of(matter.state, matter.due, today)
    }

    /// The same from the two things that it hangs on.
    #[must_use]
    pub fn light_of(&self, state: State, due: Option<Date>, today: Date) -> Light {
        if state.is_end() || state == State::Suspended {
            return None;
        }
        let left = due.map(|due| jiyao_calendar::days_between(today, due));
        let shown = self.lights.iter().find(|light| left.is_some_and(|left| left <= light.days_left));
        Some(shown.map_or(&self.calm, |light| &light.colour).clone())
    }

    /// The day by which the first feedback is due (requirement 58): counted from the decision, or from when the unit
    /// signed for the minutes, or else from the notice; None before any of them, or where a year has no table.
    #[must_use]
    pub fn feedback_due(&self, matter: &Matter, holidays: &Holidays) -> Option<Date> {
        let from =
            if self.feedback_from_decision { matter.decided } else { matter.received.or(matter.noticed) }?;
        holidays.after(from, self.feedback_days).ok()
    }

    /// Findings of a day. `is_lead_known`: whether the directory has, or had, a unit that is called like the lead.
    #[must_use]
    pub fn findings(
        &self,
        matter: &Matter,
        today: Date,
        holidays: &Holidays,
        is_lead_known: bool,
    ) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut find = |code, day: Option<Date>, about: &str| {
            found.push(Finding { code, day, about: about.to_owned() });
        };
        let open = !matter.state.is_end();
        let past = |day: Date| today > day;
        if open && !matter.lead.is_empty() && !is_lead_known {
            find(FindingCode::LeadUnknown, None, &matter.lead);
        }
        let unknown =
            |from: Option<Date>, days: u32| from.is_some_and(|from| holidays.after(from, days).is_err());
        if matter.noticed.is_none()
            && let Some(last) = matter.issued.and_then(|issued| holidays.after(issued, self.notice_days).ok())
            && past(last)
        {
            find(FindingCode::NoticeLate, Some(last), &matter.lead);
        }
        let heard = matter.feedback.first().map(|feedback| feedback.date);
        if let Some(due) = self.feedback_due(matter, holidays)
            && heard.map_or(open && past(due), |heard| heard > due)
        {
            find(FindingCode::FeedbackLate, due.tomorrow().ok(), &matter.lead);
        }
        if unknown(matter.issued, self.notice_days) || unknown(matter.noticed, self.feedback_days) {
            find(FindingCode::HolidaysUnknown, None, "");
        }
        match matter.due {
            Some(due) if open && past(due) => find(FindingCode::Overdue, Some(due), &matter.lead),
            None if open => find(FindingCode::DueMissing, None, &matter.lead),
            _ => {}
        }
        if let Some(effective) = matter.effective.filter(|effective| open && today >= *effective) {
            find(FindingCode::EffectiveOpen, Some(effective), &matter.lead);
        }
        for milestone in matter.milestones.iter().filter(|milestone| milestone.reached.is_none()) {
            if open && past(milestone.due) {
                find(FindingCode::MilestoneLate, Some(milestone.due), &milestone.what);
            }
        }
        for other in &matter.same_evidence {
            find(FindingCode::EvidenceRepeated, None, other);
        }
        if let Some(listing) = matter.listing.as_ref().filter(|listing| listing.delisted.is_none())
            && past(listing.deadline)
        {
            find(FindingCode::ListingLate, Some(listing.deadline), &listing.level);
        }
        if matter.owes_answer() {
            find(FindingCode::Unanswered, None, &matter.raised_by);
        }
        found
    }
}
