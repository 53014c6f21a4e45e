//! The checked values. Names and meanings are those of `config/hark.toml`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use detector::{FeatureSpec, Kind, ThresholdPolicy};
use domain::Signals;

use crate::runtime::judging::NamedLimits;

/// All of it.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) api: Api,
    pub(crate) dashboard: Dashboard,
    pub(crate) data: Data,
    pub(crate) signals: Signals,
    pub(crate) limits: NamedLimits,
    pub(crate) forest: forest::Params,
    pub(crate) detector: Detector,
    pub(crate) bus: Bus,
    pub(crate) warehouse: Warehouse,
    pub(crate) train: Train,
    pub(crate) simulator: Simulator,
}

/// The detection API.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) listen: SocketAddr,
    pub(crate) max_request_bytes: usize,
    pub(crate) max_batch_bytes: usize,
}

/// The page.
#[derive(Debug, Clone)]
pub(crate) struct Dashboard {
    pub(crate) listen: SocketAddr,
    pub(crate) api: String,
}

/// What is kept, and where.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    pub(crate) dir: PathBuf,
}

/// How readings are judged.
#[derive(Debug, Clone)]
pub(crate) struct Detector {
    pub(crate) kind: Kind,
    pub(crate) spec: FeatureSpec,
    pub(crate) policy: ThresholdPolicy,
    pub(crate) max_future_skew: Duration,
    pub(crate) incident_quiet: Duration,
    pub(crate) silence_grace: Duration,
}

/// Which bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BusKind {
    /// Inside the process.
    Embedded,
}

/// The way from the senders to the consumer.
#[derive(Debug, Clone)]
pub(crate) struct Bus {
    pub(crate) kind: BusKind,
    pub(crate) max_queued: usize,
    pub(crate) max_batch: usize,
    pub(crate) patience: Duration,
}

/// Which warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WarehouseKind {
    /// A SQLite file in the data folder.
    Embedded,
}

/// Where readings are kept.
#[derive(Debug, Clone)]
pub(crate) struct Warehouse {
    pub(crate) kind: WarehouseKind,
    /// None keeps everything.
    pub(crate) retention: Option<Duration>,
    pub(crate) dead_letters_max: u64,
}

/// How models are trained.
#[derive(Debug, Clone)]
pub(crate) struct Train {
    pub(crate) holdout: f64,
    pub(crate) min_readings: u64,
    /// None trains no more after the first model.
    pub(crate) every: Option<Duration>,
    pub(crate) shadow: Duration,
}

/// The simulated fleet.
#[derive(Debug, Clone)]
pub(crate) struct Simulator {
    pub(crate) devices: u32,
    pub(crate) interval: Duration,
    pub(crate) seed: u64,
    pub(crate) anomaly_rate: f64,
    pub(crate) faults_per_device_week: f64,
}
