//! `hark forest`: the forest on plain tables.

use clap::{Args, Subcommand};
use forest::Contamination;

use crate::table::{Place, TableFormat};

/// `hark forest …`
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "\
Examples:
  hark forest fit --input pumps.csv --ignore label --output pumps.forest
  hark forest score pumps.forest --input new.csv --output scores.csv
  hark forest explain pumps.forest --input new.csv
  hark forest export pumps.forest --onnx pumps.onnx
  hark forest import from-scikit-learn.onnx --output theirs.forest")]
pub(crate) enum ForestCommand {
    /// Grow a forest on a table
    Fit(ForestFitArgs),
    /// Score each row of a table
    Score(ForestScoreArgs),
    /// Say for each row of a table what each column added to its score
    Explain(ForestScoreArgs),
    /// Write a forest for other tools: as ONNX, or as JSON for people
    Export(ForestExportArgs),
    /// Take a forest from ONNX, as scikit-learn's converter or this export writes it
    Import(ForestImportArgs),
}

/// Which numbers of which table.
#[derive(Debug, Clone, Args)]
pub(crate) struct NumbersArgs {
    /// The table: CSV (plain or gzip), NDJSON or Parquet; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Place,
    /// What the table is written in, where its name does not say it; stdin is NDJSON
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) input_format: Option<TableFormat>,
    /// Columns to leave out; fit takes every other one that holds numbers
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub(crate) ignore: Vec<String>,
}

/// `hark forest fit`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Every column that holds numbers is learned from, except the ignored ones; an empty cell is a missing
value, as are NA, N/A, null and NaN. The names of the columns are kept in the file: a table to score must have them, in any order.
The same seed and table give the same file.")]
pub(crate) struct ForestFitArgs {
    #[command(flatten)]
    pub(crate) numbers: NumbersArgs,
    /// How many trees
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) trees: usize,
    /// How many rows each tree is grown from
    #[arg(long, value_name = "ROWS", default_value_t = 256)]
    pub(crate) subsample: usize,
    /// Of every random choice
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub(crate) seed: u64,
    /// The share of rows to call anomalous, or auto for a score above one half
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = contamination, allow_negative_numbers = true)]
    pub(crate) contamination: Contamination,
    /// Split on hyperplanes over so many columns more than one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) extension: usize,
    /// Where to write the forest; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Place,
}

/// `hark forest score` and `hark forest explain`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Writes a row for each row, in order: score in (0,1], larger is more anomalous; decision, below 0 is
anomalous; flag, 1 where it is. An explanation adds the score of a usual row (baseline), the column
that added most and the values of it between which the row would not be flagged, and what each
column added: these add up to score - baseline. The columns of the forest are found by name, in any order;
others are not looked at. A forest without names, as other tools export, takes every column of
numbers, in order. The table may be larger than memory.")]
pub(crate) struct ForestScoreArgs {
    /// The forest
    #[arg(value_name = "FOREST")]
    pub(crate) forest: Place,
    #[command(flatten)]
    pub(crate) numbers: NumbersArgs,
    /// Where to write: CSV, or with --format json or ndjson an object a row; - is stdout
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) output: Place,
}

/// `hark forest export`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  hark forest export pumps.forest --onnx pumps.onnx
  hark forest export pumps.forest --json | less")]
pub(crate) struct ForestExportArgs {
    /// The forest
    #[arg(value_name = "FOREST")]
    pub(crate) forest: Place,
    #[command(flatten)]
    pub(crate) into: ForestExportInto,
}

/// Where an exported forest goes.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ForestExportInto {
    /// As an ONNX model
    #[arg(long, value_name = "FILE")]
    pub(crate) onnx: Option<Place>,
    /// As JSON; without a name, or with -, to stdout
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) json: Option<Place>,
}

/// `hark forest import`
#[derive(Debug, Clone, Args)]
pub(crate) struct ForestImportArgs {
    /// The ONNX model
    #[arg(value_name = "FILE")]
    pub(crate) input: Place,
    /// Where to write the forest; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Place,
}

fn contamination(text: &str) -> Result<Contamination, String> {
    if text == "auto" {
        return Ok(Contamination::Auto);
    }
    text.parse()
        .map(Contamination::Share)
        .map_err(|_| "expected a share such as 0.1, or auto".to_owned())
}
