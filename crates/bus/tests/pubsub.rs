//! Pub/Sub keeps the promises of the port, on the emulator that PUBSUB_EMULATOR_HOST names.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use bus::conformance::{self, Ends};
use bus::pubsub::{Made, Options, PubsubPublisher, PubsubSubscriber, probe, setup};
use bus::{Batch, BusErrorKind, Message, Notes, Outcome, Publisher, Subscriber};

/// Names that no other test and no earlier run has used.
fn options() -> Options {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let host = std::env::var("PUBSUB_EMULATOR_HOST").expect("scripts/emulators start says what to set");
    let name = format!("t{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    Options {
        project: "hark-test".to_owned(),
        topic: format!("{name}-readings"),
        subscription: format!("{name}-consumers"),
        dead_letter_topic: format!("{name}-dead"),
        endpoint: Some(format!("http://{host}")),
        ordering: true,
        exactly_once: false,
        streams: 2,
        max_outstanding: 2_000,
        max_batch: 500,
        patience: Duration::from_secs(10),
        lease: Duration::from_secs(10),
    }
}

async fn ends(options: &Options) -> Ends {
    setup(options, false).await.unwrap();
    let publisher = PubsubPublisher::open(options.clone()).await.unwrap();
    let subscriber = PubsubSubscriber::open(options.clone()).await.unwrap();
    (Arc::new(publisher), Box::new(subscriber))
}

async fn settled(batch: Batch) -> Vec<Message> {
    let (messages, receipt) = batch.into_parts();
    let outcomes = vec![Outcome::Stored(Notes::default()); messages.len()];
    receipt.settle(outcomes).await.unwrap();
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn pubsub_keeps_the_promises_of_the_port() {
    conformance::all(&async || ends(&options()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_them_where_acknowledgements_are_confirmed() {
    conformance::all(&async || {
        let confirmed = Options {
            exactly_once: true,
            ..options()
        };
        ends(&confirmed).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_up_twice_makes_everything_once_and_a_dry_run_makes_nothing() {
    let options = options();
    let made = async |dry_run| -> Vec<Made> {
        let steps = setup(&options, dry_run).await.unwrap();
        steps.iter().map(|it| it.made).collect()
    };
    assert_eq!(made(true).await, [Made::Missing; 4]);
    assert_eq!(made(false).await, [Made::Created; 4]);
    assert_eq!(made(false).await, [Made::Existed; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_otherwise_than_configured_is_told() {
    let options = options();
    setup(&options, false).await.unwrap();
    let other = Options {
        ordering: false,
        ..options
    };
    let steps = setup(&other, false).await.unwrap();
    assert_eq!(
        steps[3].note,
        "message ordering is on, which cannot be changed any more"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_and_keys_travel_with_the_message() {
    let (publisher, mut subscriber) = ends(&options()).await;
    let attributes = BTreeMap::from([("device_type".to_owned(), "pump".to_owned())]);
    let sent = Message {
        attributes: attributes.clone(),
        ..conformance::message("a", 0)
    };
    publisher.publish(vec![sent]).await.unwrap();
    let messages = settled(subscriber.pull().await.unwrap().unwrap()).await;
    assert_eq!((messages[0].source, &messages[0].attributes), ("pubsub", &attributes));
    assert_eq!(messages[0].ordering_key.as_deref(), Some("a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_comes_back_and_no_consumer_sees_it() {
    let options = options();
    let (publisher, mut subscriber) = ends(&options).await;
    let found = probe(&options, "n1").await.unwrap();
    assert_eq!(found.subscription, "");
    assert!(found.taken_at.is_some());
    publisher.publish(vec![conformance::message("a", 0)]).await.unwrap();
    let messages = settled(subscriber.pull().await.unwrap().unwrap()).await;
    assert_eq!(messages[0].payload, conformance::message("a", 0).payload);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_told_with_how_to_make_it() {
    let options = options();
    let failure = PubsubSubscriber::open(options.clone()).await.err().unwrap();
    assert_eq!(failure.kind, BusErrorKind::Fatal);
    assert!(
        failure
            .to_string()
            .ends_with("hint: `hark setup` makes what is missing"),
        "{failure}"
    );
    let publisher = PubsubPublisher::open(options).await.unwrap();
    let failure = publisher.publish(vec![conformance::message("a", 0)]).await.unwrap_err();
    assert_eq!(failure.kind, BusErrorKind::Fatal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_away_is_unavailable() {
    let away = Options {
        endpoint: Some("http://127.0.0.1:9".to_owned()),
        ..options()
    };
    let failure = PubsubSubscriber::open(away).await.err().unwrap();
    assert_eq!(failure.kind, BusErrorKind::Unavailable, "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_off_comes_again_before_what_follows_it() {
    let (publisher, mut subscriber) = ends(&options()).await;
    let sent: Vec<Message> = (0..3).map(|nth| conformance::message("a", nth)).collect();
    publisher.publish(vec![sent[0].clone()]).await.unwrap();
    let (messages, mut receipt) = subscriber.pull().await.unwrap().unwrap().into_parts();
    let later = messages.into_iter().enumerate().collect();
    assert_eq!(receipt.put_off(later), []);
    receipt.settle(Vec::new()).await.unwrap();
    publisher.publish(sent[1..].to_vec()).await.unwrap();
    let mut came = Vec::new();
    while came.len() < sent.len() {
        came.extend(settled(subscriber.pull().await.unwrap().unwrap()).await);
    }
    let payloads = |of: &[Message]| of.iter().map(|it| it.payload.clone()).collect::<Vec<_>>();
    assert_eq!(payloads(&came), payloads(&sent));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backlog_tells_since_when_the_oldest_message_waits_in_the_service_and_here() {
    let options = Options {
        streams: 2,
        max_outstanding: 500,
        ..options()
    };
    setup(&options, false).await.unwrap();
    let publisher = PubsubPublisher::open(options.clone()).await.unwrap();
    let begun = SystemTime::now();
    publisher.publish(vec![conformance::message("a", 0)]).await.unwrap();
    let published = SystemTime::now();
    // It was opened after the message was published, so the wait in the service counts.
    let mut subscriber = PubsubSubscriber::open(options).await.unwrap();
    let lookout = subscriber.lookout();
    let (messages, mut receipt) = subscriber.pull().await.unwrap().unwrap().into_parts();
    let check_oldest = || {
        let backlog = lookout();
        assert_eq!((backlog.messages, backlog.capacity), (1, 500));
        let oldest = SystemTime::now() - backlog.oldest_wait;
        // The emulator tells whole milliseconds.
        let tick = Duration::from_millis(1);
        assert!(oldest >= begun - tick && oldest <= published + tick, "{oldest:?}");
    };
    check_oldest();
    assert_eq!(receipt.put_off(messages.into_iter().enumerate().collect()), []);
    receipt.settle(Vec::new()).await.unwrap();
    check_oldest();
    settled(subscriber.pull().await.unwrap().unwrap()).await;
    assert_eq!((lookout().messages, lookout().oldest_wait), (0, Duration::ZERO));
}

/// A message that no consumer can handle must not hold up the others for ever: after five deliveries the service itself sets
/// it aside, with its bytes and attributes. Without the order of keys, since with it the emulator delivers five times and
/// then keeps the message to itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_again_and_again_goes_to_the_dead_letter_topic_as_it_was() {
    let options = Options {
        ordering: false,
        ..options()
    };
    let (publisher, mut subscriber) = ends(&options).await;
    let dead = Options {
        topic: options.dead_letter_topic.clone(),
        subscription: options.dead_letter_topic.clone(),
        ..options.clone()
    };
    let mut set_aside = PubsubSubscriber::open(dead).await.unwrap();
    let poison = Message {
        payload: vec![0xff, 0, b'{'].into(),
        ordering_key: None,
        attributes: BTreeMap::from([("device_type".to_owned(), "pump".to_owned())]),
        ..conformance::message("a", 0)
    };
    publisher.publish(vec![poison.clone()]).await.unwrap();
    let mut n_deliveries = 0;
    let came = loop {
        tokio::select! {
            batch = subscriber.pull() => {
                let batch = batch.unwrap().unwrap();
                n_deliveries += batch.messages.len();
                batch.release().await;
            }
            batch = set_aside.pull() => break settled(batch.unwrap().unwrap()).await,
        }
    };
    assert_eq!(n_deliveries, 5);
    assert_eq!(came[0].payload, poison.payload);
    assert_eq!(came[0].attributes["device_type"], "pump");
    assert_eq!(came[0].attributes["CloudPubSubDeadLetterSourceDeliveryCount"], "5");
}
