//! The tables: how they are defined and brought up to the declared signals.

use std::path::{Path, PathBuf};

use domain::Signals;
use rusqlite::{Connection, OptionalExtension};

use super::failure::{Found, Trouble};
use super::incidents;
use crate::WarehouseError;

/// The columns of a reading that do not depend on the signals, in the order in which rows are read and written.
pub(super) const BASE: [&str; 15] = [
    "timestamp",
    "device_id",
    "building",
    "floor",
    "room",
    "device_type",
    "is_anomaly",
    "anomaly_type",
    "received_at",
    "model_version",
    "score",
    "flag",
    "reasons",
    "late",
    "clock_suspect",
];

/// What is stored of one signal: the endings of its columns, in the order in which rows are read and written.
pub(super) const PER_SIGNAL: [&str; 5] = ["", "_score", "_flag", "_expected_low", "_expected_high"];

/// Where the file is and which columns it has for the declared signals.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) file: PathBuf,
    pub(super) signals: Signals,
    /// The columns of a reading with `r.` before them, [`BASE`] first; `NULL` for a column that the file lacks.
    pub(super) columns: String,
    /// The columns of the values alone.
    pub(super) values: Vec<String>,
}

impl Layout {
    pub(super) fn error(&self, trouble: Trouble, what: &str) -> WarehouseError {
        trouble.in_file(&self.file, what)
    }
}

/// The statements that make the tables of a new file.
pub(super) fn definition(signals: &Signals) -> String {
    let values = listed(signals, |it| format!("\"{}\" REAL,\n  ", it.name));
    let judgements = listed(signals, |it| {
        format!("{},\n  ", judgement_columns(&it.name).join(",\n  "))
    });
    format!(
        "CREATE TABLE sensor_readings (
  timestamp INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  {values}flag INTEGER,
  score REAL,
  received_at INTEGER NOT NULL,
  model_version TEXT,
  late INTEGER NOT NULL,
  clock_suspect INTEGER NOT NULL,
  {judgements}building TEXT,
  floor TEXT,
  room TEXT,
  device_type TEXT,
  is_anomaly INTEGER,
  anomaly_type TEXT,
  reasons TEXT,
  PRIMARY KEY (timestamp, device_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX anomalies ON sensor_readings (timestamp, device_id) WHERE flag = 1;
CREATE TABLE devices (
  device_id TEXT PRIMARY KEY NOT NULL,
  building TEXT,
  floor TEXT,
  room TEXT,
  device_type TEXT,
  first_received_at INTEGER NOT NULL,
  last_received_at INTEGER NOT NULL,
  readings INTEGER NOT NULL,
  first_timestamp INTEGER,
  last_timestamp INTEGER,
  latest_at INTEGER,
  state BLOB
) STRICT;
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  received_at INTEGER NOT NULL,
  source TEXT NOT NULL,
  code TEXT NOT NULL,
  field TEXT,
  detail TEXT NOT NULL,
  payload BLOB NOT NULL
) STRICT;
"
    )
}

fn listed(signals: &Signals, line: impl Fn(&domain::Signal) -> String) -> String {
    signals.iter().map(line).collect()
}

fn judgement_columns(signal: &str) -> [String; 4] {
    [
        format!("\"{signal}_score\" REAL"),
        format!("\"{signal}_flag\" INTEGER"),
        format!("\"{signal}_expected_low\" REAL"),
        format!("\"{signal}_expected_high\" REAL"),
    ]
}

fn stored_columns(connection: &Connection) -> Found<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info('sensor_readings') ORDER BY cid")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

fn has(columns: &[String], name: &str) -> bool {
    columns.iter().any(|it| it.eq_ignore_ascii_case(name))
}

/// Makes the tables of incidents where they are missing, adds columns for signals that the file does not know, and keeps the view for people in step.
pub(super) fn upgrade(connection: &Connection, signals: &Signals) -> Found<()> {
    connection.execute_batch(&format!("BEGIN IMMEDIATE;\n{}COMMIT;", incidents::TABLES))?;
    let columns = stored_columns(connection)?;
    let mut changes = String::new();
    for signal in signals.iter().filter(|it| !has(&columns, &it.name)) {
        changes += &format!("ALTER TABLE sensor_readings ADD COLUMN \"{}\" REAL;\n", signal.name);
        for column in judgement_columns(&signal.name) {
            changes += &format!("ALTER TABLE sensor_readings ADD COLUMN {column};\n");
        }
    }
    if !changes.is_empty() {
        connection.execute_batch(&format!("BEGIN IMMEDIATE;\n{changes}COMMIT;"))?;
    }
    let view = view(&stored_columns(connection)?);
    let stored: Option<String> = connection
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'readings'", [], |row| {
            row.get(0)
        })
        .optional()?;
    if stored.as_ref() != Some(&view) {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;\nDROP VIEW IF EXISTS readings;\n{view};\nCOMMIT;"
        ))?;
    }
    Ok(())
}

/// The readings with times as text, for people and notebooks.
fn view(columns: &[String]) -> String {
    let shown: Vec<String> = columns
        .iter()
        .map(|it| match it.as_str() {
            "timestamp" | "received_at" => format!("{} AS {it}", rfc3339(it)),
            _ => format!("\"{it}\""),
        })
        .collect();
    format!(
        "CREATE VIEW readings AS SELECT {} FROM sensor_readings",
        shown.join(", ")
    )
}

fn rfc3339(column: &str) -> String {
    let micros = format!("(({column} % 1000000 + 1000000) % 1000000)");
    format!("strftime('%Y-%m-%dT%H:%M:%S', ({column} - {micros}) / 1000000, 'unixepoch') || printf('.%06dZ', {micros})")
}

/// Reads which columns the file has.
pub(super) fn layout(connection: &Connection, file: &Path, signals: Signals) -> Found<Layout> {
    let stored = stored_columns(connection)?;
    if let Some(missing) = BASE.iter().find(|it| !has(&stored, it)) {
        return Err(Trouble::Damage(format!("sensor_readings has no column {missing}")));
    }
    let column = |name: String| match has(&stored, &name) {
        true => format!("r.\"{name}\""),
        false => "NULL".to_owned(),
    };
    let mut columns: Vec<String> = BASE.iter().map(|it| format!("r.{it}")).collect();
    for signal in signals.iter() {
        columns.extend(PER_SIGNAL.iter().map(|it| column(format!("{}{it}", signal.name))));
    }
    Ok(Layout {
        file: file.to_owned(),
        columns: columns.join(", "),
        values: signals.iter().map(|it| column(it.name.clone())).collect(),
        signals,
    })
}
