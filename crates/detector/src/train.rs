//! From readings to a model, in one stream and bounded memory.
//!
//! 1. [`BaselinePass`] sees the training readings and learns what the fleet is like.
//! 2. [`FeaturePass`] replays the same readings through the extractor or the heads, samples vectors and fits the forests.
//! 3. The states it leaves go on through the held-out readings with [`crate::Evaluation`].

use std::collections::HashMap;
use std::sync::Arc;

use domain::{DeviceId, Reading, Signals, Timestamp};
use forest::{CheckedParams, Contamination, FitError, Forest, Matrix, Params};

use crate::features::{Baseline, DeviceState, Extractor, Feature, FeatureSpec, LEARNING};
use crate::heads::{Pace, Tempo};
use crate::heads_pass::{HeadsPass, Watched};
use crate::kind::Kind;
use crate::model::{Model, Provenance, SignalModel};
use crate::peers::{Peers, PeersPass, Sums};
use crate::sample::Sample;
use crate::shift::{Trained, deciles};
use crate::threshold::{ThresholdPolicy, tail_threshold};

/// Feature values kept for fitting, over all signals: 32 MiB.
const SAMPLE_VALUES: usize = 4 << 20;

/// Values of each signal kept for its deciles.
const VALUE_ROWS: usize = 8_192;

const WEEK_SECONDS: f64 = 7.0 * 86_400.0;

/// How to train, as wished.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Which evidence makes the verdicts.
    pub kind: Kind,
    /// How fast the adaptive heads forget.
    pub tempo: Tempo,
    /// The forests' parameters.
    pub forest: Params,
    /// The features of each signal.
    pub spec: FeatureSpec,
    /// How the thresholds are found.
    pub policy: ThresholdPolicy,
    /// Whether what recurs in a rhythm is usual.
    pub rhythms_are_usual: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            kind: Kind::default(),
            tempo: Tempo::default(),
            forest: Params::default(),
            spec: FeatureSpec::default(),
            policy: ThresholdPolicy::default(),
            rhythms_are_usual: true,
        }
    }
}

/// A plan that can be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedPlan {
    pub(crate) plan: Plan,
    pub(crate) forest: CheckedParams,
}

/// A plan that cannot be carried out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A parameter of the forests.
    #[error(transparent)]
    Forest(#[from] forest::ParamsError),
    /// No share of contamination, which the thresholds need.
    #[error("the contamination must be a share such as 0.1, since the thresholds are drawn from it")]
    NoShare,
    /// A budget that is not a positive number.
    #[error("the false-alarm budget must be above 0 and at most 100000 a device and week, not {0}")]
    Budget(f64),
    /// A half-life that is no positive number.
    #[error("the half-life `{name}` must be above 0, not {value}")]
    Tempo {
        /// Its name.
        name: &'static str,
        /// What was given.
        value: f64,
    },
}

impl Plan {
    /// Checks the plan.
    ///
    /// # Errors
    /// When a parameter is out of range.
    pub fn check(self) -> Result<CheckedPlan, PlanError> {
        let forest = self.forest.check()?;
        if !matches!(self.forest.contamination, Contamination::Share(_)) {
            return Err(PlanError::NoShare);
        }
        if let ThresholdPolicy::Budget {
            false_alarms_per_device_week: budget,
        } = self.policy
            && !(budget > 0.0 && budget <= 1e5)
        {
            return Err(PlanError::Budget(budget));
        }
        if let Some((name, value)) = self.tempo.fault() {
            return Err(PlanError::Tempo { name, value });
        }
        Ok(CheckedPlan { plan: self, forest })
    }
}

/// Readings that make no model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Too few.
    #[error("{have} readings are stored for training, at least {need} are needed")]
    TooFew {
        /// So many there are.
        have: u64,
        /// So many are needed.
        need: u64,
    },
    /// The forest could not be fitted.
    #[error("the forest of {signal} could not be fitted")]
    Fit {
        /// The signal.
        signal: String,
        /// Why.
        #[source]
        cause: FitError,
    },
}

/// What the fleet is like, and how much there is to learn from each device.
#[derive(Debug, Clone, PartialEq)]
pub struct Baselines {
    /// A place per signal; none for one without values.
    pub signals: Vec<Option<Baseline>>,
    /// The same for the devices of each type, at each site.
    pub peers: Peers,
    /// The training readings of each device.
    pub readings: HashMap<DeviceId, u64>,
}

/// Learns the fleet's baselines.
#[derive(Debug, Clone)]
pub struct BaselinePass {
    sums: Sums,
    peers: PeersPass,
    readings: HashMap<DeviceId, (u64, Timestamp)>,
}

impl BaselinePass {
    /// A pass over readings of these signals.
    #[must_use]
    pub fn new(signals: &Signals) -> Self {
        Self {
            sums: Sums::new(signals.len()),
            peers: PeersPass::default(),
            readings: HashMap::new(),
        }
    }

    /// Takes a reading.
    pub fn push(&mut self, reading: &Reading) {
        let is_first = self.count(reading);
        self.sums.add(reading);
        self.peers.push(reading, is_first);
    }

    /// Doubles and late readings will be passed over, so they are not counted. Whether it is the first of its device.
    fn count(&mut self, reading: &Reading) -> bool {
        match self.readings.get_mut(&reading.device_id) {
            Some((count, last)) if reading.timestamp > *last => (*count, *last) = (*count + 1, reading.timestamp),
            Some(_) => {}
            None => {
                self.readings.insert(reading.device_id.clone(), (1, reading.timestamp));
                return true;
            }
        }
        false
    }

    /// What was learned.
    #[must_use]
    pub fn finish(self) -> Baselines {
        let count = |(device, (count, _))| (device, count);
        Baselines {
            signals: self.sums.baselines(),
            peers: self.peers.finish(),
            readings: self.readings.into_iter().map(count).collect(),
        }
    }
}

/// Replays training readings through the extractor and the heads, and fits the forests.
#[derive(Debug)]
pub struct FeaturePass {
    plan: CheckedPlan,
    signals: Signals,
    extractor: Extractor,
    peers: Peers,
    samples: Vec<Sample>,
    values: Vec<Sample>,
    heads: HeadsPass,
    states: HashMap<DeviceId, DeviceState>,
    first_seen: HashMap<DeviceId, Timestamp>,
    readings: u64,
    span: Option<(Timestamp, Timestamp)>,
}

impl FeaturePass {
    /// A pass with the baselines of the pass before.
    #[must_use]
    pub fn new(plan: CheckedPlan, signals: Signals, baselines: Baselines) -> Self {
        let columns = plan.plan.spec.len();
        let rows = (SAMPLE_VALUES / (columns * signals.len())).clamp(4_096, 262_144);
        let seed = plan.plan.forest.seed;
        let sample = |at: usize| Sample::new(columns, rows, seed.wrapping_add(at as u64));
        Self {
            samples: (0..signals.len()).map(sample).collect(),
            values: (0..signals.len())
                .map(|at| Sample::new(1, VALUE_ROWS, seed.wrapping_add(2_000 + at as u64)))
                .collect(),
            extractor: Extractor::new(plan.plan.spec.clone(), baselines.signals),
            heads: HeadsPass::new(&plan.plan, signals.len(), baselines.readings),
            peers: baselines.peers,
            plan,
            signals,
            states: HashMap::new(),
            first_seen: HashMap::new(),
            readings: 0,
            span: None,
        }
    }

    /// Takes a reading. Doubles and late ones are passed over, as they are when they come live.
    pub fn push(&mut self, reading: &Reading) {
        self.take(reading, false);
    }

    /// Takes a reading of which people have said that it is usual, however odd it looks: one in an incident that was a false
    /// alarm, or expected.
    pub fn push_usual(&mut self, reading: &Reading) {
        self.take(reading, true);
    }

    /// Looks at a reading of a fault that people have confirmed. Nothing is learned from it, except that what looks like it is
    /// never usual.
    pub fn push_fault(&mut self, reading: &Reading) {
        if self.plan.plan.kind != Kind::IsolationForest
            && let Some(state) = self.states.get(&reading.device_id)
        {
            self.heads.step_aside(state, reading);
        }
    }

    fn take(&mut self, reading: &Reading, is_usual: bool) {
        let state = match self.states.get_mut(&reading.device_id) {
            Some(state) => state,
            None => {
                self.first_seen.insert(reading.device_id.clone(), reading.timestamp);
                self.states
                    .entry(reading.device_id.clone())
                    .or_insert_with(|| DeviceState::new(&self.signals))
            }
        };
        if !state.accepts(reading.timestamp) {
            return;
        }
        for (sample, value) in self.values.iter_mut().zip(reading.values.iter()) {
            if let Some(value) = value {
                sample.offer(&[value]);
            }
        }
        if self.plan.plan.kind == Kind::IsolationForest {
            for (at, sample) in self.samples.iter_mut().enumerate() {
                if let Some(features) = self.extractor.extract(Some(state), reading, at) {
                    sample.offer(features.as_slice());
                }
            }
            state.push(reading);
        } else {
            self.heads.step(state, reading, is_usual);
        }
        self.readings += 1;
        let at = reading.timestamp;
        self.span = Some(
            self.span
                .map_or((at, at), |(first, last)| (first.min(at), last.max(at))),
        );
    }

    /// How many readings were taken.
    #[must_use]
    pub fn readings(&self) -> u64 {
        self.readings
    }

    /// Fits a forest per signal and draws the thresholds. The states of the devices come back with the model, for the
    /// held-out readings that follow.
    ///
    /// # Errors
    /// When there are no readings or a forest cannot be fitted.
    pub fn fit(
        mut self,
        version: Arc<str>,
        created_at: Timestamp,
        threads: usize,
    ) -> Result<(Model, HashMap<DeviceId, DeviceState>), TrainError> {
        let Some((from, to)) = self.span else {
            return Err(TrainError::TooFew { have: 0, need: 1 });
        };
        let watched = self.watched();
        let chance = self.chance(watched);
        let forests = self
            .samples
            .iter()
            .enumerate()
            .map(|(at, sample)| self.fit_signal(at, sample, chance, threads))
            .collect::<Result<_, _>>()?;
        let references = self.heads.references(self.signals.len(), &self.states);
        let recurring = self.heads.take_out_recurring(&references);
        let references = self.heads.references(self.signals.len(), &self.states);
        let lines = self.heads.line(&self.plan.plan, &references, watched);
        let whole = self.heads.fit_whole(&self.plan, threads)?;
        let mut states = self.states;
        for (device, state) in &mut states {
            state.learn_until(references.devices.get(device).map_or(LEARNING, |it| it.learned));
        }
        let provenance = Provenance {
            created_at,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            readings: self.readings,
            devices: states.len() as u64,
            from,
            to,
            params: self.plan.plan.forest,
            policy: self.plan.plan.policy,
        };
        let model = Model {
            version,
            signals: self.signals,
            kind: self.plan.plan.kind,
            pace: Pace::new(self.plan.plan.tempo),
            references,
            whole,
            recurring,
            line: lines.line,
            bar: lines.bar,
            trained: Trained {
                signals: self.values.iter().map(deciles).collect(),
                scores: lines.scores,
            },
            extractor: self.extractor,
            peers: self.peers,
            forests,
            provenance,
        };
        Ok((model, states))
    }

    /// How long the devices were watched, and how often they report.
    fn watched(&self) -> Watched {
        // Whole numbers, whose sum does not depend on the order of the devices.
        let micros: i128 = self
            .states
            .iter()
            .filter_map(|(device, state)| Some(state.last()?.micros_since(*self.first_seen.get(device)?)))
            .sum();
        let seconds = micros as f64 / 1e6;
        let intervals = self.readings.saturating_sub(self.states.len() as u64).max(1) as f64;
        Watched {
            weeks: seconds / WEEK_SECONDS,
            interval: if seconds > 0.0 {
                seconds / intervals
            } else {
                WEEK_SECONDS
            },
        }
    }

    /// The chance of a flag that one signal of one normal reading may have under the budget.
    fn chance(&self, watched: Watched) -> f64 {
        let ThresholdPolicy::Budget {
            false_alarms_per_device_week,
        } = self.plan.plan.policy
        else {
            return 1.0;
        };
        let signals = self.samples.iter().filter(|it| it.offered() > 0).count().max(1) as f64;
        false_alarms_per_device_week * watched.interval / (WEEK_SECONDS * signals)
    }

    fn fit_signal(
        &self,
        at: usize,
        sample: &Sample,
        chance: f64,
        threads: usize,
    ) -> Result<Option<SignalModel>, TrainError> {
        if sample.rows().is_empty() {
            return Ok(None);
        }
        let signal = self.signals[at].name.clone();
        let table = Matrix::new(sample.rows(), self.extractor.spec().len()).expect("features are finite and in rows");
        let forest =
            Forest::fit(&self.plan.forest, table, threads).map_err(|cause| TrainError::Fit { signal, cause })?;
        let threshold = match (self.plan.plan.policy, self.plan.plan.forest.contamination) {
            (ThresholdPolicy::Budget { .. }, Contamination::Share(share)) => {
                let mut scores = vec![0.0; table.rows()];
                forest
                    .score(table, threads, &mut scores)
                    .expect("the forest was fitted on this table");
                tail_threshold(&mut scores, share, chance, self.extreme_score(&forest, table))
            }
            _ => -forest.offset(),
        };
        Ok(Some(SignalModel { forest, threshold }))
    }

    /// The lower of the scores of a value far above and one far below everything, at an ordinary time.
    fn extreme_score(&self, forest: &Forest, table: Matrix<'_>) -> f64 {
        let middle = table.row(table.rows() / 2);
        let far = |side: f64| {
            let row = self
                .extractor
                .spec()
                .iter()
                .zip(middle)
                .map(|(feature, usual)| match feature {
                    Feature::Value | Feature::MovingAverage { .. } | Feature::ZScore => side * 1e9,
                    Feature::Hour | Feature::DayOfWeek => *usual,
                });
            forest
                .score_row(&row.collect::<Vec<f64>>())
                .expect("the row has the width of the spec")
        };
        far(1.0).min(far(-1.0))
    }
}
