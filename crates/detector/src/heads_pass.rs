//! What a training learns for the heads and for the forest on the vector of all signals.

use std::collections::HashMap;

use domain::{DeviceId, MAX_SIGNALS, Reading};
use forest::{Contamination, Forest, Matrix};

use crate::bar::Bar;
use crate::combine::{Combined, LINE, combine};
use crate::features::DeviceState;
use crate::heads::{Evidence, Pace};
use crate::kind::Kind;
use crate::model::WholeForest;
use crate::recurring::Recurring;
use crate::recurring_pass::{Moment, RecurringPass};
use crate::reference::{Learned, References};
use crate::sample::Sample;
use crate::shift::{Deciles, deciles_of};
use crate::threshold::{ThresholdPolicy, quantile};
use crate::train::{CheckedPlan, Plan, TrainError};
use crate::weigh::readings_of_a_day;

/// Numbers kept for fitting the forest: 16 MiB.
const SAMPLE_VALUES: usize = 2 << 20;

/// Readings kept for drawing the line.
const EVIDENCE_ROWS: usize = 65_536;

/// Device, three banks, leaving its places.
const EVIDENCE_COLUMNS: usize = 5;

/// The smallest spread of forest scores.
const LEAST_SPREAD: f64 = 0.02;

/// No budget flags or tells what is within the upper end of the usual.
pub(crate) const LEAST_LINE: f64 = 0.0;

/// What a training draws through its scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Lines {
    pub(crate) line: f64,
    pub(crate) bar: Bar,
    pub(crate) scores: Option<Deciles>,
}

/// How long a training watched its devices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Watched {
    /// All devices together.
    pub(crate) weeks: f64,
    /// The mean interval between readings of a device, in seconds.
    pub(crate) interval: f64,
}

/// The heads' share of a training.
#[derive(Debug)]
pub(crate) struct HeadsPass {
    kind: Kind,
    pace: Pace,
    expected: HashMap<DeviceId, u64>,
    learned: HashMap<DeviceId, Learned>,
    /// The place of each device in `evidence`.
    devices: Vec<DeviceId>,
    places: HashMap<DeviceId, usize>,
    /// How far the history of each can be trusted by now.
    trusts: Vec<f64>,
    evidence: Sample,
    vectors: Sample,
    recurring: RecurringPass,
    /// The states of devices that have a fault, which the fault alone has seen.
    aside: HashMap<DeviceId, DeviceState>,
    n_signals: usize,
}

impl HeadsPass {
    pub(crate) fn new(plan: &Plan, n_signals: usize, expected: HashMap<DeviceId, u64>) -> Self {
        let seed = plan.forest.seed;
        let rows = (SAMPLE_VALUES / n_signals).clamp(4_096, 262_144);
        Self {
            kind: plan.kind,
            pace: Pace::new(plan.tempo),
            expected,
            learned: HashMap::new(),
            devices: Vec::new(),
            places: HashMap::new(),
            trusts: Vec::new(),
            evidence: Sample::new(EVIDENCE_COLUMNS, EVIDENCE_ROWS, seed.wrapping_add(1_001)),
            vectors: Sample::new(n_signals, rows, seed.wrapping_add(1_000)),
            recurring: RecurringPass::new(plan.rhythms_are_usual),
            aside: HashMap::new(),
            n_signals,
        }
    }

    /// Takes a reading into the state of its device, which learns, and remembers what the heads say. `is_usual` is whether
    /// people have said that it is, however odd it looks.
    pub(crate) fn step(&mut self, state: &mut DeviceState, reading: &Reading, is_usual: bool) {
        state.learn_until(u64::MAX);
        let device = &reading.device_id;
        let before = state.readings();
        let evidence = state.step(reading, &self.pace);
        let expected = self.expected.get(device).copied().unwrap_or(0);
        let place = match self.places.get(device) {
            Some(place) => *place,
            None => {
                self.devices.push(device.clone());
                self.trusts.push(0.0);
                self.places.insert(device.clone(), self.devices.len() - 1);
                self.learned.insert(device.clone(), Learned::default());
                self.devices.len() - 1
            }
        };
        let learned = self.learned.get_mut(device).expect("it was put there above");
        learned.readings += 1;
        self.trusts[place] = evidence.trust;
        let is_referred = before >= expected / 2;
        if is_referred {
            learned.take(&evidence.banks);
            let [spike, smooth, rough] = evidence.banks;
            self.evidence
                .offer(&[place as f64, spike, smooth, rough, evidence.leaving]);
        }
        self.aside.remove(device);
        let n_signals = self.n_signals;
        let moment = |state: &DeviceState| Moment {
            is_referred,
            ..Moment::of(place, reading, state, evidence, n_signals)
        };
        if is_usual {
            self.recurring.keep_told(moment(state));
        }
        if before >= expected / 4 {
            if self.recurring.hear(place, &evidence.banks) {
                self.recurring.keep(moment(state));
            }
            if self.kind == Kind::Hybrid {
                self.offer_vector(state, reading);
            }
        }
    }

    /// Looks at a reading of a confirmed fault of a device, which learns nothing from it.
    pub(crate) fn step_aside(&mut self, state: &DeviceState, reading: &Reading) {
        let device = &reading.device_id;
        let Some(place) = self.places.get(device).copied() else {
            return;
        };
        let aside = self.aside.entry(device.clone()).or_insert_with(|| state.clone());
        if !aside.accepts(reading.timestamp) {
            return;
        }
        let evidence = aside.step(reading, &self.pace);
        let fault = Moment::of(place, reading, aside, evidence, self.n_signals);
        self.recurring.keep_fault(fault);
    }

    fn offer_vector(&mut self, state: &DeviceState, reading: &Reading) {
        let mut row = [f64::NAN; MAX_SIGNALS];
        for (at, value) in reading.values.iter().enumerate() {
            if let (Some(value), Some(signal)) = (value, state.heads.signal(at)) {
                row[at] = signal.standing(value);
            }
        }
        self.vectors.offer(&row[..self.n_signals]);
    }

    /// What is usual for each device. One that was seen for less than a day, and less than the others, goes on learning: it
    /// has yet to see what they did at other hours.
    pub(crate) fn references(&self, n_signals: usize, states: &HashMap<DeviceId, DeviceState>) -> References {
        let alike = |device: &DeviceId| {
            let interval = states.get(device).and_then(DeviceState::interval);
            let counted = interval.map_or(1.0, |it| self.pace.tempo.unit.counted(it));
            self.pace.tempo.smooth / std::f64::consts::LN_2 / counted.max(1e-9)
        };
        let mut references = References::of(&self.learned, n_signals, alike);
        let mut all: Vec<u64> = references.devices.values().map(|it| it.learned).collect();
        all.sort_unstable();
        let others = all.get(all.len() / 2).copied().unwrap_or(0);
        for (device, reference) in &mut references.devices {
            let of_a_day = readings_of_a_day(states.get(device).and_then(DeviceState::interval));
            reference.learned = reference.learned.max(of_a_day.min(others));
        }
        references
    }

    /// From how many readings the scores are.
    fn held_back(&self) -> f64 {
        self.learned.values().map(Learned::held_back).sum()
    }

    /// The line that the policy draws for flags, the bar for what is told, and the deciles of the scores. A budget moves the built-in line by as
    /// much as it moves the bar from that of one false alarm a week.
    pub(crate) fn line(&self, plan: &Plan, references: &References, watched: Watched) -> Lines {
        let mut scores: Vec<f64> = self
            .evidence
            .rows()
            .chunks_exact(EVIDENCE_COLUMNS)
            .map(|it| self.score(it, references))
            .collect();
        scores.sort_unstable_by(f64::total_cmp);
        let share = match plan.forest.contamination {
            Contamination::Share(share) => share,
            Contamination::Auto => 0.1,
        };
        let bar = Bar::of(
            &scores,
            self.held_back() * plan.tempo.unit.counted(watched.interval),
            watched.weeks,
            share,
        );
        let line = match plan.policy {
            _ if scores.is_empty() => LINE,
            ThresholdPolicy::Contamination => quantile(&scores, 1.0 - share),
            ThresholdPolicy::Budget {
                false_alarms_per_device_week: budget,
            } => {
                let moved = bar.level(budget, watched.interval) - bar.level(1.0, watched.interval);
                (LINE + moved).max(LEAST_LINE)
            }
        };
        Lines {
            line,
            bar,
            scores: deciles_of(&scores),
        }
    }

    /// What recurs, and what people have said is usual. From then on references are what is usual besides.
    pub(crate) fn take_out_recurring(&mut self, references: &References) -> Recurring {
        let is_odd = |device, evidence: &Evidence| self.rate(device, evidence, references).score > LEAST_LINE;
        let recurring = self.recurring.find(&self.devices, is_odd);
        for (device, banks) in self.recurring.recurred(&recurring, &self.devices) {
            if let Some(learned) = self.learned.get_mut(device) {
                learned.leave_out(&banks);
            }
        }
        recurring
    }

    /// The score that a reading of the sample would have had, for how seldom it is.
    fn score(&self, row: &[f64], references: &References) -> f64 {
        let evidence = Evidence {
            banks: [row[1], row[2], row[3]],
            frozen: 0.0,
            place: row[4],
            leaving: row[4],
            trust: 0.0,
            surprise: 0.0,
            is_alert: false,
            worn: None,
        };
        self.rate(row[0] as usize, &evidence, references).rare
    }

    /// The weight of evidence, were its device trusted as it is by now.
    fn rate(&self, device: usize, evidence: &Evidence, references: &References) -> Combined {
        let banks = references.banks(&self.devices[device]);
        let trust = self.trusts[device];
        combine(self.kind, &Evidence { trust, ..*evidence }, &banks, None)
    }

    /// The forest on the vector of all signals.
    pub(crate) fn fit_whole(&self, plan: &CheckedPlan, threads: usize) -> Result<Option<WholeForest>, TrainError> {
        if self.kind != Kind::Hybrid || self.vectors.rows().is_empty() {
            return Ok(None);
        }
        let table = Matrix::new(self.vectors.rows(), self.n_signals).expect("deviations are clipped and in rows");
        let signal = "all signals".to_owned();
        let forest = Forest::fit(&plan.forest, table, threads).map_err(|cause| TrainError::Fit { signal, cause })?;
        let mut scores = vec![0.0; table.rows()];
        forest
            .score(table, threads, &mut scores)
            .expect("the forest was fitted on this table");
        scores.sort_unstable_by(f64::total_cmp);
        let spread = (quantile(&scores, 0.95) - quantile(&scores, 0.5)).max(LEAST_SPREAD);
        let id = scores.iter().step_by(97).fold(0xcbf2_9ce4_8422_2325_u64, |hash, it| {
            (hash ^ it.to_bits()).wrapping_mul(0x0100_0000_01b3)
        });
        Ok(Some(WholeForest {
            forest,
            columns: (0..self.n_signals).map(Some).collect(),
            spread,
            id,
        }))
    }
}
