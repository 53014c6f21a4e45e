//! What one commit writes, inside a transaction of the caller.

use std::collections::HashMap;

use domain::{DeadLetter, DeviceId, Judged, Signals, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::rows;
use super::schema::{BASE, PER_SIGNAL};
use crate::{Commit, Stored};

/// How many dead letters there are, and how many bytes they hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Letters {
    pub(super) n_letters: u64,
    pub(super) n_bytes: u64,
}

/// The statement that inserts a reading of these signals.
pub(super) fn reading_statement(signals: &Signals) -> String {
    let mut columns: Vec<String> = BASE.iter().map(|it| (*it).to_owned()).collect();
    for signal in signals.iter() {
        columns.extend(PER_SIGNAL.iter().map(|it| format!("\"{}{it}\"", signal.name)));
    }
    let places: Vec<String> = (1..=columns.len()).map(|it| format!("?{it}")).collect();
    format!(
        "INSERT INTO sensor_readings ({}) VALUES ({}) ON CONFLICT (timestamp, device_id) DO NOTHING",
        columns.join(", "),
        places.join(", ")
    )
}

/// Writes readings and devices, and says which readings were new.
pub(super) fn write(connection: &Connection, statement: &str, commit: &Commit) -> rusqlite::Result<Vec<Stored>> {
    let mut stored = Vec::with_capacity(commit.readings.len());
    let mut tallies: HashMap<&DeviceId, Tally<'_>> = HashMap::new();
    let mut insert = connection.prepare_cached(statement)?;
    let mut bound = rows::Bound::default();
    for judged in &commit.readings {
        rows::bind(&mut insert, judged, &mut bound)?;
        if insert.raw_execute()? == 0 {
            stored.push(Stored::Duplicate);
            continue;
        }
        stored.push(Stored::New);
        let device_id = &judged.reading.device_id;
        tallies
            .entry(device_id)
            .and_modify(|it| it.add(judged))
            .or_insert_with(|| Tally::new(judged));
    }
    for update in &commit.devices {
        let tally = tallies.remove(&update.device_id);
        let device = DeviceRow {
            device_id: &update.device_id,
            location: update.location.as_ref(),
            device_type: update.device_type.as_deref(),
            received_at: update.received_at,
            state: Some(&update.state),
        };
        upsert_device(connection, &device, tally.as_ref())?;
    }
    // Readings of a device that the commit says nothing else of.
    for (device_id, tally) in &tallies {
        let reading = &tally.newest.reading;
        let device = DeviceRow {
            device_id,
            location: reading.location.as_deref(),
            device_type: reading.device_type.as_deref(),
            received_at: tally.newest.received_at,
            state: None,
        };
        upsert_device(connection, &device, Some(tally))?;
    }
    Ok(stored)
}

/// The new readings of one device, summed up.
struct Tally<'a> {
    n_new: i64,
    first: Timestamp,
    last: Timestamp,
    /// The latest time that was believable.
    latest: Option<Timestamp>,
    newest: &'a Judged,
}

impl<'a> Tally<'a> {
    fn new(judged: &'a Judged) -> Self {
        let at = judged.reading.timestamp;
        Self {
            n_new: 1,
            first: at,
            last: at,
            latest: (!judged.clock_suspect).then_some(at),
            newest: judged,
        }
    }

    fn add(&mut self, judged: &'a Judged) {
        let at = judged.reading.timestamp;
        self.n_new += 1;
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        if !judged.clock_suspect {
            self.latest = self.latest.max(Some(at));
        }
        self.newest = judged;
    }
}

struct DeviceRow<'a> {
    device_id: &'a DeviceId,
    location: Option<&'a domain::Location>,
    device_type: Option<&'a str>,
    received_at: Timestamp,
    state: Option<&'a [u8]>,
}

const UPSERT_DEVICE: &str = "
INSERT INTO devices (device_id, building, floor, room, device_type, first_received_at, last_received_at, readings,
  first_timestamp, last_timestamp, latest_at, state)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (device_id) DO UPDATE SET
  building = CASE WHEN ?12 THEN excluded.building ELSE building END,
  floor = CASE WHEN ?12 THEN excluded.floor ELSE floor END,
  room = CASE WHEN ?12 THEN excluded.room ELSE room END,
  device_type = coalesce(excluded.device_type, device_type),
  last_received_at = max(last_received_at, excluded.last_received_at),
  readings = readings + excluded.readings,
  first_timestamp = min(coalesce(first_timestamp, excluded.first_timestamp),
    coalesce(excluded.first_timestamp, first_timestamp)),
  last_timestamp = max(coalesce(last_timestamp, excluded.last_timestamp),
    coalesce(excluded.last_timestamp, last_timestamp)),
  latest_at = max(coalesce(latest_at, excluded.latest_at), coalesce(excluded.latest_at, latest_at)),
  state = coalesce(excluded.state, state)";

fn upsert_device(connection: &Connection, device: &DeviceRow<'_>, tally: Option<&Tally<'_>>) -> rusqlite::Result<()> {
    let location = device.location;
    connection.prepare_cached(UPSERT_DEVICE)?.execute(params![
        device.device_id.as_str(),
        location.and_then(|it| it.building.as_deref()),
        location.and_then(|it| it.floor.as_deref()),
        location.and_then(|it| it.room.as_deref()),
        device.device_type,
        device.received_at.as_micros(),
        tally.map_or(0, |it| it.n_new),
        tally.map(|it| it.first.as_micros()),
        tally.map(|it| it.last.as_micros()),
        tally.and_then(|it| it.latest).map(Timestamp::as_micros),
        device.state,
        location.is_some(),
    ])?;
    Ok(())
}

impl Letters {
    /// Counts what the file holds.
    pub(super) fn count(connection: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT count(*), coalesce(sum(length(payload)), 0) FROM dead_letters";
        connection.query_row(sql, [], |row| {
            Ok(Self {
                n_letters: row.get::<_, i64>(0)?.cast_unsigned(),
                n_bytes: row.get::<_, i64>(1)?.cast_unsigned(),
            })
        })
    }

    /// Writes a dead letter.
    pub(super) fn add(&mut self, connection: &Connection, letter: &DeadLetter) -> rusqlite::Result<()> {
        let sql = "INSERT INTO dead_letters (received_at, source, code, field, detail, payload)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        connection.prepare_cached(sql)?.execute(params![
            letter.received_at.as_micros(),
            letter.source,
            letter.rejection.code.as_str(),
            letter.rejection.field,
            letter.rejection.detail,
            letter.payload,
        ])?;
        self.n_letters += 1;
        self.n_bytes += letter.payload.len() as u64;
        Ok(())
    }

    /// Drops the oldest letters until the rest fits, and says how many. The newest always stays.
    pub(super) fn fit(&mut self, connection: &Connection, max: Self) -> rusqlite::Result<u64> {
        let mut n_dropped = 0;
        while self.n_letters > 1 && (self.n_letters > max.n_letters || self.n_bytes > max.n_bytes) {
            let sql =
                "DELETE FROM dead_letters WHERE id = (SELECT min(id) FROM dead_letters) RETURNING length(payload)";
            let n_bytes: Option<i64> = connection
                .prepare_cached(sql)?
                .query_row([], |row| row.get(0))
                .optional()?;
            let Some(n_bytes) = n_bytes else { break };
            self.take(n_bytes);
            n_dropped += 1;
        }
        Ok(n_dropped)
    }

    /// Takes one letter away, and says whether it was there.
    pub(super) fn purge(&mut self, connection: &Connection, id: u64) -> rusqlite::Result<bool> {
        let Ok(id) = i64::try_from(id) else {
            return Ok(false);
        };
        let sql = "DELETE FROM dead_letters WHERE id = ?1 RETURNING length(payload)";
        let n_bytes: Option<i64> = connection
            .prepare_cached(sql)?
            .query_row([id], |row| row.get(0))
            .optional()?;
        if let Some(n_bytes) = n_bytes {
            self.take(n_bytes);
        }
        Ok(n_bytes.is_some())
    }

    fn take(&mut self, n_bytes: i64) {
        self.n_letters = self.n_letters.saturating_sub(1);
        self.n_bytes = self.n_bytes.saturating_sub(n_bytes.unsigned_abs());
    }
}
