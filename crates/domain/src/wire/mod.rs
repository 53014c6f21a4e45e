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

mod draft;
mod fields;
mod value;

use draft::Draft;
use fields::{Fields, malformed};

use crate::rejection::Rejection;
use crate::{Reading, Signals, Timestamp};

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

#[cfg(test)]
mod tests;
