//! Verdicts of the meeting, and what each sets going: who acts, what comes next, by when.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::dates;
use crate::facts::{Decision, DoubtCode, Fact};
use crate::flow::{Flow, Notes};
use crate::items::titles;
use crate::script::{Chars, pattern};
use crate::verdicts::{PART, clause_start, verdicts};
use crate::words::Words;

/// Acts that a decision may lead to.
static STEP_WORD: LazyLock<Regex> = LazyLock::new(|| pattern("印发|提请|提交|报请|呈报|报批|审批|审定|备案"));
/// What no step to another body is without, and no other one.
static SENDS: LazyLock<Regex> = LazyLock::new(|| pattern("报|送|提请|提交|呈请"));
static ACTS_ON: LazyLock<Regex> =
    LazyLock::new(|| pattern("印发|公布|发布|下发|实施|报批|报审|立项|办理|上报|备案|执行"));
/// What a step at the end of a subject begins with.
static WAY_FIRST: LazyLock<Chars> = LazyLock::new(|| Chars::new("按依以报提".chars()));
/// And what it ends with.
static STEP_LAST: LazyLock<Chars> =
    LazyLock::new(|| Chars::new("究定准过议批核查案意决施行发布审项理报".chars()));
static OPINION_FIRST: LazyLock<Chars> = LazyLock::new(|| Chars::new("要根按结".chars()));
/// What no assignment is without.
static ACTS: LazyLock<Regex> =
    LazyLock::new(|| pattern("由|责成|请|委托|配合|协办|协助|牵头|负责|作为|为|会同|根据|按照|结合|按"));
/// Words that assign.
static ASSIGNS: LazyLock<Regex> = LazyLock::new(|| pattern("牵头|责成|具体负责"));
/// Where a subject of several clauses ends at the latest.
static STEP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:并?由|责成|请|并?报|提请|提交|后续|具体|会议|要求|同时|要|根据|按照|各)|须|报[^，。；]{0,12}(?:审|批|备)|负责|牵头|配合|印发",
    )
});
static WAY: &str = r"(?:依法依规依程序|依规依程序|依规依程序|依法依程序|依法按程序|依法依规|按规定程序|按相关程序|按有关程序|按照程序|按照规定程序|按照有关规定|按照相关规定|履行相关程序后?|按程序|依程序|按规定)";
static SENT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"{WAY}?(?:提请|提交|报请|呈报|呈请|上报|报送|报|送)(?P<body>[^，。；：！？、（）《》“”]{{2,24}}?)(?:集体研究|会议研究|研究审定|研究决定|审查批准|审议决定|审议通过|审议|审定|审批|审核|审查|批准|研究|备案|同意|核准|票决)(?:后{WAY}?(?:组织实施|印发实施|印发执行|公布实施|公布施行|发布实施|印发|公布|发布|实施|执行|施行))?"
    ))
});
static ACT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"(?P<way>以[^，。；：]{{2,16}}?名义|{WAY})?(?:正式|尽快|及时|再)?(?P<act>印发实施|印发执行|印发施行|公布实施|公布施行|发布实施|下发执行|印发|公布|发布|下发|组织实施|报批|报审|立项|办理|上报|备案|实施|执行)"
    ))
});
/// Acts that are formal without a way.
static FORMAL: [&str; 9] =
    ["印发实施", "印发执行", "印发施行", "公布实施", "公布施行", "发布实施", "下发执行", "印发", "公布"];
static EFFECT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:之日)?起(?:正式|开始)?(?:施行|实施|执行|生效)"));
static DEADLINE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"自[^，。；：]{1,20}?(?:最迟不超过|不超过|之?日?起)[一二两三四五六七八九十0-9半]{1,3}个?(?:工作日|年|月|周|天|日)(?:之?内)?",
        r"|(?:[0-9]{4}年|今年|明年|本年)?(?:[0-9]{1,2}|[一二三四五六七八九十]{1,2})月(?:[0-9]{1,2}日|底|份|初|中旬|上旬|下旬|末)?(?:之)?(?:以)?前",
        r"|(?:[0-9]{4}年|今年|明年|本年)?(?:[0-9]{1,2}|[一二三四五六七八九十]{1,2})月(?:底|中旬|上旬|下旬)",
        r"|(?:[0-9]{4}年|今年|明年|本)?年底(?:之?前)?|年内|(?:本月|下月)?月底(?:之?前)|本周内|本月内",
        r"|[一二两三四五六七八九十0-9半]{1,3}个?(?:工作日|月|周|天|日|星期)(?:之)?(?:以)?内",
        r"|(?:春节|国庆节?|中秋节?|五一|元旦)(?:之)?前"
    ))
});
/// What no deadline is without.
static DEADLINE_WORDS: LazyLock<Chars> = LazyLock::new(|| Chars::new("年月周天日期节前".chars()));
/// The word that says who answers for something, at the place where the unit ends.
static LEADS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:负责|总|具体|统一|全面|共同)?牵头|(?:具体|统一|全面|总体|共同|直接|组织|全权)?负责|(?:作为|为)(?:项目)?(?:牵头|责任|主办|建设|实施)(?:单位|部门|主体)",
    )
});
/// What follows such a word where it assigns nothing.
static NO_LEAD: [&str; 15] = [
    "抓总",
    "部门",
    "单位",
    "领导",
    "作用",
    "人",
    "任",
    "同志",
    "制",
    "、谁",
    "抓好",
    "统筹作用",
    "总",
    "职责",
    "，谁",
];
static HELPS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:要|予以|积极|密切|全力|做好|主动|协同|共同)*(?:配合|协办|协助)"));
static BY_OPINION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"要?(?:根据|按照|结合|按)(?:本次|此次)?(?:会议|会上|与会|大家|各方)[^，。；]{0,12}(?:意见|要求|精神|建议)",
    )
});
static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?P<what>牵头单位|责任单位|责任领导|牵头领导|主办单位|承办单位|负责单位|牵头部门|责任部门|落实单位|配合单位|协办单位|配合部门|协助单位)[：:](?P<who>[^；。（）：]{2,80})",
    )
});
/// Words that end a unit's name, for they cannot be part of one.
static AFTER_UNIT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"牵头|负责|会同|根据|按照|结合|进一步|作进|抓紧|尽快|组织(?:[^部])|做好|研究(?:[^室院所中])|依法(?:[^治])|依规|按|对|要|商(?:[^务贸业])|在|向|作为|再|与会|认真|及时|积极|具体|统筹|协调|承担|拟定|制定|起草|修改|完善|落实|提出|汇总|梳理|另行|以|将|于|从|就|审核|审查|审定|报[^社]|提交|组成|出具|支付|拨付|解除|聘|印发|开展|推进|加强|完成|配合|督促|抓|办理|启动|签订|收回|出资|承办|主办|实施|筹集|使用|采取|申请",
    )
});
/// Last characters of units that lack nothing.
const WHOLE: [char; 18] = [
    '局', '委', '办', '厅', '门', '会', '院', '心', '司', '团', '镇', '乡', '道', '处', '站', '队', '社',
    '府',
];
/// Addressees that are nobody in particular.
static NOBODY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:各|相关|有关|谁|其|全|主要|专人|分别|共同|我|他|她|本|该|此|上述|以上|属地|市县|责任|牵头|分管|业主|与会|会议|一|二|三|并|要|确|明|是|指|全体)",
    )
});

/// The decisions of a paragraph, each with the range of its subjects.
pub(crate) fn read(
    flow: &Flow,
    issuer: Option<&str>,
    words: &Words,
    notes: &mut Notes,
) -> Vec<(Decision, Range<usize>)> {
    let plain = flow.plain.as_str();
    let verdicts = verdicts(flow, notes);
    let ends = verdicts.iter().skip(1).map(|verdict| verdict.start).chain([plain.len()]);
    verdicts
        .iter()
        .zip(ends)
        .map(|(verdict, end)| Scope { flow, words, issuer, verdict: verdict.clone(), end }.decision(notes))
        .collect()
}

struct Scope<'a> {
    flow: &'a Flow,
    words: &'a Words,
    issuer: Option<&'a str>,
    verdict: Range<usize>,
    /// Where the next verdict begins, or the paragraph ends.
    end: usize,
}

impl Scope<'_> {
    fn plain(&self) -> &str {
        &self.flow.plain
    }

    fn decision(&self, notes: &mut Notes) -> (Decision, Range<usize>) {
        let mut lead: Vec<Range<usize>> = Vec::new();
        let mut support = Vec::new();
        let (subjects, within) = self.subjects(&mut lead);
        let rest = within.end..self.end;
        if subjects.is_empty() {
            self.flow.doubt(DoubtCode::SubjectMissing, self.verdict.clone(), Vec::new(), notes);
        }
        self.units(rest.clone(), &mut lead, &mut support, notes);
        let (step, body) = self.next_step(within.start..self.end, &subjects);
        if step.is_none() {
            self.doubt_step(rest.clone(), notes);
        }
        let facts = |ranges: &[Range<usize>], notes: &mut Notes| -> Vec<Fact> {
            let mut facts: Vec<Fact> = Vec::new();
            for range in ranges {
                let fact = self.flow.fact(range.clone(), notes);
                if !facts.iter().any(|known| known.value == fact.value) {
                    facts.push(fact);
                }
            }
            facts
        };
        let lead_units = facts(&lead, notes);
        for known in &lead {
            if !self.is_proved(&self.plain()[known.clone()]) {
                let candidates = vec![self.flow.text[known.clone()].to_owned()];
                self.flow.doubt(DoubtCode::UnitUnproved, known.clone(), candidates, notes);
            }
        }
        let mut support_units: Vec<Fact> = Vec::new();
        for (range, shared) in support {
            let fact = match shared {
                Some(shared) => self.flow.shared(range, shared, notes),
                None => self.flow.fact(range, notes),
            };
            if !support_units.iter().any(|known: &Fact| known.value == fact.value) {
                support_units.push(fact);
            }
        }
        let decision = Decision {
            outcome: self.flow.fact(self.verdict.clone(), notes),
            subjects: facts(&subjects, notes),
            lead_units,
            support_units,
            next_step: step.map(|range| self.flow.fact(range, notes)),
            next_body: body.map(|range| self.flow.fact(range, notes)),
            effective_date: self.effective_date(rest, notes),
            deadlines: facts(&self.deadlines(within.start..self.end), notes),
        };
        (decision, within)
    }

    fn is_proved(&self, unit: &str) -> bool {
        self.words.is_unit(unit) || self.words.person(unit).is_some()
    }

    /// What the verdict is given to, and the range that says it. 同意由X…: X leads, the subject is what it does.
    fn subjects(&self, lead: &mut Vec<Range<usize>>) -> (Vec<Range<usize>>, Range<usize>) {
        let plain = self.plain();
        let mut from = self.verdict.end;
        for mark in ['了', '：', ':'] {
            from += plain[from..self.end].strip_prefix(mark).map_or(0, |_| mark.len_utf8());
        }
        if let Some(parts) = self.parts(from) {
            let within = from..parts.first().map_or(from, |part| part.end);
            return (parts, within);
        }
        if let Some(after) = plain[from..self.end].strip_prefix('由')
            && let Some(length) = self.unit_length(after)
        {
            let unit = from + '由'.len_utf8();
            lead.extend(self.members(unit..unit + length).0);
            let start = unit + length;
            let within = start..self.long_subject_end(start);
            let subject = within.clone();
            return (if subject.is_empty() { Vec::new() } else { vec![subject] }, within);
        }
        let end = subject_end(plain, from, self.end);
        let within = from..end;
        let mut subject = &plain[within.clone()];
        // The way on is no part of what it is given to: …项目按程序立项.
        if STEP_LAST.end(subject)
            && WAY_FIRST.find(subject).is_some()
            && let Some(step) = SENT.find_iter(subject).chain(ACT.find_iter(subject)).find(|step| {
                step.start() > 0
                    && step.end() == subject.len()
                    && subject[step.start()..].starts_with(['按', '依', '以', '报', '提'])
                    && !subject[..step.start()].ends_with('《')
            })
            && titles(&subject[step.start()..]).is_empty()
        {
            subject = &subject[..step.start()];
        }
        let closed = without_note(subject);
        let named = titles(closed);
        if let Some(last) = named.last() {
            let tail = &closed[last.end + '》'.len_utf8()..];
            let is_tail_small =
                tail.is_empty() || tail.starts_with(['（', '等']) || tail.chars().count() <= 2;
            if is_tail_small {
                let named = named.into_iter().map(|title| from + title.start..from + title.end).collect();
                return (named, within);
            }
        }
        if closed.is_empty() {
            return (self.subjects_before(), within);
        }
        let parts = listed(closed).into_iter().map(|part| from + part.start..from + part.end).collect();
        (parts, within)
    }

    /// The subject of each part of a list behind a colon: `（一）甲；（二）乙，由某局负责。`.
    fn parts(&self, from: usize) -> Option<Vec<Range<usize>>> {
        let plain = self.plain();
        let is_list = plain[..from].ends_with(['：', ':'])
            && PART.find(&plain[from..self.end]).is_some_and(|mark| mark.start() == 0);
        if !is_list {
            return None;
        }
        let marks: Vec<_> = PART
            .find_iter(&plain[from..self.end])
            .map(|mark| from + mark.start()..from + mark.end())
            .collect();
        let ends = marks.iter().skip(1).map(|mark| mark.start).chain([self.end]);
        let part = |(mark, end): (&Range<usize>, usize)| {
            let end = subject_end(plain, mark.end, end);
            mark.end..mark.end + plain[mark.end..end].trim_end_matches(['；', '。', ';']).len()
        };
        Some(marks.iter().zip(ends).map(part).filter(|part| !part.is_empty()).collect())
    }

    /// 听取了关于《甲方案》的汇报，原则同意: the titles of the sentence before a verdict that names nothing.
    fn subjects_before(&self) -> Vec<Range<usize>> {
        let plain = self.plain();
        let start = plain[..self.verdict.start].rfind('。').map_or(0, |at| at + '。'.len_utf8());
        let named = titles(&plain[start..self.verdict.start]);
        named.into_iter().map(|title| start + title.start..start + title.end).collect()
    }

    /// The end of a subject that is a whole clause or several: its sentence, or where a step begins.
    fn long_subject_end(&self, from: usize) -> usize {
        let plain = self.plain();
        let sentence = plain[from..self.end].find(['。', '；', ';']).map_or(self.end, |at| from + at);
        let mut end = from;
        for clause in clauses(plain, from..sentence) {
            if clause.start > from && STEP.is_match(&plain[clause.clone()]) {
                break;
            }
            end = clause.end;
        }
        end
    }

    /// Length of the unit at the start of a text: the longest proved one before a word that ends a unit.
    fn unit_length(&self, text: &str) -> Option<usize> {
        let stop = text.find(['，', '。', '；', '：', '《', '“', ',', ';', ':']).unwrap_or(text.len());
        let limit = AFTER_UNIT.find(&text[..stop]).map(|found| found.start());
        // Somebody at once, or a unit, or several of them.
        let reach = limit.unwrap_or(stop);
        let reach = text[..reach].char_indices().nth(60).map_or(reach, |(at, _)| at);
        let proved = text[..reach]
            .char_indices()
            .map(|(at, c)| at + c.len_utf8())
            .rfind(|end| self.is_list_proved(&text[..*end]));
        proved.or(limit.filter(|limit| (2..=20).contains(&text[..*limit].chars().count())))
    }

    /// Whether each member of `A、B和C` is a unit or a person.
    fn is_list_proved(&self, text: &str) -> bool {
        let text = text.trim_end_matches("等部门").trim_end_matches("等单位");
        text.split(['、', '和', '与', '及']).all(|part| self.is_proved(part)) || self.is_proved(text)
    }

    /// The members of a list of units, and the part that the last one lends to the others.
    fn members(&self, range: Range<usize>) -> (Vec<Range<usize>>, Option<Range<usize>>) {
        let plain = self.plain();
        let said = &plain[range.clone()];
        let mut end = said.len();
        for tail in ["等部门", "等单位", "等相关部门", "等有关部门", "等"] {
            if let Some(front) = said.strip_suffix(tail) {
                end = front.len();
                break;
            }
        }
        if self.words.is_unit(&said[..end]) && !said[..end].contains('、') {
            return (std::iter::once(range.start..range.start + end).collect(), None);
        }
        let mut parts = Vec::new();
        let mut start = 0;
        for (at, mark) in said[..end].match_indices(['、', '和', '与', '及']) {
            let follows = said[at + mark.len()..end].chars().next().is_some();
            if mark != "、"
                && !(follows && self.is_proved(&said[start..at]))
                && !self.is_short_unit(&said[start..at])
            {
                continue;
            }
            parts.push(start..at);
            start = at + mark.len();
        }
        parts.push(start..end);
        parts.retain(|part| !part.is_empty());
        let shared = parts.last().filter(|_| parts.len() > 1).and_then(|last| {
            let tail = "部门".len();
            let is_shared = said[last.clone()].ends_with("部门")
                && last.len() > tail
                && parts[..parts.len() - 1].iter().all(|part| !said[part.clone()].ends_with(WHOLE));
            is_shared.then(|| range.start + last.end - tail..range.start + last.end)
        });
        let parts = parts
            .into_iter()
            .map(|part| self.person_or_unit(range.start + part.start..range.start + part.end));
        (parts.collect(), shared)
    }

    fn is_short_unit(&self, text: &str) -> bool {
        (2..=4).contains(&text.chars().count())
    }

    /// Of a person with a post only the name counts.
    fn person_or_unit(&self, range: Range<usize>) -> Range<usize> {
        let said = &self.plain()[range.clone()];
        match self.words.person(said) {
            Some((_, name)) if !self.words.is_unit(said) => range.start + name.start..range.start + name.end,
            _ => range,
        }
    }

    fn units(
        &self,
        within: Range<usize>,
        lead: &mut Vec<Range<usize>>,
        support: &mut Vec<(Range<usize>, Option<Range<usize>>)>,
        notes: &mut Notes,
    ) {
        let plain = self.plain();
        let has_labels = plain[within.clone()].contains(['：', ':']);
        for captures in
            has_labels.then(|| LABELLED.captures_iter(&plain[within.clone()])).into_iter().flatten()
        {
            let (Some(what), Some(who)) = (captures.name("what"), captures.name("who")) else { continue };
            let who = within.start + who.start()..within.start + who.end();
            let (members, _) = self.members(who);
            if what.as_str().starts_with("配合") || what.as_str().starts_with("协") {
                support.extend(members.into_iter().map(|member| (member, None)));
            } else {
                lead.extend(members);
            }
        }
        for clause in clauses(plain, within) {
            let before = lead.len() + support.len();
            self.clause(clause.clone(), lead, support);
            if lead.len() + support.len() > before {
                continue;
            }
            let said = &plain[clause.clone()];
            let assigns = ASSIGNS.find(said).is_some_and(|word| {
                !NO_LEAD.iter().any(|not| said[word.end()..].starts_with(not)) && !NOBODY.is_match(said)
            });
            if assigns {
                self.flow.doubt(DoubtCode::UnitUnproved, clause, Vec::new(), notes);
            }
        }
    }

    fn clause(
        &self,
        clause: Range<usize>,
        lead: &mut Vec<Range<usize>>,
        support: &mut Vec<(Range<usize>, Option<Range<usize>>)>,
    ) {
        let plain = self.plain();
        let said = &plain[clause.clone()];
        if !ACTS.is_match(said) {
            return;
        }
        // 由X…, also behind other words of the clause, but not 理由, 由于.
        let by = said.match_indices('由').map(|(at, mark)| (at, at + mark.len())).find(|(at, end)| {
            !said[..*at].ends_with(['理', '事', '自', '缘', '来', '经', '因', '案', '任'])
                && !said[*end..].starts_with(['于', '此', '来'])
        });
        let ordered = said
            .strip_prefix("责成")
            .or_else(|| said.strip_prefix('请'))
            .or_else(|| said.strip_prefix("委托"))
            .map(|rest| said.len() - rest.len());
        if let Some(start) = ordered.or(by.map(|(_, end)| end)) {
            let after = &said[start..];
            let at_front = ordered.is_some() || by.is_some_and(|(at, _)| at == 0);
            if let Some(length) =
                self.unit_length(after).filter(|length| at_front || self.is_list_proved(&after[..*length]))
                && !NOBODY.is_match(after)
            {
                let unit = clause.start + start..clause.start + start + length;
                // An office that only prints is the next step, not the one who acts.
                if !["印发", "发文", "行文"].iter().any(|act| plain[unit.end..clause.end].starts_with(act))
                {
                    lead.extend(self.members(unit.clone()).0);
                }
                self.helper(unit.end, clause.end, support);
                return;
            }
            return;
        }
        let said = said.trim_start_matches(['（', '(']).trim_start_matches("会议").trim_start_matches("并");
        let front = clause.end - said.len();
        let said = said.trim_end_matches(['）', ')']);
        if (said.contains("配合") || said.contains('协'))
            && let Some(helps) = HELPS.find(said)
            && helps.start() > 0
            && !NOBODY.is_match(said)
        {
            let who = said[..helps.start()].trim_end_matches(['要', '应', '共', '同']);
            let short = who.chars().count() <= 40;
            let after = &said[helps.end()..];
            let is_whole = after.is_empty()
                || ["做好", "完成", "开展", "落实", "办理", "实施", "推进", "抓好"]
                    .iter()
                    .any(|deed| after.starts_with(deed));
            if short && !who.is_empty() && is_whole {
                let (members, shared) = self.members(front..front + who.len());
                let last = members.len().saturating_sub(1);
                support.extend(
                    members
                        .into_iter()
                        .enumerate()
                        .map(|(at, member)| (member, shared.clone().filter(|_| at < last))),
                );
                return;
            }
        }
        if (said.contains("牵头") || said.contains("负责") || said.contains('为'))
            && let Some(leads) = LEADS.find(said)
            && !NO_LEAD.iter().any(|word| said[leads.end()..].starts_with(word))
            && !NOBODY.is_match(said)
        {
            let who = &said[..leads.start()];
            if (2..=40).contains(&who.chars().count())
                && !who.contains(['要', '的', '谁', '对', '履', '发', '强'])
                || self.is_list_proved(who)
            {
                lead.extend(self.members(front..front + who.len()).0);
                return;
            }
        }
        if let Some(at) = said.find("会同")
            && let who = said[..at].trim_end_matches('要')
            && self.is_list_proved(who)
        {
            lead.extend(self.members(front..front + who.len()).0);
            self.helper(front + at, clause.end, support);
            return;
        }
        if OPINION_FIRST.find(said).is_some()
            && let Some(opinion) = BY_OPINION.find(said)
            && opinion.start() > 0
            && self.is_list_proved(&said[..opinion.start()])
            && !NOBODY.is_match(said)
        {
            lead.extend(self.members(front..front + opinion.start()).0);
        }
    }

    /// 会同Y behind a unit.
    fn helper(&self, from: usize, end: usize, support: &mut Vec<(Range<usize>, Option<Range<usize>>)>) {
        let Some(helper) = self.plain()[from..end].strip_prefix("会同") else { return };
        if NOBODY.is_match(helper) {
            return;
        }
        let length = self.unit_length(helper).unwrap_or(helper.len());
        let start = end - helper.len();
        let (members, shared) = self.members(start..start + length);
        let last = members.len().saturating_sub(1);
        support.extend(
            members
                .into_iter()
                .enumerate()
                .map(|(at, member)| (member, shared.clone().filter(|_| at < last))),
        );
    }

    /// The formal next act, and the body that it goes to where another one decides.
    fn next_step(
        &self,
        within: Range<usize>,
        subjects: &[Range<usize>],
    ) -> (Option<Range<usize>>, Option<Range<usize>>) {
        let plain = self.plain();
        let titles: Vec<_> = titles(&plain[within.clone()])
            .into_iter()
            .map(|title| within.start + title.start..within.start + title.end)
            .collect();
        let is_inside = |at: usize| subjects.iter().chain(&titles).any(|range| range.contains(&at));
        // Steps cross no clause: what lies before the first clause with a word of theirs need not be looked at.
        let clause_of = |words: &Regex| {
            let word = words.find(&plain[within.clone()])?;
            Some(clause_start(plain, within.start + word.start()).max(within.start)..within.end)
        };
        let sent = clause_of(&SENDS).and_then(|within| {
            SENT.captures_iter(&plain[within.clone()]).find_map(|captures| {
                let (whole, body) = (captures.get(0)?, captures.name("body")?);
                let start = within.start + whole.start();
                let stands = self.is_body(body.as_str())
                    && !is_inside(start)
                    && !plain[..start]
                        .ends_with(['汇', '上', '申', '填', '通', '预', '举', '播', '情', '海', '日'])
                    && !whole.as_str().starts_with("报告");
                stands.then(|| {
                    (
                        start..within.start + whole.end(),
                        within.start + body.start()..within.start + body.end(),
                    )
                })
            })
        });
        let act = clause_of(&ACTS_ON).and_then(|within| {
            ACT.captures_iter(&plain[within.clone()]).find_map(|captures| {
                let (whole, act) = (captures.get(0)?, captures.name("act")?);
                let start = within.start + whole.start();
                if is_inside(start) {
                    return None;
                }
                if captures.name("way").is_some() {
                    return Some(start..within.start + whole.end());
                }
                let act_start = within.start + act.start();
                let act_end = within.start + act.end();
                if !FORMAL.contains(&act.as_str())
                    || !(act_end == plain.len()
                        || plain[act_end..].starts_with(['，', '。', '；', '后', ',', ';']))
                {
                    return None;
                }
                let clause = clause_start(plain, act_start);
                let before = &plain[clause.max(self.verdict.end)..act_start];
                let before_end = act_start;
                let unit = before.strip_prefix("并").unwrap_or(before);
                let unit = unit.strip_prefix('由').unwrap_or(unit);
                let unit = unit.trim_end_matches("负责");
                if self.words.is_unit(unit) {
                    let start = before_end - before.len()
                        + (before.len() - before.trim_start_matches("并").trim_start_matches('由').len());
                    return Some(start..act_end);
                }
                (before.is_empty() || before.ends_with(['后', '善', '并'])).then_some(act_start..act_end)
            })
        });
        match (sent, act) {
            (Some((sent, body)), act)
                if act.as_ref().is_none_or(|act| sent.start <= act.start || act.start < sent.end) =>
            {
                let foreign = !self.is_own(&plain[body.clone()]);
                (Some(sent), foreign.then_some(body))
            }
            (_, act) => (act, None),
        }
    }

    /// A word of a formal act that was taken for none.
    fn doubt_step(&self, within: Range<usize>, notes: &mut Notes) {
        if !STEP_WORD.is_match(&self.plain()[within.clone()]) {
            return;
        }
        for clause in clauses(self.plain(), within) {
            let said = &self.plain()[clause.clone()];
            let titles = titles(said);
            let stands = |at: usize| !titles.iter().any(|title| title.contains(&at));
            if STEP_WORD.find_iter(said).any(|word| stands(word.start())) {
                self.flow.doubt(DoubtCode::NextUnproved, clause, Vec::new(), notes);
                return;
            }
        }
    }

    fn is_body(&self, body: &str) -> bool {
        let body = body.trim_end_matches("会议").trim_end_matches("常委会").trim_end_matches("常务");
        self.words.is_unit(body)
            || ["委", "府", "人大", "政协", "会", "局", "厅", "组", "院", "部", "办"]
                .iter()
                .any(|end| body.ends_with(end))
    }

    /// Whether a body is the one whose minutes these are.
    fn is_own(&self, body: &str) -> bool {
        let Some(issuer) = self.issuer else { return false };
        let body = body
            .trim_end_matches("常务会议")
            .trim_end_matches("会议")
            .trim_end_matches("研究")
            .replace("人民政府", "政府");
        let issuer = issuer.replace("人民政府", "政府");
        !body.is_empty() && (issuer == body || issuer.ends_with(&body) || body == "本级政府")
    }

    fn effective_date(&self, within: Range<usize>, notes: &mut Notes) -> Option<Fact> {
        let text = &self.plain()[..within.end];
        let mut from = within.start;
        if !text[from..].contains('起') {
            return None;
        }
        while let Some((range, iso)) = dates::find(text, from) {
            if EFFECT.is_match(&text[range.end..]) {
                return Some(self.flow.says(iso, range, notes));
            }
            from = range.end;
        }
        None
    }

    fn deadlines(&self, within: Range<usize>) -> Vec<Range<usize>> {
        let plain = self.plain();
        // Deadlines cross no clause either.
        let Some(word) = DEADLINE_WORDS.find(&plain[within.clone()]) else { return Vec::new() };
        let start = clause_start(plain, within.start + word).max(within.start);
        let within = start..within.end;
        DEADLINE
            .find_iter(&plain[within.clone()])
            .map(|found| within.start + found.start()..within.start + found.end())
            .filter(|range| {
                !plain[..range.start].ends_with(|c: char| c.is_ascii_digit())
                    && !plain[range.end..].starts_with(['的', '召', '常'])
            })
            .collect()
    }
}

/// The subject ends with its sentence, or where the clause after it begins; titles are crossed whole.
fn subject_end(text: &str, from: usize, end: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text[from..end].char_indices() {
        match c {
            '《' | '（' | '(' => depth += 1,
            '》' | '）' | ')' => depth = depth.saturating_sub(1),
            '。' | '；' | ';' => return from + at,
            '，' | '：' | ',' | ':' if depth == 0 => return from + at,
            _ => {}
        }
    }
    end
}

/// `《…》（以下简称…）`: the note is no part of the subject.
fn without_note(subject: &str) -> &str {
    match subject.strip_suffix('）').and_then(|inner| inner.rfind('（')) {
        Some(at) if subject[..at].ends_with('》') => &subject[..at],
        _ => subject,
    }
}

/// Things of a kind, listed with 、, are several subjects.
fn listed(subject: &str) -> Vec<Range<usize>> {
    const THINGS: [&str; 12] =
        ["项目", "工程", "方案", "办法", "规划", "计划", "报告", "请示", "预算", "决算", "制度", "规定"];
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, mark) in subject.match_indices('、').chain([(subject.len(), "")]) {
        parts.push(start..at);
        start = at + mark.len();
    }
    let is_thing = |part: &Range<usize>| {
        let said = &subject[part.clone()];
        said.chars().count() >= 6 && THINGS.iter().any(|thing| said.ends_with(thing))
    };
    if parts.len() > 1 && parts.iter().all(is_thing) {
        parts
    } else {
        std::iter::once(0..subject.len()).collect()
    }
}

/// The clauses of a range; what is in 《》 is crossed whole.
fn clauses(text: &str, within: Range<usize>) -> Vec<Range<usize>> {
    let (mut start, mut depth) = (within.start, 0_usize);
    let mut found = Vec::new();
    for (at, mark) in text[within.clone()].char_indices() {
        match mark {
            '《' => depth += 1,
            '》' => depth = depth.saturating_sub(1),
            '，' | ',' if depth > 0 => {}
            // 甲牵头、乙配合: each a clause.
            '、' if !["牵头", "负责"].iter().any(|word| text[start..within.start + at].ends_with(word)) =>
                {}
            '，' | '。' | '；' | '：' | '！' | ',' | ';' | ':' | '、' => {
                found.push(start..within.start + at);
                start = within.start + at + mark.len_utf8();
            }
            _ => {}
        }
    }
    found.push(start..within.end.max(start));
    found
}
