//! Every environment variable that Hark reads.

use std::collections::BTreeMap;

/// The beginning of the variables that are keys of the configuration: `HARK__API__LISTEN` is `api.listen`.
pub(crate) const PREFIX: &str = "HARK__";

/// Variables of other names that stand for keys: name, key, and what is put before and behind the value.
pub(crate) const NAMED: [(&str, &str, &str, &str); 10] = [
    ("NUM_DEVICES", "simulator.devices", "", ""),
    ("PUBLISH_INTERVAL", "simulator.interval", "", "s"),
    ("PROJECT_ID", "google.project", "", ""),
    ("TOPIC_NAME", "bus.pubsub.topic", "", ""),
    ("SUBSCRIPTION_NAME", "bus.pubsub.subscription", "", ""),
    ("PUBSUB_EMULATOR_HOST", "bus.pubsub.endpoint", "http://", ""),
    ("BIGQUERY_REST_ENDPOINT", "warehouse.bigquery.rest_endpoint", "", ""),
    ("BIGQUERY_GRPC_ENDPOINT", "warehouse.bigquery.grpc_endpoint", "", ""),
    ("REDIS_URL", "redis.url", "", ""),
    ("REDIS_URL_FILE", "redis.url_file", "", ""),
];

/// The keys that hold a secret: `HARK__REDIS__URL_FILE` names a file in which the value stands.
pub(super) const SECRETS: [&str; 1] = ["redis.url"];

/// The variables of a process that matter here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        };
        Self::of(std::env::vars_os().filter_map(text))
    }

    /// Those given.
    pub(crate) fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let matters = |name: &str| name.starts_with(PREFIX) || NAMED.iter().any(|it| it.0 == name);
        Self(variables.into_iter().filter(|(name, _)| matters(name)).collect())
    }

    /// The keys that are set: variable, key, and the value as text. `HARK__` variables come last and so win.
    pub(crate) fn keys(&self) -> Vec<(String, String, String)> {
        let named = NAMED.iter().filter_map(|(name, key, before, behind)| {
            let value = self.0.get(*name)?;
            Some((
                (*name).to_owned(),
                (*key).to_owned(),
                format!("{before}{value}{behind}"),
            ))
        });
        let ours = self.0.iter().filter_map(|(name, value)| {
            let key = name.strip_prefix(PREFIX)?.to_lowercase().replace("__", ".");
            Some((name.clone(), key, value.clone()))
        });
        named.chain(ours).collect()
    }
}
