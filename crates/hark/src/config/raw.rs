//! The configuration as written: shapes only, no ranges.

use config::{Config as Tree, Value, ValueKind};
use detector::Feature;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::Problem;
use super::fit::{shown, told_by};

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
pub(super) struct RawLog {
    pub(super) filter: String,
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
    pub(super) possible_low: Option<f64>,
    pub(super) possible_high: Option<f64>,
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
    pub(super) rhythms_are_usual: bool,
    pub(super) max_future_skew: String,
    pub(super) incident_quiet: String,
    pub(super) silence_grace: String,
    pub(super) half_lives: RawHalfLives,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHalfLives {
    pub(super) unit: String,
    pub(super) level: f64,
    pub(super) smooth: f64,
    pub(super) rough: f64,
    pub(super) hold: f64,
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
    pub(super) log: RawLog,
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
    /// Reads every section, and notes what is wrong with each. In the place of what cannot be read stands the default, so
    /// that the rest can be checked all the same.
    pub(super) fn read(tree: &Tree, defaults: &Tree, problems: &mut Vec<Problem>) -> Self {
        let mut it = Reader {
            tree,
            defaults,
            problems,
        };
        Self {
            api: it.section("api"),
            dashboard: it.section("dashboard"),
            data: it.section("data"),
            log: it.section("log"),
            signals: it.section("signals"),
            forest: it.section("forest"),
            detector: it.section("detector"),
            google: it.section("google"),
            bus: it.section("bus"),
            warehouse: it.section("warehouse"),
            registry: it.section("registry"),
            redis: it.section("redis"),
            train: it.section("train"),
            simulator: it.section("simulator"),
        }
    }
}

struct Reader<'a> {
    tree: &'a Tree,
    defaults: &'a Tree,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn section<T: DeserializeOwned>(&mut self, name: &str) -> T {
        let default = self.defaults.get::<Value>(name).expect("the sample has every section");
        let given = self.tree.get::<Value>(name).unwrap_or_else(|_| default.clone());
        if let Ok(it) = given.clone().try_deserialize() {
            return it;
        }
        let sound = self.sound::<T>(name, given, &default);
        sound
            .try_deserialize()
            .or_else(|_| default.try_deserialize())
            .expect("the sample can be read, as a test shows")
    }

    /// The section with the defaults in the place of the keys that make it unreadable, each of which is noted.
    fn sound<T: DeserializeOwned>(&mut self, name: &str, given: Value, default: &Value) -> Value {
        let (ValueKind::Table(keys), ValueKind::Table(sample)) = (&given.kind, &default.kind) else {
            if let Err(error) = given.try_deserialize::<T>() {
                self.problems
                    .push(Problem::new(name, format!("`{name}` cannot be read: {error}")));
            }
            return default.clone();
        };
        let mut sound = sample.clone();
        let mut keys: Vec<(&String, &Value)> = keys.iter().collect();
        keys.sort_unstable_by_key(|it| it.0);
        for (key, value) in keys {
            let mut alone = sample.clone();
            alone.insert(key.clone(), value.clone());
            match Value::new(None, ValueKind::Table(alone)).try_deserialize::<T>() {
                Ok(_) => drop(sound.insert(key.clone(), value.clone())),
                Err(error) => {
                    let default = sample.get(key).map(|it| format!("the default is {}", shown(it)));
                    let key = format!("{name}.{key}");
                    let problem = Problem::new(&key, format!("`{key}` is {}: {error}{}", shown(value), told_by(value)));
                    self.problems.push(Problem {
                        hint: default,
                        ..problem
                    });
                }
            }
        }
        Value::new(None, ValueKind::Table(sound))
    }
}
