//! What happened to a device before that was most like what happens to it now.

use domain::{Incident, TimeRange, Timestamp};
use warehouse::{IncidentQuery, StoredIncident, Warehouse, WarehouseError};

/// Among so many past incidents of a device the nearest are sought, and so many are told.
const PAST: usize = 200;
const NEAREST: usize = 5;

/// The past incidents of the same device that are most like this one, with their distances: 0 is the very same.
///
/// # Errors
/// When the warehouse cannot be read.
pub(crate) async fn nearest(
    warehouse: &dyn Warehouse,
    incident: &Incident,
    now: Timestamp,
) -> Result<Vec<(f64, StoredIncident)>, WarehouseError> {
    let past = IncidentQuery {
        device_id: Some(incident.device_id.clone()),
        range: TimeRange {
            start: Timestamp::MIN,
            end: incident.began,
        },
        ..IncidentQuery::all(now, PAST)
    };
    let past = warehouse.incidents(past).await?.items.into_iter();
    let mut near: Vec<(f64, StoredIncident)> = past.map(|it| (incident.distance(&it.incident), it)).collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    near.truncate(NEAREST);
    Ok(near)
}
