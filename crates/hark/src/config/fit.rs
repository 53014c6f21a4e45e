//! Whether what was given has a place among the values that are known, and is of the kind that is needed there.

use config::{Map, Value, ValueKind};

use super::error::{Problem, nearest};

/// What one of `[[signals]]` may hold, and of which kinds; the sample has no signal with all of it.
pub(super) const SIGNAL: [(&str, ValueKind); 10] = [
    ("name", ValueKind::String(String::new())),
    ("unit", ValueKind::String(String::new())),
    ("alias", ValueKind::String(String::new())),
    ("low", ValueKind::Float(0.0)),
    ("high", ValueKind::Float(0.0)),
    ("sides", ValueKind::String(String::new())),
    ("iso_20816_3", ValueKind::String(String::new())),
    ("fastest", ValueKind::Float(0.0)),
    ("possible_low", ValueKind::Float(0.0)),
    ("possible_high", ValueKind::Float(0.0)),
];

/// The part of what was given that has a place and fits there; the rest is noted.
pub(super) fn fitting(given: &Value, known: &Value, problems: &mut Vec<Problem>) -> Value {
    let mut fitting = given.clone();
    let (ValueKind::Table(given), ValueKind::Table(known)) = (&mut fitting.kind, &known.kind) else {
        return fitting;
    };
    *given = fitting_in("", given, known, Default::Told, problems);
    if let Some(signals) = given.get_mut("signals") {
        fit_signals(signals, problems);
    }
    fitting
}

/// Whether the known value is a default, which may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Default {
    Told,
    None,
}

fn fitting_in(
    prefix: &str,
    given: &Map<String, Value>,
    known: &Map<String, Value>,
    default: Default,
    problems: &mut Vec<Problem>,
) -> Map<String, Value> {
    let mut fitting = Map::new();
    for (name, value) in given {
        let key = join(prefix, name);
        let Some(needed) = known.get(name) else {
            problems.push(unknown(&key, value, prefix, known.keys().map(String::as_str)));
            continue;
        };
        let mut value = value.clone();
        match (&mut value.kind, &needed.kind) {
            (ValueKind::Table(inner), ValueKind::Table(known)) => {
                *inner = fitting_in(&key, inner, known, default, problems);
            }
            (given, needed) if fits(given, needed) => {}
            _ => {
                problems.push(misfit(&key, &value, needed, default));
                continue;
            }
        }
        fitting.insert(name.clone(), value);
    }
    fitting
}

fn fit_signals(signals: &mut Value, problems: &mut Vec<Problem>) {
    let ValueKind::Array(signals) = &mut signals.kind else {
        return;
    };
    let known = SIGNAL.map(|(name, kind)| (name.to_owned(), Value::new(None, kind)));
    let known = Map::from_iter(known);
    for (at, signal) in signals.iter_mut().enumerate() {
        let ValueKind::Table(keys) = &mut signal.kind else {
            continue;
        };
        let name = keys.get("name").and_then(|it| it.clone().into_string().ok());
        let prefix = format!("signals.{}", name.unwrap_or_else(|| at.to_string()));
        *keys = fitting_in(&prefix, keys, &known, Default::None, problems);
    }
}

fn misfit(key: &str, value: &Value, needed: &Value, default: Default) -> Problem {
    let problem = Problem::new(
        key,
        format!(
            "`{key}` is {}, {} is needed{}",
            kind_name(&value.kind),
            kind_name(&needed.kind),
            told_by(value)
        ),
    );
    match default {
        Default::Told => problem.hint(format!("the default is {}", shown(needed))),
        Default::None => problem,
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

/// Where a value came from, in parentheses.
pub(super) fn told_by(value: &Value) -> String {
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
    use ValueKind::{Array, Boolean, Float, I64, String};
    matches!(
        (given, default),
        (Array(_), Array(_))
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

/// The key of a name inside of a section.
pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

/// A value as TOML writes it on one line.
pub(super) fn shown(value: &Value) -> String {
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
