//! What proves a unit and a name: data, with an office's own additions.

use std::collections::HashSet;

/// The words that a reading may lean on.
#[derive(Clone, Debug)]
pub struct Words {
    endings: HashSet<String>,
    longest_ending: usize,
    units: HashSet<String>,
    surnames: HashSet<String>,
}

fn entries(data: &str) -> impl Iterator<Item = String> + '_ {
    data.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).map(str::to_owned)
}

impl Default for Words {
    fn default() -> Self {
        let endings: HashSet<String> = entries(include_str!("../data/units.txt")).collect();
        Self {
            longest_ending: endings.iter().map(|ending| ending.chars().count()).max().unwrap_or(0),
            endings,
            units: HashSet::new(),
            surnames: entries(include_str!("../data/surnames.txt")).collect(),
        }
    }
}

/// How well a name is proved, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NameProof {
    /// A known surname and one or two characters.
    Surname,
    /// A known surname of one character and three more: rare.
    Long,
}

impl Words {
    /// Adds an office's own units, one a line, as printed; `#` begins a comment.
    pub fn add_units(&mut self, data: &str) {
        self.units.extend(entries(data));
    }

    /// Whether the text is a unit: one of the office's own, or something with an ending that proves one.
    #[must_use]
    pub fn is_unit(&self, text: &str) -> bool {
        if self.units.contains(text) {
            return true;
        }
        // A second name in brackets belongs to the unit: 组织部（人才办）.
        if let Some((unit, other)) = text.strip_suffix('）').and_then(|inner| inner.split_once('（')) {
            return self.is_unit(unit) && self.is_unit(other);
        }
        let length = text.chars().count();
        let form = (2..=24).contains(&length)
            && text.chars().all(|c| !c.is_ascii_punctuation() && !"，。；：、（）《》".contains(c));
        form && text
            .char_indices()
            .skip(usize::from(length > 2))
            .skip(length.saturating_sub(self.longest_ending + 1))
            .any(|(at, _)| at > 0 && self.endings.contains(&text[at..]) || self.endings.contains(text))
    }

    /// Whether the text is a person's name, and how well that is proved.
    pub(crate) fn name(&self, text: &str) -> Option<NameProof> {
        let length = text.chars().count();
        if !(2..=4).contains(&length) || !text.chars().all(is_han) {
            return None;
        }
        let after = |count: usize| text.char_indices().nth(count).map_or(text.len(), |(at, _)| at);
        let (one, two) = (&text[..after(1)], &text[..after(2)]);
        if length >= 3 && self.surnames.contains(two) {
            return Some(NameProof::Surname);
        }
        match (self.surnames.contains(one), length) {
            (true, 2 | 3) => Some(NameProof::Surname),
            (true, _) => Some(NameProof::Long),
            _ => None,
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
