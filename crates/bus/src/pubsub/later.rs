//! Messages that wait in this process for others to be handled first, and in which order messages were published.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use google_cloud_pubsub::model;
use google_cloud_pubsub::subscriber::handler::Handler;
use tokio::time::{self, Instant};

use crate::Message;
use crate::ledger::{Entry, Ledger};

/// How long messages are put off.
const A_WHILE: Duration = Duration::from_millis(500);

/// Where a message stands among the others: by the time of its publication, and by its number among those of one time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    at: (i64, i32),
    nth: Option<u64>,
    pub(super) id: String,
}

/// A message, and what it is held by.
pub(super) struct Pulled {
    pub(super) message: Message,
    pub(super) held: Held,
}

/// The way to settle a message, and its place. Dropping it gives the message back.
pub(super) struct Held {
    pub(super) handler: Handler,
    pub(super) place: Place,
    /// Counts it for as long as it is here.
    pub(super) entry: Entry<SystemTime>,
}

impl Pulled {
    pub(super) fn new(message: model::Message, handler: Handler, unsettled: &Arc<Ledger<SystemTime>>) -> Self {
        let at = message.publish_time.map(|it| (it.seconds(), it.nanos()));
        Self {
            held: Held {
                handler,
                place: Place {
                    at: at.unwrap_or_default(),
                    nth: message.message_id.parse().ok(),
                    id: message.message_id,
                },
                entry: unsettled.enter(at.and_then(time_of).unwrap_or_else(SystemTime::now), 1),
            },
            message: Message {
                payload: message.data,
                attributes: message.attributes.into_iter().collect(),
                ordering_key: Some(message.ordering_key).filter(|it| !it.is_empty()),
                source: "pubsub",
            },
        }
    }
}

fn time_of((seconds, nanos): (i64, i32)) -> Option<SystemTime> {
    let since = Duration::new(seconds.try_into().ok()?, nanos.try_into().ok()?);
    UNIX_EPOCH.checked_add(since)
}

/// What was put off, and until when. Dropping it gives everything back.
#[derive(Default)]
pub(super) struct PutOff(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    until: Option<Instant>,
    keys: HashSet<String>,
    messages: Vec<Pulled>,
}

impl PutOff {
    /// Keeps messages for a while, and with them what else comes of their keys.
    pub(super) fn put(&self, later: Vec<Pulled>) {
        let mut waiting = self.waiting();
        waiting.until.get_or_insert_with(|| Instant::now() + A_WHILE);
        let keys = later.iter().filter_map(|it| it.message.ordering_key.clone());
        waiting.keys.extend(keys);
        waiting.messages.extend(later);
    }

    /// Gives a message back at once, unless others of its key wait.
    pub(super) fn unless_waiting(&self, pulled: Pulled) -> Option<Pulled> {
        let mut waiting = self.waiting();
        let key = pulled.message.ordering_key.as_ref();
        if key.is_none_or(|it| !waiting.keys.contains(it)) {
            return Some(pulled);
        }
        waiting.messages.push(pulled);
        None
    }

    /// Ends when something is due; never while nothing was put off.
    pub(super) async fn due(&self) {
        let until = self.waiting().until;
        match until {
            Some(until) => time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    }

    /// Everything that was put off, once it is due.
    pub(super) fn take_due(&self) -> Vec<Pulled> {
        let mut waiting = self.waiting();
        if waiting.until.is_none_or(|it| Instant::now() < it) {
            return Vec::new();
        }
        std::mem::take(&mut *waiting).messages
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // No critical section leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
