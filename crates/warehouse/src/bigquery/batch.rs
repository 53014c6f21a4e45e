//! Rows as Arrow batches, which is how BigQuery's storage takes and gives them.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::columns::{Cell, Column, Kind};
use super::rows::damaged;
use crate::{WarehouseError, WarehouseErrorKind};

/// Rows as the storage takes them: the message that tells the schema, and the one that holds the rows.
pub(super) struct Written {
    pub(super) schema: Vec<u8>,
    pub(super) rows: Vec<u8>,
}

/// Writes rows of these columns.
pub(super) fn write(columns: &[Column], rows: &[Vec<Cell>]) -> Result<Written, WarehouseError> {
    written(columns, rows).map_err(|cause| {
        WarehouseError::new(WarehouseErrorKind::Fatal, "failed to put rows into an Arrow batch").caused_by(cause)
    })
}

fn written(columns: &[Column], rows: &[Vec<Cell>]) -> Result<Written, ArrowError> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|it| Field::new(&it.name, data_type(it.kind), !it.required))
        .collect();
    let arrays = (0..columns.len())
        .map(|nth| array(columns[nth].kind, rows, nth))
        .collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    let cut = writer.get_ref().len();
    writer.write(&batch)?;
    let mut schema = std::mem::take(writer.get_mut());
    let rows = schema.split_off(cut);
    Ok(Written { schema, rows })
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        Kind::Number => DataType::Float64,
        Kind::Whole => DataType::Int64,
        Kind::Flag => DataType::Boolean,
        Kind::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Bytes => DataType::Binary,
    }
}

fn array(kind: Kind, rows: &[Vec<Cell>], nth: usize) -> ArrayRef {
    let cells = rows.iter().map(|row| &row[nth]);
    let whole = |cell: &Cell| match cell {
        Cell::Whole(whole) => Some(*whole),
        _ => None,
    };
    match kind {
        Kind::Text => Arc::new(StringArray::from_iter(cells.map(|it| match it {
            Cell::Text(text) => Some(text.as_str()),
            _ => None,
        }))),
        Kind::Number => Arc::new(Float64Array::from_iter(cells.map(|it| match it {
            Cell::Number(number) => Some(*number),
            _ => None,
        }))),
        Kind::Flag => Arc::new(BooleanArray::from_iter(cells.map(|it| match it {
            Cell::Flag(flag) => Some(*flag),
            _ => None,
        }))),
        Kind::Bytes => Arc::new(BinaryArray::from_iter(cells.map(|it| match it {
            Cell::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        }))),
        Kind::Whole => Arc::new(Int64Array::from_iter(cells.map(whole))),
        Kind::Instant => Arc::new(TimestampMicrosecondArray::from_iter(cells.map(whole)).with_timezone("UTC")),
    }
}

/// The end of a stream of messages, which may follow the schema though the rows are still to come.
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// Reads a batch that the storage gave, as rows of these columns. A column that it lacks is empty.
pub(super) fn read(schema: &[u8], rows: &[u8], columns: &[Column]) -> Result<Vec<Vec<Cell>>, WarehouseError> {
    let broken = |cause: ArrowError| damaged("its Arrow form is broken").caused_by(cause);
    let whole = [schema.strip_suffix(&END).unwrap_or(schema), rows].concat();
    let mut read = Vec::new();
    for batch in StreamReader::try_new(Cursor::new(whole), None).map_err(broken)? {
        let batch = batch.map_err(broken)?;
        let first = read.len();
        read.resize_with(first + batch.num_rows(), || Vec::with_capacity(columns.len()));
        for column in columns {
            match batch.column_by_name(&column.name) {
                Some(array) => add(array, column, &mut read[first..])?,
                None => read[first..].iter_mut().for_each(|it| it.push(Cell::Null)),
            }
        }
    }
    Ok(read)
}

/// Adds the cells of one column to the rows.
fn add(array: &ArrayRef, column: &Column, rows: &mut [Vec<Cell>]) -> Result<(), WarehouseError> {
    let cell = cells(array, column.kind)
        .ok_or_else(|| damaged(format!("column `{}` comes as {}", column.name, array.data_type())))?;
    for (nth, row) in rows.iter_mut().enumerate() {
        row.push(if array.is_null(nth) { Cell::Null } else { cell(nth) });
    }
    Ok(())
}

/// Reads a cell of an array by its place; none when the array holds something else.
fn cells<'a>(array: &'a ArrayRef, kind: Kind) -> Option<Box<dyn Fn(usize) -> Cell + 'a>> {
    Some(match kind {
        Kind::Text => {
            let array = array.as_string_opt::<i32>()?;
            Box::new(|nth| Cell::Text(array.value(nth).to_owned()))
        }
        Kind::Number => {
            let array = array.as_primitive_opt::<Float64Type>()?;
            Box::new(|nth| Cell::Number(array.value(nth)))
        }
        Kind::Whole => {
            let array = array.as_primitive_opt::<Int64Type>()?;
            Box::new(|nth| Cell::Whole(array.value(nth)))
        }
        Kind::Instant => {
            let array = array.as_primitive_opt::<TimestampMicrosecondType>()?;
            Box::new(|nth| Cell::Whole(array.value(nth)))
        }
        Kind::Flag => {
            let array = array.as_boolean_opt()?;
            Box::new(|nth| Cell::Flag(array.value(nth)))
        }
        Kind::Bytes => {
            let array = array.as_binary_opt::<i32>()?;
            Box::new(|nth| Cell::Bytes(array.value(nth).to_vec()))
        }
    })
}
