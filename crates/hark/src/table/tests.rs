//! Tables of each kind hold the same readings.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use domain::{Reading, RejectionCode, Signals};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const CSV: &str = "\
device_id,timestamp,temp,vibration,building,is_anomaly
a,2025-08-06T10:00:00Z,20.5,1.25,Main,0
b,2025-08-06 10:00:10,,2,,1
";

fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Place) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (dir, Place::File(path))
}

fn read(name: &str, bytes: &[u8]) -> Vec<Result<Reading, RowRejection>> {
    let (_dir, place) = file(name, bytes);
    let table = open(&place, None).unwrap();
    let mapping = Mapping::find(table.columns(), "device_id", "timestamp", &Signals::default(), &[]).unwrap();
    readings(table, mapping).collect::<anyhow::Result<_>>().unwrap()
}

fn taken(name: &str, bytes: &[u8]) -> Vec<Reading> {
    read(name, bytes).into_iter().collect::<Result<_, _>>().unwrap()
}

#[test]
fn csv_gzip_and_ndjson_give_the_same_readings() {
    let from_csv = taken("t.csv", CSV.as_bytes());
    assert_eq!(from_csv.len(), 2);
    assert_eq!(from_csv[0].values.get(0), Some(20.5));
    assert_eq!(from_csv[1].values.get(0), None);
    assert_eq!(from_csv[1].timestamp.to_string(), "2025-08-06T10:00:10Z");
    assert!(from_csv[1].truth.as_ref().unwrap().is_anomaly);
    assert_eq!(from_csv[0].location.as_ref().unwrap().building.as_deref(), Some("Main"));

    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(CSV.as_bytes()).unwrap();
    assert_eq!(taken("t.csv.gz", &gzip.finish().unwrap()), from_csv);

    let ndjson = r#"{"device_id":"a","timestamp":"2025-08-06T10:00:00Z","location":{"building":"Main"},"sensor_data":{"temperature":20.5,"vibration":1.25},"is_anomaly":false}

{"device_id":"b","timestamp":"2025-08-06T12:00:10+02:00","vibration":2,"is_anomaly":true}"#;
    let both = taken("t.ndjson", ndjson.as_bytes());
    assert_eq!(both[0], from_csv[0]);
    assert_eq!(both[1].timestamp, from_csv[1].timestamp);
}

#[test]
fn parquet_times_numbers_and_text_are_read() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("pump", Arc::new(StringArray::from(vec!["a", "b"]))),
        (
            "at",
            Arc::new(TimestampMillisecondArray::from(vec![
                1_754_474_400_000,
                1_754_474_410_000,
            ])),
        ),
        (
            "temperature",
            Arc::new(Float64Array::from(vec![Some(20.5), Some(f64::NAN)])),
        ),
        (
            "vibration",
            Arc::new(arrow::array::Int32Array::from(vec![None, Some(2)])),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();

    let (_dir, place) = file("t.parquet", &bytes);
    let table = open(&place, None).unwrap();
    let numeric: Vec<bool> = table.columns().iter().map(|it| it.numeric).collect();
    assert_eq!(numeric, [false, false, true, true]);
    let mapping = Mapping::find(table.columns(), "pump", "at", &Signals::default(), &[]).unwrap();
    let rows: Vec<Reading> = readings(table, mapping).map(|it| it.unwrap().unwrap()).collect();
    assert_eq!(rows[0].timestamp.to_string(), "2025-08-06T10:00:00Z");
    assert_eq!((rows[0].values.get(0), rows[0].values.get(1)), (Some(20.5), None));
    assert_eq!((rows[1].values.get(0), rows[1].values.get(1)), (None, Some(2.0)));
}

#[track_caller]
fn check_refused(row: &str, expected: RejectionCode, words: &str) {
    let csv = format!("device_id,timestamp,temperature\na,2025-08-06T10:00:00Z,1\n{row}\nb,2025-08-06T10:00:00Z,2\n");
    let read = read("t.csv", csv.as_bytes());
    assert!(read[0].is_ok() && read[2].is_ok(), "the rows around it are taken");
    let refused = read[1].as_ref().unwrap_err();
    assert_eq!((refused.row, refused.rejection.code), (2, expected));
    assert!(refused.to_string().contains(words), "{refused}");
}

#[test]
fn a_row_that_cannot_be_taken_says_why_and_the_rest_follows() {
    check_refused(
        "a,2025-08-06T10:00:00Z,warm",
        RejectionCode::WrongType,
        "row 2: temperature is `warm`",
    );
    check_refused(
        "a,2025-08-06T10:00:00Z,inf",
        RejectionCode::NonFinite,
        "temperature is inf",
    );
    check_refused("a,yesterday,1", RejectionCode::BadTimestamp, "`yesterday` is no time");
    check_refused(
        ",2025-08-06T10:00:00Z,1",
        RejectionCode::MissingField,
        "device_id is empty",
    );
    check_refused(
        "a,2025-08-06T10:00:00Z,nan",
        RejectionCode::NoSignal,
        "no signal has a value",
    );
}

#[test]
fn a_row_of_another_length_is_a_broken_file_that_names_the_row() {
    let (_dir, place) = file("t.csv", b"device_id,timestamp,temperature\na,2025-08-06T10:00:00Z\n");
    let table = open(&place, None).unwrap();
    let error = table.into_rows().next().unwrap().unwrap_err();
    assert!(error.to_string().contains("row 1 is broken"), "{error:#}");
}

#[test]
fn only_columns_of_numbers_are_numeric() {
    let (_dir, place) = file("t.csv", b"a,b,c,d\n1,x,,2025-01-01\n2.5e3,1,,2025-01-02\n,2,,\n");
    let table = open(&place, None).unwrap();
    let numeric: Vec<bool> = table.columns().iter().map(|it| it.numeric).collect();
    assert_eq!(numeric, [true, false, false, false]);
}

#[test]
fn a_missing_column_is_named_with_the_likely_one() {
    let (_dir, place) = file("t.csv", CSV.as_bytes());
    let table = open(&place, None).unwrap();
    let find = |device, maps: &[(String, String)]| {
        Mapping::find(table.columns(), device, "timestamp", &Signals::default(), maps)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(find("device", &[]), "the table has no column `device`");
    let map = |signal: &str| [(signal.to_owned(), "temp".to_owned())];
    assert_eq!(find("device_id", &map("pressure")), "there is no signal `pressure`");
}
