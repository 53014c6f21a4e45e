//! One row of a table from and to what the domain calls it.

use std::sync::Arc;

use domain::{
    DeadLetter, DeviceId, Judged, Judgement, Location, Measurement, Reading, Rejection, RejectionCode, Signals, Span,
    Timestamp, Truth, Values, Verdict,
};

use super::columns::{BASE, Cell, PER_SIGNAL};
use crate::StoredDeadLetter;
use crate::judged::{reasons_from_json, reasons_to_json};
use crate::{WarehouseError, WarehouseErrorKind};

/// Takes the cells of a row in the order of its columns.
pub(super) struct Cells(std::vec::IntoIter<Cell>);

impl Cells {
    pub(super) fn new(cells: Vec<Cell>) -> Self {
        Self(cells.into_iter())
    }

    pub(super) fn text(&mut self) -> Option<String> {
        match self.0.next() {
            Some(Cell::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn whole(&mut self) -> Option<i64> {
        match self.0.next() {
            Some(Cell::Whole(whole)) => Some(whole),
            _ => None,
        }
    }

    pub(super) fn number(&mut self) -> Option<f64> {
        match self.0.next() {
            Some(Cell::Number(number)) => Some(number),
            _ => None,
        }
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.0.next() {
            Some(Cell::Flag(flag)) => Some(flag),
            _ => None,
        }
    }

    pub(super) fn bytes(&mut self) -> Option<Vec<u8>> {
        match self.0.next() {
            Some(Cell::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn instant(&mut self) -> Option<Timestamp> {
        self.whole().map(Timestamp::from_micros)
    }

    /// Building, floor and room.
    pub(super) fn location(&mut self) -> Location {
        Location {
            building: self.text(),
            floor: self.text(),
            room: self.text(),
        }
    }
}

/// A row that Hark cannot have written.
pub(super) fn damaged(problem: impl Into<String>) -> WarehouseError {
    let context = format!("a row in BigQuery cannot be read: {}", problem.into());
    WarehouseError::new(WarehouseErrorKind::Corrupt, context)
}

pub(super) fn device_id(name: Option<String>) -> Result<DeviceId, WarehouseError> {
    DeviceId::new(&name.unwrap_or_default()).map_err(|it| damaged(it.detail))
}

/// The cells of a judged reading.
pub(super) fn reading(judged: &Judged) -> Vec<Cell> {
    let reading = &judged.reading;
    let location = reading.location.as_deref();
    let truth = reading.truth.as_ref();
    let verdict = judged.verdict.as_ref();
    let reasons = verdict.filter(|it| !it.reasons.is_empty());
    let mut cells = vec![
        Cell::Whole(reading.timestamp.as_micros()),
        Cell::text(Some(reading.device_id.as_str())),
        Cell::text(location.and_then(|it| it.building.as_deref())),
        Cell::text(location.and_then(|it| it.floor.as_deref())),
        Cell::text(location.and_then(|it| it.room.as_deref())),
        Cell::text(reading.device_type.as_deref()),
        Cell::flag(truth.map(|it| it.is_anomaly)),
        Cell::text(truth.and_then(|it| it.anomaly_type.as_deref())),
        Cell::Whole(judged.received_at.as_micros()),
        Cell::text(verdict.map(|it| &*it.model_version)),
        Cell::number(verdict.map(|it| it.score)),
        Cell::flag(verdict.map(|it| it.is_anomaly)),
        Cell::text(reasons.map(|it| reasons_to_json(&it.reasons)).as_deref()),
        Cell::Flag(judged.late),
        Cell::Flag(judged.clock_suspect),
    ];
    debug_assert_eq!(cells.len(), BASE, "a cell per column");
    for (nth, value) in reading.values.iter().enumerate() {
        let judgement = verdict.and_then(|it| it.signals[nth]);
        let expected = judgement.and_then(|it| it.expected);
        cells.extend([
            Cell::number(value),
            Cell::number(judgement.map(|it| it.score)),
            Cell::flag(judgement.map(|it| it.is_anomaly)),
            Cell::number(expected.map(|it| it.low)),
            Cell::number(expected.map(|it| it.high)),
        ]);
    }
    cells
}

/// The cells of a device that has no last reading.
pub(super) fn no_reading(signals: &Signals) -> Vec<Cell> {
    vec![Cell::Null; BASE + PER_SIGNAL * signals.len()]
}

/// The judged reading of these cells.
pub(super) fn judged(cells: &mut Cells, signals: &Signals) -> Result<Judged, WarehouseError> {
    let timestamp = cells.instant().ok_or_else(|| damaged("a reading has no timestamp"))?;
    rest_of_judged(timestamp, cells, signals)
}

/// The judged reading of these cells, if there is one.
pub(super) fn maybe_judged(cells: &mut Cells, signals: &Signals) -> Result<Option<Judged>, WarehouseError> {
    let Some(timestamp) = cells.instant() else {
        return Ok(None);
    };
    rest_of_judged(timestamp, cells, signals).map(Some)
}

fn rest_of_judged(timestamp: Timestamp, cells: &mut Cells, signals: &Signals) -> Result<Judged, WarehouseError> {
    let device_id = device_id(cells.text())?;
    let location = cells.location();
    let device_type = cells.text().map(Arc::from);
    let (is_anomaly, anomaly_type) = (cells.flag(), cells.text());
    let received_at = cells.instant().ok_or_else(|| damaged("a reading has no received_at"))?;
    let (model_version, score, flag, reasons) = (cells.text(), cells.number(), cells.flag(), cells.text());
    let (late, clock_suspect) = (cells.flag(), cells.flag());
    let mut values = Vec::with_capacity(signals.len());
    let mut judgements = Vec::with_capacity(signals.len());
    for signal in signals.iter() {
        let value = cells.number().map(|it| Measurement::new(it, &signal.name));
        values.push(value.transpose().map_err(|it| damaged(it.detail))?);
        let (score, flag, low, high) = (cells.number(), cells.flag(), cells.number(), cells.number());
        judgements.push(score.map(|score| Judgement {
            score,
            is_anomaly: flag.unwrap_or_default(),
            expected: low.zip(high).map(|(low, high)| Span { low, high }),
        }));
    }
    let verdict = match model_version {
        None => None,
        Some(model_version) => Some(Verdict {
            model_version: model_version.into(),
            score: score.ok_or_else(|| damaged("a verdict has no score"))?,
            is_anomaly: flag.unwrap_or_default(),
            signals: judgements,
            reasons: match reasons {
                Some(json) => reasons_from_json(&json).map_err(damaged)?,
                None => Vec::new(),
            },
        }),
    };
    Ok(Judged {
        reading: Reading {
            device_id,
            timestamp,
            values: Values::new(values),
            location: (location != Location::default()).then(|| Arc::new(location)),
            device_type,
            truth: is_anomaly.map(|is_anomaly| Truth {
                is_anomaly,
                anomaly_type,
            }),
        },
        received_at,
        verdict,
        late: late.unwrap_or_default(),
        clock_suspect: clock_suspect.unwrap_or_default(),
    })
}

/// The cells of a dead letter with this number.
pub(super) fn letter(id: i64, letter: &DeadLetter) -> Vec<Cell> {
    vec![
        Cell::Whole(id),
        Cell::Whole(letter.received_at.as_micros()),
        Cell::text(Some(&letter.source)),
        Cell::text(Some(letter.rejection.code.as_str())),
        Cell::text(letter.rejection.field.as_deref()),
        Cell::text(Some(&letter.rejection.detail)),
        Cell::Bytes(letter.payload.clone()),
    ]
}

/// The dead letter of these cells.
pub(super) fn stored_letter(cells: &mut Cells) -> Result<StoredDeadLetter, WarehouseError> {
    let id = cells.whole().ok_or_else(|| damaged("a dead letter has no number"))?;
    let received_at = cells
        .instant()
        .ok_or_else(|| damaged("a dead letter has no received_at"))?;
    let (source, code) = (cells.text().unwrap_or_default(), cells.text().unwrap_or_default());
    let unknown = || damaged(format!("a dead letter has the unknown code `{code}`"));
    let rejection = Rejection {
        code: RejectionCode::from_name(&code).ok_or_else(unknown)?,
        field: cells.text(),
        detail: cells.text().unwrap_or_default(),
    };
    Ok(StoredDeadLetter {
        id: id.unsigned_abs(),
        letter: DeadLetter {
            received_at,
            source,
            payload: cells.bytes().unwrap_or_default(),
            rejection,
        },
    })
}
