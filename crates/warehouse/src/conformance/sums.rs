//! Sums of readings against the same sums made by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{DeviceId, Judged, TimeRange, Timestamp};

use super::reads::kept;
use super::sample::{commit_of, device, random};
use super::writes::store;
use crate::{BucketQuery, ScoreBin, SignalStats, Warehouse, WarehouseErrorKind};

/// Buckets, activity and scores of random readings are what adding them up by hand gives.
pub async fn sums_equal_brute_force(make: &impl AsyncFn() -> Arc<dyn Warehouse>, seed: u64) {
    let warehouse = make().await;
    let readings = random(seed, 300);
    store(&*warehouse, commit_of(readings.clone())).await;
    let range = TimeRange {
        start: Timestamp::from_secs(-8_000),
        end: Timestamp::from_secs(9_000),
    };
    let mut inside = kept(&readings);
    inside.retain(|it| range.contains(it.reading.timestamp));
    for name in [None, Some("pump 1")] {
        for width in [Duration::from_secs(1_000), Duration::from_millis(100_700)] {
            let query = BucketQuery {
                device_id: name.map(device),
                range,
                width,
            };
            check_buckets(&*warehouse, &query, &inside).await;
        }
    }
    check_activity(&*warehouse, range, &inside).await;
    check_scores(&*warehouse, range, &inside).await;
}

async fn check_buckets(warehouse: &dyn Warehouse, query: &BucketQuery, readings: &[Judged]) {
    let width = i64::try_from(query.width.as_micros()).expect("the width is small");
    let mut expected: BTreeMap<i64, Vec<&Judged>> = BTreeMap::new();
    for it in readings {
        if query.device_id.is_none() || query.device_id.as_ref() == Some(&it.reading.device_id) {
            let nth = it.reading.timestamp.as_micros().div_euclid(width);
            expected.entry(nth * width).or_default().push(it);
        }
    }
    let buckets = warehouse.buckets(query.clone()).await.expect("buckets can be made");
    let starts: Vec<i64> = buckets.iter().map(|it| it.start.as_micros()).collect();
    assert_eq!(starts, expected.keys().copied().collect::<Vec<_>>());
    for (bucket, readings) in buckets.iter().zip(expected.values()) {
        assert_eq!(bucket.readings, readings.len() as u64);
        assert_eq!(bucket.anomalies, n_anomalies(readings));
        check_stats(&bucket.signals, readings);
    }
}

async fn check_activity(warehouse: &dyn Warehouse, range: TimeRange, readings: &[Judged]) {
    let mut expected: BTreeMap<DeviceId, Vec<&Judged>> = BTreeMap::new();
    for it in readings {
        expected.entry(it.reading.device_id.clone()).or_default().push(it);
    }
    let activity = warehouse.activity(range).await.expect("activity can be summed up");
    let names: Vec<&DeviceId> = activity.iter().map(|it| &it.device_id).collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>());
    for (device, readings) in activity.iter().zip(expected.values()) {
        assert_eq!(device.readings, readings.len() as u64);
        let judged = readings.iter().filter(|it| it.verdict.is_some()).count();
        assert_eq!(device.judged, judged as u64);
        assert_eq!(device.anomalies, n_anomalies(readings));
        check_stats(&device.signals, readings);
    }
}

async fn check_scores(warehouse: &dyn Warehouse, range: TimeRange, readings: &[Judged]) {
    let width = 0.02;
    let mut expected: BTreeMap<i64, ScoreBin> = BTreeMap::new();
    for verdict in readings.iter().filter_map(|it| it.verdict.as_ref()) {
        let nth = (verdict.score / width).floor() as i64;
        let bin = expected.entry(nth).or_insert(ScoreBin {
            low: nth as f64 * width,
            readings: 0,
            anomalies: 0,
        });
        bin.readings += 1;
        bin.anomalies += u64::from(verdict.is_anomaly);
    }
    let bins = warehouse.scores(range, width).await.expect("scores can be counted");
    assert_eq!(bins, expected.into_values().collect::<Vec<_>>());
}

fn n_anomalies(readings: &[&Judged]) -> u64 {
    let anomalous = |it: &&&Judged| it.verdict.as_ref().is_some_and(|it| it.is_anomaly);
    readings.iter().filter(anomalous).count() as u64
}

#[track_caller]
fn check_stats(stats: &[Option<SignalStats>], readings: &[&Judged]) {
    for (nth, stats) in stats.iter().enumerate() {
        let values: Vec<f64> = readings.iter().filter_map(|it| it.reading.values.get(nth)).collect();
        let Some(stats) = stats else {
            assert!(values.is_empty(), "{values:?} were not summed up");
            continue;
        };
        let (min, max) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), &it| {
                (min.min(it), max.max(it))
            });
        assert_eq!((stats.count, stats.min, stats.max), (values.len() as u64, min, max));
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        assert!(
            (stats.mean - mean).abs() <= 1e-9 * mean.abs().max(1.0),
            "{} is not {mean}",
            stats.mean
        );
    }
}

/// A width of nothing, too many buckets, and a bin that is no number are the caller's mistakes.
pub async fn buckets_are_refused_without_a_sensible_width(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let readings = (0..10_001).map(|it| super::Sample::new("a", it).judged()).collect();
    store(&*warehouse, commit_of(readings)).await;
    for width in [Duration::ZERO, Duration::from_secs(1)] {
        let query = BucketQuery {
            device_id: None,
            range: TimeRange::ALL,
            width,
        };
        let failure = warehouse.buckets(query).await.expect_err("it makes no sense");
        assert_eq!(failure.kind, WarehouseErrorKind::BadQuery, "{failure}");
    }
    for width in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let failure = warehouse
            .scores(TimeRange::ALL, width)
            .await
            .expect_err("it makes no sense");
        assert_eq!(failure.kind, WarehouseErrorKind::BadQuery, "{failure}");
    }
    let whole = BucketQuery {
        device_id: None,
        range: TimeRange::ALL,
        width: Duration::MAX,
    };
    let buckets = warehouse.buckets(whole).await.expect("one bucket holds everything");
    assert_eq!(buckets.iter().map(|it| it.readings).sum::<u64>(), 10_001);
}
