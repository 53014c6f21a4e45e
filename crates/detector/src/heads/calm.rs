//! The end of something odd: what is usual again for a while is believed before a mean over a longer time has forgotten.
//!
//! Without it two steps of a slow signal, one into a fault and one out of it, are told for as long as the mean remembers them.

use super::codec::{Reader, Writer};
use crate::features::StateError;

/// So many units of usual values in a row end what was odd.
const LASTS: f32 = 6.0;

/// The usual values in a row, of late.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Calm {
    units: f32,
    sum: f32,
}

impl Calm {
    pub(crate) const EMPTY: Self = Self { units: 0.0, sum: 0.0 };

    /// Takes a value that stands for so many units; the mean of the usual ones once they have lasted.
    pub(crate) fn step(&mut self, value: f64, is_usual: bool, units: f64) -> Option<f64> {
        if !is_usual {
            *self = Self::EMPTY;
            return None;
        }
        self.units += units as f32;
        self.sum += (units * value) as f32;
        if self.units < LASTS {
            return None;
        }
        let mean = self.sum / self.units;
        *self = Self::EMPTY;
        Some(f64::from(mean))
    }

    pub(crate) fn write(self, to: &mut Writer<'_>) {
        to.single(self.units);
        to.single(self.sum);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            units: from.single()?,
            sum: from.single()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_usual_values_without_a_break_end_it_and_their_mean_remains() {
        let mut calm = Calm::EMPTY;
        let ends = |calm: &mut Calm, values: &[(f64, bool)]| {
            values
                .iter()
                .map(|(value, is_usual)| calm.step(*value, *is_usual, 1.0))
                .collect::<Vec<_>>()
        };
        let broken = [
            (1.0, true),
            (1.0, true),
            (1.0, true),
            (9.0, false),
            (1.0, true),
            (1.0, true),
        ];
        assert!(ends(&mut calm, &broken).iter().all(Option::is_none));
        let rest = ends(&mut calm, &[(2.0, true), (2.0, true), (3.0, true), (3.0, true)]);
        assert_eq!(rest, [None, None, None, Some(2.0)]);
        assert_eq!(calm, Calm::EMPTY);
    }
}
