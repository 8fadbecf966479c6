//! 清单式管理, 一问一策: a list of problems, each with its own measure, owner and day (requirement 65).

use jiyao_calendar::Date;
use jiyao_fault::{Fault, Reason, Result};
use serde::{Deserialize, Serialize};

/// One problem.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The problem.
    pub problem: String,
    /// Exactly one measure.
    pub measure: String,
    /// Exactly one owner.
    pub owner: String,
    /// By when.
    pub due: Option<Date>,
    /// How far it is.
    pub progress: String,
    /// What shows it.
    pub evidence: String,
    /// Who raised it; empty: nobody waits for an answer.
    pub raised_by: String,
    /// What they were answered.
    pub reply: String,
    /// Done.
    pub is_done: bool,
}

/// The list of a matter. Each change is a version; once final it stays, and only progress is added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasureList {
    /// The matter that it belongs to.
    pub matter: String,
    /// From 1.
    pub version: u64,
    /// No cell may be empty any more, and problems, measures, owners and days stay.
    pub is_final: bool,
    /// In order.
    pub rows: Vec<Row>,
}

impl MeasureList {
    /// The next version.
    ///
    /// # Errors
    /// `LIST_INCOMPLETE` for a final list with an empty cell or two owners in one; `LIST_FINAL` where a final list
    /// would lose or change a row.
    pub fn next(&self, rows: Vec<Row>, is_final: bool) -> Result<Self> {
        if is_final || self.is_final {
            for (at, row) in rows.iter().enumerate() {
                let cells = [
                    ("problem", row.problem.trim().is_empty()),
                    ("measure", row.measure.trim().is_empty()),
                    ("owner", row.owner.trim().is_empty() || row.owner.contains(['、', '，', ',', '；'])),
                    ("due", row.due.is_none()),
                ];
                if let Some((cell, _)) = cells.iter().find(|(_, is_empty)| *is_empty) {
                    return Err(Fault::new(Reason::ListIncomplete)
                        .at(format!("rows[{at}].{cell}"))
                        .with("row", at + 1)
                        .with("cell", cell));
                }
            }
        }
        if self.is_final {
            let fixed = |row: &Row| (row.problem.clone(), row.measure.clone(), row.owner.clone(), row.due);
            if self.rows.iter().map(fixed).ne(rows.iter().map(fixed)) || !is_final {
                return Err(Fault::new(Reason::ListFinal).at("rows").with("version", self.version));
            }
        }
        Ok(Self { matter: self.matter.clone(), version: self.version + 1, is_final, rows })
    }

    /// Done, late and still in time on a day: the three add up to the rows.
    #[must_use]
    pub fn totals(&self, today: Date) -> [usize; 3] {
        let mut totals = [0; 3];
        for row in &self.rows {
            let late = row.due.is_some_and(|due| due < today);
            totals[if row.is_done { 0 } else { 1 + usize::from(!late) }] += 1;
        }
        totals
    }

    /// Rows that somebody raised and nobody answered, from 0 (requirement 66).
    #[must_use]
    pub fn unanswered(&self) -> Vec<usize> {
        let waits = |row: &Row| row.is_done && !row.raised_by.is_empty() && row.reply.trim().is_empty();
        (0..self.rows.len()).filter(|at| waits(&self.rows[*at])).collect()
    }
}
