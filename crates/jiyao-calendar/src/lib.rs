//! Dates, working days and the clock. Civil dates are dates in an organ's zone, instants are UTC; nobody else asks the
//! system for the time.

mod holidays;

pub use holidays::{Holidays, TableError, UnknownYear};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use jiff::{Timestamp, civil::Date};

/// Where the time comes from. An argument everywhere, so that tests and replays are deterministic.
pub trait Clock: Send + Sync + 'static {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;

    /// Time that passed since a moment of the machine's own, sleep included. Nobody sets it.
    fn passed(&self) -> Duration;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn passed(&self) -> Duration {
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::try_from(since_boot).unwrap_or_default()
    }
}

/// A clock that stands still until it is told to move. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<Mutex<(Timestamp, Duration)>>);

impl TestClock {
    /// Stands at this instant.
    #[must_use]
    pub fn at(instant: Timestamp) -> Self {
        Self(Arc::new(Mutex::new((instant, Duration::ZERO))))
    }

    fn both(&self) -> MutexGuard<'_, (Timestamp, Duration)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves forward as time passes.
    pub fn advance(&self, by: Duration) {
        let mut both = self.both();
        both.0 = both.0.saturating_add(by).unwrap_or(Timestamp::MAX);
        both.1 = both.1.saturating_add(by);
    }

    /// Is set to another instant while no time passes.
    pub fn set(&self, instant: Timestamp) {
        self.both().0 = instant;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.both().0
    }

    fn passed(&self) -> Duration {
        self.both().1
    }
}

/// The civil date of a year, month and day, if there is such a day.
#[must_use]
pub fn date(year: u32, month: u32, day: u32) -> Option<Date> {
    Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
}

/// Reads an ISO date, `2020-06-02` and nothing else.
#[must_use]
pub fn parse_iso(text: &str) -> Option<Date> {
    let date: Date = text.parse().ok()?;
    (date.to_string() == text).then_some(date)
}

/// The civil date of an instant in a time zone; in UTC where the zone is not known.
#[must_use]
pub fn civil_date(instant: Timestamp, zone: &str) -> Date {
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    instant.to_zoned(zone).date()
}

/// An instant of so many seconds since 1970 as people read it in a time zone, with its offset:
/// `2020-06-16 10:00 +08:00`; in UTC where the zone is not known.
#[must_use]
pub fn printed_instant(seconds: i64, zone: &str) -> String {
    let instant = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    instant.to_zoned(zone).strftime("%Y-%m-%d %H:%M %:z").to_string()
}

/// An instant as headers of HTTP spell it: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

/// So many days later; the last day there is where there is none.
#[must_use]
pub fn days_later(day: Date, days: i64) -> Date {
    day.saturating_add(jiff::Span::new().days(days.clamp(-3_000_000, 3_000_000)))
}

/// Days from one day to another, negative backwards.
#[must_use]
pub fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

/// Whether the name is of a known time zone, e.g. `Asia/Shanghai`.
#[must_use]
pub fn is_time_zone(name: &str) -> bool {
    jiff::tz::TimeZone::get(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_days_are_dates() {
        assert_eq!(date(2020, 6, 2).unwrap().to_string(), "2020-06-02");
        assert_eq!(date(2023, 2, 29), None);
        assert_eq!(date(2024, 13, 1), None);
        assert!(parse_iso("2024-02-29").is_some());
        assert!(parse_iso("2023-02-29").is_none());
        assert!(parse_iso("20240229").is_none());
        assert_eq!(
            civil_date("2020-06-15T17:00:00Z".parse().unwrap(), "Asia/Shanghai").to_string(),
            "2020-06-16"
        );
        let (one, other) = (parse_iso("2020-02-28").unwrap(), parse_iso("2020-03-01").unwrap());
        assert_eq!((days_between(one, other), days_between(other, one), days_later(one, 2)), (2, -2, other));
        let at = http_date("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at, Some(Timestamp::from_second(784_111_777).unwrap()));
        assert_eq!(http_date("1994-11-06"), None);
        assert_eq!(printed_instant(1_592_272_800, "Asia/Shanghai"), "2020-06-16 10:00 +08:00");
        assert_eq!(printed_instant(1_592_272_800, "Asia/Nowhere"), "2020-06-16 02:00 +00:00");
        assert!(is_time_zone("Asia/Shanghai") && !is_time_zone("Asia/Nowhere"));
    }

    #[test]
    fn a_test_clock_moves_only_when_told() {
        let clock = TestClock::at(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), clock.now());
        clock.advance(Duration::from_secs(3));
        assert_eq!(clock.now().as_second(), 3);
    }
}
