//! The roll: who was there. Lists with unit and name glued or apart, broken inside entries and between them, and
//! running text that says who came.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use rustc_hash::{FxBuildHasher, FxHashSet};

use crate::blocks::{Block, Kind, List, list_label};
use crate::facts::{Attendance, Attendee, DoubtCode, Fact, Facts};
use crate::flow::{Flow, Notes, is_blank};
use crate::script::{Chars, folded, pattern};
use crate::words::{NameProof, Words};

/// Most pieces of one entry: a long unit over three lines and a name in two parts.
const PIECES: usize = 4;
/// Longer pieces are no entry of a roll.
const LONGEST: usize = 40;
/// Longer entries that nothing proves are no entries, but what stands after a list.
const LONGEST_UNPROVED: usize = 12;
/// Longest note in brackets behind a name.
const LONGEST_NOTE: usize = 40;
/// What stands for a name where a unit sent someone.
const REPRESENTATIVE: [&str; 8] =
    ["的代表", "有关负责同志", "有关负责人", "主要负责同志", "主要负责人", "负责同志", "负责人", "代表"];

/// Last characters of those.
static REPRESENTATIVE_ENDS: LazyLock<Chars> = LazyLock::new(|| Chars::new("表志人".chars()));

static TOPIC: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:第?[一二三四五六七八九十0-9、至和—\-]+(?:个|项)?议题|议题[一二三四五六七八九十0-9、至和—\-]+|全程)$",
    )
});
static NUMERAL: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[一二三四五六七八九十0-9]{1,3}$"));
static AWAY: LazyLock<Regex> = LazyLock::new(|| pattern(r"请假|缺席|未出席|未到|因事|因公"));
static PRESIDES: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:会议)?(?:主持人?|主席|召集人)$"));
static NOBODY: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:各|有关|相关|全体|与会|无|等|略|其他)"));
/// What ends a piece, besides blanks.
static MARKS: LazyLock<Chars> = LazyLock::new(|| Chars::new("、\u{ff64}，；;,。|｜：:（(".chars()));
static NOBODY_FIRST: LazyLock<Chars> = LazyLock::new(|| Chars::new("各有相全与无等略其".chars()));
static ATTENDS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?P<invited>应邀|受邀|邀请)?(?P<verb>出席|参加|列席)了?(?:本次|了|此次)?(?:会议|座谈|审议)?(?P<after>的?(?:还)?有[：:]?|的人员有[：:]?)?",
    )
});

pub(crate) fn read(text: &str, blocks: &[Block], words: &Words, facts: &mut Facts, notes: &mut Notes) {
    let people = &mut facts.attendance;
    for block in blocks {
        let Kind::List(list) = block.kind else { continue };
        for group in groups(text, block, list, words) {
            group.read(text, words, people, &mut facts.meeting.chair, notes);
        }
    }
    for block in blocks.iter().filter(|block| block.kind == Kind::Opening) {
        prose(&Flow::join(text, &block.content()), words, people, notes);
    }
    for list in [&mut people.present, &mut people.observers, &mut people.absent] {
        drop_repeats(list);
    }
}

fn drop_repeats(list: &mut Vec<Attendee>) {
    let mut seen = FxHashSet::with_capacity_and_hasher(list.len(), FxBuildHasher);
    let is_new: Vec<bool> = list
        .iter()
        .map(|entry| {
            let unit = entry.unit.as_ref().map(|unit| unit.value.as_str());
            seen.insert((unit, entry.name.as_ref().map(|name| name.value.as_str())))
        })
        .collect();
    let mut is_new = is_new.into_iter();
    list.retain(|_| is_new.next().unwrap_or(true));
}

fn list_in(people: &mut Attendance, list: List) -> Option<&mut Vec<Attendee>> {
    match list {
        List::Present => Some(&mut people.present),
        List::Observers => Some(&mut people.observers),
        List::Absent => Some(&mut people.absent),
        List::Recorders => None,
    }
}

/// What is between a piece and the one before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    Blank,
    Line,
    /// 、
    Next,
    /// ，；。 or the start.
    Stop,
}

/// A stretch between separators.
struct Piece {
    range: Range<usize>,
    gap: Gap,
    note: Option<Range<usize>>,
}

/// Pieces under one label: `（二）政府办：`.
struct Group {
    list: List,
    /// The unit that the label names for all of them.
    unit: Option<Range<usize>>,
    pieces: Vec<Piece>,
}

/// Cuts a list at its inner labels.
fn groups(text: &str, block: &Block, list: List, words: &Words) -> Vec<Group> {
    let mut groups = vec![Group { list, unit: None, pieces: Vec::new() }];
    let mut before = 0..0;
    for (line_number, line) in block.content().into_iter().enumerate() {
        let source = &text[line.clone()];
        let mut gap = match line_number {
            0 => Gap::Stop,
            _ if ends_at_blank(text, &before, &line) => Gap::Blank,
            _ => Gap::Line,
        };
        before = line.clone();
        let mut start: Option<usize> = None;
        let mut chars = source.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let at = line.start + at;
            if !MARKS.contains(c) && !is_blank(c) {
                start.get_or_insert(at);
                continue;
            }
            let separator = match c {
                '、' | '\u{ff64}' => Some(Gap::Next),
                '，' | '；' | ';' | ',' | '。' | '|' | '｜' => Some(Gap::Stop),
                '：' | ':' => Some(Gap::Stop),
                c if is_blank(c) => Some(Gap::Blank),
                _ => None,
            };
            let Some(last) = groups.last_mut() else { return groups };
            if let Some(separator) = separator {
                if let Some(start) = start.take() {
                    last.pieces.push(Piece { range: start..at, gap, note: None });
                    gap = separator;
                } else if gap == Gap::Blank || separator != Gap::Blank {
                    gap = separator;
                }
                if matches!(c, '：' | ':') {
                    label(text, &mut groups, words);
                    gap = Gap::Stop;
                }
                continue;
            }
            if matches!(c, '（' | '(') {
                let rest = &text[at..line.end];
                let close = rest.char_indices().take(LONGEST_NOTE).find(|(_, c)| matches!(c, '）' | ')'));
                if let Some((length, close)) = close {
                    let inner = at + c.len_utf8()..at + length;
                    let end = at + length + close.len_utf8();
                    let said = clean(&text[inner.clone()]);
                    let goes_on = text[end..line.end]
                        .chars()
                        .next()
                        .is_some_and(|c| !is_blank(c) && !"、，；。".contains(c));
                    let is_part = start.is_some() && goes_on && words.is_unit(&said);
                    if !is_part {
                        if let Some(start) = start.take() {
                            last.pieces.push(Piece { range: start..at, gap, note: Some(inner) });
                            gap = Gap::Blank;
                        } else if NUMERAL.is_match(&said) {
                            // （三）: what an inner label said ends here.
                            groups.push(Group { list, unit: None, pieces: Vec::new() });
                            gap = Gap::Stop;
                        } else if let Some(piece) = last.pieces.last_mut() {
                            piece.note = Some(inner);
                        }
                        while chars.peek().is_some_and(|(next, _)| line.start + next < end) {
                            chars.next();
                        }
                        continue;
                    }
                }
            }
            start.get_or_insert(at);
        }
        if let (Some(start), Some(last)) = (start, groups.last_mut()) {
            last.pieces.push(Piece { range: start..line.end, gap, note: None });
        }
    }
    groups
}

/// Whether a blank that stood between two entries is left at the end of a line or at the start of the next one.
/// Where each line begins with blanks they are a margin.
fn ends_at_blank(text: &str, before: &Range<usize>, line: &Range<usize>) -> bool {
    let blank = |c: Option<char>| c.is_some_and(|c| c != '\n' && c != '\r' && is_blank(c));
    let margin = |line: &Range<usize>| blank(text[..line.start].chars().next_back());
    blank(text[before.end..].chars().next()) || (margin(line) && !margin(before))
}

fn clean(source: &str) -> String {
    folded(source).chars().filter(|c| !is_blank(*c)).collect()
}

/// The pieces right before a colon are a label: of another list, of a topic, of a unit, or of a post.
fn label(text: &str, groups: &mut Vec<Group>, words: &Words) {
    let Some(last) = groups.last_mut() else { return };
    // A label may have blanks inside it: 列 席：
    let mut from = last.pieces.len().saturating_sub(1);
    while from > 0 && last.pieces[from].gap == Gap::Blank && last.pieces.len() - from < PIECES {
        from -= 1;
    }
    for first in from..last.pieces.len() {
        let range = last.pieces[first].range.start..last.pieces.last().map_or(0, |piece| piece.range.end);
        let said = clean(&text[range.clone()]);
        let list = list_label(&format!("{said}：")).map(|(list, _)| list);
        let is_unit = words.is_unit(&said);
        if list.is_some() || is_unit || TOPIC.is_match(&said) || Words::post(&said) == Some(0) {
            last.pieces.truncate(first);
            let list = list.unwrap_or(last.list);
            groups.push(Group { list, unit: is_unit.then_some(range), pieces: Vec::new() });
            return;
        }
    }
}

/// The best way to read an entry: the cheaper the better proved, and how many ways are as good. Both parts are
/// stretches of the entry's text, empty where it has none.
#[derive(Clone, Copy)]
struct Split {
    cost: u32,
    ways: u32,
    /// A unit stands at the start, up to here.
    unit: usize,
    name: (usize, usize),
}

const UNPROVED: u32 = 100;
const UNIT_ALONE: u32 = 20;
/// A unit that could be cut into a unit and a name most likely is the unit: 市委宣传部 is no 宣传部 of 市委.
const CUT_UNIT: u32 = 10;
/// A bare name behind entries with units is most likely the beginning of a unit.
const BARE_NAME: u32 = 2;
const LONG_NAME: u32 = 15;
const JOINED_LINES: u32 = 1;
/// 欧阳 alone is the beginning of a name rather than one.
const SURNAME_ALONE: u32 = 2;
const JOINED_BLANK: u32 = 3;
/// Two characters apart are a short name set wide.
const JOINED_SINGLES: u32 = 1;

/// The best reading of some folded text as one entry.
fn split(text: &str, words: &Words) -> Split {
    let whole = (0, text.len());
    let unproved = Split { cost: UNPROVED, ways: 1, unit: 0, name: whole };
    if text.len() > LONGEST && text.chars().nth(LONGEST).is_some() {
        return unproved;
    }
    let mut best = Split { cost: u32::MAX, ..unproved };
    let mut offer = |cost: u32, unit: usize, name: (usize, usize)| {
        if cost < best.cost {
            best = Split { cost, ways: 1, unit, name };
        } else if cost == best.cost {
            best.ways += 1;
        }
    };
    let name_cost = |proof| match proof {
        NameProof::Surname => 0,
        NameProof::SurnameAlone => SURNAME_ALONE,
        NameProof::Long => LONG_NAME,
    };
    let is_unit = words.is_unit(text);
    let cut = if is_unit { CUT_UNIT } else { 0 };
    if let Some(proof) = words.name(text) {
        offer(name_cost(proof) + cut, 0, whole);
    } else if let Some((unit, name)) = words.person(text) {
        offer(0, unit.map_or(0, |unit| unit.end), (name.start, name.end));
    }
    for (at, _) in text.char_indices().rev().take(4) {
        if at > 0
            && let Some(proof) = words.name(&text[at..])
            && words.is_unit(&text[..at])
        {
            offer(name_cost(proof) + cut, at, (at, text.len()));
        }
    }
    if REPRESENTATIVE_ENDS.end(text)
        && let Some(unit) =
            REPRESENTATIVE.iter().find_map(|tail| text.strip_suffix(tail)).filter(|u| words.is_unit(u))
    {
        offer(0, unit.len(), (0, 0));
    }
    if is_unit {
        offer(UNIT_ALONE, text.len(), (0, 0));
    }
    if best.cost == u32::MAX { unproved } else { best }
}

#[derive(Clone, Copy)]
struct Step {
    cost: u32,
    from: usize,
    after_unit: usize,
    split: Split,
}

/// The pieces of a group run together: where each begins in the clean text, and the end of the last.
struct Joined {
    flow: Flow,
    starts: Vec<usize>,
}

impl Joined {
    fn new(text: &str, pieces: &[Piece]) -> Self {
        let mut flow = Flow::default();
        let mut starts = vec![0];
        starts.extend(flow.fill(text, pieces.iter().map(|piece| piece.range.clone())));
        Self { flow, starts }
    }

    /// Where some pieces stand together.
    fn range(&self, from: usize, to: usize) -> Range<usize> {
        self.starts[from]..self.starts[to]
    }

    fn plain(&self, from: usize, to: usize) -> &str {
        &self.flow.plain[self.range(from, to)]
    }
}

impl Group {
    fn read(
        &self,
        text: &str,
        words: &Words,
        people: &mut Attendance,
        chair: &mut Option<Fact>,
        notes: &mut Notes,
    ) {
        let label = self.unit.as_ref().map(|unit| Flow::join(text, std::slice::from_ref(unit)));
        let mut carried: Option<Fact> = None;
        let joined = Joined::new(text, &self.pieces);
        for (to, Step { from, split, .. }) in self.cuts(&joined, words) {
            let gap = self.pieces[from].gap;
            let is_open = self.may_be_two(&joined, from, to, split, words);
            let found = attendee(&joined.flow, joined.range(from, to), split, is_open, words, notes);
            let Some(mut entry) = found else { continue };
            let note = |says: &Regex| {
                let mut notes = self.pieces[from..to].iter().filter_map(|piece| piece.note.clone());
                notes.any(|note| says.is_match(&clean(&text[note])))
            };
            if note(&PRESIDES)
                && chair.is_none()
                && let Some(name) = &entry.name
            {
                *chair = Some(name.clone());
            }
            let away = note(&AWAY);
            // 王伟（办公室）: the note says for whom.
            let mut sent_by = self.pieces[from..to].iter().filter_map(|piece| piece.note.clone());
            if entry.unit.is_none()
                && let Some(unit) = sent_by.find(|note| words.is_unit(&clean(&text[note.clone()])))
            {
                let unit = Flow::join(text, std::slice::from_ref(&unit));
                entry.unit = Some(unit.fact(0..unit.text.len(), notes));
            }
            if self.list == List::Recorders {
                people.recorders.extend(entry.name);
                continue;
            }
            if !matches!(gap, Gap::Next | Gap::Blank) {
                carried = None;
            }
            if entry.unit.is_some() {
                // 甲局 A B: a unit that stands apart is of all names on its line; 甲局A、B: of those up to the comma.
                let apart = to - from > 1 && entry.name.is_some();
                let next = self.pieces.get(to).map(|piece| piece.gap);
                let carries = match next {
                    Some(Gap::Next) => true,
                    Some(Gap::Blank) => apart && self.pieces[from + 1].gap == Gap::Blank,
                    _ => false,
                };
                carried = if carries { entry.unit.clone() } else { None };
            } else if carried.is_some() {
                entry.unit.clone_from(&carried);
            } else if let Some(label) = &label {
                entry.unit = Some(label.fact(0..label.text.len(), notes));
            }
            let list = if away { List::Absent } else { self.list };
            if let Some(list) = list_in(people, list) {
                list.push(entry);
            }
        }
    }

    /// Whether a line break inside the unit of an entry may part two entries instead: what stands before it could be a
    /// unit that nothing proves with a name, and what stands behind it is an entry by itself.
    fn may_be_two(&self, joined: &Joined, from: usize, to: usize, best: Split, words: &Words) -> bool {
        let start = joined.starts[from];
        let unit = &joined.flow.plain[start..start + best.unit];
        !words.is_own(unit)
            && (from + 1..to).any(|at| {
                let ends_with_a_name = || {
                    let before = joined.plain(from, at);
                    before.char_indices().rev().skip(1).take(3).any(|(split, _)| {
                        split > 0 && words.name(&before[split..]) == Some(NameProof::Surname)
                    })
                };
                self.pieces[at].gap == Gap::Line
                    && joined.starts[at] - start < best.unit
                    && split(joined.plain(at, to), words).cost == 0
                    && ends_with_a_name()
            })
    }

    /// The cheapest way to make entries of the pieces: each one piece, or several with only blanks and line breaks
    /// between.
    fn cuts(&self, joined: &Joined, words: &Words) -> Vec<(usize, Step)> {
        let pieces = &self.pieces;
        // best[i][u]: least cost of the first i pieces where the last entry has a unit (u = 1) or none, with where
        // that entry begins and whether the one before it has a unit.
        let split_none = Split { cost: 0, ways: 0, unit: 0, name: (0, 0) };
        let nowhere = Step { cost: u32::MAX, from: 0, after_unit: 0, split: split_none };
        let mut best = Vec::with_capacity(pieces.len() + 1);
        best.push([Step { cost: 0, ..nowhere }, nowhere]);
        for to in 1..=pieces.len() {
            let mut here = [nowhere; 2];
            let mut joins = 0;
            for from in (to.saturating_sub(PIECES)..to).rev() {
                let split = split(joined.plain(from, to), words);
                let has_unit = usize::from(split.unit > 0);
                for (after_unit, step) in
                    best[from].iter().enumerate().filter(|(_, step)| step.cost < u32::MAX)
                {
                    let bare = if after_unit == 1 && has_unit == 0 { BARE_NAME } else { 0 };
                    let cost = step.cost.saturating_add(split.cost + bare + joins);
                    if cost < here[has_unit].cost {
                        here[has_unit] = Step { cost, from, after_unit, split };
                    }
                }
                let gap = pieces[from].gap;
                if from == 0 || matches!(gap, Gap::Next | Gap::Stop) || pieces[from - 1].note.is_some() {
                    break;
                }
                let (left, right) = (joined.plain(from - 1, from), joined.plain(from, from + 1));
                joins += match gap {
                    Gap::Line => JOINED_LINES,
                    _ if is_single(left) && is_single(right) => JOINED_SINGLES,
                    _ if may_join(left, right, words) => JOINED_BLANK,
                    _ => break,
                };
            }
            best.push(here);
        }
        let mut cuts = Vec::with_capacity(pieces.len());
        let (mut to, last) = (pieces.len(), &best[pieces.len()]);
        let mut unit = usize::from(last[1].cost < last[0].cost);
        while to > 0 {
            let step = best[to][unit];
            cuts.push((to, step));
            (to, unit) = (step.from, step.after_unit);
        }
        cuts.reverse();
        cuts
    }
}

fn is_single(piece: &str) -> bool {
    piece.chars().nth(1).is_none()
}

/// Over a blank only a unit or a post goes together with a name, or two parts of a name set wide.
fn may_join(left: &str, right: &str, words: &Words) -> bool {
    let short = |part: &str| part.chars().nth(2).is_none();
    (short(left) && short(right)) || words.is_unit(left) || Words::post(left).is_some()
}

fn attendee(
    flow: &Flow,
    entry: Range<usize>,
    best: Split,
    is_open: bool,
    words: &Words,
    notes: &mut Notes,
) -> Option<Attendee> {
    let plain = &flow.plain[entry.clone()];
    if NOBODY_FIRST.begin(plain) && NOBODY.is_match(plain) && words.name(plain).is_none() {
        return None;
    }
    // 县委常委、副县长王伟: a post alone is nobody; the name with it comes.
    if let Some(post) = Words::post(plain)
        && (post == 0 || words.is_unit(&plain[..post]))
        && words.person(plain).is_none()
    {
        return None;
    }
    let code = match best.cost {
        0 if best.ways == 1 && !is_open => None,
        0 => Some(DoubtCode::SplitAmbiguous),
        _ => Some(DoubtCode::EntryUnproved),
    };
    if let Some(code) = code {
        flow.doubt(code, entry.clone(), candidates(&flow.text[entry.clone()], plain, words), notes);
    }
    if best.cost >= UNPROVED && plain.chars().nth(LONGEST_UNPROVED).is_some() {
        return None;
    }
    let mut part = |start: usize, end: usize| {
        (end > start).then(|| flow.fact(entry.start + start..entry.start + end, notes))
    };
    Some(Attendee { unit: part(0, best.unit), name: part(best.name.0, best.name.1) })
}

/// Ways to read an entry for a person to choose from: `unit|name`.
fn candidates(text: &str, plain: &str, words: &Words) -> Vec<String> {
    if text.chars().nth(LONGEST).is_some() {
        return Vec::new();
    }
    let proved = |at: usize| {
        let (unit, name) = plain.split_at(at);
        words.is_unit(unit) || words.name(name).is_some()
    };
    let places = plain.char_indices().map(|(at, _)| at).filter(|at| proved(*at));
    let way = |at: usize| {
        let (unit, name) = text.split_at(at);
        format!("{unit}|{name}")
    };
    let mut ways: Vec<_> = places.take(5).map(way).collect();
    ways.push(format!("{text}|"));
    ways.dedup();
    ways
}

/// `县人大常委会副主任王伟、县政协副主席李明应邀参加会议`: people with posts, said in running text.
fn prose(flow: &Flow, words: &Words, people: &mut Attendance, notes: &mut Notes) {
    let plain = flow.plain.as_str();
    let mut from = 0;
    for captures in ATTENDS.captures_iter(plain) {
        let (Some(whole), Some(verb)) = (captures.get(0), captures.name("verb")) else { continue };
        if whole.start() < from {
            continue;
        }
        let sentence = plain[..whole.start()].rfind(['。', '；', '：']).map_or(0, |at| at + '。'.len_utf8());
        let within = if captures.name("after").is_some() {
            let end = plain[whole.end()..].find('。').map_or(plain.len(), |at| whole.end() + at);
            whole.end()..end
        } else {
            from.max(sentence)..whole.start()
        };
        from = within.end.max(whole.end());
        let is_guest = captures.name("invited").is_some() || verb.as_str() == "列席";
        let list = if is_guest { List::Observers } else { List::Present };
        let mut start = within.start;
        let mut seen_post = false;
        let marks = plain[within.clone()]
            .match_indices(['、', '，', '和', '及'])
            .map(|(at, mark)| (within.start + at, mark.len()));
        for (at, length) in marks.chain([(within.end, 0)]) {
            let piece = start..at;
            start = at + length;
            let said = &plain[piece.clone()];
            if said.contains("主持") || !(2..=LONGEST).contains(&said.chars().count()) {
                continue;
            }
            let Some((unit, name)) = words.person(said) else { continue };
            let has_post = name.len() < said.len();
            if !has_post && !seen_post {
                continue;
            }
            seen_post = true;
            let place = |range: Range<usize>| piece.start + range.start..piece.start + range.end;
            let unit = unit.map(|unit| flow.fact(place(unit), notes));
            let name = flow.fact(place(name), notes);
            let Some(list) = list_in(people, list) else { continue };
            match list
                .iter_mut()
                .find(|entry| entry.name.as_ref().is_some_and(|known| known.value == name.value))
            {
                Some(known) => {
                    if known.unit.is_none() {
                        known.unit = unit;
                    }
                }
                None => list.push(Attendee { unit, name: Some(name) }),
            }
        }
    }
}
