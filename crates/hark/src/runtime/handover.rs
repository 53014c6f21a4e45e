//! Devices that come from another consumer: their newest state is here before their next reading is judged.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{DeviceId, Timestamp};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::consumer::{Consumer, DecodedMessage};
use super::fleet::Tracked;

/// A device that was silent for longer than so many of its usual gaps may have been heard elsewhere.
const MISSED: f64 = 1.5;

/// Devices that came from another consumer, perhaps with readings missing: those which that one had in hand when it died
/// come again when its lease is over. Until then the later ones wait.
#[derive(Debug)]
pub(crate) struct Awaited {
    moved: Mutex<HashMap<DeviceId, Moved>>,
    /// How long they wait at most.
    patience: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Moved {
    /// When another consumer was last seen to have it.
    seen_at: Instant,
    waiting_since: Option<Instant>,
}

impl Awaited {
    /// Nothing is awaited. What was lost on the way never comes, so patience ends.
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            moved: Mutex::default(),
            patience,
        }
    }

    /// Another consumer has had this device.
    fn see_moved(&self, device_id: &DeviceId) {
        let seen_at = Instant::now();
        let mut moved = self.moved();
        match moved.get_mut(device_id) {
            Some(it) => it.seen_at = seen_at,
            None => {
                let waiting_since = None;
                moved.insert(device_id.clone(), Moved { seen_at, waiting_since });
            }
        }
    }

    fn is_waiting(&self, device_id: &DeviceId) -> bool {
        self.moved().get(device_id).is_some_and(|it| it.waiting_since.is_some())
    }

    /// Whether a device waits that lacks readings or has all. One that moved and lacks some begins to.
    fn waits(&self, device_id: &DeviceId, lacks_some: bool) -> bool {
        let now = Instant::now();
        let mut moved = self.moved();
        let Some(it) = moved.get_mut(device_id) else {
            return false;
        };
        if !lacks_some {
            it.waiting_since = None;
            return false;
        }
        let since = *it.waiting_since.get_or_insert(now);
        let waits = now < since + self.patience;
        if !waits {
            moved.remove(device_id);
        }
        waits
    }

    /// Forgets devices that moved long ago.
    fn forget(&self) {
        let now = Instant::now();
        self.moved()
            .retain(|_, it| it.waiting_since.is_some() || now < it.seen_at + self.patience);
    }

    fn moved(&self) -> MutexGuard<'_, HashMap<DeviceId, Moved>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Consumer {
    /// Takes up the newest states of the devices of a batch, which others may have had: from Redis, and where that may
    /// not have the newest, from the warehouse. Whoever had a device committed its state before its next message came.
    /// Gives the devices of which readings must wait for others that another consumer had in hand, and from which time on.
    pub(super) async fn take_over(&self, messages: &[DecodedMessage]) -> HashMap<DeviceId, Timestamp> {
        let mut waiting = HashMap::new();
        let Some(shared) = &self.shared else { return waiting };
        let times = times_of(messages);
        let devices: HashSet<&DeviceId> = times.keys().copied().collect();
        let unsure = shared.take_up(&self.fleet, &devices).await;
        // Who alone consumes knows all that there is to know, and nobody has anything of it in hand.
        if !self.is_one_of_many {
            return waiting;
        }
        let mut asked = Vec::new();
        for (device_id, has_moved) in unsure {
            if has_moved {
                self.awaited.see_moved(device_id);
            }
            let may_lack = !self.is_known(device_id) || self.gap(device_id, &times[device_id]).is_some();
            if may_lack && !self.awaited.is_waiting(device_id) {
                asked.push(device_id.clone());
            }
        }
        if !asked.is_empty() {
            self.ask_warehouse(&asked).await;
        }
        for (device_id, times) in &times {
            let gap = self.gap(device_id, times);
            if self.awaited.waits(device_id, gap.is_some()) {
                waiting.extend(gap.map(|gap| (DeviceId::clone(device_id), gap)));
            }
        }
        self.awaited.forget();
        waiting
    }

    async fn ask_warehouse(&self, devices: &[DeviceId]) {
        debug!(
            devices = devices.len(),
            "asking the warehouse for the states of devices"
        );
        let states = match self.warehouse.device_states_of(devices).await {
            Ok(states) => states,
            Err(cause) => {
                warn!(error = %cause, "device states could not be read, devices go on from what is known here");
                return;
            }
        };
        for (device_id, state) in states {
            if let Err(cause) = self.fleet.take_up(device_id.clone(), &state) {
                debug!(device = %device_id, error = %cause, "a device state cannot be read");
            }
        }
    }

    fn is_known(&self, device_id: &DeviceId) -> bool {
        self.fleet
            .read(device_id, |it| it.is_some_and(|it| it.last().is_some()))
    }

    /// The first of these ascending times before which readings may be missing; none where that cannot be said.
    fn gap(&self, device_id: &DeviceId, times: &[Timestamp]) -> Option<Timestamp> {
        let known = |here: &Tracked| Some((here.state.last()?, here.watched.rhythm.usual_seconds()?));
        let (mut last, usual) = self.fleet.look(device_id, |here| here.and_then(known))?;
        times.iter().copied().find(|at| {
            let is_behind = at.seconds_since(last) > MISSED * usual;
            last = last.max(*at);
            is_behind
        })
    }
}

/// The times of each device's readings in these messages, ascending.
fn times_of(messages: &[DecodedMessage]) -> HashMap<&DeviceId, Vec<Timestamp>> {
    let mut times: HashMap<&DeviceId, Vec<Timestamp>> = HashMap::new();
    for decoded in messages.iter().filter_map(|it| it.reading.as_ref()?.as_ref().ok()) {
        let reading = &decoded.reading;
        times.entry(&reading.device_id).or_default().push(reading.timestamp);
    }
    for times in times.values_mut() {
        times.sort_unstable();
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_device_that_moved_waits_for_what_is_missing_and_not_for_ever() {
        let awaited = Awaited::new(Duration::from_secs(40));
        let (pump, fan) = (DeviceId::new("pump").unwrap(), DeviceId::new("fan").unwrap());
        awaited.see_moved(&pump);
        assert!(!awaited.waits(&pump, false) && !awaited.is_waiting(&pump));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(awaited.waits(&pump, true) && awaited.is_waiting(&pump));
        assert!(!awaited.waits(&fan, true), "it never moved");
        tokio::time::advance(Duration::from_secs(30)).await;
        awaited.forget();
        assert!(awaited.waits(&pump, true), "it has waited for 30 s");
        tokio::time::advance(Duration::from_secs(11)).await;
        assert!(!awaited.waits(&pump, true), "it has waited for long enough");
        assert!(!awaited.waits(&pump, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_that_moved_long_ago_waits_for_nothing() {
        let awaited = Awaited::new(Duration::from_secs(40));
        let pump = DeviceId::new("pump").unwrap();
        awaited.see_moved(&pump);
        tokio::time::advance(Duration::from_secs(41)).await;
        awaited.forget();
        assert!(!awaited.waits(&pump, true));
    }
}
