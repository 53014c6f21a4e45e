//! The numbers of a table: every column that holds numbers and is not ignored, row after row.

use std::iter::Peekable;

use anyhow::Context;
use forest::Forest;

use crate::cli::NumbersArgs;
use crate::exit::{Exit, Fault};
use crate::table::{self, Place, Row, Rows};

/// Values that are held at a time where a table is read in blocks.
const BLOCK_VALUES: usize = 1 << 20;

/// A table of numbers, read from the front.
pub(super) struct Numbers {
    input: Place,
    names: Vec<String>,
    /// For each name, which column of the table.
    columns: Vec<usize>,
    rows: Peekable<Rows>,
}

impl Numbers {
    /// Opens a table and finds its columns. It has at least one row, and one column.
    pub(super) fn open(args: &NumbersArgs) -> anyhow::Result<Self> {
        let table = table::open(&args.input, args.input_format)?;
        for name in &args.ignore {
            table::named(table.columns(), name)?;
        }
        let chosen = table
            .columns()
            .iter()
            .enumerate()
            .filter(|(_, it)| it.numeric && !args.ignore.contains(&it.name));
        let (columns, names) = chosen.map(|(at, it)| (at, it.name.clone())).unzip();
        let mut numbers = Self {
            input: args.input.clone(),
            names,
            columns,
            rows: table.into_rows().peekable(),
        };
        if numbers.rows.peek().is_none() {
            return Err(numbers.fault("has no rows", "a header and at least one row of numbers are needed"));
        }
        if numbers.names.is_empty() {
            return Err(numbers.fault("has no column of numbers", "columns with any text in them are left out"));
        }
        Ok(numbers)
    }

    /// The names of the columns, in order.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Refuses a table of another width than the forest's.
    pub(super) fn check_width(&self, forest: &Forest) -> anyhow::Result<()> {
        if self.names.len() == forest.columns() {
            return Ok(());
        }
        let message = format!(
            "the forest expects {} columns of numbers, `{}` has {}: {}",
            forest.columns(),
            self.input,
            self.names.len(),
            self.names.join(", ")
        );
        let hint = if self.names.len() > forest.columns() {
            "leave out those it was not fitted on with --ignore"
        } else {
            "columns with any text, or nothing, in their first 1,000 rows are left out"
        };
        Err(Fault::new(message, hint).into())
    }

    /// Reads as many rows as are good to hold at a time; none at the end.
    pub(super) fn block(&mut self) -> anyhow::Result<Vec<f64>> {
        let rows = (BLOCK_VALUES / self.names.len()).max(1);
        let mut values = Vec::with_capacity(rows * self.names.len());
        for _ in 0..rows {
            let Some(row) = self.rows.next() else { break };
            self.push(&row?, &mut values)?;
        }
        Ok(values)
    }

    /// Adds the numbers of a row; an empty cell is NaN, as the forest takes a missing value.
    fn push(&self, row: &Row, values: &mut Vec<f64>) -> anyhow::Result<()> {
        for (&column, name) in self.columns.iter().zip(&self.names) {
            let number = row
                .number(column, name)
                .with_context(|| format!("row {} of `{}` cannot be taken", row.number, self.input))?
                .unwrap_or(f64::NAN);
            if number.is_infinite() {
                return Err(self.fault(
                    &format!("has an infinite {name} in row {}", row.number),
                    "write a number, or leave the cell empty where the value is not known",
                ));
            }
            values.push(number);
        }
        Ok(())
    }

    fn fault(&self, problem: &str, hint: &str) -> anyhow::Error {
        Fault::new(format!("`{}` {problem}", self.input), hint).into()
    }
}

/// Refuses to write over what is being read, or to read two things from stdin.
pub(super) fn check_places(inputs: &[&Place], output: &Place) -> anyhow::Result<()> {
    let usage = |message: String, hint: &str| Err(Fault::new(message, hint).exit(Exit::Usage).into());
    if inputs.iter().filter(|it| matches!(it, Place::Standard)).count() > 1 {
        return usage(
            "the forest and the table cannot both come from stdin".to_owned(),
            "give one of them as a file",
        );
    }
    let real = |place: &Place| match place {
        Place::Standard => None,
        // A file that is not there yet is no other file.
        Place::File(path) => path.canonicalize().ok(),
    };
    let written = real(output);
    if let Some(read) = inputs.iter().find(|it| written.is_some() && real(it) == written) {
        return usage(
            format!("`{output}` is read as `{read}` and cannot be written to"),
            "choose another --output",
        );
    }
    Ok(())
}
