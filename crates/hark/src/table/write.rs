//! Readings and their verdicts as rows of a file. What is written here, [`super::readings`] reads back.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use domain::{Judged, Reading, Signals};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};

use super::{Cell, Place, TableFormat};
use crate::output::harmless;

/// Rows of Parquet that are written together.
const BLOCK_ROWS: usize = 65_536;

/// How much is written of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What the device sent.
    Reading,
    /// And what was judged of it.
    Verdict,
}

/// Writes readings to a file.
pub(crate) struct ReadingWriter {
    signals: Signals,
    depth: Depth,
    columns: Vec<(String, Kind)>,
    sink: Sink,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Truth,
    Time,
}

type Out = Box<dyn Write + Send>;

enum Sink {
    Csv(Box<csv::Writer<Out>>),
    Ndjson(Out),
    Parquet(Box<Blocks>),
}

impl ReadingWriter {
    /// Makes the file anew, with its header.
    pub(crate) fn create(place: &Place, format: TableFormat, depth: Depth, signals: &Signals) -> anyhow::Result<Self> {
        let columns = columns(depth, signals);
        let out = place.writer()?;
        let sink = match format {
            TableFormat::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                csv.write_record(columns.iter().map(|it| &it.0))?;
                Sink::Csv(Box::new(csv))
            }
            TableFormat::Ndjson => Sink::Ndjson(out),
            TableFormat::Parquet => Sink::Parquet(Box::new(Blocks::new(out, &columns)?)),
        };
        Ok(Self {
            signals: signals.clone(),
            depth,
            columns,
            sink,
        })
    }

    /// Writes what a device sent; columns of verdicts stay empty.
    pub(crate) fn reading(&mut self, reading: &Reading) -> anyhow::Result<()> {
        let mut cells = reading_cells(reading);
        cells.resize(self.columns.len(), Cell::Empty);
        self.row(&cells)
    }

    /// Writes a reading with what was judged of it, as deep as the file goes.
    pub(crate) fn judged(&mut self, judged: &Judged) -> anyhow::Result<()> {
        let mut cells = reading_cells(&judged.reading);
        if self.depth == Depth::Verdict {
            verdict_cells(judged, self.signals.len(), &mut cells);
        }
        self.row(&cells)
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> anyhow::Result<()> {
        match &mut self.sink {
            Sink::Csv(csv) => csv.write_record(cells.iter().map(|it| csv_text(it).into_owned()))?,
            Sink::Ndjson(out) => {
                let mut object = Map::new();
                for ((name, _), cell) in self.columns.iter().zip(cells) {
                    if let Some(value) = json(cell) {
                        object.insert(name.clone(), value);
                    }
                }
                serde_json::to_writer(&mut *out, &object).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
            Sink::Parquet(blocks) => blocks.row(cells)?,
        }
        Ok(())
    }

    /// Hands on what was written so far, for a reader that waits.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        match &mut self.sink {
            Sink::Csv(csv) => csv.flush()?,
            Sink::Ndjson(out) => out.flush()?,
            Sink::Parquet(_) => {}
        }
        Ok(())
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        self.flush()?;
        match self.sink {
            Sink::Parquet(blocks) => blocks.finish(),
            Sink::Csv(_) | Sink::Ndjson(_) => Ok(()),
        }
    }
}

fn columns(depth: Depth, signals: &Signals) -> Vec<(String, Kind)> {
    let mut columns: Vec<(String, Kind)> = Vec::new();
    let mut add = |name: &str, kind| columns.push((name.to_owned(), kind));
    add("device_id", Kind::Text);
    add("timestamp", Kind::Time);
    for name in ["building", "floor", "room", "device_type"] {
        add(name, Kind::Text);
    }
    for signal in signals.iter() {
        add(&signal.name, Kind::Number);
    }
    add("is_anomaly", Kind::Truth);
    add("anomaly_type", Kind::Text);
    if depth == Depth::Verdict {
        add("received_at", Kind::Time);
        add("late", Kind::Truth);
        add("clock_suspect", Kind::Truth);
        add("model_version", Kind::Text);
        add("score", Kind::Number);
        add("flag", Kind::Truth);
        for signal in signals.iter() {
            add(&format!("{}_score", signal.name), Kind::Number);
            add(&format!("{}_flag", signal.name), Kind::Truth);
            add(&format!("{}_expected_low", signal.name), Kind::Number);
            add(&format!("{}_expected_high", signal.name), Kind::Number);
        }
        add("reason", Kind::Text);
    }
    columns
}

fn text(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Empty, |it| Cell::Text(Cow::Borrowed(it)))
}

fn number(number: Option<f64>) -> Cell<'static> {
    number.map_or(Cell::Empty, Cell::Number)
}

fn truth(it: Option<bool>) -> Cell<'static> {
    it.map_or(Cell::Empty, Cell::Truth)
}

fn reading_cells(reading: &Reading) -> Vec<Cell<'_>> {
    let location = reading.location.as_deref();
    let mut cells = vec![
        text(Some(reading.device_id.as_str())),
        Cell::Time(reading.timestamp),
        text(location.and_then(|it| it.building.as_deref())),
        text(location.and_then(|it| it.floor.as_deref())),
        text(location.and_then(|it| it.room.as_deref())),
        text(reading.device_type.as_deref()),
    ];
    for value in reading.values.iter() {
        cells.push(number(value));
    }
    let known = reading.truth.as_ref();
    cells.push(truth(known.map(|it| it.is_anomaly)));
    cells.push(text(known.and_then(|it| it.anomaly_type.as_deref())));
    cells
}

fn verdict_cells<'a>(judged: &'a Judged, n_signals: usize, cells: &mut Vec<Cell<'a>>) {
    let verdict = judged.verdict.as_ref();
    cells.push(Cell::Time(judged.received_at));
    cells.push(Cell::Truth(judged.late));
    cells.push(Cell::Truth(judged.clock_suspect));
    cells.push(text(verdict.map(|it| &*it.model_version)));
    cells.push(number(verdict.map(|it| it.score)));
    cells.push(truth(verdict.map(|it| it.is_anomaly)));
    for at in 0..n_signals {
        let judgement = verdict.and_then(|it| it.signals.get(at).copied().flatten());
        let expected = judgement.and_then(|it| it.expected);
        cells.push(number(judgement.map(|it| it.score)));
        cells.push(truth(judgement.map(|it| it.is_anomaly)));
        cells.push(number(expected.map(|it| it.low)));
        cells.push(number(expected.map(|it| it.high)));
    }
    let reasons = verdict.map_or(&[][..], |it| &it.reasons);
    let told: Vec<&str> = reasons.iter().map(|it| it.text.as_str()).collect();
    cells.push(match told.is_empty() {
        true => Cell::Empty,
        false => Cell::Text(Cow::Owned(told.join("; "))),
    });
}

fn csv_text<'a>(cell: &'a Cell<'_>) -> Cow<'a, str> {
    match cell {
        Cell::Empty => "".into(),
        Cell::Text(text) => harmless(text),
        Cell::Number(number) => number.to_string().into(),
        Cell::Truth(it) => (if *it { "1" } else { "0" }).into(),
        Cell::Time(at) => at.to_string().into(),
    }
}

fn json(cell: &Cell<'_>) -> Option<Value> {
    Some(match cell {
        Cell::Empty => return None,
        Cell::Text(text) => Value::from(text.as_ref()),
        Cell::Number(number) => Value::from(*number),
        Cell::Truth(it) => Value::from(*it),
        Cell::Time(at) => Value::from(at.to_string()),
    })
}

/// Rows of Parquet, gathered column by column.
struct Blocks {
    schema: Arc<Schema>,
    builders: Vec<Builder>,
    rows: usize,
    writer: ArrowWriter<Out>,
}

enum Builder {
    Text(StringBuilder),
    Number(Float64Builder),
    Truth(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl Builder {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Number => Self::Number(Float64Builder::new()),
            Kind::Truth => Self::Truth(BooleanBuilder::new()),
            Kind::Time => Self::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        }
    }

    fn push(&mut self, cell: &Cell<'_>) {
        match (self, cell) {
            (Self::Text(it), Cell::Text(text)) => it.append_value(text),
            (Self::Number(it), Cell::Number(number)) => it.append_value(*number),
            (Self::Truth(it), Cell::Truth(truth)) => it.append_value(*truth),
            (Self::Time(it), Cell::Time(at)) => it.append_value(at.as_micros()),
            (Self::Text(it), _) => it.append_null(),
            (Self::Number(it), _) => it.append_null(),
            (Self::Truth(it), _) => it.append_null(),
            (Self::Time(it), _) => it.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(it) => ArrayBuilder::finish(it),
            Self::Number(it) => ArrayBuilder::finish(it),
            Self::Truth(it) => ArrayBuilder::finish(it),
            Self::Time(it) => ArrayBuilder::finish(it),
        }
    }
}

impl Blocks {
    fn new(out: Out, columns: &[(String, Kind)]) -> anyhow::Result<Self> {
        let field = |(name, kind): &(String, Kind)| {
            let kind = match kind {
                Kind::Text => DataType::Utf8,
                Kind::Number => DataType::Float64,
                Kind::Truth => DataType::Boolean,
                Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            };
            Field::new(name, kind, true)
        };
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        Ok(Self {
            writer: ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))?,
            builders: columns.iter().map(|it| Builder::of(it.1)).collect(),
            schema,
            rows: 0,
        })
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> anyhow::Result<()> {
        for (builder, cell) in self.builders.iter_mut().zip(cells) {
            builder.push(cell);
        }
        self.rows += 1;
        if self.rows == BLOCK_ROWS { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let columns = self.builders.iter_mut().map(Builder::finish).collect();
        self.writer
            .write(&RecordBatch::try_new(Arc::clone(&self.schema), columns)?)?;
        self.rows = 0;
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<()> {
        if self.rows > 0 {
            self.write()?;
        }
        self.writer.into_inner()?.flush()?;
        Ok(())
    }
}
