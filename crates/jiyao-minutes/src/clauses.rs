//! What changed between two texts, clause by clause: minutes decide on amendments, and a correction must show itself.

use std::time::Duration;

use similar::{DiffTag, TextDiff};

/// How a clause changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It reads otherwise.
    Changed,
}

/// A changed clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// How.
    pub kind: ChangeKind,
    /// Position of the clause in the old text, from 0; where an added one would stand.
    pub old_index: usize,
    /// Position in the new text, from 0; where a removed one would stand.
    pub new_index: usize,
    /// As it was; empty for an added one.
    pub before: String,
    /// As it is; empty for a removed one.
    pub after: String,
}

/// Clauses of a text: its paragraphs, and in them the articles 第…条, without the blanks of typesetting.
fn clauses(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines() {
        let solid: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        if solid.is_empty() {
            continue;
        }
        // A line that begins no clause goes on with the one before: wrapped text.
        let begins = begins_clause(&solid);
        match found.last_mut() {
            Some(last) if !begins && !ends_clause(last) => *last = format!("{last}{solid}"),
            _ => found.push(solid),
        }
    }
    found
}

/// Whether a line begins a list of people: in it a blank may part two names.
pub(crate) fn is_roll(line: &str) -> bool {
    let solid: String = line.chars().filter(|c| !c.is_whitespace()).take(8).collect();
    ["出席", "列席", "参加", "请假", "缺席", "邀请", "记录"].iter().any(|label| solid.starts_with(label))
}

fn ends_clause(text: &str) -> bool {
    text.ends_with(['。', '；', '：', '！', '？', ';', ':'])
        || (text.chars().count() < 20 && !begins_clause(text))
}

fn begins_clause(text: &str) -> bool {
    // 出席：, 分送：, （此件公开发布）: labels and notes stand for themselves.
    if text.chars().take(8).any(|c| matches!(c, '：' | ':')) || text.starts_with("（此件") {
        return true;
    }
    let numeral = |c: char| "一二三四五六七八九十百零〇0123456789".contains(c);
    let rest = text.trim_start_matches(['第', '（', '(']).trim_start_matches(numeral);
    rest.len() < text.len() && rest.starts_with(['条', '款', '章', '节', '、', '）', ')', '.', '．'])
}

/// The clauses that differ, in the order of the texts. A clause that was rewritten is one change, not two. After so long a
/// difference is answered that may not be the shortest.
#[must_use]
pub fn compare(before: &str, after: &str, patience: Duration) -> Vec<Change> {
    let (old, new) = (clauses(before), clauses(after));
    let (old_refs, new_refs): (Vec<&str>, Vec<&str>) =
        (old.iter().map(String::as_str).collect(), new.iter().map(String::as_str).collect());
    let diff = TextDiff::configure().timeout(patience).diff_slices(&old_refs, &new_refs);
    let mut changes = Vec::new();
    for operation in diff.ops().iter().filter(|operation| operation.tag() != DiffTag::Equal) {
        let (from, to) = (operation.old_range(), operation.new_range());
        for at in 0..from.len().max(to.len()) {
            let (before, after) = (old[from.clone()].get(at), new[to.clone()].get(at));
            let kind = match (before, after) {
                (Some(_), None) => ChangeKind::Removed,
                (None, _) => ChangeKind::Added,
                _ => ChangeKind::Changed,
            };
            changes.push(Change {
                kind,
                old_index: from.start + at.min(from.len()),
                new_index: to.start + at.min(to.len()),
                before: before.cloned().unwrap_or_default(),
                after: after.cloned().unwrap_or_default(),
            });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn changed_clauses_are_found_and_typesetting_is_none() {
        let before = "第一条 为了保护河道，制定本条例。\n第二条 本条例适用于本市行政区域内\n的采砂活动。\n第三条 市水务局负责监督管理。\n";
        let after = "第一条　为了保护河道，制定本条例。\n第二条 本条例适用于本市行政区域内的采砂和运砂活动。\n第三条 市水务局负责监督管理。\n第四条 本条例自公布之日起施行。\n";
        let changes = compare(before, after, LONG);
        let kinds: Vec<_> =
            changes.iter().map(|change| (change.kind, change.old_index, change.new_index)).collect();
        assert_eq!(kinds, [(ChangeKind::Changed, 1, 1), (ChangeKind::Added, 3, 3)]);
        assert_eq!(changes[0].before, "第二条本条例适用于本市行政区域内的采砂活动。");
        assert_eq!(compare(after, before, LONG)[1].kind, ChangeKind::Removed);
        assert_eq!(compare(before, before, LONG), []);
        assert_eq!(compare("", "", LONG).len() + compare("", "第一条甲。", LONG).len(), 1);
    }
}
