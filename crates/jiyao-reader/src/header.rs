//! Masthead, number and opening: whose minutes, and of which meeting.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::blocks::{Block, Kind};
use crate::dates;
use crate::facts::{DoubtCode, Fact, Facts};
use crate::flow::{Flow, Notes};
use crate::script::pattern;
use crate::words::Words;

static KIND: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?:[省市县区镇乡州盟旗局厅院校馆站所处]长|主任|党组|党委|党工委|工委|党政联席|党政班子|常委会?|常务委员会|常务|办公|专题|全体|协调|联席|工作|业务|理事会?|监事会|董事会|业主|委员会|领导小组|领导班子|班子|代表|行政|调度|推进|例行)+(?:（扩大）)?会议",
        r"|(?:[省市县区镇乡州盟旗局厅院校]长|主任|局)+办公会|党政联席会|党组会|党委会|(?:协调|专题|推进|调度)会|业主大会|代表大会",
    ))
});
/// A body that belongs to the organ, though it is named with the meeting: 党组会议.
static BODY: LazyLock<Regex> = LazyLock::new(|| pattern("^(?:党组|党委|党工委|业主委员会)"));
static ORDINAL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[第届](?P<n>[0-9０-９]{1,4}|[一二三四五六七八九十百零〇]{1,6})次"));
static TERM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?P<n>[0-9０-９]{1,3}|[一二三四五六七八九十百]{1,4})届(?:[^，。；、]{0,24}?第)?[0-9０-９一二三四五六七八九十百零〇]{1,6}次",
    )
});
static SESSION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[（(](?:星期|周)[一二三四五六日天][）)]|(?:星期|周)[一二三四五六日天])?(?P<s>上午|下午|晚上|中午|全天|晚|上、下午)",
    )
});
/// Where a masthead's organ ends.
static AFTER_ORGAN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"第?[0-9０-９一二三四五六七八九十]{1,4}届|(?:[0-9０-９]{4}|[二〇零一九][〇零一二三四五六七八九]{3})年|第[0-9０-９一二三四五六七八九十百零〇]{1,6}次|关于|会议|纪要|工作会",
    )
});
/// An organ without its place.
static SHORT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[省市县区镇乡州盟旗](?:人民)?(?:政府|委|人大|政协|纪委|法院|检察院)"));
static HELD: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?:主持)?召开了?(?:了)?"));

pub(crate) fn read(text: &str, blocks: &[Block], words: &Words, facts: &mut Facts, notes: &mut Notes) {
    let of = |kind: Kind| blocks.iter().filter(move |block| block.kind == kind);
    if let Some(block) = of(Kind::Number).next() {
        let flow = Flow::join(text, &block.content());
        facts.document_number = Some(flow.fact(0..flow.text.len(), notes));
    }
    let titles: Vec<Flow> = of(Kind::Masthead).map(|block| Flow::join(text, &block.content())).collect();
    let mut openings: Vec<Flow> = of(Kind::Opening).map(|block| Flow::join(text, &block.content())).collect();
    // The one that says who held the meeting says the rest of it best.
    openings.sort_by_key(|flow| !(flow.plain.contains("主持") || HELD.is_match(&flow.plain)));
    let times: Vec<Flow> = of(Kind::Time).map(|block| Flow::join(text, &block.content())).collect();
    for flow in titles.iter().chain(&openings) {
        meeting(flow, facts, notes);
    }
    issuer(text, blocks, &titles, &openings, words, facts, notes);
    for flow in times.iter().chain(openings.iter().take(2)) {
        date(text, blocks, flow, facts, notes);
    }
    for flow in &titles {
        if facts.meeting.date.is_none() {
            date(text, blocks, flow, facts, notes);
        }
    }
    if facts.meeting.date.is_none() && !openings.is_empty() {
        let line = of(Kind::DateLine).find(|line| {
            openings.iter().any(|_| line.start() < of(Kind::Opening).next().map_or(0, Block::start))
        });
        if let Some(block) = line {
            date(text, blocks, &Flow::join(text, &block.content()), facts, notes);
        }
    }
    for block in of(Kind::Chair) {
        let flow = Flow::join(text, &block.content());
        presiding(&flow, 0..flow.plain.len(), words, facts, notes);
    }
    for flow in &openings {
        if facts.meeting.chair.is_none()
            && let Some(presides) = flow.plain.find("主持")
        {
            chair(flow, presides, words, facts, notes);
        }
    }
    doubt_gaps(&titles, &openings, facts, notes);
}

/// What every minutes says and was not found: put to a person at the place where it should stand.
fn doubt_gaps(titles: &[Flow], openings: &[Flow], facts: &Facts, notes: &mut Notes) {
    let Some(flow) = titles.first().or(openings.first()) else { return };
    let head = flow.plain.char_indices().nth(60).map_or(flow.plain.len(), |(at, _)| at);
    if facts.issuer.is_none() {
        flow.doubt(DoubtCode::IssuerUnproved, 0..head, Vec::new(), notes);
    }
    let is_doubted = notes.doubts.iter().any(|doubt| doubt.code == DoubtCode::DateUnproved);
    if facts.meeting.date.is_none() && !is_doubted {
        flow.doubt(DoubtCode::DateUnproved, 0..head, Vec::new(), notes);
    }
}

fn meeting(flow: &Flow, facts: &mut Facts, notes: &mut Notes) {
    let plain = flow.plain.as_str();
    let meeting = &mut facts.meeting;
    // In an opening the meeting is what was held, not what it heard about.
    let from = HELD.find(plain).map_or(0, |held| held.end());
    let ordinal = ORDINAL.captures_at(plain, from).and_then(|captures| captures.name("n"));
    let near = |range: &Range<usize>| range.start < from + 120;
    if meeting.ordinal.is_none()
        && let Some(found) = &ordinal
        && near(&found.range())
        && let Some(value) = jiyao_docnum::ordinal(found.as_str())
    {
        meeting.ordinal = Some(flow.says(value, found.range(), notes));
    }
    if meeting.term.is_none()
        && let Some(found) = TERM.captures_at(plain, from).and_then(|captures| captures.name("n"))
        && near(&found.range())
        && let Some(value) = jiyao_docnum::ordinal(found.as_str())
    {
        meeting.term = Some(flow.says(value, found.range(), notes));
    }
    let kind = ordinal
        .and_then(|ordinal| {
            KIND.find_at(plain, ordinal.end()).filter(|kind| kind.start() < ordinal.end() + 24)
        })
        .or_else(|| KIND.find_at(plain, from).filter(|kind| near(&kind.range())));
    if meeting.kind.is_none()
        && let Some(kind) = kind
    {
        meeting.kind = Some(flow.fact(kind.range(), notes));
    }
}

/// Names the whole organ, with its place: more than 县政府.
fn is_full(organ: &str) -> bool {
    organ.chars().count() > 4 && !SHORT.is_match(organ)
}

/// The organ at the start of a masthead line.
fn organ_of(flow: &Flow, words: &Words) -> Option<Range<usize>> {
    let plain = flow.plain.as_str();
    let kind = KIND.find(plain).map(|kind| {
        kind.start() + BODY.find(kind.as_str()).filter(|_| kind.start() > 0).map_or(0, |body| body.len())
    });
    let stops = [AFTER_ORGAN.find(plain).map(|found| found.start()), kind];
    let end = stops.into_iter().flatten().min().unwrap_or(plain.len());
    // 文件 and a series in brackets are of the paper, not of the organ.
    let organ = plain[..end].trim_end_matches("文件");
    // The paper of an office is of the organ that it serves.
    let organ = organ.strip_suffix("办公室").or_else(|| organ.strip_suffix("办公厅")).unwrap_or(organ);
    if is_organ(organ, words) {
        return Some(0..organ.len());
    }
    let term = plain.find('届')? + '届'.len_utf8();
    let end = ORDINAL.find_at(plain, term)?.start();
    is_organ(&plain[term..end], words).then_some(term..end)
}

fn is_organ(text: &str, words: &Words) -> bool {
    text.chars().count() >= 3 && (text.ends_with("政府") || words.is_unit(text)) && !text.ends_with("办公室")
}

fn issuer(
    text: &str,
    blocks: &[Block],
    titles: &[Flow],
    openings: &[Flow],
    words: &Words,
    facts: &mut Facts,
    notes: &mut Notes,
) {
    let named: Vec<(&Flow, Range<usize>)> =
        titles.iter().filter_map(|flow| Some((flow, organ_of(flow, words)?))).collect();
    let say = |flow: &Flow, range: &Range<usize>, notes: &mut Notes| Some(flow.fact(range.clone(), notes));
    // The line of the kind of minutes names the organ, or the one above it does.
    if let Some((flow, range)) =
        named.iter().rev().find(|(flow, range)| range.start == 0 && is_full(&flow.plain[range.clone()]))
    {
        facts.issuer = say(flow, range, notes);
        return;
    }
    let offices = blocks
        .iter()
        .filter(|block| matches!(block.kind, Kind::Compiled | Kind::Printer | Kind::PrintedLine));
    for block in offices {
        let flow = Flow::join(text, &block.content());
        let signed = flow.plain.strip_suffix("整理").unwrap_or(&flow.plain);
        if let Some(at) =
            ["办公室", "办公厅"].iter().find_map(|office| signed.find(office)).or(Some(signed.len()))
            && is_full(&flow.plain[..at])
            && is_organ(&flow.plain[..at], words)
        {
            facts.issuer = say(&flow, &(0..at), notes);
            return;
        }
    }
    if let Some((flow, range)) = named.last() {
        facts.issuer = say(flow, range, notes);
        return;
    }
    for flow in openings {
        let Some(held) = HELD.find(&flow.plain) else { continue };
        let rest = &flow.plain[held.end()..];
        let end =
            [AFTER_ORGAN.find(rest), KIND.find(rest)].into_iter().flatten().map(|found| found.start()).min();
        if let Some(end) = end.filter(|end| is_organ(&rest[..*end], words)) {
            facts.issuer = say(flow, &(held.end()..held.end() + end), notes);
            return;
        }
        // 五届104次区政府常务会议: the organ behind the ordinal.
        let Some(ordinal) = ORDINAL.find_at(&flow.plain, held.end()) else { continue };
        let kind = KIND.find_at(&flow.plain, ordinal.end()).map(|kind| ordinal.end()..kind.start());
        if let Some(organ) = kind.filter(|organ| is_organ(&flow.plain[organ.clone()], words)) {
            facts.issuer = say(flow, &organ, notes);
            return;
        }
    }
}

/// The meeting's day; its year from the document's own dates or number where it is not said with it.
fn date(text: &str, blocks: &[Block], flow: &Flow, facts: &mut Facts, notes: &mut Notes) {
    if facts.meeting.date.is_some() {
        return;
    }
    let Some(mut found) = dates::all(&flow.plain).next() else { return };
    // A bare number at the end of a line is no year of the date that begins the next: 访问量：2031, 6月20日.
    if let Some(year) = found.year.clone()
        && !flow.plain[year.end..].starts_with(['年', '-', '.', '/'])
        && flow.is_broken(text, year.start..year.end + '月'.len_utf8())
    {
        found = found.without_year();
    }
    facts.meeting.date = match &found.iso {
        Some(iso) => Some(flow.says(iso.clone(), found.range.clone(), notes)),
        None => yearless(text, blocks, flow, &found, facts, notes),
    };
    if facts.meeting.date.is_some()
        && let Some(session) =
            SESSION.captures(&flow.plain[found.range.end..]).and_then(|captures| captures.name("s"))
    {
        let start = found.range.end + session.start();
        facts.meeting.session = Some(flow.fact(start..start + session.len(), notes));
    }
}

fn yearless(
    text: &str,
    blocks: &[Block],
    flow: &Flow,
    found: &dates::Found,
    facts: &Facts,
    notes: &mut Notes,
) -> Option<Fact> {
    let own = [Kind::DateLine, Kind::Compiled, Kind::PrintedLine, Kind::Masthead, Kind::Opening, Kind::Time];
    let sources = own.iter().flat_map(|kind| blocks.iter().filter(move |block| block.kind == *kind));
    for block in sources {
        let other = Flow::join(text, &block.content());
        let Some(year) = dates::all(&other.plain).find_map(|date| Some((date.year?, date.iso?))) else {
            continue;
        };
        let (range, document) = year;
        let iso = found.in_year(&other.plain[range.clone()])?;
        // A meeting cannot follow its minutes: what seems so was in the year before, and no text says that year.
        if iso > document {
            flow.doubt(DoubtCode::DateUnproved, found.range.clone(), vec![iso.into()], notes);
            return None;
        }
        let mut fact = other.says(iso, range, notes);
        fact.spans.extend(flow.spans(found.range.clone(), notes));
        return Some(fact);
    }
    if let Some(year) = YEAR_OF_MEETING.captures(&flow.plain).and_then(|captures| captures.name("y")) {
        let iso = found.in_year(year.as_str())?;
        let mut fact = flow.says(iso, year.range(), notes);
        fact.spans.extend(flow.spans(found.range.clone(), notes));
        return Some(fact);
    }
    let number = blocks.iter().find(|block| block.kind == Kind::Number)?;
    let number = Flow::join(text, &number.content());
    let parsed = jiyao_docnum::DocumentNumber::parse(&facts.document_number.as_ref()?.value)?;
    let at = number.plain.find(&parsed.year.to_string())?;
    let iso = found.in_year(&number.plain[at..at + 4])?;
    flow.doubt(DoubtCode::DateUnproved, found.range.clone(), vec![iso.to_string()], notes);
    let mut fact = number.says(iso, at..at + 4, notes);
    fact.spans.extend(flow.spans(found.range.clone(), notes));
    Some(fact)
}

static YEAR_OF_MEETING: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?P<y>[0-9０-９]{4})年第?[0-9０-９]+次"));

/// The clause before 主持 holds a name with a post before or behind it.
fn chair(flow: &Flow, presides: usize, words: &Words, facts: &mut Facts, notes: &mut Notes) {
    let plain = flow.plain.as_str();
    let after = |at: usize| at + plain[at..].chars().next().map_or(0, char::len_utf8);
    let start =
        plain[..presides].rfind(['，', '。', '、', '：', '；', ',', '由', '日', '午', '）']).map_or(0, after);
    presiding(flow, start..presides, words, facts, notes);
}

fn presiding(flow: &Flow, clause: Range<usize>, words: &Words, facts: &mut Facts, notes: &mut Notes) {
    let said = &flow.plain[clause.clone()];
    // 主持人：王伟（书记）: what is in brackets is no part of the name.
    let said = &said[..said.find(['（', '(', '，', '、', '；', '。']).unwrap_or(said.len())];
    // …在…会议室主持召开: where is no part of who.
    let said = &said[..said.find('在').filter(|at| *at > 0).unwrap_or(said.len())];
    if facts.meeting.chair.is_some() || said.is_empty() {
        return;
    }
    match words.person(said) {
        Some((_, name)) => {
            let name = clause.start + name.start..clause.start + name.end;
            facts.meeting.chair = Some(flow.fact(name, notes));
        }
        None => {
            let range = clause.start..clause.start + said.len();
            flow.doubt(DoubtCode::ChairUnproved, range, vec![said.to_owned()], notes);
        }
    }
}
