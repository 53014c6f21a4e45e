//! What can be asked of a warehouse, and the shapes of the answers.

use std::time::Duration;

use domain::{DeadLetter, DeviceId, RejectionCode, TimeRange, Timestamp};

/// The most buckets of one answer.
pub const MAX_BUCKETS: u64 = 10_000;

/// Which readings, in which order.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingQuery {
    /// Of this device only.
    pub device_id: Option<DeviceId>,
    /// Of these instants.
    pub range: TimeRange,
    /// Only those with an anomalous verdict.
    pub anomalies_only: bool,
    /// Newest first instead of oldest first.
    pub newest_first: bool,
    /// At most so many.
    pub limit: usize,
    /// Those that follow this place.
    pub after: Option<Cursor>,
}

/// A place in a list of readings or dead letters. Adapters read and write it; callers pass it on as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

impl Cursor {
    /// A place in a list that is ordered by an instant and a name.
    pub(crate) fn at(micros: i64, name: &str) -> Self {
        Self(format!("{micros} {name}"))
    }

    /// Such a place, or why this is none in a list of these.
    pub(crate) fn place(&self, of: &str) -> Result<(i64, &str), String> {
        let place = self.0.split_once(' ');
        let place = place.and_then(|(micros, name)| Some((micros.parse().ok()?, name)));
        place.ok_or_else(|| self.is_none_of(of))
    }

    /// Such a number, or why this is none in a list of these.
    pub(crate) fn number(&self, of: &str) -> Result<i64, String> {
        self.0.parse().map_err(|_| self.is_none_of(of))
    }

    fn is_none_of(&self, of: &str) -> String {
        format!("`{}` is no cursor of a list of {of}", self.0)
    }
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// What is on this page.
    pub items: Vec<T>,
    /// Where the next page begins; none on the last.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// A page of at most so many of what was found, which is more where there is a next page.
    pub(crate) fn cut(mut found: Vec<T>, limit: usize, cursor: impl Fn(&T) -> Cursor) -> Self {
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| has_more).map(cursor);
        Self { items: found, next }
    }
}

/// Which readings to sum up.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketQuery {
    /// Of this device only.
    pub device_id: Option<DeviceId>,
    /// Of these instants.
    pub range: TimeRange,
    /// The width of a bucket; buckets begin at multiples of it since 1970.
    pub width: Duration,
}

/// The readings of one span of time, summed up. Minimum and maximum are exact: no spike is hidden.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// Where it begins.
    pub start: Timestamp,
    /// How many readings.
    pub readings: u64,
    /// How many with an anomalous verdict.
    pub anomalies: u64,
    /// Per declared signal, in order; none where no reading had a value.
    pub signals: Vec<Option<SignalStats>>,
}

/// The values of one signal, summed up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignalStats {
    /// How many values.
    pub count: u64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Their mean.
    pub mean: f64,
}

/// What one device did in a range.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceActivity {
    /// Who.
    pub device_id: DeviceId,
    /// How many readings.
    pub readings: u64,
    /// How many with a verdict.
    pub judged: u64,
    /// How many with an anomalous verdict.
    pub anomalies: u64,
    /// Per declared signal, in order; none where no reading had a value.
    pub signals: Vec<Option<SignalStats>>,
}

/// How many scores lie in one bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreBin {
    /// The lower end, a multiple of the width.
    pub low: f64,
    /// How many.
    pub readings: u64,
    /// How many of them anomalous.
    pub anomalies: u64,
}

/// Which dead letters.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetterQuery {
    /// Of this kind only.
    pub code: Option<RejectionCode>,
    /// At most so many.
    pub limit: usize,
    /// Those that follow this place.
    pub after: Option<Cursor>,
}

/// A dead letter as kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDeadLetter {
    /// Its number.
    pub id: u64,
    /// What was refused.
    pub letter: DeadLetter,
}
