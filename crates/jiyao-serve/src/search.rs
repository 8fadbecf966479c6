use jiyao_fault::{Fault, Result};

/// Characters around a hit.
const AROUND: usize = 30;

/// A query: all of its characters in a row. Blanks and line breaks count for nothing on either side, and
/// brackets are those of a document number (GB/T 9704—2012, 7.2.5) however they were typed.
#[derive(Clone, Debug)]
pub struct Wanted(String);

fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The same number of characters, with brackets in one form.
fn folded(text: &str) -> String {
    let fold = |c| match c {
        '[' | '［' | '【' => '〔',
        ']' | '］' | '】' => '〕',
        other => other,
    };
    text.chars().map(fold).collect()
}

impl Wanted {
    /// Reads a query.
    ///
    /// # Errors
    /// `FIELD_REQUIRED` for less than two characters.
    pub fn of(query: &str) -> Result<Self> {
        let wanted = folded(&without_blanks(query));
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
        let folded = folded(&text);
        let at = folded[..folded.find(&self.0)?].chars().count();
        let from = at.saturating_sub(AROUND);
        let length = at - from + self.0.chars().count() + AROUND;
        Some(text.chars().skip(from).take(length).collect())
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
        for typed in ["〔2026〕7号", "[2026]7号", "［2026］ 7 号", "【2026】7号"] {
            let shown = Wanted::of(typed).unwrap().found_in("文号 临府纪要[2026]7号").unwrap();
            assert_eq!(shown, "文号临府纪要[2026]7号", "{typed}");
        }
    }
}
