//! Items and their decisions.

use std::ops::Range;

use crate::blocks::{Block, Kind, item_mark};
use crate::dates;
use crate::facts::{Decision, Doubt, DoubtCode, Fact, Facts, Item};
use crate::flow::{Flow, Notes};
use crate::words::Words;

/// Verdicts as printed, the longer first where one is part of another.
const VERDICTS: [&str; 14] = [
    "研究审议并原则同意",
    "审议并原则同意",
    "审议并原则通过",
    "审议并通过",
    "审议通过",
    "原则上同意",
    "原则同意",
    "原则通过",
    "照案通过",
    "不同意",
    "不予同意",
    "暂缓审议",
    "暂缓",
    "同意",
];
/// What may stand between the start of a clause and its verdict.
const BEFORE_VERDICT: [&str; 6] = ["会议经研究，", "经研究，", "会议研究", "会议审议", "会议", "经审议，"];
/// Where the name of a responsible unit ends.
const AFTER_UNIT: [&str; 20] = [
    "牵头",
    "负责",
    "会同",
    "根据",
    "按照",
    "结合",
    "进一步",
    "作进一步",
    "抓紧",
    "尽快",
    "组织",
    "做好",
    "研究",
    "依法",
    "依规",
    "按",
    "对",
    "要",
    "商",
    "在",
];
/// Where such a word goes on as part of a unit's name.
const STILL_UNIT: [&str; 6] = ["组织部", "研究室", "研究院", "研究所", "依法治", "商务"];
/// Ways to a formal act that belong to it as printed.
const BY_PROCEDURE: [&str; 6] = ["按程序", "依程序", "按规定程序", "依规依程序", "依法按程序", "按规定"];
/// Acts that send a matter to another body, and what that body does with it.
const SENDS: [&str; 6] = ["提请", "提交", "呈报", "上报", "报请", "报"];
const DECIDES: [&str; 9] = ["研究审定", "审议", "审定", "审批", "批准", "研究", "审查", "备案", "审核"];
/// Characters within which the deciding verb follows: longer is no name of a body.
const LONGEST_BODY: usize = 40;
/// Acts that need no other body.
const ACTS: [&str; 8] = ["印发实施", "印发执行", "公布施行", "组织实施", "印发", "报批", "办理", "上报"];
/// Verbs behind a date from which something holds.
const TAKES_EFFECT: [&str; 4] = ["起施行", "起实施", "起执行", "起生效"];

pub(crate) fn read(text: &str, blocks: &[Block], words: &Words, facts: &mut Facts, notes: &mut Notes) {
    for block in blocks {
        match block.kind {
            Kind::ItemHeading => {
                let item = heading(text, block, notes);
                facts.items.push(item);
            }
            Kind::Unnumbered => {
                let flow = Flow::join(text, &block.content());
                let heading = first_sentence(&flow.text);
                facts.items.push(Item { heading: Some(flow.fact(heading, notes)), ..Item::default() });
            }
            Kind::Paragraph => {}
            _ => continue,
        }
        let Some(item) = facts.items.last_mut() else { continue };
        let flow = Flow::join(text, &block.content());
        item.decisions.extend(decisions(&flow, words, notes));
    }
}

fn first_sentence(text: &str) -> Range<usize> {
    0..text.find('。').unwrap_or(text.len())
}

fn heading(text: &str, block: &Block, notes: &mut Notes) -> Item {
    let first = &text[block.lines[0].clone()];
    let numeral = item_mark(first).map_or(0, |(_, numeral)| numeral);
    let numeral = block.start()..block.start() + numeral;
    let number = Flow::join(text, std::slice::from_ref(&numeral));
    let flow = Flow::join(text, &block.content());
    let heading = first_sentence(&flow.text);
    let documents = titles(&flow.text[heading.clone()]);
    Item {
        no: Some(number.fact(0..number.text.len(), notes)),
        documents: documents.into_iter().map(|title| flow.fact(title, notes)).collect(),
        heading: Some(flow.fact(heading, notes)),
        decisions: Vec::new(),
    }
}

/// What stands in each outermost 《》.
fn titles(text: &str) -> Vec<Range<usize>> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '《' => {
                if depth == 0 {
                    start = at + c.len_utf8();
                }
                depth += 1;
            }
            '》' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    found.push(start..at);
                }
            }
            _ => {}
        }
    }
    found
}

/// The verdicts of a paragraph, each with what follows it up to the next.
fn decisions(flow: &Flow, words: &Words, notes: &mut Notes) -> Vec<Decision> {
    let text = flow.text.as_str();
    let verdicts = verdicts(text);
    let ends = verdicts.iter().skip(1).map(|verdict| verdict.start).chain([text.len()]);
    verdicts
        .iter()
        .zip(ends)
        .map(|(verdict, end)| decision(flow, verdict.clone(), end, words, notes))
        .collect()
}

/// Verdict verbs that stand where a clause begins.
fn verdicts(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut clause = 0;
    while clause < text.len() {
        let rest = &text[clause..];
        let verdict = [""].iter().chain(&BEFORE_VERDICT).find_map(|before| {
            let after = rest.strip_prefix(before)?;
            let verdict = VERDICTS.iter().find(|verdict| after.starts_with(**verdict))?;
            let at = text.len() - after.len();
            Some(at..at + verdict.len())
        });
        found.extend(verdict);
        let Some(next) = rest.find(['。', '；', '！']) else { break };
        clause += next + '。'.len_utf8();
    }
    found
}

fn decision(flow: &Flow, verdict: Range<usize>, end: usize, words: &Words, notes: &mut Notes) -> Decision {
    let text = flow.text.as_str();
    let subject_end = subject_end(text, verdict.end, end);
    let subjects = subjects(text, verdict.end..subject_end);
    if subjects.is_empty() {
        let spans = flow.spans(verdict.clone(), notes);
        notes.doubts.push(Doubt { code: DoubtCode::SubjectMissing, spans, candidates: Vec::new() });
    }
    let rest = subject_end..end;
    let (lead_units, support_units) = units(flow, rest.clone(), words, notes);
    let (next_step, next_body) = next_step(text, rest.clone());
    Decision {
        outcome: flow.fact(verdict, notes),
        subjects: subjects.into_iter().map(|subject| flow.fact(subject, notes)).collect(),
        lead_units,
        support_units,
        next_step: next_step.map(|range| flow.fact(range, notes)),
        next_body: next_body.map(|range| flow.fact(range, notes)),
        effective_date: effective_date(flow, rest, notes),
        deadlines: Vec::new(),
    }
}

/// The subject ends with its sentence, or where the clause after it begins; titles are crossed whole.
fn subject_end(text: &str, from: usize, end: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text[from..end].char_indices() {
        match c {
            '《' | '（' => depth += 1,
            '》' | '）' => depth = depth.saturating_sub(1),
            '。' | '；' => return from + at,
            '，' if depth == 0 => return from + at,
            _ => {}
        }
    }
    end
}

/// Titles where the subject is made of titles, else its words.
fn subjects(text: &str, within: Range<usize>) -> Vec<Range<usize>> {
    let subject = &text[within.clone()];
    let closed = without_trailing_note(subject);
    if closed.ends_with('》') {
        return titles(closed)
            .into_iter()
            .map(|title| within.start + title.start..within.start + title.end)
            .collect();
    }
    if closed.is_empty() { Vec::new() } else { vec![within] }
}

/// `《…》（以下简称…）`: the note is no part of the subject.
fn without_trailing_note(subject: &str) -> &str {
    match subject.strip_suffix('）').and_then(|inner| inner.rfind('（')) {
        Some(at) if subject[..at].ends_with('》') => &subject[..at],
        _ => subject,
    }
}

/// Starts of the clauses of a range.
fn clauses(text: &str, within: Range<usize>) -> Vec<Range<usize>> {
    let mut start = within.start;
    let mut found = Vec::new();
    for (at, mark) in text[within.clone()].match_indices(['，', '。', '；']) {
        found.push(start..within.start + at);
        start = within.start + at + mark.len();
    }
    found.push(start..within.end);
    found
}

/// Where a unit's name ends: at the first word that cannot be part of one.
fn unit_end(text: &str) -> Option<usize> {
    let inside = |at: usize| STILL_UNIT.iter().any(|unit| text[at..].starts_with(unit));
    AFTER_UNIT
        .iter()
        .filter_map(|word| text.match_indices(word).map(|(at, _)| at).find(|at| !inside(*at)))
        .min()
}

fn units(flow: &Flow, within: Range<usize>, words: &Words, notes: &mut Notes) -> (Vec<Fact>, Vec<Fact>) {
    let text = flow.text.as_str();
    let (mut lead, mut support) = (Vec::new(), Vec::new());
    for clause in clauses(text, within) {
        let says = &text[clause.clone()];
        let Some(after) = ["由", "责成", "请"].iter().find_map(|word| says.strip_prefix(word)) else {
            continue;
        };
        let start = clause.end - after.len();
        let Some(length) = unit_end(after).filter(|length| *length > 0) else { continue };
        let range = start..start + length;
        if !words.is_unit(&text[range.clone()]) && words.name(&text[range.clone()]).is_none() {
            let spans = flow.spans(range.clone(), notes);
            let candidates = vec![text[range.clone()].to_owned()];
            notes.doubts.push(Doubt { code: DoubtCode::UnitUnproved, spans, candidates });
        }
        lead.push(flow.fact(range.clone(), notes));
        if let Some(helper) = text[range.end..clause.end].strip_prefix("会同") {
            let length = unit_end(helper).unwrap_or(helper.len());
            let start = clause.end - helper.len();
            support.push(flow.fact(start..start + length, notes));
        }
    }
    (lead, support)
}

/// The formal next act, and the body that it goes to where another one decides.
fn next_step(text: &str, within: Range<usize>) -> (Option<Range<usize>>, Option<Range<usize>>) {
    for clause in clauses(text, within) {
        if let Some((act, body)) = sent(text, &clause) {
            return (Some(with_procedure(text, clause.start, act)), Some(body));
        }
        if let Some(act) = done_here(text, &clause) {
            return (Some(act), None);
        }
    }
    (None, None)
}

/// `按程序印发实施`, `以…名义印发`: an act needs its way, for a plain 组织实施 is no formal step.
fn done_here(text: &str, clause: &Range<usize>) -> Option<Range<usize>> {
    let says = &text[clause.clone()];
    let ways =
        BY_PROCEDURE.iter().flat_map(|way| says.match_indices(way).map(|(at, way)| (at, at + way.len())));
    let named = says.find("名义").and_then(|at| Some((says[..at].rfind('以')?, at + "名义".len())));
    ways.chain(named)
        .filter_map(|(start, end)| {
            let act = ACTS.iter().find(|act| says[end..].starts_with(**act))?;
            Some(clause.start + start..clause.start + end + act.len())
        })
        .min_by_key(|range| (range.start, usize::MAX - range.len()))
}

/// `提请BODY审议` in one clause: the act and the body.
fn sent(text: &str, clause: &Range<usize>) -> Option<(Range<usize>, Range<usize>)> {
    let says = &text[clause.clone()];
    for word in SENDS {
        for (at, _) in says.match_indices(word) {
            let body = at + word.len();
            let near =
                says[body..].char_indices().nth(LONGEST_BODY).map_or(says.len(), |(end, _)| body + end);
            let decides = DECIDES
                .iter()
                .filter_map(|verb| Some((body + says[body..near].find(verb)?, verb.len())))
                .min_by_key(|(at, length)| (*at, usize::MAX - length));
            if let Some((verb, length)) = decides.filter(|(verb, _)| *verb > body) {
                let from = clause.start;
                return Some((from + at..from + verb + length, from + body..from + verb));
            }
        }
    }
    None
}

/// Takes in 按程序 and its like right before an act.
fn with_procedure(text: &str, clause: usize, act: Range<usize>) -> Range<usize> {
    let before = &text[clause..act.start];
    let way =
        BY_PROCEDURE.iter().filter(|way| before.ends_with(**way)).map(|way| way.len()).max().unwrap_or(0);
    act.start - way..act.end
}

fn effective_date(flow: &Flow, within: Range<usize>, notes: &mut Notes) -> Option<Fact> {
    let text = &flow.text[..within.end];
    let mut from = within.start;
    while let Some(date) = dates::find(text, from) {
        if TAKES_EFFECT.iter().any(|verb| text[date.range.end..].starts_with(verb)) {
            return Some(flow.says(date.iso, date.range, notes));
        }
        from = date.range.end;
    }
    None
}
