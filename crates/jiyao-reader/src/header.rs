//! Masthead, number and opening: whose minutes, and of which meeting.

use crate::blocks::{Block, Kind};
use crate::dates;
use crate::facts::{Doubt, DoubtCode, Facts};
use crate::flow::{Flow, Notes};
use crate::words::{NameProof, Words};

/// Kinds of meeting, longer ones first.
const KINDS: [&str; 14] = [
    "常委会会议",
    "常务会议",
    "办公会议",
    "专题会议",
    "全体会议",
    "党组会议",
    "党委会议",
    "主任会议",
    "局长办公会",
    "区长办公会",
    "县长办公会",
    "市长办公会",
    "工作会议",
    "协调会",
];
const SESSIONS: [&str; 5] = ["上午", "下午", "晚上", "中午", "全天"];
/// Offices whose holder presides; the longer ones first.
const TITLES: [&str; 28] = [
    "党委副书记",
    "党组书记",
    "常务副市长",
    "常务副县长",
    "常务副区长",
    "副书记",
    "副市长",
    "副县长",
    "副区长",
    "副镇长",
    "副主任",
    "副局长",
    "副州长",
    "书记",
    "市长",
    "县长",
    "区长",
    "镇长",
    "州长",
    "省长",
    "主席",
    "主任",
    "局长",
    "院长",
    "乡长",
    "旗长",
    "同志",
    "秘书长",
];

/// Whether a line, blanks removed, is the masthead of minutes.
pub(crate) fn is_masthead(line: &str) -> bool {
    line.chars().count() <= 40 && line.ends_with("纪要") && !line.contains(['。', '，', '：'])
}

pub(crate) fn read(text: &str, blocks: &[Block], words: &Words, facts: &mut Facts, notes: &mut Notes) {
    if let Some(block) = blocks.iter().find(|block| block.kind == Kind::Masthead) {
        masthead(&Flow::join(text, &block.content()), facts, notes);
    }
    if let Some(block) = blocks.iter().find(|block| block.kind == Kind::Number) {
        let flow = Flow::join(text, &block.content());
        facts.document_number = Some(flow.fact(0..flow.text.len(), notes));
    }
    for block in blocks.iter().filter(|block| block.kind == Kind::Opening) {
        opening(&Flow::join(text, &block.content()), words, facts, notes);
    }
}

fn masthead(flow: &Flow, facts: &mut Facts, notes: &mut Notes) {
    let text = flow.text.as_str();
    let kind = KINDS.iter().find_map(|kind| text.find(kind).map(|at| at..at + kind.len()));
    let issuer_end =
        kind.as_ref().map_or_else(|| text.find("会议纪要").or(text.find("纪要")), |kind| Some(kind.start));
    if let Some(end) = issuer_end.filter(|end| *end > 0) {
        facts.issuer = Some(flow.fact(0..end, notes));
    }
    facts.meeting.kind = kind.map(|kind| flow.fact(kind, notes));
}

fn opening(flow: &Flow, words: &Words, facts: &mut Facts, notes: &mut Notes) {
    let text = flow.text.as_str();
    let meeting = &mut facts.meeting;
    let date = dates::find(text, 0);
    if meeting.date.is_none()
        && let Some(date) = &date
    {
        meeting.date = Some(flow.says(date.iso.clone(), date.range.clone(), notes));
        let after = date.range.end;
        if let Some(session) = SESSIONS.iter().find(|session| text[after..].starts_with(**session)) {
            meeting.session = Some(flow.fact(after..after + session.len(), notes));
        }
    }
    if meeting.ordinal.is_none()
        && let Some((range, value)) = dates::ordinal_between(text, "第", "次")
    {
        meeting.ordinal = Some(flow.says(value, range, notes));
    }
    if meeting.term.is_none()
        && let Some((range, value)) = dates::ordinal_between(text, "", "届")
    {
        meeting.term = Some(flow.says(value, range, notes));
    }
    if meeting.kind.is_none()
        && let Some(kind) = KINDS.iter().find_map(|kind| text.find(kind).map(|at| at..at + kind.len()))
    {
        meeting.kind = Some(flow.fact(kind, notes));
    }
    if meeting.chair.is_none()
        && let Some(presides) = text.find("主持")
    {
        chair(flow, presides, words, facts, notes);
    }
}

/// The clause before 主持 holds a name with an office before or behind it.
fn chair(flow: &Flow, presides: usize, words: &Words, facts: &mut Facts, notes: &mut Notes) {
    let text = flow.text.as_str();
    let start = text[..presides]
        .rfind(['，', '。', '、', '：'])
        .map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8));
    let title_behind = TITLES.iter().find(|title| text[start..presides].ends_with(**title));
    let end = presides - title_behind.map_or(0, |title| title.len());
    let clause = &text[start..end];
    // The shortest tail that is a name and stands at the start of the clause or behind an office.
    let tail = clause.char_indices().rev().map(|(at, _)| at).take(4).find(|at| {
        let stands = *at == 0 || TITLES.iter().any(|title| clause[..*at].ends_with(title));
        stands && words.name(&clause[*at..]) == Some(NameProof::Surname)
    });
    match tail {
        Some(at) => facts.meeting.chair = Some(flow.fact(start + at..end, notes)),
        None if !clause.is_empty() => {
            let spans = flow.spans(start..end, notes);
            notes.doubts.push(Doubt {
                code: DoubtCode::ChairUnproved,
                spans,
                candidates: vec![clause.to_owned()],
            });
        }
        None => {}
    }
}
