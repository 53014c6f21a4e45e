//! Instants and ranges of them.

use std::fmt;
use std::time::Duration;

use jiff::civil;
use jiff::tz::TimeZone;

/// An instant in microseconds since 1970-01-01T00:00:00Z, between the years 1 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

const MIN_MICROS: i64 = -62_135_596_800_000_000; // 0001-01-01T00:00:00Z
const MAX_MICROS: i64 = 253_402_207_199_999_999; // 9999-12-30T21:59:59.999999Z, the last instant that jiff prints

/// A text or number that is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no time: {problem}")]
pub struct TimestampError {
    text: String,
    problem: String,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// The first instant that can be told.
    pub const MIN: Self = Self(MIN_MICROS);
    /// The last instant that can be told.
    pub const MAX: Self = Self(MAX_MICROS);

    /// The instant so many microseconds after 1970; out of range is brought to the nearest end.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(MIN_MICROS, MAX_MICROS))
    }

    /// The instant so many seconds after 1970; out of range is brought to the nearest end.
    #[must_use]
    pub fn from_secs(secs: i64) -> Self {
        Self::from_micros(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Seconds since 1970 with their fraction.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Reads an RFC 3339 instant, which must name its zone: `2025-08-06T10:00:00Z`, `…+02:00`.
    ///
    /// # Errors
    /// When the text is no such instant or the year is out of range.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let wrong = |problem: String| TimestampError {
            text: shorten(text),
            problem,
        };
        if text.len() > 64 {
            return Err(wrong("expected RFC 3339 such as 2025-08-06T10:00:00Z".to_owned()));
        }
        match text.parse::<jiff::Timestamp>() {
            Ok(it) if (MIN_MICROS..=MAX_MICROS).contains(&it.as_microsecond()) => Ok(Self(it.as_microsecond())),
            Ok(_) => Err(wrong("the year must lie between 1 and 9999".to_owned())),
            Err(_) if text.parse::<civil::DateTime>().is_ok() => Err(wrong(
                "the zone is missing; end it with Z or an offset such as +02:00".to_owned(),
            )),
            Err(_) => Err(wrong("expected RFC 3339 such as 2025-08-06T10:00:00Z".to_owned())),
        }
    }

    /// Reads an instant as tables write them: RFC 3339, or a date and time without zone, which is taken as UTC.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn parse_utc(text: &str) -> Result<Self, TimestampError> {
        Self::parse(text).or_else(|cause| {
            let civil: civil::DateTime = text.trim().parse().map_err(|_| cause.clone())?;
            let zoned = civil.to_zoned(TimeZone::UTC).map_err(|_| cause.clone())?;
            let micros = zoned.timestamp().as_microsecond();
            if (MIN_MICROS..=MAX_MICROS).contains(&micros) {
                Ok(Self(micros))
            } else {
                Err(cause)
            }
        })
    }

    /// This instant moved by a span of microseconds, forward or back, held inside the range.
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// This instant and so much later.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        self.plus_micros(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
    }

    /// This instant less so much.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        self.plus_micros(i64::try_from(span.as_micros()).map_or(i64::MIN, |it| -it))
    }

    /// Seconds from `earlier` to this instant; negative when `earlier` is later.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.0.saturating_sub(earlier.0)) as f64 / 1e6
    }

    /// The microseconds since an earlier instant, negative when it is later; sums of them are exact in any order.
    #[must_use]
    pub fn micros_since(self, earlier: Self) -> i128 {
        i128::from(self.0) - i128::from(earlier.0)
    }

    /// The hour of the day in UTC, 0 to 23.
    #[must_use]
    pub fn hour(self) -> u8 {
        (self.as_secs().rem_euclid(86_400) / 3_600) as u8
    }

    /// The seconds since midnight in UTC.
    #[must_use]
    pub fn second_of_day(self) -> f64 {
        self.0.rem_euclid(86_400_000_000) as f64 / 1e6
    }

    /// The day of the week in UTC, Monday 0 to Sunday 6.
    #[must_use]
    pub fn weekday(self) -> u8 {
        (self.as_secs().div_euclid(86_400) + 3).rem_euclid(7) as u8
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = jiff::Timestamp::from_microsecond(self.0).expect("the range was checked when it was made");
        write!(f, "{it}")
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The instants from `start` up to but without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// The first instant inside.
    pub start: Timestamp,
    /// The first instant after.
    pub end: Timestamp,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self {
        start: Timestamp::MIN,
        end: Timestamp::MAX,
    };

    /// Whether the instant lies inside.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(
            Timestamp::parse(text).ok().map(|it| it.to_string()).as_deref(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn only_instants_with_a_zone_are_read() {
        check("2025-08-06T10:00:00Z", Some("2025-08-06T10:00:00Z"));
        check("2025-08-06T12:00:00.25+02:00", Some("2025-08-06T10:00:00.25Z"));
        check("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z"));
        check("2025-08-06T10:00:00", None);
        check("1754474400", None);
        check("yesterday", None);
        check("", None);
        check(&"9".repeat(10_000), None);
    }

    #[test]
    fn a_time_without_zone_says_how_to_mend_it() {
        let error = Timestamp::parse("2025-08-06T10:00:00").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`2025-08-06T10:00:00` is no time: the zone is missing; end it with Z or an offset such as +02:00"
        );
    }

    #[test]
    fn tables_may_leave_the_zone_out() {
        assert_eq!(
            Timestamp::parse_utc("2014-04-01T00:00:00").unwrap(),
            Timestamp::parse("2014-04-01T00:00:00Z").unwrap()
        );
        assert_eq!(
            Timestamp::parse_utc("2014-04-01 00:05:00").unwrap(),
            Timestamp::parse("2014-04-01T00:05:00Z").unwrap()
        );
        assert!(Timestamp::parse_utc("1,5").is_err());
    }

    #[test]
    fn hours_and_days_are_those_of_utc() {
        let at = Timestamp::parse("2026-11-22T23:59:59Z").unwrap();
        assert_eq!((at.hour(), at.weekday()), (23, 6));
        let before_1970 = Timestamp::parse("1969-12-31T23:00:00Z").unwrap();
        assert_eq!((before_1970.hour(), before_1970.weekday()), (23, 2));
    }

    #[test]
    fn the_ends_of_time_can_be_printed() {
        assert!(Timestamp::MAX.to_string().starts_with("9999-12-30"));
        assert_eq!(Timestamp::from_micros(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::MIN);
    }
}
