//! BigQuery keeps the promises of the port, on the emulator that BIGQUERY_REST_ENDPOINT and BIGQUERY_GRPC_ENDPOINT name.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod proxy;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use domain::{Signal, Signals, TimeRange};
use warehouse::bigquery::{BigQueryWarehouse, Delivery, Made, Options, setup};
use warehouse::conformance::{self, Sample, commit_of};
use warehouse::{Stored, Warehouse, WarehouseErrorKind};

/// A dataset that no other test and no earlier run has used, and a writer that no other opening has.
fn options(delivery: Delivery) -> Options {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let address = |name| std::env::var(name).expect("scripts/emulators start says what to set");
    let nth = COUNT.fetch_add(1, Ordering::Relaxed);
    Options {
        project: "hark-test".to_owned(),
        dataset: format!("t{}_{nth}", std::process::id()),
        location: "US".to_owned(),
        rest_endpoint: Some(address("BIGQUERY_REST_ENDPOINT")),
        grpc_endpoint: Some(address("BIGQUERY_GRPC_ENDPOINT")),
        delivery,
        writer: "first".to_owned(),
    }
}

async fn fresh(delivery: Delivery) -> Arc<dyn Warehouse> {
    let options = options(delivery);
    setup(&options, &Signals::default(), false).await.unwrap();
    Arc::new(BigQueryWarehouse::open(options, Signals::default()).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn bigquery_keeps_the_promises_of_the_port() {
    conformance::all(&async || Box::pin(fresh(Delivery::ExactlyOnce)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_first_reading_by_the_default_stream_too() {
    conformance::the_first_reading_wins(&async || fresh(Delivery::AtLeastOnce).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_outlives_the_process_that_stored_it() {
    let options = options(Delivery::ExactlyOnce);
    setup(&options, &Signals::default(), false).await.unwrap();
    let first = BigQueryWarehouse::open(options.clone(), Signals::default())
        .await
        .unwrap();
    conformance::what_is_stored_outlives_a_reopening(Arc::new(first), async |first| {
        drop(first);
        let again = Options {
            writer: "second".to_owned(),
            ..options
        };
        let second = BigQueryWarehouse::open(again, Signals::default()).await.unwrap();
        Arc::new(second) as Arc<dyn Warehouse>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_two_writers_stored_is_read_once() {
    let options = options(Delivery::ExactlyOnce);
    setup(&options, &Signals::default(), false).await.unwrap();
    let second = Options {
        writer: "second".to_owned(),
        ..options.clone()
    };
    // Both look around while nothing is there, so neither knows of the other's reading.
    let one = BigQueryWarehouse::open(options, Signals::default()).await.unwrap();
    let other = BigQueryWarehouse::open(second, Signals::default()).await.unwrap();
    let first = Sample::new("a", 1).judged();
    let mut again = first.clone();
    again.received_at = again.received_at.plus_micros(1_000);
    assert_eq!(one.store(commit_of(vec![first.clone()])).await.unwrap(), [Stored::New]);
    assert_eq!(other.store(commit_of(vec![again])).await.unwrap(), [Stored::New]);
    assert_eq!(conformance::everything(&one).await, std::slice::from_ref(&first));
    assert_eq!(one.scan(TimeRange::ALL).next().await.unwrap().unwrap(), [first]);
    assert_eq!(one.activity(TimeRange::ALL).await.unwrap()[0].readings, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_up_twice_makes_everything_once_and_a_new_signal_adds_its_columns() {
    let options = options(Delivery::ExactlyOnce);
    let made = async |signals: &Signals, dry_run| -> Vec<Made> {
        let steps = setup(&options, signals, dry_run).await.unwrap();
        steps.iter().map(|it| it.made).collect()
    };
    let two = Signals::default();
    assert_eq!(made(&two, true).await, [Made::Missing; 10]);
    assert_eq!(made(&two, false).await, [Made::Created; 10]);
    assert_eq!(made(&two, false).await, [Made::Existed; 10]);
    let mut three = two.to_vec();
    three.insert(1, Signal::new("pressure", "bar"));
    let three = Signals::new(three).unwrap();
    let warehouse = BigQueryWarehouse::open(options.clone(), two.clone()).await.unwrap();
    warehouse
        .store(commit_of(vec![Sample::new("a", 1).judged()]))
        .await
        .unwrap();
    let narrow = BigQueryWarehouse::open_read_only(options.clone(), three.clone())
        .await
        .unwrap();
    let block = narrow.scan(TimeRange::ALL).next().await.unwrap().unwrap();
    assert_eq!(
        block[0].reading.values.iter().collect::<Vec<_>>(),
        [Some(20.5), None, Some(1.25)]
    );
    assert_eq!(
        made(&three, false).await[..5],
        [Made::Existed, Made::Mended, Made::Mended, Made::Mended, Made::Existed]
    );
    let wide = BigQueryWarehouse::open(options.clone(), three).await.unwrap();
    let page = conformance::everything(&wide).await;
    assert_eq!(
        page[0].reading.values.iter().collect::<Vec<_>>(),
        [Some(20.5), None, Some(1.25)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_told_with_how_to_make_it() {
    let options = options(Delivery::ExactlyOnce);
    let failure = BigQueryWarehouse::open(options.clone(), Signals::default())
        .await
        .err()
        .unwrap();
    assert_eq!(failure.kind, WarehouseErrorKind::Absent);
    assert!(
        failure
            .to_string()
            .ends_with("hint: `hark setup` makes what is missing"),
        "{failure}"
    );
    let away = Options {
        rest_endpoint: Some("http://127.0.0.1:9".to_owned()),
        ..options
    };
    let failure = BigQueryWarehouse::open(away, Signals::default()).await.err().unwrap();
    assert_eq!(failure.kind, WarehouseErrorKind::Retryable, "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_gets_lost_neither_loses_nor_doubles_a_row() {
    let mut options = options(Delivery::ExactlyOnce);
    setup(&options, &Signals::default(), false).await.unwrap();
    let proxy = proxy::Proxy::to(options.grpc_endpoint.as_ref().unwrap()).await;
    options.grpc_endpoint = Some(proxy.address.clone());
    let warehouse = BigQueryWarehouse::open(options, Signals::default()).await.unwrap();
    let mut n_lost = 0;
    for round in 0..12 {
        let readings = (0..50).map(|it| Sample::new("a", round * 50 + it).judged()).collect();
        proxy.lose_the_next_answer();
        let stored = warehouse.store(commit_of(readings)).await.unwrap();
        assert_eq!(stored, [Stored::New; 50]);
        n_lost += usize::from(proxy.has_lost_it());
    }
    assert_eq!(n_lost, 12, "answers were to get lost");
    // The rows as they lie in the table, not as they are read.
    let told = warehouse.check().await.unwrap();
    assert!(told.contains(": 600 readings of 1 devices"), "{told}");
}
