//! The file: how it is made, recognised and opened, and how its log is kept short.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::Signals;
use rusqlite::{Connection, OpenFlags};

use super::failure::{Found, Trouble};
use super::schema::{self, Layout};
use crate::{WarehouseError, WarehouseErrorKind};

/// The file in the data folder.
pub(super) const FILE: &str = "hark.db";

const APPLICATION_ID: i32 = i32::from_be_bytes(*b"Hark");
const VERSION: i32 = 1;
/// The first release without the race between resetting the write-ahead log and a writer.
const MIN_SQLITE: i32 = 3_051_003;
const BUSY: Duration = Duration::from_secs(5);
/// How long the writer waits for readers when it shortens the log.
const PATIENCE: Duration = Duration::from_millis(100);

/// Opens the file for writing. It is made when it is missing, and gets columns for signals that are new.
pub(super) fn open_to_write(
    dir: &Path,
    signals: Signals,
    wal_bytes_max: u64,
) -> Result<(Connection, Layout), WarehouseError> {
    let file = dir.join(FILE);
    known_sqlite()?;
    if !file.exists() {
        create(dir, &file, &signals)?;
    }
    let named = |trouble: Trouble| trouble.in_file(&file, "open");
    let connection = recognised(&file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare_to_write(&connection, wal_bytes_max)
        .and_then(|()| schema::upgrade(&connection, &signals))
        .map_err(named)?;
    let layout = schema::layout(&connection, &file, signals).map_err(named)?;
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
            "`{}` is missing, but its log `{}` is there\nhint: put a backup in its place with `hark db restore`, or move the log away to begin anew",
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
    transaction.execute_batch(&schema::definition(signals))?;
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

pub(super) fn recognised(file: &Path, access: OpenFlags) -> Result<Connection, WarehouseError> {
    let corrupt = |problem: &str| {
        let context = format!("`{}` {problem}", file.display());
        WarehouseError::new(WarehouseErrorKind::Corrupt, context)
    };
    match file.metadata() {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            let context = format!("there is no warehouse at `{}`", file.display());
            return Err(WarehouseError::new(WarehouseErrorKind::Absent, context).caused_by(cause));
        }
        Ok(it) if it.len() == 0 => {
            return Err(corrupt(
                "is empty\nhint: put a backup in its place with `hark db restore`, or move it away to begin a new one",
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

fn prepare_to_write(connection: &Connection, wal_bytes_max: u64) -> Found<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    connection.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = {wal_bytes_max}; PRAGMA wal_autocheckpoint = 4000;
         PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;"
    ))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Moves the write-ahead log into the file and cuts it, unless readers hold on to it.
pub(super) fn shorten_wal(connection: &Connection) -> Found<()> {
    connection.busy_timeout(PATIENCE)?;
    let shortened = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.busy_timeout(BUSY)?;
    Ok(shortened?)
}
