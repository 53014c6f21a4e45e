//! What becomes of what is stored.

use std::sync::Arc;

use domain::{DeadLetter, Judged, Rejection, RejectionCode, TimeRange, Timestamp};

use super::sample::{Sample, commit_of, device};
use crate::{Commit, Cursor, DeadLetterQuery, Device, DeviceUpdate, ReadingQuery, Stored, Warehouse};

/// Every reading of a warehouse, oldest first.
pub async fn everything(warehouse: &dyn Warehouse) -> Vec<Judged> {
    let query = ReadingQuery {
        device_id: None,
        range: TimeRange::ALL,
        anomalies_only: false,
        newest_first: false,
        limit: usize::MAX,
        after: None::<Cursor>,
    };
    warehouse.readings(query).await.expect("readings can be read").items
}

pub(super) async fn store(warehouse: &dyn Warehouse, commit: Commit) -> Vec<Stored> {
    warehouse.store(commit).await.expect("a commit can be stored")
}

async fn one_device(warehouse: &dyn Warehouse, name: &str) -> Device {
    let found = warehouse.device(&device(name)).await.expect("devices can be read");
    found.unwrap_or_else(|| panic!("the device {name} is not known"))
}

/// A reading comes back with every field as it was: values that were not sent stay missing, and so does a verdict.
pub async fn what_is_stored_is_read_back(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let mut bare = Sample::new("bare", 2).judged();
    bare.reading.location = None;
    bare.reading.device_type = None;
    let mut ancient = Sample::new("ancient", 0).judged();
    ancient.reading.timestamp = Timestamp::MIN;
    let readings = vec![
        ancient,
        Sample {
            score: Some(-0.5),
            ..Sample::new("odd", 1)
        }
        .judged(),
        bare,
        Sample {
            temperature: None,
            score: Some(0.125),
            ..Sample::new("half", 3)
        }
        .judged(),
        Judged {
            late: true,
            ..Sample::new("late", 4).judged()
        },
        Judged {
            clock_suspect: true,
            ..Sample::new("suspect", 5).judged()
        },
    ];
    let stored = store(&*warehouse, commit_of(readings.clone())).await;
    assert_eq!(stored, [Stored::New; 6]);
    assert_eq!(everything(&*warehouse).await, readings);
    let states = warehouse.device_states().await.expect("states can be read");
    assert_eq!(states.len(), 6);
    let odd = (device("odd"), b"state at 1970-01-01T00:00:01Z".to_vec());
    assert!(states.contains(&odd));
    let asked = [odd.0.clone(), device("never heard")];
    let states = warehouse.device_states_of(&asked).await.expect("states can be read");
    assert_eq!(states, [odd]);
    let line = warehouse.check().await.expect("a sound warehouse is found sound");
    assert!(line.contains('6'), "{line} does not count 6 readings");
}

/// The first reading of an identity stays, within a commit and across commits, and counts once.
pub async fn the_first_reading_wins(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let first = Sample::new("a", 1).judged();
    let second = Sample {
        temperature: Some(99.0),
        ..Sample::new("a", 1)
    }
    .judged();
    let other = Sample::new("b", 1).judged();
    let together = commit_of(vec![first.clone(), second.clone(), other.clone()]);
    let stored = store(&*warehouse, together).await;
    assert_eq!(stored, [Stored::New, Stored::Duplicate, Stored::New]);
    let stored = store(&*warehouse, commit_of(vec![second])).await;
    assert_eq!(stored, [Stored::Duplicate]);
    assert_eq!(everything(&*warehouse).await, [first.clone(), other]);
    let known = one_device(&*warehouse, "a").await;
    assert_eq!((known.readings, known.last), (1, Some(first)));
}

/// A commit with a reading that cannot be stored leaves nothing behind, and does no harm to others at the same time.
pub async fn a_commit_is_stored_whole_or_not_at_all(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let mut bad = Sample {
        score: Some(0.5),
        ..Sample::new("bad", 2)
    }
    .judged();
    if let Some(verdict) = &mut bad.verdict {
        verdict.score = f64::NAN;
    }
    let mut commit = commit_of(vec![Sample::new("good", 1).judged(), bad]);
    commit.dead_letters.push(DeadLetter {
        received_at: Timestamp::EPOCH,
        source: "http".to_owned(),
        payload: b"{".to_vec(),
        rejection: Rejection::whole(RejectionCode::MalformedJson, "cut"),
    });
    let (refused, taken) = tokio::join!(
        warehouse.store(commit),
        warehouse.store(commit_of(vec![Sample::new("other", 3).judged()]))
    );
    refused.expect_err("a score that is no number is refused");
    assert_eq!(taken.expect("the other commit is sound"), [Stored::New]);
    assert_eq!(everything(&*warehouse).await, [Sample::new("other", 3).judged()]);
    assert_eq!(warehouse.devices().await.expect("devices can be read").len(), 1);
    let query = DeadLetterQuery {
        code: None,
        limit: 10,
        after: None,
    };
    let letters = warehouse.dead_letters(query).await.expect("dead letters can be read");
    assert!(letters.items.is_empty());
}

/// An update without a place or kind leaves what is known, and the server's clock only moves a device forward.
pub async fn a_device_keeps_what_is_known_of_it(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let first = Sample::new("a", 100).judged();
    store(&*warehouse, commit_of(vec![first.clone()])).await;
    let late = Judged {
        late: true,
        ..Sample::new("a", 50).judged()
    };
    let update = DeviceUpdate {
        device_id: device("a"),
        location: None,
        device_type: None,
        received_at: Timestamp::from_secs(90),
        state: b"newer".to_vec(),
    };
    let commit = Commit {
        readings: vec![late],
        devices: vec![update],
        ..Commit::default()
    };
    store(&*warehouse, commit).await;
    let known = one_device(&*warehouse, "a").await;
    assert_eq!(Some(&known.location), first.reading.location.as_deref());
    assert_eq!(known.device_type.as_deref(), Some("temp_vibration_sensor"));
    assert_eq!(
        (known.first_received_at, known.last_received_at),
        (first.received_at, first.received_at)
    );
    assert_eq!(
        (known.readings, known.last),
        (2, Some(first)),
        "a late reading became the last"
    );
    let states = warehouse.device_states().await.expect("states can be read");
    assert_eq!(states, [(device("a"), b"newer".to_vec())]);
    assert_eq!(warehouse.device(&device("b")).await.expect("devices can be read"), None);
}

/// A reading whose device the commit does not mention makes the device known, without a state.
pub async fn a_device_without_an_update_is_known(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let commit = Commit {
        readings: vec![Sample::new("b", 2).judged(), Sample::new("a", 1).judged()],
        ..Commit::default()
    };
    store(&*warehouse, commit).await;
    let devices = warehouse.devices().await.expect("devices can be read");
    let names: Vec<&str> = devices.iter().map(|it| it.device_id.as_str()).collect();
    assert_eq!(names, ["a", "b"], "devices come by name");
    assert_eq!(devices[0].last, Some(Sample::new("a", 1).judged()));
    assert!(warehouse.device_states().await.expect("states can be read").is_empty());
}

/// A reading from an unbelievable future is stored and counted, and is not the last one.
pub async fn suspect_clocks_do_not_move_the_last_reading(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let suspect = Judged {
        clock_suspect: true,
        ..Sample::new("a", 9_000_000_000).judged()
    };
    store(&*warehouse, commit_of(vec![suspect])).await;
    assert_eq!(one_device(&*warehouse, "a").await.last, None);
    let sound = Sample::new("a", 10).judged();
    store(&*warehouse, commit_of(vec![sound.clone()])).await;
    let known = one_device(&*warehouse, "a").await;
    assert_eq!((known.readings, known.last), (2, Some(sound)));
}

/// Names that try to be SQL, paths or markup are stored and asked for like any other.
pub async fn hostile_device_names_are_names(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let names = [
        "'; DROP TABLE devices; --",
        "\" OR \"1\"=\"1",
        "' OR '1'='1",
        "x') UNION SELECT sql FROM sqlite_schema --",
        "%",
        "_",
        "../../etc/passwd",
        "<img src=x onerror=alert(1)>",
        "{{7*7}}",
        "=cmd|' /C calc'!A0",
        "a b",
        "12 34",
        "-1",
        "NULL",
        "?1",
        ":device_id",
        "$1",
        "Süd 🔧",
        "\\",
    ];
    let warehouse = make().await;
    let readings: Vec<Judged> = names.iter().map(|it| Sample::new(it, 1).judged()).collect();
    store(&*warehouse, commit_of(readings)).await;
    for name in names {
        let known = one_device(&*warehouse, name).await;
        assert_eq!((known.device_id.as_str(), known.readings), (name, 1));
        let query = ReadingQuery {
            device_id: Some(device(name)),
            range: TimeRange::ALL,
            anomalies_only: false,
            newest_first: true,
            limit: 10,
            after: None,
        };
        let page = warehouse.readings(query).await.expect("readings can be read");
        assert_eq!(page.items, [Sample::new(name, 1).judged()]);
    }
}

/// Old readings go, newer ones and what came only just now stay, and so do the devices.
pub async fn old_readings_are_dropped(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let mut readings: Vec<Judged> = (0..12_000).map(|it| Sample::new("a", it).judged()).collect();
    readings[3].received_at = Timestamp::from_secs(1_000_000);
    store(&*warehouse, commit_of(readings.clone())).await;
    let n_dropped = warehouse.drop_before(Timestamp::from_secs(11_990)).await;
    assert_eq!(n_dropped.expect("old readings can be dropped"), 11_989);
    let mut expected = vec![readings[3].clone()];
    expected.extend_from_slice(&readings[11_990..]);
    assert_eq!(everything(&*warehouse).await, expected);
    assert_eq!(one_device(&*warehouse, "a").await.readings, 12_000);
    let n_dropped = warehouse.drop_before(Timestamp::from_secs(11_990)).await;
    assert_eq!(n_dropped.expect("dropping again does nothing"), 0);
}

/// Whatever was stored is there after the warehouse was closed and opened again; the first reading still wins.
pub async fn what_is_stored_outlives_a_reopening(
    first: Arc<dyn Warehouse>,
    reopen: impl AsyncFnOnce(Arc<dyn Warehouse>) -> Arc<dyn Warehouse>,
) {
    let readings: Vec<Judged> = (0..100).map(|it| Sample::new("a", it).judged()).collect();
    store(&*first, commit_of(readings.clone())).await;
    let devices = first.devices().await.expect("devices can be read");
    let states = first.device_states().await.expect("states can be read");
    let second = reopen(first).await;
    assert_eq!(everything(&*second).await, readings);
    assert_eq!(second.devices().await.expect("devices can be read"), devices);
    assert_eq!(second.device_states().await.expect("states can be read"), states);
    let stored = store(&*second, commit_of(vec![Sample::new("a", 5).judged()])).await;
    assert_eq!(stored, [Stored::Duplicate]);
}
