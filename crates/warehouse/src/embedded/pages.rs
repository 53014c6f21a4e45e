//! Readings in order of (timestamp, device), a block at a time from a place on.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{DeviceId, Judged, TimeRange, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use tokio::task::{self, JoinHandle};

use super::failure::{Found, Trouble};
use super::file;
use super::readers::finished;
use super::rows::{self, Names};
use super::schema::Layout;
use super::writer::{DropStep, Dropped};
use crate::{Cursor, Page, ReadingQuery, Scan, WarehouseError};

/// How many readings a scan hands out at once.
const SCAN_BLOCK: usize = 10_000;

/// The identity of a reading, as a place in the order of all readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    micros: i64,
    device_id: String,
}

impl Place {
    fn of(judged: &Judged) -> Self {
        Self {
            micros: judged.reading.timestamp.as_micros(),
            device_id: judged.reading.device_id.as_str().to_owned(),
        }
    }

    fn to_cursor(&self) -> Cursor {
        Cursor::at(self.micros, &self.device_id)
    }

    fn from_cursor(cursor: &Cursor) -> Found<Self> {
        let (micros, device_id) = cursor.place("readings").map_err(Trouble::BadQuery)?;
        Ok(Self {
            micros,
            device_id: device_id.to_owned(),
        })
    }
}

/// Which readings, from which place on.
struct Selection<'a> {
    range: TimeRange,
    device_id: Option<&'a DeviceId>,
    anomalies_only: bool,
    newest_first: bool,
    after: Option<Place>,
}

impl Selection<'_> {
    /// The condition and its arguments. A place replaces the end of the range that lies before it, so that SQLite
    /// goes straight to it.
    fn condition(&self) -> (String, Vec<Value>) {
        let (start, end) = (self.range.start.as_micros(), self.range.end.as_micros());
        let mut parts = Vec::new();
        let mut arguments: Vec<Value> = Vec::new();
        let place = self.after.as_ref().filter(|it| match self.newest_first {
            true => it.micros < end,
            false => it.micros >= start,
        });
        if let Some(place) = place {
            let side = if self.newest_first { '<' } else { '>' };
            parts.push(format!("(r.timestamp, r.device_id) {side} (?, ?)"));
            arguments.extend([place.micros.into(), place.device_id.clone().into()]);
        }
        if place.is_none() || self.newest_first {
            parts.push("r.timestamp >= ?".to_owned());
            arguments.push(start.into());
        }
        if place.is_none() || !self.newest_first {
            parts.push("r.timestamp < ?".to_owned());
            arguments.push(end.into());
        }
        if let Some(device_id) = self.device_id {
            parts.push("r.device_id = ?".to_owned());
            arguments.push(device_id.as_str().to_owned().into());
        }
        if self.anomalies_only {
            parts.push("r.flag = 1".to_owned());
        }
        (parts.join(" AND "), arguments)
    }
}

fn select(connection: &Connection, layout: &Layout, selection: &Selection<'_>, limit: usize) -> Found<Vec<Judged>> {
    let (condition, mut arguments) = selection.condition();
    let order = if selection.newest_first { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT {} FROM sensor_readings r WHERE {condition} ORDER BY r.timestamp {order}, r.device_id {order} LIMIT ?",
        layout.columns
    );
    arguments.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params_from_iter(arguments))?;
    let mut names = Names::default();
    let mut readings = Vec::new();
    while let Some(row) = found.next()? {
        readings.push(rows::read(row, 0, layout.signals.len(), &mut names)?);
    }
    Ok(readings)
}

/// One page of readings.
pub(super) fn page(connection: &Connection, layout: &Layout, query: &ReadingQuery) -> Found<Page<Judged>> {
    let mut range = query.range;
    if let Some(device_id) = &query.device_id {
        let Some(seen) = seen(connection, device_id)? else {
            return Ok(Page {
                items: Vec::new(),
                next: None,
            });
        };
        range.start = range.start.max(seen.start);
        range.end = range.end.min(seen.end);
    }
    let selection = Selection {
        range,
        device_id: query.device_id.as_ref(),
        anomalies_only: query.anomalies_only,
        newest_first: query.newest_first,
        after: query.after.as_ref().map(Place::from_cursor).transpose()?,
    };
    let items = select(connection, layout, &selection, query.limit.saturating_add(1))?;
    Ok(Page::cut(items, query.limit, |it| Place::of(it).to_cursor()))
}

/// Between which times a device has readings, so that nobody searches for them elsewhere.
pub(super) fn seen(connection: &Connection, device_id: &DeviceId) -> Found<Option<TimeRange>> {
    let sql = "SELECT first_timestamp, last_timestamp FROM devices
               WHERE device_id = ?1 AND first_timestamp IS NOT NULL";
    let seen = connection
        .prepare_cached(sql)?
        .query_row([device_id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(seen.map(|(first, last)| TimeRange {
        start: Timestamp::from_micros(first),
        end: Timestamp::from_micros(last).plus_micros(1),
    }))
}

/// Drops readings whose time and receipt both lie before an instant, among the next so many.
pub(super) fn drop_step(connection: &Connection, step: &DropStep, n_rows: usize) -> Found<Dropped> {
    let before = step.before.as_micros();
    let (micros, device_id) = match &step.from {
        Some(place) => (place.micros, place.device_id.as_str()),
        None => (i64::MIN, ""),
    };
    let boundary = "SELECT timestamp, device_id FROM sensor_readings
                    WHERE (timestamp, device_id) >= (?1, ?2) AND timestamp < ?3
                    ORDER BY timestamp, device_id LIMIT 1 OFFSET ?4";
    let n_rows = i64::try_from(n_rows).unwrap_or(i64::MAX);
    let next = connection
        .prepare_cached(boundary)?
        .query_row(params![micros, device_id, before, n_rows], |row| {
            Ok(Place {
                micros: row.get(0)?,
                device_id: row.get(1)?,
            })
        })
        .optional()?;
    let (end_micros, end_device) = match &next {
        Some(place) => (place.micros, place.device_id.as_str()),
        None => (before, ""),
    };
    let delete = "DELETE FROM sensor_readings WHERE (timestamp, device_id) >= (?1, ?2)
                  AND (timestamp, device_id) < (?3, ?4) AND received_at < ?5";
    let arguments = params![micros, device_id, end_micros, end_device, before];
    let n_readings = connection.prepare_cached(delete)?.execute(arguments)? as u64;
    Ok(Dropped { n_readings, next })
}

/// A scan with a connection of its own, which reads one block ahead. Between blocks it holds no lock and no snapshot.
pub(super) struct EmbeddedScan {
    layout: Arc<Layout>,
    range: TimeRange,
    state: ScanState,
}

enum ScanState {
    Begins,
    Reads(JoinHandle<Result<ScanBlock, WarehouseError>>),
    Ended,
}

struct ScanBlock {
    connection: Connection,
    readings: Vec<Judged>,
}

impl EmbeddedScan {
    pub(super) fn new(layout: Arc<Layout>, range: TimeRange) -> Self {
        Self {
            layout,
            range,
            state: ScanState::Begins,
        }
    }

    fn read_on(&self, connection: Option<Connection>, after: Option<Place>) -> ScanState {
        let layout = Arc::clone(&self.layout);
        let selection = Selection {
            range: self.range,
            device_id: None,
            anomalies_only: false,
            newest_first: false,
            after,
        };
        ScanState::Reads(task::spawn_blocking(move || {
            let connection = match connection {
                Some(connection) => connection,
                None => file::open_to_read(&layout.file)?,
            };
            let readings = select(&connection, &layout, &selection, SCAN_BLOCK);
            let readings = readings.map_err(|it| layout.error(it, "read"))?;
            Ok(ScanBlock { connection, readings })
        }))
    }
}

#[async_trait]
impl Scan for EmbeddedScan {
    async fn next(&mut self) -> Result<Option<Vec<Judged>>, WarehouseError> {
        if matches!(self.state, ScanState::Begins) {
            self.state = self.read_on(None, None);
        }
        let ScanState::Reads(reading) = &mut self.state else {
            return Ok(None);
        };
        // A call that is dropped here leaves the block to the next call.
        let block = finished(reading.await);
        self.state = ScanState::Ended;
        let ScanBlock { connection, readings } = block?;
        if readings.len() == SCAN_BLOCK {
            let after = readings.last().map(Place::of);
            self.state = self.read_on(Some(connection), after);
        }
        Ok((!readings.is_empty()).then_some(readings))
    }
}
