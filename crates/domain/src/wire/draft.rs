//! A message on its way to a reading: field by field, and what is missing at the end.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::Decoded;
use super::fields::{Fields, malformed};
use super::value::{cut, kind, number, optional, read, text};
use crate::rejection::{Rejection, RejectionCode as Code};
use crate::{DeviceId, Location, Measurement, Reading, Signals, Timestamp, Truth, Values};

/// A message being read.
pub(super) struct Draft<'a> {
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
    pub(super) fn new(signals: &'a Signals) -> Self {
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

    pub(super) fn field(&mut self, name: &str, raw: &RawValue) -> Result<(), Rejection> {
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

    pub(super) fn finish(self, default_time: Option<Timestamp>) -> Result<Decoded, Rejection> {
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
