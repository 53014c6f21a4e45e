//! From rows to readings.

use std::sync::Arc;

use domain::{DeviceId, Location, Measurement, Reading, Rejection, RejectionCode, Signals, Truth, Values};

use super::{Column, Row, Table};
use crate::exit::{Exit, Fault};

/// Which column holds what.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    signals: Signals,
    device: usize,
    time: usize,
    /// Per declared signal: the columns in which it may stand, since messages of both forms may be mixed.
    values: Vec<Vec<usize>>,
    building: Option<usize>,
    floor: Option<usize>,
    room: Option<usize>,
    device_type: Option<usize>,
    is_anomaly: Option<usize>,
    anomaly_type: Option<usize>,
}

/// A row that is no reading.
#[derive(Debug, thiserror::Error)]
#[error("row {row}: {rejection}")]
pub(crate) struct RowRejection {
    /// Its number, the first row of data being 1.
    pub(crate) row: u64,
    /// What is wrong with it.
    pub(crate) rejection: Rejection,
    /// What the file says.
    pub(crate) original: Vec<u8>,
}

impl Mapping {
    /// Finds the columns: device and time by the names given, each signal by its mapped name, its own or its alias,
    /// place, kind and truth by the names of the warehouse.
    pub(crate) fn find(
        columns: &[Column],
        device: &str,
        time: &str,
        signals: &Signals,
        maps: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let optional = |names: &[&str]| names.iter().find_map(|name| position(columns, name));
        let mut values = Vec::with_capacity(signals.len());
        for signal in signals.iter() {
            values.push(match maps.iter().find(|(name, _)| *name == signal.name) {
                Some((_, column)) => vec![named(columns, column)?],
                None => {
                    let nested = format!("sensor_data.{}", signal.name);
                    let names = [signal.name.as_str(), &nested, &signal.short];
                    (0..columns.len())
                        .filter(|it| names.contains(&columns[*it].name.as_str()))
                        .collect()
                }
            });
        }
        if let Some((unknown, _)) = maps.iter().find(|(name, _)| signals.position(name).is_none()) {
            let hint = format!(
                "the configuration declares {}",
                names(signals.iter().map(|it| &it.name))
            );
            return Err(Fault::new(format!("there is no signal `{unknown}`"), hint)
                .exit(Exit::Usage)
                .into());
        }
        let mapping = Self {
            signals: signals.clone(),
            device: named(columns, device)?,
            time: named(columns, time)?,
            values,
            building: optional(&["building", "location.building"]),
            floor: optional(&["floor", "location.floor"]),
            room: optional(&["room", "location.room"]),
            device_type: optional(&["device_type"]),
            is_anomaly: optional(&["is_anomaly"]),
            anomaly_type: optional(&["anomaly_type", "sensor_data.anomaly_type"]),
        };
        if mapping.values.iter().all(Vec::is_empty) {
            let message = format!(
                "no column is a signal: the table has {}, the configuration declares {}",
                names(columns.iter().map(|it| &it.name)),
                names(signals.iter().map(|it| &it.name))
            );
            return Err(
                Fault::new(message, "say --map SIGNAL=COLUMN, or declare the signals in hark.toml")
                    .exit(Exit::Usage)
                    .into(),
            );
        }
        Ok(mapping)
    }

    /// The reading that a row holds.
    pub(crate) fn reading(&self, row: &Row) -> Result<Reading, Rejection> {
        if let Some(problem) = row.problem() {
            return Err(Rejection::whole(RejectionCode::MalformedRow, problem));
        }
        let missing = |field: &str| Rejection::field(RejectionCode::MissingField, field, format!("{field} is empty"));
        let device = row.text(self.device).ok_or_else(|| missing("device_id"))?;
        let timestamp = row.time(self.time, "timestamp")?.ok_or_else(|| missing("timestamp"))?;
        let mut values = Vec::with_capacity(self.values.len());
        for (signal, columns) in self.signals.iter().zip(&self.values) {
            let mut number = None;
            for column in columns {
                number = number.or(row.number(*column, &signal.name)?);
            }
            values.push(number.map(|it| Measurement::new(it, &signal.name)).transpose()?);
        }
        let values = Values::new(values);
        if values.is_empty() {
            return Err(Rejection::whole(RejectionCode::NoSignal, "no signal has a value"));
        }
        let text = |column: Option<usize>| column.and_then(|it| row.text(it)).map(|it| it.into_owned());
        let location = Location {
            building: text(self.building),
            floor: text(self.floor),
            room: text(self.room),
        };
        let is_anomaly = match self.is_anomaly {
            Some(column) => row.truth(column, "is_anomaly")?,
            None => None,
        };
        Ok(Reading {
            device_id: DeviceId::new(&device)?,
            timestamp,
            values,
            location: (location != Location::default()).then(|| Arc::new(location)),
            device_type: text(self.device_type).map(Arc::from),
            truth: is_anomaly.map(|is_anomaly| Truth {
                is_anomaly,
                anomaly_type: text(self.anomaly_type),
            }),
        })
    }
}

/// The readings of a table. A row that cannot be taken is a refusal, and those after it follow; a file that
/// cannot be read on is an error and the end.
pub(crate) fn readings(
    table: Table,
    mapping: Mapping,
) -> impl Iterator<Item = anyhow::Result<Result<Reading, RowRejection>>> + Send {
    let Table { columns, rows, .. } = table;
    rows.map(move |row| {
        let row = row?;
        Ok(mapping.reading(&row).map_err(|rejection| RowRejection {
            row: row.number,
            rejection,
            original: row.original(&columns),
        }))
    })
}

/// The place of the column of this name.
pub(crate) fn named(columns: &[Column], name: &str) -> anyhow::Result<usize> {
    position(columns, name).ok_or_else(|| {
        let known = columns.iter().map(|it| it.name.as_str());
        let hint = match crate::config::nearest(name, known) {
            Some(likely) => format!("did you mean `{likely}`?"),
            None => format!("it has {}", names(columns.iter().map(|it| &it.name))),
        };
        Fault::new(format!("the table has no column `{name}`"), hint)
            .exit(Exit::Usage)
            .into()
    })
}

fn position(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|it| it.name == name)
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}
