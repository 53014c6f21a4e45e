//! Rows on stdout: a table for people, JSON, NDJSON or CSV for programs.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{ColorChoice, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::exit::{Exit, Fault};

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

    /// Writes all rows.
    pub(crate) fn write(&self, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
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
            let mut values = self
                .rows
                .iter()
                .map(|row| &row[at])
                .filter(|it| !it.is_null())
                .peekable();
            if values.peek().is_some() && values.all(Value::is_number) {
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

/// Where something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// What a colour means, beside the word that says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hue {
    Good,
    Doubtful,
    Bad,
}

impl Hue {
    /// The digits of ANSI.
    fn digits(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Doubtful => "33",
            Self::Bad => "1;31",
        }
    }
}

/// When colours are used.
static COLOUR: OnceLock<ColorChoice> = OnceLock::new();

/// Sets when colours are used, once at the start of the process.
pub(crate) fn set_colour(choice: ColorChoice) {
    // Only the first call counts.
    let _set_before = COLOUR.set(choice);
}

/// Whether colours are used there. `--color` goes before `NO_COLOR`, and this before what is found out.
pub(crate) fn is_coloured(stream: Stream) -> bool {
    match COLOUR.get() {
        Some(ColorChoice::Always) => true,
        Some(ColorChoice::Never) => false,
        _ => {
            let is_watched = match stream {
                Stream::Stdout => io::stdout().is_terminal(),
                Stream::Stderr => io::stderr().is_terminal(),
            };
            let said = |name: &str| std::env::var_os(name).unwrap_or_default();
            is_watched && said("NO_COLOR").is_empty() && said("TERM") != "dumb"
        }
    }
}

/// A word in a colour, where colours are used.
pub(crate) fn painted(word: &str, hue: Hue, stream: Stream) -> Cow<'_, str> {
    if is_coloured(stream) {
        format!("\u{1b}[{}m{word}\u{1b}[0m", hue.digits()).into()
    } else {
        word.into()
    }
}

/// Whether nothing but errors is told.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Sets whether nothing but errors is told, once at the start of the process.
pub(crate) fn be_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Tells what came of a command: the sentence to the person who watches; to a program that asked for a format, these
/// values on stdout.
pub(crate) fn tell_outcome(
    sentence: impl std::fmt::Display,
    format: Option<Format>,
    values: &[(&'static str, Value)],
) -> anyhow::Result<()> {
    say(sentence);
    let Some(format) = format else { return Ok(()) };
    let mut sheet = Sheet::new(values.iter().map(|it| it.0).collect::<Vec<_>>());
    sheet.push(values.iter().map(|it| it.1.clone()).collect());
    sheet.print(format)
}

/// Asks the person who watches whether what cannot be undone is to be done. Where nobody can be asked it must be said.
pub(crate) fn agreed(what: &str, question: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(Fault::new(what, "say --yes").exit(Exit::Usage).into());
    }
    let mut stderr = io::stderr().lock();
    write!(stderr, "{what}; {question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
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
