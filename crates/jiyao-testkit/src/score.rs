//! How well facts were found: precision, recall and F1 by group, and how well the doubts sit.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Groups of facts, in the order of the table.
pub const GROUPS: [&str; 7] = ["header", "items", "documents", "decisions", "attendance", "closing", "all"];

/// A fact as it is compared: group, place, value.
type Key = (&'static str, String, String);

/// What was expected, found and right, by group.
#[derive(Clone, Debug, Default)]
pub struct Score(BTreeMap<&'static str, [usize; 3]>);

/// Folds what is no difference between two facts: blanks, the width of marks, marks at the ends.
fn norm(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let folded: String = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| match c {
            '（' => '(',
            '）' => ')',
            '：' => ':',
            '，' => ',',
            '；' => ';',
            c => c,
        })
        .collect();
    folded.trim_matches(['。', '.', ';', ',', '、']).to_owned()
}

/// Every fact of one document; the same fact twice counts twice.
#[must_use]
fn flat(facts: &Value) -> Vec<Key> {
    let mut all = Vec::new();
    let mut put = |group: &'static str, place: String, value: &Value| {
        let is_empty = value.is_null() || value.as_str() == Some("");
        if !is_empty {
            all.push((group, place, norm(value)));
        }
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    put("header", "issuer".to_owned(), &facts["issuer"]);
    put("header", "document_number".to_owned(), &facts["document_number"]);
    for (key, value) in facts["meeting"].as_object().into_iter().flatten() {
        put("header", format!("meeting.{key}"), value);
    }
    for (at, item) in list(&facts["items"]).iter().enumerate() {
        let no = if item["no"].is_null() { Value::from("-") } else { item["no"].clone() };
        put("items", format!("{at}.item"), &no);
        put("items", format!("{at}.heading"), &item["heading"]);
        list(&item["documents"]).iter().for_each(|title| put("documents", at.to_string(), title));
        for decision in list(&item["decisions"]) {
            for key in ["outcome", "next_step", "next_body", "effective_date"] {
                put("decisions", format!("{at}.{key}"), &decision[key]);
            }
            for key in ["subjects", "lead_units", "support_units", "deadlines"] {
                list(&decision[key]).iter().for_each(|value| put("decisions", format!("{at}.{key}"), value));
            }
        }
    }
    for role in ["present", "observers", "absent"] {
        for entry in list(&facts["attendance"][role]) {
            let part = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            put("attendance", role.to_owned(), &Value::from(format!("{}|{}", part("unit"), part("name"))));
        }
    }
    list(&facts["attendance"]["recorders"])
        .iter()
        .for_each(|name| put("attendance", "recorders".to_owned(), name));
    for key in ["compiled", "printed"] {
        for (part, value) in facts[key].as_object().into_iter().flatten() {
            put("closing", format!("{key}.{part}"), value);
        }
    }
    put("closing", "disclosure".to_owned(), &facts["disclosure"]);
    list(&facts["distribution"]).iter().for_each(|value| put("closing", "distribution".to_owned(), value));
    all
}

/// What two documents share, what was missed, and what was found that is not there.
#[must_use]
pub fn compare(expected: &Value, found: &Value) -> (Vec<Key>, Vec<Key>, Vec<Key>) {
    let mut extra = flat(found);
    let (mut right, mut missed) = (Vec::new(), Vec::new());
    for key in flat(expected) {
        match extra.iter().position(|other| *other == key) {
            Some(at) => right.push(extra.swap_remove(at)),
            None => missed.push(key),
        }
    }
    (right, missed, extra)
}

impl Score {
    /// Counts one document in.
    pub fn add(&mut self, expected: &Value, found: &Value) {
        let (right, missed, extra) = compare(expected, found);
        let mut count = |keys: &[Key], columns: &[usize]| {
            for (group, _, _) in keys {
                for group in [group, "all"] {
                    for column in columns {
                        self.0.entry(group).or_default()[*column] += 1;
                    }
                }
            }
        };
        count(&right, &[0, 1, 2]);
        count(&missed, &[0]);
        count(&extra, &[1]);
    }

    /// F1 of a group; 1 where nothing was expected and nothing found.
    #[must_use]
    pub fn f1(&self, group: &str) -> f64 {
        let [expected, found, right] = self.0.get(group).copied().unwrap_or_default();
        match expected + found {
            0 => 1.0,
            both => 2.0 * right as f64 / both as f64,
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<12}{:>9}{:>7}{:>7}{:>7}", "group", "expected", "found", "right", "F1")?;
        for group in GROUPS {
            let [expected, found, right] = self.0.get(group).copied().unwrap_or_default();
            writeln!(f, "{group:<12}{expected:>9}{found:>7}{right:>7}{:>7.3}", self.f1(group))?;
        }
        Ok(())
    }
}

/// How the doubts sit on facts that are right, wrong or missed.
#[derive(Clone, Copy, Debug, Default)]
pub struct DoubtScore {
    /// Facts that are right, and those of them with a doubt on them.
    pub right: [usize; 2],
    /// Facts found that are wrong, and those with a doubt.
    pub wrong: [usize; 2],
    /// Facts that were missed, and those of which a doubt says so.
    pub missed: [usize; 2],
}

impl DoubtScore {
    /// Counts one document in. `doubted` is what the doubts quote: the source under their spans and their candidates.
    pub fn add(&mut self, expected: &Value, found: &Value, doubted: &[String]) {
        let doubted: Vec<String> = doubted.iter().map(|text| norm(&Value::from(text.as_str()))).collect();
        let quotes = |value: &str| {
            let parts: Vec<&str> = value.split('|').filter(|part| !part.is_empty()).collect();
            doubted.iter().any(|text| {
                !text.is_empty()
                    && parts.iter().any(|part| {
                        text.contains(part) || (part.contains(text.as_str()) && text.chars().count() > 1)
                    })
            })
        };
        let (right, missed, extra) = compare(expected, found);
        for (keys, into) in [(right, &mut self.right), (extra, &mut self.wrong), (missed, &mut self.missed)] {
            into[0] += keys.len();
            into[1] += keys.iter().filter(|(_, _, value)| quotes(value)).count();
        }
    }

    /// Wrong facts without a doubt, as a share of all facts found.
    #[must_use]
    pub fn silent(&self) -> f64 {
        ratio(self.wrong[0] - self.wrong[1], self.right[0] + self.wrong[0])
    }

    /// Share of right facts with a doubt.
    #[must_use]
    pub fn needless(&self) -> f64 {
        ratio(self.right[1], self.right[0])
    }

    /// Share of wrong and missed facts with a doubt; 1 where there are none.
    #[must_use]
    pub fn caught(&self) -> f64 {
        match self.wrong[0] + self.missed[0] {
            0 => 1.0,
            all => ratio(self.wrong[1] + self.missed[1], all),
        }
    }
}

fn ratio(part: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

impl fmt::Display for DoubtScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "silent errors (wrong without a doubt, of facts found): {:.3}", self.silent())?;
        writeln!(f, "doubts on right facts: {:.3}", self.needless())?;
        writeln!(
            f,
            "doubts on wrong or missed facts: {:.3} of {}",
            self.caught(),
            self.wrong[0] + self.missed[0]
        )
    }
}
