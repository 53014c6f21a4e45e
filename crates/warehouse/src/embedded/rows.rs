//! One row of `sensor_readings` from and to a judged reading.

use std::collections::HashMap;
use std::sync::Arc;

use domain::{DeviceId, Judged, Judgement, Location, Measurement, Reading, Span, Timestamp, Truth, Values, Verdict};
use rusqlite::types::ValueRef;
use rusqlite::{Row, Statement};

use super::failure::{Found, Trouble};
use super::schema::{BASE, PER_SIGNAL};
use crate::judged::{reasons_from_json, reasons_to_json};

/// The texts that are bound to a statement. Neighbouring readings share most of them, and binding one copies it.
#[derive(Debug, Default)]
pub(super) struct Bound<'a>([Option<Option<&'a str>>; 6]);

impl<'a> Bound<'a> {
    fn bind(
        &mut self,
        statement: &mut Statement<'_>,
        nth: usize,
        at: usize,
        text: Option<&'a str>,
    ) -> rusqlite::Result<()> {
        if self.0[nth] == Some(text) {
            return Ok(());
        }
        statement.raw_bind_parameter(at, text)?;
        self.0[nth] = Some(text);
        Ok(())
    }
}

/// Binds a reading to the statement that inserts it. `bound` is fresh for a fresh statement.
pub(super) fn bind<'a>(
    statement: &mut Statement<'_>,
    judged: &'a Judged,
    bound: &mut Bound<'a>,
) -> rusqlite::Result<()> {
    let reading = &judged.reading;
    let location = reading.location.as_deref();
    let truth = reading.truth.as_ref();
    let verdict = judged.verdict.as_ref();
    let reasons = verdict.filter(|it| !it.reasons.is_empty());
    statement.raw_bind_parameter(1, reading.timestamp.as_micros())?;
    statement.raw_bind_parameter(2, reading.device_id.as_str())?;
    bound.bind(statement, 0, 3, location.and_then(|it| it.building.as_deref()))?;
    bound.bind(statement, 1, 4, location.and_then(|it| it.floor.as_deref()))?;
    bound.bind(statement, 2, 5, location.and_then(|it| it.room.as_deref()))?;
    bound.bind(statement, 3, 6, reading.device_type.as_deref())?;
    statement.raw_bind_parameter(7, truth.map(|it| it.is_anomaly))?;
    bound.bind(statement, 4, 8, truth.and_then(|it| it.anomaly_type.as_deref()))?;
    statement.raw_bind_parameter(9, judged.received_at.as_micros())?;
    bound.bind(statement, 5, 10, verdict.map(|it| &*it.model_version))?;
    statement.raw_bind_parameter(11, verdict.map(|it| it.score))?;
    statement.raw_bind_parameter(12, verdict.map(|it| it.is_anomaly))?;
    statement.raw_bind_parameter(13, reasons.map(|it| reasons_to_json(&it.reasons)))?;
    statement.raw_bind_parameter(14, judged.late)?;
    statement.raw_bind_parameter(15, judged.clock_suspect)?;
    for (nth, value) in reading.values.iter().enumerate() {
        let at = BASE.len() + PER_SIGNAL.len() * nth;
        let judgement = verdict.and_then(|it| it.signals[nth]);
        let expected = judgement.and_then(|it| it.expected);
        statement.raw_bind_parameter(at + 1, value)?;
        statement.raw_bind_parameter(at + 2, judgement.map(|it| it.score))?;
        statement.raw_bind_parameter(at + 3, judgement.map(|it| it.is_anomaly))?;
        statement.raw_bind_parameter(at + 4, expected.map(|it| it.low))?;
        statement.raw_bind_parameter(at + 5, expected.map(|it| it.high))?;
    }
    Ok(())
}

/// What rows of one device have in common, kept so that they share it.
#[derive(Debug, Default)]
pub(super) struct Names {
    devices: HashMap<String, Known>,
    model_version: Option<Arc<str>>,
}

#[derive(Debug)]
struct Known {
    device_id: DeviceId,
    location: Option<Arc<Location>>,
    device_type: Option<Arc<str>>,
}

/// Reads the columns of a layout, which begin at `at`, for so many signals.
pub(super) fn read(row: &Row<'_>, at: usize, n_signals: usize, names: &mut Names) -> Found<Judged> {
    let known = names.known(row, at)?;
    let reading = Reading {
        device_id: known.device_id.clone(),
        timestamp: instant(row, at)?,
        values: values(row, at + BASE.len(), n_signals)?,
        location: known.location.clone(),
        device_type: known.device_type.clone(),
        truth: match row.get::<_, Option<bool>>(at + 6)? {
            Some(is_anomaly) => Some(Truth {
                is_anomaly,
                anomaly_type: row.get(at + 7)?,
            }),
            None => None,
        },
    };
    Ok(Judged {
        reading,
        received_at: instant(row, at + 8)?,
        verdict: verdict(row, at, n_signals, names)?,
        late: row.get(at + 13)?,
        clock_suspect: row.get(at + 14)?,
    })
}

impl Names {
    fn known(&mut self, row: &Row<'_>, at: usize) -> Found<&Known> {
        let Some(name) = text(row, at + 1)? else {
            return Err(Trouble::Damage("a reading has no device".to_owned()));
        };
        if !self.devices.contains_key(name) {
            let known = Known {
                device_id: device_id(name)?,
                location: None,
                device_type: None,
            };
            self.devices.insert(name.to_owned(), known);
        }
        let known = self.devices.get_mut(name).expect("it was put there just now");
        let (building, floor, room) = (text(row, at + 2)?, text(row, at + 3)?, text(row, at + 4)?);
        let has_moved = match known.location.as_deref() {
            Some(it) => (it.building.as_deref(), it.floor.as_deref(), it.room.as_deref()) != (building, floor, room),
            None => building.is_some() || floor.is_some() || room.is_some(),
        };
        if has_moved {
            let location = location(building, floor, room);
            known.location = (location != Location::default()).then(|| Arc::new(location));
        }
        let device_type = text(row, at + 5)?;
        if known.device_type.as_deref() != device_type {
            known.device_type = device_type.map(Arc::from);
        }
        Ok(known)
    }
}

fn verdict(row: &Row<'_>, at: usize, n_signals: usize, names: &mut Names) -> Found<Option<Verdict>> {
    let Some(model_version) = text(row, at + 9)? else {
        return Ok(None);
    };
    if names.model_version.as_deref() != Some(model_version) {
        names.model_version = Some(model_version.into());
    }
    let reasons = match text(row, at + 12)? {
        Some(json) => reasons_from_json(json).map_err(Trouble::Damage)?,
        None => Vec::new(),
    };
    let first = at + BASE.len();
    let signals = (0..n_signals).map(|nth| judgement(row, first + PER_SIGNAL.len() * nth));
    Ok(Some(Verdict {
        model_version: names.model_version.clone().expect("it was put there just now"),
        score: row.get(at + 10)?,
        is_anomaly: row.get(at + 11)?,
        signals: signals.collect::<Found<_>>()?,
        reasons,
    }))
}

fn judgement(row: &Row<'_>, at: usize) -> Found<Option<Judgement>> {
    let Some(score) = row.get(at + 1)? else {
        return Ok(None);
    };
    let expected = match (row.get(at + 3)?, row.get(at + 4)?) {
        (Some(low), Some(high)) => Some(Span { low, high }),
        _ => None,
    };
    Ok(Some(Judgement {
        score,
        is_anomaly: row.get(at + 2)?,
        expected,
    }))
}

fn values(row: &Row<'_>, at: usize, n_signals: usize) -> Found<Values> {
    let value = |nth: usize| -> Found<Option<Measurement>> {
        let Some(value) = row.get::<_, Option<f64>>(at + PER_SIGNAL.len() * nth)? else {
            return Ok(None);
        };
        match Measurement::new(value, "value") {
            Ok(measurement) => Ok(Some(measurement)),
            Err(rejection) => Err(Trouble::Damage(rejection.detail)),
        }
    };
    Ok(Values::new((0..n_signals).map(value).collect::<Found<_>>()?))
}

/// A text as it lies in the row, without a copy.
pub(super) fn text<'a>(row: &'a Row<'_>, at: usize) -> Found<Option<&'a str>> {
    match row.get_ref(at)? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(cause) => Err(Trouble::Damage(format!("a text is not UTF-8: {cause}"))),
        },
        other => Err(Trouble::Damage(format!("a text is stored as {}", other.data_type()))),
    }
}

pub(super) fn instant(row: &Row<'_>, at: usize) -> Found<Timestamp> {
    Ok(Timestamp::from_micros(row.get(at)?))
}

pub(super) fn device_id(name: &str) -> Found<DeviceId> {
    DeviceId::new(name).map_err(|it| Trouble::Damage(it.detail))
}

pub(super) fn location(building: Option<&str>, floor: Option<&str>, room: Option<&str>) -> Location {
    Location {
        building: building.map(str::to_owned),
        floor: floor.map(str::to_owned),
        room: room.map(str::to_owned),
    }
}
