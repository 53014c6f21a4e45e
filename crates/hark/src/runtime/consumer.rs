//! The consumer loop: pull ▸ judge ▸ store ▸ settle, in this order.
//!
//! Nothing is settled before the warehouse has committed it, and nothing is judged twice: a commit that cannot be
//! written now is tried again as it is, since the devices' states have gone on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Batch, BusErrorKind, Message, Notes, Outcome, Receipt, Subscriber};
use detector::{Assessment, IncidentRules};
use domain::{
    DeadLetter, DeviceId, Incident, IncidentId, Judged, Location, Reading, Rejection, Timestamp,
    wire::{self, Decoded},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, debug_span, warn};
use warehouse::{Commit, DeviceUpdate, IncidentUpdate, Stored, Warehouse, WarehouseError, WarehouseErrorKind};

use super::drift::Drift;
use super::events::{Event, Events, IncidentNews};
use super::fleet::{Fleet, Tracked};
use super::handover::Awaited;
use super::judging::Judging;
use super::live_model::LiveModel;
use super::maintenance::Maintenance;
use super::shared::Shared;
use super::tuning::Tuning;
use super::watching::{Change, Telling};
use super::{canary, clock};
use crate::config::Settings;
use crate::metrics::{self, Stage};

/// How long the first wait for an absent warehouse is; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How often it is looked for incidents of devices that are heard no more.
const QUIET_ROUND: Duration = Duration::from_secs(30);

/// All that the loop needs.
pub(crate) struct Consumer {
    pub(crate) warehouse: Arc<dyn Warehouse>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) live_model: Arc<LiveModel>,
    pub(crate) events: Arc<Events>,
    pub(crate) tuning: Arc<Tuning>,
    pub(crate) maintenance: Arc<Maintenance>,
    pub(crate) drift: Arc<Drift>,
    pub(crate) settings: Settings,
    pub(crate) judging: Arc<Judging>,
    /// Whether other processes consume from the same bus.
    pub(crate) is_one_of_many: bool,
    /// What those share with this one.
    pub(crate) shared: Option<Arc<Shared>>,
    /// Of which devices messages are awaited that another consumer had in hand.
    pub(crate) awaited: Awaited,
}

/// A batch after judging: what to write, and what to tell of each message.
struct Judgements {
    commit: Commit,
    outcomes: Vec<Outcome>,
    news: Vec<IncidentNews>,
}

/// A message, and the reading in it; none is in a probe.
pub(super) struct DecodedMessage {
    message: Message,
    pub(super) reading: Option<Result<Decoded, Rejection>>,
}

/// What became of one message.
struct JudgedMessage {
    judged: Judged,
    notes: Notes,
    incident: Option<(Change, Incident)>,
}

impl Consumer {
    /// Consumes until the bus is closed and empty, or `stop` is cancelled between two batches.
    ///
    /// # Errors
    /// When the bus or the warehouse fails for good. What was pulled and not committed was not settled.
    pub(crate) async fn run(&self, mut subscriber: Box<dyn Subscriber>, stop: CancellationToken) -> anyhow::Result<()> {
        let started_at = clock::now();
        let mut round = tokio::time::interval(QUIET_ROUND);
        loop {
            let batch = {
                let mut pull = std::pin::pin!(subscriber.pull());
                loop {
                    tokio::select! {
                        () = stop.cancelled() => break None,
                        batch = &mut pull => break batch?,
                        _ = round.tick() => self.give_up(started_at, &stop).await?,
                    }
                }
            };
            let Some(batch) = batch else {
                subscriber.close().await;
                return Ok(());
            };
            let span = debug_span!("batch", messages = batch.messages.len());
            #[cfg(feature = "otel")]
            crate::telemetry::join_traces(&span, &batch.messages);
            self.handle(batch, &stop).instrument(span).await?;
        }
    }

    /// Judges, stores and settles one batch.
    async fn handle(&self, batch: Batch, stop: &CancellationToken) -> anyhow::Result<()> {
        let (messages, mut receipt) = batch.into_parts();
        metrics::alive(Stage::Consumer, clock::now());
        let mut decoded = tokio::task::block_in_place(|| self.decode(messages));
        let waiting = self.take_over(&decoded).await;
        if !waiting.is_empty() {
            decoded = put_off(decoded, &waiting, receipt.as_mut());
        }
        // After the states were asked for: of two consumers that judge a reading, the one with the older state then has
        // the earlier time of receipt, and a reader sees the verdict that was given in the device's order.
        let received_at = clock::now();
        let judgements = tokio::task::block_in_place(|| self.judge(decoded, received_at));
        let Judgements {
            commit,
            mut outcomes,
            news,
        } = judgements;
        metrics::alive(Stage::Detector, clock::now());
        let committed = Arc::new(commit.readings.clone());
        let devices = self.shared.as_ref().map(|_| commit.devices.clone());
        let begun = Instant::now();
        let stored = self.store(commit, stop).await?;
        metrics::alive(Stage::Warehouse, clock::now());
        metrics::committed(&committed, &stored, self.fleet.signals(), begun.elapsed());
        if let Some((shared, devices)) = self.shared.as_ref().zip(devices) {
            shared.hand_on(&self.fleet, &devices).await;
        }
        mark_duplicates(&mut outcomes, &stored);
        metrics::outcomes(&outcomes);
        self.count_drift(&committed, &stored);
        let has_probe = outcomes.contains(&Outcome::Probe);
        match receipt.settle(outcomes).await {
            Ok(()) if has_probe => metrics::alive(Stage::Canary, clock::now()),
            Ok(()) => {}
            // Everything is stored: what the bus was not told, it delivers again, and it is found to be there.
            Err(failed) if failed.kind == BusErrorKind::Unavailable => {
                warn!(error = %failed, "the bus could not be told, some messages will come again");
            }
            Err(failed) => return Err(failed.into()),
        }
        self.tell(committed, &stored);
        self.tell_incidents(news);
        Ok(())
    }

    fn decode(&self, messages: Vec<Message>) -> Vec<DecodedMessage> {
        let decode = |message: Message| {
            let reading =
                (!canary::is_probe(&message)).then(|| wire::decode(&message.payload, self.fleet.signals(), None));
            DecodedMessage { message, reading }
        };
        messages.into_iter().map(decode).collect()
    }

    fn judge(&self, messages: Vec<DecodedMessage>, received_at: Timestamp) -> Judgements {
        let mut commit = Commit::default();
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut touched: HashMap<DeviceId, DeviceUpdate> = HashMap::new();
        let mut incidents: BTreeMap<IncidentId, Incident> = BTreeMap::new();
        let mut news = Vec::new();
        for DecodedMessage { message, reading } in messages {
            let Some(decoded) = reading else {
                outcomes.push(Outcome::Probe);
                continue;
            };
            metrics::received(message.source);
            match decoded {
                Ok(decoded) => {
                    let JudgedMessage {
                        judged,
                        notes,
                        incident,
                    } = self.judge_one(decoded, received_at);
                    touch(&mut touched, &judged);
                    commit.readings.push(judged);
                    outcomes.push(Outcome::Stored(notes));
                    if let Some((change, incident)) = incident {
                        news.extend(IncidentNews::of(change, &incident));
                        incidents.insert(incident.id.clone(), incident);
                    }
                }
                Err(rejection) => {
                    metrics::refused(message.source);
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
        let update = |incident| IncidentUpdate {
            incident,
            at: received_at,
        };
        commit.incidents = incidents.into_values().map(update).collect();
        Judgements { commit, outcomes, news }
    }

    fn judge_one(&self, decoded: Decoded, received_at: Timestamp) -> JudgedMessage {
        let reading = decoded.reading;
        let horizon = received_at.after(self.settings.load().detector.max_future_skew);
        let clock_suspect = reading.timestamp > horizon;
        let (late, verdict, incident) = self.fleet.update(&reading.device_id, |tracked| {
            let late = !tracked.state.accepts(reading.timestamp);
            // In maintenance a device is judged, but nothing is learned from it and nobody told. What cannot be believed
            // makes no incident either.
            let is_kept_apart = clock_suspect || self.maintenance.covers(&reading.device_id, reading.timestamp);
            let is_taken = !late && !is_kept_apart;
            if late {
                tracked.watched.doubts.hear_late(&reading);
            } else {
                // What is doubtful is told also of a reading that nothing is learned from.
                let doubts = self.judging.doubts(&tracked.state, &reading, horizon);
                tracked.watched.doubts.hear(&reading, doubts);
            }
            let assessment = self.look(tracked, &reading, received_at, is_taken);
            let told = is_taken.then(|| {
                let (signals, telling) = (self.fleet.signals(), self.telling(&reading));
                tracked.watched.step(&reading, assessment.as_ref(), signals, &telling)
            });
            let told = told.flatten();
            (late, assessment.map(|it| it.verdict), told)
        });
        let notes = Notes {
            ignored: decoded.ignored,
            late,
            clock_suspect,
        };
        let judged = Judged {
            reading,
            received_at,
            verdict,
            late,
            clock_suspect,
        };
        JudgedMessage {
            judged,
            notes,
            incident,
        }
    }

    /// When a person is told: the rules, and the threshold that labels have moved.
    /// A reading beyond a limit is told whatever the labels say.
    fn telling(&self, reading: &Reading) -> Telling {
        let kind = self.live_model.get().map(|it| it.kind);
        let moved = kind.map_or(0.0, |it| self.tuning.threshold(it));
        let is_beyond_limit = self.judging.is_beyond(reading);
        Telling {
            rules: self.rules(),
            threshold: if is_beyond_limit { 0.0 } else { moved },
            is_beyond_limit,
        }
    }

    fn rules(&self) -> IncidentRules {
        IncidentRules {
            quiet_seconds: self.settings.load().detector.incident_quiet.as_secs_f64(),
            ..IncidentRules::default()
        }
    }

    /// Judges a reading, and takes it into the device's state unless it is late or from the future.
    fn look(
        &self,
        tracked: &mut Tracked,
        reading: &Reading,
        received_at: Timestamp,
        is_taken: bool,
    ) -> Option<Assessment> {
        let model = self.live_model.get();
        let Tracked { state, watched, .. } = tracked;
        watched.hear(received_at);
        if !is_taken {
            return self.judging.peek(model.as_deref(), Some(state), reading);
        }
        watched.follow(reading, state.last());
        self.judging.assess(model.as_deref(), state, reading)
    }

    /// Ends incidents of devices that have not been heard for long: the state and the incident change in one commit.
    async fn give_up(&self, started_at: Timestamp, stop: &CancellationToken) -> Result<(), WarehouseError> {
        let now = clock::now();
        let silent = self.fleet.silent(now, started_at, self.rules().quiet_seconds);
        if silent.is_empty() {
            return Ok(());
        }
        // Who is silent here may be heard by another consumer.
        if let Some(shared) = &self.shared {
            // What it does not know stays as it is known here.
            let _unsure = shared.take_up(&self.fleet, &silent.iter().collect()).await;
        } else if self.is_one_of_many {
            let states = match self.warehouse.device_states().await {
                Ok(states) => states,
                Err(cause) if cause.kind == WarehouseErrorKind::Retryable => {
                    warn!(error = %cause, "device states could not be read, incidents of silent devices stay open");
                    return Ok(());
                }
                Err(cause) => return Err(cause),
            };
            for (device_id, state) in states {
                if silent.contains(&device_id)
                    && let Err(cause) = self.fleet.take_up(device_id.clone(), &state)
                {
                    debug!(device = %device_id, error = %cause, "a device state cannot be read");
                }
            }
        }
        let over = self.fleet.give_up(now, started_at, self.rules().quiet_seconds);
        if over.is_empty() {
            return Ok(());
        }
        let device = |(device_id, received_at, _): &(DeviceId, Timestamp, Incident)| DeviceUpdate {
            state: self.fleet.state_bytes(device_id),
            device_id: device_id.clone(),
            location: None,
            device_type: None,
            received_at: *received_at,
        };
        let devices: Vec<DeviceUpdate> = over.iter().map(device).collect();
        let commit = Commit {
            devices: devices.clone(),
            incidents: over
                .iter()
                .map(|it| IncidentUpdate {
                    incident: it.2.clone(),
                    at: now,
                })
                .collect(),
            ..Commit::default()
        };
        self.store(commit, stop).await?;
        if let Some(shared) = &self.shared {
            shared.hand_on(&self.fleet, &devices).await;
        }
        self.tell_incidents(
            over.iter()
                .filter_map(|it| IncidentNews::of(Change::Closed, &it.2))
                .collect(),
        );
        Ok(())
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
            let cause = std::error::Error::source(&failed).map(ToString::to_string);
            warn!(error = %failed, cause, readings = commit.readings.len(), "commit failed, trying again");
            tokio::select! {
                () = stop.cancelled() => return Err(failed),
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
            }
        }
    }

    /// A reading that came again counts once.
    fn count_drift(&self, committed: &[Judged], stored: &[Stored]) {
        let Some(model) = self.live_model.get() else { return };
        let new = committed.iter().zip(stored).filter(|(_, it)| **it == Stored::New);
        self.drift.take(&model, new.map(|it| it.0));
    }

    fn tell(&self, committed: Arc<Vec<Judged>>, stored: &[Stored]) {
        debug!(readings = committed.len(), "committed");
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

impl Consumer {
    fn tell_incidents(&self, news: Vec<IncidentNews>) {
        for it in news {
            match it.change {
                "opened" => metrics::incident_opened(it.severity),
                "closed" => metrics::incident_closed(it.severity),
                _ => {}
            }
            self.events.send(Event::Incident(Arc::new(it)));
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

/// Puts the messages of some devices off from these times on, and gives the others.
fn put_off(
    messages: Vec<DecodedMessage>,
    waiting: &HashMap<DeviceId, Timestamp>,
    receipt: &mut dyn Receipt,
) -> Vec<DecodedMessage> {
    let must_wait = |it: &DecodedMessage| {
        let reading = it.reading.as_ref().and_then(|it| it.as_ref().ok());
        let reading = reading.map(|it| &it.reading);
        reading.is_some_and(|it| waiting.get(&it.device_id).is_some_and(|from| it.timestamp >= *from))
    };
    let (mut now, mut later) = (Vec::with_capacity(messages.len()), Vec::new());
    for (at, it) in messages.into_iter().enumerate() {
        if must_wait(&it) {
            later.push((at, it.message));
        } else {
            now.push(it);
        }
    }
    debug!(
        devices = waiting.len(),
        messages = later.len(),
        "messages wait for others before them"
    );
    let kept = receipt.put_off(later);
    debug_assert!(kept.is_empty(), "a bus that processes share lets messages wait");
    now
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
