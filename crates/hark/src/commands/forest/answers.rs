//! What is said of each row of a table, written as it comes.

use std::io::Write;

use anyhow::Context;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::output::{Format, harmless};
use crate::table::Place;

/// One value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Number(f64),
    /// 1 or 0.
    Flag(bool),
    Text(String),
    Nothing,
}

/// A writer of answers: CSV, or with `--format json` or `ndjson` an object a row.
pub(super) struct Answers<'a> {
    place: &'a Place,
    names: Vec<String>,
    to: To,
    rows: u64,
}

enum To {
    Csv(Box<csv::Writer<Box<dyn Write + Send>>>),
    List(Box<dyn Write + Send>),
    Lines(Box<dyn Write + Send>),
}

impl<'a> Answers<'a> {
    /// Makes the file anew.
    pub(super) fn open(place: &'a Place, format: Format, names: Vec<String>) -> anyhow::Result<Self> {
        let out = place.writer()?;
        let to = match format {
            Format::Table | Format::Csv => To::Csv(Box::new(csv::Writer::from_writer(out))),
            Format::Json => To::List(out),
            Format::Ndjson => To::Lines(out),
        };
        let mut answers = Self {
            place,
            names,
            to,
            rows: 0,
        };
        answers.header().with_context(|| answers.failed())?;
        Ok(answers)
    }

    /// Writes one answer: a value for each name.
    pub(super) fn push(&mut self, cells: &[Cell]) -> anyhow::Result<()> {
        self.write(cells).with_context(|| self.failed())?;
        self.rows += 1;
        Ok(())
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.end().with_context(|| self.failed())
    }

    fn failed(&self) -> String {
        format!("failed to write `{}`", self.place)
    }

    fn header(&mut self) -> anyhow::Result<()> {
        match &mut self.to {
            To::Csv(csv) => csv.write_record(self.names.iter().map(|it| harmless(it).into_owned()))?,
            To::List(out) => out.write_all(b"[")?,
            To::Lines(_) => {}
        }
        Ok(())
    }

    fn write(&mut self, cells: &[Cell]) -> anyhow::Result<()> {
        match &mut self.to {
            To::Csv(csv) => csv.write_record(cells.iter().map(csv_cell))?,
            To::List(out) => {
                out.write_all(if self.rows == 0 { b"\n" } else { b",\n" })?;
                serde_json::to_writer(out, &Object(&self.names, cells))?;
            }
            To::Lines(out) => {
                serde_json::to_writer(&mut *out, &Object(&self.names, cells))?;
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> anyhow::Result<()> {
        match &mut self.to {
            To::Csv(csv) => csv.flush()?,
            To::List(out) => {
                out.write_all(b"\n]\n")?;
                out.flush()?;
            }
            To::Lines(out) => out.flush()?,
        }
        Ok(())
    }
}

fn csv_cell(cell: &Cell) -> String {
    match cell {
        Cell::Number(number) => number.to_string(),
        Cell::Flag(flag) => u8::from(*flag).to_string(),
        Cell::Text(text) => harmless(text).into_owned(),
        Cell::Nothing => String::new(),
    }
}

/// An answer as an object. JSON knows no infinity: an open end is null.
struct Object<'a>(&'a [String], &'a [Cell]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, cell) in self.0.iter().zip(self.1) {
            match cell {
                Cell::Number(number) => map.serialize_entry(name, number)?,
                Cell::Flag(flag) => map.serialize_entry(name, &u8::from(*flag))?,
                Cell::Text(text) => map.serialize_entry(name, text)?,
                Cell::Nothing => map.serialize_entry(name, &())?,
            }
        }
        map.end()
    }
}
