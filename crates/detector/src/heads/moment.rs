//! One reading as the heads see it.

use domain::{Timestamp, Values};

use super::silence::Silence;
use super::tempo::{Heard, Pace, Sparse, Unit, Weights};

/// Whether a device learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Learning {
    /// It is new: everything counts the same, and nothing is held.
    On,
    /// It is held to what it did; a training has learned from so many of its readings.
    Over(u64),
}

/// The values of a reading, its time of the day, and how much time it stands for.
#[derive(Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) values: &'a Values,
    pub(crate) hour: u8,
    pub(crate) is_weekend: bool,
    pub(crate) weights: Weights,
    sparse: Sparse,
    /// Seconds since the reading before, as far as they count.
    pub(crate) seconds: f64,
    /// The part of a silence that is too long to count.
    pub(crate) silence: Silence,
    pub(crate) pace: &'a Pace,
    /// Units since each signal had a value, beyond those of this reading.
    pub(crate) pending: &'a [f64],
    /// Whether the device is new: everything counts the same, and nothing is held.
    pub(crate) is_learning: bool,
    /// The units that a reading usually takes, and those that a training has learned from.
    pub(crate) step: f64,
    pub(crate) trained: f64,
    pub(crate) longest_hold: f64,
}

impl<'a> Moment<'a> {
    pub(crate) fn new(
        (timestamp, values): (Timestamp, &'a Values),
        heard: Heard,
        pace: &'a Pace,
        pending: &'a [f64],
        (learning, step): (Learning, f64),
    ) -> Self {
        Self {
            values,
            hour: timestamp.hour(),
            is_weekend: timestamp.weekday() >= 5,
            weights: pace.weights(heard.units, heard.sparse),
            sparse: heard.sparse,
            seconds: heard.seconds,
            silence: Silence::new(
                timestamp.second_of_day() - heard.seconds,
                heard.missed,
                heard.seconds / heard.units,
            ),
            pace,
            pending,
            is_learning: learning == Learning::On,
            step,
            trained: match learning {
                Learning::On => 0.0,
                Learning::Over(readings) if pace.tempo.unit == Unit::Interval => readings as f64,
                Learning::Over(readings) => readings as f64 * step,
            },
            longest_hold: pace.tempo.hold,
        }
    }

    /// The weights of one signal, which may have been missing for longer.
    pub(crate) fn weights_of(&self, signal: usize) -> Weights {
        match self.pending[signal] {
            0.0 => self.weights,
            pending => self.pace.weights(self.weights.units + pending, self.sparse),
        }
    }
}
