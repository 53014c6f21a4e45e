//! What devices measure: a declared set of signals, each with its unit.

use std::sync::Arc;

/// The most signals that one installation may declare.
pub const MAX_SIGNALS: usize = 64;

/// One measured quantity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Signal {
    /// The name in messages, columns and paths: `temperature`.
    pub name: String,
    /// The unit in UCUM or SenML writing: `Cel`, `mm/s`.
    pub unit: String,
    /// The short name in API fields (`is_temp_anomaly`), where it differs from the name.
    pub short: String,
}

impl Signal {
    /// A signal whose short name is its name.
    #[must_use]
    pub fn new(name: &str, unit: &str) -> Self {
        Self {
            name: name.to_owned(),
            unit: unit.to_owned(),
            short: name.to_owned(),
        }
    }

    /// The unit as people write it: `°C` for `Cel`.
    #[must_use]
    pub fn unit_symbol(&self) -> &str {
        match self.unit.as_str() {
            "Cel" => "°C",
            "1" => "",
            other => other,
        }
    }
}

/// A set of signals that cannot be declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// No signal at all.
    #[error("no signal is declared")]
    None,
    /// Too many.
    #[error("{0} signals are declared, at most {MAX_SIGNALS} are taken")]
    TooMany(usize),
    /// A name that could not be a column.
    #[error("signal name `{0}` must be a letter followed by letters, digits or _ (at most 48)")]
    BadName(String),
    /// A name that Hark uses for something else.
    #[error("signal name `{0}` is the name of another field")]
    Reserved(String),
    /// The same name or short name twice.
    #[error("signal name `{0}` is declared twice")]
    Twice(String),
}

/// Names that stand for something else in messages or tables.
const RESERVED: [&str; 20] = [
    "device_id",
    "timestamp",
    "location",
    "device_type",
    "sensor_data",
    "is_anomaly",
    "anomaly_type",
    "building",
    "floor",
    "room",
    "received_at",
    "model_version",
    "score",
    "flag",
    "reasons",
    "late",
    "clock_suspect",
    "alert",
    "reason",
    "anomaly",
];

/// The declared signals, in order. Values of a reading stand in this order. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Signals(Arc<[Signal]>);

impl Signals {
    /// Checks a declaration.
    ///
    /// # Errors
    /// When it is empty or too long, or a name is unfit, reserved or there twice.
    pub fn new(signals: Vec<Signal>) -> Result<Self, SignalError> {
        if signals.is_empty() {
            return Err(SignalError::None);
        }
        if signals.len() > MAX_SIGNALS {
            return Err(SignalError::TooMany(signals.len()));
        }
        for (at, signal) in signals.iter().enumerate() {
            for name in [&signal.name, &signal.short] {
                if !is_name(name) {
                    return Err(SignalError::BadName(name.clone()));
                }
                if is_reserved(name) {
                    return Err(SignalError::Reserved(name.clone()));
                }
                if signals[..at]
                    .iter()
                    .any(|other| other.name.eq_ignore_ascii_case(name) || other.short.eq_ignore_ascii_case(name))
                {
                    return Err(SignalError::Twice(name.clone()));
                }
            }
        }
        Ok(Self(signals.into()))
    }

    /// The place of a signal by its name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|it| it.name == name)
    }
}

impl Default for Signals {
    /// Temperature (`Cel`, short `temp`) and vibration (`mm/s`).
    fn default() -> Self {
        let temperature = Signal {
            short: "temp".to_owned(),
            ..Signal::new("temperature", "Cel")
        };
        Self(Arc::new([temperature, Signal::new("vibration", "mm/s")]))
    }
}

impl std::ops::Deref for Signals {
    type Target = [Signal];

    fn deref(&self) -> &[Signal] {
        &self.0
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= 48
        && name.starts_with(|it: char| it.is_ascii_alphabetic())
        && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
}

fn is_reserved(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    RESERVED.contains(&lower.as_str())
        || ["_score", "_flag", "_expected_low", "_expected_high"]
            .iter()
            .any(|it| lower.ends_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], expected: Result<(), SignalError>) {
        let signals = names.iter().map(|it| Signal::new(it, "1")).collect();
        assert_eq!(Signals::new(signals).map(|_| ()), expected);
    }

    #[test]
    fn a_declaration_is_checked() {
        check(&["pressure", "Current2"], Ok(()));
        check(&[], Err(SignalError::None));
        check(&["a b"], Err(SignalError::BadName("a b".to_owned())));
        check(&["1a"], Err(SignalError::BadName("1a".to_owned())));
        check(&["x\" --"], Err(SignalError::BadName("x\" --".to_owned())));
        check(&["device_id"], Err(SignalError::Reserved("device_id".to_owned())));
        check(&["a_score"], Err(SignalError::Reserved("a_score".to_owned())));
        check(&["a", "A"], Err(SignalError::Twice("A".to_owned())));
    }

    #[test]
    fn the_default_set_is_temperature_and_vibration() {
        let signals = Signals::default();
        assert_eq!(Signals::new(signals.to_vec()).unwrap(), signals);
        assert_eq!(signals.position("vibration"), Some(1));
        assert_eq!(signals[0].unit_symbol(), "°C");
    }
}
