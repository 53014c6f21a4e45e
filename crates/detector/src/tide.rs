//! A device's scores against those of its fleet: the usual upper end of its own, learned as it goes.
//!
//! What a training saw is a day or a minute; scores rise and fall with what comes after. A running quantile follows
//! them without being moved by how high an anomaly is.

use crate::bar::{Bar, UPPER};
use crate::features::{LEARNING, StateError};
use crate::heads::{Reader, Writer};
use crate::threshold::ThresholdPolicy;

/// The upper end moves by so much for a reading of full weight: one over the density of scores around it.
const STEP: f64 = 1.4;

/// The training counts as so many readings of the device.
const TRAINED: f64 = 50.0;

/// The memory, in readings.
const MEMORY: f64 = 10_000.0;

/// The memory where a share of the readings is to lie beyond the line, whatever is usual: as long as a device learns.
const SHORT_MEMORY: f64 = LEARNING as f64;

/// The usual upper end of a device's scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tide {
    upper: f64,
    seen: f64,
    /// The model whose scores these are.
    model: u64,
}

impl Tide {
    pub(crate) const EMPTY: Self = Self {
        upper: 0.0,
        seen: 0.0,
        model: 0,
    };

    /// How much higher than the fleet's the scores of the device are, before this one. Another model begins anew.
    pub(crate) fn step(&mut self, score: f64, bar: &Bar, model: u64, policy: ThresholdPolicy) -> f64 {
        if self.model != model {
            *self = Self {
                upper: bar.upper,
                seen: TRAINED,
                model,
            };
        }
        let shift = self.upper - bar.upper;
        let memory = match policy {
            ThresholdPolicy::Budget { .. } => MEMORY,
            ThresholdPolicy::Contamination => SHORT_MEMORY,
        };
        let step = STEP / self.seen.min(memory);
        self.upper += if score > self.upper {
            step * UPPER
        } else {
            -step * (1.0 - UPPER)
        };
        self.seen += 1.0;
        shift
    }

    /// As much of a shift as is certain. What a quiet device does at other hours, or after a while, may be louder, so it
    /// lowers the bar only as far as it was watched; that a device is louder counts at once.
    pub(crate) fn certain(&self, shift: f64) -> f64 {
        if shift > 0.0 {
            shift
        } else {
            shift * ((self.seen - TRAINED) / MEMORY).min(1.0)
        }
    }

    pub(crate) fn write(self, to: &mut Writer<'_>) {
        to.double(self.upper);
        to.double(self.seen);
        to.long(self.model);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            upper: from.double()?,
            seen: from.double()?,
            model: from.long()?,
        })
    }
}
