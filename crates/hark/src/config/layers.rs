//! Where values come from: the sample, a file, the environment, flags; laid over one another.

use std::path::PathBuf;

use config::{Config as Tree, ConfigError as TreeError, File, FileFormat, Map, Source, Value, ValueKind};

use super::env::Environment;
use super::error::{ConfigError, Problem, nearest};

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
    let from_environment = environment.keys().into_iter().map(|(name, key, value)| Pair {
        value: typed(&value, &format!("environment {name}"), &defaults, &key),
        key,
    });
    let from_flags = flags.settings.iter().map(|it| Pair {
        key: it.key.to_owned(),
        value: typed(&it.value, &format!("flag {}", it.flag), &defaults, it.key),
    });
    let pairs: Vec<Pair> = from_environment.chain(from_flags).collect();
    let given = given.add_source(pairs).build().map_err(unreadable)?;
    Ok(Layers { defaults, given })
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
    /// What is given but has no place, or another kind than the value there.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        compare("", &self.given.cache, &self.defaults.cache, &mut problems);
        problems.sort_by(|one, other| one.key.cmp(&other.key));
        problems
    }

    /// The defaults with everything given laid over them.
    pub(super) fn merged(&self) -> Result<Tree, ConfigError> {
        Tree::builder()
            .add_source(self.defaults.clone())
            .add_source(self.given.clone())
            .build()
            .map_err(unreadable)
    }
}

fn compare(prefix: &str, given: &Value, known: &Value, problems: &mut Vec<Problem>) {
    let (ValueKind::Table(given), ValueKind::Table(known)) = (&given.kind, &known.kind) else {
        return;
    };
    for (name, value) in given {
        let key = join(prefix, name);
        match known.get(name) {
            None => problems.push(unknown(&key, value, prefix, known.keys().map(String::as_str))),
            Some(default) if fits(&value.kind, &default.kind) => compare(&key, value, default, problems),
            Some(default) => problems.push(
                Problem::new(
                    &key,
                    format!(
                        "`{key}` is {}, {} is needed{}",
                        kind_name(&value.kind),
                        kind_name(&default.kind),
                        told_by(value)
                    ),
                )
                .hint(format!("the default is {}", shown(default))),
            ),
        }
    }
}

fn unknown<'a>(key: &str, value: &Value, prefix: &str, known: impl Iterator<Item = &'a str> + Clone) -> Problem {
    let name = key.rsplit('.').next().unwrap_or(key);
    let problem = Problem::new(key, format!("there is no key `{key}`{}", told_by(value)));
    match nearest(name, known.clone()) {
        Some(likely) => problem.hint(format!("did you mean `{}`?", join(prefix, likely))),
        None => {
            let mut names: Vec<&str> = known.collect();
            names.sort_unstable();
            let place = if prefix.is_empty() { "the file" } else { prefix };
            problem.hint(format!("{place} has {}", names.join(", ")))
        }
    }
}

fn told_by(value: &Value) -> String {
    let inner = match &value.kind {
        ValueKind::Table(table) => table.values().find_map(Value::origin),
        ValueKind::Array(items) => items.iter().find_map(Value::origin),
        _ => None,
    };
    match value.origin().or(inner) {
        Some(origin) => format!(" ({origin})"),
        None => String::new(),
    }
}

fn fits(given: &ValueKind, default: &ValueKind) -> bool {
    use ValueKind::{Array, Boolean, Float, I64, String, Table};
    matches!(
        (given, default),
        (Table(_), Table(_))
            | (Array(_), Array(_))
            | (Boolean(_), Boolean(_))
            | (I64(_), I64(_) | Float(_) | String(_))
            | (Float(_), Float(_))
            | (String(_), String(_))
    )
}

fn kind_name(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => "a whole number",
        ValueKind::Float(_) => "a number",
        ValueKind::String(_) => "text",
        ValueKind::Table(_) => "a section",
        ValueKind::Array(_) => "a list",
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
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

/// A value as TOML writes it on one line.
fn shown(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Float(number) => format!("{number:?}"),
        ValueKind::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        ValueKind::Table(table) => {
            let mut pairs: Vec<String> = table
                .iter()
                .map(|(name, it)| format!("{name} = {}", shown(it)))
                .collect();
            pairs.sort_unstable();
            format!("{{ {} }}", pairs.join(", "))
        }
        _ => value.to_string(),
    }
}
