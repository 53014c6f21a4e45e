//! One version of a model: forests, feature spec, thresholds, provenance. It judges a reading.

use std::sync::Arc;

use domain::{Judgement, Reading, Signals, Timestamp, Verdict};
use forest::{Forest, Params};

use crate::features::{Baseline, DeviceState, Extractor};
use crate::reason::reason;
use crate::threshold::ThresholdPolicy;

/// The forest of one signal and its line.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalModel {
    /// Scores the signal's feature vector.
    pub forest: Forest,
    /// The forest score at which a reading becomes anomalous, in (0, 1].
    pub threshold: f64,
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// When it was trained.
    pub created_at: Timestamp,
    /// The version of the program that trained it.
    pub program: String,
    /// How many readings it was fitted on.
    pub readings: u64,
    /// Of how many devices.
    pub devices: u64,
    /// The first of them.
    pub from: Timestamp,
    /// The last of them.
    pub to: Timestamp,
    /// The forests' parameters.
    pub params: Params,
    /// How the thresholds were found.
    pub policy: ThresholdPolicy,
}

/// One version of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Its name in the registry, `m-0001`.
    pub version: Arc<str>,
    /// The signals it was trained for, in the order of all its lists.
    pub signals: Signals,
    /// Makes its feature vectors.
    pub extractor: Extractor,
    /// A place per signal; none for a signal without values in the training readings.
    pub forests: Vec<Option<SignalModel>>,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// A model that knows none of the declared signals.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the model was trained for {trained}, and none of {declared} is among them")]
pub struct ForeignSignals {
    trained: String,
    declared: String,
}

impl Model {
    /// This model for another declaration: its parts are put in the declared order, and a declared signal that it
    /// does not know gets no judgement until the next training.
    ///
    /// # Errors
    /// When no declared signal, by name and unit, is known to it.
    pub fn for_signals(self, declared: &Signals) -> Result<Self, ForeignSignals> {
        if self.signals == *declared {
            return Ok(self);
        }
        let find = |name: &str, unit: &str| self.signals.iter().position(|it| it.name == name && it.unit == unit);
        let places: Vec<Option<usize>> = declared.iter().map(|it| find(&it.name, &it.unit)).collect();
        if places.iter().all(Option::is_none) {
            let names = |signals: &Signals| {
                let names: Vec<String> = signals.iter().map(|it| format!("{} in {}", it.name, it.unit)).collect();
                names.join(", ")
            };
            return Err(ForeignSignals {
                trained: names(&self.signals),
                declared: names(declared),
            });
        }
        let baselines: Vec<Option<Baseline>> = places
            .iter()
            .map(|it| it.and_then(|at| self.extractor.baselines()[at]))
            .collect();
        let forests = places
            .iter()
            .map(|it| it.and_then(|at| self.forests[at].clone()))
            .collect();
        let extractor = Extractor::new(self.extractor.spec().clone(), baselines);
        Ok(Self {
            signals: declared.clone(),
            extractor,
            forests,
            ..self
        })
    }

    /// Judges a reading from the history before it; without history, from the fleet's.
    ///
    /// The combined score is the lowest of the signals', and the reading is anomalous when one of them is.
    #[must_use]
    pub fn judge(&self, state: Option<&DeviceState>, reading: &Reading) -> Verdict {
        let signals: Vec<Option<Judgement>> = (0..self.signals.len())
            .map(|at| self.judge_signal(state, reading, at))
            .collect();
        let mut flagged: Vec<(f64, usize)> = Vec::new();
        let mut score = f64::INFINITY;
        for (at, judgement) in signals.iter().enumerate() {
            let Some(judgement) = judgement else { continue };
            score = score.min(judgement.score);
            if judgement.is_anomaly {
                flagged.push((judgement.score, at));
            }
        }
        flagged.sort_by(|a, b| a.0.total_cmp(&b.0));
        let reasons = flagged.iter().filter_map(|(_, at)| {
            let expected = signals[*at].and_then(|it| it.expected);
            Some(reason(&self.signals[*at], reading.values.get(*at)?, expected))
        });
        Verdict {
            model_version: self.version.clone(),
            // A reading none of whose signals the model knows is as normal as can be told.
            score: if score.is_finite() { score } else { 0.0 },
            is_anomaly: !flagged.is_empty(),
            reasons: reasons.collect(),
            signals,
        }
    }

    /// Judges one signal of a reading. `None` where it has no value or the model does not know the signal.
    #[must_use]
    pub fn judge_signal(&self, state: Option<&DeviceState>, reading: &Reading, at: usize) -> Option<Judgement> {
        let part = self.forests.get(at)?.as_ref()?;
        let features = self.extractor.extract(state, reading, at)?;
        let score = part
            .forest
            .score_row(features.as_slice())
            .expect("the forest was fitted on vectors of this spec");
        let score = part.threshold - score;
        let expected = self.extractor.usual(state, at).map(|it| it.span());
        Some(Judgement {
            score,
            is_anomaly: score < 0.0,
            expected,
        })
    }
}
