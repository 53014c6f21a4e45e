//! What the first screen says.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::{DeviceId, Judged, TimeRange, Timestamp};
use warehouse::{DeviceActivity, IncidentCount, Page, ReadingQuery, ScoreBin, SignalStats, WarehouseError};

use super::Shared;
use super::census::{self, Census, Counted};
use super::devices::census;
use super::dto::incident::IncidentCounts;
use super::dto::reading::ReadingDto;
use super::dto::summary::{
    DeviceCounts, Group, Groups, LiveModelDto, PerSecond, RangeDto, ReadingCounts, ScoreBinDto, SignalSummary, Summary,
    Totals,
};
use super::dto::{Learning, Time};
use super::error::{ApiError, ApiResult};
use super::query::Params;
use crate::app::App;
use crate::runtime::clock;

const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);
const DEFAULT_HOURS: usize = 24;
const MAX_HOURS: usize = 168;
const SCORE_BIN: f64 = 0.02;
const NEWEST_ANOMALIES: usize = 10;

/// Sums up the fleet
///
/// The answer may be two seconds old, or five times as old as it took to compute.
#[utoipa::path(get, path = "/api/v1/summary", tag = "fleet",
    params(("hours" = Option<usize>, Query, description = "The range that ends now: 1 to 168, 24 without")),
    responses((status = 200, body = Summary)))]
pub(super) async fn get_summary(State(shared): State<Shared>, mut params: Params) -> ApiResult<Response> {
    let hours = params.number("hours", 1, MAX_HOURS)?.unwrap_or(DEFAULT_HOURS);
    params.finish()?;
    let hours = u32::try_from(hours).map_err(ApiError::internal)?;
    let bytes = shared.summaries.get(hours, compute(&shared, hours)).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], Bytes::clone(&bytes)).into_response())
}

async fn compute(shared: &Shared, hours: u32) -> ApiResult<Bytes> {
    let census = census(shared).await?;
    let found = Found::gather(&shared.app, hours).await?;
    let summary = found.summary(&shared.app, &census);
    Ok(serde_json::to_vec(&summary).map_err(ApiError::internal)?.into())
}

/// What the warehouse says.
struct Found {
    now: Timestamp,
    range: TimeRange,
    activity: Vec<DeviceActivity>,
    previous: Vec<DeviceActivity>,
    last_minute: Vec<DeviceActivity>,
    scores: Vec<ScoreBin>,
    anomalies: Page<Judged>,
    dead_letters: u64,
    incidents: Vec<IncidentCount>,
}

impl Found {
    async fn gather(app: &App, hours: u32) -> Result<Self, WarehouseError> {
        let now = clock::now();
        let span = Duration::from_secs(u64::from(hours) * 3_600);
        let until = |end: Timestamp, span: Duration| TimeRange {
            start: end.before(span),
            end,
        };
        let range = until(now, span);
        let anomalies = ReadingQuery {
            device_id: None,
            range,
            anomalies_only: true,
            newest_first: true,
            limit: NEWEST_ANOMALIES,
            after: None,
        };
        let it = &app.warehouse;
        let (activity, previous, last_minute, scores, anomalies, dead_letters, incidents) = tokio::try_join!(
            it.activity(range),
            it.activity(until(now.before(DAY), span)),
            it.activity(until(now, MINUTE)),
            it.scores(range, SCORE_BIN),
            it.readings(anomalies),
            it.dead_letter_count(),
            it.incident_counts(now),
        )?;
        Ok(Self {
            now,
            range,
            activity,
            previous,
            last_minute,
            scores,
            anomalies,
            dead_letters,
            incidents,
        })
    }

    fn summary<'a>(&'a self, app: &'a App, census: &Census) -> Summary<'a> {
        let Totals {
            total,
            judged,
            anomalies,
            anomaly_rate,
        } = totals(&self.activity);
        let last_minute = totals(&self.last_minute).total as f64 / MINUTE.as_secs_f64();
        let previous = totals(&self.previous);
        let model = app.live_model.get();
        let stored: u64 = census.0.iter().map(|it| it.device.readings).sum();
        let learning = Learning {
            have: stored,
            need: app.settings().train.min_readings,
        };
        let bins = self.scores.iter();
        Summary {
            now: Time(self.now),
            range: RangeDto {
                from: Time(self.range.start),
                to: Time(self.range.end),
            },
            devices: device_counts(census),
            readings: ReadingCounts {
                total,
                judged,
                anomalies,
                anomaly_rate,
                per_second: PerSecond { last_minute },
                previous,
            },
            newest_reading_at: newest(census, |it| it.device.last.as_ref().map(|it| it.reading.timestamp)),
            newest_received_at: newest(census, |it| Some(it.device.last_received_at)),
            signals: self.signals(app),
            by: self.groups(census),
            scores: bins
                .map(|it| ScoreBinDto {
                    low: it.low,
                    readings: it.readings,
                    anomalies: it.anomalies,
                })
                .collect(),
            learning: model.is_none().then_some(learning),
            model: model.map(|it| LiveModelDto {
                version: it.version.to_string(),
                trained_at: Time(it.provenance.created_at),
                metrics_url: format!("/api/v1/models/{}/metrics", it.version),
            }),
            incidents: IncidentCounts::new(&self.incidents),
            dead_letters: self.dead_letters,
            newest_anomalies: self
                .anomalies
                .items
                .iter()
                .map(|it| ReadingDto::new(it, &app.config.signals))
                .collect(),
        }
    }

    fn signals(&self, app: &App) -> BTreeMap<String, Option<SignalSummary>> {
        let summary = |at: usize| {
            let now = overall(&self.activity, at)?;
            let previous_mean = overall(&self.previous, at).map(|it| it.mean);
            Some(SignalSummary {
                mean: now.mean,
                min: now.min,
                max: now.max,
                previous_mean,
            })
        };
        app.config
            .signals
            .iter()
            .enumerate()
            .map(|(at, signal)| (signal.name.clone(), summary(at)))
            .collect()
    }

    fn groups(&self, census: &Census) -> Groups {
        let activity: HashMap<&DeviceId, &DeviceActivity> =
            self.activity.iter().map(|it| (&it.device_id, it)).collect();
        let by = |name: fn(&Counted) -> Option<&String>| {
            let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
            for counted in &census.0 {
                let name = name(counted).map_or("unknown", String::as_str);
                let group = groups.entry(name).or_insert_with(|| Group::new(name));
                group.add(counted, activity.get(&counted.device.device_id).copied());
            }
            groups.into_values().collect()
        };
        Groups {
            building: by(|it| it.device.location.building.as_ref()),
            floor: by(|it| it.device.location.floor.as_ref()),
            device_type: by(|it| it.device.device_type.as_ref()),
        }
    }
}

impl Group {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            devices: 0,
            readings: 0,
            anomalies: 0,
            odd: 0,
            silent: 0,
        }
    }

    fn add(&mut self, counted: &Counted, activity: Option<&DeviceActivity>) {
        self.devices += 1;
        self.readings += activity.map_or(0, |it| it.readings);
        self.anomalies += activity.map_or(0, |it| it.anomalies);
        self.odd += u64::from(counted.state == census::State::Odd);
        self.silent += u64::from(counted.state == census::State::Silent);
    }
}

fn device_counts(census: &Census) -> DeviceCounts {
    let mut counts = DeviceCounts {
        total: census.0.len() as u64,
        ..DeviceCounts::default()
    };
    for counted in &census.0 {
        match counted.state {
            census::State::Fine => counts.fine += 1,
            census::State::Odd => counts.odd += 1,
            census::State::Silent => counts.silent += 1,
        }
    }
    counts
}

fn newest(census: &Census, at: fn(&Counted) -> Option<Timestamp>) -> Option<Time> {
    census.0.iter().filter_map(at).max().map(Time)
}

fn totals(activity: &[DeviceActivity]) -> Totals {
    let total: u64 = activity.iter().map(|it| it.readings).sum();
    let judged: u64 = activity.iter().map(|it| it.judged).sum();
    let anomalies: u64 = activity.iter().map(|it| it.anomalies).sum();
    Totals {
        total,
        judged,
        anomalies,
        anomaly_rate: (judged > 0).then(|| anomalies as f64 / judged as f64),
    }
}

/// One signal over all devices; `None` where none has a value.
fn overall(activity: &[DeviceActivity], signal: usize) -> Option<SignalStats> {
    let of_devices = activity
        .iter()
        .filter_map(|it| it.signals.get(signal).copied().flatten());
    of_devices.reduce(|all, one| {
        let count = all.count + one.count;
        let mean = all.mean + (one.mean - all.mean) * one.count as f64 / count as f64;
        SignalStats {
            count,
            min: all.min.min(one.min),
            max: all.max.max(one.max),
            mean,
        }
    })
}
