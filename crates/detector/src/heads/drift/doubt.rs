//! How far what was learned of a signal can be relied on.
//!
//! A thousand readings of a signal that wanders with the weather are two or three wanderings, not a thousand samples, and
//! a scale learned from so few is as uncertain as one learned from three readings. What deviates from it deviates by the
//! quantile of Student's distribution, not by the normal one; and it has to go on learning where others have finished.

use std::f64::consts::LN_2;

use crate::features::StateError;
use crate::heads::codec::{Reader, Writer};
use crate::heads::tempo::Tempo;

/// Powers of one over the degrees of freedom (Abramowitz and Stegun 26.7.5).
const STUDENT: [f64; 5] = [1.0, 1.2104, 1.4402, 1.30, 0.81];

/// The 97.5 % quantile of Student's distribution over the normal one, for one over its degrees of freedom, 1 at most.
pub(crate) fn student(inverse: f64) -> f64 {
    STUDENT.iter().rev().fold(0.0, |sum, it| sum * inverse + it)
}

/// How doubtful the scale of a signal is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Doubt {
    /// Deviations count for so many times less.
    factor: f32,
}

impl Doubt {
    pub(crate) const NONE: Self = Self { factor: 1.0 };

    /// The doubt in what was learned from so many units of time, of which a reading usually takes `step`. `rough` is the mean logarithm of the mean square of the steps
    /// between readings, in scales: twice one minus the correlation of neighbours, which says how long the signal takes
    /// to wander. What is no slower than the smoothing is in the banks' references, and what is slower than the level
    /// is taken up by it.
    pub(crate) fn of(rough: f64, learned: f64, step: f64, tempo: &Tempo) -> Self {
        let wandering = (2.0 * step / rough.exp().max(1e-9)).min(tempo.level / LN_2) - tempo.smooth / LN_2;
        let inverse = (wandering / learned.max(1.0)).clamp(0.0, 1.0);
        Self {
            factor: student(inverse) as f32,
        }
    }

    /// Deviations count for so many times less.
    pub(crate) fn factor(self) -> f64 {
        f64::from(self.factor)
    }

    /// How much the scale has left to learn, 0 to 1.
    pub(crate) fn open(self) -> f64 {
        let factor = f64::from(self.factor);
        1.0 - 1.0 / (factor * factor)
    }

    pub(crate) fn write(self, to: &mut Writer<'_>) {
        to.single(self.factor);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(Self { factor: from.single()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(correlation: f64, readings: f64, expected: std::ops::Range<f64>) {
        let rough = (2.0 * (1.0 - correlation)).ln();
        let doubt = Doubt::of(rough, readings, 1.0, &Tempo::default());
        assert!(expected.contains(&doubt.factor()), "{doubt:?}");
    }

    #[test]
    fn what_wanders_is_doubtful_until_it_was_seen_to_wander_often() {
        check(0.0, 100.0, 1.0..1.000_001);
        check(0.9, 400.0, 1.0..1.000_001);
        check(0.999, 1_000.0, 1.7..2.0);
        check(0.999, 8_640.0, 1.0..1.1);
        check(1.0, 1e6, 1.0..1.001);
        check(1.0, 10.0, 5.7..5.8);
    }
}
