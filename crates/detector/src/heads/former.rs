//! What was usual before a lasting deviation was taken for the new usual, so that the way back is known.

use super::codec::{Reader, Writer};
use super::tempo::Tempo;
use crate::features::StateError;

/// A reading is like those before when no signal lies further than so many scales from where it was.
const LIKE: f64 = 3.5;

/// So many readings in a row that are like those before make a return.
const RETURN: u32 = 6;

/// The level and scale of one signal before, and the mean deviation from it over the readings that are like it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Former {
    pub(crate) level: f64,
    pub(crate) variance: f32,
    pub(crate) mean: f32,
}

impl Former {
    pub(crate) const EMPTY: Self = Self {
        level: 0.0,
        variance: 0.0,
        mean: 0.0,
    };

    pub(crate) fn of(level: f64, variance: f64) -> Self {
        Self {
            level,
            variance: variance as f32,
            mean: 0.0,
        }
    }

    /// Whether a value without the course of the day lies where it did before, the `run` readings before it having
    /// done so.
    pub(crate) fn resembles(&mut self, value: f64, least_scale: f64, run: u32) -> bool {
        let z = (value - self.level) / (f64::from(self.variance).max(0.0).sqrt().max(least_scale) + 1e-9);
        let z = z.clamp(-LIKE, LIKE);
        let mean = f64::from(self.mean);
        self.mean = if run == 0 {
            z
        } else {
            mean + (z - mean) / f64::from(run + 1)
        } as f32;
        z.abs() < LIKE
    }

    pub(crate) fn write(self, to: &mut Writer<'_>) {
        to.double(self.level);
        to.single(self.variance);
        to.single(self.mean);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            level: from.double()?,
            variance: from.single()?,
            mean: from.single()?,
        })
    }
}

/// Whether a former level is known, and for how many readings in a row the device has been like it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Return {
    /// Units since the level was left; below 0 when none is known.
    since: f64,
    run: u32,
}

impl Return {
    pub(crate) const EMPTY: Self = Self { since: -1.0, run: 0 };

    pub(crate) fn from_now() -> Self {
        Self { since: 0.0, run: 0 }
    }

    pub(crate) fn is_known(self) -> bool {
        self.since >= 0.0
    }

    /// Whether another level may take the place of this one: none is known, or the device has lived with what came
    /// after it for as long as a scale is remembered.
    pub(crate) fn forgets(self, tempo: &Tempo) -> bool {
        !self.is_known() || self.since > tempo.scale
    }

    /// Units since the level was left.
    pub(crate) fn since(self) -> f64 {
        self.since
    }

    pub(crate) fn run(self) -> u32 {
        self.run
    }

    /// Whether the device is back, after a reading that is like those before or not.
    pub(crate) fn step(&mut self, is_like: bool, units: f64) -> bool {
        self.since += units;
        self.run = if is_like { self.run.saturating_add(1) } else { 0 };
        self.run >= RETURN
    }

    pub(crate) fn write(self, to: &mut Writer<'_>) {
        to.double(self.since);
        to.count(self.run);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            since: from.double()?,
            run: from.count()?,
        })
    }
}
