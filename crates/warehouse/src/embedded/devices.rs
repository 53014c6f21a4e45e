//! What is known of the devices.

use domain::DeviceId;
use rusqlite::{Connection, Row, params_from_iter};

use super::failure::{Found, Trouble};
use super::rows::{self, Names};
use super::schema::Layout;
use crate::Device;

const N_COLUMNS: usize = 8;

/// All devices by name, or the one that is asked for.
pub(super) fn devices(connection: &Connection, layout: &Layout, only: Option<&DeviceId>) -> Found<Vec<Device>> {
    let sql = format!(
        "SELECT d.device_id, d.building, d.floor, d.room, d.device_type, d.first_received_at, d.last_received_at,
           d.readings, {}
         FROM devices d LEFT JOIN sensor_readings r ON r.timestamp = d.latest_at AND r.device_id = d.device_id
         {} ORDER BY d.device_id",
        layout.columns,
        if only.is_some() { "WHERE d.device_id = ?" } else { "" },
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params_from_iter(only.map(DeviceId::as_str)))?;
    let mut names = Names::default();
    let mut devices = Vec::new();
    while let Some(row) = found.next()? {
        devices.push(device(row, layout, &mut names)?);
    }
    Ok(devices)
}

fn device(row: &Row<'_>, layout: &Layout, names: &mut Names) -> Found<Device> {
    let has_last = row.get::<_, Option<i64>>(N_COLUMNS)?.is_some();
    let last = has_last.then(|| rows::read(row, N_COLUMNS, layout.signals.len(), names));
    Ok(Device {
        device_id: rows::device_id(&row.get::<_, String>(0)?)?,
        location: rows::location(rows::text(row, 1)?, rows::text(row, 2)?, rows::text(row, 3)?),
        device_type: row.get(4)?,
        first_received_at: rows::instant(row, 5)?,
        last_received_at: rows::instant(row, 6)?,
        readings: row.get::<_, i64>(7)?.unsigned_abs(),
        last: last.transpose()?,
    })
}

/// The state of every device that has one.
pub(super) fn states(connection: &Connection) -> Found<Vec<(DeviceId, Vec<u8>)>> {
    let sql = "SELECT device_id, state FROM devices WHERE state IS NOT NULL ORDER BY device_id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([])?;
    let mut states = Vec::new();
    while let Some(row) = found.next()? {
        let name = rows::text(row, 0)?.ok_or_else(|| Trouble::Damage("a device has no name".to_owned()))?;
        states.push((rows::device_id(name)?, row.get(1)?));
    }
    Ok(states)
}
