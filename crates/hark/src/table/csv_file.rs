//! Comma-separated tables with a header.

use std::io::BufRead;

use anyhow::Context;

use super::cell::{Fields, Row};
use super::{Column, LOOK_AHEAD, Late, Table};

/// Reads the header and looks at the first rows to see which columns hold numbers.
pub(super) fn open(reader: Box<dyn BufRead + Send>) -> anyhow::Result<Table> {
    let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
    let names: Vec<String> = csv.headers()?.iter().map(|it| it.trim().to_owned()).collect();
    anyhow::ensure!(names.iter().any(|it| !it.is_empty()), "the table has no header");
    let width = names.len();
    let mut rows = csv.into_byte_records().zip(1..).map(move |(record, number)| {
        let record = record.with_context(|| format!("row {number} is broken"))?;
        let fields = fields(record, width);
        Ok(Row { number, fields })
    });
    let first: Vec<anyhow::Result<Row>> = rows.by_ref().take(LOOK_AHEAD).collect();
    let columns = names
        .into_iter()
        .enumerate()
        .map(|(at, name)| Column {
            numeric: is_numeric(first.iter().flatten(), at),
            name,
        })
        .collect();
    Ok(Table {
        columns,
        rows: Box::new(first.into_iter().chain(rows)),
        late: Late::default(),
    })
}

/// The fields of a record, if there are as many as there are columns and all are text.
fn fields(record: csv::ByteRecord, width: usize) -> Fields {
    let found = record.len();
    let problem = match csv::StringRecord::from_byte_record(record) {
        Ok(record) if found == width => return Fields::Text(record),
        Ok(record) => (
            record.into_byte_record(),
            format!("it has {found} fields, the header has {width}"),
        ),
        Err(error) => (error.into_byte_record(), "it is not UTF-8".to_owned()),
    };
    let (record, problem) = problem;
    Fields::Broken(record.iter().collect::<Vec<_>>().join(&b','), problem)
}

/// Whether there is a number in the column, and nothing else.
pub(super) fn is_numeric<'a>(rows: impl Iterator<Item = &'a Row>, column: usize) -> bool {
    let mut numbers = 0;
    for row in rows {
        match row.number(column, "") {
            Ok(Some(_)) => numbers += 1,
            Ok(None) => {}
            Err(_) => return false,
        }
    }
    numbers > 0
}
