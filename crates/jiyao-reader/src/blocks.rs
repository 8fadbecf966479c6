//! The parts of a minutes text: which lines belong together, and what they are.

use std::ops::Range;

use crate::dates;
use crate::flow::is_blank;
use crate::header;

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 纪要标志: the organ and the kind of minutes.
    Masthead,
    /// 发文字号 on a line of its own.
    Number,
    /// Running text before the first item.
    Opening,
    /// A numbered heading, `一、…`.
    ItemHeading,
    /// Running text under an item, numbered `（一）` or not.
    Paragraph,
    /// Running text after the items that reports more business.
    Unnumbered,
    /// 出席, 列席, 请假 or 记录, with the lines of its list.
    List(List),
    /// `…整理`.
    Compiled,
    /// A date on a line of its own.
    DateLine,
    /// A note in brackets on a line of its own.
    Note,
    /// 分送 and its list.
    Distribution,
    /// An office, right before the line that says when it printed.
    Printer,
    /// `…印发`.
    PrintedLine,
    /// Any other line.
    Other,
}

/// Which list of the roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Present,
    Observers,
    Absent,
    Recorders,
}

/// Lines that belong together. `lines` are their trimmed stretches of the source; `label` is where what they say
/// begins in the first line: behind `一、`, `（一）` or `出席：`.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) kind: Kind,
    pub(crate) lines: Vec<Range<usize>>,
    pub(crate) label: usize,
}

impl Block {
    /// The stretches behind the label.
    pub(crate) fn content(&self) -> Vec<Range<usize>> {
        let mut parts = self.lines.clone();
        if let Some(first) = parts.first_mut() {
            first.start += self.label;
        }
        parts
    }

    pub(crate) fn start(&self) -> usize {
        self.lines.first().map_or(0, |line| line.start)
    }

    pub(crate) fn end(&self) -> usize {
        self.lines.last().map_or(0, |line| line.end)
    }
}

const NUMERALS: &str = "一二三四五六七八九十百零〇";
const LISTS: [(&str, Kind); 12] = [
    ("出席", Kind::List(List::Present)),
    ("参加", Kind::List(List::Present)),
    ("列席", Kind::List(List::Observers)),
    ("邀请列席", Kind::List(List::Observers)),
    ("固定列席", Kind::List(List::Observers)),
    ("请假", Kind::List(List::Absent)),
    ("缺席", Kind::List(List::Absent)),
    ("记录", Kind::List(List::Recorders)),
    ("分送", Kind::Distribution),
    ("本期发", Kind::Distribution),
    ("发送", Kind::Distribution),
    ("抄送", Kind::Distribution),
];
const LIST_NOUNS: [&str; 4] = ["人员", "人", "领导", ""];

/// Length of `一、` at the start of a line, and of the numeral alone.
pub(crate) fn item_mark(line: &str) -> Option<(usize, usize)> {
    let numeral: usize = line.chars().take_while(|c| NUMERALS.contains(*c)).map(char::len_utf8).sum();
    (numeral > 0 && line[numeral..].starts_with('、')).then(|| (numeral + '、'.len_utf8(), numeral))
}

/// Length of `（一）` at the start of a line.
fn paragraph_mark(line: &str) -> Option<usize> {
    let inner = line.strip_prefix(['（', '('])?;
    let numeral: usize = inner.chars().take_while(|c| NUMERALS.contains(*c)).map(char::len_utf8).sum();
    let rest = &inner[numeral..];
    (numeral > 0 && rest.starts_with(['）', ')']))
        .then(|| line.len() - rest.len() + rest.chars().next().map_or(0, char::len_utf8))
}

/// The list that a line begins, and the length of its label with the colon.
fn list_label(line: &str) -> Option<(Kind, usize)> {
    let colon = line.char_indices().take(10).find(|(_, c)| matches!(c, '：' | ':'))?;
    let label: String = line[..colon.0].chars().filter(|c| !is_blank(*c)).collect();
    let (_, kind) = LISTS
        .iter()
        .find(|(word, _)| label.strip_prefix(word).is_some_and(|noun| LIST_NOUNS.contains(&noun)))?;
    Some((*kind, colon.0 + colon.1.len_utf8()))
}

/// Lines of a heading, at most.
const LONGEST_HEADING: usize = 8;

fn ends_sentence(line: &str) -> bool {
    line.ends_with(['。', '！', '？', '；', '：', ':', '”'])
}

/// Openings of a paragraph that reports business outside the numbered items.
const MORE_BUSINESS: [&str; 5] = ["会上", "会前", "会后", "会议还", "此外"];
/// Phrases that say only that there was more, not what.
const NOTHING_MORE: [&str; 3] = ["其他事项", "其他事宜", "其它事项"];

/// Cuts a text into blocks. Blank lines belong to none.
pub(crate) fn cut(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut seen_items = false;
    let mut offset = 0;
    for raw in text.split_inclusive('\n') {
        let line = raw.trim_matches(is_blank);
        let start = offset + (raw.len() - raw.trim_start_matches(is_blank).len());
        offset += raw.len();
        if line.is_empty() {
            continue;
        }
        let range = start..start + line.len();
        let (kind, label) = kind_of(line, &blocks, seen_items);
        if kind == Kind::Other
            && let Some(open) = blocks.last_mut().filter(|block| is_open(text, block))
        {
            open.lines.push(range);
            continue;
        }
        // A line of running text before the items is opening, under an item a paragraph.
        let kind = match kind {
            Kind::Other if is_prose(line) && !seen_items => Kind::Opening,
            Kind::Other if is_prose(line) && blocks.last().is_some_and(in_items) => Kind::Paragraph,
            kind => kind,
        };
        seen_items |= kind == Kind::ItemHeading;
        blocks.push(Block { kind, lines: vec![range], label });
    }
    name_printers(text, &mut blocks);
    blocks
}

fn in_items(block: &Block) -> bool {
    matches!(block.kind, Kind::ItemHeading | Kind::Paragraph | Kind::Unnumbered)
}

/// Long enough, or ended as a sentence is.
fn is_prose(line: &str) -> bool {
    ends_sentence(line) || line.chars().count() > 30
}

fn kind_of(line: &str, blocks: &[Block], seen_items: bool) -> (Kind, usize) {
    if let Some((mark, _)) = item_mark(line) {
        return (Kind::ItemHeading, mark);
    }
    if let Some(mark) = paragraph_mark(line).filter(|_| seen_items) {
        return (Kind::Paragraph, mark);
    }
    if let Some((kind, label)) = list_label(line) {
        return (kind, label);
    }
    let clean: String = line.chars().filter(|c| !is_blank(*c)).collect();
    let plain = if jiyao_docnum::DocumentNumber::parse(&clean).is_some() && clean.chars().count() < 30 {
        Kind::Number
    } else if dates::iso_date(&clean).is_some() {
        Kind::DateLine
    } else if clean.ends_with("印发") && dates::iso_date(clean.trim_end_matches("印发")).is_some() {
        Kind::PrintedLine
    } else if clean.ends_with("整理") && clean.chars().count() <= 40 {
        Kind::Compiled
    } else if clean.starts_with('（') && clean.ends_with('）') && clean.chars().count() <= 40 {
        Kind::Note
    } else if blocks.iter().all(|block| matches!(block.kind, Kind::Masthead | Kind::Number | Kind::Other))
        && header::is_masthead(&clean)
    {
        Kind::Masthead
    } else if seen_items
        && blocks.last().is_some_and(in_items)
        && MORE_BUSINESS.iter().any(|word| clean.starts_with(word))
        && !NOTHING_MORE.iter().any(|word| clean.contains(word))
    {
        Kind::Unnumbered
    } else {
        Kind::Other
    };
    (plain, 0)
}

/// Whether an unmarked line goes on with this block.
fn is_open(text: &str, block: &Block) -> bool {
    let Some(last) = block.lines.last().map(|line| &text[line.clone()]) else { return false };
    match block.kind {
        Kind::List(_) => true,
        Kind::Distribution => !last.ends_with('。'),
        Kind::Opening | Kind::Paragraph | Kind::Unnumbered => !ends_sentence(last),
        // A heading has no full stop: it goes on only where something in it is not closed.
        Kind::ItemHeading if block.lines.len() < LONGEST_HEADING => {
            let count =
                |c| block.lines.iter().map(|line| text[line.clone()].matches(c).count()).sum::<usize>();
            count('《') > count('》') || count('（') > count('）') || last.ends_with(['，', '、', '和'])
        }
        _ => false,
    }
}

/// The line before `…印发` is the office that printed.
fn name_printers(text: &str, blocks: &mut [Block]) {
    for at in 1..blocks.len() {
        if blocks[at].kind == Kind::PrintedLine && matches!(blocks[at - 1].kind, Kind::Other | Kind::List(_))
        {
            let line = &blocks[at - 1].lines;
            if blocks[at - 1].kind == Kind::Other && line.len() == 1 && !ends_sentence(&text[line[0].clone()])
            {
                blocks[at - 1].kind = Kind::Printer;
            }
        }
    }
}
