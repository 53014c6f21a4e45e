//! What every bus adapter must do, as checks that run on any of them.
//!
//! Each check takes a function that makes a fresh, empty bus, and panics with what went wrong.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::{Batch, BusErrorKind, Message, Notes, Outcome, Published, Publisher, Subscriber};

/// Both ends of a fresh bus.
pub type Ends = (Arc<dyn Publisher>, Box<dyn Subscriber>);

/// Runs every check that holds for any transport.
pub async fn all(make: &impl AsyncFn() -> Ends) {
    messages_of_one_key_keep_their_order(make).await;
    settling_tells_the_publisher_each_outcome(make).await;
    released_messages_come_again(make).await;
    a_dropped_batch_is_not_lost(make).await;
    a_dropped_pull_takes_nothing_with_it(make).await;
    what_is_not_settled_is_counted(make).await;
    an_empty_publication_is_done_at_once(make).await;
}

/// Runs the checks of a bus that ends with its process.
pub async fn closing(make: &impl AsyncFn() -> Ends) {
    a_closed_bus_is_drained_before_it_ends(make).await;
    without_a_subscriber_publishers_are_told(make).await;
}

/// A message of one device with a number in it, for checks.
#[must_use]
pub fn message(device: &str, number: usize) -> Message {
    Message {
        ordering_key: Some(device.to_owned()),
        ..Message::new(format!("{device} {number}").into_bytes().into(), "conformance")
    }
}

/// The messages as they were sent. A transport between processes names itself as the way in, and that is all that it
/// may change.
fn as_sent(messages: &[Message]) -> Vec<Message> {
    let named = |it: &Message| Message {
        source: "conformance",
        ..it.clone()
    };
    messages.iter().map(named).collect()
}

/// Polls a future once, so that it begins; what it gives is dropped.
pub async fn poll_once<F: Future + Unpin>(future: &mut F) {
    poll_fn(|context| {
        drop(Pin::new(&mut *future).poll(context));
        Poll::Ready(())
    })
    .await;
}

/// Messages of one key are handed out in the order in which they were published.
pub async fn messages_of_one_key_keep_their_order(make: &impl AsyncFn() -> Ends) {
    let (publisher, mut subscriber) = make().await;
    let messages = (0..60).map(|it| message(["a", "b", "c"][it % 3], it / 3)).collect();
    let consuming = async {
        let mut seen: Vec<Message> = Vec::new();
        while seen.len() < 60 {
            seen.extend(settled(pull(&mut subscriber).await).await);
        }
        as_sent(&seen)
    };
    let (published, seen) = tokio::join!(publisher.publish(messages), consuming);
    published.expect("a publication is taken");
    for key in ["a", "b", "c"] {
        let of_key: Vec<Message> = seen
            .iter()
            .filter(|it| it.ordering_key.as_deref() == Some(key))
            .cloned()
            .collect();
        let expected: Vec<Message> = (0..20).map(|it| message(key, it)).collect();
        assert_eq!(of_key, expected, "the messages of {key} changed their order");
    }
}

/// A transport that waits for the consumer hands the outcomes back, one a message and in order.
pub async fn settling_tells_the_publisher_each_outcome(make: &impl AsyncFn() -> Ends) {
    let (publisher, mut subscriber) = make().await;
    let outcome_of = |payload: &[u8]| match payload {
        b"a 0" => Outcome::Stored(Notes {
            late: true,
            ..Notes::default()
        }),
        b"a 1" => Outcome::Duplicate,
        _ => Outcome::Stored(Notes::default()),
    };
    let messages: Vec<Message> = (0..3).map(|it| message("a", it)).collect();
    let expected: Vec<Outcome> = messages.iter().map(|it| outcome_of(&it.payload)).collect();
    let consuming = async {
        let mut n_seen = 0;
        while n_seen < 3 {
            let (messages, receipt) = pull(&mut subscriber).await.into_parts();
            n_seen += messages.len();
            let outcomes = messages.iter().map(|it| outcome_of(&it.payload)).collect();
            receipt.settle(outcomes).await.expect("a batch is settled");
        }
    };
    let (published, ()) = tokio::join!(publisher.publish(messages), consuming);
    match published.expect("a publication is taken") {
        Published::Settled(outcomes) => assert_eq!(outcomes, expected),
        Published::Queued => {}
    }
}

/// What the consumer gives back is handed out again, and the publisher waits on.
pub async fn released_messages_come_again(make: &impl AsyncFn() -> Ends) {
    let (publisher, mut subscriber) = make().await;
    let consuming = async {
        let first = pull(&mut subscriber).await;
        let messages = as_sent(&first.messages);
        first.release().await;
        let mut again = Vec::new();
        while again.len() < 2 {
            again.extend(settled(pull(&mut subscriber).await).await);
        }
        (messages, as_sent(&again))
    };
    let sent = vec![message("a", 0), message("a", 1)];
    let (published, (first, again)) = tokio::join!(publisher.publish(sent.clone()), consuming);
    published.expect("a release is no failure of the publication");
    assert!(sent.starts_with(&first), "{first:?} is not how {sent:?} begins");
    assert_eq!(again, sent);
}

/// A batch that is dropped, as when its consumer panics, is handed out again.
pub async fn a_dropped_batch_is_not_lost(make: &impl AsyncFn() -> Ends) {
    let (publisher, mut subscriber) = make().await;
    let consuming = async {
        drop(pull(&mut subscriber).await);
        let (messages, receipt) = pull(&mut subscriber).await.into_parts();
        drop(receipt);
        let again = settled(pull(&mut subscriber).await).await;
        (as_sent(&messages), as_sent(&again))
    };
    let (published, (messages, again)) = tokio::join!(publisher.publish(vec![message("a", 0)]), consuming);
    published.expect("a dropped batch is no failure of the publication");
    assert_eq!((messages, again), (vec![message("a", 0)], vec![message("a", 0)]));
}

/// A `pull` that is dropped while it waits, or just when a message comes, loses nothing.
pub async fn a_dropped_pull_takes_nothing_with_it(make: &impl AsyncFn() -> Ends) {
    let (publisher, mut subscriber) = make().await;
    {
        let mut pulling = pin!(subscriber.pull());
        poll_once(&mut pulling).await;
    }
    let mut publishing = pin!(publisher.publish(vec![message("a", 0)]));
    {
        let mut pulling = pin!(subscriber.pull());
        poll_once(&mut pulling).await;
        poll_once(&mut publishing).await;
    }
    let consuming = async { settled(pull(&mut subscriber).await).await };
    let (published, messages) = tokio::join!(publishing, consuming);
    published.expect("a publication is taken");
    assert_eq!(as_sent(&messages), [message("a", 0)]);
}

/// A message is counted from its receipt until it is settled or given back.
pub async fn what_is_not_settled_is_counted(make: &impl AsyncFn() -> Ends) {
    let (publisher, mut subscriber) = make().await;
    let lookout = subscriber.lookout();
    assert_eq!((lookout().messages, lookout().oldest_wait), (0, Duration::ZERO));
    assert!(lookout().capacity > 0, "there is no room");
    let consuming = async {
        let batch = pull(&mut subscriber).await;
        assert_eq!(lookout().messages, 1, "a message in hand is not counted");
        settled(batch).await;
        assert_eq!(lookout().messages, 0, "a message is counted after it was settled");
    };
    let (published, ()) = tokio::join!(publisher.publish(vec![message("a", 0)]), consuming);
    published.expect("a publication is taken");
    let giving_back = async {
        let batch = pull(&mut subscriber).await;
        assert_eq!(lookout().messages, 1, "a message in hand is not counted");
        // Or it would come again.
        drop(subscriber);
        batch.release().await;
        assert_eq!(lookout().messages, 0, "a message is counted after it was given back");
    };
    // Where nothing outlasts the subscriber this publication fails.
    let (_published, ()) = tokio::join!(publisher.publish(vec![message("a", 1)]), giving_back);
}

/// Publishing nothing neither waits nor reaches a consumer.
pub async fn an_empty_publication_is_done_at_once(make: &impl AsyncFn() -> Ends) {
    let (publisher, _subscriber) = make().await;
    let published = publisher.publish(Vec::new()).await.expect("nothing can be published");
    assert!(published == Published::Queued || published == Published::Settled(Vec::new()));
}

/// When every publisher is gone, what waits is handed out, and then the end.
pub async fn a_closed_bus_is_drained_before_it_ends(make: &impl AsyncFn() -> Ends) {
    let (publisher, mut subscriber) = make().await;
    {
        let mut publishing = pin!(publisher.publish(vec![message("a", 0), message("a", 1)]));
        poll_once(&mut publishing).await;
    }
    drop(publisher);
    let mut seen = Vec::new();
    while let Some(batch) = subscriber.pull().await.expect("a closed bus can be drained") {
        seen.extend(settled(batch).await);
    }
    assert_eq!(seen, [message("a", 0), message("a", 1)]);
}

/// When the subscriber goes, who waits is told that the consumer is gone, and who comes later that the bus is.
pub async fn without_a_subscriber_publishers_are_told(make: &impl AsyncFn() -> Ends) {
    let (publisher, mut subscriber) = make().await;
    let mut in_hand = pin!(publisher.publish(vec![message("a", 0)]));
    poll_once(&mut in_hand).await;
    let batch = pull(&mut subscriber).await;
    let mut waiting = pin!(publisher.publish(vec![message("b", 0)]));
    poll_once(&mut waiting).await;
    drop(subscriber);
    batch.release().await;
    for publication in [in_hand.await, waiting.await] {
        let failure = publication.expect_err("nobody stored it");
        assert_eq!(failure.kind, BusErrorKind::Unavailable, "{failure}");
    }
    let failure = publisher.publish(vec![message("c", 0)]).await;
    assert_eq!(failure.expect_err("nobody listens").kind, BusErrorKind::Closed);
}

async fn pull(subscriber: &mut Box<dyn Subscriber>) -> Batch {
    let batch = subscriber.pull().await.expect("the transport works");
    let batch = batch.expect("the bus is open");
    assert!(!batch.messages.is_empty(), "a batch without messages was handed out");
    batch
}

async fn settled(batch: Batch) -> Vec<Message> {
    let (messages, receipt) = batch.into_parts();
    let outcomes = vec![Outcome::Stored(Notes::default()); messages.len()];
    receipt.settle(outcomes).await.expect("a batch is settled");
    messages
}
