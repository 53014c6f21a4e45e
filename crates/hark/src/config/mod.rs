//! The configuration: one tree of values, checked before anything starts.
//!
//! Defaults < file < environment < flags. The defaults are the documented sample itself, `config/hark.toml`, so the two
//! cannot part. What is wrong is told all at once.

mod check;
mod env;
mod error;
mod fit;
mod google;
mod layers;
mod quantity;
mod raw;
mod reloaded;
mod schema;
mod shared;
mod values;

pub(crate) use env::Environment;
pub(crate) use error::{ConfigError, Problem, nearest};
pub(crate) use layers::{FILE_NAME, Flags, Listener, Origin, SAMPLE, Setting};
pub(crate) use quantity::parse_span;
pub(crate) use reloaded::{RELOADED, Settings, settings};
pub(crate) use schema::schema;
#[cfg(feature = "gcp")]
pub(crate) use values::Delivery;
pub(crate) use values::{BusKind, Config, Redis, Registry, WarehouseKind};

/// A checked configuration, and where each of its values came from.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The values.
    pub(crate) config: Config,
    /// Every key in the order of its name, with its value and where it came from.
    pub(crate) origins: Vec<Origin>,
}

impl Config {
    /// Reads the configuration: the file that the flags name or `hark.toml` in the working folder, the environment
    /// and the flags.
    pub(crate) fn load(flags: &Flags) -> Result<Loaded, ConfigError> {
        Self::load_with(flags, &Environment::of_process())
    }

    /// As [`Self::load`], with another environment.
    pub(crate) fn load_with(flags: &Flags, environment: &Environment) -> Result<Loaded, ConfigError> {
        let layers = layers::gather(flags, environment)?;
        let mut problems = Vec::new();
        let merged = layers.merged(&mut problems)?;
        let raw = raw::Raw::read(&merged, layers.defaults(), &mut problems);
        let config = check::check(raw, flags, &mut problems);
        match config {
            Some(config) if problems.is_empty() => Ok(Loaded {
                config,
                origins: layers::origins(&merged),
            }),
            _ => Err(ConfigError::new(problems)),
        }
    }
}

#[cfg(test)]
mod tests;
