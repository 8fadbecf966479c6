//! Forms of writing: traditional characters to simplified ones, one for one, and patterns that know half-width marks.
//!
//! Every pair is of characters of three bytes in UTF-8, so that folded text keeps its offsets. The table has what the
//! grammar and the dictionaries need, not the whole language.

use std::sync::LazyLock;

use regex::Regex;

const FIRST: u32 = 0x4e00;
const COUNT: usize = 0x5200;

static FOLDED: LazyLock<Vec<u16>> = LazyLock::new(|| {
    let mut table = vec![0; COUNT];
    for pair in include_str!("../data/traditional.txt")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .flat_map(str::split_whitespace)
    {
        let mut chars = pair.chars();
        if let (Some(traditional), Some(simplified)) = (chars.next(), chars.next())
            && let Some(place) = place(traditional)
            && place_of_simplified(simplified)
        {
            table[place] = simplified as u16;
        }
    }
    table
});

fn place(c: char) -> Option<usize> {
    (c as u32).checked_sub(FIRST).map(|at| at as usize).filter(|at| *at < COUNT)
}

fn place_of_simplified(c: char) -> bool {
    place(c).is_some()
}

/// A pattern over folded text in which each full-width mark also stands for its half-width form.
#[expect(clippy::expect_used, reason = "patterns are constants, and every test compiles them")]
pub(crate) fn pattern(pattern: &str) -> Regex {
    let (mut both, mut in_class, mut escaped) = (String::with_capacity(pattern.len() * 2), false, false);
    for c in pattern.chars() {
        match c {
            '[' if !escaped => in_class = true,
            ']' if !escaped => in_class = false,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        match MARKS.iter().find(|(full, _)| *full == c) {
            Some((full, half)) if in_class => both.extend([*full, '\\', *half]),
            Some((full, half)) => both.extend(['[', *full, '\\', *half, ']']),
            None => both.push(c),
        }
    }
    Regex::new(&both).expect("a pattern compiles")
}

const MARKS: [(char, char); 7] =
    [('，', ','), ('；', ';'), ('：', ':'), ('（', '('), ('）', ')'), ('！', '!'), ('？', '?')];

/// Characters of the basic plane, one bit each.
#[derive(Clone, Debug)]
pub(crate) struct Chars(Vec<u64>);

impl Chars {
    pub(crate) fn new(of: impl Iterator<Item = char>) -> Self {
        let mut bits = vec![0; 0x10000 / 64];
        for c in of.filter(|c| (*c as usize) < 0x10000) {
            bits[c as usize / 64] |= 1 << (c as usize % 64);
        }
        Self(bits)
    }

    pub(crate) fn contains(&self, c: char) -> bool {
        self.0.get(c as usize / 64).is_some_and(|bits| bits >> (c as usize % 64) & 1 == 1)
    }

    /// Whether a text begins with one of them.
    pub(crate) fn begin(&self, text: &str) -> bool {
        text.chars().next().is_some_and(|c| self.contains(c))
    }

    /// The first place in a text where one of them stands.
    pub(crate) fn find(&self, text: &str) -> Option<usize> {
        text.char_indices().find(|(_, c)| self.contains(*c)).map(|(at, _)| at)
    }

    /// Whether a text ends with one of them.
    pub(crate) fn end(&self, text: &str) -> bool {
        text.chars().next_back().is_some_and(|c| self.contains(c))
    }
}

static TRADITIONAL: LazyLock<Chars> = LazyLock::new(|| {
    let folded = FOLDED.iter().zip(FIRST..).filter(|(folded, _)| **folded != 0);
    Chars::new(folded.filter_map(|(_, c)| char::from_u32(c)))
});

/// Whether a character has another, simplified form.
pub(crate) fn is_folded(c: char) -> bool {
    TRADITIONAL.contains(c)
}

/// The simplified form of a character; itself where the table has none.
pub(crate) fn fold(c: char) -> char {
    match place(c).map(|at| FOLDED[at]) {
        None | Some(0) => c,
        Some(folded) => char::from_u32(u32::from(folded)).unwrap_or(c),
    }
}

/// The folded form of a text, byte for byte as long.
pub(crate) fn folded(text: &str) -> String {
    text.chars().map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_keeps_every_offset() {
        for pair in include_str!("../data/traditional.txt")
            .lines()
            .filter(|l| !l.starts_with('#'))
            .flat_map(str::split_whitespace)
        {
            let (one, two) = pair.split_at(pair.chars().next().unwrap().len_utf8());
            assert_eq!(
                (one.len(), two.len(), fold(one.chars().next().unwrap()).to_string().as_str()),
                (3, 3, two)
            );
        }
        assert_eq!(folded("會議審議通過，abc 王"), "会议审议通过，abc 王");
    }
}
