//! Devices.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::reading::{LocationDto, ReadingDto};
use super::{Learning, Time};

/// A device.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct DeviceDto<'a> {
    pub(crate) device_id: &'a str,
    pub(crate) location: Option<LocationDto<'a>>,
    pub(crate) device_type: Option<&'a str>,
    pub(crate) first_received_at: Time,
    pub(crate) last_received_at: Time,
    /// How many readings of it were stored.
    pub(crate) readings: u64,
    /// `fine`, `odd` (three of its last five readings are anomalous, or the last one and it came within five minutes) or
    /// `silent`, which goes before `odd`.
    pub(crate) state: &'a str,
    /// Not heard for five times as long as it usually is, and at least a minute.
    pub(crate) silent: bool,
    /// The reading with the latest time.
    pub(crate) last: Option<ReadingDto<'a>>,
    /// How many readings its own history rests on.
    pub(crate) history: u64,
    /// How many of the readings that it learns from have come; none once it is held to them.
    pub(crate) learning: Option<Learning>,
    /// What is doubtful about its newest reading: states of the device, not anomalies of the machine.
    pub(crate) doubts: Vec<DoubtDto<'a>>,
    pub(crate) activity: Activity,
    /// When its maintenance ends; none while it is in none.
    pub(crate) maintenance_until: Option<Time>,
    /// Its newest incident that is not resolved.
    pub(crate) incident: Option<DeviceIncident<'a>>,
}

/// What is doubtful about what comes from a device.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct DoubtDto<'a> {
    /// `flat_lined` (one value again and again), `jumped` (faster than the signal can change), `impossible` (no sensor
    /// measures such a value), `clock_suspect` (a time too far ahead), `two_places` (two devices of one name) or `two_values`
    /// (two readings of one time, of which the first is kept).
    pub(crate) kind: &'a str,
    /// The signal that it is about; none where it is about the whole reading.
    pub(crate) signal: Option<&'a str>,
}

/// An incident of a device in short.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct DeviceIncident<'a> {
    pub(crate) id: &'a str,
    pub(crate) state: &'a str,
    pub(crate) severity: &'a str,
    pub(crate) began: Time,
    pub(crate) ongoing: bool,
    pub(crate) reason: &'a str,
}

/// What a device did in the last 24 hours.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Activity {
    pub(crate) hours: u32,
    pub(crate) readings: u64,
    pub(crate) anomalies: u64,
}

/// All devices.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Devices<'a> {
    pub(crate) devices: Vec<DeviceDto<'a>>,
}

/// A device with what is usual for it.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct DeviceDetail<'a> {
    #[serde(flatten)]
    pub(crate) device: DeviceDto<'a>,
    /// By signal; empty while there is no model.
    pub(crate) ranges: BTreeMap<&'a str, UsualDto>,
}

/// What is usual for one signal of a device.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct UsualDto {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) mean: f64,
    /// The standard deviation.
    pub(crate) sd: f64,
}

/// The declared signals.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct SignalsDto<'a> {
    pub(crate) signals: Vec<SignalDto<'a>>,
}

/// A declared signal.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct SignalDto<'a> {
    pub(crate) name: &'a str,
    /// The name in `is_temp_anomaly` and its like.
    pub(crate) short: &'a str,
    /// The unit in UCUM or SenML writing.
    pub(crate) unit: &'a str,
    /// The unit as people write it.
    pub(crate) symbol: &'a str,
}
