//! `hark train`: from stored readings to a registered version.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use detector::{BaselinePass, CheckedPlan, Evaluation, FeaturePass, Model, Recurring, Report};
use domain::{DeviceId, Judged, Label, Reading, Signals, TimeRange};
use warehouse::{IncidentQuery, LabelFilter, Scan, Warehouse};

use super::clock;
use super::maintenance::{self, Maintenance};
use super::registry::{Metrics, Registry};
use crate::cli::Promotion;
use crate::config::Config;

/// What to train.
pub(crate) struct Order {
    pub(crate) signals: Signals,
    pub(crate) plan: CheckedPlan,
    pub(crate) range: TimeRange,
    pub(crate) holdout: f64,
    pub(crate) min_readings: u64,
    pub(crate) promotion: Promotion,
    /// Times in which devices are not learned from, besides their confirmed faults; of all devices where none is named.
    pub(crate) excluded: Vec<(Option<DeviceId>, TimeRange)>,
    /// Whether it is only said what would be put in force.
    pub(crate) in_shadow: bool,
}

impl Order {
    /// The order that a configuration gives, over all stored readings.
    pub(crate) fn of(config: &Config, promotion: Promotion) -> anyhow::Result<Self> {
        let plan = config.detector.plan(config.forest);
        Ok(Self {
            signals: config.signals.clone(),
            plan: plan.check()?,
            range: TimeRange::ALL,
            holdout: config.train.holdout,
            min_readings: config.train.min_readings,
            promotion,
            excluded: Maintenance::open(config.data.dir.join(maintenance::FILE))?.ranges(),
            in_shadow: false,
        })
    }
}

/// What came of a training.
pub(crate) struct Trained {
    pub(crate) model: Model,
    pub(crate) metrics: Metrics,
    pub(crate) promoted: bool,
    /// Why it was or was not put in force, in words.
    pub(crate) why: String,
}

/// How far a training is, for a progress bar: a phase and a share of it.
pub(crate) type Progress<'a> = &'a (dyn Fn(&'static str, f64) + Sync);

/// Trains, evaluates on the readings that came last, registers, and promotes by the rule.
pub(crate) async fn train(
    warehouse: &dyn Warehouse,
    registry: &Registry,
    order: &Order,
    progress: Progress<'_>,
) -> anyhow::Result<Trained> {
    let total: u64 = warehouse
        .activity(order.range)
        .await?
        .iter()
        .map(|it| it.readings)
        .sum();
    if total < order.min_readings {
        let error = detector::TrainError::TooFew {
            have: total,
            need: order.min_readings,
        };
        return Err(anyhow::Error::new(error).context(
            "not enough history to train\nhint: let readings come in, `hark import` a file, or `hark simulate`",
        ));
    }
    let said = Arc::new(said(warehouse, order).await?);
    let fit_on = fit_on(warehouse, order, &said, total).await?;
    let mut replay = Replay::new(warehouse, order, fit_on, &said);
    let mut baselines = BaselinePass::new(&order.signals);
    while let Some(readings) = replay.next().await? {
        let learned = readings.iter().filter(|it| !said.faults.cover(it));
        learned.for_each(|it| baselines.push(it));
        progress("learning what is usual", replay.seen as f64 / fit_on as f64);
    }
    let mut pass = FeaturePass::new(order.plan.clone(), order.signals.clone(), baselines.finish());
    let mut replay = Replay::new(warehouse, order, fit_on, &said);
    while let Some(readings) = replay.next().await? {
        tokio::task::block_in_place(|| readings.iter().for_each(|it| learn(&mut pass, it, &said)));
        progress("computing features", replay.seen as f64 / fit_on as f64);
    }
    progress("fitting forests", 0.0);
    let version: Arc<str> = registry.reserve()?.into();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (model, states) = tokio::task::block_in_place(|| pass.fit(version, clock::now(), threads))?;
    let champion = champion(registry, &order.signals)?;
    replay.left = u64::MAX;
    // Faults and maintenance are there to be found.
    replay.said = Arc::default();
    let mut trial = Trial {
        states,
        challenger: Evaluation::default(),
        champion: champion.map(|it| (it, Evaluation::default())),
        said,
        words: Recurring::default(),
    };
    while let Some(readings) = replay.next().await? {
        tokio::task::block_in_place(|| readings.iter().for_each(|it| trial.push(&model, it)));
        progress(
            "evaluating on held-out readings",
            (replay.seen.saturating_sub(fit_on)) as f64 / total.saturating_sub(fit_on).max(1) as f64,
        );
    }
    finish(registry, order, model, trial)
}

fn learn(pass: &mut FeaturePass, reading: &Reading, said: &Said) {
    if said.faults.cover(reading) {
        pass.push_fault(reading);
    } else if said.usual.cover(reading) {
        pass.push_usual(reading);
    } else {
        pass.push(reading);
    }
}

/// How many readings to learn from: what is held out is a share of those that can be learned from.
async fn fit_on(warehouse: &dyn Warehouse, order: &Order, said: &Arc<Said>, total: u64) -> anyhow::Result<u64> {
    let mut replay = Replay::new(warehouse, order, u64::MAX, said);
    while replay.next().await?.is_some() {}
    if replay.seen < order.min_readings {
        let error = detector::TrainError::TooFew {
            have: replay.seen,
            need: order.min_readings,
        };
        let left_out = total.saturating_sub(replay.seen);
        return Err(anyhow::Error::new(error).context(format!(
            "not enough to train on: {left_out} of {total} stored readings came late, have times that cannot be believed, or \
             lie in maintenance or confirmed faults"
        )));
    }
    Ok(((1.0 - order.holdout) * replay.seen as f64).floor().max(1.0) as u64)
}

fn finish(registry: &Registry, order: &Order, mut model: Model, trial: Trial) -> anyhow::Result<Trained> {
    model.heed(&trial.words);
    let names: Vec<&str> = model.signals.iter().map(|it| it.name.as_str()).collect();
    let metrics = Metrics {
        held_out: trial.challenger.report(&names),
    };
    registry
        .register(&model, Some(&metrics))
        .context("failed to register the model")?;
    let champion = trial
        .champion
        .map(|(champion, evaluation)| (champion, evaluation.report(&names)));
    let (promoted, why) = decide(order.promotion, &metrics.held_out, champion.as_ref());
    if promoted && !order.in_shadow {
        registry.promote(&model.version)?;
    }
    Ok(Trained {
        model,
        metrics,
        promoted,
        why,
    })
}

/// The model in force, if it can judge these signals. One that cannot be read does not stand in the way of a new one.
fn champion(registry: &Registry, signals: &Signals) -> anyhow::Result<Option<Model>> {
    let Some(version) = registry.live()? else {
        return Ok(None);
    };
    let model = registry.load(&version).and_then(|it| Ok(it.for_signals(signals)?));
    Ok(model
        .inspect_err(|cause| {
            tracing::warn!(
                version,
                error = format!("{cause:#}"),
                "the live model cannot be compared"
            )
        })
        .ok())
}

/// How far behind the champion a challenger may fall and still count as not worse.
const TOLERANCE: f64 = 0.02;

fn decide(promotion: Promotion, challenger: &Report, champion: Option<&(Model, Report)>) -> (bool, String) {
    match (promotion, champion) {
        (Promotion::Always, _) => (true, "asked to promote always".to_owned()),
        (Promotion::Never, _) => (false, "asked not to promote".to_owned()),
        (Promotion::IfBetter, None) => (true, "no model was in force".to_owned()),
        (Promotion::IfBetter, Some(_)) if challenger.readings == 0 => {
            (false, "no reading was left to measure it on".to_owned())
        }
        (Promotion::IfBetter, Some((model, report))) => compare(challenger, &model.version, report),
    }
}

/// On labelled readings average precision must not be worse; without labels a newer model of the same data is taken
/// unless it flags more than twice as much as the one in force.
fn compare(challenger: &Report, version: &str, champion: &Report) -> (bool, String) {
    let average = |report: &Report| report.labelled.as_ref().and_then(|it| it.average_precision);
    if let (Some(new), Some(old)) = (average(challenger), average(champion)) {
        let word = if new + TOLERANCE >= old {
            "is not worse"
        } else {
            "is worse"
        };
        let why =
            format!("average precision {new:.4} {word} than the {old:.4} of {version} on the same held-out readings");
        return (new + TOLERANCE >= old, why);
    }
    let (new, old) = (challenger.flag_rate, champion.flag_rate);
    let calm = new <= 2.0 * old + 1e-4;
    let word = if calm { "does not flag" } else { "flags" };
    (
        calm,
        format!(
            "without labels: it {word} more than twice as much as {version} ({new:.5} against {old:.5} of the held-out readings)"
        ),
    )
}

/// Readings as they were taken in when they were live: the ones that had come late or from the future are left out.
struct Replay {
    scan: Box<dyn Scan>,
    left: u64,
    seen: u64,
    /// Readings of the block at the end of which the first part of the stream was full.
    rest: Vec<Reading>,
    said: Arc<Said>,
}

/// Times of each device, and those of all.
#[derive(Debug, Default)]
struct Times {
    devices: HashMap<DeviceId, Vec<TimeRange>>,
    fleet: Vec<TimeRange>,
}

impl Times {
    fn add(&mut self, device_id: Option<DeviceId>, range: TimeRange) {
        match device_id {
            Some(device_id) => self.devices.entry(device_id).or_default().push(range),
            None => self.fleet.push(range),
        }
    }

    fn cover(&self, reading: &Reading) -> bool {
        let own = self.devices.get(&reading.device_id);
        let mut ranges = own.into_iter().flatten().chain(&self.fleet);
        ranges.any(|it| it.contains(reading.timestamp))
    }
}

/// What people have said of the stored readings.
#[derive(Debug, Default)]
struct Said {
    /// Confirmed faults, which are not learned from.
    faults: Times,
    /// Maintenance, which is passed over.
    maintenance: Times,
    /// False alarms and what was expected, which become usual.
    usual: Times,
}

async fn said(warehouse: &dyn Warehouse, order: &Order) -> anyhow::Result<Said> {
    let query = IncidentQuery {
        label: Some(LabelFilter::Any),
        ..IncidentQuery::all(clock::now(), usize::MAX)
    };
    let mut said = Said::default();
    for stored in warehouse.incidents(query).await?.items {
        let times = match stored.triage.label.map(|it| it.label) {
            Some(Label::True | Label::SensorFault) => &mut said.faults,
            Some(Label::FalseAlarm | Label::Expected) => &mut said.usual,
            None => continue,
        };
        let range = TimeRange {
            start: stored.incident.began,
            end: stored.incident.last.plus_micros(1),
        };
        times.add(Some(stored.incident.device_id), range);
    }
    for (device_id, range) in &order.excluded {
        said.maintenance.add(device_id.clone(), *range);
    }
    Ok(said)
}

impl Replay {
    fn new(warehouse: &dyn Warehouse, order: &Order, left: u64, said: &Arc<Said>) -> Self {
        Self {
            scan: warehouse.scan(order.range),
            left,
            seen: 0,
            rest: Vec::new(),
            said: said.clone(),
        }
    }

    async fn next(&mut self) -> anyhow::Result<Option<Vec<Reading>>> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut readings = std::mem::take(&mut self.rest);
        if readings.is_empty() {
            let Some(block) = self.scan.next().await? else {
                return Ok(None);
            };
            let kept = block.into_iter().filter(in_time).map(|it| it.reading);
            readings = kept.filter(|it| !self.said.maintenance.cover(it)).collect();
        }
        let (mut end, mut taken) = (0, 0);
        for reading in &readings {
            if taken == self.left {
                break;
            }
            end += 1;
            taken += u64::from(!self.said.faults.cover(reading));
        }
        self.rest = readings.split_off(end);
        self.left -= taken;
        self.seen += taken;
        Ok(Some(readings))
    }
}

fn in_time(judged: &Judged) -> bool {
    !judged.late && !judged.clock_suspect
}

/// Two models on the same readings, from the same states.
struct Trial {
    states: HashMap<DeviceId, detector::DeviceState>,
    challenger: Evaluation,
    champion: Option<(Model, Evaluation)>,
    said: Arc<Said>,
    /// How devices look in what people have spoken of.
    words: Recurring,
}

impl Trial {
    fn push(&mut self, challenger: &Model, reading: &Reading) {
        let state = match self.states.get_mut(&reading.device_id) {
            Some(state) => state,
            None => {
                let state = detector::DeviceState::new(&challenger.signals);
                self.states.entry(reading.device_id.clone()).or_insert(state)
            }
        };
        // The champion only looks; the challenger, whose states these are, takes the reading in.
        if let Some((champion, evaluation)) = &mut self.champion {
            evaluation.push(reading, &champion.judge(Some(state), reading));
        }
        let verdict = challenger.step(state, reading);
        if self.said.faults.cover(reading) {
            self.words.expect_fault(&reading.device_id, &challenger.look(state));
        } else if verdict.is_anomaly && self.said.usual.cover(reading) {
            self.words.expect_told(&reading.device_id, &challenger.look(state));
        }
        self.challenger.push(reading, &verdict);
    }
}
