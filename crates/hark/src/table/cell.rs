//! One row of a table, whatever file it stood in.

use std::borrow::Cow;
use std::sync::Arc;

use domain::{Rejection, RejectionCode, Timestamp};
use serde_json::{Value, json};

use super::Column;
use super::parquet_file::Block;

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    /// Nothing: an empty field, a null, or NaN, which tables write for a missing number.
    Empty,
    /// Text.
    Text(Cow<'a, str>),
    /// A number.
    Number(f64),
    /// True or false.
    Truth(bool),
    /// An instant.
    Time(Timestamp),
}

/// What tables write where a number is missing, besides nothing and NaN.
const MISSING: [&str; 3] = ["na", "n/a", "null"];

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Its number, the first row of data being 1.
    pub(crate) number: u64,
    pub(super) fields: Fields,
}

/// The values of a row, as each kind of file keeps them.
#[derive(Debug, Clone)]
pub(super) enum Fields {
    /// Of CSV: all text.
    Text(csv::StringRecord),
    /// Of NDJSON.
    Cells(Vec<Cell<'static>>),
    /// Of Parquet: a place in a block of columns.
    Block(Arc<Block>, usize),
    /// What the file holds where a row should be, and what is wrong with it.
    Broken(Vec<u8>, String),
}

impl Row {
    /// The value in this column.
    pub(crate) fn cell(&self, column: usize) -> Cell<'_> {
        match &self.fields {
            Fields::Text(record) => match record.get(column).map(str::trim) {
                None | Some("") => Cell::Empty,
                Some(text) => Cell::Text(Cow::Borrowed(crate::output::as_meant(text))),
            },
            Fields::Cells(cells) => cells.get(column).cloned().unwrap_or(Cell::Empty),
            Fields::Block(block, row) => block.cell(column, *row),
            Fields::Broken(..) => Cell::Empty,
        }
    }

    /// What is wrong with a row that does not fit its table.
    pub(crate) fn problem(&self) -> Option<&str> {
        match &self.fields {
            Fields::Broken(_, problem) => Some(problem),
            _ => None,
        }
    }

    /// The row as bytes to keep: what the file holds where the row is broken, else a JSON object of its columns.
    pub(crate) fn original(&self, columns: &[Column]) -> Vec<u8> {
        if let Fields::Broken(bytes, _) = &self.fields {
            return bytes.clone();
        }
        let json = |cell: Cell<'_>| match cell {
            Cell::Number(number) if number.is_finite() => Some(json!(number)),
            Cell::Truth(it) => Some(json!(it)),
            Cell::Empty => None,
            _ => Some(Value::Null),
        };
        let named = columns.iter().enumerate().filter_map(|(at, column)| {
            let value = json(self.cell(at))?;
            let text = || Value::from(self.text(at).unwrap_or_default());
            Some((column.name.clone(), if value.is_null() { text() } else { value }))
        });
        Value::Object(named.collect()).to_string().into_bytes()
    }

    /// The value as text; none where it is missing.
    pub(crate) fn text(&self, column: usize) -> Option<Cow<'_, str>> {
        match self.cell(column) {
            Cell::Empty => None,
            Cell::Text(text) => Some(text),
            Cell::Number(number) => Some(number.to_string().into()),
            Cell::Truth(it) => Some(it.to_string().into()),
            Cell::Time(at) => Some(at.to_string().into()),
        }
    }

    /// The value as a number; none where it is missing. `name` is what a refusal calls it.
    pub(crate) fn number(&self, column: usize, name: &str) -> Result<Option<f64>, Rejection> {
        match self.cell(column) {
            Cell::Empty => Ok(None),
            Cell::Number(number) => Ok(Some(number)),
            Cell::Truth(it) => Ok(Some(f64::from(u8::from(it)))),
            Cell::Text(text) => match text.parse::<f64>() {
                Ok(number) if number.is_nan() => Ok(None),
                Ok(number) => Ok(Some(number)),
                Err(_) if MISSING.iter().any(|it| text.eq_ignore_ascii_case(it)) => Ok(None),
                Err(_) => Err(wrong_type(
                    name,
                    &format!("is `{}`, a number is needed", shorten(&text)),
                )),
            },
            Cell::Time(at) => Err(wrong_type(name, &format!("is the time {at}, a number is needed"))),
        }
    }

    /// The value as an instant; a time without zone is taken as UTC.
    pub(crate) fn time(&self, column: usize, name: &str) -> Result<Option<Timestamp>, Rejection> {
        match self.cell(column) {
            Cell::Empty => Ok(None),
            Cell::Time(at) => Ok(Some(at)),
            Cell::Text(text) => Timestamp::parse_utc(&text)
                .map(Some)
                .map_err(|it| Rejection::field(RejectionCode::BadTimestamp, name, format!("{name}: {it}"))),
            Cell::Number(number) => Err(Rejection::field(
                RejectionCode::BadTimestamp,
                name,
                format!("{name} is the number {number}; write times as 2025-08-06T10:00:00Z"),
            )),
            Cell::Truth(_) => Err(wrong_type(name, "is true or false, a time is needed")),
        }
    }

    /// The value as yes or no: `1`, `0`, `true`, `false`.
    pub(crate) fn truth(&self, column: usize, name: &str) -> Result<Option<bool>, Rejection> {
        match self.cell(column) {
            Cell::Empty => Ok(None),
            Cell::Truth(it) => Ok(Some(it)),
            Cell::Number(number) if number == 0.0 || number == 1.0 => Ok(Some(number == 1.0)),
            Cell::Text(text) => match text.to_ascii_lowercase().as_str() {
                "1" | "1.0" | "true" => Ok(Some(true)),
                "0" | "0.0" | "false" => Ok(Some(false)),
                _ => Err(wrong_type(name, &format!("is `{}`, 1 or 0 is needed", shorten(&text)))),
            },
            other => Err(wrong_type(name, &format!("is {other:?}, 1 or 0 is needed"))),
        }
    }
}

fn wrong_type(name: &str, problem: &str) -> Rejection {
    Rejection::field(RejectionCode::WrongType, name, format!("{name} {problem}"))
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
