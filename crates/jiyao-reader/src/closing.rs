//! Closing lines: who compiled and when, the note, the distribution list, who printed and when.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::blocks::{Block, Kind};
use crate::dates;
use crate::facts::{DoubtCode, Facts, Imprint};
use crate::flow::{Flow, Notes};
use crate::script::pattern;
use crate::words::Words;

/// Endings that several places share when only the last one carries them.
const SHARED: [&str; 12] = [
    "领导及办公室",
    "领导和办公室",
    "办公室",
    "领导",
    "管委会",
    "人民政府",
    "政府",
    "办事处",
    "税务局",
    "法院",
    "检察院",
    "委员会",
];
static REST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:及|和|以及)(?P<rest>(?:其他)?(?:相关|有关)(?:部门|单位|企业|人员)+)$"));

pub(crate) fn read(text: &str, blocks: &[Block], words: &Words, facts: &mut Facts, notes: &mut Notes) {
    let mut seen_people = false;
    for (at, block) in blocks.iter().enumerate() {
        let flow = || Flow::join(text, &block.content());
        match block.kind {
            Kind::List(_) | Kind::ItemHeading | Kind::Unnumbered => seen_people = true,
            Kind::Compiled if facts.compiled.is_none() => facts.compiled = Some(compiled(&flow(), notes)),
            Kind::DateLine => {
                let flow = flow();
                let after = before(blocks, at).is_some_and(|before| before.kind == Kind::Compiled);
                let Some((range, iso)) = dates::find(&flow.plain, 0) else { continue };
                if !(after || seen_people) {
                    continue;
                }
                let imprint = facts.compiled.get_or_insert_default();
                if imprint.date.is_none() {
                    imprint.date = Some(flow.says(iso, range, notes));
                }
                let office = before(blocks, at).filter(|before| {
                    matches!(before.kind, Kind::Other | Kind::Paragraph) && before.lines.len() == 1
                });
                if imprint.by.is_none()
                    && let Some(office) = office
                {
                    let office = Flow::join(text, &office.content());
                    if words.is_unit(&office.plain) {
                        imprint.by = Some(office.fact(0..office.text.len(), notes));
                    }
                }
            }
            Kind::Note if facts.disclosure.is_none() => {
                let flow = flow();
                if flow.plain.contains("公开") {
                    let (open, close) = (first_length(&flow.text), last_length(&flow.text));
                    facts.disclosure = Some(flow.fact(open..flow.text.len() - close, notes));
                }
            }
            Kind::Distribution => distribution(&flow(), facts, notes),
            Kind::Printer => {
                let flow = flow();
                facts.printed.get_or_insert_default().by = Some(flow.fact(0..flow.text.len(), notes));
            }
            Kind::PrintedLine => printed(&flow(), words, facts, notes),
            _ => {}
        }
    }
}

fn first_length(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

fn last_length(text: &str) -> usize {
    text.chars().next_back().map_or(0, char::len_utf8)
}

/// `…整理`, or an office and the date of the document.
fn compiled(flow: &Flow, notes: &mut Notes) -> Imprint {
    let plain = flow.plain.strip_suffix("整理").unwrap_or(&flow.plain);
    let date = dates::find(plain, 0);
    let by = 0..date.as_ref().map_or(plain.len(), |(range, _)| range.start);
    Imprint {
        by: (!by.is_empty()).then(|| flow.fact(by, notes)),
        date: date.map(|(range, iso)| flow.says(iso, range, notes)),
    }
}

fn printed(flow: &Flow, words: &Words, facts: &mut Facts, notes: &mut Notes) {
    let Some((range, iso)) = dates::find(&flow.plain, 0) else { return };
    let imprint = facts.printed.get_or_insert_default();
    let office = flow.plain[..range.start].trim_end_matches(['，', ',']);
    if !office.is_empty() {
        imprint.by = Some(flow.fact(0..office.len(), notes));
        if !words.is_unit(office) {
            flow.doubt(
                DoubtCode::UnitUnproved,
                0..office.len(),
                vec![flow.text[..office.len()].to_owned()],
                notes,
            );
        }
    }
    imprint.date = Some(flow.says(iso, range, notes));
}

/// Groups by `；`, members by `，`, places with a shared ending by `、`, closed by `。`. A member with 各 is a class and
/// stays whole.
fn distribution(flow: &Flow, facts: &mut Facts, notes: &mut Notes) {
    let text = flow.plain.as_str();
    if !text.ends_with('。') {
        flow.doubt(DoubtCode::ListUnclosed, 0..text.len(), Vec::new(), notes);
    }
    for member in split(text, 0..text.len(), &['；', '，', '。', ';', ',']) {
        if text[member.clone()].contains('各') {
            facts.distribution.extend(classes(text, member).into_iter().map(|class| flow.fact(class, notes)));
            continue;
        }
        let rest = REST.captures(&text[member.clone()]).and_then(|captures| {
            let (whole, rest) = (captures.get(0)?.range(), captures.name("rest")?.range());
            (whole.start > 0)
                .then_some((member.start + whole.start, member.start + rest.start..member.start + rest.end))
        });
        let end = rest.as_ref().map_or(member.end, |(start, _)| *start);
        let names = split(text, member.start..end, &['、']);
        let shared = names.last().and_then(|last| {
            let ending = SHARED
                .iter()
                .find(|ending| text[last.clone()].ends_with(**ending) && last.len() > ending.len())?;
            Some(last.end - ending.len()..last.end)
        });
        for name in names {
            let lacks = shared.clone().filter(|shared| {
                let said = &text[name.clone()];
                let is_office = text[shared.clone()].starts_with("领导") || &text[shared.clone()] == "办公室";
                shared.end != name.end
                    && !SHARED
                        .iter()
                        .take(4)
                        .chain(&[&text[shared.clone()]])
                        .any(|ending| said.ends_with(ending))
                    && (is_office || said.ends_with(['区', '市', '县', '镇', '乡', '旗', '州']))
            });
            facts.distribution.push(match lacks {
                Some(shared) => flow.shared(name, shared, notes),
                None => flow.fact(name, notes),
            });
        }
        facts.distribution.extend(rest.map(|(_, rest)| flow.fact(rest, notes)));
    }
}

/// `各市、区人民政府、市各部门`: 、 between classes, not inside one.
fn classes(text: &str, member: Range<usize>) -> Vec<Range<usize>> {
    let parts = split(text, member.clone(), &['、']);
    let whole = |part: &Range<usize>| text[part.clone()].chars().count() >= 4;
    if parts.len() > 1 && parts.iter().all(|part| text[part.clone()].contains('各') && whole(part)) {
        return parts;
    }
    vec![member]
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

/// The block before one, page marks left out.
fn before(blocks: &[Block], at: usize) -> Option<&Block> {
    blocks[..at].iter().rev().find(|block| block.kind != Kind::PageMark)
}
