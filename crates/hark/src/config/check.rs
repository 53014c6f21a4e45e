//! From the configuration as written to one that can be used.

use std::net::SocketAddr;
use std::time::Duration;

use detector::limits::{Foundation, MachineGroup, Sides, SignalLimits};
use detector::{FeatureSpec, Kind, Tempo, ThresholdPolicy, Unit};
use domain::{Signal, Signals};
use forest::Contamination;

use super::error::{Problem, nearest};
use super::google;
use super::layers::{Flags, Listener};
use super::quantity::{parse_size, parse_span};
use super::raw::{
    Raw, RawBus, RawDetector, RawForest, RawHalfLives, RawLog, RawSignal, RawSimulator, RawTrain, RawWarehouse,
};
use super::shared;
use super::values::{
    Api, Bus, BusKind, Config, Dashboard, Data, Detector, Log, Simulator, Train, Warehouse, WarehouseKind,
};
use crate::runtime::judging::{Judging, NamedLimits};

/// Notes problems; its methods give `None` for what cannot be used.
pub(super) struct Checker<'a>(&'a mut Vec<Problem>);

impl Checker<'_> {
    pub(super) fn take<T>(&mut self, key: &str, result: Result<T, String>) -> Option<T> {
        result
            .map_err(|problem| self.0.push(Problem::new(key, format!("`{key}`: {problem}"))))
            .ok()
    }

    pub(super) fn hinted<T>(&mut self, key: &str, message: String, hint: impl Into<String>) -> Option<T> {
        self.0.push(Problem::new(key, message).hint(hint));
        None
    }

    pub(super) fn span(&mut self, key: &str, text: &str) -> Option<Duration> {
        self.take(key, parse_span(text))
    }

    /// A number between these, both included.
    pub(super) fn within<T: PartialOrd + std::fmt::Display>(
        &mut self,
        key: &str,
        value: T,
        low: T,
        high: T,
    ) -> Option<T> {
        if low <= value && value <= high {
            return Some(value);
        }
        self.hinted(
            key,
            format!("`{key}` is {value}"),
            format!("it must lie between {low} and {high}"),
        )
    }

    /// One of a closed set of words.
    pub(super) fn word<T: Copy>(&mut self, key: &str, text: &str, words: &[(&str, T)]) -> Option<T> {
        if let Some((_, it)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*it);
        }
        let names: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        let hint = match nearest(text, words.iter().map(|it| it.0)) {
            Some(likely) => format!("did you mean {likely:?}?"),
            None => format!("this build knows {}", names.join(" and ")),
        };
        self.hinted(key, format!("`{key}` is {text:?}, which does not exist"), hint)
    }

    fn address(&mut self, key: &str, text: &str, exposure: Exposure) -> Option<SocketAddr> {
        let text = text.replacen("localhost:", "127.0.0.1:", 1);
        let Ok(address) = text.parse::<SocketAddr>() else {
            return self.hinted(
                key,
                format!("`{key}` is {text:?}, which is not an address with a port"),
                "write it as 127.0.0.1:8000 or [::1]:8000",
            );
        };
        if exposure == Exposure::Refused && !address.ip().is_loopback() {
            return self.hinted(
                key,
                format!("`{key}` is {address}, where anybody on the network could read and write without a password"),
                "listen on 127.0.0.1, or say --insecure if the network is trusted",
            );
        }
        Some(address)
    }
}

/// Whether a server may listen where others can reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exposure {
    Allowed,
    Refused,
}

impl Exposure {
    fn of(flags: &Flags, listener: Listener) -> Self {
        if flags.listeners.contains(&listener) && !flags.insecure {
            Self::Refused
        } else {
            Self::Allowed
        }
    }
}

/// Checks every value, and notes all that is wrong.
pub(super) fn check(raw: Raw, flags: &Flags, problems: &mut Vec<Problem>) -> Option<Config> {
    let mut it = Checker(problems);
    let api_listen = it.address("api.listen", &raw.api.listen, Exposure::of(flags, Listener::Api));
    let max_request_bytes = it.take("api.max_request_bytes", parse_size(&raw.api.max_request_bytes));
    let max_batch_bytes = it.take("api.max_batch_bytes", parse_size(&raw.api.max_batch_bytes));
    let page_listen = it.address(
        "dashboard.listen",
        &raw.dashboard.listen,
        Exposure::of(flags, Listener::Dashboard),
    );
    let api_url = url(&mut it, raw.dashboard.api);
    let dir = if raw.data.dir.is_empty() {
        it.hinted(
            "data.dir",
            "`data.dir` is empty".to_owned(),
            "name a folder, such as hark-data",
        )
    } else {
        Some(raw.data.dir.into())
    };
    let log = log(&mut it, raw.log);
    let limits = limits(&mut it, &raw.signals);
    let signals = signals(&mut it, raw.signals);
    if let (Some(signals), Some(limits)) = (&signals, &limits) {
        it.take("signals", Judging::new(signals, limits).map_err(|it| it.to_string()));
    }
    let policy = policy(&mut it, &raw.detector);
    let forest = forest_params(&mut it, &raw.forest);
    let detector = detector(&mut it, raw.detector, policy, forest);
    let bus = bus(&mut it, &raw.bus);
    let warehouse = warehouse(&mut it, &raw.warehouse);
    let google = google::google(&mut it, raw.google, bus.as_ref(), warehouse.as_ref());
    let registry = shared::registry(&mut it, &raw.registry);
    let redis = shared::redis(&mut it, &raw.redis);
    let train = train(&mut it, &raw.train);
    let simulator = simulator(&mut it, &raw.simulator);
    Some(Config {
        api: Api {
            listen: api_listen?,
            max_request_bytes: max_request_bytes?,
            max_batch_bytes: max_batch_bytes?,
        },
        dashboard: Dashboard {
            listen: page_listen?,
            api: api_url?,
        },
        data: Data { dir: dir? },
        log: log?,
        signals: signals?,
        limits: limits?,
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

fn log(it: &mut Checker<'_>, raw: RawLog) -> Option<Log> {
    if let Err(cause) = tracing_subscriber::EnvFilter::builder().parse(&raw.filter) {
        return it.hinted(
            "log.filter",
            format!("`log.filter` is {:?}: {cause}", raw.filter),
            "write levels, of all or of one part: warn,hark=debug",
        );
    }
    Some(Log { filter: raw.filter })
}

fn url(it: &mut Checker<'_>, text: String) -> Option<String> {
    let host = text.strip_prefix("http://").unwrap_or_default();
    if host.is_empty() || host.starts_with('/') || host.contains(char::is_whitespace) {
        return it.hinted(
            "dashboard.api",
            format!("`dashboard.api` is {text:?}, which is not an http address"),
            "write it as http://127.0.0.1:8000",
        );
    }
    Some(text.trim_end_matches('/').to_owned())
}

fn signals(it: &mut Checker<'_>, raw: Vec<RawSignal>) -> Option<Signals> {
    let signals = raw.into_iter().map(|it| Signal {
        short: it.alias.unwrap_or_else(|| it.name.clone()),
        unit: it.unit.unwrap_or_else(|| "1".to_owned()),
        name: it.name,
    });
    it.take("signals", Signals::new(signals.collect()).map_err(|it| it.to_string()))
}

/// What a person has set for each signal.
fn limits(it: &mut Checker<'_>, raw: &[RawSignal]) -> Option<NamedLimits> {
    let sides = [("both", Sides::Both), ("high", Sides::High), ("low", Sides::Low)];
    let zones = [
        ("large-rigid", (MachineGroup::Large, Foundation::Rigid)),
        ("large-flexible", (MachineGroup::Large, Foundation::Flexible)),
        ("medium-rigid", (MachineGroup::Medium, Foundation::Rigid)),
        ("medium-flexible", (MachineGroup::Medium, Foundation::Flexible)),
    ];
    let mut limits = Some(Vec::new());
    for signal in raw {
        let key = |name: &str| format!("signals.{}.{name}", signal.name);
        let sides = match &signal.sides {
            Some(word) => it.word(&key("sides"), word, &sides),
            None => Some(Sides::Both),
        };
        let zones = match &signal.iso_20816_3 {
            Some(word) => it.word(&key("iso_20816_3"), word, &zones).map(Some),
            None => Some(None),
        };
        limits = limits.zip(sides.zip(zones)).map(|(mut limits, (sides, zones))| {
            let of_signal = SignalLimits {
                sides,
                low: signal.low,
                high: signal.high,
                zones,
                fastest: signal.fastest,
                possible_low: signal.possible_low,
                possible_high: signal.possible_high,
            };
            limits.push((signal.name.clone(), of_signal));
            limits
        });
    }
    limits
}

fn forest_params(it: &mut Checker<'_>, raw: &RawForest) -> Option<forest::Params> {
    let params = forest::Params {
        trees: raw.trees,
        subsample: raw.subsample,
        contamination: Contamination::Share(raw.contamination),
        seed: raw.random_state,
        extension: raw.extension,
    };
    it.take("forest", params.check().map_err(|it| it.to_string()))?;
    Some(params)
}

fn policy(it: &mut Checker<'_>, raw: &RawDetector) -> Option<ThresholdPolicy> {
    let budget = ThresholdPolicy::Budget {
        false_alarms_per_device_week: raw.false_alarms_per_device_week,
    };
    let words = [("budget", budget), ("contamination", ThresholdPolicy::Contamination)];
    it.word("detector.threshold", &raw.threshold, &words)
}

fn detector(
    it: &mut Checker<'_>,
    raw: RawDetector,
    policy: Option<ThresholdPolicy>,
    forest: Option<forest::Params>,
) -> Option<Detector> {
    let spec = it.take(
        "detector.features",
        FeatureSpec::new(raw.features).map_err(|it| it.to_string()),
    );
    let skew = it.span("detector.max_future_skew", &raw.max_future_skew);
    let quiet = it.span("detector.incident_quiet", &raw.incident_quiet);
    let grace = it.span("detector.silence_grace", &raw.silence_grace);
    let tempo = tempo(it, &raw.half_lives);
    let kinds = [Kind::Hybrid, Kind::IsolationForest, Kind::Statistical].map(|it| (it.as_str(), it));
    let kind = it.word("detector.kind", &raw.kind, &kinds);
    let detector = Detector {
        kind: kind?,
        spec: spec?,
        policy: policy?,
        tempo: tempo?,
        rhythms_are_usual: raw.rhythms_are_usual,
        max_future_skew: skew?,
        incident_quiet: quiet?,
        silence_grace: grace?,
    };
    it.take("detector", detector.plan(forest?).check().map_err(|it| it.to_string()))?;
    Some(detector)
}

fn tempo(it: &mut Checker<'_>, raw: &RawHalfLives) -> Option<Tempo> {
    let unit = match raw.unit.as_str() {
        "interval" => Unit::Interval,
        text => {
            let unit = parse_span(text)
                .map_err(|_| format!("`{text}` is neither \"interval\" nor a length of time such as 10s"));
            Unit::Seconds(it.take("detector.half_lives.unit", unit)?.as_secs_f64())
        }
    };
    Some(Tempo {
        unit,
        level: raw.level,
        smooth: raw.smooth,
        rough: raw.rough,
        hold: raw.hold,
        ..Tempo::default()
    })
}

fn bus(it: &mut Checker<'_>, raw: &RawBus) -> Option<Bus> {
    let kinds = [("embedded", BusKind::Embedded), ("pubsub", BusKind::Pubsub)];
    let kind = it.word("bus.kind", &raw.kind, &kinds);
    let max_queued = it.within("bus.max_queued", raw.max_queued, 1, 10_000_000);
    let max_batch = it.within("bus.max_batch", raw.max_batch, 1, raw.max_queued.clamp(1, 100_000));
    let patience = it.span("bus.patience", &raw.patience);
    let pubsub = google::pubsub(it, &raw.pubsub);
    Some(Bus {
        kind: kind?,
        max_queued: max_queued?,
        max_batch: max_batch?,
        patience: patience?,
        pubsub: pubsub?,
    })
}

fn warehouse(it: &mut Checker<'_>, raw: &RawWarehouse) -> Option<Warehouse> {
    let kinds = [
        ("embedded", WarehouseKind::Embedded),
        ("bigquery", WarehouseKind::BigQuery),
    ];
    let kind = it.word("warehouse.kind", &raw.kind, &kinds);
    let bigquery = google::bigquery(it, &raw.bigquery);
    let retention = match raw.retention.as_str() {
        "forever" => Some(None),
        text => match parse_span(text) {
            Ok(span) if span >= Duration::from_secs(60) => Some(Some(span)),
            _ => it.hinted(
                "warehouse.retention",
                format!("`warehouse.retention` is {text:?}"),
                "write a length of time of at least a minute such as 90d, or forever",
            ),
        },
    };
    Some(Warehouse {
        kind: kind?,
        retention: retention?,
        dead_letters_max: raw.dead_letters_max,
        bigquery: bigquery?,
    })
}

fn train(it: &mut Checker<'_>, raw: &RawTrain) -> Option<Train> {
    let holdout = it.within("train.holdout", raw.holdout, 0.0, 0.9);
    let min_readings = it.within("train.min_readings", raw.min_readings, 1, 1_000_000_000);
    let every = match raw.every.as_str() {
        "off" => Some(None),
        text => match parse_span(text) {
            Ok(span) if span >= Duration::from_secs(60) => Some(Some(span)),
            _ => it.hinted(
                "train.every",
                format!("`train.every` is {text:?}"),
                "write a length of time of at least a minute such as 1d, or off",
            ),
        },
    };
    let shadow = it.span("train.shadow", &raw.shadow);
    Some(Train {
        holdout: holdout?,
        min_readings: min_readings?,
        every: every?,
        shadow: shadow?,
    })
}

fn simulator(it: &mut Checker<'_>, raw: &RawSimulator) -> Option<Simulator> {
    let devices = it.within("simulator.devices", raw.devices, 1, 1_000_000);
    let interval = it.span("simulator.interval", &raw.interval).and_then(|interval| {
        let fits = (1..=86_400_000).contains(&interval.as_millis()) && interval.subsec_micros() % 1_000 == 0;
        if fits {
            return Some(interval);
        }
        it.hinted(
            "simulator.interval",
            format!("`simulator.interval` is {:?}", raw.interval),
            "it must be whole milliseconds between 1ms and 1d",
        )
    });
    let anomaly_rate = it.within("simulator.anomaly_rate", raw.anomaly_rate, 0.0, 1.0);
    let faults = it.within(
        "simulator.faults_per_device_week",
        raw.faults_per_device_week,
        0.0,
        14.0,
    );
    Some(Simulator {
        devices: devices?,
        interval: interval?,
        seed: raw.seed,
        anomaly_rate: anomaly_rate?,
        faults_per_device_week: faults?,
    })
}
