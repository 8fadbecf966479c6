//! Dates and ordinals as minutes print them.

use std::ops::Range;

/// A date found in clean text.
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    pub(crate) iso: String,
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn number(text: &str, range: Range<usize>) -> Option<u32> {
    text.get(range)?.parse().ok()
}

/// The first `2020年6月2日` at or after `from`.
pub(crate) fn find(text: &str, from: usize) -> Option<Found> {
    let mut search = from;
    while let Some(year_end) = text.get(search..)?.find('年').map(|at| at + search) {
        search = year_end + '年'.len_utf8();
        let Some(start) = year_end.checked_sub(4).filter(|start| *start >= from) else { continue };
        let month = search;
        let Some(month_end) =
            text[month..].strip_prefix(|c: char| c.is_ascii_digit()).map(|_| month + digits(&text[month..]))
        else {
            continue;
        };
        let Some(after_month) = text[month_end..].strip_prefix('月') else { continue };
        let day = month_end + '月'.len_utf8();
        let day_end = day + digits(after_month);
        let Some(_) = text[day_end..].strip_prefix('日') else { continue };
        let civil = number(text, start..year_end)
            .zip(number(text, month..month_end))
            .zip(number(text, day..day_end))
            .and_then(|((year, month), day)| jiyao_calendar::date(year, month, day));
        if let Some(civil) = civil {
            return Some(Found { range: start..day_end + '日'.len_utf8(), iso: civil.to_string() });
        }
    }
    None
}

/// The ISO date that a printed date says; None where the text is not one date and nothing else.
#[must_use]
pub fn iso_date(printed: &str) -> Option<String> {
    let found = find(printed, 0)?;
    (found.range == (0..printed.len())).then_some(found.iso)
}

/// The number of a printed ordinal: Arabic or Chinese digits.
#[must_use]
pub fn printed_ordinal(printed: &str) -> Option<u32> {
    jiyao_docnum::ordinal(printed)
}

/// The first digits between `before` and `after` (第 and 次, 十九 and 届): their range and number.
pub(crate) fn ordinal_between(text: &str, before: &str, after: &str) -> Option<(Range<usize>, u32)> {
    for (at, _) in text.match_indices(after) {
        let start = text[..at]
            .char_indices()
            .rev()
            .take(9)
            .take_while(|(_, c)| jiyao_docnum::ordinal(&format!("1{c}")).is_some() || "十百".contains(*c))
            .last()
            .map(|(start, _)| start);
        let Some(start) = start else { continue };
        if text[..start].ends_with(before)
            && let Some(value) = jiyao_docnum::ordinal(&text[start..at])
        {
            return Some((start..at, value));
        }
    }
    None
}
