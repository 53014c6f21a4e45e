//! Readings and history in, feature vectors out. Only this file makes a feature vector.

use domain::{Reading, Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::history::{DeviceState, SignalHistory};
use super::spec::{Feature, FeatureSpec, MAX_FEATURES};

/// The fleet counts as so many readings of a device's own history. A device that was never heard is judged by the
/// fleet alone; one with a day of readings every ten seconds by itself to 99.7 %.
const FLEET_WEIGHT: f64 = 30.0;

/// The expected range reaches so many standard deviations to either side.
const EXPECTED_DEVIATIONS: f64 = 3.0;

/// What one signal is like over the whole fleet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The mean over all training values.
    pub mean: f64,
    /// The variance over all training values, of the population.
    pub variance: f64,
}

/// What is usual for one signal of one device: its own history with the fleet's baseline mixed in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// The mean.
    pub mean: f64,
    /// The standard deviation; never zero, so that a deviation can be told in it.
    pub deviation: f64,
}

impl Usual {
    /// How many standard deviations the value lies from the mean.
    #[must_use]
    pub fn z_score(&self, value: f64) -> f64 {
        (value - self.mean) / self.deviation
    }

    /// Where the next value is expected.
    #[must_use]
    pub fn span(&self) -> Span {
        let reach = EXPECTED_DEVIATIONS * self.deviation;
        Span {
            low: self.mean - reach,
            high: self.mean + reach,
        }
    }
}

/// One feature vector; the spec says what stands where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureVector {
    features: [f64; MAX_FEATURES],
    len: usize,
}

impl FeatureVector {
    /// The features in the order of the spec.
    #[must_use]
    pub fn as_slice(&self) -> &[f64] {
        &self.features[..self.len]
    }
}

/// The extractor: a spec, and a baseline per signal.
#[derive(Debug, Clone, PartialEq)]
pub struct Extractor {
    spec: FeatureSpec,
    baselines: Vec<Option<Baseline>>,
}

impl Extractor {
    /// An extractor for signals with these baselines, in the order of the declaration. A signal that the training
    /// never saw has none.
    #[must_use]
    pub fn new(spec: FeatureSpec, baselines: Vec<Option<Baseline>>) -> Self {
        Self { spec, baselines }
    }

    /// The spec.
    #[must_use]
    pub fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    /// The fleet's baselines, a place per declared signal.
    #[must_use]
    pub fn baselines(&self) -> &[Option<Baseline>] {
        &self.baselines
    }

    /// What is usual for a signal of a device, before the reading that is to be judged. `None` for a signal without
    /// a baseline.
    #[must_use]
    pub fn usual(&self, state: Option<&DeviceState>, signal: usize) -> Option<Usual> {
        let fleet = (*self.baselines.get(signal)?)?;
        Some(mix(fleet, state.and_then(|it| it.signal(signal))))
    }

    /// What is usual for a signal of a device among peers with this baseline.
    #[must_use]
    pub fn usual_among(&self, peers: Baseline, state: &DeviceState, signal: usize) -> Usual {
        mix(peers, state.signal(signal))
    }

    /// The features of one signal of a reading, seen from the history before it. `None` where the reading has no
    /// value or the signal no baseline.
    #[must_use]
    pub fn extract(&self, state: Option<&DeviceState>, reading: &Reading, signal: usize) -> Option<FeatureVector> {
        let value = reading.values.get(signal)?;
        let usual = self.usual(state, signal)?;
        let history = state.and_then(|it| it.signal(signal));
        let mut vector = FeatureVector {
            features: [0.0; MAX_FEATURES],
            len: self.spec.len(),
        };
        for (slot, feature) in vector.features.iter_mut().zip(self.spec.iter()) {
            *slot = compute(*feature, value, reading.timestamp, history, usual);
        }
        Some(vector)
    }
}

fn compute(feature: Feature, value: f64, at: Timestamp, history: Option<&SignalHistory>, usual: Usual) -> f64 {
    match feature {
        Feature::Value => value,
        Feature::Hour => f64::from(at.hour()),
        Feature::DayOfWeek => f64::from(at.weekday()),
        Feature::MovingAverage { window } => history.map_or(value, |it| it.moving_average(value, window)),
        Feature::ZScore => usual.z_score(value),
    }
}

/// The mean and deviation of two groups put together: the fleet as [`FLEET_WEIGHT`] readings, and the device's own.
fn mix(fleet: Baseline, own: Option<&SignalHistory>) -> Usual {
    let (count, mean, variance) = own.map_or((0.0, 0.0, 0.0), |it| (it.count() as f64, it.mean(), it.variance()));
    let share = count / (count + FLEET_WEIGHT);
    let apart = mean - fleet.mean;
    let variance = (1.0 - share) * fleet.variance + share * variance + share * (1.0 - share) * apart * apart;
    let mean = fleet.mean + share * apart;
    // A signal that never moved still needs a yardstick: one part in a million of its size.
    let floor = 1e-6 * mean.abs().max(1e-6);
    Usual {
        mean,
        deviation: variance.max(0.0).sqrt().max(floor),
    }
}

#[cfg(test)]
mod tests {
    use domain::{DeviceId, Measurement, Signals, Values};

    use super::*;

    fn reading(at: i64, value: f64) -> Reading {
        Reading {
            device_id: DeviceId::new("a").unwrap(),
            timestamp: Timestamp::from_secs(at),
            values: Values::new(vec![Some(Measurement::new(value, "x").unwrap()), None]),
            location: None,
            device_type: None,
            truth: None,
        }
    }

    fn extractor() -> Extractor {
        Extractor::new(
            FeatureSpec::default(),
            vec![
                Some(Baseline {
                    mean: 20.0,
                    variance: 4.0,
                }),
                None,
            ],
        )
    }

    #[test]
    fn an_unknown_device_is_seen_from_the_fleet() {
        let at_three_on_a_friday = reading(3 * 3_600 + 86_400, 26.0);
        let vector = extractor().extract(None, &at_three_on_a_friday, 0).unwrap();
        assert_eq!(vector.as_slice(), [26.0, 3.0, 4.0, 26.0, 3.0]);
    }

    #[test]
    fn a_known_device_is_seen_from_its_own_history() {
        let mut state = DeviceState::new(&Signals::default());
        for at in 0..100_000 {
            state.push(&reading(at * 10, if at % 2 == 0 { 29.0 } else { 31.0 }));
        }
        let vector = extractor().extract(Some(&state), &reading(1_000_010, 33.0), 0).unwrap();
        let [value, _, _, average, z] = vector.as_slice() else {
            panic!("five features")
        };
        assert_eq!((*value, *average), (33.0, (29.0 + 31.0 + 29.0 + 31.0 + 33.0) / 5.0));
        assert!((z - 3.0).abs() < 0.1, "{z}");
    }

    #[test]
    fn the_value_under_judgement_is_not_part_of_its_own_yardstick() {
        let state = DeviceState::new(&Signals::default());
        let near = extractor().extract(Some(&state), &reading(0, 20.0), 0).unwrap();
        let far = extractor().extract(Some(&state), &reading(0, 40.0), 0).unwrap();
        assert_eq!((near.as_slice()[4], far.as_slice()[4]), (0.0, 10.0));
    }

    #[test]
    fn a_signal_without_value_or_baseline_has_no_features() {
        assert_eq!(extractor().extract(None, &reading(0, 20.0), 1), None);
        assert_eq!(extractor().extract(None, &reading(0, 20.0), 2), None);
    }

    #[test]
    fn a_frozen_signal_keeps_every_feature_finite() {
        let frozen = Extractor::new(
            FeatureSpec::default(),
            vec![Some(Baseline {
                mean: 0.0,
                variance: 0.0,
            })],
        );
        let vector = frozen.extract(None, &reading(0, 1e15), 0).unwrap();
        assert!(vector.as_slice().iter().all(|it| it.is_finite()));
    }
}
