//! The keys that are in force at once when a running process reads its configuration again.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::values::Config;

/// These keys; whatever else was changed takes a restart.
pub(crate) const RELOADED: [&str; 12] = [
    "log.filter",
    "api.max_request_bytes",
    "api.max_batch_bytes",
    "detector.threshold",
    "detector.false_alarms_per_device_week",
    "detector.max_future_skew",
    "detector.incident_quiet",
    "detector.silence_grace",
    "warehouse.retention",
    "train.holdout",
    "train.min_readings",
    "train.shadow",
];

/// The configuration in force, which its readers ask for each time.
pub(crate) type Settings = Arc<ArcSwap<Config>>;

/// Settings that begin with this configuration.
pub(crate) fn settings(config: Config) -> Settings {
    Arc::new(ArcSwap::from_pointee(config))
}

impl Config {
    /// This configuration with the values of [`RELOADED`] from another one.
    pub(crate) fn reloaded(&self, fresh: &Self) -> Self {
        let mut config = self.clone();
        config.log = fresh.log.clone();
        config.api.max_request_bytes = fresh.api.max_request_bytes;
        config.api.max_batch_bytes = fresh.api.max_batch_bytes;
        config.detector.policy = fresh.detector.policy;
        config.detector.max_future_skew = fresh.detector.max_future_skew;
        config.detector.incident_quiet = fresh.detector.incident_quiet;
        config.detector.silence_grace = fresh.detector.silence_grace;
        config.warehouse.retention = fresh.warehouse.retention;
        config.train.holdout = fresh.train.holdout;
        config.train.min_readings = fresh.train.min_readings;
        config.train.shadow = fresh.train.shadow;
        config
    }
}

#[cfg(test)]
mod tests {
    use super::super::SAMPLE;
    use super::RELOADED;

    #[test]
    fn the_sample_marks_what_is_reloaded_and_nothing_else() {
        let (mut section, mut words, mut marked) = (String::new(), String::new(), Vec::new());
        for line in SAMPLE.lines() {
            if let Some(comment) = line.strip_prefix('#') {
                words.push_str(comment);
            } else if let Some(name) = line.strip_prefix('[') {
                section = name.trim_matches(['[', ']']).to_owned();
                words.clear();
            } else if let Some((key, _)) = line.split_once(" = ") {
                if words.contains("Reloaded.") {
                    marked.push(format!("{section}.{key}"));
                }
                words.clear();
            }
        }
        let mut expected = RELOADED.map(str::to_owned);
        expected.sort_unstable();
        marked.sort_unstable();
        assert_eq!(marked, expected);
    }
}
