//! What the warehouse and the registry say about a range of time.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use domain::{DeviceId, TimeRange, Timestamp};
use warehouse::{
    DeadLetterQuery, Device, DeviceActivity, IncidentQuery, ReadingQuery, ScoreBin, StoredIncident, Warehouse,
    WarehouseError,
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

/// A gap of so many usual intervals is silence, those between the last readings.
const MISSED: f64 = 5.0;
const LAST: usize = 50;

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
        let (grace, n_devices) = (config.detector.silence_grace, devices.len());
        let by_hour = range.end.seconds_since(range.start) <= BY_HOUR.as_secs_f64();
        Ok(Self {
            by_hour,
            signals: config.signals.iter().map(|it| it.name.clone()).collect(),
            devices: n_devices,
            steps: steps(warehouse, range, if by_hour { HOUR } else { DAY }).await?,
            incidents: warehouse.incidents(incidents).await?.items,
            silent: silent(warehouse, devices, &activity, range, grace).await?,
            refused: refused(warehouse, range).await?,
            scores: warehouse.scores(range, SCORE_BIN).await?,
            models: registry.list()?,
            activity,
            range,
        })
    }
}

/// What came in each step: whole hours or days, UTC, but for the first and the last.
async fn steps(warehouse: &dyn Warehouse, range: TimeRange, width: Duration) -> Result<Vec<Step>, WarehouseError> {
    let mut steps = Vec::new();
    let mut end = range.end;
    while end > range.start {
        let micros = end.as_micros() - 1;
        let begun = micros - micros.rem_euclid(i64::try_from(width.as_micros()).unwrap_or(i64::MAX));
        let start = Timestamp::from_micros(begun).max(range.start);
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
async fn silent(
    warehouse: &dyn Warehouse,
    devices: Vec<Device>,
    activity: &[DeviceActivity],
    range: TimeRange,
    grace: Duration,
) -> Result<Vec<Silent>, WarehouseError> {
    let sent: HashMap<&DeviceId, u64> = activity.iter().map(|it| (&it.device_id, it.readings)).collect();
    let mut silent = Vec::new();
    for device in devices {
        let quiet = range.end.seconds_since(device.last_received_at);
        if quiet > grace.as_secs_f64() && quiet > MISSED * usual_interval(warehouse, &device, range).await? {
            let readings = sent.get(&device.device_id).copied().unwrap_or_default();
            silent.push(Silent { device, readings });
        }
    }
    silent.sort_by_key(|it| it.device.last_received_at);
    Ok(silent)
}

/// The mean seconds between the last readings of a device before the end; 0 for one of fewer than two.
async fn usual_interval(warehouse: &dyn Warehouse, device: &Device, range: TimeRange) -> Result<f64, WarehouseError> {
    let newest = ReadingQuery {
        device_id: Some(device.device_id.clone()),
        range: TimeRange {
            start: TimeRange::ALL.start,
            end: range.end,
        },
        anomalies_only: false,
        newest_first: true,
        limit: LAST,
        after: None,
    };
    let last = warehouse.readings(newest).await?.items;
    let ends = last.first().zip(last.last());
    let span = ends.map_or(0.0, |(newest, oldest)| {
        newest.reading.timestamp.seconds_since(oldest.reading.timestamp)
    });
    Ok(span / last.len().saturating_sub(1).max(1) as f64)
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
