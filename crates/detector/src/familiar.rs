//! The forest's word on a device, smoothed and set against what is usual for that device of late.

use crate::features::StateError;
use crate::heads::{Reader, Writer};

/// The weight of a new score: a half-life of ten readings.
const SMOOTHING: f64 = 0.066_967_008_463_192_58;

/// The share of scores that lies below the reference.
const SHARE: f64 = 0.95;

/// The reference moves by this much, in units of score, for a reading of full weight.
const STEP: f64 = 0.06;

/// No reading counts for less in the reference.
const LEAST_WEIGHT: f64 = 1e-5;

/// Readings before the reference starts.
const SETTLED: u32 = 60;

/// The smoothed score of a device, and its usual upper end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Familiar {
    smooth: f64,
    usual: f64,
    seen: u32,
    /// The forest that these are of.
    forest: u64,
}

impl Familiar {
    pub(crate) const EMPTY: Self = Self {
        smooth: 0.0,
        usual: 0.0,
        seen: 0,
        forest: 0,
    };

    /// By how much the smoothed score exceeds its usual upper end. Another forest begins anew.
    pub(crate) fn step(&mut self, score: f64, forest: u64) -> f64 {
        if self.forest != forest {
            *self = Self { forest, ..Self::EMPTY };
        }
        self.seen = self.seen.saturating_add(1);
        let early = 1.0 / f64::from(self.seen);
        self.smooth += SMOOTHING.max(early) * (score - self.smooth);
        if self.seen <= SETTLED {
            self.usual = self.smooth;
            return 0.0;
        }
        let step = STEP * early.max(LEAST_WEIGHT);
        self.usual += if self.smooth > self.usual {
            step * SHARE
        } else {
            -step * (1.0 - SHARE)
        };
        self.smooth - self.usual
    }

    pub(crate) fn write(self, to: &mut Writer<'_>) {
        to.double(self.smooth);
        to.double(self.usual);
        to.count(self.seen);
        to.long(self.forest);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            smooth: from.double()?,
            usual: from.double()?,
            seen: from.count()?,
            forest: from.long()?,
        })
    }
}
