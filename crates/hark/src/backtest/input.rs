//! The rows of a backtest: which device, which time, which of them train, which of them are labelled.

use std::collections::{HashMap, VecDeque};

use anyhow::Context;
use domain::{DeviceId, Reading, Rejection, Signal, Signals, Timestamp, Truth};

use crate::cli::BacktestArgs;
use crate::config::Config;
use crate::exit::{Exit, Fault};
use crate::table::{self, Column, Mapping, Place, Row};

/// Without another word, so much of each device's rows trains.
const TRAIN_FRACTION: f64 = 0.3;

/// A table as read.
pub(super) struct Input {
    pub(super) device_column: String,
    pub(super) time_column: String,
    pub(super) signals: Signals,
    pub(super) entries: Vec<Entry>,
}

/// One row.
pub(super) struct Entry {
    /// The device and the time as they stand in the table.
    pub(super) device: String,
    pub(super) time: String,
    pub(super) reading: Result<Reading, Rejection>,
    pub(super) train: bool,
}

impl Input {
    /// Reads a table whole.
    pub(super) fn read(config: &Config, args: &BacktestArgs) -> anyhow::Result<Self> {
        let table = table::open(&args.input, args.input_format)?;
        let columns = Columns::find(table.columns(), args)?;
        let (signals, maps) = declare(config, table.columns(), args)?;
        let mapping = Mapping::find(
            table.columns(),
            &args.columns.device_column,
            &args.columns.time_column,
            &signals,
            &maps,
        )?;
        let mut entries = Vec::new();
        for row in table.into_rows() {
            let row = row.with_context(|| format!("failed to read `{}`", args.input))?;
            entries.push(columns.entry(&row, &mapping, args)?);
        }
        if columns.split.is_none() {
            split(&mut entries, args);
        }
        if let Some(truth) = &args.truth {
            label(&mut entries, truth, args)?;
        }
        let (device_column, time_column) = (args.columns.device_column.clone(), args.columns.time_column.clone());
        Ok(Self {
            device_column,
            time_column,
            signals,
            entries,
        })
    }

    /// How many rows could not be taken.
    pub(super) fn refused(&self) -> usize {
        self.entries.iter().filter(|it| it.reading.is_err()).count()
    }
}

/// The columns that are not signals.
struct Columns {
    device: usize,
    time: usize,
    split: Option<usize>,
    label: Option<usize>,
}

impl Columns {
    fn find(columns: &[Column], args: &BacktestArgs) -> anyhow::Result<Self> {
        let optional = |name: &Option<String>| name.as_ref().map(|it| table::named(columns, it)).transpose();
        Ok(Self {
            device: table::named(columns, &args.columns.device_column)?,
            time: table::named(columns, &args.columns.time_column)?,
            split: optional(&args.split_column)?,
            label: optional(&args.label_column)?,
        })
    }

    fn entry(&self, row: &Row, mapping: &Mapping, args: &BacktestArgs) -> anyhow::Result<Entry> {
        let mut reading = mapping.reading(row);
        if let (Some(label), Ok(reading)) = (self.label, &mut reading) {
            let name = args.label_column.as_deref().unwrap_or("label");
            let label = row.truth(label, name).with_context(|| format!("row {}", row.number))?;
            reading.truth = label.map(|is_anomaly| Truth {
                is_anomaly,
                anomaly_type: None,
            });
        }
        Ok(Entry {
            device: row.text(self.device).unwrap_or_default().into_owned(),
            time: row.text(self.time).unwrap_or_default().into_owned(),
            reading,
            train: self.split.is_some_and(|it| row.text(it).as_deref() == Some("train")),
        })
    }
}

/// The signals to judge, and the column of each. A column whose name could be no signal's is given one that can.
fn declare(
    config: &Config,
    columns: &[Column],
    args: &BacktestArgs,
) -> anyhow::Result<(Signals, Vec<(String, String)>)> {
    let chosen: Vec<&str> = if args.signals.is_empty() {
        let others = [
            Some(&args.columns.device_column),
            Some(&args.columns.time_column),
            args.split_column.as_ref(),
            args.label_column.as_ref(),
        ];
        let is_other = |name: &String| others.iter().flatten().any(|it| *it == name);
        columns
            .iter()
            .filter(|it| it.numeric && !is_other(&it.name) && !is_told_by_hark(&it.name, columns))
            .map(|it| it.name.as_str())
            .collect()
    } else {
        args.signals.iter().map(String::as_str).collect()
    };
    let declared = |column: &str| {
        let known = config.signals.iter().find(|it| it.name == column).cloned();
        known.unwrap_or_else(|| Signal::new(&fitting(column), "1"))
    };
    let signals: Vec<Signal> = chosen.iter().map(|it| declared(it)).collect();
    let maps = signals
        .iter()
        .zip(&chosen)
        .map(|(signal, column)| (signal.name.clone(), (*column).to_owned()))
        .collect();
    let signals = Signals::new(signals).map_err(|cause| {
        Fault::new(
            format!("the columns to judge cannot be used: {cause}"),
            "choose them with --signals",
        )
        .exit(Exit::Usage)
    })?;
    Ok((signals, maps))
}

/// What `hark export` writes once a reading.
const BESIDE: [&str; 10] = [
    "building",
    "floor",
    "room",
    "device_type",
    "is_anomaly",
    "late",
    "clock_suspect",
    "model_version",
    "score",
    "flag",
];

/// Whether a column is one that `hark export` writes beside the signals: a verdict, a place or the sender's truth. A table of
/// somebody else's lacks some of the columns that all of Hark's have.
fn is_told_by_hark(name: &str, columns: &[Column]) -> bool {
    let has = |name: &str| columns.iter().any(|it| it.name == name);
    if !["timestamp", "building", "floor", "room", "device_type", "is_anomaly"]
        .into_iter()
        .all(has)
    {
        return false;
    }
    let of_signal = ["_score", "_flag", "_expected_low", "_expected_high"];
    BESIDE.contains(&name) || of_signal.iter().any(|it| name.strip_suffix(it).is_some_and(has))
}

fn fitting(column: &str) -> String {
    let fit = |it: char| if it.is_ascii_alphanumeric() { it } else { '_' };
    let name: String = column.chars().map(fit).take(40).collect();
    if name.starts_with(|it: char| it.is_ascii_alphabetic()) {
        name
    } else {
        format!("signal_{name}")
    }
}

/// Marks the training rows where no column does.
fn split(entries: &mut [Entry], args: &BacktestArgs) {
    if let Some(until) = args.train_until {
        for entry in entries {
            entry.train = entry.reading.as_ref().is_ok_and(|it| it.timestamp < until);
        }
        return;
    }
    let mut counts: HashMap<String, u64> = HashMap::new();
    for entry in entries.iter() {
        *counts.entry(entry.device.clone()).or_default() += 1;
    }
    let fraction = args.train_fraction.unwrap_or(TRAIN_FRACTION);
    let train = |count: u64| args.train_rows.unwrap_or((count as f64 * fraction).floor() as u64);
    let mut left: HashMap<String, u64> = counts
        .into_iter()
        .map(|(device, count)| (device, train(count)))
        .collect();
    for entry in entries {
        let left = left.entry(entry.device.clone()).or_default();
        entry.train = *left > 0;
        *left = left.saturating_sub(1);
    }
}

/// Puts the labels of a table of their own to the rows: by device and time, the n-th to the n-th.
fn label(entries: &mut [Entry], truth: &Place, args: &BacktestArgs) -> anyhow::Result<()> {
    let table = table::open(truth, None)?;
    let device = table::named(table.columns(), &args.columns.device_column)?;
    let time = table::named(table.columns(), &args.columns.time_column)?;
    let label = table::named(table.columns(), "label")?;
    let mut labels: HashMap<(DeviceId, Timestamp), VecDeque<bool>> = HashMap::new();
    for row in table.into_rows() {
        let row = row.with_context(|| format!("failed to read `{truth}`"))?;
        let of = || format!("row {} of `{truth}`", row.number);
        let name = DeviceId::new(&row.text(device).unwrap_or_default()).with_context(of)?;
        let at = row
            .time(time, &args.columns.time_column)
            .with_context(of)?
            .unwrap_or(Timestamp::EPOCH);
        if let Some(label) = row.truth(label, "label").with_context(of)? {
            labels.entry((name, at)).or_default().push_back(label);
        }
    }
    for reading in entries.iter_mut().filter_map(|it| it.reading.as_mut().ok()) {
        let key = (reading.device_id.clone(), reading.timestamp);
        let label = labels.get_mut(&key).and_then(VecDeque::pop_front);
        reading.truth = label.map(|is_anomaly| Truth {
            is_anomaly,
            anomaly_type: None,
        });
    }
    Ok(())
}
