//! Where a signal is of late: a level, and the trend that carries it along.
//!
//! A level alone lags behind whatever goes on rising, by as much as it rises in a half-life; the day's warming then looks
//! like a drift. The trend takes up what the level is always behind by (Holt 1957), slowly, so that a fault of an hour is
//! still one, and fades, so that it does not carry on what has ended (Gardner and McKenzie 1985).

use super::codec::{Reader, Writer};
use super::tempo::Weights;
use crate::features::StateError;

/// The weight of the trend, in that of the level.
const TREND: f64 = 0.5;

/// By so much of the level's weight the trend fades.
const FADES: f64 = 0.1;

/// A level and its trend a unit of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Level {
    pub(crate) value: f64,
    trend: f64,
}

impl Level {
    pub(crate) const EMPTY: Self = Self { value: 0.0, trend: 0.0 };

    /// Begins at the first value.
    pub(crate) fn begin(&mut self, value: f64) {
        self.value = value;
    }

    /// Follows a value that lies so far off, with at least the weight `early`.
    pub(crate) fn follow(&mut self, moved: f64, weights: &Weights, early: f64) {
        let (weight, units) = (weights.level, weights.units);
        self.value += weight.max(early) * moved + self.trend * units;
        self.trend += TREND * weight * weight * moved / units.max(1.0);
        self.trend *= 1.0 - FADES * weight;
    }

    /// Goes on unseen for so many units, as if every value lay so far off; `weight` is that of one unit.
    pub(crate) fn coast(&mut self, moved: f64, weight: f64, units: f64) {
        self.value += units * (weight * moved + self.trend);
        self.trend += TREND * weight * weight * moved * units;
        self.trend *= 1.0 - FADES * weight * units;
    }

    /// Goes to where the signal is now, the `nth` reading since it was taken to be a new level.
    pub(crate) fn adopt(&mut self, moved: f64, weights: &Weights, nth: u32) {
        self.value += weights.level.max(1.0 / f64::from(nth.max(1))) * moved;
    }

    pub(crate) fn write(self, to: &mut Writer<'_>) {
        to.double(self.value);
        to.double(self.trend);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            value: from.double()?,
            trend: from.double()?,
        })
    }
}
