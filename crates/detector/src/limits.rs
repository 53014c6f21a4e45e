//! Limits that a person sets: what no signal may exceed, and which side of the usual is of interest.
//!
//! They need no model and no history: a value beyond a limit speaks at once, whatever has been learned. A signal of
//! which only one side matters is not told for the other.

use std::sync::Arc;

use domain::{Direction, Judgement, Reading, Reason, Signal, Signals, Verdict};

use crate::assess::Assessment;
use crate::reason::{Course, number};
use crate::symptom::{MAX_SYMPTOMS, Sign, Symptom};

/// Which deviations of a signal are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sides {
    /// Those to either side.
    #[default]
    Both,
    /// Only those above what is usual.
    High,
    /// Only those below.
    Low,
}

/// The size class of a machine in ISO 20816-3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineGroup {
    /// Above 300 kW, or a shaft height of 315 mm and more.
    Large,
    /// Above 15 kW up to 300 kW, or a shaft height of 160 to 315 mm.
    Medium,
}

/// How a machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foundation {
    /// Its lowest natural frequency lies well above the main excitation.
    Rigid,
    /// It does not.
    Flexible,
}

/// A zone of ISO 20816-3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zone {
    /// Newly commissioned machines.
    A,
    /// Fit for unrestricted long-term operation.
    B,
    /// Not fit for long-term operation.
    C,
    /// Severe enough to cause damage.
    D,
}

impl Zone {
    /// The boundaries between the zones, as RMS velocity in mm/s.
    #[must_use]
    pub fn boundaries(group: MachineGroup, foundation: Foundation) -> [f64; 3] {
        match (group, foundation) {
            (MachineGroup::Large, Foundation::Rigid) => [2.3, 4.5, 7.1],
            (MachineGroup::Large, Foundation::Flexible) => [3.5, 7.1, 11.0],
            (MachineGroup::Medium, Foundation::Rigid) => [1.4, 2.8, 4.5],
            (MachineGroup::Medium, Foundation::Flexible) => [2.3, 4.5, 7.1],
        }
    }

    /// The zone of a velocity in mm/s.
    #[must_use]
    pub fn of(velocity: f64, group: MachineGroup, foundation: Foundation) -> Self {
        match Self::boundaries(group, foundation)
            .iter()
            .filter(|it| velocity > **it)
            .count()
        {
            0 => Self::A,
            1 => Self::B,
            2 => Self::C,
            _ => Self::D,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
        }
    }
}

/// The limits of one signal.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SignalLimits {
    /// Which deviations are told.
    pub sides: Sides,
    /// No value may lie below.
    pub low: Option<f64>,
    /// No value may lie above.
    pub high: Option<f64>,
    /// The zones that apply to it; a value in zone C or D is beyond its limit.
    pub zones: Option<(MachineGroup, Foundation)>,
    /// The largest change within a second that is possible; a faster one makes the reading doubtful, not anomalous.
    pub fastest: Option<f64>,
    /// No sensor of it can measure less; what does makes the reading doubtful, too.
    pub possible_low: Option<f64>,
    /// No sensor of it can measure more.
    pub possible_high: Option<f64>,
}

/// Limits that contradict themselves.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LimitsError {
    /// The low one is not below the high one.
    #[error("{low_name} = {low} of {signal} is not below its {high_name} = {high}")]
    Order {
        /// The signal.
        signal: String,
        /// Which limit is the low one.
        low_name: &'static str,
        /// Its low limit.
        low: f64,
        /// Which limit is the high one.
        high_name: &'static str,
        /// Its high limit.
        high: f64,
    },
    /// Zones are of the speed of vibration.
    #[error("the zones of ISO 20816-3 are of vibration in mm/s, and {signal} is in {unit}")]
    Unit {
        /// The signal.
        signal: String,
        /// Its unit.
        unit: String,
    },
    /// One is no number.
    #[error("a limit of {signal} is no finite number")]
    NoNumber {
        /// The signal.
        signal: String,
    },
}

/// The limits of all declared signals.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    signals: Vec<SignalLimits>,
}

/// How far beyond the line a value beyond a limit is told to be, in logarithms: twice.
const BEYOND: f64 = -0.7;

/// The version that a verdict has where no model judged.
const NO_MODEL: &str = "limits";

impl Limits {
    /// The limits of the declared signals, in their order.
    ///
    /// # Errors
    /// When a low limit is not below its high one, or no number.
    pub fn new(declared: &Signals, limits: Vec<SignalLimits>) -> Result<Self, LimitsError> {
        for (signal, limits) in declared.iter().zip(&limits) {
            let name = || signal.name.clone();
            if limits.zones.is_some() && signal.unit != "mm/s" {
                return Err(LimitsError::Unit {
                    signal: name(),
                    unit: signal.unit.clone(),
                });
            }
            let possible = (
                "possible_low",
                limits.possible_low,
                "possible_high",
                limits.possible_high,
            );
            let pairs = [("low", limits.low, "high", limits.high), possible];
            let numbers = pairs.iter().flat_map(|it| [it.1, it.3]).chain([limits.fastest]);
            if numbers.flatten().any(|it| !it.is_finite()) {
                return Err(LimitsError::NoNumber { signal: name() });
            }
            for (low_name, low, high_name, high) in pairs {
                if let (Some(low), Some(high)) = (low, high)
                    && low >= high
                {
                    return Err(LimitsError::Order {
                        signal: name(),
                        low_name,
                        low,
                        high_name,
                        high,
                    });
                }
            }
        }
        let mut signals = limits;
        signals.resize(declared.len(), SignalLimits::default());
        Ok(Self { signals })
    }

    /// What the limits make of a reading that a model has judged, or that none has. None where there is neither a
    /// judgement nor a value beyond a limit.
    #[must_use]
    pub fn apply(&self, declared: &Signals, reading: &Reading, judged: Option<Assessment>) -> Option<Assessment> {
        let judged = judged.map(|it| self.keep_sides(declared, reading, it));
        let beyond: Vec<(usize, f64, Reason)> = (0..self.signals.len().min(declared.len()))
            .filter_map(|at| {
                let value = reading.values.get(at)?;
                Some((at, value, self.signals[at].breach(&declared[at], value)?))
            })
            .collect();
        if beyond.is_empty() {
            return judged;
        }
        let mut it = judged.unwrap_or_else(|| unjudged(declared, reading));
        let mut reasons = Vec::with_capacity(beyond.len() + it.verdict.reasons.len());
        it.verdict.score = it.verdict.score.min(BEYOND);
        it.verdict.is_anomaly = true;
        let is_told = it.sign.is_some_and(|it| it.is_anomaly);
        for (place, (at, value, reason)) in beyond.into_iter().enumerate() {
            let expected = it.verdict.signals[at].and_then(|it| it.expected);
            let score = it.verdict.signals[at].map_or(BEYOND, |it| it.score.min(BEYOND));
            it.verdict.signals[at] = Some(Judgement {
                score,
                is_anomaly: true,
                expected,
            });
            if let Some(sign) = it.sign.as_mut().filter(|_| !is_told && place < MAX_SYMPTOMS) {
                sign.symptoms[place] = Some(symptom(at, value, reason.direction));
            }
            reasons.push(reason);
        }
        if let Some(sign) = &mut it.sign {
            (sign.is_anomaly, sign.counts, sign.tells) = (true, true, true);
            sign.score = it.verdict.score;
            share_evenly(&mut sign.symptoms, is_told);
        }
        reasons.append(&mut it.verdict.reasons);
        it.verdict.reasons = reasons;
        Some(it)
    }

    /// Takes back what is told of a signal for a side that does not matter.
    fn keep_sides(&self, declared: &Signals, reading: &Reading, mut it: Assessment) -> Assessment {
        if !it.verdict.is_anomaly || self.signals.iter().all(|it| it.sides == Sides::Both) {
            return it;
        }
        let mut taken_back = false;
        for (at, limits) in self.signals.iter().enumerate().take(declared.len()) {
            let Some(judgement) = it.verdict.signals[at].filter(|it| it.is_anomaly) else {
                continue;
            };
            let side = side(it.sign.as_ref(), at, reading, &judgement);
            let matters = match limits.sides {
                Sides::Both => true,
                Sides::High => side != Direction::Below,
                Sides::Low => side != Direction::Above,
            };
            if matters {
                continue;
            }
            taken_back = true;
            it.verdict.signals[at] = Some(Judgement {
                score: judgement.score.max(0.0),
                is_anomaly: false,
                ..judgement
            });
            it.verdict.reasons.retain(|reason| reason.signal != declared[at].name);
            if let Some(sign) = &mut it.sign {
                sign.symptoms = sign.symptoms.map(|symptom| symptom.filter(|it| it.signal != at));
            }
        }
        if taken_back {
            settle(&mut it);
        }
        it
    }
}

/// A verdict after signals were taken back: anomalous while one still is.
fn settle(it: &mut Assessment) {
    let left = it.verdict.signals.iter().flatten();
    it.verdict.is_anomaly = left.clone().any(|it| it.is_anomaly);
    let worst = left.map(|it| it.score).fold(f64::INFINITY, f64::min);
    it.verdict.score = if worst.is_finite() { worst } else { 0.0 };
    if let Some(sign) = &mut it.sign {
        sign.score = it.verdict.score;
        sign.is_anomaly &= it.verdict.is_anomaly;
        sign.counts &= it.verdict.is_anomaly;
        sign.tells &= it.verdict.is_anomaly;
        let whole: f64 = sign.symptoms.iter().flatten().map(|it| it.share).sum();
        for symptom in sign.symptoms.iter_mut().flatten() {
            symptom.share /= whole.max(1e-12);
        }
    }
}

/// The side that a flagged signal is on.
fn side(sign: Option<&Sign>, at: usize, reading: &Reading, judgement: &Judgement) -> Direction {
    let symptom = sign.and_then(|it| it.symptoms.iter().flatten().find(|it| it.signal == at));
    if let Some(symptom) = symptom {
        return symptom.direction();
    }
    match (reading.values.get(at), judgement.expected) {
        (Some(value), Some(span)) if value > span.high => Direction::Above,
        (Some(value), Some(span)) if value < span.low => Direction::Below,
        _ => Direction::Within,
    }
}

fn symptom(at: usize, value: f64, direction: Direction) -> Symptom {
    Symptom {
        signal: at,
        share: 1.0,
        course: Course::Limit,
        deviation: if direction == Direction::Below { -1.0 } else { 1.0 },
        roughness: 0.0,
        smooth: value,
        usual: value,
        lasting: 0.0,
    }
}

/// Limits that are exceeded together share a reading evenly, unless a model has shared it already.
fn share_evenly(symptoms: &mut [Option<Symptom>; MAX_SYMPTOMS], is_told: bool) {
    if is_told {
        return;
    }
    let count = symptoms.iter().flatten().count().max(1) as f64;
    symptoms.iter_mut().flatten().for_each(|it| it.share = 1.0 / count);
}

/// A reading that no model has judged, as normal as can be told.
fn unjudged(declared: &Signals, reading: &Reading) -> Assessment {
    Assessment {
        verdict: Verdict {
            model_version: Arc::from(NO_MODEL),
            score: 0.0,
            is_anomaly: false,
            signals: vec![None; declared.len()],
            reasons: Vec::new(),
        },
        sign: Some(Sign::calm(reading.timestamp)),
        once_in_days: None,
    }
}

impl SignalLimits {
    /// Why a value is beyond a limit, where it is.
    fn breach(&self, signal: &Signal, value: f64) -> Option<Reason> {
        let unit = match signal.unit_symbol() {
            "" => String::new(),
            unit => format!(" {unit}"),
        };
        let what = format!("{} {}{unit}", signal.name, number(value));
        let (direction, text) = if let Some(high) = self.high.filter(|it| value > *it) {
            let text = format!("{what} is above the limit of {}{unit}", number(high));
            (Direction::Above, text)
        } else if let Some(low) = self.low.filter(|it| value < *it) {
            let text = format!("{what} is below the limit of {}{unit}", number(low));
            (Direction::Below, text)
        } else {
            let (group, foundation) = self.zones?;
            let zone = Zone::of(value, group, foundation);
            if zone < Zone::C {
                return None;
            }
            let text = format!("{what} lies in zone {} of ISO 20816-3", zone.as_str());
            (Direction::Above, text)
        };
        Some(Reason {
            signal: signal.name.clone(),
            direction,
            share: 1.0,
            feature: Course::Limit.as_str().to_owned(),
            text,
            once_in_days: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::{DeviceId, Measurement, Span, Timestamp, Values};

    use super::*;

    fn reading(temperature: f64, vibration: f64) -> Reading {
        let value = |it| Some(Measurement::new(it, "x").unwrap());
        Reading {
            device_id: DeviceId::new("a").unwrap(),
            timestamp: Timestamp::from_secs(0),
            values: Values::new(vec![value(temperature), value(vibration)]),
            location: None,
            device_type: None,
            truth: None,
        }
    }

    fn limits(temperature: SignalLimits, vibration: SignalLimits) -> Limits {
        Limits::new(&Signals::default(), vec![temperature, vibration]).unwrap()
    }

    #[track_caller]
    fn check(limits: &Limits, reading: &Reading, texts: &[&str]) {
        let told = limits.apply(&Signals::default(), reading, None);
        let found: Vec<String> = told
            .iter()
            .flat_map(|it| it.verdict.reasons.iter().map(|it| it.text.clone()))
            .collect();
        assert_eq!(found, texts);
        if let Some(it) = told {
            assert!(it.verdict.is_anomaly && it.verdict.score < 0.0 && it.sign.unwrap().tells);
        }
    }

    #[test]
    fn a_limit_speaks_at_once_without_a_model() {
        let range = SignalLimits {
            low: Some(18.0),
            high: Some(30.0),
            ..SignalLimits::default()
        };
        let most = SignalLimits {
            high: Some(3.5),
            ..SignalLimits::default()
        };
        let limits = limits(range, most);
        check(&limits, &reading(25.0, 3.5), &[]);
        check(
            &limits,
            &reading(31.0, 1.0),
            &["temperature 31.0 °C is above the limit of 30.0 °C"],
        );
        check(
            &limits,
            &reading(12.0, 4.1),
            &[
                "temperature 12.0 °C is below the limit of 18.0 °C",
                "vibration 4.10 mm/s is above the limit of 3.50 mm/s",
            ],
        );
    }

    #[test]
    fn zones_are_those_of_the_machine_group() {
        let zones = SignalLimits {
            zones: Some((MachineGroup::Medium, Foundation::Rigid)),
            ..SignalLimits::default()
        };
        let limits = limits(SignalLimits::default(), zones);
        check(&limits, &reading(25.0, 2.8), &[]);
        check(
            &limits,
            &reading(25.0, 3.0),
            &["vibration 3.00 mm/s lies in zone C of ISO 20816-3"],
        );
        check(
            &limits,
            &reading(25.0, 4.6),
            &["vibration 4.60 mm/s lies in zone D of ISO 20816-3"],
        );
        assert_eq!(Zone::of(4.6, MachineGroup::Large, Foundation::Flexible), Zone::B);
    }

    #[test]
    fn a_side_that_does_not_matter_is_not_told() {
        let signals = Signals::default();
        let judged = |value: f64| {
            let mut it = unjudged(&signals, &reading(20.0, value));
            let expected = Some(Span { low: 1.0, high: 2.0 });
            let judgement = |score: f64| {
                Some(Judgement {
                    score,
                    is_anomaly: score < 0.0,
                    expected,
                })
            };
            it.verdict.signals = vec![judgement(0.5), judgement(-0.4)];
            (it.verdict.score, it.verdict.is_anomaly) = (-0.4, true);
            it
        };
        let high = SignalLimits {
            sides: Sides::High,
            ..SignalLimits::default()
        };
        let limits = limits(SignalLimits::default(), high);
        let told = |value: f64| {
            limits
                .apply(&signals, &reading(20.0, value), Some(judged(value)))
                .unwrap()
                .verdict
        };
        assert!(told(4.0).is_anomaly && told(4.0).score < 0.0);
        assert!(!told(0.2).is_anomaly && told(0.2).score >= 0.0);
    }

    #[test]
    fn limits_that_contradict_themselves_are_refused() {
        let wrong = SignalLimits {
            low: Some(30.0),
            high: Some(18.0),
            ..SignalLimits::default()
        };
        assert!(Limits::new(&Signals::default(), vec![wrong]).is_err());
    }
}
