//! What is usual at this time of the day, and whether knowing it helps.

use super::codec::{Reader, Writer};
use crate::features::StateError;

/// A finished bin changes the profile by at least this weight.
const LEAST_BLEND: f64 = 0.15;

/// A profile of the deviations from a slow level, in `N` bins. It is applied with the weight that its skill earns: one
/// minus the ratio of the squared errors with and without it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Profile<const N: usize> {
    bins: [f32; N],
    visits: [u8; N],
    open: u8,
    taken: u32,
    sum: f64,
    flat_error: f64,
    seasonal_error: f64,
}

/// Visits are counted up to so many: half a byte, and more than the blend tells apart.
const MANY: u8 = 15;

/// The course of the day is known once an hour was seen so often.
const SEVERAL: u8 = 2;

const NONE: u8 = u8::MAX;

impl<const N: usize> Profile<N> {
    pub(crate) const EMPTY: Self = Self {
        bins: [0.0; N],
        visits: [0; N],
        open: NONE,
        taken: 0,
        sum: 0.0,
        flat_error: 0.0,
        seasonal_error: 0.0,
    };

    /// What the profile expects in this bin, weighted by its skill. Closes the bin before it, when that is another.
    pub(crate) fn expect(&mut self, bin: u8) -> f64 {
        if bin != self.open {
            self.close();
            self.open = bin;
        }
        if self.visits[usize::from(bin)] == 0 {
            return 0.0;
        }
        self.skill() * f64::from(self.bins[usize::from(bin)])
    }

    /// What it expects in a bin, once that was seen on several days.
    pub(crate) fn course(&self, bin: u8) -> Option<f64> {
        let at = usize::from(bin);
        (self.visits[at] >= SEVERAL).then(|| self.skill() * f64::from(self.bins[at]))
    }

    /// The same beside what it expects over the whole day; 0 until it is known at every hour.
    pub(crate) fn swing(&self, bin: u8) -> f64 {
        if self.visits.iter().any(|it| *it < SEVERAL) {
            return 0.0;
        }
        let mean = self.bins.iter().map(|it| f64::from(*it)).sum::<f64>() / N as f64;
        self.skill() * (f64::from(self.bins[usize::from(bin)]) - mean)
    }

    /// Whether all bins were seen, and the open one on few days: what was learned before that is off.
    pub(crate) fn is_young(&self) -> bool {
        let visits = self.visits.get(usize::from(self.open)).copied().unwrap_or(MANY);
        visits < MANY && self.visits.iter().all(|it| *it > 0)
    }

    /// The skill while it is young, else 0.
    pub(crate) fn youth(&self) -> f64 {
        if self.is_young() { self.skill() } else { 0.0 }
    }

    fn skill(&self) -> f64 {
        if self.flat_error > 0.0 {
            (1.0 - self.seasonal_error / self.flat_error).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    /// Takes in a deviation from the level in the open bin.
    pub(crate) fn take(&mut self, deviation: f64, weight: f64) {
        let at = usize::from(self.open);
        if self.visits[at] > 0 {
            let left = deviation - f64::from(self.bins[at]);
            self.flat_error += weight * (deviation * deviation - self.flat_error);
            self.seasonal_error += weight * (left * left - self.seasonal_error);
        }
        self.sum += deviation;
        self.taken += 1;
    }

    fn close(&mut self) {
        if self.taken == 0 {
            return;
        }
        let at = usize::from(self.open);
        let blend = LEAST_BLEND.max(1.0 / (f64::from(self.visits[at]) + 1.0));
        let bin = f64::from(self.bins[at]);
        self.bins[at] = (bin + blend * (self.sum / f64::from(self.taken) - bin)) as f32;
        self.visits[at] = (self.visits[at] + 1).min(MANY);
        self.sum = 0.0;
        self.taken = 0;
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        self.bins.iter().for_each(|it| to.single(*it));
        for pair in self.visits.chunks(2) {
            to.byte(pair[0] | pair.get(1).map_or(0, |it| it << 4));
        }
        to.byte(self.open);
        to.count(self.taken);
        [self.sum, self.flat_error, self.seasonal_error]
            .iter()
            .for_each(|it| to.double(*it));
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        let mut it = Self::EMPTY;
        for bin in &mut it.bins {
            *bin = from.single()?;
        }
        for pair in it.visits.chunks_mut(2) {
            let both = from.byte()?;
            pair[0] = both & MANY;
            if let Some(second) = pair.get_mut(1) {
                *second = both >> 4;
            }
        }
        it.open = from.byte()?;
        it.taken = from.count()?;
        for number in [&mut it.sum, &mut it.flat_error, &mut it.seasonal_error] {
            *number = from.double()?;
        }
        let in_range = it.open == NONE && it.taken == 0 || usize::from(it.open) < N;
        if in_range { Ok(it) } else { Err(StateError::Damaged) }
    }
}
