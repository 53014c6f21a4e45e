//! Where the line between normal and anomalous lies: a policy, not a constant.

use serde::{Deserialize, Serialize};

/// How the threshold follows from the scores of the training readings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "policy", deny_unknown_fields)]
pub enum ThresholdPolicy {
    /// The reference's rule: the forest's contamination, a fixed share of the training readings, lies beyond it.
    Contamination,
    /// So many flagged readings a week that a normal device may have.
    Budget {
        /// How many, over all signals of the device.
        false_alarms_per_device_week: f64,
    },
}

impl Default for ThresholdPolicy {
    fn default() -> Self {
        Self::Budget {
            false_alarms_per_device_week: 1.0,
        }
    }
}

/// The body of the scores between these quantiles of the trusted part gives the slope of the tail.
const BODY: (f64, f64) = (0.5, 0.9);

/// No threshold lies further than this share of the way from the trusted scores to the score of a value far outside,
/// so that such a value is always told.
const REACH: f64 = 0.8;

/// The threshold, as a forest score, that lets a normal reading pass but for `chance`.
///
/// `scores` are those of the training readings, larger is more anomalous; the highest `contamination` of them is taken
/// to be anomalous and left out. Beyond what is left, the tail is continued as an exponential distribution whose scale
/// comes from the body of the scores, the simplest of the generalised Pareto family (Pickands 1975) and, for scores
/// with a bound above, a cautious one. `extreme` is the score of a value far outside; the threshold stays below it.
///
/// Returns 1 for no scores: nothing is anomalous then.
#[must_use]
pub fn tail_threshold(scores: &mut [f64], contamination: f64, chance: f64, extreme: f64) -> f64 {
    if scores.is_empty() {
        return 1.0;
    }
    scores.sort_unstable_by(f64::total_cmp);
    let trusted = &scores[..trusted_len(scores.len(), contamination)];
    let (low, high) = (quantile(trusted, BODY.0), quantile(trusted, BODY.1));
    let scale = (high - low) / ((1.0 - BODY.0) / (1.0 - BODY.1)).ln();
    let top = *trusted.last().expect("at least one score is trusted");
    let beyond = ((1.0 - BODY.1) / chance.clamp(1e-12, 1.0)).ln();
    let tail = (high + scale * beyond).max(high);
    // A forest that cannot tell a value far outside, since the signal never moved in training, sets no such bound.
    if extreme > top {
        tail.min(top + REACH * (extreme - top))
    } else {
        tail
    }
}

fn trusted_len(len: usize, contamination: f64) -> usize {
    (((1.0 - contamination) * len as f64).floor() as usize).clamp(1, len)
}

/// The quantile of sorted values, by linear interpolation between neighbours. 0 for none.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(count: usize, contaminated: usize) -> Vec<f64> {
        let body = (0..count).map(|it| 0.35 + 0.02 * (-((1.0 - (it as f64 + 0.5) / count as f64).ln())));
        body.chain((0..contaminated).map(|_| 0.75)).collect()
    }

    #[test]
    fn the_tail_of_an_exponential_is_found_again() {
        let threshold = tail_threshold(&mut scores(100_000, 0), 0.0, 1e-3, 0.9);
        let exact = 0.35 + 0.02 * 1e3_f64.ln();
        assert!((threshold - exact).abs() < 0.002, "{threshold} {exact}");
    }

    #[test]
    fn anomalies_in_the_training_data_do_not_raise_it_beyond_themselves() {
        let threshold = tail_threshold(&mut scores(100_000, 2_000), 0.1, 1e-4, 0.75);
        assert!((0.45..0.70).contains(&threshold), "{threshold}");
    }

    #[test]
    fn a_smaller_budget_never_lowers_it_and_it_stays_within_reach() {
        let of = |chance: f64| tail_threshold(&mut scores(10_000, 100), 0.1, chance, 0.7);
        assert!(of(1e-3) <= of(1e-5));
        assert!(of(1e-300) < 0.7);
    }

    #[test]
    fn constant_scores_and_none_have_a_threshold() {
        assert_eq!(tail_threshold(&mut [0.5; 10], 0.1, 1e-5, 0.5), 0.5);
        assert_eq!(tail_threshold(&mut [], 0.1, 1e-5, 0.5), 1.0);
    }
}
