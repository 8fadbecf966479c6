//! Numbered copies (份号) of classified minutes: each out, returned or destroyed (requirement 38).

use std::collections::BTreeSet;

use jiyao_calendar::Timestamp;
use jiyao_fault::{Fault, Reason, Result};
use serde::{Deserialize, Serialize};

/// The six digits of a copy.
#[must_use]
pub fn copy_number(number: u32) -> String {
    format!("{number:06}")
}

/// How a copy came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CopyEnd {
    /// It came back.
    Returned,
    /// It was destroyed.
    Destroyed {
        /// Who approved that.
        approved_by: String,
        /// Who saw it: two at least.
        witnesses: Vec<String>,
    },
}

/// A copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// Six digits.
    pub number: String,
    /// Whose it is.
    pub unit: String,
    /// `organs/{organ}/deliveries/{delivery}`.
    pub delivery: String,
    /// None: it is out.
    pub end: Option<(CopyEnd, String, Timestamp)>,
}

/// Rules of copies.
#[derive(Clone, Copy, Debug)]
pub struct Copies;

impl Copies {
    /// Whether a copy may end so.
    ///
    /// # Errors
    /// `STATE_FORBIDS` for one that is not out; `FIELD_REQUIRED` for a destruction without approval or two witnesses.
    pub fn check(copy: &Copy, end: &CopyEnd) -> Result<()> {
        if copy.end.is_some() {
            return Err(Fault::new(Reason::StateForbids).with("state", "NOT_OUT").with("act", "END_COPY"));
        }
        if let CopyEnd::Destroyed { approved_by, witnesses } = end {
            if approved_by.trim().is_empty() {
                return Err(Fault::required("approved_by"));
            }
            let named: BTreeSet<&str> = witnesses
                .iter()
                .map(|witness| witness.trim())
                .filter(|witness| !witness.is_empty())
                .collect();
            if named.len() < 2 {
                return Err(Fault::required("witnesses"));
            }
        }
        Ok(())
    }
}
