//! Messages read and written.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::rejection::RejectionCode as Code;
use crate::{DeviceId, Location, Measurement, Truth, Values};

fn read_one(text: &str) -> Result<Decoded, Rejection> {
    decode(text.as_bytes(), &Signals::default(), None)
}

#[track_caller]
fn refused(text: &str, code: Code, field: Option<&str>) -> String {
    let rejection = read_one(text).expect_err(text);
    assert_eq!(
        (rejection.code, rejection.field.as_deref()),
        (code, field),
        "{text}: {rejection}"
    );
    rejection.detail
}

#[test]
fn the_native_form_is_read() {
    let decoded = read_one(
        r#"{"device_id":"sensor_001","timestamp":"2025-08-06T10:00:00Z",
           "location":{"building":"Building A","floor":3,"room":null},"device_type":"temp_vibration_sensor",
           "sensor_data":{"temperature":25.5,"vibration":1.2,"anomaly_type":"vibration_spike"},"is_anomaly":true}"#,
    )
    .unwrap();
    let reading = decoded.reading;
    assert_eq!(reading.device_id.as_str(), "sensor_001");
    assert_eq!((reading.values.get(0), reading.values.get(1)), (Some(25.5), Some(1.2)));
    assert_eq!(reading.location.unwrap().floor.as_deref(), Some("3"));
    assert_eq!(reading.truth.unwrap().anomaly_type.as_deref(), Some("vibration_spike"));
    assert!(decoded.ignored.is_empty());
}

#[test]
fn the_flat_form_is_read_and_names_what_it_ignored() {
    let decoded =
        read_one(r#"{"device_id":"a","timestamp":"2025-08-06T10:00:00+02:00","temprature":1,"vibration":1.5e0}"#)
            .unwrap();
    assert_eq!(decoded.reading.timestamp.to_string(), "2025-08-06T08:00:00Z");
    assert_eq!(decoded.reading.values.get(0), None);
    assert_eq!(decoded.ignored, ["temprature"]);
}

#[test]
fn what_cannot_be_taken_names_its_field() {
    let with = |rest: &str| format!(r#"{{"device_id":"a","timestamp":"2025-08-06T10:00:00Z",{rest}}}"#);
    refused("", Code::MalformedJson, None);
    refused("[]", Code::MalformedJson, None);
    refused("{\"device_id\":\"a\"", Code::MalformedJson, None);
    refused(&with(r#""temperature":NaN"#), Code::MalformedJson, None);
    refused(&with(r#""temperature":Infinity"#), Code::MalformedJson, None);
    refused(&with(r#""temperature":1e999"#), Code::OutOfRange, Some("temperature"));
    refused(&with(r#""temperature":1e308"#), Code::OutOfRange, Some("temperature"));
    refused(
        &with(r#""temperature":9007199254740993"#),
        Code::OutOfRange,
        Some("temperature"),
    );
    refused(&with(r#""temperature":"25""#), Code::WrongType, Some("temperature"));
    refused(&with(r#""temperature":true"#), Code::WrongType, Some("temperature"));
    refused(&with(r#""temperature":[1]"#), Code::WrongType, Some("temperature"));
    refused(
        &with(r#""sensor_data":{"temperature":"x"}"#),
        Code::WrongType,
        Some("sensor_data.temperature"),
    );
    refused(&with(r#""sensor_data":5"#), Code::WrongType, Some("sensor_data"));
    refused(
        &with(r#""temperature":1,"sensor_data":{"temperature":1}"#),
        Code::DuplicateField,
        Some("sensor_data.temperature"),
    );
    refused(
        &with(r#""temperature":1,"temperature":2"#),
        Code::DuplicateField,
        Some("temperature"),
    );
}

#[test]
fn what_is_missing_or_no_name_or_no_time_names_its_field() {
    let with = |rest: &str| format!(r#"{{"device_id":"a","timestamp":"2025-08-06T10:00:00Z",{rest}}}"#);
    refused(&with(r#""humidity":1"#), Code::NoSignal, None);
    refused(
        r#"{"timestamp":"2025-08-06T10:00:00Z","temperature":1}"#,
        Code::MissingField,
        Some("device_id"),
    );
    refused(
        r#"{"device_id":"a","temperature":1}"#,
        Code::MissingField,
        Some("timestamp"),
    );
    refused(r#"{"device_id":7,"temperature":1}"#, Code::WrongType, Some("device_id"));
    refused(
        r#"{"device_id":"","temperature":1}"#,
        Code::BadDeviceId,
        Some("device_id"),
    );
    refused(
        r#"{"device_id":"a","timestamp":"2025-08-06T10:00:00","temperature":1}"#,
        Code::BadTimestamp,
        Some("timestamp"),
    );
    refused(
        r#"{"device_id":"a","timestamp":1754474400,"temperature":1}"#,
        Code::WrongType,
        Some("timestamp"),
    );
    refused(
        &with(&format!(
            r#""location":{{"building":"{}"}},"temperature":1"#,
            "x".repeat(300)
        )),
        Code::TooLarge,
        Some("location.building"),
    );
}

#[test]
fn a_missing_value_says_to_leave_it_out() {
    let detail = refused(
        r#"{"device_id":"a","timestamp":"2025-08-06T10:00:00Z","temperature":null}"#,
        Code::WrongType,
        Some("temperature"),
    );
    assert_eq!(
        detail,
        "temperature must be a number, got null; leave it out when there is no value"
    );
}

#[test]
fn deep_nesting_and_endless_objects_are_refused_without_harm() {
    let deep = format!(r#"{{"device_id":{}"#, "[".repeat(100_000));
    refused(&deep, Code::MalformedJson, None);
    let closed = format!(r#"{{"x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert!(read_one(&closed).is_err());
    let wide: String = (0..1_000).map(|it| format!(r#""k{it}":1,"#)).collect();
    refused(&format!(r#"{{{wide}"z":1}}"#), Code::MalformedJson, None);
    assert!(decode(b"{\"device_id\":\"\xff\"}", &Signals::default(), None).is_err());
}

#[test]
fn a_default_time_stands_in_for_a_missing_one() {
    let now = Timestamp::from_secs(1_754_474_400);
    let decoded = decode(br#"{"device_id":"a","temperature":1}"#, &Signals::default(), Some(now)).unwrap();
    assert_eq!(decoded.reading.timestamp, now);
}

#[test]
fn the_native_form_stays_as_it_was_released() {
    let golden = include_str!("../../golden/message-1.json").trim();
    let decoded = read_one(golden).unwrap();
    assert_eq!(
        String::from_utf8(encode(&decoded.reading, &Signals::default())).unwrap(),
        golden
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        name in "[a-zA-Z0-9 ./<>'\"\\\\é🔧_-]{1,40}", at in -60_000_000_000_000_000_i64..250_000_000_000_000_000,
        temperature in proptest::option::of(-1e15..1e15_f64), vibration in -1e3..1e3_f64, truth in any::<Option<bool>>(),
    ) {
        prop_assume!(DeviceId::new(&name).is_ok());
        let reading = Reading {
            device_id: DeviceId::new(&name).unwrap(),
            timestamp: Timestamp::from_micros(at),
            values: Values::new(vec![temperature.map(|it| Measurement::new(it, "t").unwrap()), Some(Measurement::new(vibration, "v").unwrap())]),
            location: Some(Arc::new(Location { building: Some("A".to_owned()), ..Location::default() })),
            device_type: Some("pump".into()),
            truth: truth.map(|is_anomaly| Truth { is_anomaly, anomaly_type: is_anomaly.then(|| "drift".to_owned()) }),
        };
        let decoded = decode(&encode(&reading, &Signals::default()), &Signals::default(), None).unwrap();
        prop_assert_eq!(decoded.reading, reading);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _outcome = decode(&bytes, &Signals::default(), None);
    }
}
