//! Where values come from: the sample, a file, the environment, flags; laid over one another.

use std::path::PathBuf;

use config::{Config as Tree, ConfigError as TreeError, File, FileFormat, Map, Source, Value, ValueKind};

use super::env::{Environment, SECRETS};
use super::error::{ConfigError, Problem};
use super::fit::{self, join, shown, told_by};

/// The documented sample, which holds every default.
pub(crate) const SAMPLE: &str = include_str!("../../../../config/hark.toml");

/// The file that is read from the working folder when no other is named.
pub(crate) const FILE_NAME: &str = "hark.toml";

const DEFAULT: &str = "default";

/// A key set by a flag of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The key, `api.listen`.
    pub(crate) key: &'static str,
    /// The value as it was written.
    pub(crate) value: String,
    /// The flag, `--listen`.
    pub(crate) flag: &'static str,
}

/// A server that a command starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    /// The detection API.
    Api,
    /// The page.
    Dashboard,
}

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// The file that was named; else `hark.toml` is read if it is there.
    pub(crate) file: Option<PathBuf>,
    /// Keys that flags set.
    pub(crate) settings: Vec<Setting>,
    /// The servers that the command starts, whose addresses must be safe.
    pub(crate) listeners: Vec<Listener>,
    /// Whether `--insecure` allows other addresses than loopback ones.
    pub(crate) insecure: bool,
}

/// One value of the configuration and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    /// The key, `api.listen`.
    pub(crate) key: String,
    /// The value as it is in force.
    pub(crate) value: String,
    /// `default`, the file, the environment variable or the flag.
    pub(crate) source: String,
}

/// The defaults, and what was laid over them.
#[derive(Debug)]
pub(super) struct Layers {
    defaults: Tree,
    given: Tree,
}

/// Reads all layers.
pub(super) fn gather(flags: &Flags, environment: &Environment) -> Result<Layers, ConfigError> {
    let defaults = Tree::builder()
        .add_source(File::from_str(SAMPLE, FileFormat::Toml))
        .build()
        .map_err(unreadable)?;
    let mut given = Tree::builder();
    if let Some(path) = file(flags)? {
        given = given.add_source(File::from(path).format(FileFormat::Toml));
    }
    let mut pairs = Vec::new();
    for (name, key, value) in environment.keys() {
        let (key, value) = read_secret(&name, key, value)?;
        pairs.push(Pair {
            value: typed(&value, &format!("environment {name}"), &defaults, &key),
            key,
        });
    }
    let from_flags = flags.settings.iter().map(|it| Pair {
        key: it.key.to_owned(),
        value: typed(&it.value, &format!("flag {}", it.flag), &defaults, it.key),
    });
    pairs.extend(from_flags);
    let given = given.add_source(pairs).build().map_err(unreadable)?;
    Ok(Layers { defaults, given })
}

/// The value of a secret from the file that stands in its place; any other key as it is.
fn read_secret(name: &str, key: String, value: String) -> Result<(String, String), ConfigError> {
    let Some(secret) = key.strip_suffix("_file").filter(|it| SECRETS.contains(it)) else {
        return Ok((key, value));
    };
    match std::fs::read_to_string(&value) {
        Ok(text) => Ok((secret.to_owned(), text.trim_end().to_owned())),
        Err(cause) => {
            let message = format!("`{secret}` cannot be read from the file `{value}`: {cause}");
            let hint = format!("{name} names a file that holds the value and nothing else");
            Err(Problem::new(secret, message).hint(hint).into())
        }
    }
}

fn file(flags: &Flags) -> Result<Option<PathBuf>, ConfigError> {
    let here = PathBuf::from(FILE_NAME);
    match &flags.file {
        Some(path) if path.is_file() => Ok(Some(path.clone())),
        Some(path) => Err(
            Problem::new("", format!("there is no configuration file `{}`", path.display()))
                .hint(format!(
                    "`hark config init --output {}` writes one that explains every key",
                    path.display()
                ))
                .into(),
        ),
        None => Ok(here.is_file().then_some(here)),
    }
}

fn unreadable(error: TreeError) -> ConfigError {
    let message = match error {
        TreeError::FileParse { uri, cause } => format!(
            "the configuration file `{}` is not valid TOML: {}",
            uri.as_deref().unwrap_or(FILE_NAME),
            cause.to_string().trim_end()
        ),
        other => other.to_string(),
    };
    Problem::new("", message).into()
}

/// A value from outside of a file: text where the key holds text, else read as TOML where it is that.
fn typed(text: &str, origin: &str, defaults: &Tree, key: &str) -> Value {
    let as_text = || ValueKind::String(text.to_owned());
    let kind = match defaults.get::<Value>(key) {
        Ok(default) if matches!(default.kind, ValueKind::String(_)) => as_text(),
        _ => Tree::builder()
            .add_source(File::from_str(&format!("value = {text}"), FileFormat::Toml))
            .build()
            .and_then(|it| it.get::<Value>("value"))
            .map_or_else(|_| as_text(), |it| it.kind),
    };
    Value::new(Some(&origin.to_owned()), kind)
}

#[derive(Debug, Clone)]
struct Pair {
    key: String,
    value: Value,
}

impl Source for Pair {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, TreeError> {
        Ok(Map::from_iter([(self.key.clone(), self.value.clone())]))
    }
}

impl Layers {
    /// The defaults with everything given laid over them that fits; what has no place, or is of another kind than the
    /// value there, is noted and left out, so that the rest can be checked all the same.
    pub(super) fn merged(&self, problems: &mut Vec<Problem>) -> Result<Tree, ConfigError> {
        let given = fit::fitting(&self.given.cache, &self.defaults.cache, problems);
        problems.sort_by(|one, other| one.key.cmp(&other.key));
        Tree::builder()
            .add_source(self.defaults.clone())
            .add_source(Whole(given))
            .build()
            .map_err(unreadable)
    }

    /// The defaults alone.
    pub(super) fn defaults(&self) -> &Tree {
        &self.defaults
    }
}

/// A tree that is a source of another.
#[derive(Debug, Clone)]
struct Whole(Value);

impl Source for Whole {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, TreeError> {
        self.0.clone().into_table()
    }
}

/// Every value of a tree by its key, and where it came from.
pub(super) fn origins(tree: &Tree) -> Vec<Origin> {
    let mut origins = Vec::new();
    collect("", &tree.cache, &mut origins);
    origins.sort_by(|one, other| one.key.cmp(&other.key));
    origins
}

fn collect(prefix: &str, value: &Value, origins: &mut Vec<Origin>) {
    if let ValueKind::Table(table) = &value.kind {
        for (name, inner) in table {
            collect(&join(prefix, name), inner, origins);
        }
        return;
    }
    let source = told_by(value);
    origins.push(Origin {
        key: prefix.to_owned(),
        value: match prefix {
            "redis.url" => super::values::without_password(&shown(value)),
            _ => shown(value),
        },
        source: match source.trim_matches([' ', '(', ')']) {
            "" => DEFAULT.to_owned(),
            source => source.to_owned(),
        },
    });
}
