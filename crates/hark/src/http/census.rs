//! Who is there, who is silent and who is odd: the one rule that all pages follow.
//!
//! A device is silent when it was not heard (by the server's clock) for five times its usual interval, and never before
//! the configured grace is over. The usual interval is the one that the consumer has learned; a device with too few
//! readings has as long as the one that has longest. Where no consumer has learned it, the interval is a day divided by the
//! readings of the last 24 hours, and a device that sent none in that day is silent. A device is odd when an incident of it is open or being seen to, when three of its last five readings are anomalous, or
//! when the last one is and came within five minutes.

use std::collections::HashMap;
use std::time::Duration;

use domain::{DeviceId, Judged, Phase, TimeRange, Timestamp};
use warehouse::{Device, DeviceActivity, IncidentQuery, ReadingQuery, StoredIncident, WarehouseError};

use crate::app::App;
use crate::runtime::clock;

const RECENT: usize = 5_000;
const DAY: Duration = Duration::from_secs(86_400);

/// A gap of so many usual intervals is silence.
const MISSED: f64 = 5.0;

/// So many incidents are looked at, the newest ones.
const MOST_INCIDENTS: usize = 10_000;

/// How many of the last readings are looked at, and how many of them make a device odd.
const LOOKED_AT: usize = 5;
const ODD_FROM: usize = 3;

/// A single anomalous last reading makes a device odd for so many seconds.
const ODD_FOR: f64 = 300.0;

/// How a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Fine,
    Odd,
    Silent,
}

impl State {
    pub(super) const ALL: [Self; 3] = [Self::Fine, Self::Odd, Self::Silent];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Odd => "odd",
            Self::Silent => "silent",
        }
    }
}

/// A device as counted.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) device: Device,
    pub(super) state: State,
    /// What it did in the last 24 hours.
    pub(super) readings: u64,
    pub(super) anomalies: u64,
    /// Its newest incident that is not resolved.
    pub(super) incident: Option<StoredIncident>,
}

/// All devices, by name.
#[derive(Debug)]
pub(super) struct Census(pub(super) Vec<Counted>);

/// For how many seconds devices may be quiet.
struct Patience {
    learned: HashMap<DeviceId, f64>,
    /// No device is silent sooner.
    grace: f64,
}

impl Census {
    /// Counts now.
    pub(super) async fn take(app: &App) -> Result<Self, WarehouseError> {
        let now = clock::now();
        let day = TimeRange {
            start: now.before(DAY),
            end: now.after(app.settings().detector.max_future_skew),
        };
        let newest = ReadingQuery {
            device_id: None,
            range: day,
            anomalies_only: false,
            newest_first: true,
            limit: RECENT,
            after: None,
        };
        let (devices, activity, recent, incidents) = tokio::try_join!(
            app.warehouse.devices(),
            app.warehouse.activity(day),
            app.warehouse.readings(newest),
            app.warehouse.incidents(IncidentQuery::unresolved(now, MOST_INCIDENTS))
        )?;
        let grace = app.settings().detector.silence_grace.as_secs_f64();
        let patience = app.fleet.patience(grace).into_iter();
        let patience = Patience {
            learned: patience.map(|(id, _, it)| (id, it)).collect(),
            grace,
        };
        let mut census = Self::of(now, devices, &activity, &recent.items, &patience);
        census.assign(incidents.items);
        Ok(census)
    }

    /// Gives each device its newest incident; they come newest first. Who is not silent is odd as long as one is open that
    /// nobody has put off.
    fn assign(&mut self, incidents: Vec<StoredIncident>) {
        let mut newest = HashMap::new();
        for stored in incidents {
            newest.entry(stored.incident.device_id.clone()).or_insert(stored);
        }
        for counted in &mut self.0 {
            counted.incident = newest.remove(&counted.device.device_id);
            let is_on = |it: &StoredIncident| matches!(it.triage.phase, Phase::Open | Phase::Acknowledged);
            if counted.state == State::Fine && counted.incident.as_ref().is_some_and(is_on) {
                counted.state = State::Odd;
            }
        }
    }

    fn of(
        now: Timestamp,
        devices: Vec<Device>,
        activity: &[DeviceActivity],
        recent: &[Judged],
        patience: &Patience,
    ) -> Self {
        let activity: HashMap<&DeviceId, &DeviceActivity> = activity.iter().map(|it| (&it.device_id, it)).collect();
        let mut last: HashMap<&DeviceId, Vec<&Judged>> = HashMap::new();
        for judged in recent.iter().filter(|it| !it.late && !it.clock_suspect) {
            let of_device = last.entry(&judged.reading.device_id).or_default();
            if of_device.len() < LOOKED_AT {
                of_device.push(judged);
            }
        }
        let count = |device: Device| {
            let activity = activity.get(&device.device_id);
            let (readings, anomalies) = activity.map_or((0, 0), |it| (it.readings, it.anomalies));
            let last = last.get(&device.device_id).map_or(&[][..], Vec::as_slice);
            let learned = patience.learned.get(&device.device_id).copied();
            let patience = learned.unwrap_or_else(|| by_day(readings, patience.grace));
            let state = state(now, &device, last, patience);
            Counted {
                device,
                state,
                readings,
                anomalies,
                incident: None,
            }
        };
        Self(devices.into_iter().map(count).collect())
    }
}

/// For how many seconds a device may be quiet that sent so many readings in the last 24 hours.
fn by_day(daily: u64, grace: f64) -> f64 {
    match daily {
        0 => grace,
        _ => (MISSED * DAY.as_secs_f64() / daily as f64).max(grace),
    }
}

/// `last` are its newest readings, newest first; for so many seconds it may be quiet.
fn state(now: Timestamp, device: &Device, last: &[&Judged], patience: f64) -> State {
    let quiet_for = now.seconds_since(device.last_received_at);
    if quiet_for > patience {
        return State::Silent;
    }
    let anomalous = |it: &Judged| it.verdict.as_ref().is_some_and(|it| it.is_anomaly);
    let just_now = |it: &Judged| anomalous(it) && now.seconds_since(it.received_at) <= ODD_FOR;
    let often = last.iter().filter(|it| anomalous(it)).count() >= ODD_FROM;
    if often || device.last.as_ref().is_some_and(just_now) {
        State::Odd
    } else {
        State::Fine
    }
}

#[cfg(test)]
mod tests {
    use domain::{Location, Measurement, Reading, Values, Verdict};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn judged(seconds_ago: i64, is_anomaly: bool) -> Judged {
        let at = Timestamp::from_secs(NOW - seconds_ago);
        let verdict = Verdict {
            model_version: "m-0001".into(),
            score: 0.1,
            is_anomaly,
            signals: vec![],
            reasons: vec![],
        };
        let reading = Reading {
            device_id: DeviceId::new("a").unwrap(),
            timestamp: at,
            values: Values::new(vec![Some(Measurement::new(1.0, "x").unwrap())]),
            location: None,
            device_type: None,
            truth: None,
        };
        Judged {
            reading,
            received_at: at,
            verdict: Some(verdict),
            late: false,
            clock_suspect: false,
        }
    }

    #[track_caller]
    fn check(recent: &[(i64, bool)], patience: f64, heard_ago: i64, expected: State) {
        let recent: Vec<Judged> = recent.iter().map(|it| judged(it.0, it.1)).collect();
        let heard = Timestamp::from_secs(NOW - heard_ago);
        let device = Device {
            device_id: DeviceId::new("a").unwrap(),
            location: Location::default(),
            device_type: None,
            first_received_at: heard,
            last_received_at: heard,
            readings: 1,
            last: recent.first().cloned(),
        };
        let recent: Vec<&Judged> = recent.iter().collect();
        assert_eq!(state(Timestamp::from_secs(NOW), &device, &recent, patience), expected);
    }

    #[test]
    fn a_device_that_is_not_known_well_is_measured_by_its_day() {
        let seldom = by_day(24, 60.0);
        check(&[], seldom, 4 * 3_600, State::Fine);
        check(&[], seldom, 6 * 3_600, State::Silent);
        let never = by_day(0, 60.0);
        check(&[], never, 30, State::Fine);
        check(&[], never, 61, State::Silent);
    }

    #[test]
    fn three_of_five_or_the_very_last_make_a_device_odd() {
        let of =
            |flags: [bool; 5]| -> Vec<(i64, bool)> { (0..5).map(|it| (it * 200 + 10, flags[it as usize])).collect() };
        check(&of([false, true, true, true, false]), 1_000.0, 10, State::Odd);
        check(&of([false, true, true, false, false]), 1_000.0, 10, State::Fine);
        check(&of([true, false, false, false, false]), 1_000.0, 10, State::Odd);
        check(&[(310, true), (700, false), (1_100, false)], 1_000.0, 310, State::Fine);
    }
}
