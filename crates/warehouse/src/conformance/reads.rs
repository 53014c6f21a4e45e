//! Lists of readings, in pages and in scans.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Judged, TimeRange, Timestamp};

use super::sample::{Sample, commit_of, device, random};
use super::writes::store;
use crate::{Cursor, ReadingQuery, Scan, Warehouse, WarehouseErrorKind};

fn query() -> ReadingQuery {
    ReadingQuery {
        device_id: None,
        range: TimeRange::ALL,
        anomalies_only: false,
        newest_first: false,
        limit: 7,
        after: None,
    }
}

/// The readings that a warehouse keeps of these, in their order.
pub(super) fn kept(readings: &[Judged]) -> Vec<Judged> {
    let mut kept = BTreeMap::new();
    for judged in readings {
        let identity = (judged.reading.timestamp, judged.reading.device_id.clone());
        kept.entry(identity).or_insert_with(|| judged.clone());
    }
    kept.into_values().collect()
}

async fn pages(warehouse: &dyn Warehouse, mut query: ReadingQuery) -> Vec<Judged> {
    let mut all = Vec::new();
    loop {
        let page = warehouse.readings(query.clone()).await.expect("readings can be read");
        assert!(page.items.len() <= query.limit, "a page holds more than was asked for");
        all.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return all,
        }
    }
}

/// Pages follow on each other without a gap or a double, in both directions, whatever is inserted meanwhile.
pub async fn pages_tell_every_reading_once_and_in_order(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let readings = random(7, 300);
    store(&*warehouse, commit_of(readings.clone())).await;
    let mut expected = kept(&readings);
    assert_eq!(pages(&*warehouse, query()).await, expected);
    let newest_first = ReadingQuery {
        newest_first: true,
        ..query()
    };
    let first = warehouse
        .readings(newest_first.clone())
        .await
        .expect("readings can be read");
    let newer = (0..50).map(|it| Sample::new("new", 100_000 + it).judged()).collect();
    store(&*warehouse, commit_of(newer)).await;
    let rest = ReadingQuery {
        after: first.next,
        ..newest_first
    };
    let mut seen = first.items;
    seen.extend(pages(&*warehouse, rest).await);
    expected.reverse();
    assert_eq!(seen, expected);
}

/// A cursor that the warehouse did not make is the caller's mistake.
pub async fn a_strange_cursor_is_refused(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    for text in ["", "x", "1e9 a", "99999999999999999999 a"] {
        let strange = ReadingQuery {
            after: Some(Cursor(text.to_owned())),
            ..query()
        };
        let failure = warehouse.readings(strange).await.expect_err("it is no cursor");
        assert_eq!(failure.kind, WarehouseErrorKind::BadQuery, "{failure}");
    }
}

/// Device, range and verdict choose among readings, together and with pages.
pub async fn readings_can_be_filtered(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let readings = random(11, 400);
    store(&*warehouse, commit_of(readings.clone())).await;
    let range = TimeRange {
        start: Timestamp::from_secs(-5_000),
        end: Timestamp::from_secs(6_000),
    };
    for (name, anomalies_only, newest_first) in [
        (Some("pump 1"), false, false),
        (Some("pump 2"), true, true),
        (Some("nobody"), false, false),
        (None, true, false),
        (None, true, true),
    ] {
        let chosen = ReadingQuery {
            device_id: name.map(device),
            range,
            anomalies_only,
            newest_first,
            ..query()
        };
        let mut expected = kept(&readings);
        expected.retain(|it| {
            range.contains(it.reading.timestamp)
                && name.is_none_or(|name| it.reading.device_id.as_str() == name)
                && (!anomalies_only || it.verdict.as_ref().is_some_and(|it| it.is_anomaly))
        });
        if newest_first {
            expected.reverse();
        }
        assert_eq!(pages(&*warehouse, chosen.clone()).await, expected, "{chosen:?}");
    }
    let none = ReadingQuery { limit: 0, ..query() };
    let page = warehouse.readings(none).await.expect("readings can be read");
    assert_eq!((page.items.len(), page.next), (0, None));
}

async fn rest_of(scan: &mut Box<dyn Scan>) -> Vec<Judged> {
    let mut all = Vec::new();
    while let Some(block) = scan.next().await.expect("a scan can be read") {
        assert!(!block.is_empty(), "a block without readings was handed out");
        all.extend(block);
    }
    all
}

/// A scan hands out the readings of its range in order, and then ends for good.
pub async fn a_scan_tells_every_reading_once_and_in_order(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    assert!(rest_of(&mut warehouse.scan(TimeRange::ALL)).await.is_empty());
    let readings = random(3, 400);
    store(&*warehouse, commit_of(readings.clone())).await;
    let range = TimeRange {
        start: Timestamp::from_secs(-2_000),
        end: Timestamp::from_secs(2_000),
    };
    let mut scan = warehouse.scan(range);
    let mut expected = kept(&readings);
    expected.retain(|it| range.contains(it.reading.timestamp));
    assert_eq!(rest_of(&mut scan).await, expected);
    assert_eq!(scan.next().await.expect("an ended scan stays ended"), None);
}

/// Readings that come during a scan of many blocks neither disturb it nor wait for it.
pub async fn a_scan_under_way_bears_newer_readings(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let n_readings = 25_000;
    let readings = (0..n_readings).map(|it| Sample::new("a", it).judged()).collect();
    store(&*warehouse, commit_of(readings)).await;
    let range = TimeRange {
        end: Timestamp::from_secs(n_readings),
        ..TimeRange::ALL
    };
    let mut scan = warehouse.scan(range);
    let mut seen = scan
        .next()
        .await
        .expect("a scan can be read")
        .expect("there are readings");
    let newer = (0..10).map(|it| Sample::new("a", n_readings + it).judged()).collect();
    store(&*warehouse, commit_of(newer)).await;
    seen.extend(rest_of(&mut scan).await);
    let times: Vec<i64> = seen.iter().map(|it| it.reading.timestamp.as_secs()).collect();
    assert_eq!(times, (0..n_readings).collect::<Vec<_>>());
}
