//! What just happened, for whoever listens: the live stream of the API.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use domain::{DeviceId, Incident, IncidentId, Judged, Severity};
use tokio::sync::{broadcast, mpsc};

use super::watching::Change;

/// How many events a listener that comes back can be given again.
const KEPT: usize = 512;

/// How many readings those may hold together: the memory that this costs does not grow with the batches.
const KEPT_READINGS: usize = 10_000;

/// How many events a listener may fall behind before it is told to begin anew.
const BEHIND: usize = 64;

/// How many events may wait to be told to other processes; more are left out.
#[cfg(feature = "redis")]
const WAITING: usize = 256;

/// One thing that happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// These readings were committed.
    Readings(Arc<Vec<Judged>>),
    /// This model is in force.
    Model(String),
    /// Something happened to an incident.
    Incident(Arc<IncidentNews>),
    /// A device fell silent or came back.
    Device(Arc<DeviceNews>),
}

/// What happened to an incident.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IncidentNews {
    pub(crate) id: IncidentId,
    pub(crate) device_id: DeviceId,
    /// `opened`, `closed`, or what a person did: `acknowledged`, `snoozed`, `labelled` …
    pub(crate) change: &'static str,
    pub(crate) severity: Severity,
    pub(crate) reason: String,
}

impl IncidentNews {
    /// What a reading did to it; nothing is told of one that goes on.
    pub(crate) fn of(change: Change, incident: &Incident) -> Option<Self> {
        match change {
            Change::Opened => Some(Self::about(incident, "opened")),
            Change::Closed => Some(Self::about(incident, "closed")),
            Change::GoneOn => None,
        }
    }

    /// That this was done with it.
    pub(crate) fn about(incident: &Incident, change: &'static str) -> Self {
        Self {
            id: incident.id.clone(),
            device_id: incident.device_id.clone(),
            change,
            severity: incident.severity,
            reason: incident.reason.clone(),
        }
    }
}

/// How a device is from now on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeviceNews {
    pub(crate) device_id: DeviceId,
    pub(crate) is_silent: bool,
}

impl Event {
    fn readings(&self) -> usize {
        match self {
            Self::Readings(readings) => readings.len(),
            Self::Model(_) | Self::Incident(_) | Self::Device(_) => 0,
        }
    }
}

/// An event with its number, counted from 1 since the start of the process.
#[derive(Debug, Clone)]
pub(crate) struct Numbered {
    /// Its number.
    pub(crate) number: u64,
    /// What happened.
    pub(crate) event: Event,
}

/// The events of this process. A listener that is too slow is told so and never holds up the sender.
pub(crate) struct Events {
    sender: broadcast::Sender<Numbered>,
    kept: Mutex<Kept>,
    outgoing: OnceLock<mpsc::Sender<Event>>,
}

/// The newest events, in order.
#[derive(Default)]
struct Kept {
    events: VecDeque<Numbered>,
    readings: usize,
    newest: u64,
}

impl Kept {
    fn push(&mut self, event: Event) -> Numbered {
        self.newest += 1;
        let numbered = Numbered {
            number: self.newest,
            event,
        };
        self.readings += numbered.event.readings();
        self.events.push_back(numbered.clone());
        while self.events.len() > KEPT || self.readings > KEPT_READINGS {
            let Some(oldest) = self.events.pop_front() else { break };
            self.readings -= oldest.event.readings();
        }
        numbered
    }

    /// The events after this number; `None` when some of them are no longer kept, or it is of another process.
    fn after(&self, number: u64) -> Option<Vec<Numbered>> {
        let first = self.events.front().map_or(self.newest + 1, |it| it.number);
        let known = number <= self.newest && number + 1 >= first;
        known.then(|| self.events.iter().filter(|it| it.number > number).cloned().collect())
    }
}

/// What a listener starts with.
pub(crate) struct Subscription {
    /// What it missed since the number it named, oldest first; `None` when that is no longer known.
    pub(crate) missed: Option<Vec<Numbered>>,
    /// What comes.
    pub(crate) receiver: broadcast::Receiver<Numbered>,
}

impl Events {
    /// No event yet.
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::channel(BEHIND).0,
            kept: Mutex::default(),
            outgoing: OnceLock::new(),
        }
    }

    /// What happens in this process from now on, for telling it to others. It may be asked for once.
    #[cfg(feature = "redis")]
    pub(crate) fn outgoing(&self) -> mpsc::Receiver<Event> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let is_first = self.outgoing.set(sender).is_ok();
        debug_assert!(is_first, "the events of a process are told by one task");
        receiver
    }

    /// Tells everybody.
    pub(crate) fn send(&self, event: Event) {
        if let Some(outgoing) = self.outgoing.get() {
            // Who cannot keep up hears less, and holds nobody up.
            let _left_out = outgoing.try_send(event.clone());
        }
        self.take_up(event);
    }

    /// Tells everybody in this process of what happened in another.
    pub(crate) fn take_up(&self, event: Event) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let numbered = kept.push(event);
        // An error means that nobody listens, which is fine.
        let _nobody = self.sender.send(numbered);
    }

    /// Listens from now on, or from after the event of this number.
    pub(crate) fn subscribe(&self, after: Option<u64>) -> Subscription {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Subscription {
            receiver: self.sender.subscribe(),
            missed: after.map_or(Some(Vec::new()), |number| kept.after(number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(events: Vec<Numbered>) -> Vec<String> {
        let name = |it: Numbered| match it.event {
            Event::Model(version) => version,
            other => format!("{other:?}"),
        };
        events.into_iter().map(name).collect()
    }

    #[test]
    fn a_listener_that_comes_back_is_given_what_it_missed() {
        let events = Events::new();
        for version in ["a", "b", "c"] {
            events.send(Event::Model(version.to_owned()));
        }
        assert_eq!(versions(events.subscribe(Some(1)).missed.unwrap()), ["b", "c"]);
        assert_eq!(versions(events.subscribe(Some(3)).missed.unwrap()), [""; 0]);
        assert_eq!(versions(events.subscribe(None).missed.unwrap()), [""; 0]);
    }

    #[test]
    fn what_is_no_longer_known_is_said_to_be() {
        let events = Events::new();
        for at in 0..=KEPT {
            events.send(Event::Model(at.to_string()));
        }
        assert!(events.subscribe(Some(0)).missed.is_none());
        assert!(events.subscribe(Some(1)).missed.is_some());
        assert!(events.subscribe(Some(10_000)).missed.is_none());
    }
}
