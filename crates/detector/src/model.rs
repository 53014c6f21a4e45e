//! One version of a model: its kind, forests, references, thresholds, provenance. It judges a reading.

use std::sync::Arc;

use domain::{Reading, Signals, Timestamp, Verdict};
use forest::{Forest, Params};

use crate::bar::Bar;
use crate::features::{Baseline, DeviceState, Extractor};
use crate::heads::Pace;
use crate::kind::Kind;
use crate::peers::Peers;
use crate::recurring::{Look, Recurring};
use crate::reference::References;
use crate::shift::Trained;
use crate::threshold::ThresholdPolicy;

/// The forest of one signal and its line.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalModel {
    /// Scores the signal's feature vector.
    pub forest: Forest,
    /// The forest score at which a reading becomes anomalous, in (0, 1].
    pub threshold: f64,
}

/// The forest on the vector of all signals, each in deviations from what the device usually does.
#[derive(Debug, Clone, PartialEq)]
pub struct WholeForest {
    /// Scores the vector.
    pub forest: Forest,
    /// Which declared signal each column is; none for one that is no longer declared.
    pub columns: Vec<Option<usize>>,
    /// From the median of the training scores to their upper end: the unit in which a score is told.
    pub spread: f64,
    /// Tells this forest from others.
    pub id: u64,
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
    /// Which evidence makes its verdicts.
    pub kind: Kind,
    /// How fast the adaptive heads forget.
    pub pace: Pace,
    /// What is normal for the heads, device by device.
    pub references: References,
    /// The forest on the vector of all signals; none where the kind has none.
    pub whole: Option<WholeForest>,
    /// What is no anomaly because it recurs.
    pub recurring: Recurring,
    /// How far beyond normal the heads and the forest let a device be.
    pub line: f64,
    /// How seldom a score is: from what a person is told.
    pub bar: Bar,
    /// What the values and scores were like that it was trained on.
    pub trained: Trained,
    /// Makes the feature vectors of the signals' forests.
    pub extractor: Extractor,
    /// What devices are like by type and site: a device without history is held against its own kind.
    pub peers: Peers,
    /// A place per signal; none for a signal without values in the training readings, and for all where the kind is not
    /// [`Kind::IsolationForest`].
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
        let peers = self
            .peers
            .map(|it| places.iter().map(|place| place.and_then(|at| it[at])).collect());
        let whole = self.whole.map(|it| it.with_places(&places));
        let recurring = self.recurring.with_places(&places);
        let trained = Trained {
            signals: places
                .iter()
                .map(|it| it.and_then(|at| self.trained.signals[at]))
                .collect(),
            ..self.trained
        };
        Ok(Self {
            signals: declared.clone(),
            whole,
            recurring,
            trained,
            extractor,
            peers,
            forests,
            ..self
        })
    }

    /// How a device with this state looks, as its last reading has left it.
    #[must_use]
    pub fn look(&self, state: &DeviceState) -> Look {
        Look::of(state, self.signals.len())
    }

    /// From now on it holds what people have said of how devices looked.
    pub fn heed(&mut self, words: &Recurring) {
        self.recurring.take_words(words);
    }

    /// The verdict of [`Model::assess`].
    pub fn step(&self, state: &mut DeviceState, reading: &Reading) -> Verdict {
        self.assess(state, reading).verdict
    }

    /// The verdict of [`Model::peek`].
    #[must_use]
    pub fn judge(&self, state: Option<&DeviceState>, reading: &Reading) -> Verdict {
        self.peek(state, reading).verdict
    }
}

impl WholeForest {
    /// The columns after the signals have moved: `places` says where each declared signal stood.
    fn with_places(mut self, places: &[Option<usize>]) -> Self {
        for column in &mut self.columns {
            *column = column.and_then(|old| places.iter().position(|it| *it == Some(old)));
        }
        self
    }
}
