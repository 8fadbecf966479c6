//! Running text: what is left of some lines when typesetting is taken out, with the way back to every byte.

use std::ops::Range;

use crate::facts::{Doubt, DoubtCode, Fact, Repair, RepairKind, Span};
use crate::script::fold;

/// Clean text of a paragraph or list. `plain` is the same text in simplified characters, byte for byte as long: the
/// grammar looks at it, facts are cut from `text`. `at[i]` is the place in the source of byte `i` of both.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    pub(crate) text: String,
    pub(crate) plain: String,
    at: Vec<u32>,
}

/// What reading a text found besides facts.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) repairs: Vec<Repair>,
    pub(crate) doubts: Vec<Doubt>,
}

/// Blanks of typesetting, among them the ideographic space, and the control characters that converters leave.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == '\u{feff}' || c == '\u{200b}'
}

impl Flow {
    /// Joins stretches of the source. Breaks between them vanish, and so do blanks, except between Latin words.
    pub(crate) fn join(source: &str, parts: &[Range<usize>]) -> Self {
        let size = parts.iter().map(Range::len).sum();
        let mut flow = Self {
            text: String::with_capacity(size),
            plain: String::with_capacity(size),
            at: Vec::with_capacity(size),
        };
        for part in parts {
            let mut chars = source[part.clone()].char_indices().peekable();
            while let Some((offset, c)) = chars.next() {
                if is_blank(c) {
                    let before = flow.text.as_bytes().last().is_some_and(u8::is_ascii_alphabetic);
                    let after = chars.peek().is_some_and(|(_, next)| next.is_ascii_alphabetic());
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
        self.plain.push(fold(c));
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

    /// The same with a part of the text that several facts share, printed once.
    pub(crate) fn shared(&self, range: Range<usize>, shared: Range<usize>, notes: &mut Notes) -> Fact {
        let mut fact = self.fact(range, notes);
        fact.value.push_str(&self.text[shared.clone()]);
        fact.spans.extend(self.spans(shared, notes));
        fact
    }

    /// A fact whose value is what a range says.
    pub(crate) fn says<T>(&self, value: T, range: Range<usize>, notes: &mut Notes) -> Fact<T> {
        Fact { value, spans: self.spans(range, notes) }
    }

    /// Puts a stretch to a person.
    pub(crate) fn doubt(
        &self,
        code: DoubtCode,
        range: Range<usize>,
        candidates: Vec<String>,
        notes: &mut Notes,
    ) {
        let spans = self.spans(range, notes);
        notes.doubts.push(Doubt { code, spans, candidates });
    }
}

impl Notes {
    /// Tells line wraps and page breaks from blanks, in order and without repeats.
    pub(crate) fn settle(&mut self, source: &str) {
        for repair in &mut self.repairs {
            let skipped = repair.span.of(source);
            repair.kind = match skipped.matches('\n').count() {
                _ if !skipped.chars().all(is_blank) => RepairKind::PageBreak,
                0 => RepairKind::Blank,
                1 => RepairKind::LineWrap,
                _ => RepairKind::PageBreak,
            };
        }
        self.repairs.sort_unstable();
        self.repairs.dedup();
        self.doubts.sort_by_key(|doubt| (doubt.spans.first().map(|span| span.start), doubt.code));
        self.doubts.dedup();
    }
}
