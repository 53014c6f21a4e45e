//! Files of readings: CSV (plain or gzip), NDJSON and Parquet, read row by row.
//!
//! A row is what the file says; [`Mapping`] makes a reading of it. Nothing here judges or stores.

mod cell;
mod csv_file;
mod mapping;
mod ndjson;
mod parquet_file;
mod place;
mod write;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use clap::ValueEnum;

use crate::exit::{Exit, Fault};

pub(crate) use cell::{Cell, Row};
pub(crate) use mapping::{Mapping, RowRejection, named, readings};
pub(crate) use ndjson::next_line;
pub(crate) use place::Place;
pub(crate) use write::{Depth, ReadingWriter};

/// So many rows are looked at to know the columns, where the file itself does not tell.
const LOOK_AHEAD: usize = 1_000;

/// What a file of readings is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// Comma-separated with a header, plain or gzip
    Csv,
    /// A JSON object a line, plain or gzip
    Ndjson,
    /// Apache Parquet
    Parquet,
}

impl TableFormat {
    /// The format that a file's name tells.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        match name.strip_suffix(".gz").unwrap_or(&name).rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "parquet" | "pq" if !name.ends_with(".gz") => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: String,
    /// Whether it holds numbers, as far as the file says or its first rows show.
    pub(crate) numeric: bool,
}

/// The rows of a table, in order.
pub(crate) type Rows = Box<dyn Iterator<Item = anyhow::Result<Row>> + Send>;

/// A file of rows under columns.
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Rows,
    late: Late,
}

/// The names of columns that appear only after the rows that were looked at, as far as the table has been read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Late(Arc<Mutex<BTreeSet<String>>>);

/// So many such names are remembered.
const MOST_LATE: usize = 100;

impl Late {
    fn add(&self, name: &str) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() < MOST_LATE && !names.contains(name) {
            names.insert(name.to_owned());
        }
    }

    /// The names so far.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.iter().cloned().collect()
    }
}

impl Table {
    /// The columns, in order.
    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Columns that appear only later.
    pub(crate) fn late(&self) -> Late {
        self.late.clone()
    }

    /// The rows, in order. A row that does not fit the table is an error.
    pub(crate) fn into_rows(self) -> Rows {
        Box::new(self.rows.map(|row| {
            let row = row?;
            match row.problem() {
                Some(problem) => Err(anyhow::anyhow!("row {} is broken: {problem}", row.number)),
                None => Ok(row),
            }
        }))
    }
}

/// Opens a table. Without a format the name tells it; stdin is NDJSON then.
pub(crate) fn open(place: &Place, format: Option<TableFormat>) -> anyhow::Result<Table> {
    open_with(place, format, &[])
}

/// Opens a table that may have these columns: where each row names its own, they need not stand in the first rows.
pub(crate) fn open_with(place: &Place, format: Option<TableFormat>, wanted: &[String]) -> anyhow::Result<Table> {
    let told = match place {
        Place::Standard => Some(TableFormat::Ndjson),
        Place::File(path) => TableFormat::of(path),
    };
    let Some(format) = format.or(told) else {
        return Err(Fault::new(
            format!("the name of `{place}` does not say what it is written in"),
            "say --input-format csv, ndjson or parquet",
        )
        .exit(Exit::Usage)
        .into());
    };
    let table = match format {
        TableFormat::Csv => csv_file::open(place.reader()?),
        TableFormat::Ndjson => ndjson::open(place.reader()?, wanted),
        TableFormat::Parquet => parquet_file::open(place),
    };
    table.with_context(|| format!("failed to read `{place}`"))
}

#[cfg(test)]
mod tests;
