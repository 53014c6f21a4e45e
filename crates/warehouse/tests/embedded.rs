//! The embedded warehouse keeps the promises of the port, and a few of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::{DeadLetter, Judged, Rejection, RejectionCode, Signal, Signals, TimeRange, Timestamp};
use proptest::prelude::*;
use tempfile::TempDir;
use warehouse::conformance::{self, Sample, commit_of, device};
use warehouse::embedded::{EmbeddedWarehouse, Options};
use warehouse::{Commit, DeadLetterQuery, Stored, Warehouse, WarehouseErrorKind};

fn open(dir: &Path) -> Arc<dyn Warehouse> {
    let opened = EmbeddedWarehouse::open(dir, Signals::default(), &Options::default());
    Arc::new(opened.expect("the folder is sound"))
}

/// Three signals: the two of old and one that is new.
fn three_signals() -> Signals {
    let mut signals = Signals::default().to_vec();
    signals.insert(1, Signal::new("pressure", "bar"));
    Signals::new(signals).expect("the names are fit")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_warehouse_keeps_the_promises_of_the_port() {
    let root = TempDir::new().unwrap();
    let n_made = AtomicU64::new(0);
    conformance::all(&async || {
        let nth = n_made.fetch_add(1, Ordering::Relaxed);
        open(&root.path().join(nth.to_string()))
    })
    .await;
}

#[tokio::test]
async fn it_keeps_everything_when_it_is_opened_again() {
    let dir = TempDir::new().unwrap();
    let first = open(dir.path());
    conformance::what_is_stored_outlives_a_reopening(first, async |first| {
        drop(first);
        open(dir.path())
    })
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn sums_equal_brute_force_for_any_seed(seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dir = TempDir::new().unwrap();
        runtime.block_on(conformance::sums_equal_brute_force(&async || open(dir.path()), seed));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_at_the_same_time_are_each_answered_with_their_own_outcome() {
    let dir = TempDir::new().unwrap();
    let warehouse = open(dir.path());
    let mut storing = tokio::task::JoinSet::new();
    for nth in 0..40 {
        let warehouse = Arc::clone(&warehouse);
        storing.spawn(async move {
            // Every commit has one reading of its own and one that all have.
            let own = Sample::new("a", 1 + nth).judged();
            let shared = Sample::new("shared", 0).judged();
            warehouse.store(commit_of(vec![own, shared])).await.unwrap()
        });
    }
    let outcomes = storing.join_all().await;
    assert!(outcomes.iter().all(|it| it.len() == 2 && it[0] == Stored::New));
    assert_eq!(outcomes.iter().filter(|it| it[1] == Stored::New).count(), 1);
    assert_eq!(warehouse.device(&device("a")).await.unwrap().unwrap().readings, 40);
}

#[tokio::test]
async fn a_second_writer_is_refused_at_once_and_a_reader_is_not() {
    let dir = TempDir::new().unwrap();
    let writer = open(dir.path());
    writer
        .store(commit_of(vec![Sample::new("a", 1).judged()]))
        .await
        .unwrap();
    let failure = EmbeddedWarehouse::open(dir.path(), Signals::default(), &Options::default())
        .err()
        .unwrap();
    assert_eq!(failure.kind, WarehouseErrorKind::Held);
    assert!(
        failure.to_string().contains(&format!("process {}", std::process::id())),
        "{failure}"
    );

    let reader = EmbeddedWarehouse::open_read_only(dir.path(), three_signals(), &Options::default()).unwrap();
    writer
        .store(commit_of(vec![Sample::new("a", 2).judged()]))
        .await
        .unwrap();
    let block = reader.scan(TimeRange::ALL).next().await.unwrap().unwrap();
    let values: Vec<_> = block[1].reading.values.iter().collect();
    assert_eq!((block.len(), values), (2, vec![Some(20.5), None, Some(1.25)]));
    let failure = reader.store(Commit::default()).await.unwrap_err();
    assert_eq!(failure.kind, WarehouseErrorKind::Fatal);
    assert!(
        failure.to_string().ends_with("was opened for reading only"),
        "{failure}"
    );
}

#[tokio::test]
async fn reading_a_folder_without_a_warehouse_fails_and_leaves_it_empty() {
    let dir = TempDir::new().unwrap();
    let opened = EmbeddedWarehouse::open_read_only(dir.path(), Signals::default(), &Options::default());
    assert!(opened.err().unwrap().to_string().contains("there is no warehouse at"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_new_signal_gets_its_columns_and_an_old_one_keeps_them() {
    let dir = TempDir::new().unwrap();
    let odd = Sample {
        score: Some(-0.5),
        ..Sample::new("a", 1)
    };
    let warehouse = open(dir.path());
    warehouse.store(commit_of(vec![odd.judged()])).await.unwrap();
    drop(warehouse);

    let warehouse = EmbeddedWarehouse::open(dir.path(), three_signals(), &Options::default()).unwrap();
    let block = warehouse.scan(TimeRange::ALL).next().await.unwrap().unwrap();
    let values: Vec<_> = block[0].reading.values.iter().collect();
    assert_eq!(values, [Some(20.5), None, Some(1.25)]);
    let failure = warehouse.store(commit_of(vec![odd.judged()])).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "the reading of a at 1970-01-01T00:00:01Z has 2 values for 3 signals"
    );
    drop(warehouse);

    let one = Signals::new(vec![Signal::new("pressure", "bar")]).unwrap();
    drop(EmbeddedWarehouse::open(dir.path(), one, &Options::default()).unwrap());
    assert_eq!(conformance::everything(&*open(dir.path())).await, [odd.judged()]);
}

#[tokio::test]
async fn the_oldest_dead_letters_give_way_and_are_counted() {
    let dir = TempDir::new().unwrap();
    let letter = |nth: usize| DeadLetter {
        received_at: Timestamp::EPOCH,
        source: "http".to_owned(),
        payload: vec![b'x'; 100],
        rejection: Rejection::whole(RejectionCode::TooLarge, format!("letter {nth}")),
    };
    let all = || DeadLetterQuery {
        code: None,
        limit: 100,
        after: None,
    };
    let by_number = Options {
        dead_letters_max: 10,
        ..Options::default()
    };
    let warehouse = EmbeddedWarehouse::open(dir.path(), Signals::default(), &by_number).unwrap();
    for first in [0, 12] {
        let commit = Commit {
            dead_letters: (first..first + 12).map(letter).collect(),
            ..Commit::default()
        };
        warehouse.store(commit).await.unwrap();
    }
    let kept: Vec<DeadLetter> = (14..24).rev().map(letter).collect();
    let page = warehouse.dead_letters(all()).await.unwrap();
    assert_eq!(page.items.into_iter().map(|it| it.letter).collect::<Vec<_>>(), kept);
    assert_eq!(warehouse.dropped_dead_letters(), 14);
    drop(warehouse);

    let by_bytes = Options {
        dead_letter_bytes_max: 450,
        ..Options::default()
    };
    let warehouse = EmbeddedWarehouse::open(dir.path(), Signals::default(), &by_bytes).unwrap();
    let commit = Commit {
        dead_letters: vec![letter(24)],
        ..Commit::default()
    };
    warehouse.store(commit).await.unwrap();
    assert_eq!(warehouse.dead_letters(all()).await.unwrap().items.len(), 4);
    assert_eq!(warehouse.dropped_dead_letters(), 7);
}

#[tokio::test]
async fn notebooks_see_times_as_text_to_the_microsecond() {
    let dir = TempDir::new().unwrap();
    let warehouse = open(dir.path());
    let mut before_1970 = Sample::new("a", 0).judged();
    before_1970.reading.timestamp = Timestamp::from_micros(-1);
    let readings: Vec<Judged> = vec![before_1970, Sample::new("b", 1_754_474_400).judged()];
    warehouse.store(commit_of(readings)).await.unwrap();
    let notebook = rusqlite::Connection::open(dir.path().join("hark.db")).unwrap();
    let mut statement = notebook
        .prepare("SELECT timestamp, received_at, temperature FROM readings ORDER BY timestamp")
        .unwrap();
    let rows: Vec<(String, String, f64)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let expected = [
        ("1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00.250000Z"),
        ("2025-08-06T10:00:00.000000Z", "2025-08-06T10:00:00.250000Z"),
    ];
    assert_eq!(
        rows,
        expected.map(|(at, received)| (at.to_owned(), received.to_owned(), 20.5))
    );
}
