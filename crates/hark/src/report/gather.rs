//! What the warehouse and the registry say about a range of time.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use domain::{DeviceId, TimeRange, Timestamp};
use warehouse::{
    DeadLetterQuery, Device, DeviceActivity, IncidentQuery, ScoreBin, StoredIncident, Warehouse, WarehouseError,
};

use crate::config::Config;
use crate::runtime::registry::{Entry, Registry};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Ranges up to here are drawn by the hour, longer ones by the day.
const BY_HOUR: Duration = Duration::from_secs(2 * 86_400);

const SCORE_BIN: f64 = 0.25;
const MOST_INCIDENTS: usize = 10_000;
const LETTERS_A_PAGE: usize = 200;

/// A gap of so many usual intervals is silence.
const MISSED: f64 = 5.0;

/// A step of the charts.
pub(super) struct Step {
    pub(super) range: TimeRange,
    pub(super) readings: u64,
    pub(super) judged: u64,
    pub(super) anomalies: u64,
}

/// A device that is not heard of any more.
pub(super) struct Silent {
    pub(super) device: Device,
    /// What it sent in the range.
    pub(super) readings: u64,
}

/// Everything that a report tells.
pub(super) struct Gathered {
    pub(super) range: TimeRange,
    pub(super) by_hour: bool,
    pub(super) signals: Vec<String>,
    pub(super) devices: usize,
    pub(super) activity: Vec<DeviceActivity>,
    pub(super) steps: Vec<Step>,
    /// Those that went on in the range, newest first.
    pub(super) incidents: Vec<StoredIncident>,
    /// Longest silent first.
    pub(super) silent: Vec<Silent>,
    /// How many messages were refused, by reason.
    pub(super) refused: BTreeMap<&'static str, u64>,
    pub(super) scores: Vec<ScoreBin>,
    pub(super) models: Vec<Entry>,
}

impl Gathered {
    /// Asks for all of it.
    pub(super) async fn ask(
        warehouse: &dyn Warehouse,
        registry: &Registry,
        config: &Config,
        range: TimeRange,
    ) -> anyhow::Result<Self> {
        let incidents = IncidentQuery {
            range,
            ..IncidentQuery::all(range.end, MOST_INCIDENTS)
        };
        let activity = warehouse.activity(range).await?;
        let devices = warehouse.devices().await?;
        let by_hour = range.end.seconds_since(range.start) <= BY_HOUR.as_secs_f64();
        Ok(Self {
            by_hour,
            signals: config.signals.iter().map(|it| it.name.clone()).collect(),
            devices: devices.len(),
            steps: steps(warehouse, range, if by_hour { HOUR } else { DAY }).await?,
            incidents: warehouse.incidents(incidents).await?.items,
            silent: silent(devices, &activity, range, config.detector.silence_grace),
            refused: refused(warehouse, range).await?,
            scores: warehouse.scores(range, SCORE_BIN).await?,
            models: registry.list()?,
            activity,
            range,
        })
    }
}

/// What came in each step, back from the end.
async fn steps(warehouse: &dyn Warehouse, range: TimeRange, width: Duration) -> Result<Vec<Step>, WarehouseError> {
    let mut steps = Vec::new();
    let mut end = range.end;
    while end > range.start {
        let start = end.before(width).max(range.start);
        let step = TimeRange { start, end };
        let activity = warehouse.activity(step).await?;
        let sum = |of: fn(&DeviceActivity) -> u64| activity.iter().map(of).sum();
        steps.push(Step {
            range: step,
            readings: sum(|it| it.readings),
            judged: sum(|it| it.judged),
            anomalies: sum(|it| it.anomalies),
        });
        end = start;
    }
    steps.reverse();
    Ok(steps)
}

/// Who was not heard of at the end for so long that it is no pause.
fn silent(devices: Vec<Device>, activity: &[DeviceActivity], range: TimeRange, grace: Duration) -> Vec<Silent> {
    let sent: HashMap<&DeviceId, u64> = activity.iter().map(|it| (&it.device_id, it.readings)).collect();
    let span = range.end.seconds_since(range.start);
    let quiet = |it: &Device| range.end.seconds_since(it.last_received_at);
    let mut silent: Vec<Silent> = devices
        .into_iter()
        .map(|device| Silent {
            readings: sent.get(&device.device_id).copied().unwrap_or_default(),
            device,
        })
        .filter(|it| {
            let usual = if it.readings == 0 {
                0.0
            } else {
                span / it.readings as f64
            };
            quiet(&it.device) > (MISSED * usual).max(grace.as_secs_f64())
        })
        .collect();
    silent.sort_by_key(|it| it.device.last_received_at);
    silent
}

/// Counts the dead letters of the range, newest first, page by page: their bytes are never all in memory.
async fn refused(warehouse: &dyn Warehouse, range: TimeRange) -> Result<BTreeMap<&'static str, u64>, WarehouseError> {
    let mut counts = BTreeMap::new();
    let mut after = None;
    loop {
        let query = DeadLetterQuery {
            code: None,
            limit: LETTERS_A_PAGE,
            after,
        };
        let page = warehouse.dead_letters(query).await?;
        let before = |at: Timestamp| at < range.start;
        let ended = page.items.last().is_none_or(|it| before(it.letter.received_at));
        for stored in page.items.iter().filter(|it| range.contains(it.letter.received_at)) {
            *counts.entry(stored.letter.rejection.code.as_str()).or_default() += 1;
        }
        after = page.next;
        if ended || after.is_none() {
            return Ok(counts);
        }
    }
}
