//! Parquet tables, read a block at a time.

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::TimestampMicrosecondArray;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMicrosecondType};
use bytes::Bytes;
use domain::Timestamp;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::cell::{Cell, Fields, Row};
use super::{Column, Late, Place, Table};

/// Rows of a block.
const BLOCK_ROWS: usize = 8_192;

/// Opens the file; what comes by stdin is taken into memory first, since the format ends with its index.
pub(super) fn open(place: &Place) -> anyhow::Result<Table> {
    match place {
        Place::File(_) => table(
            ParquetRecordBatchReaderBuilder::try_new(place.file()?)?
                .with_batch_size(BLOCK_ROWS)
                .build()?,
        ),
        Place::Standard => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes)?;
            let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))?;
            table(builder.with_batch_size(BLOCK_ROWS).build()?)
        }
    }
}

fn table(reader: ParquetRecordBatchReader) -> anyhow::Result<Table> {
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    let columns = schema.fields().iter().map(|field| Column {
        name: field.name().clone(),
        numeric: field.data_type().is_numeric(),
    });
    let columns = columns.collect();
    let blocks = reader.map(|batch| Ok(Arc::new(Block::new(&batch?)?)));
    let rows = blocks.flat_map(
        |block: anyhow::Result<Arc<Block>>| -> Vec<anyhow::Result<(Arc<Block>, usize)>> {
            match block {
                Ok(block) => (0..block.len).map(|row| Ok((Arc::clone(&block), row))).collect(),
                Err(error) => vec![Err(error.context("the file is damaged"))],
            }
        },
    );
    let rows = rows.zip(1..).map(|(row, number)| {
        let (block, at) = row?;
        let fields = Fields::Block(block, at);
        Ok(Row { number, fields })
    });
    Ok(Table {
        columns,
        rows: Box::new(rows),
        late: Late::default(),
    })
}

/// Some rows, column by column.
#[derive(Debug)]
pub(super) struct Block {
    columns: Vec<Values>,
    len: usize,
}

#[derive(Debug)]
enum Values {
    Numbers(Float64Array),
    Times(TimestampMicrosecondArray),
    Truths(BooleanArray),
    Texts(StringArray),
}

impl Block {
    fn new(batch: &RecordBatch) -> anyhow::Result<Self> {
        let schema = batch.schema();
        let named = batch.columns().iter().zip(schema.fields());
        let columns = named
            .map(|(column, field)| values(column).with_context(|| format!("column `{}` cannot be read", field.name())));
        Ok(Self {
            columns: columns.collect::<anyhow::Result<_>>()?,
            len: batch.num_rows(),
        })
    }

    pub(super) fn cell(&self, column: usize, row: usize) -> Cell<'_> {
        match self.columns.get(column) {
            Some(Values::Numbers(it)) if it.is_valid(row) && !it.value(row).is_nan() => Cell::Number(it.value(row)),
            Some(Values::Times(it)) if it.is_valid(row) => Cell::Time(Timestamp::from_micros(it.value(row))),
            Some(Values::Truths(it)) if it.is_valid(row) => Cell::Truth(it.value(row)),
            Some(Values::Texts(it)) if it.is_valid(row) && !it.value(row).is_empty() => {
                Cell::Text(Cow::Borrowed(it.value(row)))
            }
            _ => Cell::Empty,
        }
    }
}

fn values(column: &ArrayRef) -> anyhow::Result<Values> {
    let kind = column.data_type();
    Ok(match kind {
        DataType::Boolean => Values::Truths(column.as_boolean().clone()),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
            Values::Times(
                cast(column, &micros)?
                    .as_primitive::<TimestampMicrosecondType>()
                    .clone(),
            )
        }
        _ if kind.is_numeric() => {
            Values::Numbers(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
        }
        _ => Values::Texts(cast(column, &DataType::Utf8)?.as_string::<i32>().clone()),
    })
}
