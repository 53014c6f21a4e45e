//! A device's scores against those of its fleet: the usual upper end of its own, learned as it goes.
//!
//! What a training saw is a day or a minute; scores rise and fall with what comes after. A running quantile follows
//! them without being moved by how high an anomaly is.

use crate::bar::{Bar, UPPER};
use crate::features::StateError;
use crate::heads::{Reader, Writer};

/// The upper end moves by so much for a reading of full weight: one over the density of scores around it.
const STEP: f64 = 1.4;

/// The training counts as so many readings of the device.
const TRAINED: f64 = 50.0;

/// The memory, in readings.
const MEMORY: f64 = 10_000.0;

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
    pub(crate) fn step(&mut self, score: f64, bar: &Bar, model: u64) -> f64 {
        if self.model != model {
            *self = Self {
                upper: bar.upper,
                seen: TRAINED,
                model,
            };
        }
        let shift = self.upper - bar.upper;
        let step = STEP / self.seen.min(MEMORY);
        self.upper += if score > self.upper {
            step * UPPER
        } else {
            -step * (1.0 - UPPER)
        };
        self.seen += 1.0;
        shift
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
