//! What the first screen says.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::incident::IncidentCounts;
use super::reading::ReadingDto;
use super::{Learning, Time};

/// The fleet in a range of time.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Summary<'a> {
    pub(crate) now: Time,
    pub(crate) range: RangeDto,
    pub(crate) devices: DeviceCounts,
    pub(crate) readings: ReadingCounts,
    pub(crate) newest_reading_at: Option<Time>,
    pub(crate) newest_received_at: Option<Time>,
    /// By signal; none where no reading had a value.
    #[schema(value_type = std::collections::HashMap<String, SignalSummary>)]
    pub(crate) signals: BTreeMap<String, Option<SignalSummary>>,
    pub(crate) by: Groups,
    pub(crate) scores: Vec<ScoreBinDto>,
    /// The model in force.
    pub(crate) model: Option<LiveModelDto>,
    /// How far the first training is; none once a model is in force.
    pub(crate) learning: Option<Learning>,
    /// Incidents that are not resolved.
    pub(crate) incidents: IncidentCounts,
    /// Messages that were refused and are kept.
    pub(crate) dead_letters: u64,
    /// The ten newest anomalous readings of the range, newest first.
    pub(crate) newest_anomalies: Vec<ReadingDto<'a>>,
}

/// From an instant up to but without another.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct RangeDto {
    pub(crate) from: Time,
    pub(crate) to: Time,
}

/// Devices by their state.
#[derive(Debug, Default, serde::Serialize, ToSchema)]
pub(crate) struct DeviceCounts {
    pub(crate) total: u64,
    pub(crate) fine: u64,
    pub(crate) odd: u64,
    pub(crate) silent: u64,
}

/// Readings of the range, and of the same range one day before.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct ReadingCounts {
    pub(crate) total: u64,
    /// How many have a verdict.
    pub(crate) judged: u64,
    pub(crate) anomalies: u64,
    /// Anomalies among the judged; none without any.
    pub(crate) anomaly_rate: Option<f64>,
    pub(crate) per_second: PerSecond,
    pub(crate) previous: Totals,
}

/// Readings a second.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct PerSecond {
    pub(crate) last_minute: f64,
}

/// Counts of a range.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Totals {
    pub(crate) total: u64,
    /// How many have a verdict.
    pub(crate) judged: u64,
    pub(crate) anomalies: u64,
    /// Anomalies among the judged; none without any.
    pub(crate) anomaly_rate: Option<f64>,
}

/// The values of one signal over the range.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct SignalSummary {
    pub(crate) mean: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// The mean of the same range one day before.
    pub(crate) previous_mean: Option<f64>,
}

/// Devices and anomalies by where they stand and what they are.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Groups {
    pub(crate) building: Vec<Group>,
    pub(crate) floor: Vec<Group>,
    pub(crate) device_type: Vec<Group>,
}

/// The devices that share a place or kind; `unknown` for those that never said.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) devices: u64,
    pub(crate) readings: u64,
    pub(crate) anomalies: u64,
    pub(crate) odd: u64,
    pub(crate) silent: u64,
}

/// How many combined scores lie in a bin 0.02 wide.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct ScoreBinDto {
    pub(crate) low: f64,
    pub(crate) readings: u64,
    pub(crate) anomalies: u64,
}

/// The model in force.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct LiveModelDto {
    pub(crate) version: String,
    pub(crate) trained_at: Time,
    pub(crate) metrics_url: String,
}
