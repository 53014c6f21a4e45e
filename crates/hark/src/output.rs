//! Rows on stdout: a table for people, JSON, NDJSON or CSV for programs.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people
    Table,
    /// One JSON list
    Json,
    /// A JSON object a line
    Ndjson,
    /// Comma-separated, with a header
    Csv,
}

/// Rows under named columns.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Sheet {
    /// No rows yet under these columns.
    pub(crate) fn new(columns: impl Into<Vec<&'static str>>) -> Self {
        Self {
            columns: columns.into(),
            rows: Vec::new(),
        }
    }

    /// Adds a row: a value per column.
    pub(crate) fn push(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.columns.len(), "a value per column");
        self.rows.push(row);
    }

    /// Writes all rows to stdout.
    pub(crate) fn print(&self, format: Format) -> anyhow::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        self.write(format, &mut out)?;
        out.flush()?;
        Ok(())
    }

    /// Writes all rows as a table to stderr, for when stdout carries something else.
    pub(crate) fn print_aside(&self) -> anyhow::Result<()> {
        self.write(Format::Table, &mut io::stderr().lock())
    }

    fn write(&self, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
        match format {
            Format::Table => {
                writeln!(out, "{}", self.drawn())?;
            }
            Format::Json => {
                let rows: Vec<Object<'_>> = self.objects().collect();
                serde_json::to_writer_pretty(&mut *out, &rows).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            Format::Ndjson => {
                for row in self.objects() {
                    serde_json::to_writer(&mut *out, &row).map_err(io::Error::from)?;
                    writeln!(out)?;
                }
            }
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                csv.write_record(&self.columns)?;
                for row in &self.rows {
                    csv.write_record(row.iter().map(csv_cell))?;
                }
                csv.flush()?;
            }
        }
        Ok(())
    }

    fn objects(&self) -> impl Iterator<Item = Object<'_>> {
        self.rows.iter().map(|row| Object {
            columns: &self.columns,
            row,
        })
    }

    fn drawn(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(self.columns.iter().map(|it| it.replace('_', " ")));
        for row in &self.rows {
            table.add_row(row.iter().map(plain));
        }
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if self.rows.iter().any(|row| row[at].is_number()) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines = table.to_string();
        let lines: Vec<&str> = lines.lines().map(str::trim_end).collect();
        lines.join("\n")
    }
}

struct Object<'a> {
    columns: &'a [&'static str],
    row: &'a [Value],
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for (column, value) in self.columns.iter().zip(self.row) {
            map.serialize_entry(column, value)?;
        }
        map.end()
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

/// The text without what could move the cursor or hide parts of a line: control characters are shown by their number.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for it in text.chars() {
        if it.is_control() || matches!(it, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}') {
            shown.extend(it.escape_unicode());
        } else {
            shown.push(it);
        }
    }
    shown
}

fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => harmless(text).into_owned(),
        other => other.to_string(),
    }
}

/// The text as it may stand in a CSV cell: one that a spreadsheet would run as a formula gets a quote before it.
pub(crate) fn harmless(text: &str) -> std::borrow::Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

/// The text of a CSV cell without the quote that [`harmless`] puts before it.
pub(crate) fn as_meant(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => text,
        _ => cell,
    }
}

/// Whether nothing but errors is told.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Sets whether nothing but errors is told, once at the start of the process.
pub(crate) fn be_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Tells the person who watches a line, on stderr.
pub(crate) fn say(line: impl std::fmt::Display) {
    if !QUIET.load(Ordering::Relaxed) {
        // Nobody is left to be told when stderr is closed.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(format: Format, expected: &str) {
        let mut sheet = Sheet::new(["device_id", "readings", "kind"]);
        sheet.push(vec![json!("=1+1"), json!(-12), Value::Null]);
        sheet.push(vec![json!("a\u{1b}[2J"), json!(3), json!("x, \"y\"")]);
        let mut written = Vec::new();
        sheet.write(format, &mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }

    #[test]
    fn rows_are_written_for_people_and_for_programs() {
        check(
            Format::Table,
            "device id   readings  kind\n=1+1             -12  -\na\\u{1b}[2J         3  x, \"y\"\n",
        );
        check(
            Format::Csv,
            "device_id,readings,kind\n'=1+1,-12,\na\u{1b}[2J,3,\"x, \"\"y\"\"\"\n",
        );
        check(
            Format::Ndjson,
            "{\"device_id\":\"=1+1\",\"readings\":-12,\"kind\":null}\n\
             {\"device_id\":\"a\\u001b[2J\",\"readings\":3,\"kind\":\"x, \\\"y\\\"\"}\n",
        );
    }

    #[test]
    fn json_is_one_list_in_the_order_of_the_columns() {
        let mut sheet = Sheet::new(["z", "a"]);
        sheet.push(vec![json!(1), json!(2)]);
        let mut written = Vec::new();
        sheet.write(Format::Json, &mut written).unwrap();
        assert_eq!(
            String::from_utf8(written).unwrap(),
            "[\n  {\n    \"z\": 1,\n    \"a\": 2\n  }\n]\n"
        );
    }
}
