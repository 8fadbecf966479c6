//! Running text: what is left of some lines when typesetting is taken out, with the way back to every byte.

use std::ops::Range;

use crate::facts::{Fact, Repair, RepairKind, Span};

/// Clean text of a paragraph or list. `at[i]` is the place in the source of its byte `i`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    pub(crate) text: String,
    at: Vec<u32>,
}

/// What reading a text found besides facts.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) repairs: Vec<Repair>,
    pub(crate) doubts: Vec<crate::facts::Doubt>,
}

/// Blanks of typesetting, among them the ideographic space.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}' || c == '\u{200b}'
}

fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic()
}

impl Flow {
    /// Joins stretches of the source. Breaks between them vanish, and so do blanks, except between Latin words.
    pub(crate) fn join(source: &str, parts: &[Range<usize>]) -> Self {
        let mut flow = Self::default();
        for part in parts {
            let mut chars = source[part.clone()].char_indices().peekable();
            while let Some((offset, c)) = chars.next() {
                if is_blank(c) {
                    let before = flow.text.chars().next_back().is_some_and(is_latin);
                    let after = chars.peek().is_some_and(|(_, next)| is_latin(*next));
                    if !(before && after) {
                        continue;
                    }
                }
                flow.push(c, part.start + offset);
            }
        }
        flow
    }

    fn push(&mut self, c: char, at: usize) {
        self.text.push(c);
        self.at.extend((at..at + c.len_utf8()).map(|at| at as u32));
    }

    /// Where a range of the clean text stands, and what lies inside it that is skipped. Empty for an empty range.
    pub(crate) fn spans(&self, range: Range<usize>, notes: &mut Notes) -> Vec<Span> {
        let Some(places) = self.at.get(range).filter(|places| !places.is_empty()) else { return Vec::new() };
        for pair in places.windows(2).filter(|pair| pair[1] != pair[0] + 1) {
            let span = Span { start: pair[0] + 1, end: pair[1] };
            notes.repairs.push(Repair { span, kind: RepairKind::Blank });
        }
        vec![Span { start: places[0], end: places[places.len() - 1] + 1 }]
    }

    /// The fact that a range of the clean text is.
    pub(crate) fn fact(&self, range: Range<usize>, notes: &mut Notes) -> Fact {
        Fact { value: self.text[range.clone()].to_owned(), spans: self.spans(range, notes) }
    }

    /// A fact whose value is what a range says.
    pub(crate) fn says<T>(&self, value: T, range: Range<usize>, notes: &mut Notes) -> Fact<T> {
        Fact { value, spans: self.spans(range, notes) }
    }
}

impl Notes {
    /// Tells line wraps and page breaks from blanks, in order and without repeats.
    pub(crate) fn settle(&mut self, source: &str) {
        for repair in &mut self.repairs {
            let breaks = repair.span.of(source).matches('\n').count();
            repair.kind = match breaks {
                0 => RepairKind::Blank,
                1 => RepairKind::LineWrap,
                _ => RepairKind::PageBreak,
            };
        }
        self.repairs.sort_unstable();
        self.repairs.dedup();
    }
}
