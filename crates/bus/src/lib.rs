//! The bus port and its adapters: moving readings, at least once.
//!
//! A message may come twice and out of order; it is never lost once [`Publisher::publish`] returned. What a batch
//! holds is settled by the consumer after the durable commit, never before: dropping a [`Batch`] unsettled is the
//! same as [`Batch::release`].

pub mod conformance;
pub mod embedded;
mod ledger;
#[cfg(feature = "pubsub")]
pub mod pubsub;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::Rejection;

/// One message: its bytes as the sender wrote them, and what the transport carries beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The reading in the form of [`domain::wire`].
    pub payload: Bytes,
    /// `device_id`, `device_type`, `timestamp`, where the transport has attributes.
    pub attributes: BTreeMap<String, String>,
    /// Messages of one key keep their order: the device id.
    pub ordering_key: Option<String>,
    /// The way in, for counters and dead letters: `http`, `simulator`, `pubsub`.
    pub source: &'static str,
}

impl Message {
    /// A message of bytes alone.
    #[must_use]
    pub fn new(payload: Bytes, source: &'static str) -> Self {
        Self {
            payload,
            attributes: BTreeMap::new(),
            ordering_key: None,
            source,
        }
    }
}

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the warehouse, durably.
    Stored(Notes),
    /// A reading of the same device and time was there already; nothing changed.
    Duplicate,
    /// It is among the dead letters, durably, with this reason.
    Rejected(Rejection),
    /// It was a probe: it went the whole way, and nothing is kept of it.
    Probe,
}

/// What the sender of a stored reading may want to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// Fields that no declared signal answers to.
    pub ignored: Vec<String>,
    /// A later reading of the device was known already.
    pub late: bool,
    /// Its time lies further ahead than is believable.
    pub clock_suspect: bool,
}

/// What a consumer's end of a bus holds. What a service between processes still keeps is not among it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Messages that are not settled, waiting or in the consumer's hands.
    pub messages: u64,
    /// How many there may be.
    pub capacity: u64,
    /// How long ago the oldest of them was published.
    pub oldest_wait: Duration,
}

/// Looks into a consumer's end of a bus, beside the loop that owns it and for as long as anybody wants to.
pub type Lookout = Arc<dyn Fn() -> Backlog + Send + Sync>;

/// What a publisher can say when `publish` returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The transport keeps the messages until a consumer has committed them.
    Queued,
    /// A consumer has committed them: an outcome per message, in order.
    Settled(Vec<Outcome>),
}

/// What went wrong, as far as a caller acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BusErrorKind {
    /// No room now. Try again after a while; nothing was taken.
    Full,
    /// The other side is gone or the consumer gave the messages back. Try again; some may have been taken.
    Unavailable,
    /// The bus was shut down.
    Closed,
    /// Trying again will not help: configuration, permission.
    Fatal,
}

/// A failure of the bus.
#[derive(Debug, thiserror::Error)]
#[error("{context}")]
pub struct BusError {
    /// What a caller acts on.
    pub kind: BusErrorKind,
    context: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl BusError {
    /// A failure in words.
    pub fn new(kind: BusErrorKind, context: impl Into<String>) -> Self {
        Self {
            kind,
            context: context.into(),
            source: None,
        }
    }

    /// This failure with what caused it.
    #[must_use]
    pub fn caused_by(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }
}

/// The sending side. Cheap to share behind an `Arc`.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Hands messages over and waits until they can no longer be lost.
    ///
    /// # Errors
    /// [`BusErrorKind::Full`] when there is no room: nothing was taken. Any other kind: some may have been taken, and
    /// publishing all of them again is safe, since a reading is stored once.
    async fn publish(&self, messages: Vec<Message>) -> Result<Published, BusError>;
}

/// The receiving side, owned by one consumer loop.
#[async_trait]
pub trait Subscriber: Send {
    /// Waits for messages. `None` after the bus was closed and everything in it was handed out. Cancel-safe: a call
    /// that is dropped while it waits takes no message with it.
    ///
    /// # Errors
    /// When the transport fails for good; passing troubles are retried inside.
    async fn pull(&mut self) -> Result<Option<Batch>, BusError>;

    /// What tells how much is here that was not settled.
    fn lookout(&self) -> Lookout;

    /// Ends in order: what was settled is told to the transport, what was not handed out is given back.
    async fn close(self: Box<Self>) {}
}

/// Settles what a transport handed out; made by adapters.
#[async_trait]
pub trait Receipt: Send {
    /// Tells the transport that everything was committed, an outcome per message in order.
    ///
    /// # Errors
    /// When the transport cannot be told; it will deliver again.
    async fn settle(self: Box<Self>, outcomes: Vec<Outcome>) -> Result<(), BusError>;

    /// Gives the messages back to be delivered again.
    async fn release(self: Box<Self>);

    /// Takes messages out of this receipt, by their places, to be handed out again a little later: after what was
    /// published before them, and before what follows them with their key. Places ascend. Where one consumer has all
    /// messages nothing ever has to wait, and the messages come back as they are.
    fn put_off(&mut self, messages: Vec<(usize, Message)>) -> Vec<(usize, Message)> {
        messages
    }
}

/// Messages handed out together, to be settled together.
pub struct Batch {
    /// The messages, in the order in which they came.
    pub messages: Vec<Message>,
    receipt: Box<dyn Receipt>,
}

impl Batch {
    /// Messages with the receipt that settles them.
    #[must_use]
    pub fn new(messages: Vec<Message>, receipt: Box<dyn Receipt>) -> Self {
        Self { messages, receipt }
    }

    /// Parts the messages from their receipt, for a consumer that works on them by value.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Message>, Box<dyn Receipt>) {
        (self.messages, self.receipt)
    }

    /// Gives everything back.
    pub async fn release(self) {
        self.receipt.release().await;
    }
}
