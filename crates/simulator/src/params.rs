//! What a fleet is made from, as asked for and as checked.

use std::ops::Deref;
use std::time::Duration;

use domain::Timestamp;

use crate::fault::PlantedFault;
use crate::plan::SLOTS_PER_WEEK;

/// The most devices of a fleet.
pub const MAX_DEVICES: u32 = 1_000_000;
/// The most faults a week that may be asked for.
pub const MAX_FAULTS_PER_DEVICE_WEEK: f64 = SLOTS_PER_WEEK;
/// The longest time between two readings of a device.
const MAX_INTERVAL: Duration = Duration::from_secs(86_400);

/// A fleet as asked for. [`Self::check`] is the way on.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetParams {
    /// How many devices, from `sensor_001` on.
    pub devices: u32,
    /// The time between two readings of one device: whole milliseconds, up to a day.
    pub interval: Duration,
    /// Where all chance comes from.
    pub seed: u64,
    /// The share of readings outside of faults that are anomalous for themselves, 0 to 1.
    pub anomaly_rate: f64,
    /// How many lasting faults befall a device in a week on average, 0 to [`MAX_FAULTS_PER_DEVICE_WEEK`].
    pub faults_per_device_week: f64,
    /// No reading is earlier.
    pub start: Timestamp,
    /// All readings are earlier; without it there is no end.
    pub end: Option<Timestamp>,
    /// Faults that happen for certain. Where one would meet a fault of chance, the latter does not happen.
    pub planted: Vec<PlantedFault>,
}

impl Default for FleetParams {
    /// 50 devices every 10 s, seed 42, 2 % anomalies, a fault per device and week, from 2024 on without end.
    fn default() -> Self {
        Self {
            devices: 50,
            interval: Duration::from_secs(10),
            seed: 42,
            anomaly_rate: 0.02,
            faults_per_device_week: 1.0,
            start: Timestamp::from_secs(1_704_067_200),
            end: None,
            planted: Vec::new(),
        }
    }
}

/// A fleet that cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParamsError {
    /// No devices or too many.
    #[error("devices is {0}, it must lie between 1 and {MAX_DEVICES}")]
    Devices(u32),
    /// An interval that is nothing, too long, or finer than a millisecond.
    #[error("interval is {0:?}, it must be whole milliseconds between 1 ms and one day")]
    Interval(Duration),
    /// No share.
    #[error("anomaly_rate is {0}, it must lie between 0 and 1")]
    AnomalyRate(f64),
    /// Below nothing, or more than a week can hold.
    #[error("faults_per_device_week is {0}, it must lie between 0 and {MAX_FAULTS_PER_DEVICE_WEEK}")]
    FaultRate(f64),
    /// An end that is not after the start.
    #[error("end is {end}, it must be later than start, {start}")]
    End {
        /// As given.
        start: Timestamp,
        /// As given.
        end: Timestamp,
    },
    /// A planted fault on a device that is not there.
    #[error("a {kind} is planted on device {device}, the fleet has devices 1 to {devices}")]
    NoSuchDevice {
        /// The kind of the planted fault.
        kind: &'static str,
        /// As given.
        device: u32,
        /// How many there are.
        devices: u32,
    },
    /// A planted fault shorter than a millisecond.
    #[error("the {kind} planted on device {device} lasts {duration:?}, at least 1 ms is needed")]
    TooShort {
        /// The kind of the planted fault.
        kind: &'static str,
        /// The device.
        device: u32,
        /// As given.
        duration: Duration,
    },
    /// Two planted faults at one time on one device.
    #[error("the {first} and the {second} planted on device {device} overlap")]
    Overlap {
        /// The kind of the earlier one.
        first: &'static str,
        /// The kind of the later one.
        second: &'static str,
        /// The device.
        device: u32,
    },
}

/// A fleet that can be made. Only [`FleetParams::check`] gives one.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedParams(FleetParams);

impl Deref for CheckedParams {
    type Target = FleetParams;

    fn deref(&self) -> &FleetParams {
        &self.0
    }
}

impl FleetParams {
    /// Checks the whole.
    ///
    /// # Errors
    /// The first [`ParamsError`] that is found.
    pub fn check(self) -> Result<CheckedParams, ParamsError> {
        if !(1..=MAX_DEVICES).contains(&self.devices) {
            return Err(ParamsError::Devices(self.devices));
        }
        let whole_millis = self.interval.as_nanos().is_multiple_of(1_000_000);
        if self.interval.is_zero() || self.interval > MAX_INTERVAL || !whole_millis {
            return Err(ParamsError::Interval(self.interval));
        }
        if !(0.0..=1.0).contains(&self.anomaly_rate) {
            return Err(ParamsError::AnomalyRate(self.anomaly_rate));
        }
        if !(0.0..=MAX_FAULTS_PER_DEVICE_WEEK).contains(&self.faults_per_device_week) {
            return Err(ParamsError::FaultRate(self.faults_per_device_week));
        }
        if let Some(end) = self.end.filter(|&end| end <= self.start) {
            return Err(ParamsError::End { start: self.start, end });
        }
        self.check_planted()?;
        Ok(CheckedParams(self))
    }

    fn check_planted(&self) -> Result<(), ParamsError> {
        let mut planted: Vec<&PlantedFault> = self.planted.iter().collect();
        planted.sort_by_key(|it| (it.device, it.onset));
        for it in &planted {
            let (kind, device) = (it.kind.as_str(), it.device);
            if !(1..=self.devices).contains(&device) {
                let devices = self.devices;
                return Err(ParamsError::NoSuchDevice { kind, device, devices });
            }
            if it.duration < Duration::from_millis(1) {
                let duration = it.duration;
                return Err(ParamsError::TooShort { kind, device, duration });
            }
        }
        for pair in planted.windows(2) {
            let (earlier, later) = (pair[0], pair[1]);
            if earlier.device == later.device && earlier.onset.after(earlier.duration) > later.onset {
                return Err(ParamsError::Overlap {
                    first: earlier.kind.as_str(),
                    second: later.kind.as_str(),
                    device: later.device,
                });
            }
        }
        Ok(())
    }
}
