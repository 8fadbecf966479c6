//! Items of business: number, heading, the documents laid before the meeting.

use std::ops::Range;

use crate::blocks::{Block, Kind};
use crate::decisions;
use crate::facts::{Facts, Item};
use crate::flow::{Flow, Notes};
use crate::words::Words;

pub(crate) fn read(text: &str, blocks: &[Block], words: &Words, facts: &mut Facts, notes: &mut Notes) {
    let issuer = facts.issuer.as_ref().map(|issuer| crate::script::folded(&issuer.value));
    for block in blocks {
        let flow = match block.kind {
            Kind::ItemHeading | Kind::Unnumbered => {
                let flow = Flow::join(text, &block.content());
                facts.items.push(item(text, block, &flow, notes));
                flow
            }
            Kind::Paragraph => Flow::join(text, &block.content()),
            _ => continue,
        };
        let Some(item) = facts.items.last_mut() else { continue };
        if item.heading.is_none() && !flow.plain.is_empty() {
            let heading = opening_clause(&flow.plain);
            add_documents(item, &flow, heading.clone(), notes);
            item.heading = Some(flow.fact(heading, notes));
        }
        let found = decisions::read(&flow, issuer.as_deref(), words, notes);
        for (decision, subjects) in found {
            add_documents(item, &flow, subjects, notes);
            item.decisions.push(decision);
        }
    }
}

fn item(text: &str, block: &Block, flow: &Flow, notes: &mut Notes) -> Item {
    let no = (!block.numeral.is_empty()).then(|| {
        let numeral = block.start() + block.numeral.start..block.start() + block.numeral.end;
        let number = Flow::join(text, std::slice::from_ref(&numeral));
        number.fact(0..number.text.len(), notes)
    });
    let mut item = Item { no, ..Item::default() };
    // Under a bare numeral the heading is the opening clause of what follows.
    if !flow.plain.is_empty() {
        let heading = opening_clause(&flow.plain);
        add_documents(&mut item, flow, heading.clone(), notes);
        item.heading = Some(flow.fact(heading, notes));
    }
    item
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

/// Takes in the titles of a range; of two wordings of one title the fuller.
fn add_documents(item: &mut Item, flow: &Flow, within: Range<usize>, notes: &mut Notes) {
    for title in titles(&flow.plain[within.clone()]) {
        let title = within.start + title.start..within.start + title.end;
        let value = &flow.text[title.clone()];
        if item.documents.iter().any(|known| known.value.contains(value)) {
            continue;
        }
        item.documents.retain(|known| !value.contains(&known.value));
        item.documents.push(flow.fact(title, notes));
    }
}

/// What stands in each outermost 《》.
pub(crate) fn titles(text: &str) -> Vec<Range<usize>> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, mark) in text.match_indices(['《', '》']) {
        match mark {
            "《" => {
                if depth == 0 {
                    start = at + mark.len();
                }
                depth += 1;
            }
            _ if depth > 0 => {
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
