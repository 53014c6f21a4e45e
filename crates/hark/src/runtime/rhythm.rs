//! How often a device speaks, learned from the gaps between its readings.

use serde::{Deserialize, Serialize};

/// A gap of so many usual ones is silence.
const MISSED: f64 = 5.0;

/// So is one of so many of its long ones, so that a device that speaks in bursts is not called silent between them.
const LONG_MISSED: f64 = 2.0;

/// Which gaps are long: all but one in fifty.
const LONG: f64 = 0.98;

/// From so many gaps on the rhythm is known.
const KNOWN: u64 = 3;

/// The step by which a quantile follows, in powers of e, at first and at last.
const STEPS: (f64, f64) = (1.0, 0.02);

/// The long gap follows so much faster, as one in fifty must outweigh the other forty-nine.
const LONG_PACE: f64 = 10.0;

/// The usual gap and the long one, followed as quantiles on the logarithm of the seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Rhythm {
    gaps: u64,
    usual: f64,
    long: f64,
}

impl Rhythm {
    /// Takes in the seconds between two readings.
    pub(crate) fn hear(&mut self, seconds: f64) {
        if !(seconds.is_finite() && seconds > 0.0) {
            return;
        }
        let gap = seconds.max(1e-3).ln();
        self.gaps += 1;
        if self.gaps == 1 {
            (self.usual, self.long) = (gap, gap);
            return;
        }
        let step = (STEPS.0 / self.gaps as f64).max(STEPS.1);
        // Near enough is there: a steady device keeps its rhythm to the last digit.
        if (gap - self.usual).abs() > step {
            self.usual += step * (gap - self.usual).signum();
        } else {
            self.usual += step * (gap - self.usual);
        }
        let beyond = if gap > self.long { LONG } else { LONG - 1.0 };
        self.long = (self.long + LONG_PACE * step * beyond).max(self.usual);
    }

    /// The usual gap in seconds, once it is known.
    pub(crate) fn usual_seconds(&self) -> Option<f64> {
        (self.gaps >= KNOWN).then(|| self.usual.exp())
    }

    /// After so many seconds without a reading the device is silent, but never before the grace is over.
    pub(crate) fn patience(&self, grace: f64) -> Option<f64> {
        let usual = self.usual_seconds()?;
        Some((MISSED * usual).max(LONG_MISSED * self.long.exp()).max(grace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The patience after these gaps, told many times over.
    #[track_caller]
    fn check(gaps: &[f64], times: usize, from: f64, to: f64) {
        let mut rhythm = Rhythm::default();
        (0..times).for_each(|_| gaps.iter().for_each(|it| rhythm.hear(*it)));
        let patience = rhythm.patience(60.0).unwrap();
        assert!((from..=to).contains(&patience), "{patience}");
    }

    #[test]
    fn silence_is_five_usual_gaps_and_at_least_the_grace() {
        check(&[10.0], 5, 60.0, 60.0);
        check(&[60.0], 10, 299.0, 301.0);
        check(&[600.0], 1_000, 2_999.0, 3_001.0);
        assert_eq!(Rhythm::default().patience(60.0), None);
    }

    #[test]
    fn a_gap_now_and_then_does_not_change_the_rhythm() {
        let mut gaps = [60.0; 100];
        gaps[50] = 7_200.0;
        check(&gaps, 20, 290.0, 330.0);
    }

    #[test]
    fn a_device_that_speaks_in_bursts_has_longer() {
        let mut gaps = [1.0; 10];
        gaps[9] = 600.0;
        check(&gaps, 100, 600.0, 20_000.0);
    }

    #[test]
    fn another_rhythm_is_learned() {
        let mut rhythm = Rhythm::default();
        (0..1_000).for_each(|_| rhythm.hear(10.0));
        (0..300).for_each(|_| rhythm.hear(600.0));
        let usual = rhythm.usual_seconds().unwrap();
        assert!((590.0..610.0).contains(&usual), "{usual}");
    }
}
