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
