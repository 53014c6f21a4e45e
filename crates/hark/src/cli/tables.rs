//! The commands on files of readings: backtest, import, export.

use clap::Args;
use domain::Timestamp;

use super::instant;
use crate::output::Format;
use crate::table::{Place, TableFormat};

/// Whose reading a row is, and of when.
#[derive(Debug, Clone, Args)]
pub(crate) struct IdentityColumns {
    /// The column with the device's name
    #[arg(long, value_name = "COLUMN", default_value = "device_id")]
    pub(crate) device_column: String,
    /// The column with the time: RFC 3339, or date and time taken as UTC
    #[arg(long, value_name = "COLUMN", default_value = "timestamp")]
    pub(crate) time_column: String,
}

/// `hark backtest`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The rows must be in order of time for each device. One of --split-column, --train-rows,
--train-until and --train-fraction says which of them train the model; the rest is judged by it
as if it came live.

Examples:
  hark backtest --input pumps.csv --device-column pump --train-fraction 0.3 --output out.csv
  hark backtest --input pumps.csv --train-until 2026-03-08T00:00:00Z --incidents told.csv
  hark backtest --input t.csv.gz --device-column series --split-column split --truth truth.csv
  zcat t.csv.gz | hark backtest --input - --input-format csv --train-rows 500 --output -")]
pub(crate) struct BacktestArgs {
    /// The readings: CSV (plain or gzip), NDJSON or Parquet; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Place,
    /// What the input is written in, where its name does not say it
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) input_format: Option<TableFormat>,
    #[command(flatten)]
    pub(crate) columns: IdentityColumns,
    /// The columns to judge [default: every other one that holds numbers]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub(crate) signals: Vec<String>,
    /// Train on the rows that say `train` in this column
    #[arg(long, value_name = "COLUMN", group = "training")]
    pub(crate) split_column: Option<String>,
    /// Train on the first so many rows of each device
    #[arg(long, value_name = "N", group = "training")]
    pub(crate) train_rows: Option<u64>,
    /// Train on the rows before this instant
    #[arg(long, value_name = "TIME", value_parser = instant, group = "training")]
    pub(crate) train_until: Option<Timestamp>,
    /// Train on this share of each device's rows, from the first on [default where nothing else is said: 0.3]
    #[arg(long, value_name = "SHARE", value_parser = share, group = "training")]
    pub(crate) train_fraction: Option<f64>,
    /// A column of the input with 1 where a row is anomalous, to measure against
    #[arg(long, value_name = "COLUMN", conflicts_with = "truth")]
    pub(crate) label_column: Option<String>,
    /// A table with the same device and time columns and a column `label`, to measure against
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: Option<Place>,
    /// Where to write a verdict for each row: CSV; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<Place>,
    /// Where to write what people would have been told: CSV with a row for each incident that opened after the training; - is
    /// stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) incidents: Option<Place>,
    /// End with exit code 5 when a row was flagged
    #[arg(long)]
    pub(crate) fail_on_anomaly: bool,
}

/// `hark import`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Columns are found by the names of the signals and their aliases. Rows that cannot be taken are told
with their number and kept as dead letters, the rest is stored, and the exit code is 1. A row that is there already changes
nothing, so an import can be repeated.

Examples:
  hark import readings.csv
  hark import pumps.parquet --device-column pump --time-column at --map temperature=t1
  hark simulate --history 1d | hark import -
  hark import readings.csv --to http://127.0.0.1:8000     while a hark runs")]
pub(crate) struct ImportArgs {
    /// CSV (plain or gzip), NDJSON or Parquet; - is stdin
    #[arg(value_name = "FILE")]
    pub(crate) input: Place,
    /// What the input is written in, where its name does not say it; stdin is NDJSON
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) input_format: Option<TableFormat>,
    #[command(flatten)]
    pub(crate) columns: IdentityColumns,
    /// The column of a signal, where it has another name
    #[arg(long = "map", value_name = "SIGNAL=COLUMN", value_parser = pair)]
    pub(crate) maps: Vec<(String, String)>,
    /// Send to a running Hark instead of opening the data folder
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<String>,
    /// Read the whole file and say what would be refused, and store nothing
    #[arg(long, conflicts_with = "to")]
    pub(crate) dry_run: bool,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("expected a share above 0 and below 1, such as 0.3".to_owned()),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((signal, column)) if !signal.is_empty() && !column.is_empty() => {
            Ok((signal.to_owned(), column.to_owned()))
        }
        _ => Err("expected SIGNAL=COLUMN, such as temperature=t1".to_owned()),
    }
}

impl ExportArgs {
    /// The same in this format, unless another one was named.
    pub(crate) fn in_format(mut self, format: Option<Format>) -> Self {
        let table = format.and_then(|it| match it {
            Format::Csv => Some(TableFormat::Csv),
            Format::Ndjson => Some(TableFormat::Ndjson),
            Format::Table | Format::Json => None,
        });
        self.output_format = self.output_format.or(table);
        self
    }
}

/// `hark export`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  hark export --output readings.parquet
  hark export --since 2025-08-01 --device sensor_001 --output - --output-format csv")]
pub(crate) struct ExportArgs {
    /// Where to write; - is stdout
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) output: Place,
    /// What to write, where the name does not say it; stdout is NDJSON
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) output_format: Option<TableFormat>,
    /// From this instant on
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) since: Option<Timestamp>,
    /// Before this instant
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) until: Option<Timestamp>,
    /// Of this device only
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
}
