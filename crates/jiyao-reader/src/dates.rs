//! Dates and ordinals as minutes print them.

use std::ops::Range;
use std::sync::LazyLock;

use compact_str::{CompactString, ToCompactString};
use regex::Regex;

use crate::script::{folded, pattern};

/// A date found in clean text. Without a year `iso` is absent.
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    pub(crate) iso: Option<CompactString>,
    pub(crate) year: Option<Range<usize>>,
    month: u32,
    day: u32,
}

static DATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:(?P<year>[0-9０-９]{4}|[一二三四五六七八九〇零○Ｏ0]{4})年?)?(?P<month>[0-9０-９]{1,2}|十[一二]?|[一二三四五六七八九])月(?P<day>[0-9０-９]{1,2}|[一二三]?十[一二三四五六七八九]?|[一二三四五六七八九])日",
    )
});
/// `2025-04-15` and its like, as pages of the web print them.
static DIGITS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?P<year>[12][0-9]{3})[-./](?P<month>[0-9]{1,2})[-./](?P<day>[0-9]{1,2})"));

fn number(text: &str) -> Option<u32> {
    jiyao_docnum::ordinal(&text.replace(['Ｏ', '○'], "〇"))
}

/// Whether minutes may be of such a year.
fn is_plausible(year: u32) -> bool {
    (1949..2200).contains(&year)
}

/// Dates in the order of the text, with and without a year.
pub(crate) fn all(text: &str) -> impl Iterator<Item = Found> + '_ {
    let words = text.contains('月').then(|| DATE.captures_iter(text)).into_iter().flatten();
    let has_digits = memchr::memchr3(b'-', b'.', b'/', text.as_bytes()).is_some();
    let digits = has_digits.then(|| DIGITS.captures_iter(text)).into_iter().flatten();
    words.chain(digits).filter_map(|captures| {
        let range = captures.get(0)?.range();
        let year = captures.name("year").filter(|year| number(year.as_str()).is_some_and(is_plausible));
        let range =
            year.map_or(captures.name("month")?.start(), |year| year.start().min(range.start))..range.end;
        let (month, day) = (number(&captures["month"])?, number(&captures["day"])?);
        let civil = |year| jiyao_calendar::date(year, month, day).map(|date| date.to_compact_string());
        // Any leap year proves month and day.
        civil(2000)?;
        let iso = match year {
            Some(year) => Some(civil(number(year.as_str())?)?),
            None => None,
        };
        Some(Found { range, iso, year: year.map(|year| year.range()), month, day })
    })
}

impl Found {
    /// The date without its year, which is no part of it.
    pub(crate) fn without_year(self) -> Self {
        let Some(year) = self.year else { return self };
        Self { range: year.end..self.range.end, iso: None, year: None, ..self }
    }

    /// The date in the year that another text names.
    pub(crate) fn in_year(&self, year: &str) -> Option<CompactString> {
        Some(jiyao_calendar::date(number(year)?, self.month, self.day)?.to_compact_string())
    }
}

/// The first whole date at or after `from`.
pub(crate) fn find(text: &str, from: usize) -> Option<(Range<usize>, CompactString)> {
    all(text.get(from..)?)
        .find_map(|found| Some((found.range.start + from..found.range.end + from, found.iso?)))
}

/// The ISO date that a printed date says; None where the text is not one date and nothing else.
#[must_use]
pub fn iso_date(printed: &str) -> Option<String> {
    let (range, iso) = find(printed, 0)?;
    (range == (0..printed.len())).then(|| iso.into_string())
}

/// The number of a printed ordinal: Arabic or Chinese digits.
#[must_use]
pub fn printed_ordinal(printed: &str) -> Option<u32> {
    jiyao_docnum::ordinal(&folded(printed))
}
