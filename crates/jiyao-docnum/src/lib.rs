//! Document numbers and meeting ordinals: parse and print.
//!
//! A document number (发文字号) is an organ's own code, the full year in `〔 〕` (U+3014/U+3015), and a number without
//! leading zeros, ended by 号 (GB/T 9704-2012, 7.2.5). Real texts use other brackets too; they are read, and printed
//! in the standard form.

use std::fmt;

/// A document number, e.g. `云政纪〔2025〕17号`. The code before the bracket may be absent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DocumentNumber {
    /// The issuing organ's code (机关代字) with the series, e.g. `云政纪`; may be empty.
    pub series: String,
    /// Calendar year, 1900 to 2999.
    pub year: u16,
    /// From 1.
    pub number: u32,
}

/// Why a typed number is refused (GB/T 9704-2012, 7.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStandard {
    /// The year stands in other brackets than 〔 〕.
    Brackets,
    /// 第 stands before the number.
    Ordinal,
    /// The number has a leading zero.
    LeadingZero,
    /// A code, a year of four digits in 〔 〕, digits and 号, and nothing else.
    Form,
}

impl NotStandard {
    /// A word for it: `brackets`, `ordinal`, `leading-zero`, `form`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Brackets => "brackets",
            Self::Ordinal => "ordinal",
            Self::LeadingZero => "leading-zero",
            Self::Form => "form",
        }
    }
}

const OPEN: [char; 6] = ['〔', '［', '[', '（', '(', '【'];
const CLOSE: [char; 6] = ['〕', '］', ']', '）', ')', '】'];

/// No office counts further in a year: what says so is misread or mistyped, and would take all numbers before it.
const LARGEST: u32 = 999_999;

impl DocumentNumber {
    /// Reads a number that fills `text`; blanks are ignored. None when it is not of the form, or over 999,999.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let rest = text.strip_suffix('号')?;
        let open = rest.find(OPEN)?;
        let close = rest.find(CLOSE)?;
        let series = &rest[..open];
        let year = rest.get(open..close)?.trim_start_matches(OPEN);
        let number = rest[close..].trim_start_matches(CLOSE).trim_start_matches('第');
        if year.len() != 4 || series.contains(|c: char| c.is_ascii_digit() || c == '，' || c == '。') {
            return None;
        }
        let year = year.parse().ok().filter(|year| (1900..3000).contains(year))?;
        let number = number.parse().ok().filter(|number| (1..=LARGEST).contains(number))?;
        Some(Self { series: series.to_owned(), year, number })
    }

    /// Takes a number that a person types: only the standard form will do.
    ///
    /// # Errors
    /// What is not as the standard has it.
    pub fn strict(text: &str) -> Result<Self, NotStandard> {
        let parsed = Self::parse(text).filter(|number| number.to_string() == text);
        let why = || {
            if !(text.contains('〔') && text.contains('〕')) {
                NotStandard::Brackets
            } else if text.contains('第') {
                NotStandard::Ordinal
            } else if text.contains("〕0") {
                NotStandard::LeadingZero
            } else {
                NotStandard::Form
            }
        };
        parsed.ok_or_else(why)
    }

    /// The next of its series.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { number: self.number + 1, ..self.clone() }
    }
}

impl fmt::Display for DocumentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}〔{}〕{}号", self.series, self.year, self.number)
    }
}

/// Reads an ordinal in Arabic (also full-width) or Chinese digits: `99`, `９９`, `九十九`, `一百零三`, `二〇二五`.
/// None for anything else, for more than 9 characters, and for zero.
#[must_use]
pub fn ordinal(text: &str) -> Option<u32> {
    let digit = |c: char| match c {
        '0'..='9' => Some(c as u32 - '0' as u32),
        '０'..='９' => Some(c as u32 - '０' as u32),
        '〇' | '○' | '零' => Some(0),
        '两' => Some(2),
        _ => "一二三四五六七八九".chars().position(|d| d == c).map(|at| at as u32 + 1),
    };
    if text.is_empty() || text.chars().count() > 9 {
        return None;
    }
    let value = if text.contains(['十', '百', '千', '廿']) {
        let (mut total, mut pending) = (0, None);
        for c in text.chars() {
            match c {
                '廿' => total += 20,
                '十' | '百' | '千' => {
                    let unit = match c {
                        '十' => 10,
                        '百' => 100,
                        _ => 1000,
                    };
                    total += pending.take().unwrap_or(1) * unit;
                }
                _ => pending = Some(digit(c)?),
            }
        }
        total + pending.unwrap_or(0)
    } else {
        text.chars().try_fold(0_u32, |value, c| value.checked_mul(10)?.checked_add(digit(c)?))?
    };
    (value > 0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_in_the_standard_form() {
        for (text, printed) in [
            ("〔2020〕17号", "〔2020〕17号"),
            ("云政纪〔2025〕 3 号", "云政纪〔2025〕3号"),
            ("云政办[2024]5号", "云政办〔2024〕5号"),
            ("会议纪要（2023）12号", "会议纪要〔2023〕12号"),
        ] {
            assert_eq!(DocumentNumber::parse(text).map(|n| n.to_string()).as_deref(), Some(printed));
        }
        assert_eq!(DocumentNumber::parse("〔2020〕17号").unwrap().next().to_string(), "〔2020〕18号");
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in [
            "",
            "号",
            "2020年17号",
            "〔2020〕号",
            "〔20〕1号",
            "〔2020〕0号",
            "〕2020〔1号",
            "〔2020〕17",
            "〔一〕号〔号",
            "〔2020〕1000000号",
            "〔2020〕4294967295号",
        ] {
            assert_eq!(DocumentNumber::parse(text), None, "{text}");
        }
    }

    #[test]
    fn req_04_a_typed_number_is_of_the_standard_form() {
        for text in ["〔2020〕17号", "云政纪〔2020〕17号"] {
            assert_eq!(DocumentNumber::strict(text).unwrap().to_string(), text);
        }
        for (text, why) in [
            ("[2020]17号", NotStandard::Brackets),
            ("〔20〕17号", NotStandard::Form),
            ("〔2020〕017号", NotStandard::LeadingZero),
            ("〔2020〕第17号", NotStandard::Ordinal),
            ("〔2020〕 17号", NotStandard::Form),
            ("〔2020〕17", NotStandard::Form),
        ] {
            assert_eq!(DocumentNumber::strict(text), Err(why), "{text}");
        }
    }

    #[test]
    fn ordinals_in_every_script() {
        for (text, value) in [
            ("99", 99),
            ("９９", 99),
            ("九十九", 99),
            ("十", 10),
            ("十九", 19),
            ("一百零三", 103),
            ("二〇二五", 2025),
            ("廿一", 21),
        ] {
            assert_eq!(ordinal(text), Some(value), "{text}");
        }
        for text in ["", "零", "甲", "9a", "99999999999"] {
            assert_eq!(ordinal(text), None, "{text}");
        }
    }
}
