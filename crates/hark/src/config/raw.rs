//! The configuration as written: shapes only, no ranges.

use config::{Config as Tree, Value};
use detector::Feature;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::Problem;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawApi {
    pub(super) listen: String,
    pub(super) max_request_bytes: String,
    pub(super) max_batch_bytes: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDashboard {
    pub(super) listen: String,
    pub(super) api: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawData {
    pub(super) dir: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSignal {
    pub(super) name: String,
    pub(super) unit: Option<String>,
    pub(super) alias: Option<String>,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    pub(super) sides: Option<String>,
    pub(super) iso_20816_3: Option<String>,
    pub(super) fastest: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawForest {
    pub(super) trees: usize,
    pub(super) subsample: usize,
    pub(super) contamination: f64,
    pub(super) random_state: u64,
    pub(super) extension: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDetector {
    pub(super) kind: String,
    pub(super) features: Vec<Feature>,
    pub(super) threshold: String,
    pub(super) false_alarms_per_device_week: f64,
    pub(super) max_future_skew: String,
    pub(super) incident_quiet: String,
    pub(super) silence_grace: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBus {
    pub(super) kind: String,
    pub(super) max_queued: usize,
    pub(super) max_batch: usize,
    pub(super) patience: String,
    pub(super) pubsub: RawPubsub,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPubsub {
    pub(super) topic: String,
    pub(super) subscription: String,
    pub(super) dead_letter_topic: String,
    pub(super) ordering: bool,
    pub(super) exactly_once: bool,
    pub(super) streams: usize,
    pub(super) lease: String,
    pub(super) endpoint: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGoogle {
    pub(super) project: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWarehouse {
    pub(super) kind: String,
    pub(super) retention: String,
    pub(super) dead_letters_max: u64,
    pub(super) bigquery: RawBigQuery,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBigQuery {
    pub(super) dataset: String,
    pub(super) location: String,
    pub(super) delivery: String,
    pub(super) rest_endpoint: String,
    pub(super) grpc_endpoint: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRegistry {
    pub(super) url: String,
    pub(super) endpoint: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRedis {
    pub(super) url: String,
    pub(super) prefix: String,
    pub(super) patience: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTrain {
    pub(super) holdout: f64,
    pub(super) min_readings: u64,
    pub(super) every: String,
    pub(super) shadow: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSimulator {
    pub(super) devices: u32,
    pub(super) interval: String,
    pub(super) seed: u64,
    pub(super) anomaly_rate: f64,
    pub(super) faults_per_device_week: f64,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) api: RawApi,
    pub(super) dashboard: RawDashboard,
    pub(super) data: RawData,
    pub(super) signals: Vec<RawSignal>,
    pub(super) forest: RawForest,
    pub(super) detector: RawDetector,
    pub(super) google: RawGoogle,
    pub(super) bus: RawBus,
    pub(super) warehouse: RawWarehouse,
    pub(super) registry: RawRegistry,
    pub(super) redis: RawRedis,
    pub(super) train: RawTrain,
    pub(super) simulator: RawSimulator,
}

impl Raw {
    /// Reads every section, and notes what is wrong with each. Keys that were found unfit before are not told twice.
    pub(super) fn read(tree: &Tree, problems: &mut Vec<Problem>) -> Option<Self> {
        let api = section(tree, "api", problems);
        let dashboard = section(tree, "dashboard", problems);
        let data = section(tree, "data", problems);
        let signals = section(tree, "signals", problems);
        let forest = section(tree, "forest", problems);
        let detector = section(tree, "detector", problems);
        let google = section(tree, "google", problems);
        let bus = section(tree, "bus", problems);
        let warehouse = section(tree, "warehouse", problems);
        let registry = section(tree, "registry", problems);
        let redis = section(tree, "redis", problems);
        let train = section(tree, "train", problems);
        let simulator = section(tree, "simulator", problems);
        Some(Self {
            api: api?,
            dashboard: dashboard?,
            data: data?,
            signals: signals?,
            forest: forest?,
            detector: detector?,
            google: google?,
            bus: bus?,
            warehouse: warehouse?,
            registry: registry?,
            redis: redis?,
            train: train?,
            simulator: simulator?,
        })
    }
}

fn section<T: DeserializeOwned>(tree: &Tree, name: &str, problems: &mut Vec<Problem>) -> Option<T> {
    let inside = |it: &Problem| it.key == name || it.key.strip_prefix(name).is_some_and(|it| it.starts_with('.'));
    match tree.get::<Value>(name).and_then(Value::try_deserialize::<T>) {
        Ok(it) => Some(it),
        Err(_) if problems.iter().any(inside) => None,
        Err(error) => {
            problems.push(Problem::new(name, format!("section `{name}` cannot be read: {error}")));
            None
        }
    }
}
