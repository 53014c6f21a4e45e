//! What is known of the devices: a row per commit and device, each with all that its writer knows. The newest row of
//! each writer counts, and the rows of all writers of a device are put together when they are read.

use std::collections::BTreeMap;

use domain::{DeviceId, Judged, Location, Signals, Timestamp};

use super::ask::{self, Question};
use super::columns::{self, Cell, Kind};
use super::rows::{self, Cells, damaged};
use super::{Core, tables};
use crate::{Device, DeviceUpdate, WarehouseError};

/// What one writer knows of a device.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    location: Option<Location>,
    device_type: Option<String>,
    first_received_at: Option<Timestamp>,
    last_received_at: Option<Timestamp>,
    n_readings: i64,
    last_timestamp: Option<Timestamp>,
    /// The believable reading with the latest time.
    last: Option<Judged>,
    state: Option<Vec<u8>>,
}

impl Known {
    /// Takes in a new reading.
    pub(super) fn add(&mut self, judged: &Judged) {
        let reading = &judged.reading;
        self.n_readings += 1;
        self.last_timestamp = self.last_timestamp.max(Some(reading.timestamp));
        if let Some(location) = &reading.location {
            self.location = Some(Location::clone(location));
        }
        if let Some(device_type) = &reading.device_type {
            self.device_type = Some(device_type.to_string());
        }
        self.heard_at(judged.received_at);
        let latest = self.last.as_ref().map(|it| it.reading.timestamp);
        if !judged.clock_suspect && Some(reading.timestamp) > latest {
            self.last = Some(judged.clone());
        }
    }

    /// Takes in what a commit says of the device.
    pub(super) fn update(&mut self, update: &DeviceUpdate) {
        if let Some(location) = &update.location {
            self.location = Some(location.clone());
        }
        if let Some(device_type) = &update.device_type {
            self.device_type = Some(device_type.clone());
        }
        self.heard_at(update.received_at);
        self.state = Some(update.state.clone());
    }

    fn heard_at(&mut self, at: Timestamp) {
        self.first_received_at.get_or_insert(at);
        self.last_received_at = self.last_received_at.max(Some(at));
    }

    /// Puts what another writer knows beside it. Rows come oldest first.
    fn join(&mut self, other: Self) {
        self.location = other.location.or(self.location.take());
        self.device_type = other.device_type.or(self.device_type.take());
        self.first_received_at = match (self.first_received_at, other.first_received_at) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        self.last_received_at = self.last_received_at.max(other.last_received_at);
        self.n_readings += other.n_readings;
        self.last_timestamp = self.last_timestamp.max(other.last_timestamp);
        let time = |it: &Option<Judged>| it.as_ref().map(|it| it.reading.timestamp);
        if time(&other.last) > time(&self.last) {
            self.last = other.last;
        }
        self.state = other.state.or(self.state.take());
    }
}

/// The row of a device.
pub(super) fn cells(device_id: &DeviceId, writer: &str, seq: i64, known: &Known, signals: &Signals) -> Vec<Cell> {
    let location = known.location.as_ref();
    let micros = |it: Option<Timestamp>| Cell::whole(it.map(Timestamp::as_micros));
    let mut cells = vec![
        Cell::text(Some(device_id.as_str())),
        Cell::text(Some(writer)),
        Cell::Whole(seq),
        Cell::text(location.and_then(|it| it.building.as_deref())),
        Cell::text(location.and_then(|it| it.floor.as_deref())),
        Cell::text(location.and_then(|it| it.room.as_deref())),
        Cell::text(known.device_type.as_deref()),
        micros(known.first_received_at),
        micros(known.last_received_at),
        Cell::Whole(known.n_readings),
        micros(known.last_timestamp),
        micros(known.last.as_ref().map(|it| it.reading.timestamp)),
        known.state.clone().map_or(Cell::Null, Cell::Bytes),
    ];
    cells.extend(
        known
            .last
            .as_ref()
            .map_or_else(|| rows::no_reading(signals), rows::reading),
    );
    cells
}

/// The newest row of each writer, oldest first.
fn newest_rows(core: &Core, selected: &str, condition: &str) -> String {
    format!(
        "SELECT {selected} FROM (SELECT * FROM `{}` WHERE {condition} \
         QUALIFY ROW_NUMBER() OVER (PARTITION BY device_id, writer ORDER BY seq DESC) = 1) \
         ORDER BY last_received_at, writer, seq",
        core.options.name_of(tables::DEVICES)
    )
}

/// All devices by name, or the one that is asked for.
pub(super) async fn devices(core: &Core, only: Option<&DeviceId>) -> Result<Vec<Device>, WarehouseError> {
    // The state is large, and nobody asks for it here.
    let columns: Vec<_> = columns::devices(&core.signals)
        .into_iter()
        .filter(|it| it.name != "state")
        .collect();
    let present: Vec<String> = columns.iter().map(|it| it.name.clone()).collect();
    let condition = if only.is_some() { "device_id = @device" } else { "TRUE" };
    let sql = newest_rows(core, &ask::selected(&columns, &present), condition);
    let mut question = Question::new(sql);
    if let Some(device_id) = only {
        question = question.text("device", device_id.as_str());
    }
    let mut all: BTreeMap<DeviceId, Known> = BTreeMap::new();
    let asked = core.each(question, ask::kinds(&columns), |mut cells| {
        let (device_id, known) = read(&mut cells, &core.signals)?;
        all.entry(device_id).or_default().join(known);
        Ok(())
    });
    asked.await?;
    all.into_iter()
        .map(|(device_id, known)| device(device_id, known))
        .collect()
}

fn read(cells: &mut Cells, signals: &Signals) -> Result<(DeviceId, Known), WarehouseError> {
    let device_id = rows::device_id(cells.text())?;
    let (_writer, _seq) = (cells.text(), cells.whole());
    let location = cells.location();
    let known = Known {
        location: (location != Location::default()).then_some(location),
        device_type: cells.text(),
        first_received_at: cells.instant(),
        last_received_at: cells.instant(),
        n_readings: cells.whole().unwrap_or_default(),
        last_timestamp: cells.instant(),
        last: None,
        state: None,
    };
    let _latest_at = cells.whole();
    let last = rows::maybe_judged(cells, signals)?;
    Ok((device_id, Known { last, ..known }))
}

fn device(device_id: DeviceId, known: Known) -> Result<Device, WarehouseError> {
    let unheard = || damaged(format!("device {device_id} was never heard"));
    Ok(Device {
        location: known.location.unwrap_or_default(),
        device_type: known.device_type,
        first_received_at: known.first_received_at.ok_or_else(unheard)?,
        last_received_at: known.last_received_at.ok_or_else(unheard)?,
        readings: known.n_readings.unsigned_abs(),
        last: known.last,
        device_id,
    })
}

/// The state of every device that has one, or of those that are asked for. That of the writer which knows the newest
/// reading counts: one that lost its lease may have told last.
pub(super) async fn states(core: &Core, only: Option<&[DeviceId]>) -> Result<Vec<(DeviceId, Vec<u8>)>, WarehouseError> {
    let condition = match only {
        Some(_) => "state IS NOT NULL AND device_id IN UNNEST(@devices)",
        None => "state IS NOT NULL",
    };
    let sql = format!(
        "SELECT device_id, state FROM `{}` WHERE {condition} QUALIFY ROW_NUMBER() OVER \
         (PARTITION BY device_id ORDER BY latest_at DESC, last_received_at DESC, seq DESC) = 1 ORDER BY device_id",
        core.options.name_of(tables::DEVICES)
    );
    let mut question = Question::new(sql);
    if let Some(devices) = only {
        question = question.texts("devices", devices.iter().map(ToString::to_string));
    }
    let mut states = Vec::new();
    let asked = core.each(question, [Kind::Text, Kind::Bytes], |mut cells| {
        let device_id = rows::device_id(cells.text())?;
        states.push((device_id, cells.bytes().unwrap_or_default()));
        Ok(())
    });
    asked.await?;
    Ok(states)
}

/// Drops the rows that a newer one of the same writer stands for.
pub(super) async fn drop_superseded(core: &Core) -> Result<(), WarehouseError> {
    let table = core.options.name_of(tables::DEVICES);
    let sql = format!(
        "DELETE FROM `{table}` WHERE CONCAT(writer, ' ', CAST(seq AS STRING)) NOT IN \
         (SELECT CONCAT(writer, ' ', CAST(MAX(seq) AS STRING)) FROM `{table}` GROUP BY device_id, writer)"
    );
    core.run(Question::new(sql)).await
}
