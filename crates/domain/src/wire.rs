//! The message codec: the bytes of one reading on the bus and in the API.
//!
//! Two forms are read. The native form nests the values and may carry the sender's truth:
//!
//! ```json
//! {"device_id":"sensor_001","timestamp":"2025-08-06T10:00:00Z",
//!  "location":{"building":"Building A","floor":"Floor 3","room":"Room 12"},"device_type":"temp_vibration_sensor",
//!  "sensor_data":{"temperature":25.5,"vibration":1.2,"anomaly_type":"vibration_spike"},"is_anomaly":true}
//! ```
//!
//! The flat form has the values beside the rest: `{"device_id":…,"timestamp":…,"temperature":25.5,"vibration":1.2}`.
//! A field that is neither known nor a declared signal is left out and named in [`Decoded::ignored`].

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::rejection::{Rejection, RejectionCode as Code};
use crate::{DeviceId, Location, Measurement, Reading, Signals, Timestamp, Truth, Values};

/// A message as read.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The reading.
    pub reading: Reading,
    /// Fields that no declared signal answers to, in the order of the message.
    pub ignored: Vec<String>,
}

/// Reads one message. `default_time` stands in for a missing timestamp; without it a timestamp is required.
///
/// # Errors
/// A [`Rejection`] that names the first field that cannot be taken.
pub fn decode(bytes: &[u8], signals: &Signals, default_time: Option<Timestamp>) -> Result<Decoded, Rejection> {
    let fields: Fields<'_> = serde_json::from_slice(bytes).map_err(malformed)?;
    let mut draft = Draft::new(signals);
    for (name, raw) in fields.0 {
        draft.field(&name, raw)?;
    }
    draft.finish(default_time)
}

/// Writes a reading in the native form.
#[must_use]
pub fn encode(reading: &Reading, signals: &Signals) -> Vec<u8> {
    use serde_json::{Map, Value};
    let mut sensor_data = Map::new();
    for (signal, value) in signals.iter().zip(reading.values.iter()) {
        if let Some(value) = value {
            sensor_data.insert(signal.name.clone(), Value::from(value));
        }
    }
    let mut message = Map::new();
    message.insert("device_id".to_owned(), reading.device_id.as_str().into());
    message.insert("timestamp".to_owned(), reading.timestamp.to_string().into());
    if let Some(location) = &reading.location {
        let mut parts = Map::new();
        for (name, part) in [
            ("building", &location.building),
            ("floor", &location.floor),
            ("room", &location.room),
        ] {
            if let Some(part) = part {
                parts.insert(name.to_owned(), part.as_str().into());
            }
        }
        message.insert("location".to_owned(), parts.into());
    }
    if let Some(device_type) = &reading.device_type {
        message.insert("device_type".to_owned(), (**device_type).into());
    }
    if let Some(truth) = &reading.truth {
        if let Some(kind) = &truth.anomaly_type {
            sensor_data.insert("anomaly_type".to_owned(), kind.as_str().into());
        }
        message.insert("is_anomaly".to_owned(), truth.is_anomaly.into());
    }
    message.insert("sensor_data".to_owned(), sensor_data.into());
    serde_json::to_vec(&message).expect("a map with text keys is always JSON")
}

fn malformed(cause: serde_json::Error) -> Rejection {
    let text = cause.to_string();
    if let Some(name) = text.strip_prefix(DUPLICATE) {
        let name = name.split('`').nth(1).unwrap_or_default();
        return Rejection::field(Code::DuplicateField, name, format!("field `{name}` stands twice"));
    }
    Rejection::whole(Code::MalformedJson, format!("not a JSON object: {text}"))
}

const DUPLICATE: &str = "duplicate field ";

/// The fields of an object in order, values unread. Skipping a value takes no stack, however deep it nests.
struct Fields<'a>(Vec<(std::borrow::Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields: Vec<(std::borrow::Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(8);
                while let Some(Key(name)) = map.next_key()? {
                    if fields.len() >= MAX_FIELDS {
                        return Err(A::Error::custom(format!("more than {MAX_FIELDS} fields")));
                    }
                    if fields.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom(format!("{DUPLICATE}`{}`", cut(&name))));
                    }
                    fields.push((name, map.next_value()?));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// More fields than the declared signals and the known names can need.
const MAX_FIELDS: usize = 256;

/// A key, borrowed where it holds no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

/// A message being read.
struct Draft<'a> {
    signals: &'a Signals,
    device_id: Option<DeviceId>,
    timestamp: Option<Timestamp>,
    location: Option<Arc<Location>>,
    device_type: Option<Arc<str>>,
    is_anomaly: Option<bool>,
    anomaly_type: Option<String>,
    values: Vec<Option<Measurement>>,
    ignored: Vec<String>,
}

impl<'a> Draft<'a> {
    fn new(signals: &'a Signals) -> Self {
        Self {
            signals,
            device_id: None,
            timestamp: None,
            location: None,
            device_type: None,
            is_anomaly: None,
            anomaly_type: None,
            values: vec![None; signals.len()],
            ignored: Vec::new(),
        }
    }

    fn field(&mut self, name: &str, raw: &RawValue) -> Result<(), Rejection> {
        match name {
            "device_id" => self.device_id = Some(DeviceId::new(&text(raw, name)?)?),
            "timestamp" => {
                let at = Timestamp::parse(&text(raw, name)?);
                self.timestamp = Some(at.map_err(|it| Rejection::field(Code::BadTimestamp, name, it.to_string()))?);
            }
            "location" => self.location = Some(Arc::new(location(raw)?)),
            "device_type" => self.device_type = optional(raw, name)?.map(Arc::from),
            "is_anomaly" => self.is_anomaly = Some(read(raw, name, "true or false")?),
            "anomaly_type" => self.anomaly_type = optional(raw, name)?,
            "sensor_data" => {
                let Fields(fields) = serde_json::from_str(raw.get()).map_err(|cause| match malformed(cause) {
                    it if it.code == Code::DuplicateField => it,
                    _ => Rejection::field(
                        Code::WrongType,
                        name,
                        format!("{name} must be an object, got {}", kind(raw)),
                    ),
                })?;
                for (inner, raw) in fields {
                    match inner.as_ref() {
                        "anomaly_type" => self.anomaly_type = optional(raw, "sensor_data.anomaly_type")?,
                        signal => self.signal(signal, raw, || format!("sensor_data.{signal}"))?,
                    }
                }
            }
            signal => self.signal(signal, raw, || signal.to_owned())?,
        }
        Ok(())
    }

    fn signal(&mut self, name: &str, raw: &RawValue, path: impl Fn() -> String) -> Result<(), Rejection> {
        let Some(at) = self.signals.position(name) else {
            if self.ignored.len() < 16 {
                self.ignored.push(cut(name));
            }
            return Ok(());
        };
        if self.values[at].is_some() {
            return Err(Rejection::field(
                Code::DuplicateField,
                path(),
                format!("signal `{name}` stands twice"),
            ));
        }
        let value = number(raw, &path)?;
        self.values[at] = Some(Measurement::new(value, name).map_err(|it| Rejection {
            field: Some(path()),
            ..it
        })?);
        Ok(())
    }

    fn finish(self, default_time: Option<Timestamp>) -> Result<Decoded, Rejection> {
        let missing = |name: &str| Rejection::field(Code::MissingField, name, format!("{name} is missing"));
        let device_id = self.device_id.ok_or_else(|| missing("device_id"))?;
        let timestamp = self.timestamp.or(default_time).ok_or_else(|| missing("timestamp"))?;
        let values = Values::new(self.values);
        if values.is_empty() {
            let names: Vec<&str> = self.signals.iter().map(|it| it.name.as_str()).collect();
            let detail = format!("no value of any declared signal ({})", names.join(", "));
            return Err(Rejection::whole(Code::NoSignal, detail));
        }
        let truth = self.is_anomaly.map(|is_anomaly| Truth {
            is_anomaly,
            anomaly_type: self.anomaly_type,
        });
        let (location, device_type) = (self.location, self.device_type);
        let reading = Reading {
            device_id,
            timestamp,
            values,
            location,
            device_type,
            truth,
        };
        Ok(Decoded {
            reading,
            ignored: self.ignored,
        })
    }
}

fn location(raw: &RawValue) -> Result<Location, Rejection> {
    let Fields(fields) = serde_json::from_str(raw.get()).map_err(|_| {
        Rejection::field(
            Code::WrongType,
            "location",
            format!("location must be an object, got {}", kind(raw)),
        )
    })?;
    let mut location = Location::default();
    for (name, raw) in fields {
        match name.as_ref() {
            "building" => location.building = optional(raw, "location.building")?,
            "floor" => location.floor = optional(raw, "location.floor")?,
            "room" => location.room = optional(raw, "location.room")?,
            _ => {}
        }
    }
    Ok(location)
}

fn number(raw: &RawValue, path: &impl Fn() -> String) -> Result<f64, Rejection> {
    let text = raw.get();
    if !text.starts_with(|it: char| it == '-' || it.is_ascii_digit()) {
        let hint = if text == "null" {
            "; leave it out when there is no value"
        } else {
            ""
        };
        let detail = format!("{} must be a number, got {}{hint}", path(), kind(raw));
        return Err(Rejection::field(Code::WrongType, path(), detail));
    }
    // The parser has made sure that it is a JSON number, which is a subset of what `f64` reads, exactly rounded.
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => {
            let detail = format!("{} is {}, too large for a number", path(), cut(text));
            Err(Rejection::field(Code::OutOfRange, path(), detail))
        }
    }
}

/// A text, a number as its digits, or nothing for null: floors come as `"Floor 3"` and as `3`.
fn optional(raw: &RawValue, path: &str) -> Result<Option<String>, Rejection> {
    match raw.get().as_bytes() {
        b"null" => Ok(None),
        [b'"', ..] => text(raw, path).map(Some),
        [b'-' | b'0'..=b'9', ..] if raw.get().len() <= MAX_TEXT_BYTES => Ok(Some(raw.get().to_owned())),
        _ => Err(Rejection::field(
            Code::WrongType,
            path,
            format!("{path} must be text, got {}", kind(raw)),
        )),
    }
}

/// The longest text taken for a place or kind, in bytes.
const MAX_TEXT_BYTES: usize = 256;

fn text(raw: &RawValue, path: &str) -> Result<String, Rejection> {
    let text: String = read(raw, path, "text")?;
    if text.len() > MAX_TEXT_BYTES {
        let code = if path == "device_id" {
            Code::BadDeviceId
        } else {
            Code::TooLarge
        };
        let detail = format!("{path} has {} bytes, at most {MAX_TEXT_BYTES} are taken", text.len());
        return Err(Rejection::field(code, path, detail));
    }
    Ok(text)
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue, path: &str, wanted: &str) -> Result<T, Rejection> {
    serde_json::from_str(raw.get()).map_err(|_| {
        Rejection::field(
            Code::WrongType,
            path,
            format!("{path} must be {wanted}, got {}", kind(raw)),
        )
    })
}

/// What a JSON value is, shortened, for an error message.
fn kind(raw: &RawValue) -> String {
    match raw.get().as_bytes().first() {
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "a list".to_owned(),
        Some(b'"') => format!("the text {}", cut(raw.get())),
        _ => cut(raw.get()),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        let golden = include_str!("../golden/message-1.json").trim();
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
}
