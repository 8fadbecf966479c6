//! Minutes text in; a lossless tree, the facts with their source spans, and the doubts out.
//!
//! Like a compiler's syntax tree, the leaves of the [`Tree`] concatenate to the text, byte for byte, for any text at
//! all. Every fact cites where it stands; what typesetting put inside it (a line wrap, a page break, a blank) is a
//! listed repair. What the text does not prove is a [`Doubt`] with candidates, never a silent guess.
//!
//! No clock, no network, no randomness: the same text and the same [`Words`] give the same reading.
//!
//! The way in: `blocks` cuts the text into masthead, opening, items, lists and closing lines; one module for each
//! kind of block reads it; `flow` joins broken lines and knows the way back to every byte.

mod blocks;
mod closing;
mod dates;
mod decisions;
mod facts;
mod flow;
mod header;
mod items;
mod roll;
mod script;
mod tree;
mod verdicts;
mod words;
mod write;

pub use dates::{iso_date, printed_ordinal};
pub use facts::{
    Attendance, Attendee, Decision, Doubt, DoubtCode, Fact, Facts, Imprint, Item, Meeting, Placed, Repair,
    RepairKind, Span, Spans,
};
pub use tree::{Node, Tree};
pub use words::Words;
pub use write::write;

/// What a reading comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The facts.
    pub facts: Facts,
    /// What is put to a person, in the order of the text.
    pub doubts: Vec<Doubt>,
    /// What was skipped inside facts, in the order of the text.
    pub repairs: Vec<Repair>,
    /// Words of verdicts that became neither a decision nor a doubt, in the order of the text: what somebody else said, or
    /// what was agreed before.
    pub uncovered: Vec<Span>,
    /// The whole text.
    pub tree: Tree,
}

/// Reads a text of at most 4 GiB. Never fails: a text that is no minutes has no facts.
#[must_use]
pub fn read(text: &str, words: &Words) -> Reading {
    let mut notes = flow::Notes::default();
    let blocks = blocks::cut(text, words);
    let mut facts = Facts::default();
    header::read(text, &blocks, words, &mut facts, &mut notes);
    // The roll first: what one of those who were there says is no verdict of the meeting.
    roll::read(text, &blocks, words, &mut facts, &mut notes);
    items::read(text, &blocks, words, &mut facts, &mut notes);
    closing::read(text, &blocks, words, &mut facts, &mut notes);
    notes.settle(text);
    let tree = tree::build(text, &blocks, &facts, &notes.repairs);
    Reading { facts, doubts: notes.doubts, repairs: notes.repairs, uncovered: notes.uncovered, tree }
}

/// What a fact's spans say once the repairs are taken out: the fact as printed.
#[must_use]
pub fn printed(text: &str, fact_spans: &[Span], repairs: &[Repair]) -> String {
    let mut out = String::new();
    for span in fact_spans {
        let mut at = span.start;
        for repair in
            repairs.iter().filter(|repair| repair.span.start >= span.start && repair.span.end <= span.end)
        {
            out.push_str(Span { start: at, end: repair.span.start }.of(text));
            at = at.max(repair.span.end);
        }
        out.push_str(Span { start: at, end: span.end }.of(text));
    }
    out
}

#[cfg(test)]
mod tests;
