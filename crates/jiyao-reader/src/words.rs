//! What proves a unit and a name: data, with an office's own additions.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use rustc_hash::FxHashSet;

use crate::script::{Chars, folded, pattern};

/// Posts, each with what may stand before it. Matches at the end of a text, as far to the left as it goes.
static POST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:党组|党委|党工委|党总支|党支部|机关党委|常务|专职|第一|代理|副|代|兼|原)*(?:书记|[省市县区镇乡州盟旗局厅处科院校馆站所室部秘组行队社村团班检庭][长]|秘书长|主任科员|主任|主席|常委|委员|检察长|总经理|经理|董事长|董事|理事长|理事|监事|会长|调研员|巡视员|指挥长|政委|司令员|总工程师|总会计师|总工|总监|局长助理|市长助理|主持人|召集人|负责人|同志|先生|女士)$",
    )
});

/// Last characters of posts: most texts have none at one look.
static POST_ENDS: LazyLock<Chars> =
    LazyLock::new(|| Chars::new("记长任员席委理事师监人志生士助官工".chars()));
/// And the characters before those.
static POST_BEFORE_ENDS: LazyLock<Chars> = LazyLock::new(|| {
    Chars::new("书省市县区镇乡州盟旗局厅处科院校馆站所室部秘组行队社村团班检庭主常委察经董事理监会研视挥政令程计总助持集责同先女".chars())
});
/// Marks that no unit has inside.
static MARKS: LazyLock<Chars> = LazyLock::new(|| {
    let ascii = (0..=127_u8).map(char::from).filter(char::is_ascii_punctuation);
    Chars::new(ascii.chain("，。；：、（）《》".chars()))
});

/// Characters of a unit, at most.
const LONGEST_UNIT: usize = 24;

/// The words that a reading may lean on.
#[derive(Clone, Debug)]
pub struct Words {
    endings: FxHashSet<String>,
    /// For each count of characters whether an ending has it, one bit each.
    lengths: u64,
    /// Last characters of endings: most texts are no units at one look.
    last: Chars,
    units: FxHashSet<String>,
    /// Family names of one character.
    surnames: Chars,
    /// And of two.
    double_surnames: FxHashSet<String>,
    /// What those begin with.
    double_first: Chars,
}

fn entries(data: &str) -> impl Iterator<Item = String> + '_ {
    data.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).map(str::to_owned)
}

impl Default for Words {
    fn default() -> Self {
        let endings: FxHashSet<String> = entries(include_str!("../data/units.txt")).collect();
        let surnames = entries(include_str!("../data/surnames.txt")).map(|name| folded(&name));
        let (single, double): (Vec<_>, Vec<_>) = surnames.partition(|name| name.chars().nth(1).is_none());
        Self {
            last: Chars::new(endings.iter().filter_map(|ending| ending.chars().next_back())),
            lengths: endings.iter().fold(0, |bits, ending| bits | 1 << ending.chars().count().min(63)),
            endings,
            units: FxHashSet::default(),
            surnames: Chars::new(single.iter().filter_map(|name| name.chars().next())),
            double_first: Chars::new(double.iter().filter_map(|name| name.chars().next())),
            double_surnames: double.into_iter().collect(),
        }
    }
}

/// How well a name is proved, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NameProof {
    /// A known surname and one or two characters.
    Surname,
    /// Two characters that are a surname together: 欧阳.
    SurnameAlone,
    /// A known surname of one character and three more: rare.
    Long,
}

impl Words {
    /// Adds an office's own units, one a line, as printed; `#` begins a comment.
    pub fn add_units(&mut self, data: &str) {
        self.units.extend(entries(data).map(|unit| folded(&unit)));
    }

    /// Whether the folded text is one of the office's own units.
    pub(crate) fn is_own(&self, text: &str) -> bool {
        self.units.contains(text)
    }

    /// Whether the folded text is a unit: one of the office's own, or something with an ending that proves one.
    #[must_use]
    pub fn is_unit(&self, text: &str) -> bool {
        if self.is_own(text) {
            return true;
        }
        let Some(last) = text.chars().next_back().filter(|c| *c == '）' || self.last.contains(*c)) else {
            return false;
        };
        // A second name in brackets belongs to the unit: 组织部（人才办）.
        if last == '）'
            && let Some((unit, other)) = text.strip_suffix('）').and_then(|inner| inner.split_once('（'))
        {
            return self.is_unit(unit) && self.is_unit(other);
        }
        if text.len() > LONGEST_UNIT * 4 {
            return false;
        }
        // Over the characters from the last one: is what lies behind an ending, and is all of it a name's?
        let (mut length, mut ends) = (0, false);
        for (at, c) in text.char_indices().rev() {
            if MARKS.contains(c) {
                return false;
            }
            length += 1;
            ends |= length < 64 && self.lengths >> length & 1 == 1 && self.endings.contains(&text[at..]);
        }
        // 张旗 and 李镇 are people; only counties have names of one character.
        let is_someone = length == 2 && matches!(last, '市' | '区' | '镇' | '乡' | '州' | '旗');
        ends && !is_someone && (2..=LONGEST_UNIT).contains(&length)
    }

    /// Where the post that a text ends with begins: at 0 in 副县长, behind the unit in 市民政局局长.
    pub(crate) fn post(text: &str) -> Option<usize> {
        let mut last = text.chars().rev();
        let may = last.next().is_some_and(|c| POST_ENDS.contains(c))
            && last.next().is_some_and(|c| POST_BEFORE_ENDS.contains(c));
        may.then(|| POST.find(text)).flatten().map(|found| found.start())
    }

    /// The name in `区长王伟`, `王伟区长`, `王伟同志` or `王伟`; the unit before the post where there is one.
    pub(crate) fn person(&self, text: &str) -> Option<(Option<Range<usize>>, Range<usize>)> {
        let proved = |range: Range<usize>| {
            (self.name(&text[range.clone()]) == Some(NameProof::Surname)).then_some(range)
        };
        // A post or a title behind the name goes first: 王伟区长, 经理王伟先生.
        let end = Self::post(text).filter(|post| *post > 0).unwrap_or(text.len());
        let front = &text[..end];
        for length in [3, 2, 4] {
            let Some((at, _)) = front.char_indices().rev().nth(length - 1) else { continue };
            let (Some(name), Some(post)) = (proved(at..end), Self::post(&front[..at])) else { continue };
            let unit = Some(0..post).filter(|unit| self.is_unit(&text[unit.clone()]));
            return Some((unit, name));
        }
        Some((None, proved(0..end)?))
    }

    /// Whether the text is a person's name, and how well that is proved.
    pub(crate) fn name(&self, text: &str) -> Option<NameProof> {
        if text.len() > 16 {
            return None;
        }
        let mut chars = text.chars();
        let first = chars.next()?;
        let (single, double) = (self.surnames.contains(first), self.double_first.contains(first));
        if !(single || double) {
            return None;
        }
        let length = text.chars().count();
        if !(2..=4).contains(&length) || !text.chars().all(is_han) || Self::post(text) == Some(0) {
            return None;
        }
        let two = &text[..first.len_utf8() + chars.next().map_or(0, char::len_utf8)];
        match (double && self.double_surnames.contains(two), single, length) {
            (true, _, 2) => Some(NameProof::SurnameAlone),
            (true, _, _) | (false, true, 2 | 3) => Some(NameProof::Surname),
            (false, true, _) => Some(NameProof::Long),
            (false, false, _) => None,
        }
    }
}

/// Characters of names, the rare ones of other planes too.
fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' | '·')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_prove_units_and_surnames_names() {
        let words = Words::default();
        for unit in [
            "市委",
            "市民政局",
            "市委组织部（市人才办）",
            "云溪海关",
            "团市委",
            "县政府",
            "东山区",
            "电信云溪分公司",
        ] {
            assert!(words.is_unit(unit), "{unit}");
        }
        for other in
            ["局", "王伟", "各地各部门", "研究", "一、市民政局", "", "市民政局（", "市民政局，市教育局"]
        {
            assert!(!words.is_unit(other), "{other}");
        }
        for name in ["王伟", "欧阳修远", "李小明", "尉迟恭"] {
            assert_eq!(words.name(name), Some(NameProof::Surname), "{name}");
        }
        assert_eq!(words.name("王李小明"), Some(NameProof::Long));
        for other in ["王", "王伟abc", "的代表", "王小明和李"] {
            assert_ne!(words.name(other), Some(NameProof::Surname), "{other}");
        }
    }

    #[test]
    fn an_office_adds_its_own() {
        let mut words = Words::default();
        assert!(!words.is_unit("云溪之家"));
        words.add_units("# ours\n云溪之家\n");
        assert!(words.is_unit("云溪之家"));
    }
}
