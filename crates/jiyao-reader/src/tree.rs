//! The lossless tree: every byte of the text in exactly one leaf.

use crate::blocks::{Block, Kind, List};
use crate::facts::{Facts, Repair, Span};

/// A stretch of the text and what it is. A node without children is a leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Name of a block, of a fact inside it, `repair`, `text` or `blank`.
    pub kind: &'static str,
    /// Where.
    pub span: Span,
    /// Its parts, in order and without gaps. Empty in a leaf.
    pub children: Vec<Node>,
}

/// The whole text as a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Spans the text.
    pub root: Node,
}

impl Tree {
    /// The leaves in order. Their stretches concatenate to the text.
    #[must_use]
    pub fn leaves(&self) -> Vec<&Node> {
        let mut leaves = Vec::new();
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            if node.children.is_empty() {
                leaves.push(node);
            }
            open.extend(node.children.iter().rev());
        }
        leaves
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Masthead => "masthead",
        Kind::Number => "number",
        Kind::Opening => "opening",
        Kind::ItemHeading => "heading",
        Kind::Paragraph => "paragraph",
        Kind::Chair => "chair",
        Kind::Time => "time",
        Kind::PageMark => "page",
        Kind::Unnumbered => "unnumbered",
        Kind::List(List::Present) => "present",
        Kind::List(List::Observers) => "observers",
        Kind::List(List::Absent) => "absent",
        Kind::List(List::Recorders) => "recorders",
        Kind::Compiled => "compiled",
        Kind::DateLine => "date",
        Kind::Note => "note",
        Kind::Distribution => "distribution",
        Kind::Printer => "printer",
        Kind::PrintedLine => "printed",
        Kind::Other => "line",
    }
}

/// Builds the tree: blocks in order; inside a block, a leaf begins wherever a fact or repair begins or ends, and is
/// named by the narrowest of them.
pub(crate) fn build(text: &str, blocks: &[Block], facts: &Facts, repairs: &[Repair]) -> Tree {
    let mut marks: Vec<(Span, &'static str)> = repairs.iter().map(|repair| (repair.span, "repair")).collect();
    // The number of a page may stand in the middle of a paragraph.
    let pages = blocks.iter().filter(|block| block.kind == Kind::PageMark);
    marks.extend(pages.map(|page| (Span { start: page.start() as u32, end: page.end() as u32 }, "page")));
    facts.visit(|kind, _, _, spans| marks.extend(spans.iter().map(|span| (*span, kind))));
    marks.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));

    let mut root = node("minutes", 0, text.len());
    let mut at = 0;
    let mut marks = marks.as_slice();
    for block in blocks {
        if block.kind == Kind::PageMark && block.start() < at {
            continue;
        }
        if block.start() > at {
            root.children.push(node("blank", at, block.start()));
        }
        let until = marks.partition_point(|(span, _)| (span.start as usize) < block.end());
        let (inside, behind) = marks.split_at(until);
        marks = behind;
        root.children.push(filled(block, inside));
        at = block.end();
    }
    if at < text.len() {
        root.children.push(node("blank", at, text.len()));
    }
    Tree { root }
}

fn node(kind: &'static str, start: usize, end: usize) -> Node {
    Node { kind, span: Span { start: start as u32, end: end as u32 }, children: Vec::new() }
}

/// Sweeps over a block once, with the open marks as a stack: marks are sorted by start, wider first.
fn filled(block: &Block, marks: &[(Span, &'static str)]) -> Node {
    let mut out = node(name(block.kind), block.start(), block.end());
    let (mut at, mut stack): (u32, Vec<(u32, &'static str)>) = (out.span.start, Vec::new());
    let mut leaf = |to: u32, kind: &'static str, at: &mut u32| {
        if to > *at {
            out.children.push(Node { kind, span: Span { start: *at, end: to }, children: Vec::new() });
            *at = to;
        }
    };
    for (span, kind) in marks {
        while let Some((end, open)) = stack.last().copied().filter(|(end, _)| *end <= span.start) {
            leaf(end, open, &mut at);
            stack.pop();
        }
        leaf(span.start, stack.last().map_or("text", |(_, open)| open), &mut at);
        // A mark never reaches past the one that it lies in.
        let end = stack.last().map_or(out.span.end, |(end, _)| *end).min(span.end);
        stack.push((end, kind));
    }
    while let Some((end, open)) = stack.pop() {
        leaf(end, open, &mut at);
    }
    leaf(out.span.end, "text", &mut at);
    out
}
