//! What a backup says of itself: which files, which bytes, how many rows.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use warehouse::embedded::{Contents, examine};

use super::DATABASE;
use crate::exit::Fault;

/// The file in the backup.
pub(super) const FILE: &str = "backup.json";

/// The version of the form that is written.
const VERSION: u32 = 1;

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Of this form.
    version: u32,
    /// Which hark made it.
    pub(super) program: String,
    /// When, as RFC 3339.
    pub(super) made_at: String,
    /// The model that was in force.
    pub(super) live_model: Option<String>,
    /// The rows of the tables.
    pub(super) tables: Vec<Rows>,
    /// Every other file.
    pub(super) files: Vec<Entry>,
}

/// How many rows a table has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rows {
    pub(super) table: String,
    pub(super) rows: u64,
}

/// One file of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Relative to the backup, with `/` between its parts.
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Entry {
    /// Of a file in this folder.
    pub(super) fn of(folder: &Path, path: &str) -> anyhow::Result<Self> {
        let (bytes, sha256) = digest(&folder.join(path)).with_context(|| format!("failed to read `{path}`"))?;
        Ok(Self {
            path: path.to_owned(),
            bytes,
            sha256,
        })
    }
}

/// The rows of a database by table.
pub(super) fn rows(contents: &Contents) -> Vec<Rows> {
    let tables = contents.tables().into_iter();
    tables
        .map(|(table, rows)| Rows {
            table: table.to_owned(),
            rows,
        })
        .collect()
}

impl Manifest {
    /// Of what was copied.
    pub(super) fn new(made_at: String, live_model: Option<String>, contents: &Contents, files: Vec<Entry>) -> Self {
        Self {
            version: VERSION,
            program: format!("hark {}", env!("HARK_VERSION")),
            made_at,
            live_model,
            tables: rows(contents),
            files,
        }
    }

    /// Reads that of a backup in this folder, and compares every file with it, the database page by page.
    ///
    /// # Errors
    /// What is missing, or otherwise than it was when the backup was made.
    pub(super) fn verified(folder: &Path) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(folder.join(FILE)) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                return Err(Fault::new(
                    format!("there is no backup: `{FILE}` is missing"),
                    "`hark db backup` makes backups; name the folder or the .tar file that it made",
                )
                .into());
            }
            Err(cause) => return Err(cause).context("failed to read the backup"),
        };
        let manifest: Self = serde_json::from_str(&text).with_context(|| format!("`{FILE}` cannot be read"))?;
        ensure!(
            manifest.version == VERSION,
            "the backup has version {}, this program knows {VERSION}\nhint: use the release of Hark that made it, or a later one",
            manifest.version
        );
        manifest.files.iter().try_for_each(|it| compare(folder, it))?;
        let found = rows(&examine(&folder.join(DATABASE))?);
        ensure!(
            found == manifest.tables,
            "the database of the backup does not hold the rows that it did when it was made"
        );
        Ok(manifest)
    }

    /// How much it is, for a person.
    pub(super) fn sentence(&self) -> String {
        let of = |name: &str| self.tables.iter().find(|it| it.table == name).map_or(0, |it| it.rows);
        let models = self.files.iter().filter(|it| it.path.ends_with("/model.hark")).count();
        format!(
            "{} readings of {} devices, {} incidents, {} dead letters, {models} models",
            of("sensor_readings"),
            of("devices"),
            of("incidents"),
            of("dead_letters")
        )
    }
}

fn compare(folder: &Path, entry: &Entry) -> anyhow::Result<()> {
    ensure!(
        Path::new(&entry.path)
            .components()
            .all(|it| matches!(it, Component::Normal(_))),
        "`{}` would lie outside of the backup",
        entry.path
    );
    let damaged = || {
        Fault::new(
            format!("`{}` of the backup is damaged", entry.path),
            "take another backup",
        )
    };
    let found = Entry::of(folder, &entry.path).with_context(damaged)?;
    if found == *entry { Ok(()) } else { Err(damaged().into()) }
}

/// How long a file is, and what its bytes come to.
fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut digest, mut bytes) = (Sha256::new(), 0);
    let mut block = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            let text = digest.finalize().iter().map(|it| format!("{it:02x}")).collect();
            return Ok((bytes, text));
        }
        bytes += read as u64;
        digest.update(&block[..read]);
    }
}
