//! The consumer loop: pull ▸ judge ▸ store ▸ settle, in this order.
//!
//! Nothing is settled before the warehouse has committed it, and nothing is judged twice: a commit that cannot be
//! written now is tried again as it is, since the devices' states have gone on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bus::{BusErrorKind, Message, Notes, Outcome, Subscriber};
use domain::{DeadLetter, DeviceId, Judged, Location, Rejection, Timestamp, wire};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use warehouse::{Commit, DeviceUpdate, Stored, Warehouse, WarehouseError, WarehouseErrorKind};

use super::clock;
use super::events::{Event, Events};
use super::fleet::Fleet;
use super::live_model::LiveModel;
use crate::metrics;

/// How long the first wait for an absent warehouse is; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// All that the loop needs.
pub(crate) struct Consumer {
    pub(crate) warehouse: Arc<dyn Warehouse>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) live_model: Arc<LiveModel>,
    pub(crate) events: Arc<Events>,
    pub(crate) max_future_skew: Duration,
}

/// A batch after judging: what to write, and what to tell of each message.
struct Judgements {
    commit: Commit,
    outcomes: Vec<Outcome>,
}

impl Consumer {
    /// Consumes until the bus is closed and empty, or `stop` is cancelled between two batches.
    ///
    /// # Errors
    /// When the bus or the warehouse fails for good. What was pulled and not committed was not settled.
    pub(crate) async fn run(&self, mut subscriber: Box<dyn Subscriber>, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            let batch = tokio::select! {
                () = stop.cancelled() => None,
                batch = subscriber.pull() => batch?,
            };
            let Some(batch) = batch else {
                subscriber.close().await;
                return Ok(());
            };
            let (messages, receipt) = batch.into_parts();
            let received_at = clock::now();
            let Judgements { commit, mut outcomes } = tokio::task::block_in_place(|| self.judge(messages, received_at));
            let committed = Arc::new(commit.readings.clone());
            let stored = self.store(commit, &stop).await?;
            mark_duplicates(&mut outcomes, &stored);
            metrics::outcomes(&outcomes);
            match receipt.settle(outcomes).await {
                Ok(()) => {}
                // Everything is stored: what the bus was not told, it delivers again, and it is found to be there.
                Err(failed) if failed.kind == BusErrorKind::Unavailable => {
                    warn!(error = %failed, "the bus could not be told, some messages will come again");
                }
                Err(failed) => return Err(failed.into()),
            }
            self.tell(committed, &stored);
        }
    }

    fn judge(&self, messages: Vec<Message>, received_at: Timestamp) -> Judgements {
        let mut commit = Commit::default();
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut touched: HashMap<DeviceId, DeviceUpdate> = HashMap::new();
        for message in messages {
            metrics::received(message.source);
            match self.judge_one(&message, received_at) {
                Ok((judged, notes)) => {
                    touch(&mut touched, &judged);
                    commit.readings.push(judged);
                    outcomes.push(Outcome::Stored(notes));
                }
                Err(rejection) => {
                    commit.dead_letters.push(DeadLetter {
                        received_at,
                        source: message.source.to_owned(),
                        payload: message.payload.to_vec(),
                        rejection: rejection.clone(),
                    });
                    outcomes.push(Outcome::Rejected(rejection));
                }
            }
        }
        commit.devices = touched.into_values().collect();
        for device in &mut commit.devices {
            device.state = self.fleet.state_bytes(&device.device_id);
        }
        Judgements { commit, outcomes }
    }

    fn judge_one(&self, message: &Message, received_at: Timestamp) -> Result<(Judged, Notes), Rejection> {
        let decoded = wire::decode(&message.payload, self.fleet.signals(), None)?;
        let reading = decoded.reading;
        let model = self.live_model.get();
        let clock_suspect = reading.timestamp > received_at.after(self.max_future_skew);
        let (late, verdict) = self.fleet.update(&reading.device_id, |state| {
            let late = !state.accepts(reading.timestamp);
            let verdict = match &model {
                Some(model) if clock_suspect => Some(model.judge(Some(state), &reading)),
                Some(model) => Some(model.step(state, &reading)),
                None => {
                    if !clock_suspect {
                        state.push(&reading);
                    }
                    None
                }
            };
            (late, verdict)
        });
        let notes = Notes {
            ignored: decoded.ignored,
            late,
            clock_suspect,
        };
        Ok((
            Judged {
                reading,
                received_at,
                verdict,
                late,
                clock_suspect,
            },
            notes,
        ))
    }

    /// Writes a commit, trying again for as long as the warehouse says that it may help.
    async fn store(&self, commit: Commit, stop: &CancellationToken) -> Result<Vec<Stored>, WarehouseError> {
        let mut wait = FIRST_WAIT;
        loop {
            let failed = match self.warehouse.store(commit.clone()).await {
                Ok(stored) => return Ok(stored),
                Err(failed) if failed.kind == WarehouseErrorKind::Retryable && !stop.is_cancelled() => failed,
                Err(failed) => return Err(failed),
            };
            metrics::store_retried();
            warn!(error = %failed, readings = commit.readings.len(), "commit failed, trying again");
            tokio::select! {
                () = stop.cancelled() => return Err(failed),
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
            }
        }
    }

    fn tell(&self, committed: Arc<Vec<Judged>>, stored: &[Stored]) {
        debug!(readings = committed.len(), "committed");
        metrics::verdicts(&committed, stored);
        let news = if stored.iter().all(|it| *it == Stored::New) {
            committed
        } else {
            let new = committed.iter().zip(stored).filter(|(_, it)| **it == Stored::New);
            Arc::new(new.map(|(judged, _)| judged.clone()).collect())
        };
        if !news.is_empty() {
            self.events.send(Event::Readings(news));
        }
    }
}

fn touch(touched: &mut HashMap<DeviceId, DeviceUpdate>, judged: &Judged) {
    let reading = &judged.reading;
    if !touched.contains_key(&reading.device_id) {
        let device_id = reading.device_id.clone();
        let update = DeviceUpdate {
            device_id: device_id.clone(),
            location: None,
            device_type: None,
            received_at: judged.received_at,
            state: Vec::new(),
        };
        touched.insert(device_id, update);
    }
    let Some(update) = touched.get_mut(&reading.device_id) else {
        return;
    };
    if let Some(location) = &reading.location {
        update.location = Some(Location::clone(location));
    }
    if let Some(device_type) = &reading.device_type {
        update.device_type = Some(device_type.to_string());
    }
}

/// The warehouse answers for the readings alone; outcomes stand for all messages.
fn mark_duplicates(outcomes: &mut [Outcome], stored: &[Stored]) {
    let readings = outcomes.iter_mut().filter(|it| matches!(it, Outcome::Stored(_)));
    for (outcome, stored) in readings.zip(stored) {
        if *stored == Stored::Duplicate {
            *outcome = Outcome::Duplicate;
        }
    }
}
