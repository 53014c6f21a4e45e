//! The adaptive heads: what a device remembers of itself, and what that makes of a reading.
//!
//! [`drift`] is head A, which asks whether the device drifts from its own recent self; [`event`] is head B, which asks
//! whether something new begins. Both are one pass, causal, and of a size that depends on the number of signals alone.

mod banks;
mod calm;
mod codec;
mod drift;
mod event;
mod former;
mod level;
mod moment;
mod place;
mod profile;
mod reach;
mod silence;
mod sketch;
mod tail;
mod tempo;
mod wear;

use domain::Reading;

pub(crate) use codec::{Reader, Writer};
pub(crate) use moment::Learning;
pub use tempo::{Pace, Tempo, Unit};

use crate::features::StateError;
use drift::{Drift, Turn};
pub(crate) use drift::{SignalDrift, student};
use event::{AlertControl, SignalEvents};
use moment::Moment;
use place::Place;
use tempo::{LONGEST_GAP, Rhythm};
use wear::Wear;
pub use wear::Worn;

/// What the heads remember of a device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heads {
    rhythm: Rhythm,
    drift: Drift,
    place: Place,
    wear: Wear,
    events: Box<[SignalEvents]>,
    alerts: AlertControl,
    /// Units for which each signal has been missing.
    pending: Box<[f64]>,
}

/// What the heads say of a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// Head A's banks: the largest deviation, the smoothed deviations, the roughness, each in units of what is usual.
    pub banks: [f64; 3],
    /// How many times as long as ever a signal has kept its value; 0 while it has not.
    pub frozen: f64,
    /// How much further from all that it ever did the device is than usual, as the logarithm of the ratio; above 0 it
    /// has left the places it knows.
    pub place: f64,
    /// The same, as if it had not left yet: one that has is held to less, so that what it does beyond says how seldom it is.
    pub leaving: f64,
    /// How far the device's history can be trusted to have seen all its states, 0 to 1.
    pub trust: f64,
    /// Head B's surprise, the largest of the signals'.
    pub surprise: f64,
    /// Whether head B gives an alert.
    pub is_alert: bool,
    /// What has moved over weeks, at the end of the day that shows it.
    pub worn: Option<Worn>,
}

impl Heads {
    pub(crate) fn new(n_signals: usize) -> Self {
        Self {
            rhythm: Rhythm::default(),
            drift: Drift::new(n_signals),
            place: Place::new(n_signals),
            wear: Wear::new(n_signals),
            events: vec![SignalEvents::EMPTY; n_signals].into(),
            alerts: AlertControl::EMPTY,
            pending: vec![0.0; n_signals].into(),
        }
    }

    /// Weighs a reading and takes it in. `seconds` is the time since the reading before.
    pub(crate) fn step(
        &mut self,
        reading: &Reading,
        seconds: Option<f64>,
        pace: &Pace,
        learning: Learning,
    ) -> Evidence {
        let heard = self.rhythm.hear(seconds, pace.tempo.unit, learning == Learning::On);
        let values = self.drift.within_reach(&reading.values, learning);
        let moment = Moment::new(
            (reading.timestamp, &values),
            heard,
            pace,
            &self.pending,
            (learning, self.rhythm.step(pace.tempo.unit)),
        );
        let (banks, turn) = self.drift.step(&moment);
        match turn {
            Turn::Stays => {}
            Turn::BeginsAnew => self.place.hasten(),
            Turn::Returns(units) => self.place.come_back(units * moment.seconds / moment.weights.units),
        }
        let (place, leaving) = self.place.step(&moment, &self.wear);
        let worn = self.wear.step(&moment, |at| self.drift.signals[at].scale());
        let bin = moment.hour + if moment.is_weekend { 24 } else { 0 };
        let mut surprise = 0.0_f64;
        for (at, value) in moment.values.iter().enumerate() {
            let Some(value) = value else { continue };
            surprise = surprise.max(self.events[at].step(value, bin, &moment.weights_of(at), moment.is_learning));
        }
        let frozen = self.drift.frozen(moment.is_learning);
        let is_alert = self.alerts.step(surprise, &moment.weights, pace);
        let longest = LONGEST_GAP * moment.step;
        for (pending, value) in self.pending.iter_mut().zip(reading.values.iter()) {
            *pending = if value.is_some() {
                0.0
            } else {
                (*pending + heard.units).min(longest)
            };
        }
        Evidence {
            banks,
            frozen,
            place,
            leaving,
            trust: self.place.trust(),
            surprise,
            is_alert,
            worn,
        }
    }

    /// What head A remembers of one signal.
    pub(crate) fn signal(&self, at: usize) -> Option<&SignalDrift> {
        self.drift.signals.get(at)
    }

    /// The value of a signal of late, smoothed, and what it was over a long time, both without the course of the day.
    pub(crate) fn course(&self, at: usize) -> (f64, f64) {
        self.events.get(at).map_or((0.0, 0.0), SignalEvents::course)
    }

    /// The noise of a signal from reading to reading, in its scale.
    pub(crate) fn noise(&self, at: usize) -> f64 {
        self.drift.noise(at)
    }

    /// The device's usual interval in seconds; 0 before the second reading.
    pub(crate) fn interval(&self) -> f64 {
        self.rhythm.interval
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        to.double(self.rhythm.interval);
        to.count(self.rhythm.seen);
        to.double(self.rhythm.learned);
        self.drift.write(to);
        self.place.write(to);
        self.wear.write(to);
        self.events.iter().for_each(|it| it.write(to));
        self.alerts.write(to);
        self.pending.iter().for_each(|it| to.double(*it));
    }

    pub(crate) fn read(from: &mut Reader<'_>, n_signals: usize) -> Result<Self, StateError> {
        let rhythm = Rhythm {
            interval: from.double()?,
            seen: from.count()?,
            learned: from.double()?,
        };
        let (drift, place) = (Drift::read(from, n_signals)?, Place::read(from, n_signals)?);
        let wear = Wear::read(from, n_signals)?;
        let events: Result<Vec<_>, _> = (0..n_signals).map(|_| SignalEvents::read(from)).collect();
        let (events, alerts) = (events?.into(), AlertControl::read(from)?);
        let pending: Result<Vec<_>, _> = (0..n_signals).map(|_| from.double()).collect();
        Ok(Self {
            rhythm,
            drift,
            place,
            wear,
            events,
            alerts,
            pending: pending?.into(),
        })
    }
}
