//! How high a score must be for a person to be told: the budget, by the tail of the scores themselves.
//!
//! Scores are logarithms of "how many times normal". Raised to a power between that of exponential and of Gaussian
//! noise, how many times normal falls off nearly as an exponential distribution, the simplest of the generalised Pareto
//! family (Pickands 1975). Its scale comes from the upper tenth of the training scores, of which a part may be anomalies: they are
//! told from the tail as a second component, spread evenly over all scores (expectation and maximisation).

use crate::incident::IncidentRules;
use crate::threshold::quantile;

/// The power.
const POWER: f64 = 1.5;

/// The shape of the tail in that family, which a training with anomalies in it cannot tell: that of simulated fleets without
/// any, whose incidents at budgets of 0.1 to 10 it has about right: hardly any.
const SHAPE: f64 = 1.0 / 400.0;

/// The tail begins above this share of the scores.
const BODY: f64 = 0.9;

/// The share of scores that lies below the upper end which a device's own scores are compared by.
pub(crate) const UPPER: f64 = 0.9;

/// This share of seldom high readings begins an incident: the others come right after one that did.
const CLUSTER: f64 = 0.4;

/// For so many readings a high one leaves a mark on those after it: the mean memory of the roughness, the slowest of what
/// makes a score.
const MARK: f64 = 20.0 / std::f64::consts::LN_2;

/// Steps of expectation and maximisation; it has settled long before.
const ROUNDS: usize = 60;

/// The narrowest range of scores that anomalies are taken to be spread over.
const LEAST_RANGE: f64 = 0.5;

const WEEK_SECONDS: f64 = 7.0 * 86_400.0;

/// The tail of the scores of normal readings over a fleet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Where the tail begins, as a power of how many times normal.
    pub(crate) start: f64,
    /// How fast it falls off.
    pub(crate) scale: f64,
    /// The share of readings beyond the start.
    pub(crate) share: f64,
    /// The usual upper end of the scores, which a device's own is compared with.
    pub(crate) upper: f64,
    /// The weeks that devices were watched for it, all together.
    pub(crate) weeks: f64,
    /// How many things of their own the tail was found from: high readings in a row are one.
    pub(crate) seen: f64,
}

impl Bar {
    /// The tail of ascending scores from so many readings in so many weeks. `contamination` is the largest share taken to be
    /// anomalous.
    pub(crate) fn of(sorted: &[f64], readings: f64, weeks: f64, contamination: f64) -> Self {
        let seen = ((1.0 - BODY) * readings / MARK).max(1.0);
        let powers: Vec<f64> = sorted.iter().map(|it| power(*it)).collect();
        let start = quantile(&powers, BODY);
        let excesses: Vec<f64> = powers.iter().map(|it| it - start).filter(|it| *it > 0.0).collect();
        let fallback = (0.25 * start).max(1e-3);
        let Some((least, most)) = excesses.first().zip(excesses.last()) else {
            return Self {
                start,
                scale: fallback,
                share: 1.0 - BODY,
                upper: quantile(sorted, UPPER),
                weeks,
                seen,
            };
        };
        let range = ((start + most) / (start + least)).ln().max(POWER * LEAST_RANGE);
        let mut scale = (excesses[excesses.len() / 2] / 2.0_f64.ln()).max(1e-6);
        let mut odd = 0.05;
        let most_odd = contamination.min(1.0 - BODY) / (1.0 - BODY);
        for _ in 0..ROUNDS {
            let (mut normal, mut sum) = (0.0, 0.0);
            for excess in &excesses {
                let tail = (1.0 - odd) * (-excess / scale).exp() / scale;
                let anomalies = odd / (range * (excess + start));
                let weight = tail / (tail + anomalies).max(1e-300);
                normal += weight;
                sum += weight * excess;
            }
            if normal <= 0.0 {
                break;
            }
            scale = (sum / normal).max(1e-6);
            odd = (1.0 - normal / excesses.len() as f64).min(most_odd);
        }
        Self {
            start,
            scale,
            share: (1.0 - BODY) * (1.0 - odd),
            upper: quantile(sorted, UPPER),
            weeks,
            seen,
        }
    }

    /// How often in a week a normal device with this usual interval in seconds begins something as high as this. Beyond
    /// [`Bar::most`] it is how often it would, were there room for it. A scale found from so few things may be too small, so
    /// the tail is that which is to be expected after having seen them, `(1 + x / n)^-n` (Lomax 1954). For many, `1 / n` is the
    /// shape of the tail.
    pub(crate) fn weekly(&self, score: f64, interval: f64) -> f64 {
        let beyond = (power(score) - self.start).max(0.0);
        let shape = SHAPE + 1.0 / self.seen;
        let begins = CLUSTER * self.share * (-(shape * beyond / self.scale).ln_1p() / shape).exp();
        let filled = begins * room(interval);
        let apart = if filled < 1.0 {
            (-filled).exp()
        } else {
            (-1.0_f64).exp()
        };
        readings(interval) * begins * apart
    }

    /// The score that a normal device reaches so often in a week, or as often as there is room for, were the tail known.
    pub(crate) fn level(&self, weekly: f64, interval: f64) -> f64 {
        let (wanted, room) = (weekly.min(Self::most(interval)) / readings(interval), room(interval));
        // What begins less what there is no room for, `x exp(-x)`, rises up to `x = 1`.
        let (mut low, mut high) = (0.0, 1.0 / room);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if middle * (-middle * room).exp() < wanted {
                low = middle
            } else {
                high = middle
            }
        }
        let beyond = (CLUSTER * self.share / low.max(1e-300)).max(1.0).powf(SHAPE) - 1.0;
        (self.start + self.scale * beyond / SHAPE).max(1e-9).ln() / POWER
    }

    /// The smallest budget, in false alarms a device and week, that the training could have shown: one in all the time
    /// that it saw. Smaller ones are kept by continuing the tail.
    #[must_use]
    pub fn resolves(&self) -> f64 {
        1.0 / self.weeks.max(1e-9)
    }

    /// The largest budget, in false alarms a device and week, that can be kept with this usual interval in seconds. An
    /// incident begins only where none is open: of what begins at random, `x` times in the time that one takes up, the
    /// share `exp(-x)` does. So there are `x exp(-x)` of them in that time, at most `1/e`.
    #[must_use]
    pub fn most(interval: f64) -> f64 {
        readings(interval) / room(interval) * (-1.0_f64).exp()
    }
}

fn readings(interval: f64) -> f64 {
    WEEK_SECONDS / interval.max(1e-3)
}

/// How many readings an incident takes up at least: until its mark has faded, and until it closes.
fn room(interval: f64) -> f64 {
    MARK + IncidentRules::default().quiet(interval) / interval.max(1e-3)
}

fn power(score: f64) -> f64 {
    (POWER * score.min(100.0)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores whose power has an exponential tail of scale 0.3 above 1, and as many anomalies far out.
    fn scores(count: u32, anomalies: u32) -> Vec<f64> {
        let normal = (0..count).map(|it| {
            let left = 1.0 - (f64::from(it) + 0.5) / f64::from(count);
            (1.0 - 0.3 * (left / 0.2).ln()).max(0.1).ln() / POWER
        });
        let odd = (0..anomalies).map(|it| 1.0 + 2.0 * f64::from(it) / f64::from(anomalies));
        let mut all: Vec<f64> = normal.chain(odd).collect();
        all.sort_unstable_by(f64::total_cmp);
        all
    }

    #[test]
    fn the_tail_is_found_again_with_and_without_anomalies_in_it() {
        for anomalies in [0, 200, 1_000] {
            let bar = Bar::of(&scores(50_000, anomalies), 1e6, 1.0, 0.1);
            assert!((bar.scale / 0.3 - 1.0).abs() < 0.12, "{anomalies} {bar:?}");
        }
    }

    #[test]
    fn level_and_rate_are_each_others_inverse() {
        let bar = Bar::of(&scores(50_000, 500), 1e9, 7.0, 0.1);
        for budget in [0.1, 1.0, 10.0, 100.0] {
            assert!(budget < Bar::most(10.0));
            let again = bar.weekly(bar.level(budget, 10.0), 10.0);
            assert!((again / budget - 1.0).abs() < 1e-4, "{again}");
        }
        assert!(bar.level(0.1, 10.0) > bar.level(1.0, 10.0) && bar.level(1.0, 10.0) > bar.level(1.0, 60.0));
    }

    #[test]
    fn what_few_readings_have_not_shown_is_not_called_rare() {
        let of = |readings| Bar::of(&scores(50_000, 500), readings, 7.0, 0.1);
        let level = of(1e9).level(1.0, 10.0);
        let rates = [1e9, 1e5, 3_000.0, 400.0].map(|it| of(it).weekly(level, 10.0));
        assert!((rates[0] - 1.0).abs() < 1e-4 && rates[1] < 1.2, "{rates:?}");
        assert!(rates[2] > 3.0 && rates[3] > 10.0 * rates[2], "{rates:?}");
    }

    #[test]
    fn constant_scores_and_none_have_a_bar() {
        for scores in [&[][..], &[0.0; 10]] {
            assert!(Bar::of(scores, 0.0, 0.0, 0.1).level(1.0, 10.0).is_finite());
        }
    }
}
