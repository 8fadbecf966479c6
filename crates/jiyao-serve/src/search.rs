use jiyao_fault::{Fault, Result};

/// Characters around a hit.
const AROUND: usize = 30;

/// What somebody looks for: all of its characters in a row. Blanks and line breaks count for nothing on either side.
#[derive(Clone, Debug)]
pub struct Wanted(String);

fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

impl Wanted {
    /// Reads a query.
    ///
    /// # Errors
    /// `FIELD_REQUIRED` for less than two characters.
    pub fn of(query: &str) -> Result<Self> {
        let wanted = without_blanks(query);
        if wanted.chars().count() < 2 { Err(Fault::required("query")) } else { Ok(Self(wanted)) }
    }

    /// The characters that are looked for.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The words around the first place of a text that has it.
    #[must_use]
    pub fn found_in(&self, text: &str) -> Option<String> {
        let text = without_blanks(text);
        let at = text.find(&self.0)?;
        let before = text[..at].char_indices().rev().take(AROUND).last().map_or(at, |(start, _)| start);
        let end = at + self.0.len();
        let after = text[end..].char_indices().nth(AROUND).map_or(text.len(), |(stop, _)| end + stop);
        Some(text[before..after].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_over_line_breaks_and_shown_in_whole_characters() {
        let wanted = Wanted::of("市 住建局").unwrap();
        let text = format!("{}由市住\n建局牵头{}", "前".repeat(50), "后".repeat(50));
        let found = wanted.found_in(&text).unwrap();
        assert_eq!(found, format!("{}由市住建局牵头{}", "前".repeat(29), "后".repeat(28)));
        assert_eq!(Wanted::of("没有").unwrap().found_in(&text), None);
        assert!(Wanted::of(" 一\n").is_err());
    }
}
