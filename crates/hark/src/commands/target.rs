//! Where a command sends readings: through the pipeline of this process, or to a running Hark.

use std::sync::Arc;

use bus::{Message, Outcome, Published, Publisher};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::client::Client;

/// What came of readings that were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) stored: u64,
    pub(crate) duplicates: u64,
    pub(crate) rejected: u64,
    /// Kept by a bus until a consumer stores them.
    pub(crate) queued: u64,
}

impl Tally {
    /// Both together.
    pub(crate) fn add(&mut self, other: Self) {
        self.stored += other.stored;
        self.duplicates += other.duplicates;
        self.rejected += other.rejected;
        self.queued += other.queued;
    }
}

impl Tally {
    /// The same for programs.
    pub(crate) fn values(&self) -> [(&'static str, Value); 4] {
        [
            ("stored", json!(self.stored)),
            ("duplicates", json!(self.duplicates)),
            ("refused", json!(self.rejected)),
            ("queued", json!(self.queued)),
        ]
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.queued > 0 {
            return write!(f, "{} readings published", self.queued);
        }
        write!(
            f,
            "{} readings stored, {} were there already, {} refused",
            self.stored, self.duplicates, self.rejected
        )
    }
}

/// The receiver of readings.
pub(crate) enum Target {
    /// The pipeline of this process.
    Here(Arc<dyn Publisher>),
    /// A running Hark.
    Remote(Box<Client>),
}

impl Target {
    /// Sends encoded readings, and waits until they are durable.
    pub(crate) async fn send(&self, payloads: Vec<Vec<u8>>, source: &'static str) -> anyhow::Result<Tally> {
        match self {
            Self::Remote(client) => client.post(&payloads).await,
            Self::Here(publisher) => {
                let message = |it: Vec<u8>| Message::new(Bytes::from(it), source);
                let count = payloads.len() as u64;
                let published = publisher.publish(payloads.into_iter().map(message).collect()).await?;
                Ok(match published {
                    Published::Settled(outcomes) => tally(&outcomes),
                    Published::Queued => Tally {
                        queued: count,
                        ..Tally::default()
                    },
                })
            }
        }
    }
}

fn tally(outcomes: &[Outcome]) -> Tally {
    let mut tally = Tally::default();
    for outcome in outcomes {
        match outcome {
            Outcome::Stored(_) => tally.stored += 1,
            Outcome::Duplicate => tally.duplicates += 1,
            Outcome::Rejected(_) => tally.rejected += 1,
            Outcome::Probe => {}
        }
    }
    tally
}
