//! Working days (工作日) over a table of public holidays and worked weekends, which the State Council announces year by
//! year. A year without a table is not guessed at.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use jiff::civil::{Date, Weekday};

use crate::parse_iso;

/// Days off on weekdays, weekend days that are worked, and the years for which both are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holidays {
    years: BTreeSet<i16>,
    off: BTreeSet<Date>,
    worked: BTreeSet<Date>,
}

/// No table says which days of this year are worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownYear(pub i16);

impl fmt::Display for UnknownYear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no holiday table for {}", self.0)
    }
}

impl std::error::Error for UnknownYear {}

/// A line of a table that is none of `year Y`, `- DATE`, `+ DATE` and `# …`, or a date outside its year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableError {
    /// From 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}: {:?} is neither `year Y` nor `- DATE` or `+ DATE` of that year",
            self.line, self.text
        )
    }
}

impl std::error::Error for TableError {}

impl Holidays {
    /// The table that ships with this program; its file says where it is from.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the table is a constant, and a test reads it")]
    pub fn shipped() -> &'static Self {
        static SHIPPED: LazyLock<Holidays> = LazyLock::new(|| {
            Holidays::parse(include_str!("../data/holidays.txt")).expect("the shipped table is well-formed")
        });
        &SHIPPED
    }

    /// Reads a table: `year 2026` opens a year, `- 2026-01-01` is off, `+ 2026-01-04` is worked, `#` is a remark.
    ///
    /// # Errors
    /// The first line that is not of the form.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let mut table = Self::default();
        for (at, line) in text.lines().map(str::trim).enumerate() {
            let bad = || TableError { line: at + 1, text: line.to_owned() };
            match line.split_once(' ') {
                _ if line.is_empty() || line.starts_with('#') => {}
                Some(("year", year)) => {
                    table.years.insert(year.parse().map_err(|_| bad())?);
                }
                Some((sign @ ("-" | "+"), date)) => {
                    let date = parse_iso(date).filter(|date| table.years.last() == Some(&date.year()));
                    let days = if sign == "-" { &mut table.off } else { &mut table.worked };
                    days.insert(date.ok_or_else(bad)?);
                }
                _ => return Err(bad()),
            }
        }
        Ok(table)
    }

    /// Whether people work on this day.
    ///
    /// # Errors
    /// No table for its year.
    pub fn is_working(&self, day: Date) -> Result<bool, UnknownYear> {
        if !self.years.contains(&day.year()) {
            return Err(UnknownYear(day.year()));
        }
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        Ok(if weekend { self.worked.contains(&day) } else { !self.off.contains(&day) })
    }

    /// The last day of a period of so many working days that begins on the day after `from`.
    ///
    /// # Errors
    /// No table for a year that it reaches into.
    pub fn after(&self, from: Date, working_days: u32) -> Result<Date, UnknownYear> {
        let (mut day, mut left) = (from, working_days);
        while left > 0 {
            day = day.tomorrow().map_err(|_| UnknownYear(day.year()))?;
            left -= u32::from(self.is_working(day)?);
        }
        Ok(day)
    }

    /// Working days after `from` up to and with `to`; 0 where `to` is not later.
    ///
    /// # Errors
    /// No table for a year in between.
    pub fn between(&self, from: Date, to: Date) -> Result<u32, UnknownYear> {
        let (mut day, mut count) = (from, 0);
        while day < to {
            day = day.tomorrow().map_err(|_| UnknownYear(day.year()))?;
            count += u32::from(self.is_working(day)?);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::date;

    fn day(text: &str) -> Date {
        parse_iso(text).unwrap()
    }

    #[test]
    fn holidays_and_worked_weekends_count_as_the_notices_say() {
        let table = Holidays::shipped();
        // The Dragon Boat Festival of 2020: 25 to 27 June off, Sunday the 28th worked.
        assert_eq!(table.is_working(day("2020-06-25")), Ok(false));
        assert_eq!(table.is_working(day("2020-06-28")), Ok(true));
        assert_eq!(table.after(day("2020-06-12"), 20), Ok(day("2020-07-13")));
        assert_eq!(table.after(day("2020-06-16"), 20), Ok(day("2020-07-15")));
        assert_eq!(table.after(day("2020-06-16"), 3), Ok(day("2020-06-19")));
        assert_eq!(table.between(day("2020-06-12"), day("2020-07-13")), Ok(20));
        assert_eq!(table.between(day("2020-07-13"), day("2020-06-12")), Ok(0));
    }

    #[test]
    fn a_year_without_a_table_is_not_guessed() {
        let last_known = date(2026, 12, 31).unwrap();
        assert_eq!(Holidays::shipped().after(last_known, 1), Err(UnknownYear(2027)));
        let own = Holidays::parse("# ours\nyear 2027\n- 2027-01-01\n+ 2027-01-03\n").unwrap();
        assert_eq!(own.after(last_known, 1), Ok(day("2027-01-03")));
    }

    #[test]
    fn lines_that_are_none_are_named() {
        for (text, line) in [
            ("year x", 1),
            ("\n- 2026-01-01", 2),
            ("year 2026\n* 2026-01-01", 2),
            ("year 2026\n- 2027-01-01", 2),
        ] {
            assert_eq!(Holidays::parse(text).unwrap_err().line, line, "{text}");
        }
    }
}
