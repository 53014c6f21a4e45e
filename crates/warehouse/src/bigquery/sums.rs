//! Readings summed up: by time, by device, by score.

use domain::{TimeRange, Timestamp};

use super::ask::Question;
use super::columns::Kind;
use super::rows::{self, Cells};
use super::{Core, IN_RANGE, ranged};
use crate::query::MAX_BUCKETS;
use crate::{Bucket, BucketQuery, DeviceActivity, ScoreBin, SignalStats, WarehouseError};

/// The widest bucket, far beyond the time that can be told, and small enough to add to any time.
const MAX_WIDTH: i64 = 1 << 61;

pub(super) async fn buckets(core: &Core, query: &BucketQuery) -> Result<Vec<Bucket>, WarehouseError> {
    let width = i64::try_from(query.width.as_micros())
        .unwrap_or(i64::MAX)
        .min(MAX_WIDTH);
    if width == 0 {
        return Err(WarehouseError::bad_query(format!(
            "buckets of {:?} are too narrow, a microsecond is the least",
            query.width
        )));
    }
    let of_device = if query.device_id.is_some() {
        " AND device_id = @device"
    } else {
        ""
    };
    let start = "UNIX_MICROS(timestamp) - MOD(MOD(UNIX_MICROS(timestamp), @width) + @width, @width)";
    let sql = format!(
        "SELECT start, {} FROM (SELECT *, {start} AS start FROM {}) GROUP BY start ORDER BY start LIMIT {}",
        summed(core),
        core.once(&format!("{IN_RANGE}{of_device}")),
        MAX_BUCKETS + 1,
    );
    let mut question = ranged(Question::new(sql), query.range).whole("width", width);
    if let Some(device_id) = &query.device_id {
        question = question.text("device", device_id.as_str());
    }
    let mut buckets = Vec::new();
    let asked = core.each(question, kinds(core, Kind::Instant), |mut cells| {
        let start = cells.whole().unwrap_or_default();
        let sum = Sum::read(&mut cells, core.signals.len());
        buckets.push(Bucket {
            start: Timestamp::from_micros(start),
            readings: sum.readings,
            anomalies: sum.anomalies,
            signals: sum.signals,
        });
        Ok(())
    });
    asked.await?;
    few(buckets, "buckets")
}

pub(super) async fn activity(core: &Core, range: TimeRange) -> Result<Vec<DeviceActivity>, WarehouseError> {
    let sql = format!(
        "SELECT device_id, {} FROM {} GROUP BY device_id",
        summed(core),
        core.once(IN_RANGE)
    );
    let mut activity = Vec::new();
    let question = ranged(Question::new(sql), range);
    let asked = core.each(question, kinds(core, Kind::Text), |mut cells| {
        let device_id = rows::device_id(cells.text())?;
        let sum = Sum::read(&mut cells, core.signals.len());
        activity.push(DeviceActivity {
            device_id,
            readings: sum.readings,
            judged: sum.judged,
            anomalies: sum.anomalies,
            signals: sum.signals,
        });
        Ok(())
    });
    asked.await?;
    activity.sort_by(|one, other| one.device_id.cmp(&other.device_id));
    Ok(activity)
}

pub(super) async fn scores(core: &Core, range: TimeRange, width: f64) -> Result<Vec<ScoreBin>, WarehouseError> {
    if !(width.is_finite() && width > 0.0) {
        return Err(WarehouseError::bad_query(format!(
            "{width} is no width of a bin of scores"
        )));
    }
    let sql = format!(
        "SELECT nth, COUNT(*), COUNTIF(flag) \
         FROM (SELECT CAST(FLOOR(score / @width) AS INT64) AS nth, flag FROM {} WHERE score IS NOT NULL) \
         GROUP BY nth ORDER BY nth LIMIT {}",
        core.once(IN_RANGE),
        MAX_BUCKETS + 1,
    );
    let question = ranged(Question::new(sql), range).number("width", width);
    let mut bins = Vec::new();
    let asked = core.each(question, [Kind::Whole; 3], |mut cells| {
        let nth = cells.whole().unwrap_or_default();
        let mut count = || cells.whole().unwrap_or_default().unsigned_abs();
        bins.push(ScoreBin {
            low: nth as f64 * width,
            readings: count(),
            anomalies: count(),
        });
        Ok(())
    });
    asked.await?;
    few(bins, "bins")
}

fn few<T>(parts: Vec<T>, what: &str) -> Result<Vec<T>, WarehouseError> {
    if parts.len() as u64 <= MAX_BUCKETS {
        return Ok(parts);
    }
    Err(WarehouseError::bad_query(format!(
        "there would be more than {MAX_BUCKETS} {what}, ask for wider ones or for less time"
    )))
}

/// What is summed up: readings, anomalies, and the extent of each signal.
fn summed(core: &Core) -> String {
    let mut parts = vec![
        "COUNT(*)".to_owned(),
        "COUNT(flag)".to_owned(),
        "COUNTIF(flag)".to_owned(),
    ];
    for signal in core.signals.iter() {
        let column = match core.present.contains(&signal.name) {
            true => format!("`{}`", signal.name),
            false => "CAST(NULL AS FLOAT64)".to_owned(),
        };
        parts.extend(["COUNT", "MIN", "MAX", "AVG"].map(|it| format!("{it}({column})")));
    }
    parts.join(", ")
}

fn kinds(core: &Core, first: Kind) -> Vec<Kind> {
    let mut kinds = vec![first, Kind::Whole, Kind::Whole, Kind::Whole];
    for _ in core.signals.iter() {
        kinds.extend([Kind::Whole, Kind::Number, Kind::Number, Kind::Number]);
    }
    kinds
}

struct Sum {
    readings: u64,
    judged: u64,
    anomalies: u64,
    signals: Vec<Option<SignalStats>>,
}

impl Sum {
    fn read(cells: &mut Cells, n_signals: usize) -> Self {
        let mut count = || cells.whole().unwrap_or_default().unsigned_abs();
        let (readings, judged, anomalies) = (count(), count(), count());
        let stats = |_| {
            let count = cells.whole().unwrap_or_default().unsigned_abs();
            let (min, max, mean) = (cells.number(), cells.number(), cells.number());
            Some(SignalStats {
                count,
                min: min?,
                max: max?,
                mean: mean?,
            })
        };
        Self {
            readings,
            judged,
            anomalies,
            signals: (0..n_signals).map(stats).collect(),
        }
    }
}
