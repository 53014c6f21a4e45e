//! Google Pub/Sub: many senders, many consumers, nothing lost in between.
//!
//! Publishing resolves when the service keeps the messages. Several streams pull; a message is acknowledged when its
//! batch is settled, that is after the durable commit, and given back when the batch is released or dropped. The
//! subscription's own policies say how soon a message that was given back comes again, and when it goes to the
//! dead-letter topic.

mod connect;
mod later;
mod probe;
mod publisher;
mod setup;
mod subscriber;

use std::time::Duration;

pub use google::{Made, Step};
pub use probe::{Probe, probe};
pub use publisher::PubsubPublisher;
pub use setup::setup;
pub use subscriber::PubsubSubscriber;

/// Where messages go and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The Google Cloud project.
    pub project: String,
    /// The name of the topic, without the project.
    pub topic: String,
    /// The name of the subscription that consumers share.
    pub subscription: String,
    /// The name of the topic of messages that could not be handled. Its subscription has the same name.
    pub dead_letter_topic: String,
    /// Another address than Google's global one: that of a region, or `http://127.0.0.1:8085` of an emulator, which is
    /// asked without credentials.
    pub endpoint: Option<String>,
    /// Whether messages of one key keep their order, at the price of a request per key.
    pub ordering: bool,
    /// Whether a subscription that is made confirms every acknowledgement.
    pub exactly_once: bool,
    /// So many streams pull at the same time.
    pub streams: usize,
    /// So many messages may be on their way at most, in each direction.
    pub max_outstanding: usize,
    /// The most messages of one batch that is handed out.
    pub max_batch: usize,
    /// How long a publisher waits for room before it is told [`crate::BusErrorKind::Full`].
    pub patience: Duration,
    /// How long the service waits for a consumer that fell silent before it delivers again, 10 s to 10 min.
    pub lease: Duration,
}

impl Options {
    fn topic_path(&self) -> String {
        format!("projects/{}/topics/{}", self.project, self.topic)
    }

    fn subscription_path(&self) -> String {
        format!("projects/{}/subscriptions/{}", self.project, self.subscription)
    }

    fn dead_letter_topic_path(&self) -> String {
        format!("projects/{}/topics/{}", self.project, self.dead_letter_topic)
    }

    fn dead_letter_subscription_path(&self) -> String {
        format!("projects/{}/subscriptions/{}", self.project, self.dead_letter_topic)
    }
}

/// Messages with this attribute try the way and are no readings: consumers acknowledge them and hand none out.
const PROBE: &str = "hark_probe";
