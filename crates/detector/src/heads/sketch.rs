//! The first few hundred magnitudes in 50 bytes: a histogram on a logarithmic scale that moves up with the largest.

use super::codec::{Reader, Writer};
use crate::features::StateError;

/// Bins; the lowest also holds all that is smaller.
const BINS: usize = 52;

/// Bins that a factor of two spans.
const FINENESS: f64 = 4.0;

/// A histogram of magnitudes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sketch {
    counts: [u8; BINS],
    /// The exponent of the highest bin.
    top: i16,
    zeros: u8,
    taken: u8,
}

impl Sketch {
    pub(crate) const EMPTY: Self = Self {
        counts: [0; BINS],
        top: i16::MIN,
        zeros: 0,
        taken: 0,
    };

    /// How many magnitudes were taken, up to 255.
    pub(crate) fn taken(&self) -> u32 {
        u32::from(self.taken)
    }

    /// Takes a magnitude, which is no less than 0.
    pub(crate) fn take(&mut self, magnitude: f64) {
        self.taken = self.taken.saturating_add(1);
        if magnitude <= 1e-30 {
            self.zeros = self.zeros.saturating_add(1);
            return;
        }
        let exponent = (magnitude.log2() * FINENESS).floor() as i16;
        if self.top == i16::MIN {
            self.top = exponent;
        }
        if exponent > self.top {
            self.lift(usize::from(exponent.abs_diff(self.top)));
            self.top = exponent;
        }
        let below = usize::from(self.top.abs_diff(exponent));
        let at = (BINS - 1).saturating_sub(below);
        self.counts[at] = self.counts[at].saturating_add(1);
    }

    /// Moves all bins down by so many; what falls off the end gathers in the lowest.
    fn lift(&mut self, by: usize) {
        let mut lifted = [0_u8; BINS];
        for (at, count) in self.counts.iter().enumerate() {
            let to = at.saturating_sub(by);
            lifted[to] = lifted[to].saturating_add(*count);
        }
        self.counts = lifted;
    }

    /// The values in ascending order, those of a bin spread evenly over it on the logarithmic scale.
    pub(crate) fn fill(&self, values: &mut [f64]) {
        let mut places = values.iter_mut();
        places.by_ref().take(usize::from(self.zeros)).for_each(|it| *it = 0.0);
        for (at, count) in self.counts.iter().enumerate() {
            let exponent = f64::from(self.top) - (BINS - 1 - at) as f64;
            for nth in 0..*count {
                let Some(place) = places.next() else { return };
                *place = ((exponent + (f64::from(nth) + 0.5) / f64::from(*count)) / FINENESS).exp2();
            }
        }
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        self.counts.iter().for_each(|it| to.byte(*it));
        to.0.extend(self.top.to_le_bytes());
        to.byte(self.zeros);
        to.byte(self.taken);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            counts: from.take()?,
            top: i16::from_le_bytes(from.take()?),
            zeros: from.byte()?,
            taken: from.byte()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_found_again_within_a_tenth_whatever_the_order() {
        let mut sketch = Sketch::EMPTY;
        for at in 0..250_u32 {
            sketch.take(f64::from(at * 83 % 250) * 0.01);
        }
        let mut values = [0.0; 250];
        sketch.fill(&mut values);
        for at in [30, 125, 225, 240] {
            let exact = at as f64 * 0.01;
            assert!((values[at] / exact - 1.0).abs() < 0.1, "{} {exact}", values[at]);
        }
        assert!(values.is_sorted());
    }
}
