//! The numbers of a table, row after row: what a forest learns from, and what it scores.

use std::collections::{HashMap, HashSet};
use std::iter::Peekable;

use anyhow::Context;
use forest::Forest;

use crate::cli::NumbersArgs;
use crate::exit::{Exit, Fault};
use crate::output::{printable, say};
use crate::table::{self, Column, Late, Place, Row, Rows, Table};

/// Values that are held at a time where a table is read in blocks.
const BLOCK_VALUES: usize = 1 << 18;

/// So many names are told at a time.
const SHOWN: usize = 12;

/// A table of numbers, read from the front.
pub(super) struct Numbers {
    input: Place,
    names: Vec<String>,
    /// For each name, which column of the table.
    columns: Vec<usize>,
    rows: Peekable<Rows>,
    /// For each name, whether any row had a value.
    seen: Vec<bool>,
    /// What is wrong with the row after the last block.
    broken: Option<anyhow::Error>,
    /// Columns that appear after the rows that were looked at.
    late: Late,
}

impl Numbers {
    /// Opens a table to learn from: every column of numbers that is not ignored. It has at least one row, and one column.
    pub(super) fn to_fit(args: &NumbersArgs) -> anyhow::Result<Self> {
        let table = open(args, &[])?;
        let text: Vec<&str> = (table.columns().iter())
            .filter(|it| !it.numeric && !args.ignore.contains(&it.name))
            .map(|it| it.name.as_str())
            .collect();
        if !text.is_empty() {
            say(format_args!(
                "not learned from, as they hold no numbers or also something else: {}",
                list(&text)
            ));
        }
        let numbers = Self::of_all(args, table)?;
        if let Some(name) = twice(&numbers.names) {
            return Err(numbers.fault(
                &format!("has two columns named `{name}`"),
                "give each its own name, or leave them out with --ignore",
            ));
        }
        Ok(numbers)
    }

    /// Opens a table to score: the columns the forest was fitted on, by name. It has at least one row.
    pub(super) fn to_score(args: &NumbersArgs, forest: &Forest) -> anyhow::Result<Self> {
        let table = open(args, forest.names())?;
        if forest.names().is_empty() {
            let numbers = Self::of_all(args, table)?;
            numbers.check_width(forest)?;
            return Ok(numbers);
        }
        let columns = find_all(&args.input, table.columns(), forest.names())?;
        if let Some(name) = forest.names().iter().find(|it| args.ignore.contains(it)) {
            let hint = "take it out of --ignore, or empty its cells: an empty cell is a missing value";
            let message = format!("the forest needs the column `{name}`, it cannot be ignored");
            return Err(Fault::new(message, hint).exit(Exit::Usage).into());
        }
        let unused = (table.columns().iter().enumerate())
            .filter(|(at, it)| !columns.contains(at) && !args.ignore.contains(&it.name));
        let unused: Vec<&str> = unused.map(|(_, it)| it.name.as_str()).collect();
        if !unused.is_empty() {
            say(format_args!(
                "not looked at, as the forest does not know them: {}",
                list(&unused)
            ));
        }
        Self::of(args, forest.names().to_vec(), columns, table)
    }

    /// Every column of numbers that is not ignored, in order.
    fn of_all(args: &NumbersArgs, table: Table) -> anyhow::Result<Self> {
        let chosen = table
            .columns()
            .iter()
            .enumerate()
            .filter(|(_, it)| it.numeric && !args.ignore.contains(&it.name));
        let (columns, names) = chosen.map(|(at, it)| (at, it.name.clone())).unzip();
        Self::of(args, names, columns, table)
    }

    fn of(args: &NumbersArgs, names: Vec<String>, columns: Vec<usize>, table: Table) -> anyhow::Result<Self> {
        let mut numbers = Self {
            input: args.input.clone(),
            seen: vec![false; names.len()],
            broken: None,
            late: table.late(),
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
    fn check_width(&self, forest: &Forest) -> anyhow::Result<()> {
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

    /// Reads as many rows as are good to hold at a time; none at the end. The rows before a broken one come first.
    pub(super) fn block(&mut self) -> anyhow::Result<Vec<f64>> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let rows = (BLOCK_VALUES / self.names.len()).max(1);
        let mut values = Vec::with_capacity(rows * self.names.len());
        for _ in 0..rows {
            let Some(row) = self.rows.next() else { break };
            let whole = values.len();
            let row = row.with_context(|| format!("`{}` cannot be read to its end", self.input));
            if let Err(broken) = row.and_then(|row| self.push(&row, &mut values)) {
                values.truncate(whole);
                if values.is_empty() {
                    return Err(broken);
                }
                self.broken = Some(broken);
                break;
            }
        }
        Ok(values)
    }

    /// Says what a person should know of the table, once it was read to its end.
    pub(super) fn finish(&self) -> anyhow::Result<()> {
        let without = self.names.iter().zip(&self.seen).filter(|it| !it.1);
        let without: Vec<&str> = without.map(|it| it.0.as_str()).collect();
        if !without.is_empty() {
            say(format_args!(
                "taken as missing, as no row has a value: {}",
                list(&without)
            ));
        }
        let late = self.late.names();
        if !late.is_empty() {
            let late: Vec<&str> = late.iter().map(String::as_str).collect();
            say(format_args!(
                "not looked at, as no row of the first 1,000 has it: {}",
                list(&late)
            ));
        }
        Ok(())
    }

    /// Adds the numbers of a row; an empty cell is NaN, as the forest takes a missing value.
    fn push(&mut self, row: &Row, values: &mut Vec<f64>) -> anyhow::Result<()> {
        for (at, (&column, name)) in self.columns.iter().zip(&self.names).enumerate() {
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
            self.seen[at] |= !number.is_nan();
            values.push(number);
        }
        Ok(())
    }

    fn fault(&self, problem: &str, hint: &str) -> anyhow::Error {
        Fault::new(format!("`{}` {problem}", self.input), hint).into()
    }
}

/// Opens a table whose ignored columns are there. Where each row names its columns, those that are wanted need not be in the first.
fn open(args: &NumbersArgs, wanted: &[String]) -> anyhow::Result<Table> {
    let table = table::open_with(&args.input, args.input_format, wanted)?;
    for name in &args.ignore {
        table::named(table.columns(), name)?;
    }
    Ok(table)
}

/// The places of the columns of these names; each must be there once.
fn find_all(input: &Place, columns: &[Column], names: &[String]) -> anyhow::Result<Vec<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, column) in columns.iter().enumerate() {
        places.entry(&column.name).or_default().push(at);
    }
    let mut found = Vec::with_capacity(names.len());
    let mut lacking = Vec::new();
    for name in names {
        match places.get(name.as_str()).map_or(&[][..], Vec::as_slice) {
            [] => lacking.push(name.as_str()),
            [at] => found.push(*at),
            _ => {
                let message = format!("`{input}` has two columns named `{name}`");
                return Err(Fault::new(message, "give each its own name").into());
            }
        }
    }
    if lacking.is_empty() {
        return Ok(found);
    }
    let known: Vec<&str> = columns.iter().map(|it| it.name.as_str()).collect();
    let message = format!(
        "`{input}` lacks columns that the forest was fitted on: {}",
        list(&lacking)
    );
    Err(Fault::new(message, format!("it has {}", list(&known))).into())
}

fn twice(names: &[String]) -> Option<&String> {
    let mut seen = HashSet::new();
    names.iter().find(|it| !seen.insert(*it))
}

/// The names, as many as a person reads.
fn list(names: &[&str]) -> String {
    let shown = names
        .iter()
        .take(SHOWN)
        .map(|it| printable(it))
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
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
