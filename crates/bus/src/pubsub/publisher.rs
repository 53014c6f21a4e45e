//! The sending side: batches of messages, so many on their way at most.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use google_cloud_pubsub::client::Publisher as Client;
use google_cloud_pubsub::error::PublishError;
use google_cloud_pubsub::model;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time;

use super::{Options, connect};
use crate::{BusError, BusErrorKind, Message, Published, Publisher};

/// Messages that are sent in one request at most: what the service takes.
const REQUEST_MESSAGES: u32 = 1_000;

/// How long a message waits for others to be sent with.
const REQUEST_DELAY: Duration = Duration::from_millis(5);

/// Publishes to a topic.
#[derive(Debug)]
pub struct PubsubPublisher {
    client: Client,
    options: Options,
    room: Arc<Semaphore>,
    max_outstanding: u32,
}

impl PubsubPublisher {
    /// A publisher to the topic of these options. The topic itself is not asked for: that needs a right that a
    /// publisher may lack.
    ///
    /// # Errors
    /// When there are no credentials.
    pub async fn open(options: Options) -> Result<Self, BusError> {
        let clients = connect::publishers(&options).await?;
        let client = clients
            .publisher(options.topic_path())
            .set_message_count_threshold(REQUEST_MESSAGES)
            .set_delay_threshold(REQUEST_DELAY)
            .build();
        let max_outstanding = u32::try_from(options.max_outstanding.max(1)).unwrap_or(u32::MAX);
        Ok(Self {
            client,
            options,
            room: Arc::new(Semaphore::new(max_outstanding as usize)),
            max_outstanding,
        })
    }

    async fn room_for(&self, n_messages: usize) -> Result<SemaphorePermit<'_>, BusError> {
        let n_places = u32::try_from(n_messages).unwrap_or(u32::MAX).min(self.max_outstanding);
        let patience = self.options.patience;
        match time::timeout(patience, self.room.acquire_many(n_places)).await {
            Ok(room) => Ok(room.expect("the semaphore is never closed")),
            Err(_) => {
                let context = format!("no room on the way to Pub/Sub for {n_messages} messages within {patience:?}");
                Err(BusError::new(BusErrorKind::Full, context))
            }
        }
    }

    fn failed(&self, cause: &PublishError) -> BusError {
        let what = format!("failed to publish to `{}`", self.options.topic_path());
        match cause {
            PublishError::Rpc(error) => connect::failure(what, &self.options, error),
            other => BusError::new(BusErrorKind::Unavailable, what).caused_by(other.to_string()),
        }
    }
}

#[async_trait]
impl Publisher for PubsubPublisher {
    /// Resolves when the service keeps every message, so nothing is left to flush when the process ends.
    async fn publish(&self, messages: Vec<Message>) -> Result<Published, BusError> {
        if messages.is_empty() {
            return Ok(Published::Queued);
        }
        let _room = self.room_for(messages.len()).await?;
        let mut on_their_way = Vec::with_capacity(messages.len());
        for message in messages {
            let key = message.ordering_key.clone().filter(|_| self.options.ordering);
            on_their_way.push((key, self.client.publish(sent(message, self.options.ordering))));
        }
        let mut failure = None;
        for (key, kept) in on_their_way {
            if let Err(cause) = kept.await {
                // The client holds back what follows a failed message of a key; whoever publishes again sends all.
                if let Some(key) = key {
                    self.client.resume_publish(key);
                }
                // The failure of the first message says more than that its followers were held back.
                failure.get_or_insert_with(|| self.failed(&cause));
            }
        }
        failure.map_or(Ok(Published::Queued), Err)
    }
}

pub(super) fn sent(message: Message, ordering: bool) -> model::Message {
    let sent = model::Message::new()
        .set_data(message.payload)
        .set_attributes(message.attributes);
    match message.ordering_key {
        Some(key) if ordering => sent.set_ordering_key(key),
        _ => sent,
    }
}
