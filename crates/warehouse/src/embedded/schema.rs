//! The file: how it is made, recognised, and brought up to the declared signals.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::Signals;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::failure::{Found, Trouble};
use crate::{WarehouseError, WarehouseErrorKind};

/// The file in the data folder.
pub(super) const FILE: &str = "hark.db";

const APPLICATION_ID: i32 = i32::from_be_bytes(*b"Hark");
const VERSION: i32 = 1;
/// The first release without the race between resetting the write-ahead log and a writer.
const MIN_SQLITE: i32 = 3_051_003;
const BUSY: Duration = Duration::from_secs(5);
/// The length to which the write-ahead log is cut when it is begun anew.
const WAL_BYTES: u64 = 64 << 20;

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

/// Opens the file for writing. It is made when it is missing, and gets columns for signals that are new.
pub(super) fn open_to_write(dir: &Path, signals: Signals) -> Result<(Connection, Layout), WarehouseError> {
    let file = dir.join(FILE);
    known_sqlite()?;
    if !file.exists() {
        create(dir, &file, &signals)?;
    }
    let named = |trouble: Trouble| trouble.in_file(&file, "open");
    let connection = recognised(&file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare_to_write(&connection)
        .and_then(|()| upgrade(&connection, &signals))
        .map_err(named)?;
    let layout = layout(&connection, &file, signals).map_err(named)?;
    Ok((connection, layout))
}

/// Opens the file for reading: nothing about it is changed, and a signal that it lacks has no values.
pub(super) fn open_to_read(file: &Path) -> Result<Connection, WarehouseError> {
    known_sqlite()?;
    let connection = recognised(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection
        .execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY;")
        .map_err(|it| Trouble::from(it).in_file(file, "open"))?;
    Ok(connection)
}

fn known_sqlite() -> Result<(), WarehouseError> {
    if rusqlite::version_number() >= MIN_SQLITE {
        return Ok(());
    }
    let context = format!("SQLite {} is too old, 3.51.3 or later is needed", rusqlite::version());
    Err(WarehouseError::new(WarehouseErrorKind::Fatal, context))
}

/// Makes the file under another name and puts it in place whole: an empty `hark.db` is always damage.
fn create(dir: &Path, file: &Path, signals: &Signals) -> Result<(), WarehouseError> {
    let wal = beside(file, "-wal");
    if wal.metadata().is_ok_and(|it| it.len() > 0) {
        let context = format!(
            "`{}` is missing, but its log `{}` is there\nhint: restore a backup, or move the log away to begin anew",
            file.display(),
            wal.display()
        );
        return Err(WarehouseError::new(WarehouseErrorKind::Corrupt, context));
    }
    let draft = dir.join("hark.db.new");
    let failed = |cause: std::io::Error| {
        let context = format!("failed to make `{}`", file.display());
        WarehouseError::new(WarehouseErrorKind::Fatal, context).caused_by(cause)
    };
    for left_over in [draft.clone(), beside(&draft, "-journal")] {
        if left_over.exists() {
            fs::remove_file(left_over).map_err(failed)?;
        }
    }
    fill(&draft, signals).map_err(|it| it.in_file(&draft, "make"))?;
    fs::rename(&draft, file).map_err(failed)?;
    File::open(dir).and_then(|it| it.sync_all()).map_err(failed)
}

fn fill(draft: &Path, signals: &Signals) -> Found<()> {
    let mut connection = Connection::open(draft)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(&definition(signals))?;
    transaction.commit()?;
    connection.close().map_err(|(_, cause)| Trouble::Sqlite(cause))
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The length of the write-ahead log.
pub(super) fn wal_bytes(file: &Path) -> u64 {
    // No log, no bytes.
    beside(file, "-wal").metadata().map_or(0, |it| it.len())
}

fn recognised(file: &Path, access: OpenFlags) -> Result<Connection, WarehouseError> {
    let corrupt = |problem: &str| {
        let context = format!("`{}` {problem}", file.display());
        WarehouseError::new(WarehouseErrorKind::Corrupt, context)
    };
    match file.metadata() {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            let context = format!("there is no warehouse at `{}`", file.display());
            return Err(WarehouseError::new(WarehouseErrorKind::Fatal, context).caused_by(cause));
        }
        Ok(it) if it.len() == 0 => {
            return Err(corrupt(
                "is empty\nhint: restore a backup, or move it away to begin a new one",
            ));
        }
        Ok(_) | Err(_) => {}
    }
    let named = |cause: rusqlite::Error| Trouble::from(cause).in_file(file, "open");
    let connection = Connection::open_with_flags(file, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(named)?;
    connection.busy_timeout(BUSY).map_err(named)?;
    let guards = "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;";
    connection.execute_batch(guards).map_err(named)?;
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    if number("application_id").map_err(named)? != APPLICATION_ID {
        return Err(corrupt(
            "is the database of another program\nhint: give Hark a data folder of its own",
        ));
    }
    let version = number("user_version").map_err(named)?;
    if version != VERSION {
        return Err(corrupt(&format!(
            "has schema {version}, this program knows {VERSION}\nhint: use the release of Hark that wrote it, or a later one"
        )));
    }
    Ok(connection)
}

fn prepare_to_write(connection: &Connection) -> Found<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    connection.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = {WAL_BYTES}; PRAGMA wal_autocheckpoint = 4000;
         PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;"
    ))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Moves the write-ahead log into the file when readers kept it from being begun anew for long.
pub(super) fn shorten_wal(connection: &Connection, file: &Path) -> Found<()> {
    if wal_bytes(file) <= WAL_BYTES {
        return Ok(());
    }
    connection.busy_timeout(Duration::from_millis(100))?;
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0))?;
    connection.busy_timeout(BUSY)?;
    if busy == 0 {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}

fn definition(signals: &Signals) -> String {
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

/// Adds columns for signals that the file does not know, and keeps the view for people in step.
fn upgrade(connection: &Connection, signals: &Signals) -> Found<()> {
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
