//! The embedded bus: a bounded queue inside the process.
//!
//! It keeps nothing of its own. A publisher waits until a consumer has committed its messages to the warehouse, so
//! there is no second store that could lose them or disagree: when the process dies, every message either is in the
//! warehouse or was never acknowledged.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{self, Instant};

use crate::ledger::{Entry, Ledger};
use crate::{
    Backlog, Batch, BusError, BusErrorKind, Lookout, Message, Outcome, Published, Publisher, Receipt, Subscriber,
};

/// How much an embedded bus holds, and how long a publisher waits for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// So many messages are inside at most, waiting or in a consumer's hands. A single publication of more is let in
    /// once nothing else is inside.
    pub max_queued: usize,
    /// The most messages of one batch. A larger publication is spread over several.
    pub max_batch: usize,
    /// How long a publisher waits for room before it is told [`BusErrorKind::Full`].
    pub patience: Duration,
}

impl Default for Limits {
    /// 20,000 messages inside, batches of 5,000, two seconds of patience.
    fn default() -> Self {
        Self {
            max_queued: 20_000,
            max_batch: 5_000,
            patience: Duration::from_secs(2),
        }
    }
}

/// Makes an embedded bus. It is closed when every clone of the publisher is dropped. A limit of 0 counts as 1.
#[must_use]
pub fn embedded(limits: Limits) -> (EmbeddedPublisher, EmbeddedSubscriber) {
    let max_queued = u32::try_from(limits.max_queued.max(1)).unwrap_or(u32::MAX);
    let queue = Arc::new(Queue {
        waiting: Mutex::default(),
        unsettled: Arc::default(),
        changed: Notify::new(),
        room: Arc::new(Semaphore::new(max_queued as usize)),
        max_queued,
        max_batch: limits.max_batch.max(1),
        patience: limits.patience,
    });
    let publisher = EmbeddedPublisher(Arc::new(Senders(Arc::clone(&queue))));
    (publisher, EmbeddedSubscriber(queue))
}

/// The sending end of an embedded bus.
///
/// A call to [`Publisher::publish`] that is dropped while it waits leaves its messages on the bus.
#[derive(Debug, Clone)]
pub struct EmbeddedPublisher(Arc<Senders>);

/// The receiving end of an embedded bus. When it is dropped the bus is gone: who waits for an outcome is told
/// [`BusErrorKind::Unavailable`], who publishes after that [`BusErrorKind::Closed`].
///
/// `None` from [`Subscriber::pull`] says that every publisher is gone and the queue is empty. A batch in hand that is
/// released after that is handed out by the next call.
#[derive(Debug)]
pub struct EmbeddedSubscriber(Arc<Queue>);

#[derive(Debug)]
struct Senders(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    waiting: Mutex<Waiting>,
    unsettled: Arc<Ledger<Instant>>,
    changed: Notify,
    room: Arc<Semaphore>,
    max_queued: u32,
    max_batch: usize,
    patience: Duration,
}

#[derive(Debug, Default)]
struct Waiting {
    portions: VecDeque<Portion>,
    publishers_gone: bool,
    subscriber_gone: bool,
}

/// Neighbouring messages of one publication.
#[derive(Debug)]
struct Portion {
    publication: Arc<Publication>,
    first: usize,
    messages: Vec<Message>,
}

/// One call of `publish`, alive until each of its messages is settled. Dropped before that, it drops `answer`, which
/// tells the publisher; dropped in any case, it gives its room back.
#[derive(Debug)]
struct Publication {
    progress: Mutex<Progress>,
    _room: OwnedSemaphorePermit,
    _entry: Entry<Instant>,
}

#[derive(Debug)]
struct Progress {
    outcomes: Vec<Option<Outcome>>,
    left: usize,
    answer: Option<oneshot::Sender<Vec<Outcome>>>,
}

#[async_trait]
impl Publisher for EmbeddedPublisher {
    async fn publish(&self, messages: Vec<Message>) -> Result<Published, BusError> {
        if messages.is_empty() {
            return Ok(Published::Settled(Vec::new()));
        }
        let queue = &self.0.0;
        let room = queue.room_for(messages.len()).await?;
        let (answer, outcomes) = oneshot::channel();
        let publication = Arc::new(Publication {
            progress: Mutex::new(Progress {
                outcomes: vec![None; messages.len()],
                left: messages.len(),
                answer: Some(answer),
            }),
            _room: room,
            _entry: queue.unsettled.enter(Instant::now(), messages.len()),
        });
        queue.append(Portion {
            publication,
            first: 0,
            messages,
        })?;
        let outcomes = outcomes.await.map_err(|_| {
            BusError::new(
                BusErrorKind::Unavailable,
                "the consumer stopped before it stored the messages",
            )
        })?;
        Ok(Published::Settled(outcomes))
    }
}

#[async_trait]
impl Subscriber for EmbeddedSubscriber {
    async fn pull(&mut self) -> Result<Option<Batch>, BusError> {
        loop {
            {
                let mut waiting = self.0.lock();
                if !waiting.portions.is_empty() {
                    let portions = waiting.take(self.0.max_batch);
                    let messages = portions.iter().flat_map(|it| it.messages.iter().cloned()).collect();
                    let queue = Arc::clone(&self.0);
                    return Ok(Some(Batch::new(messages, Box::new(InHand { queue, portions }))));
                }
                if waiting.publishers_gone {
                    return Ok(None);
                }
            }
            // One subscriber waits here, and `notify_one` is remembered when nobody waits: no change is missed.
            self.0.changed.notified().await;
        }
    }

    fn lookout(&self) -> Lookout {
        let (unsettled, capacity) = (Arc::clone(&self.0.unsettled), self.0.max_queued.into());
        Arc::new(move || {
            let (messages, oldest) = unsettled.sum();
            Backlog {
                messages,
                capacity,
                oldest_wait: oldest.map(|it| it.elapsed()).unwrap_or_default(),
            }
        })
    }
}

impl Drop for Senders {
    fn drop(&mut self) {
        self.0.lock().publishers_gone = true;
        self.0.changed.notify_one();
    }
}

impl Drop for EmbeddedSubscriber {
    fn drop(&mut self) {
        let left = {
            let mut waiting = self.0.lock();
            waiting.subscriber_gone = true;
            std::mem::take(&mut waiting.portions)
        };
        self.0.room.close();
        drop(left);
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing inside the critical sections leaves the queue half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn room_for(&self, n_messages: usize) -> Result<OwnedSemaphorePermit, BusError> {
        let n_places = u32::try_from(n_messages).unwrap_or(u32::MAX).min(self.max_queued);
        let room = Arc::clone(&self.room).acquire_many_owned(n_places);
        match time::timeout(self.patience, room).await {
            Ok(Ok(room)) => Ok(room),
            Ok(Err(_)) => Err(closed()),
            Err(_) => Err(BusError::new(
                BusErrorKind::Full,
                format!(
                    "no room on the bus for {n_messages} messages within {:?}",
                    self.patience
                ),
            )),
        }
    }

    fn append(&self, portion: Portion) -> Result<(), BusError> {
        let mut waiting = self.lock();
        if waiting.subscriber_gone {
            return Err(closed());
        }
        waiting.portions.push_back(portion);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }
}

fn closed() -> BusError {
    BusError::new(BusErrorKind::Closed, "the bus was shut down")
}

impl Waiting {
    /// Takes messages from the head, at most `max_batch`.
    fn take(&mut self, max_batch: usize) -> Vec<Portion> {
        let mut taken = Vec::new();
        let mut room = max_batch;
        while room > 0 {
            let Some(mut portion) = self.portions.pop_front() else {
                break;
            };
            if portion.messages.len() > room {
                self.portions.push_front(portion.split_off(room));
            }
            room -= portion.messages.len();
            taken.push(portion);
        }
        taken
    }
}

impl Portion {
    fn split_off(&mut self, at: usize) -> Self {
        Self {
            publication: Arc::clone(&self.publication),
            first: self.first + at,
            messages: self.messages.split_off(at),
        }
    }

    fn settle(&self, outcomes: impl Iterator<Item = Outcome>) {
        let mut progress = self.publication.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let places = self.first..self.first + self.messages.len();
        for (place, outcome) in places.zip(outcomes) {
            progress.outcomes[place] = Some(outcome);
        }
        progress.left -= self.messages.len();
        if progress.left == 0
            && let Some(answer) = progress.answer.take()
        {
            let outcomes = std::mem::take(&mut progress.outcomes);
            // The publisher may have stopped waiting; the messages are stored all the same.
            let _ = answer.send(outcomes.into_iter().flatten().collect());
        }
    }
}

/// The receipt of one batch. Dropped unsettled, it puts its messages back at the head of the queue.
struct InHand {
    queue: Arc<Queue>,
    portions: Vec<Portion>,
}

#[async_trait]
impl Receipt for InHand {
    async fn settle(mut self: Box<Self>, outcomes: Vec<Outcome>) -> Result<(), BusError> {
        let n_messages: usize = self.portions.iter().map(|it| it.messages.len()).sum();
        if outcomes.len() != n_messages {
            let context = format!("{} outcomes were given for {n_messages} messages", outcomes.len());
            return Err(BusError::new(BusErrorKind::Fatal, context));
        }
        let mut outcomes = outcomes.into_iter();
        for portion in std::mem::take(&mut self.portions) {
            portion.settle(outcomes.by_ref().take(portion.messages.len()));
        }
        Ok(())
    }

    async fn release(self: Box<Self>) {}
}

impl Drop for InHand {
    fn drop(&mut self) {
        let portions = std::mem::take(&mut self.portions);
        if portions.is_empty() {
            return;
        }
        let mut waiting = self.queue.lock();
        if waiting.subscriber_gone {
            return;
        }
        for portion in portions.into_iter().rev() {
            waiting.portions.push_front(portion);
        }
        drop(waiting);
        self.queue.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;
    use crate::{Notes, conformance};

    fn ends(limits: Limits) -> (Arc<dyn Publisher>, Box<dyn Subscriber>) {
        let (publisher, subscriber) = embedded(limits);
        (Arc::new(publisher), Box::new(subscriber))
    }

    fn small() -> Limits {
        Limits {
            max_queued: 4,
            max_batch: 3,
            patience: Duration::from_secs(60),
        }
    }

    #[tokio::test]
    async fn the_embedded_bus_keeps_the_promises_of_the_port() {
        conformance::all(&async || ends(Limits::default())).await;
        conformance::closing(&async || ends(Limits::default())).await;
    }

    #[tokio::test]
    async fn it_keeps_them_with_batches_of_one() {
        let limits = Limits {
            max_batch: 1,
            ..Limits::default()
        };
        conformance::all(&async || ends(limits)).await;
    }

    #[tokio::test]
    async fn a_publication_beyond_every_limit_is_spread_over_batches() {
        let (publisher, mut subscriber) = embedded(small());
        let messages: Vec<Message> = (0..10).map(|it| conformance::message("a", it)).collect();
        let publishing = tokio::spawn(async move { publisher.publish(messages).await });
        let mut sizes = Vec::new();
        while let Some(batch) = subscriber.pull().await.unwrap() {
            let (messages, receipt) = batch.into_parts();
            sizes.push(messages.len());
            receipt.settle(vec![Outcome::Duplicate; messages.len()]).await.unwrap();
        }
        assert_eq!(sizes, [3, 3, 3, 1]);
        let expected = Published::Settled(vec![Outcome::Duplicate; 10]);
        assert_eq!(publishing.await.unwrap().unwrap(), expected);
    }

    #[tokio::test]
    async fn one_batch_takes_what_several_publishers_wait_with() {
        let (publisher, mut subscriber) = embedded(small());
        let mut first = pin!(publisher.publish(vec![conformance::message("a", 0)]));
        let mut second = pin!(publisher.publish(vec![conformance::message("b", 0)]));
        conformance::poll_once(&mut first).await;
        conformance::poll_once(&mut second).await;
        let (messages, receipt) = subscriber.pull().await.unwrap().unwrap().into_parts();
        assert_eq!(messages.len(), 2);
        let stored = Outcome::Stored(Notes::default());
        receipt.settle(vec![stored.clone(), Outcome::Duplicate]).await.unwrap();
        assert_eq!(first.await.unwrap(), Published::Settled(vec![stored]));
        assert_eq!(second.await.unwrap(), Published::Settled(vec![Outcome::Duplicate]));
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_longest_is_told_by_its_publication_in_a_consumers_hands_too() {
        let (publisher, mut subscriber) = embedded(small());
        let lookout = subscriber.lookout();
        let check = |messages, seconds| {
            let expected = Backlog {
                messages,
                capacity: 4,
                oldest_wait: Duration::from_secs(seconds),
            };
            assert_eq!(lookout(), expected);
        };
        check(0, 0);
        let mut first = pin!(publisher.publish(vec![conformance::message("a", 0)]));
        conformance::poll_once(&mut first).await;
        time::advance(Duration::from_secs(30)).await;
        let (_, receipt) = subscriber.pull().await.unwrap().unwrap().into_parts();
        let mut second = pin!(publisher.publish(vec![conformance::message("b", 0)]));
        conformance::poll_once(&mut second).await;
        time::advance(Duration::from_secs(5)).await;
        check(2, 35);
        receipt.settle(vec![Outcome::Duplicate]).await.unwrap();
        check(1, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_bus_says_so_after_its_patience_and_takes_nothing() {
        let (publisher, mut subscriber) = embedded(small());
        let four = (0..4).map(|it| conformance::message("a", it)).collect();
        let mut filling = pin!(publisher.publish(four));
        conformance::poll_once(&mut filling).await;
        let failure = publisher.publish(vec![conformance::message("b", 0)]).await.unwrap_err();
        assert_eq!(failure.kind, BusErrorKind::Full);
        assert_eq!(failure.to_string(), "no room on the bus for 1 messages within 60s");
        for expected in [3, 1] {
            let (messages, receipt) = subscriber.pull().await.unwrap().unwrap().into_parts();
            assert_eq!(messages.len(), expected);
            receipt.settle(vec![Outcome::Duplicate; expected]).await.unwrap();
        }
        filling.await.unwrap();
        let mut next = pin!(publisher.publish(vec![conformance::message("c", 0)]));
        conformance::poll_once(&mut next).await;
        let batch = subscriber.pull().await.unwrap().unwrap();
        assert_eq!(batch.messages, [conformance::message("c", 0)]);
    }

    #[tokio::test]
    async fn a_wrong_number_of_outcomes_is_refused_and_the_messages_come_again() {
        let (publisher, mut subscriber) = embedded(small());
        let mut publishing = pin!(publisher.publish(vec![conformance::message("a", 0)]));
        conformance::poll_once(&mut publishing).await;
        let (_, receipt) = subscriber.pull().await.unwrap().unwrap().into_parts();
        let failure = receipt.settle(Vec::new()).await.unwrap_err();
        assert_eq!(failure.to_string(), "0 outcomes were given for 1 messages");
        assert_eq!(subscriber.pull().await.unwrap().unwrap().messages.len(), 1);
    }
}
