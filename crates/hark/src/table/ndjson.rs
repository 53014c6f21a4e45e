//! Tables of a JSON object a line. Objects inside are columns with dotted names, `sensor_data.temperature`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::BufRead;

use anyhow::Context;
use serde_json::{Map, Value};

use super::cell::{Cell, Fields, Row};
use super::csv_file::is_numeric;
use super::{Column, LOOK_AHEAD, Late, Table};
use crate::exit::Fault;

/// The longest line that is read.
const MAX_LINE_BYTES: usize = 16 << 20;

/// Reads the first lines for the columns; a field that appears only later is seen where it is wanted.
pub(super) fn open(reader: Box<dyn BufRead + Send>, wanted: &[String]) -> anyhow::Result<Table> {
    let mut objects = Objects { reader, line: 0 };
    let mut names = Names::default();
    let mut first = Vec::new();
    for object in objects.by_ref().take(LOOK_AHEAD) {
        let object = object?;
        if let Ok(fields) = &object.fields {
            names.learn("", fields);
        }
        first.push(object);
    }
    anyhow::ensure!(!first.is_empty(), "there is no row");
    if let (true, Err(Fields::Broken(_, problem))) = (names.in_order.is_empty(), &first[0].fields) {
        let message = format!("line {} is broken: {problem}", first[0].number);
        return Err(Fault::new(message, "say --input-format csv or parquet if it is no NDJSON").into());
    }
    // A table that has none of them is another one.
    if wanted.iter().any(|it| names.places.contains_key(it)) {
        wanted.iter().for_each(|it| names.add(it));
    }
    let first: Vec<Row> = first.iter().map(|it| names.row(it)).collect();
    let column = |(at, name): (usize, &String)| Column {
        name: name.clone(),
        numeric: is_numeric(first.iter(), at) || wanted.contains(name),
    };
    let columns = names.in_order.iter().enumerate().map(column).collect();
    let late = names.late.clone();
    let rest = objects.map(move |object| object.map(|it| names.row(&it)));
    Ok(Table {
        columns,
        late,
        rows: Box::new(first.into_iter().map(Ok).chain(rest)),
    })
}

struct Object {
    number: u64,
    /// What the line holds, or the line that holds no object.
    fields: Result<Map<String, Value>, Fields>,
}

struct Objects {
    reader: Box<dyn BufRead + Send>,
    line: u64,
}

impl Iterator for Objects {
    type Item = anyhow::Result<Object>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let number = self.line + 1;
            let line = match next_line(&mut self.reader) {
                Ok(line) => line?,
                Err(error) => return Some(Err(error).with_context(|| format!("line {number} is broken"))),
            };
            self.line = number;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let fields = serde_json::from_slice(&line)
                .map_err(|error| Fields::Broken(line, format!("it is not a JSON object: {error}")));
            return Some(Ok(Object { number, fields }));
        }
    }
}

/// The next line without its end, of bounded length.
pub(crate) fn next_line(reader: &mut impl BufRead) -> anyhow::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = MAX_LINE_BYTES as u64 + 1;
    let read = std::io::Read::take(&mut *reader, limit).read_until(b'\n', &mut line)?;
    anyhow::ensure!(line.len() <= MAX_LINE_BYTES, "it is longer than {MAX_LINE_BYTES} bytes");
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok((read > 0).then_some(line))
}

#[derive(Debug, Default)]
struct Names {
    places: HashMap<String, usize>,
    in_order: Vec<String>,
    late: Late,
}

impl Names {
    fn learn(&mut self, prefix: &str, fields: &Map<String, Value>) {
        for (name, value) in fields {
            let name = format!("{prefix}{name}");
            match value {
                Value::Object(inner) => self.learn(&format!("{name}."), inner),
                _ => self.add(&name),
            }
        }
    }

    fn add(&mut self, name: &str) {
        if !self.places.contains_key(name) {
            self.places.insert(name.to_owned(), self.in_order.len());
            self.in_order.push(name.to_owned());
        }
    }

    fn row(&self, object: &Object) -> Row {
        let fields = object.fields.as_ref().map_err(Fields::clone).map_or_else(
            |broken| broken,
            |fields| {
                let mut cells = vec![Cell::Empty; self.in_order.len()];
                self.fill("", fields, &mut cells);
                Fields::Cells(cells)
            },
        );
        Row {
            number: object.number,
            fields,
        }
    }

    fn fill(&self, prefix: &str, fields: &Map<String, Value>, cells: &mut [Cell<'static>]) {
        for (name, value) in fields {
            let name = format!("{prefix}{name}");
            if let Value::Object(inner) = value {
                self.fill(&format!("{name}."), inner, cells);
            } else if let Some(&place) = self.places.get(&name) {
                cells[place] = cell(value);
            } else {
                self.late.add(&name);
            }
        }
    }
}

fn cell(value: &Value) -> Cell<'static> {
    match value {
        Value::Null => Cell::Empty,
        Value::Bool(it) => Cell::Truth(*it),
        Value::Number(number) => number.as_f64().map_or(Cell::Empty, Cell::Number),
        Value::String(text) if text.is_empty() => Cell::Empty,
        Value::String(text) => Cell::Text(Cow::Owned(text.clone())),
        other => Cell::Text(Cow::Owned(other.to_string())),
    }
}
