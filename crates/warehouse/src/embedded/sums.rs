//! Readings summed up: by time, by device, by score. One pass over the rows in the order in which they lie.

use std::collections::{BTreeMap, HashMap};

use domain::{DeviceId, TimeRange, Timestamp};
use rusqlite::{Connection, Row, params_from_iter, types::Value};

use super::failure::{Found, Trouble};
use super::schema::Layout;
use super::{pages, rows};
use crate::query::MAX_BUCKETS;
use crate::{Bucket, BucketQuery, DeviceActivity, ScoreBin, SignalStats};

pub(super) fn buckets(connection: &Connection, layout: &Layout, query: &BucketQuery) -> Found<Vec<Bucket>> {
    let width = i64::try_from(query.width.as_micros()).unwrap_or(i64::MAX);
    if width == 0 {
        return Err(Trouble::BadQuery(format!(
            "buckets of {:?} are too narrow, a microsecond is the least",
            query.width
        )));
    }
    let mut buckets = Vec::new();
    let mut open: Option<(i64, Sum)> = None;
    each_value(connection, layout, query.range, query.device_id.as_ref(), |row| {
        let start = row.get::<_, i64>(0)?.div_euclid(width).saturating_mul(width);
        if open.as_ref().is_none_or(|(at, _)| *at != start) {
            let fresh = (start, Sum::new(layout.signals.len()));
            close(open.replace(fresh), &mut buckets)?;
        }
        let (_, sum) = open.as_mut().expect("a bucket was opened just now");
        sum.add(row)
    })?;
    close(open, &mut buckets)?;
    Ok(buckets)
}

fn close(open: Option<(i64, Sum)>, buckets: &mut Vec<Bucket>) -> Found<()> {
    let Some((start, sum)) = open else {
        return Ok(());
    };
    too_many(buckets.len() as u64 + 1, "buckets")?;
    buckets.push(Bucket {
        start: Timestamp::from_micros(start),
        readings: sum.readings,
        anomalies: sum.anomalies,
        signals: sum.signals.into_iter().map(Extent::stats).collect(),
    });
    Ok(())
}

fn too_many(n_parts: u64, what: &str) -> Found<()> {
    if n_parts <= MAX_BUCKETS {
        return Ok(());
    }
    Err(Trouble::BadQuery(format!(
        "there would be more than {MAX_BUCKETS} {what}, ask for wider ones or for less time"
    )))
}

pub(super) fn activity(connection: &Connection, layout: &Layout, range: TimeRange) -> Found<Vec<DeviceActivity>> {
    let mut devices: HashMap<DeviceId, Sum> = HashMap::new();
    each_value(connection, layout, range, None, |row| {
        let name = rows::text(row, 1)?.unwrap_or_default();
        if let Some(sum) = devices.get_mut(name) {
            return sum.add(row);
        }
        let mut sum = Sum::new(layout.signals.len());
        sum.add(row)?;
        devices.insert(rows::device_id(name)?, sum);
        Ok(())
    })?;
    let mut activity: Vec<DeviceActivity> = devices
        .into_iter()
        .map(|(device_id, sum)| DeviceActivity {
            device_id,
            readings: sum.readings,
            judged: sum.judged,
            anomalies: sum.anomalies,
            signals: sum.signals.into_iter().map(Extent::stats).collect(),
        })
        .collect();
    activity.sort_by(|one, other| one.device_id.cmp(&other.device_id));
    Ok(activity)
}

pub(super) fn scores(connection: &Connection, range: TimeRange, width: f64) -> Found<Vec<ScoreBin>> {
    if !(width.is_finite() && width > 0.0) {
        return Err(Trouble::BadQuery(format!("{width} is no width of a bin of scores")));
    }
    let sql = "SELECT score, flag FROM sensor_readings
               WHERE timestamp >= ?1 AND timestamp < ?2 AND score IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([range.start.as_micros(), range.end.as_micros()])?;
    let mut bins: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    while let Some(row) = found.next()? {
        let nth = (row.get::<_, f64>(0)? / width).floor() as i64;
        let (readings, anomalies) = bins.entry(nth).or_default();
        *readings += 1;
        *anomalies += u64::from(row.get::<_, Option<bool>>(1)?.unwrap_or(false));
        too_many(bins.len() as u64, "bins")?;
    }
    let bin = |(nth, (readings, anomalies)): (i64, (u64, u64))| ScoreBin {
        low: nth as f64 * width,
        readings,
        anomalies,
    };
    Ok(bins.into_iter().map(bin).collect())
}

/// Calls `each` with timestamp, device, flag and the values of every reading, oldest first.
fn each_value(
    connection: &Connection,
    layout: &Layout,
    mut range: TimeRange,
    device_id: Option<&DeviceId>,
    mut each: impl FnMut(&Row<'_>) -> Found<()>,
) -> Found<()> {
    let mut sql = format!(
        "SELECT r.timestamp, r.device_id, r.flag, {} FROM sensor_readings r WHERE r.timestamp >= ? AND r.timestamp < ?",
        layout.values.join(", ")
    );
    let mut arguments: Vec<Value> = Vec::new();
    if let Some(device_id) = device_id {
        let Some(seen) = pages::seen(connection, device_id)? else {
            return Ok(());
        };
        range.start = range.start.max(seen.start);
        range.end = range.end.min(seen.end);
        sql += " AND r.device_id = ?";
        arguments.push(device_id.as_str().to_owned().into());
    }
    arguments.splice(0..0, [range.start.as_micros().into(), range.end.as_micros().into()]);
    sql += " ORDER BY r.timestamp, r.device_id";
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params_from_iter(arguments))?;
    while let Some(row) = found.next()? {
        each(row)?;
    }
    Ok(())
}

/// Readings counted, with the extent of each signal.
struct Sum {
    readings: u64,
    judged: u64,
    anomalies: u64,
    signals: Vec<Extent>,
}

impl Sum {
    fn new(n_signals: usize) -> Self {
        Self {
            readings: 0,
            judged: 0,
            anomalies: 0,
            signals: vec![Extent::NONE; n_signals],
        }
    }

    fn add(&mut self, row: &Row<'_>) -> Found<()> {
        self.readings += 1;
        let flag: Option<bool> = row.get(2)?;
        self.judged += u64::from(flag.is_some());
        self.anomalies += u64::from(flag.unwrap_or(false));
        for (nth, extent) in self.signals.iter_mut().enumerate() {
            if let Some(value) = row.get::<_, Option<f64>>(3 + nth)? {
                extent.add(value);
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
struct Extent {
    count: u64,
    min: f64,
    max: f64,
    sum: f64,
}

impl Extent {
    const NONE: Self = Self {
        count: 0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        sum: 0.0,
    };

    fn add(&mut self, value: f64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum += value;
    }

    fn stats(self) -> Option<SignalStats> {
        (self.count > 0).then(|| SignalStats {
            count: self.count,
            min: self.min,
            max: self.max,
            mean: self.sum / self.count as f64,
        })
    }
}
