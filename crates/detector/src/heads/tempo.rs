//! How fast the heads forget: half-lives in time, with a unit that each device brings or the configuration sets.

use serde::{Deserialize, Serialize};

/// A silence counts as at most so many usual intervals: it is no evidence that the device has changed.
pub(super) const LONGEST_GAP: f64 = 8.0;

/// An interval this much longer or shorter than the usual one moves the estimate of the usual one.
const TOLERANCE: f64 = 1.1;

/// A device that comes to report so many times as often, or less, does so at much the same pace as before.
const SAME: std::ops::RangeInclusive<f64> = 0.6..=1.6;

/// An interval between these, in usual ones, counts as one: clocks that tick as slowly as the device reports round a
/// reading that comes late up to a whole further interval.
const JITTER: std::ops::RangeInclusive<f64> = 0.6..=2.1;

/// What one unit of the half-lives is.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Unit {
    /// The device's own usual interval: a half-life of 300 is 50 minutes where readings come every ten seconds.
    #[default]
    Interval,
    /// So many seconds, the same for all devices however often they report.
    Seconds(f64),
}

/// The half-lives of the heads, in units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tempo {
    /// What one unit is.
    pub unit: Unit,
    /// Of the level that deviations are measured from.
    pub level: f64,
    /// Of the smoothed deviation.
    pub smooth: f64,
    /// Of the roughness: the mean square of the steps between readings.
    pub rough: f64,
    /// Of scales and covariances, once learned.
    pub scale: f64,
    /// Of the errors that tell the skill of the time-of-day profile, and of the slow level of head B.
    pub profile: f64,
    /// The longest hold: a deviation that lasts longer is a new regime.
    pub hold: f64,
    /// Of the short and the long mean whose distance is head B's first magnitude.
    pub quick: (f64, f64),
    /// Of the short and the long mean whose distance is head B's third magnitude.
    pub wide: (f64, f64),
    /// The memory of head B's tails, in units.
    pub tail: f64,
    /// No second alert comes within so many units of the first.
    pub refractory: f64,
    /// Of the count of alerts that raises the bar for the next.
    pub alerts: f64,
}

impl Default for Tempo {
    fn default() -> Self {
        Self {
            unit: Unit::Interval,
            level: 300.0,
            smooth: 10.0,
            rough: 20.0,
            scale: 1e5,
            profile: 4_000.0,
            hold: 600.0,
            quick: (5.0, 3_000.0),
            wide: (10.0, 200.0),
            tail: 3_000.0,
            refractory: 100.0,
            alerts: 1_000.0,
        }
    }
}

impl Unit {
    /// How many units a reading counts as where readings are counted, at this usual interval in seconds.
    pub(crate) fn counted(self, interval: f64) -> f64 {
        match self {
            Self::Interval => 1.0,
            Self::Seconds(seconds) => (interval / seconds).min(1.0),
        }
    }
}

impl Tempo {
    /// The first half-life that is no positive number, if there is one.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, f64)> {
        let unit = match self.unit {
            Unit::Interval => 1.0,
            Unit::Seconds(seconds) => seconds,
        };
        let all = [
            ("unit", unit),
            ("level", self.level),
            ("smooth", self.smooth),
            ("rough", self.rough),
            ("scale", self.scale),
            ("profile", self.profile),
            ("hold", self.hold),
            ("quick", self.quick.0.min(self.quick.1)),
            ("wide", self.wide.0.min(self.wide.1)),
            ("tail", self.tail),
            ("refractory", self.refractory),
            ("alerts", self.alerts),
        ];
        all.into_iter().find(|(_, it)| !(*it > 0.0 && it.is_finite()))
    }
}

/// The weights that a new value has after some units of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weights {
    pub(crate) units: f64,
    /// The time as what counts readings knows it: a usual reading takes no more than one unit of it.
    pub(crate) readings: f64,
    pub(crate) level: f64,
    pub(crate) smooth: f64,
    /// As `smooth`, over so many readings at least.
    pub(crate) place: f64,
    pub(crate) rough: f64,
    pub(crate) scale: f64,
    pub(crate) profile: f64,
    pub(crate) quick: (f64, f64),
    pub(crate) wide: (f64, f64),
    pub(crate) tail: f64,
    pub(crate) alerts: f64,
}

impl Weights {
    fn after(units: f64, sparse: Sparse, tempo: &Tempo) -> Self {
        let weight = |half_life: f64| 1.0 - 0.5_f64.powf(units / half_life);
        let smoothing = |half_life: f64| 1.0 - 0.5_f64.powf(units / sparse.smoothed / half_life);
        let readings = units / sparse.counted;
        let counting = |half_life: f64| 1.0 - 0.5_f64.powf(readings / half_life);
        Self {
            units,
            readings,
            level: weight(tempo.level),
            smooth: smoothing(tempo.smooth),
            place: counting(tempo.smooth),
            rough: smoothing(tempo.rough),
            scale: weight(tempo.scale),
            profile: weight(tempo.profile),
            quick: (weight(tempo.quick.0), weight(tempo.quick.1)),
            wide: (weight(tempo.wide.0), weight(tempo.wide.1)),
            tail: (readings / tempo.tail).min(1.0),
            alerts: counting(tempo.alerts),
        }
    }
}

/// How many units a usual reading takes where it is to count as one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sparse {
    /// Where the noise is smoothed that was learned: for a device that has come to report less often, since the noise that is
    /// left of so many readings is what it learned.
    smoothed: f64,
    /// Where readings are counted, and where the place of a device is smoothed: how seldom something is shows over readings, and
    /// a place that is smoothed over a reading or two is noise.
    counted: f64,
}

impl Sparse {
    const NOT: Self = Self {
        smoothed: 1.0,
        counted: 1.0,
    };
}

/// A tempo with the weights after one unit, which nearly all readings use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    pub(crate) tempo: Tempo,
    unit: Weights,
}

impl Pace {
    /// The pace of a tempo.
    #[must_use]
    pub fn new(tempo: Tempo) -> Self {
        Self {
            unit: Weights::after(1.0, Sparse::NOT, &tempo),
            tempo,
        }
    }

    /// The weight of one unit in a level.
    pub(crate) fn level(&self) -> f64 {
        self.unit.level
    }

    /// The weights after so many units.
    #[expect(
        clippy::float_cmp,
        reason = "exactly one unit is the usual case and needs no arithmetic"
    )]
    pub(crate) fn weights(&self, units: f64, sparse: Sparse) -> Weights {
        if units == 1.0 && sparse == Sparse::NOT {
            self.unit
        } else {
            Weights::after(units, sparse, &self.tempo)
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::new(Tempo::default())
    }
}

/// How often a device reports: its usual interval, found by small steps towards the median.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Rhythm {
    /// In seconds; 0 before the second reading.
    pub(crate) interval: f64,
    /// How many intervals were seen.
    pub(crate) seen: u32,
    /// The usual interval while the device learned, in seconds: what it learned is told in it.
    pub(crate) learned: f64,
}

impl Rhythm {
    /// The units that a reading usually takes.
    pub(crate) fn step(&self, unit: Unit) -> f64 {
        match unit {
            Unit::Interval => self.slower(),
            Unit::Seconds(unit) => self.interval / unit,
        }
    }

    /// How many times as long as while it learned the device takes between readings; 1 where that is much the same.
    fn slower(&self) -> f64 {
        let ratio = self.interval / self.learned;
        if self.learned > 0.0 && !SAME.contains(&ratio) {
            ratio
        } else {
            1.0
        }
    }

    /// What an interval in seconds counts as, and the rhythm after it.
    pub(crate) fn hear(&mut self, seconds: Option<f64>, unit: Unit, is_learning: bool) -> Heard {
        let Some(seconds) = seconds else {
            return Heard {
                units: 1.0,
                seconds: 0.0,
                missed: 0.0,
                sparse: Sparse::NOT,
            };
        };
        if self.seen == 0 {
            self.interval = seconds;
        }
        self.seen = self.seen.saturating_add(1);
        let step = 1.0 + (1.0 / f64::from(self.seen)).max(0.02);
        if seconds > self.interval * TOLERANCE {
            self.interval *= step;
        } else if seconds < self.interval / TOLERANCE {
            self.interval /= step;
        }
        if is_learning {
            self.learned = self.interval;
        }
        let counted = seconds.min(LONGEST_GAP * self.interval);
        let units = match unit {
            Unit::Seconds(unit) => counted / unit,
            Unit::Interval if JITTER.contains(&(seconds / self.interval)) => self.slower(),
            Unit::Interval => self.slower() * counted / self.interval,
        };
        Heard {
            units,
            seconds: counted,
            missed: seconds - counted,
            sparse: self.sparse(unit),
        }
    }

    fn sparse(&self, unit: Unit) -> Sparse {
        match unit {
            Unit::Interval => Sparse {
                smoothed: self.slower(),
                counted: self.slower(),
            },
            Unit::Seconds(seconds) => Sparse {
                smoothed: 1.0,
                counted: (self.interval / seconds).max(1.0),
            },
        }
    }
}

/// The time that a reading stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Heard {
    pub(crate) units: f64,
    pub(crate) seconds: f64,
    /// The rest of a silence that is too long to count, in seconds.
    pub(crate) missed: f64,
    pub(crate) sparse: Sparse,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_readings_forget_as_much_as_one_of_twice_the_time() {
        let pace = Pace::default();
        let (one, two) = (pace.weights(1.0, Sparse::NOT), pace.weights(2.0, Sparse::NOT));
        let twice = |weight: f64| 1.0 - (1.0 - weight).powi(2);
        for (one, two) in [(one.level, two.level), (one.smooth, two.smooth), (one.scale, two.scale)] {
            assert!((twice(one) - two).abs() < 1e-12);
        }
    }

    #[track_caller]
    fn check(unit: Unit, intervals: &[f64], expected: f64) {
        let mut rhythm = Rhythm::default();
        let mut last = 0.0;
        for seconds in intervals {
            last = rhythm.hear(Some(*seconds), unit, true).units;
        }
        assert!((last - expected).abs() < 0.01, "{last}");
    }

    #[test]
    fn the_usual_interval_is_one_unit_whatever_it_is() {
        check(Unit::Interval, &[10.0; 50], 1.0);
        check(Unit::Interval, &[600.0; 50], 1.0);
        check(Unit::Interval, &[1.0, 1.0, 1.0, 2.0], 1.0);
        check(Unit::Interval, &[1.0, 1.0, 1.0, 1.0, 5.0], 5.0 / 1.2);
        check(Unit::Seconds(10.0), &[600.0; 50], 60.0);
    }

    #[test]
    fn who_comes_to_report_less_often_forgets_as_much_in_the_same_time() {
        let mut rhythm = Rhythm::default();
        let mut hear = |seconds: f64, is_learning| rhythm.hear(Some(seconds), Unit::Interval, is_learning).units;
        (0..100).for_each(|_| assert_eq!(hear(60.0, true), 1.0));
        let later = (0..200).map(|_| hear(300.0, false)).last();
        assert!(later.is_some_and(|it| (it - 5.0).abs() < 0.5), "{later:?}");
    }

    #[test]
    fn a_long_silence_counts_as_a_few_intervals() {
        let mut rhythm = Rhythm::default();
        (0..100).for_each(|_| {
            rhythm.hear(Some(10.0), Unit::Interval, true);
        });
        let heard = rhythm.hear(Some(7.0 * 86_400.0), Unit::Interval, false);
        assert!(heard.units < 9.0 && heard.seconds < 90.0, "{heard:?}");
    }
}
