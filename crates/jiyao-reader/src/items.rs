//! Items of business: number, heading, the documents laid before the meeting.

use std::ops::Range;

use rustc_hash::FxHashSet;

use crate::blocks::{Block, Kind};
use crate::facts::{Attendance, Attendee, Fact, Facts, Item};
use crate::flow::{Flow, Notes};
use crate::words::Words;
use crate::{decisions, verdicts};

pub(crate) fn read(text: &str, blocks: &[Block], words: &Words, facts: &mut Facts, notes: &mut Notes) {
    let issuer = facts.issuer.as_ref().map(|issuer| crate::script::folded(&issuer.value));
    let (mut flow, mut titles) = (Flow::default(), Titles::default());
    // Most texts have nobody speak: then nobody's name is looked at.
    let mut known = None;
    let mut ahead = blocks.iter().enumerate();
    while let Some((at, block)) = ahead.next() {
        let begins = matches!(block.kind, Kind::ItemHeading | Kind::Unnumbered);
        if !begins && (block.kind != Kind::Paragraph || facts.items.is_empty()) {
            if matches!(block.kind, Kind::Opening | Kind::Paragraph | Kind::Other) {
                flow.fill(text, block.content().into_iter());
                verdicts::doubt_all(&flow, notes);
            }
            continue;
        }
        flow.fill(text, block.content().into_iter());
        if let Some(who) = speaker(&flow.plain)
            && let Some(speech) = speech(who, known.get_or_insert_with(|| people(facts)), words)
        {
            verdicts::leave_all(&flow, &speech, notes);
            continue;
        }
        // 会议同意：, and what it agrees to in the paragraphs below: one decision.
        if verdicts::opens_list(&flow.plain) {
            let below = blocks[at + 1..].iter().take_while(|next| is_listed(text, next)).count();
            let parts = || blocks[at..=at + below].iter().enumerate();
            let marked =
                |(n, block): (usize, &Block)| if n == 0 { block.content() } else { block.lines.clone() };
            let content: Vec<_> = parts().flat_map(marked).collect();
            let whole = Flow::join(text, &content);
            if below > 0 && verdicts::is_one(&whole, flow.plain.len()) {
                flow = whole;
                ahead.nth(below - 1);
            }
        }
        if begins {
            facts.items.push(Item { no: number(text, block, notes), ..Item::default() });
            titles = Titles::default();
        }
        let Some(item) = facts.items.last_mut() else { continue };
        // Under a bare numeral the heading is the opening clause of what follows.
        if item.heading.is_none() && !flow.plain.is_empty() {
            let heading = opening_clause(&flow.plain);
            titles.add(item, &flow, heading.clone(), notes);
            item.heading = Some(flow.fact(heading, notes));
        }
        for (decision, subjects) in decisions::read(&flow, issuer.as_deref(), words, notes) {
            titles.add(item, &flow, subjects, notes);
            item.decisions.push(decision);
        }
    }
}

/// Names of those who were there.
fn people(facts: &Facts) -> FxHashSet<String> {
    let of = |entries: &[Attendee]| -> Vec<String> {
        entries.iter().filter_map(|entry| Some(entry.name.as_ref()?.value.to_string())).collect()
    };
    let Attendance { present, observers, absent, recorders } = &facts.attendance;
    let chair = facts.meeting.chair.iter().chain(recorders).map(|name| name.value.to_string());
    [present, observers, absent].into_iter().flat_map(|list| of(list)).chain(chair).collect()
}

/// How sure it is that a paragraph is what somebody said.
pub(crate) enum Speech {
    /// Speech of somebody who was there.
    Known,
    /// Speech of something that looks like a name or a unit.
    Likely,
}

/// Characters of a speaker's name or unit, at most.
const LONGEST_SPEAKER: usize = 12;

/// What stands before a colon where a speaker would: `高原：同意更换。`.
fn speaker(plain: &str) -> Option<&str> {
    let (at, _) = plain.char_indices().take(LONGEST_SPEAKER + 1).find(|(_, c)| matches!(c, '：' | ':'))?;
    plain[..at].split(['（', '(']).next()
}

/// What somebody said, and no verdict of the meeting.
fn speech(who: &str, people: &FxHashSet<String>, words: &Words) -> Option<Speech> {
    if people.contains(who) {
        return Some(Speech::Known);
    }
    let is_somebody = !who.contains("会议") && (words.person(who).is_some() || words.is_unit(who));
    is_somebody.then_some(Speech::Likely)
}

/// Whether a paragraph is a part of a list below another one: `（一）`, `1.`, `一是`.
fn is_listed(text: &str, block: &Block) -> bool {
    block.kind == Kind::Paragraph
        && block.lines.first().is_some_and(|line| verdicts::part_mark(&text[line.clone()]).is_some())
}

fn number(text: &str, block: &Block, notes: &mut Notes) -> Option<Fact> {
    let numeral = block.start() + block.numeral.start..block.start() + block.numeral.end;
    if numeral.is_empty() {
        return None;
    }
    let number = Flow::join(text, std::slice::from_ref(&numeral));
    Some(number.fact(0..number.text.len(), notes))
}

/// Up to the first full stop, or to a colon before it that ends the paragraph or follows 以下意见 or 如下.
fn opening_clause(plain: &str) -> Range<usize> {
    let stop = plain.find('。').unwrap_or(plain.len());
    let colon =
        plain[..stop].match_indices(['：', ':']).map(|(at, mark)| (at, at + mark.len())).find(|(at, end)| {
            *end == plain.len()
                || ["以下意见", "如下意见", "以下事项", "如下", "如下事项"]
                    .iter()
                    .any(|word| plain[..*at].ends_with(word))
        });
    0..colon.map_or(stop, |(at, _)| at)
}

/// The titles of an item.
#[derive(Default)]
struct Titles(FxHashSet<String>);

/// Titles before one that may be other wordings of it.
const NEAR: usize = 32;

impl Titles {
    /// Takes in the titles of a range; of two wordings of one title the fuller.
    fn add(&mut self, item: &mut Item, flow: &Flow, within: Range<usize>, notes: &mut Notes) {
        for title in titles(&flow.plain[within.clone()]) {
            let title = within.start + title.start..within.start + title.end;
            let value = &flow.text[title.clone()];
            if self.0.contains(value) {
                continue;
            }
            self.0.insert(value.to_owned());
            let near = item.documents.len().saturating_sub(NEAR);
            if item.documents[near..].iter().any(|known| known.value.contains(value)) {
                continue;
            }
            let (mut at, fact) = (0, flow.fact(title, notes));
            item.documents.retain(|known| {
                at += 1;
                at <= near || !fact.value.contains(known.value.as_str())
            });
            item.documents.push(fact);
        }
    }
}

/// The first byte of 《 and 》.
const QUOTE: u8 = 0xe3;

/// What stands in each outermost 《》.
pub(crate) fn titles(text: &str) -> Vec<Range<usize>> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    // Both marks have the same first byte.
    for at in memchr::memchr_iter(QUOTE, text.as_bytes()) {
        match text[at..].chars().next() {
            Some('《') => {
                if depth == 0 {
                    start = at + '《'.len_utf8();
                }
                depth += 1;
            }
            Some('》') if depth > 0 => {
                depth -= 1;
                if depth == 0 && at > start {
                    found.push(start..at);
                }
            }
            _ => {}
        }
    }
    found
}
