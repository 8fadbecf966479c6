//! Words by which a meeting decides: where they are its own, where they are somebody else's, and where that is not sure.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::facts::DoubtCode;
use crate::flow::{Flow, Notes};
use crate::items::{Speech, titles};
use crate::script::{folded, pattern};

/// A verdict where a clause begins, with the ways in that are no part of it.
static VERDICT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?:^|[。；！，：]|会议|[一二三四五六七八九十]是|[0-9]{1,2}[.．、]|（[一二三四五六七八九十0-9]{1,2}）)(?:会议)?(?:决定|经[^，。；]{0,10}，)?(?:会议)?",
        r"(?:",
        // Joined to the deed before it: 审议并原则同意.
        r"(?:认真|集体|充分)?(?:研究|审议|讨论|审查|听取|表决|商议)+了?(?:并|后，?|，)(?P<joined>不予同意|不同意|未通过|(?:一致|原则上?)*(?:同意|通过)|暂缓[审议实施执行通过]*|审定)",
        // Its own word or with a deed that is part of the verdict: 审议通过.
        r"|(?P<whole>(?:没有|没能|尚未|并未|未能|未获|未予|未|不)(?:一致|全票|完全|获得|予以)?(?:原则上?)?(?:同意|通过)|不予同意|不予通过|不同意|未通过|原则上?(?:同意|通过)|(?:一致|全票|照案|表决|审议|讨论|研究|举手)+通过|暂缓(?:审议|实施|执行|通过)?|(?:一致)?同意|待[^，。；]{1,30}后再(?:行)?(?:研究|审议|议|上会)+)",
        r"|(?:研究|审议|讨论)+(?:决定)?，?(?P<plain>(?:一致|原则上?)*同意|不同意)",
        r"|(?P<bare>通过|审定)",
        r")"
    ))
});
/// What no verdict is without.
static HINT: LazyLock<Regex> = LazyLock::new(|| pattern("同意|通过|审定|暂缓|后再|不予"));
/// In principle: said nowhere but in a verdict.
static IN_PRINCIPLE: LazyLock<Regex> = LazyLock::new(|| pattern(r"原则上?(?:同意|通过)"));
static VERDICT_WORD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?:原则上?)?同意|(?:审议|原则|一致|表决|研究|讨论|未|不|不能|没有|没能|未能|未获|无法|难以|拒绝|反对|并非|完全|予以)通过|暂缓|不予",
    )
});
/// Words that turn the verdict right behind them into its opposite. They are part of the verdict: no positive is left without them.
static NEGATED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:没有|没能|没|尚未|并未|未能|未获|未予|未|不能|不会|不予|不宜|不是|不|并非|无法|难以|拒绝|反对|否决)(?:一致|全票|完全|立即|再|予以|获得|会议|审议|讨论|表决|研究|并)*$",
    )
});
/// Characters of which each of them has one.
const NEGATING: [char; 9] = ['没', '未', '不', '非', '无', '难', '拒', '反', '否'];
/// Somebody else's words in a sentence before a verdict: 市财政局表示，.
static REPORTED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:^|[。；，])(?P<who>[^，。；：]{2,20}?)(?:表示|认为|提出|建议|发言|反映|答复|反馈)(?:说|称)?[，：:]$",
    )
});
/// Speakers for the meeting.
static MEETING_ITSELF: LazyLock<Regex> = LazyLock::new(|| pattern("会议|大家|与会|全体|一致"));
/// The mark of a part of a list.
pub(crate) static PART: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"（[一二三四五六七八九十0-9]{1,2}）|(?:^|[。；：:])(?:[0-9]{1,2}[.．、]|[一二三四五六七八九十]是)",
    )
});
/// Before the word of a verdict: whose it is, or when.
static ANOTHERS: LazyLock<Regex> =
    LazyLock::new(|| pattern("经|已|曾|征得|征求|未|须|需|获|报|待|如|若|是否|不得|拟|可|取得"));

/// The ranges of the verdicts of a paragraph, in order, each with the word that negates it. Words of verdicts that are none
/// of them are doubted or listed.
pub(crate) fn verdicts(flow: &Flow, notes: &mut Notes) -> Vec<Range<usize>> {
    let plain = flow.plain.as_str();
    let mut found: Vec<Range<usize>> = Vec::new();
    if !HINT.is_match(plain) {
        return found;
    }
    let mut from = 0;
    while HINT.is_match_at(plain, from)
        && let Some(captures) = VERDICT.captures_at(plain, from)
    {
        let Some(whole) = captures.get(0) else { break };
        let joined = captures.name("joined");
        let verdict = joined.or(captures.name("whole")).or(captures.name("plain")).or(captures.name("bare"));
        // What ends one match may begin the next.
        from = whole.end()
            - plain[..whole.end()].chars().next_back().map_or(0, char::len_utf8).min(whole.len() - 1);
        let Some(verdict) = verdict else { continue };
        from = from.max(verdict.start() + 1);
        while !plain.is_char_boundary(from) {
            from += 1;
        }
        let after = &plain[verdict.end()..];
        let is_bare = captures.name("bare").is_some() || (joined.is_some() && verdict.as_str() == "通过");
        let stands = if is_bare {
            (joined.is_some() || whole.as_str().contains("会议"))
                && after.starts_with(['了', '《', '。', '，', '；'])
                || (joined.is_some() && !after.is_empty())
        } else {
            true
        };
        // 暂缓审议，待…后再议: one verdict.
        let goes_on = verdict.as_str().starts_with('待')
            && found.last().is_some_and(|last| !plain[last.end..verdict.start()].contains('。'));
        if stands && !goes_on && is_of_meeting(after) && !is_reported(plain, verdict.start()) {
            found.push(with_negation(plain, verdict.range()));
            from = verdict.end();
        }
    }
    let known = found.clone();
    for said in IN_PRINCIPLE.find_iter(plain) {
        let at = known.partition_point(|known| known.start <= said.start());
        let is_known = at > 0 && known[at - 1].end >= said.end();
        let said = with_negation(plain, said.range());
        let before = &plain[clause_start(plain, said.start)..said.start];
        if is_known || !is_of_meeting(&plain[said.end..]) || is_reported(plain, said.start) {
            continue;
        }
        if before.starts_with("经") || before.contains("已") || before.contains("曾") {
            continue;
        }
        if !before.contains("会议") {
            let candidates = vec![plain[said.clone()].to_owned()];
            flow.doubt(DoubtCode::VerdictUnproved, said.clone(), candidates, notes);
        }
        found.push(said);
    }
    found.sort_unstable_by_key(|verdict| verdict.start);
    doubt_leftovers(flow, &found, notes);
    found
}

/// Characters that a clause is looked through for, at most.
const LONGEST_CLAUSE: usize = 120;

/// The end of what is near behind a place.
fn near(plain: &str, from: usize) -> usize {
    plain[from..].char_indices().nth(LONGEST_CLAUSE).map_or(plain.len(), |(at, _)| from + at)
}

/// Where the clause of a place begins, or what is near before it.
pub(crate) fn clause_start(plain: &str, at: usize) -> usize {
    let mut start = at;
    for c in plain[..at].chars().rev().take(LONGEST_CLAUSE) {
        if matches!(c, '。' | '，' | '；' | '：' | ',' | ';' | ':') {
            break;
        }
        start -= c.len_utf8();
    }
    start
}

/// Words of verdicts that were taken for none, where nothing says that they are another's: put to a person.
fn doubt_leftovers(flow: &Flow, verdicts: &[Range<usize>], notes: &mut Notes) {
    let plain = flow.plain.as_str();
    let mut in_titles = None;
    for said in VERDICT_WORD.find_iter(plain) {
        let is_inside = |ranges: &[Range<usize>]| {
            let at = ranges.partition_point(|range| range.start <= said.start());
            at > 0 && ranges[at - 1].end > said.start()
        };
        if is_inside(verdicts)
            || is_inside(in_titles.get_or_insert_with(|| titles(plain)))
            || !is_of_meeting(&plain[said.end()..])
        {
            continue;
        }
        let clause = clause_start(plain, said.start());
        let is_anothers = ANOTHERS.is_match(&plain[clause..said.start()]);
        let is_negated = NEGATED.is_match(&plain[clause..said.start()]);
        if (is_anothers && !is_negated) || plain[..said.start()].ends_with(['票', '人']) {
            flow.leave(said.range(), notes);
            continue;
        }
        let near = near(plain, said.start());
        let end = plain[said.start()..near].find('。').map_or(near, |at| said.start() + at);
        // With what turns it round: a person who looks must not read the opposite either.
        let start = with_negation(plain, said.range()).start;
        flow.doubt(DoubtCode::VerdictUnproved, start..end, Vec::new(), notes);
    }
}

/// A verdict with the word that turns it into its opposite.
fn with_negation(plain: &str, verdict: Range<usize>) -> Range<usize> {
    let clause = clause_start(plain, verdict.start);
    let before = &plain[clause..verdict.start];
    // Every such word has one of these.
    let negation = if before.contains(NEGATING) { NEGATED.find(before) } else { None };
    negation.map_or(verdict.start, |negation| clause + negation.start())..verdict.end
}

/// Whether the clause before a verdict gives it as what somebody else says.
fn is_reported(plain: &str, verdict: usize) -> bool {
    if !plain[..verdict].ends_with(['，', '：', ':']) {
        return false;
    }
    let from =
        plain[..verdict].char_indices().rev().take(LONGEST_CLAUSE).last().map_or(verdict, |(at, _)| at);
    let said = REPORTED.captures(&plain[from..verdict]).and_then(|captures| captures.name("who"));
    said.is_some_and(|who| !MEETING_ITSELF.is_match(who.as_str()))
}

/// Doubts each word of a verdict in text that belongs to no item.
pub(crate) fn doubt_all(flow: &Flow, notes: &mut Notes) {
    if HINT.is_match(&flow.plain) {
        doubt_leftovers(flow, &[], notes);
    }
}

/// Leaves the words of verdicts in what somebody said: listed, or doubted where it is not sure who that is.
pub(crate) fn leave_all(flow: &Flow, speech: &Speech, notes: &mut Notes) {
    match speech {
        Speech::Known => VERDICT_WORD.find_iter(&flow.plain).for_each(|said| flow.leave(said.range(), notes)),
        Speech::Likely => doubt_all(flow, notes),
    }
}

/// Whether a paragraph ends in a verdict and a colon: what it is given to stands below.
pub(crate) fn opens_list(plain: &str) -> bool {
    let Some(said) = plain.strip_suffix(['：', ':']) else { return false };
    VERDICT_WORD.find_iter(said).last().is_some_and(|word| word.end() == said.len())
}

/// Whether a paragraph and the list below it, which begins at a place, are one verdict: no part has one of its own.
pub(crate) fn is_one(whole: &Flow, list: usize) -> bool {
    let parts = &whole.plain[list..];
    PART.is_match(parts) && !VERDICT_WORD.is_match(parts)
}

/// The mark that a line of a list begins with.
pub(crate) fn part_mark(line: &str) -> Option<usize> {
    let head: String = line.chars().filter(|c| !crate::flow::is_blank(*c)).take(8).collect();
    PART.find(&folded(&head)).filter(|mark| mark.start() == 0).map(|mark| mark.end())
}

/// Characters behind a 同意 that is no verdict, and words that begin a subject all the same.
const NO_VERDICT: [(char, &[&str]); 9] = [
    ('后', &["后勤", "后续", "后备", "后期"]),
    ('的', &[]),
    ('书', &["书面", "书记", "书院", "书店", "书城", "书香"]),
    ('率', &["率先"]),
    ('票', &["票据", "票务"]),
    ('者', &[]),
    ('人', &["人社", "人大", "人力", "人才", "人员", "人事", "人民", "人口", "人防", "人居", "人工", "人文"]),
    ('与', &["与"]),
    ('或', &[]),
];

/// 同意后, 通过的, 同意7票: no verdict of this meeting.
fn is_of_meeting(after: &str) -> bool {
    let is_number = |c: char| c.is_ascii_digit() || "一二三四五六七八九十百零两".contains(c);
    // 同意：12票, 同意12户.
    let counted = after.trim_start_matches(['：', ':']);
    let unit = counted.trim_start_matches(is_number);
    let is_count = unit.len() < counted.len() && unit.starts_with(['票', '户', '人']);
    let is_word = NO_VERDICT.iter().any(|(first, begins)| {
        after.starts_with(*first) && !begins.iter().any(|begin| after.starts_with(begin))
    });
    // 同意与否, 同意与反对: no matter what follows.
    let is_choice = after.strip_prefix('与').is_some_and(|after| after.starts_with(['否', '反', '不']));
    !is_count && !is_word && !is_choice && !matches!(after, "：" | ":")
}
