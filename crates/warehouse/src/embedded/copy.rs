//! A whole copy of the file while it is written to, and looking through a file for damage.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::failure::{Found, Trouble};
use super::file;
use crate::{WarehouseError, WarehouseErrorKind};

/// How much a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Stored readings.
    pub readings: u64,
    /// Devices that were heard.
    pub devices: u64,
    /// Incidents, whatever became of them.
    pub incidents: u64,
    /// Incidents with a person's word.
    pub labels: u64,
    /// Everything that happened to incidents.
    pub steps: u64,
    /// What was refused and kept.
    pub dead_letters: u64,
}

impl Contents {
    /// The tables with their rows, as they are called in the file.
    #[must_use]
    pub fn tables(&self) -> [(&'static str, u64); 6] {
        [
            ("sensor_readings", self.readings),
            ("devices", self.devices),
            ("incidents", self.incidents),
            ("labels", self.labels),
            ("incident_audit", self.steps),
            ("dead_letters", self.dead_letters),
        ]
    }
}

/// Copies the warehouse of a data folder into a new file, as it stood at one instant, whether or not a process writes it
/// meanwhile. When it returns the copy is on the disk.
///
/// # Errors
/// As of [`super::EmbeddedWarehouse::open_read_only`], and what kept the copy from being written. It may be there in part.
pub fn back_up(dir: &Path, into: &Path) -> Result<(), WarehouseError> {
    let source = dir.join(file::FILE);
    // Not the connection of a reader: the statement below writes, though not into this file.
    let connection = file::recognised(&source, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let failed = || format!("failed to copy `{}` into `{}`", source.display(), into.display());
    let Some(target) = into.to_str() else {
        let context = format!("{}: the name is no text", failed());
        return Err(WarehouseError::new(WarehouseErrorKind::Fatal, context));
    };
    let copied = connection.execute("VACUUM INTO ?1", [target]);
    copied.map_err(|it| Trouble::from(it).in_file(into, "write"))?;
    let synced = File::open(into).and_then(|it| it.sync_all());
    synced.map_err(|cause| WarehouseError::new(WarehouseErrorKind::Fatal, failed()).caused_by(cause))
}

/// Looks through every page and index of a file, and counts what it holds. Nothing about it is changed.
///
/// # Errors
/// [`WarehouseErrorKind::Corrupt`] with the first damage, [`WarehouseErrorKind::Absent`] when there is no such file.
pub fn examine(file: &Path) -> Result<Contents, WarehouseError> {
    let connection = file::open_to_read(file)?;
    looked_through(&connection).map_err(|it| it.in_file(file, "read"))
}

fn looked_through(connection: &Connection) -> Found<Contents> {
    let problem: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if problem != "ok" {
        return Err(Trouble::Damage(problem));
    }
    let count = |table: &str| -> Found<u64> {
        let there = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        // A file that was never opened by this version has no tables of incidents yet.
        if connection.query_row(there, [table], |row| row.get::<_, i64>(0))? == 0 {
            return Ok(0);
        }
        let rows: i64 = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
        u64::try_from(rows).map_err(|_| Trouble::Damage(format!("{table} has {rows} rows")))
    };
    Ok(Contents {
        readings: count("sensor_readings")?,
        devices: count("devices")?,
        incidents: count("incidents")?,
        labels: count("labels")?,
        steps: count("incident_audit")?,
        dead_letters: count("dead_letters")?,
    })
}

#[cfg(test)]
mod tests {
    use domain::Signals;

    use super::super::{EmbeddedWarehouse, Options};
    use super::*;

    #[test]
    fn a_copy_is_whole_and_a_damaged_one_is_found_out() {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("copy.db");
        assert_eq!(back_up(dir.path(), &copy).unwrap_err().kind, WarehouseErrorKind::Absent);
        let open = EmbeddedWarehouse::open(dir.path(), Signals::default(), &Options::default()).unwrap();
        back_up(dir.path(), &copy).unwrap();
        drop(open);
        assert_eq!(examine(&copy).unwrap().tables().map(|it| it.1), [0; 6]);
        // A copy is never written over.
        back_up(dir.path(), &copy).unwrap_err();
        let mut bytes = std::fs::read(&copy).unwrap();
        let end = bytes.len();
        bytes[4_096..end].fill(0xA5);
        std::fs::write(&copy, bytes).unwrap();
        assert_eq!(examine(&copy).unwrap_err().kind, WarehouseErrorKind::Corrupt);
    }
}
