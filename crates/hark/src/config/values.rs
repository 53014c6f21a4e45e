//! The checked values. Names and meanings are those of `config/hark.toml`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use detector::{FeatureSpec, Kind, Plan, Tempo, ThresholdPolicy};
use domain::Signals;

use crate::runtime::judging::NamedLimits;

/// All of it.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) api: Api,
    pub(crate) dashboard: Dashboard,
    pub(crate) data: Data,
    pub(crate) log: Log,
    pub(crate) signals: Signals,
    pub(crate) limits: NamedLimits,
    pub(crate) forest: forest::Params,
    pub(crate) detector: Detector,
    #[cfg_attr(
        not(feature = "gcp"),
        expect(dead_code, reason = "checked in every build, used in one with `gcp`")
    )]
    pub(crate) google: Google,
    pub(crate) bus: Bus,
    pub(crate) warehouse: Warehouse,
    pub(crate) registry: Registry,
    pub(crate) redis: Redis,
    pub(crate) train: Train,
    pub(crate) simulator: Simulator,
}

impl Config {
    /// This configuration with the bus inside the process, for what is judged and stored by this process alone.
    pub(crate) fn on_embedded_bus(mut self) -> Self {
        self.bus.kind = BusKind::Embedded;
        self
    }
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

/// What is logged.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    /// Levels, as `RUST_LOG` has them; empty leaves it to the command line.
    pub(crate) filter: String,
}

/// How readings are judged.
#[derive(Debug, Clone)]
pub(crate) struct Detector {
    pub(crate) kind: Kind,
    pub(crate) spec: FeatureSpec,
    pub(crate) policy: ThresholdPolicy,
    pub(crate) tempo: Tempo,
    pub(crate) rhythms_are_usual: bool,
    pub(crate) max_future_skew: Duration,
    pub(crate) incident_quiet: Duration,
    pub(crate) silence_grace: Duration,
}

impl Detector {
    /// How models are made, with these forests.
    pub(crate) fn plan(&self, forest: forest::Params) -> Plan {
        Plan {
            kind: self.kind,
            forest,
            spec: self.spec.clone(),
            policy: self.policy,
            tempo: self.tempo,
            rhythms_are_usual: self.rhythms_are_usual,
        }
    }
}

/// Which bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BusKind {
    /// Inside the process.
    Embedded,
    /// Google Pub/Sub.
    Pubsub,
}

impl BusKind {
    /// Whether other processes send to it and consume from it.
    pub(crate) fn is_shared(self) -> bool {
        self != Self::Embedded
    }
}

/// Google Pub/Sub.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(feature = "gcp"),
    expect(dead_code, reason = "checked in every build, used in one with `gcp`")
)]
pub(crate) struct Pubsub {
    pub(crate) topic: String,
    pub(crate) subscription: String,
    pub(crate) dead_letter_topic: String,
    pub(crate) ordering: bool,
    pub(crate) exactly_once: bool,
    pub(crate) streams: usize,
    pub(crate) lease: Duration,
    /// None is Google's service.
    pub(crate) endpoint: Option<String>,
}

/// Google Cloud.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(feature = "gcp"),
    expect(dead_code, reason = "checked in every build, used in one with `gcp`")
)]
pub(crate) struct Google {
    /// Not empty where something needs it.
    pub(crate) project: String,
}

/// The way from the senders to the consumer.
#[derive(Debug, Clone)]
pub(crate) struct Bus {
    pub(crate) kind: BusKind,
    pub(crate) max_queued: usize,
    pub(crate) max_batch: usize,
    pub(crate) patience: Duration,
    pub(crate) pubsub: Pubsub,
}

/// Which warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WarehouseKind {
    /// A SQLite file in the data folder.
    Embedded,
    /// A dataset of Google BigQuery.
    BigQuery,
}

impl WarehouseKind {
    /// Whether several processes may write to it at the same time.
    pub(crate) fn is_shared(self) -> bool {
        self != Self::Embedded
    }
}

/// How surely BigQuery gets a row once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    ExactlyOnce,
    AtLeastOnce,
}

/// Google BigQuery.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(feature = "gcp"),
    expect(dead_code, reason = "checked in every build, used in one with `gcp`")
)]
pub(crate) struct BigQuery {
    pub(crate) dataset: String,
    pub(crate) location: String,
    pub(crate) delivery: Delivery,
    /// None is Google's service.
    pub(crate) rest_endpoint: Option<String>,
    /// Likewise.
    pub(crate) grpc_endpoint: Option<String>,
}

/// Where readings are kept.
#[derive(Debug, Clone)]
pub(crate) struct Warehouse {
    pub(crate) kind: WarehouseKind,
    /// None keeps everything.
    pub(crate) retention: Option<Duration>,
    pub(crate) dead_letters_max: u64,
    #[cfg_attr(
        not(feature = "gcp"),
        expect(dead_code, reason = "checked in every build, used in one with `gcp`")
    )]
    pub(crate) bigquery: BigQuery,
}

/// Where models are kept.
#[derive(Debug, Clone)]
pub(crate) enum Registry {
    /// A folder; none is `models` in the data folder.
    Folder(Option<PathBuf>),
    /// A bucket.
    #[cfg_attr(
        not(feature = "bucket"),
        expect(dead_code, reason = "checked in every build, used in one with `bucket`")
    )]
    Bucket {
        url: String,
        /// None is the provider's own.
        endpoint: Option<String>,
    },
}

/// What processes share beside bus and warehouse.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(feature = "redis"),
    expect(dead_code, reason = "checked in every build, used in one with `redis`")
)]
pub(crate) struct Redis {
    pub(crate) url: Option<RedisUrl>,
    pub(crate) prefix: String,
    pub(crate) patience: Duration,
}

/// An address with a password in it, which is not told.
#[derive(Clone)]
pub(crate) struct RedisUrl(pub(super) String);

impl RedisUrl {
    /// All of it.
    #[cfg(feature = "redis")]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&without_password(&self.0))
    }
}

/// A URL as it may be shown.
pub(super) fn without_password(url: &str) -> String {
    match url.split_once("://").zip(url.rsplit_once('@')) {
        Some(((scheme, _), (_, host))) => format!("{scheme}://***@{host}"),
        None => url.to_owned(),
    }
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
