//! The parts of a minutes text: which lines belong together, and what they are.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::dates;
use crate::flow::is_blank;
use crate::script::{Chars, fold, is_folded, pattern};
use crate::words::Words;

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A line above the opening that names the organ, the meeting or the kind of minutes (纪要标志).
    Masthead,
    /// 发文字号 on a line of its own.
    Number,
    /// Running text before the first item.
    Opening,
    /// 主持：, on a line of its own.
    Chair,
    /// 时间：, on a line of its own.
    Time,
    /// A numbered heading, `一、…`, or a bare numeral on its line.
    ItemHeading,
    /// A paragraph that reports business outside the numbered items.
    Unnumbered,
    /// Running text under an item, numbered `（一）` or not.
    Paragraph,
    /// 出席, 列席, 请假 or 记录, with the lines of its list.
    List(List),
    /// `…整理`, or an office with the date of the document.
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
    /// The number of a page.
    PageMark,
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
/// begins in the first line: behind `一、`, `（一）` or `出席：`; `numeral` is the mark's numeral in the first line.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) kind: Kind,
    pub(crate) lines: Vec<Range<usize>>,
    pub(crate) label: usize,
    pub(crate) numeral: Range<usize>,
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

/// Characters of a line, blanks left out, that are looked at to say what it is.
const HEAD: usize = 64;
/// Lines of a heading, at most.
const LONGEST_HEADING: usize = 8;

/// A line without the blanks around it.
struct Line<H> {
    range: Range<usize>,
    /// Its first characters, folded and without blanks.
    head: H,
    /// Whether that is all of it.
    is_short: bool,
    /// Half-ems; at most what tells a wrapped line from a paragraph.
    width: usize,
    ends_sentence: bool,
}

const WIDEST: usize = 400;

impl<'h> Line<&'h str> {
    /// The head, where it is the whole line and no longer than this.
    fn whole(&self, longest: usize) -> Option<&'h str> {
        (self.is_short && self.head.chars().count() <= longest).then_some(self.head)
    }
}

fn ends_sentence(line: &str) -> bool {
    line.ends_with(['。', '！', '？', '；', '：', ':'])
        || line.strip_suffix(['”', '）', ')', '」']).is_some_and(|inner| inner.ends_with(['。', '！', '？']))
}

/// Bytes of a raw line that hold its first so many bytes of folded characters without blanks.
fn raw_length(raw: &str, solid: usize) -> usize {
    let mut left = solid;
    let mut end = 0;
    for (at, c) in raw.char_indices() {
        if left == 0 {
            break;
        }
        if !is_blank(c) {
            left = left.saturating_sub(c.len_utf8());
            end = at + c.len_utf8();
        }
    }
    end
}

static NUMERALS: LazyLock<Chars> = LazyLock::new(|| Chars::new("一二三四五六七八九十百零〇".chars()));

/// The forms that the headings of one document are numbered in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Marks {
    Topic,
    Comma,
    Bare,
    Brackets,
    Arabic,
}

static TOPIC: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:议题(?P<a>[一二三四五六七八九十]{1,3}|[0-9]{1,2})[：:、.．]?|第(?P<b>[一二三四五六七八九十]{1,3}|[0-9]{1,2})(?:个|项)议题[：:、，]?)",
    )
});

/// Where the numeral that stands at a place ends: of at least one character, and of this many at most.
fn numeral_end(head: &str, from: usize, is_digit: impl Fn(char) -> bool, longest: usize) -> Option<usize> {
    let digits = head[from..].chars().take(longest).take_while(|c| is_digit(*c));
    let length: usize = digits.map(char::len_utf8).sum();
    (length > 0).then_some(from + length)
}

/// The end of the mark that stands at a place.
fn one_of(head: &str, at: usize, marks: &[char]) -> Option<usize> {
    let c = head[at..].chars().next()?;
    marks.contains(&c).then_some(at + c.len_utf8())
}

impl Marks {
    /// Length of the mark at the start of a line's head, and where its numeral is.
    fn of(self, head: &str) -> Option<(usize, Range<usize>)> {
        let first = head.chars().next()?;
        let may = match self {
            Self::Topic => matches!(first, '议' | '第'),
            Self::Comma | Self::Bare => NUMERALS.contains(first),
            Self::Brackets => matches!(first, '（' | '('),
            Self::Arabic => first.is_ascii_digit() || ('０'..='９').contains(&first),
        };
        if !may {
            return None;
        }
        match self {
            Self::Topic => {
                let captures = TOPIC.captures(head)?;
                let numeral = captures.name("a").or_else(|| captures.name("b"))?.range();
                Some((captures.get(0)?.end(), numeral))
            }
            Self::Comma => {
                let end = numeral_end(head, 0, |c| NUMERALS.contains(c), 5)?;
                Some((one_of(head, end, &['、', '．', '.'])?, 0..end))
            }
            Self::Bare => {
                let end = numeral_end(head, 0, |c| NUMERALS.contains(c), 5)?;
                (end == head.len()).then_some((end, 0..end))
            }
            Self::Brackets => {
                let start = first.len_utf8();
                let end = numeral_end(head, start, |c| NUMERALS.contains(c), 5)?;
                let closed = one_of(head, end, &['）', ')'])?;
                Some((one_of(head, closed, &['、', '.']).unwrap_or(closed), start..end))
            }
            Self::Arabic => {
                let end = numeral_end(head, 0, |c| c.is_ascii_digit() || ('０'..='９').contains(&c), 2)?;
                let length = one_of(head, end, &['、', '．', '.'])?;
                // 1.5 is a number, no mark.
                let is_mark = !head[end..].starts_with('.')
                    || head[length..].chars().next().is_some_and(|c| !c.is_ascii_digit());
                is_mark.then_some((length, 0..end))
            }
        }
    }

    fn number(self, head: &str) -> Option<u32> {
        let (_, numeral) = self.of(head)?;
        jiyao_docnum::ordinal(&head[numeral])
    }
}

static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[（(]?[一二三四五六七八九十0-9]{1,2}[）)、.．])?(?P<kind>(?:应邀|特邀|邀请|固定|其他)?(?:出席|参加|参会|到会|与会|列席|邀请|请假|缺席|因故缺席|因事请假|因公请假|未出席|未到会|记录|纪录|会议记录))(?:会议|本次会议)?的?(?:有|人员|人|领导|单位|委员|代表|者|名单|同志|嘉宾|住户|成员|情况|主席|记录|纪录)*(?P<colon>[：:])",
    )
});
static BARE_LABEL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?P<kind>邀请列席|固定列席|出席|参加|列席|请假|缺席|记录|纪录)(?:人员|人|领导|委员|单位)?")
});
static CHAIR: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:[一二三四五六七八九十0-9]{1,2}[、.．])?(?:会议)?(?:主持人?|主持者|会议主席|主席)[：:]")
});
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:[一二三四五六七八九十0-9]{1,2}[、.．])?(?:会议)?(?:时间|日期|召开时间)[：:]")
});
/// Labels of a form that name neither people nor business.
static FORM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[一二三四五六七八九十0-9]{1,2}[、.．])?(?:会议)?(?:地点|名称|议题|议程|内容|主题|形式|类型|召开地点|会议议题|会议议程|会议内容|主要内容)[：:]?$|^(?:[一二三四五六七八九十0-9]{1,2}[、.．])?(?:会议)?(?:地点|名称|召开地点|形式)[：:]",
    )
});
static RECIPIENTS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:分送|本期发|发送|抄送|副本抄送|正本抄送|抄报|主送|报送|发至|印送|发|送|报)[：:]")
});
static PAGE_MARK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[-—–－_─·‐]+[0-9０-９]{0,4}[-—–－_─·‐]*|第[0-9]{1,4}页(?:[，,/]?共[0-9]{1,4}页)?|[0-9]{1,3}/[0-9]{1,3})$",
    )
});
static PAGE_MARK_FIRST: LazyLock<Chars> = LazyLock::new(|| Chars::new("-—–－_─·‐第0123456789".chars()));
/// Openings of a paragraph that reports business.
static BUSINESS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:会议|会上|会前|会后|会中|此外|最后|另外|本次会议)，?(?:还|并|首先|随后|同时|再次|又|经|共|以|由)?(?:书面|集中|专题|集体|组织|分别|共同|认真|重点|深入|讨论|一致|原则上?|现场)*(?:传达|学习|听取|审议|审阅|研究|讨论|审定|通报|观看|部署|安排|通过|同意|审查|审核|宣读|表决|选举|举行|邀请|开展|会商|讨论|汇报)",
    )
});
static MORE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:会上|会前|会后|此外|会议还|最后)"));
static REPORTS: LazyLock<Regex> = LazyLock::new(|| {
    pattern("传达|学习|听取|审议|审阅|研究|讨论|通报|观看|部署|宣读|汇报|决定|通过|同意|审定")
});
/// Says only that there was more, not what.
static NOTHING_MORE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:其[他它她]|有关|相关)(?:有关|相关)?(?:事项|事宜|工作|议题|问题)。?$"));
static WEAK: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:会议|会上|会前|会后)"));
static MEETING: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"第[0-9０-９一二三四五六七八九十百零〇]{1,6}次|会议?纪要|会议?纪实|会议记录"));
static ORGAN_LINE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^[^，。；：:、（(]{2,24}(?:人民政府|委员会|办公室|党组|党委|党工委|管委会|办事处|街道|局|厅|常委会|理事会|联合会|总会|业主委员会|业委会|法团|学院|大学|中心|公司|集团)$",
    )
});

struct Cutter<'t> {
    text: &'t str,
    words: &'t Words,
    marks: Option<Marks>,
    /// Half-ems of a full line, where the text is wrapped.
    wrapped: Option<usize>,
    blocks: Vec<Block>,
    /// The number of the last item; 0 before the first.
    last_number: u32,
    seen_items: bool,
    seen_opening: bool,
    seen_tail: bool,
    /// 《 and （ of the last block that wait for their other half.
    unclosed: [isize; 2],
}

/// Cuts a text into blocks. Blank lines belong to none.
pub(crate) fn cut(text: &str, words: &Words) -> Vec<Block> {
    let mut heads = String::with_capacity(text.len().min(1 << 20));
    let lines = lines(text, &mut heads);
    let lines = join_labels(&heads, lines);
    // Of the weaker marks, which number sub-items too, the one that comes first numbers the items.
    let begins = |marks: Marks| {
        lines.iter().position(|line| marks.number(line.head) == Some(1) && !is_form(line.head))
    };
    let strong = [Marks::Topic, Marks::Comma, Marks::Bare].into_iter().find(|marks| begins(*marks).is_some());
    let weak = [Marks::Brackets, Marks::Arabic].into_iter().filter_map(|marks| Some((begins(marks)?, marks)));
    let marks = strong.or_else(|| weak.min_by_key(|(at, _)| *at).map(|(_, marks)| marks));
    let mut cutter = Cutter {
        text,
        words,
        marks,
        wrapped: wrapped(&lines),
        blocks: Vec::new(),
        last_number: 0,
        seen_items: false,
        seen_opening: false,
        seen_tail: false,
        unclosed: [0; 2],
    };
    let mut before: Option<&Line<&str>> = None;
    for line in &lines {
        if PAGE_MARK_FIRST.begin(line.head) && line.whole(12).is_some_and(|head| PAGE_MARK.is_match(head)) {
            cutter.push(Kind::PageMark, line, 0, 0..0);
            continue;
        }
        cutter.line(line, before);
        before = Some(line);
    }
    let mut blocks = cutter.blocks;
    name_printers(text, &mut blocks);
    drop_umbrellas(text, &mut blocks);
    blocks.sort_by_key(Block::start);
    blocks
}

/// Writes the heads of all lines one behind the other; a line's `head` says where its own is.
fn lines(text: &str, heads: &mut String) -> Vec<Line<Range<usize>>> {
    let mut offset = 0;
    let mut lines = Vec::new();
    for raw in text.split_inclusive('\n') {
        let line = raw.trim_matches(is_blank);
        let start = offset + (raw.len() - raw.trim_start_matches(is_blank).len());
        offset += raw.len();
        if line.is_empty() {
            continue;
        }
        let head = heads.len();
        let (mut solid, mut width, mut end) = (0, 0, 0);
        for (seen, (at, c)) in line.char_indices().enumerate() {
            if seen >= WIDEST && solid == HEAD {
                break;
            }
            if seen < WIDEST {
                width += if c.is_ascii() { 1 } else { 2 };
            }
            if solid < HEAD && !is_blank(c) {
                heads.push(if is_folded(c) { fold(c) } else { c });
                solid += 1;
                end = at + c.len_utf8();
            }
        }
        lines.push(Line {
            range: start..start + line.len(),
            head: head..heads.len(),
            is_short: end == line.len(),
            width,
            ends_sentence: ends_sentence(line),
        });
    }
    lines
}

/// A label that is set over two lines, `出` and `席：…`, is one.
fn join_labels(heads: &str, lines: Vec<Line<Range<usize>>>) -> Vec<Line<&str>> {
    let mut joined: Vec<Line<Range<usize>>> = Vec::with_capacity(lines.len());
    for line in lines {
        let next = heads[line.head.clone()].chars().next();
        let belongs = |last: &&mut Line<Range<usize>>| {
            matches!(
                (&heads[last.head.clone()], next),
                ("出" | "列" | "缺", Some('席'))
                    | ("请", Some('假'))
                    | ("记" | "纪", Some('录'))
                    | ("参", Some('加'))
            )
        };
        match joined.last_mut().filter(belongs) {
            Some(last) => {
                let (start, head) = (last.range.start, last.head.start);
                *last = line;
                last.range.start = start;
                last.head.start = head;
            }
            None => joined.push(line),
        }
    }
    let of = |line: Line<Range<usize>>| Line {
        head: &heads[line.head],
        range: line.range,
        is_short: line.is_short,
        width: line.width,
        ends_sentence: line.ends_sentence,
    };
    joined.into_iter().map(of).collect()
}

/// The width of a full line, where most long lines are about that wide: then a line's end is no paragraph's end.
fn wrapped(lines: &[Line<&str>]) -> Option<usize> {
    let mut widths: Vec<_> = lines.iter().map(|line| line.width).filter(|width| *width >= 30).collect();
    widths.sort_unstable();
    let full = *widths.get((widths.len() * 9 / 10).min(widths.len().checked_sub(1)?))?;
    let full_lines =
        widths.iter().filter(|width| (full.saturating_sub(5)..=full + 5).contains(*width)).count();
    (widths.len() >= 8 && full <= 120 && full_lines * 2 > widths.len()).then_some(full)
}

/// Bytes of a label, at most.
const LONGEST_LABEL: usize = 60;

/// What labels, forms and openings begin with: most lines begin with none of it.
static LABEL_FIRST: LazyLock<Chars> = LazyLock::new(|| {
    Chars::new(
        "（([［应特邀固其出参到与列请缺因未记纪会主时日召地名议内形类0123456789一二三四五六七八九十".chars(),
    )
});
static BUSINESS_FIRST: LazyLock<Chars> = LazyLock::new(|| Chars::new("会此最另本".chars()));

fn has_colon(head: &str) -> bool {
    head.chars().any(|c| matches!(c, '：' | ':'))
}

fn is_form(head: &str) -> bool {
    if !LABEL_FIRST.begin(head) {
        return false;
    }
    // Every label but that of a form's heading has a colon, and most lines have none.
    (has_colon(head) && (LABEL.is_match(head) || CHAIR.is_match(head) || TIME.is_match(head)))
        || ((has_colon(head) || head.len() <= LONGEST_LABEL) && FORM.is_match(head))
}

fn list_of(kind: &str) -> List {
    if kind.contains("列席") || kind.contains("邀") {
        List::Observers
    } else if ["请假", "缺席", "未"].iter().any(|word| kind.contains(word)) {
        List::Absent
    } else if kind.contains("录") {
        List::Recorders
    } else {
        List::Present
    }
}

/// The list that a line begins, and the length of its label, without blanks.
pub(crate) fn list_label(head: &str) -> Option<(List, usize)> {
    let captures = (LABEL_FIRST.begin(head) && has_colon(head)).then(|| LABEL.captures(head)).flatten()?;
    Some((list_of(&captures["kind"]), captures.get(0)?.end()))
}

impl Cutter<'_> {
    fn push(&mut self, kind: Kind, line: &Line<&str>, solid_label: usize, numeral: Range<usize>) {
        let raw = &self.text[line.range.clone()];
        let numeral_start = raw_length(raw, numeral.start);
        let from_numeral =
            raw[numeral_start..].len() - raw[numeral_start..].trim_start_matches(is_blank).len();
        self.blocks.push(Block {
            kind,
            label: raw_length(raw, solid_label),
            numeral: if numeral.is_empty() {
                0..0
            } else {
                numeral_start + from_numeral..raw_length(raw, numeral.end)
            },
            lines: vec![line.range.clone()],
        });
        if kind != Kind::PageMark {
            self.unclosed = [0; 2];
            self.count_unclosed(line);
        }
        match kind {
            Kind::ItemHeading | Kind::Unnumbered => self.seen_items = true,
            Kind::Opening => self.seen_opening = true,
            Kind::Compiled | Kind::Distribution | Kind::PrintedLine => self.seen_tail |= self.seen_items,
            _ => {}
        }
    }

    /// The block that a line may go on with: page marks between do not count.
    fn open(&mut self) -> Option<&mut Block> {
        self.blocks.iter_mut().rev().find(|block| block.kind != Kind::PageMark)
    }

    fn last_kind(&self) -> Option<Kind> {
        self.blocks.iter().rev().map(|block| block.kind).find(|kind| *kind != Kind::PageMark)
    }

    fn line(&mut self, line: &Line<&str>, before: Option<&Line<&str>>) {
        // In wrapped text a full line that ends no sentence goes on, whatever the next one begins with.
        let is_full = before.is_some_and(|b| self.wrapped.is_some_and(|full| b.width + 5 >= full));
        let mid_sentence = is_full
            && before.is_some_and(|before| !before.ends_sentence)
            && self.last_kind().is_some_and(|kind| {
                matches!(kind, Kind::Opening | Kind::Paragraph | Kind::Unnumbered | Kind::ItemHeading)
            });
        if let Some((kind, label, numeral)) = self.strong(line, before) {
            if kind == Kind::ItemHeading {
                self.last_number += 1;
            }
            self.push(kind, line, label, numeral);
            return;
        }
        if !mid_sentence && let Some((kind, label)) = self.weak(line) {
            self.push(kind, line, label, 0..0);
            return;
        }
        if self.goes_on(line, before, is_full)
            && let Some(open) = self.open()
        {
            open.lines.push(line.range.clone());
            self.count_unclosed(line);
            return;
        }
        let is_label = line.head.ends_with(['：', ':']) && line.is_short && line.width < 30;
        let is_prose = (line.ends_sentence && !is_label) || !line.is_short || line.width > 60;
        let kind = match self.last_kind() {
            _ if is_prose && !self.seen_items && !self.seen_tail => Kind::Opening,
            Some(Kind::ItemHeading | Kind::Paragraph | Kind::Unnumbered) if is_prose || !self.seen_tail => {
                Kind::Paragraph
            }
            _ => Kind::Other,
        };
        self.push(kind, line, 0, 0..0);
    }

    /// What a line is by a mark that stands in no running text.
    fn strong(&self, line: &Line<&str>, before: Option<&Line<&str>>) -> Option<(Kind, usize, Range<usize>)> {
        let head = line.head;
        let in_list = matches!(self.last_kind(), Some(Kind::List(_)));
        if !in_list
            && let Some(marks) = self.marks
            && let Some((length, numeral)) = marks.of(head)
            && jiyao_docnum::ordinal(&head[numeral.clone()]) == Some(self.last_number + 1)
            && !is_form(head)
        {
            return Some((Kind::ItemHeading, length, numeral));
        }
        if in_list
            && matches!(self.marks, Some(Marks::Comma | Marks::Topic))
            && let Some((length, numeral)) = self.marks?.of(head)
            && jiyao_docnum::ordinal(&head[numeral.clone()]) == Some(self.last_number + 1)
            && !is_form(head)
        {
            return Some((Kind::ItemHeading, length, numeral));
        }
        if self.seen_items
            && !in_list
            && let Some((length, _)) = Marks::Brackets.of(head)
            && !(has_colon(head) && LABEL.is_match(head))
        {
            return Some((Kind::Paragraph, length, 0..0));
        }
        // A list inside a list, `（一）邀请列席：`, stays with it.
        let inner = in_list && head.starts_with(['（', '(']);
        if let Some((list, length)) = list_label(head).filter(|_| !inner) {
            return Some((Kind::List(list), length, 0..0));
        }
        let colon = has_colon(head);
        let labelled = colon && line.is_short && LABEL_FIRST.begin(head);
        if let Some(found) = Some(&CHAIR).filter(|_| labelled).and_then(|chair| chair.find(head)) {
            return Some((Kind::Chair, found.end(), 0..0));
        }
        if let Some(found) = Some(&TIME).filter(|_| labelled).and_then(|time| time.find(head)) {
            return Some((Kind::Time, found.end(), 0..0));
        }
        if colon && let Some(found) = RECIPIENTS.find(head) {
            return Some((Kind::Distribution, found.end(), 0..0));
        }
        if line.is_short && !self.seen_items && LABEL_FIRST.begin(head) && FORM.is_match(head) {
            return Some((Kind::Other, 0, 0..0));
        }
        let raw = &self.text[line.range.clone()];
        if (self.seen_items || in_list)
            && line.is_short
            && LABEL_FIRST.begin(head)
            && let Some(found) = BARE_LABEL.find(head)
            && !line.ends_sentence
            && before.is_none_or(|before| before.ends_sentence || in_list || before.width < 50)
        {
            let label = raw_length(raw, found.end());
            if raw.len() == label || raw[label..].starts_with(is_blank) {
                let kind =
                    BARE_LABEL.captures(head).map_or(List::Present, |captures| list_of(&captures["kind"]));
                return Some((Kind::List(kind), found.end(), 0..0));
            }
        }
        self.closing(line).map(|kind| (kind, 0, 0..0))
    }

    /// Lines around the text: number, masthead, dates, notes, imprints.
    fn closing(&self, line: &Line<&str>) -> Option<Kind> {
        let head = line.whole(48)?;
        if head.ends_with('号')
            && head.chars().count() < 30
            && jiyao_docnum::DocumentNumber::parse(head).is_some()
        {
            return Some(Kind::Number);
        }
        if let Some(inner) = head.strip_suffix("印发").or_else(|| head.strip_suffix("印"))
            && dates::all(inner).next().is_some()
        {
            return Some(Kind::PrintedLine);
        }
        if head.ends_with("整理") && !head.contains(['，', '。']) {
            return Some(Kind::Compiled);
        }
        if head.starts_with(['（', '(']) && head.ends_with(['）', ')']) {
            let inner = head.trim_matches(['（', '）', '(', ')']);
            return Some(if dates::iso_date(inner).is_some() { Kind::DateLine } else { Kind::Note });
        }
        if let Some((range, _)) = dates::find(head, 0) {
            if range == (0..head.len()) {
                return Some(Kind::DateLine);
            }
            let office = &head[..range.start];
            if range.end == head.len() && range.start > 0 && self.words.is_unit(office) {
                return Some(Kind::Compiled);
            }
        }
        if !self.seen_opening
            && !self.seen_items
            && !line.ends_sentence
            && !head.contains(['。', '，', '：'])
            && (MEETING.is_match(head) || ORGAN_LINE.is_match(head))
        {
            return Some(Kind::Masthead);
        }
        None
    }

    /// What a paragraph is by how it begins, where a paragraph may begin.
    fn weak(&self, line: &Line<&str>) -> Option<(Kind, usize)> {
        let head = line.head;
        if !self.seen_items && !self.seen_opening && (head.contains("主持") || head.contains("召开")) {
            return Some((Kind::Opening, 0));
        }
        let free = self.marks.is_none() || self.last_number == 0;
        if !BUSINESS_FIRST.begin(head) {
            return None;
        }
        let more = MORE.is_match(head) && REPORTS.is_match(head);
        let ended = self.last_number > 0 && !self.in_items();
        if !(ended || self.seen_tail)
            && (more || free && BUSINESS.is_match(head))
            && !(line.is_short && NOTHING_MORE.is_match(head))
        {
            let verdict_of_last =
                head.starts_with("会议原则") || head.starts_with("会议一致") || head.starts_with("会议同意");
            if !(verdict_of_last && self.in_items()) {
                return Some((Kind::Unnumbered, 0));
            }
        }
        if self.in_items() && WEAK.is_match(head) {
            return Some((Kind::Paragraph, 0));
        }
        None
    }

    fn count_unclosed(&mut self, line: &Line<&str>) {
        for c in self.text[line.range.clone()].chars() {
            match c {
                '《' => self.unclosed[0] += 1,
                '》' => self.unclosed[0] -= 1,
                '（' => self.unclosed[1] += 1,
                '）' => self.unclosed[1] -= 1,
                _ => {}
            }
        }
    }

    fn is_unclosed(&self) -> bool {
        self.unclosed.iter().any(|open| *open > 0)
    }

    fn in_items(&self) -> bool {
        matches!(self.last_kind(), Some(Kind::ItemHeading | Kind::Paragraph | Kind::Unnumbered))
    }

    /// Whether an unmarked line goes on with the open block.
    fn goes_on(&self, line: &Line<&str>, before: Option<&Line<&str>>, is_full: bool) -> bool {
        let Some(block) = self.blocks.iter().rev().find(|block| block.kind != Kind::PageMark) else {
            return false;
        };
        let before_ends = before.is_some_and(|before| before.ends_sentence);
        match block.kind {
            // A recorder or two: what follows is no longer theirs.
            Kind::List(List::Recorders) => {
                let said = &self.text[block.start() + block.label..block.end()];
                let so_far = said.chars().filter(|c| !is_blank(*c)).take(2).count();
                so_far < 2 && line.width <= 60
            }
            Kind::List(_) => !line.ends_sentence || line.head.contains(['、', '：', '（']),
            Kind::Distribution => !before_ends,
            Kind::Opening | Kind::Paragraph | Kind::Unnumbered => match self.wrapped {
                Some(_) => is_full || !before_ends,
                None => {
                    !before_ends && (before.is_some_and(|before| before.width > 40) || self.is_unclosed())
                }
            },
            Kind::ItemHeading if block.lines.len() < LONGEST_HEADING || self.wrapped.is_some() => {
                let last = block.lines.last().map_or("", |line| &self.text[line.clone()]);
                let bare = block.start() + block.label == block.end();
                let is_long = self
                    .wrapped
                    .is_some_and(|full| before.is_some_and(|before| before.width * 5 >= full * 4));
                bare || is_full || is_long || self.is_unclosed() || last.ends_with(['，', '、', '和'])
            }
            _ => false,
        }
    }
}

/// The line before `…印发` is the office that printed.
fn name_printers(text: &str, blocks: &mut [Block]) {
    let places: Vec<_> = (0..blocks.len()).filter(|at| blocks[*at].kind != Kind::PageMark).collect();
    for pair in places.windows(2) {
        let line = &blocks[pair[0]].lines;
        if blocks[pair[1]].kind == Kind::PrintedLine
            && matches!(blocks[pair[0]].kind, Kind::Other | Kind::Paragraph)
            && line.len() == 1
            && !ends_sentence(&text[line[0].clone()])
        {
            blocks[pair[0]].kind = Kind::Printer;
        }
    }
}

/// One sentence right before the first numbered item announces the items: it is none.
fn drop_umbrellas(text: &str, blocks: &mut [Block]) {
    let places: Vec<_> = (0..blocks.len()).filter(|at| blocks[*at].kind != Kind::PageMark).collect();
    for pair in places.windows(2) {
        let (first, second) = (pair[0], pair[1]);
        let sentences: usize =
            blocks[first].lines.iter().map(|line| text[line.clone()].matches('。').count()).sum();
        if blocks[first].kind == Kind::Unnumbered
            && blocks[second].kind == Kind::ItemHeading
            && sentences <= 1
        {
            blocks[first].kind = Kind::Opening;
        }
    }
}
