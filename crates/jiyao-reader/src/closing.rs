//! Closing lines: who compiled and when, the note, the distribution list, who printed and when.

use std::ops::Range;

use crate::blocks::{Block, Kind};
use crate::dates;
use crate::facts::{Doubt, DoubtCode, Fact, Facts, Imprint};
use crate::flow::{Flow, Notes};

/// Endings that several places share when only the last one carries them.
const SHARED: [&str; 8] = ["管委会", "人民政府", "政府", "办事处", "税务局", "法院", "检察院", "委员会"];

pub(crate) fn read(text: &str, blocks: &[Block], facts: &mut Facts, notes: &mut Notes) {
    let mut compiled = false;
    for block in blocks {
        let flow = Flow::join(text, &block.content());
        let whole = 0..flow.text.len();
        match block.kind {
            Kind::Compiled if facts.compiled.is_none() => {
                let by = 0..flow.text.trim_end_matches("整理").len();
                facts.compiled = Some(Imprint { by: Some(flow.fact(by, notes)), date: None });
                compiled = true;
                continue;
            }
            Kind::DateLine if compiled => {
                let date = dates::iso_date(&flow.text).map(|iso| flow.says(iso, whole, notes));
                if let Some(imprint) = facts.compiled.as_mut() {
                    imprint.date = date;
                }
            }
            Kind::Note if flow.text.contains("公开") && facts.disclosure.is_none() => {
                let inner = '（'.len_utf8()..flow.text.len() - '）'.len_utf8();
                facts.disclosure = Some(flow.fact(inner, notes));
            }
            Kind::Distribution => distribution(&flow, facts, notes),
            Kind::Printer => {
                facts.printed.get_or_insert_default().by = Some(flow.fact(whole, notes));
            }
            Kind::PrintedLine => {
                let date = 0..flow.text.trim_end_matches("印发").len();
                let iso = dates::iso_date(&flow.text[date.clone()]);
                facts.printed.get_or_insert_default().date = iso.map(|iso| flow.says(iso, date, notes));
            }
            _ => {}
        }
        compiled = false;
    }
}

/// Groups by `；`, members by `，`, places with a shared ending by `、`, closed by `。`. A member with 各 is a class and
/// stays whole.
fn distribution(flow: &Flow, facts: &mut Facts, notes: &mut Notes) {
    let text = flow.text.as_str();
    if !text.ends_with('。') {
        let spans = flow.spans(0..text.len(), notes);
        notes.doubts.push(Doubt { code: DoubtCode::ListUnclosed, spans, candidates: Vec::new() });
    }
    for member in split(text, 0..text.len(), &['；', '，', '。', ';', ',']) {
        if text[member.clone()].contains('各') {
            facts.distribution.push(flow.fact(member, notes));
            continue;
        }
        let names = split(text, member, &['、']);
        let shared = names.last().and_then(|last| {
            let ending = SHARED.iter().find(|ending| text[last.clone()].ends_with(**ending))?;
            Some(last.end - ending.len()..last.end)
        });
        for name in names {
            let lacks = shared.clone().filter(|shared| {
                shared.end != name.end && !SHARED.iter().any(|ending| text[name.clone()].ends_with(ending))
            });
            let mut fact: Fact = flow.fact(name, notes);
            if let Some(shared) =
                lacks.filter(|_| fact.value.ends_with(['区', '市', '县', '镇', '乡', '旗', '州']))
            {
                fact.value.push_str(&text[shared.clone()]);
                fact.spans.extend(flow.spans(shared, notes));
            }
            facts.distribution.push(fact);
        }
    }
}

/// The stretches between any of the marks, empty ones left out.
fn split(text: &str, within: Range<usize>, marks: &[char]) -> Vec<Range<usize>> {
    let mut start = within.start;
    let mut parts = Vec::new();
    for (at, mark) in text[within.clone()].match_indices(marks) {
        let at = within.start + at;
        parts.push(start..at);
        start = at + mark.len();
    }
    parts.push(start..within.end);
    parts.retain(|part| !part.is_empty());
    parts
}
