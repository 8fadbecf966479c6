//! Running text: what is left of some lines when typesetting is taken out, with the way back to every byte.

use std::ops::Range;

use compact_str::CompactString;
use smallvec::smallvec;

use crate::facts::{Doubt, DoubtCode, Fact, Repair, RepairKind, Span, Spans};
use crate::script::{fold, is_folded};

/// Clean text of a paragraph or list. `plain` is the same text in simplified characters, byte for byte as long: the
/// grammar looks at it, facts are cut from `text`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    pub(crate) text: String,
    pub(crate) plain: String,
    /// Where in the clean text a stretch begins that is printed without a break, and where in the source.
    runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    clean: usize,
    source: usize,
}

/// What reading a text found besides facts.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) repairs: Vec<Repair>,
    pub(crate) doubts: Vec<Doubt>,
    /// Words of verdicts that became neither a decision nor a doubt.
    pub(crate) uncovered: Vec<Span>,
}

/// Blanks of typesetting, among them the ideographic space, and the control characters that converters leave.
pub(crate) fn is_blank(c: char) -> bool {
    // Han characters are most of a text, and none of them is blank.
    if ('\u{3001}'..='\u{fefe}').contains(&c) {
        return false;
    }
    c.is_whitespace() || c.is_control() || c == '\u{feff}' || c == '\u{200b}'
}

impl Flow {
    /// Joins stretches of the source. Breaks between them vanish, and so do blanks, except between Latin words.
    pub(crate) fn join(source: &str, parts: &[Range<usize>]) -> Self {
        let mut flow = Self::default();
        flow.fill(source, parts.iter().cloned());
        flow
    }

    /// The same in the place of what was there before, and where each part ends in the clean text.
    pub(crate) fn fill(&mut self, source: &str, parts: impl Iterator<Item = Range<usize>>) -> Vec<usize> {
        self.text.clear();
        self.plain.clear();
        self.runs.clear();
        let mut ends = Vec::with_capacity(parts.size_hint().0);
        let mut folds = false;
        for part in parts {
            folds |= self.add(source, part);
            ends.push(self.text.len());
        }
        if folds {
            self.plain.extend(self.text.chars().map(fold));
        } else {
            self.plain.push_str(&self.text);
        }
        ends
    }

    /// Adds a stretch; whether anything in it is to be folded.
    fn add(&mut self, source: &str, part: Range<usize>) -> bool {
        let (mut start, mut folds) = (part.start, false);
        let mut chars = source[part.clone()].char_indices();
        while let Some((offset, c)) = chars.next() {
            folds |= is_folded(c);
            if !is_blank(c) {
                continue;
            }
            let at = part.start + offset;
            let before = if at > start { &source[start..at] } else { self.text.as_str() };
            let is_latin = before.as_bytes().last().is_some_and(u8::is_ascii_alphabetic)
                && chars.as_str().as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
            if !is_latin {
                self.run(source, start..at);
                start = at + c.len_utf8();
            }
        }
        self.run(source, start..part.end);
        folds
    }

    fn run(&mut self, source: &str, stretch: Range<usize>) {
        if stretch.is_empty() {
            return;
        }
        let clean = self.text.len();
        let goes_on =
            self.runs.last().is_some_and(|last| last.source + (clean - last.clean) == stretch.start);
        if !goes_on {
            self.runs.push(Run { clean, source: stretch.start });
        }
        self.text.push_str(&source[stretch]);
    }

    /// Where a range of the clean text stands, and what lies inside it that is skipped. Empty for an empty range.
    pub(crate) fn spans(&self, range: Range<usize>, notes: &mut Notes) -> Spans {
        if range.is_empty() || range.end > self.text.len() {
            return Spans::new();
        }
        let first = self.runs.partition_point(|run| run.clean <= range.start) - 1;
        let mut last = self.runs[first];
        let start = last.source + range.start - last.clean;
        for run in self.runs[first + 1..].iter().take_while(|run| run.clean < range.end) {
            let span = Span { start: (last.source + run.clean - last.clean) as u32, end: run.source as u32 };
            notes.repairs.push(Repair { span, kind: RepairKind::Blank });
            last = *run;
        }
        smallvec![Span { start: start as u32, end: (last.source + range.end - last.clean) as u32 }]
    }

    /// The fact that a range of the clean text is.
    pub(crate) fn fact(&self, range: Range<usize>, notes: &mut Notes) -> Fact {
        Fact { value: CompactString::new(&self.text[range.clone()]), spans: self.spans(range, notes) }
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

    /// Lists a word of a verdict that is taken for none.
    pub(crate) fn leave(&self, range: Range<usize>, notes: &mut Notes) {
        let spans = self.spans(range, &mut Notes::default());
        notes.uncovered.extend(spans);
    }

    /// Whether a line of the source ends inside a range.
    pub(crate) fn is_broken(&self, source: &str, range: Range<usize>) -> bool {
        let spans = self.spans(range, &mut Notes::default());
        spans.iter().any(|span| span.of(source).contains('\n'))
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
        self.uncovered.sort_unstable();
        self.uncovered.dedup();
    }
}
