//! How far each signal ever reached. In the distance of a vector of many signals one that has left its own range is an
//! eleventh; here it speaks for itself.
//!
//! What is held against the range is the smoothed value, so that neither one spike nor noise makes a range wide. The
//! ranges are of all that was learned. Later they grow slowly, since what lies outside may be a fault.

use super::banks::Bank;
use super::codec::{Reader, Writer};
use super::moment::Moment;
use crate::features::StateError;

/// A signal is where it never was when it is so many times as far from the middle of its range as the range reaches.
const LEAVES: f64 = 2.0;

/// A value counts as at most so many times as far out as the range reaches.
const FELT: f64 = 4.0;

/// No range is narrower than this share of the value: single precision tells no less.
const NARROWEST: f64 = 1e-5;

/// The smoothed value of a signal, and the lowest and highest that it was; `low` lies above `high` before the first.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    smooth: f32,
    low: f32,
    high: f32,
}

/// The ranges of all signals of a device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reach(Box<[Range]>);

impl Reach {
    pub(crate) fn new(n_signals: usize) -> Self {
        Self(vec![Range::EMPTY; n_signals].into())
    }

    /// How far the farthest signal is from where it ever was, as the logarithm of the ratio to [`LEAVES`]. `places`
    /// tells how widely each scatters.
    pub(crate) fn step(&mut self, moment: &Moment<'_>, places: &Bank) -> f64 {
        let mut farthest = 0.0_f64;
        let ranges = self.0.iter_mut().zip(moment.values.iter()).zip(places.deviations());
        for (at, ((range, value), deviation)) in ranges.enumerate() {
            let Some(value) = value else { continue };
            let weights = moment.weights_of(at);
            let grows = if moment.is_learning { 1.0 } else { weights.scale };
            farthest = farthest.max(range.step(value, deviation, weights.place, grows));
        }
        ((farthest + 1e-3) / LEAVES).ln()
    }

    /// Takes where the signals are for part of their ranges.
    pub(crate) fn widen(&mut self) {
        for it in self.0.iter_mut().filter(|it| it.low <= it.high) {
            (it.low, it.high) = (it.low.min(it.smooth), it.high.max(it.smooth));
        }
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        for it in &self.0 {
            [it.smooth, it.low, it.high].iter().for_each(|it| to.single(*it));
        }
    }

    pub(crate) fn read(from: &mut Reader<'_>, n_signals: usize) -> Result<Self, StateError> {
        let mut it = Self::new(n_signals);
        for range in &mut it.0 {
            *range = Range {
                smooth: from.single()?,
                low: from.single()?,
                high: from.single()?,
            };
        }
        Ok(it)
    }
}

impl Range {
    const EMPTY: Self = Self {
        smooth: 0.0,
        low: 1.0,
        high: 0.0,
    };

    /// How many times as far from the middle as the range reaches, which is `deviation` at least; then takes the value in.
    fn step(&mut self, value: f64, deviation: f64, weight: f64, grows: f64) -> f64 {
        if self.low > self.high {
            let value = value as f32;
            *self = Self {
                smooth: value,
                low: value,
                high: value,
            };
            return 0.0;
        }
        let [smooth, low, high] = [self.smooth, self.low, self.high].map(f64::from);
        let middle = f64::midpoint(low, high);
        let half = ((high - low) / 2.0).max(deviation).max(NARROWEST * middle.abs());
        let felt = value.clamp(middle - FELT * half, middle + FELT * half);
        let smooth = smooth + weight * (felt - smooth);
        *self = Self {
            smooth: smooth as f32,
            low: (low + grows * (smooth - low).min(0.0)) as f32,
            high: (high + grows * (smooth - high).max(0.0)) as f32,
        };
        (smooth - middle).abs() / half.max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The weight of a half-life of ten readings.
    const WEIGHT: f64 = 0.067;

    /// A range that learned a week of days between 8 and 12, a reading a minute.
    fn learned() -> Range {
        let mut range = Range::EMPTY;
        for minute in 0..7 * 1_440 {
            let value = 10.0 + 2.0 * (f64::from(minute) / 1_440.0 * std::f64::consts::TAU).sin();
            assert!(range.step(value, 1.4, WEIGHT, 1.0) < 1.6, "{minute}");
        }
        range
    }

    /// The farthest of an hour at this value, and where it ends.
    fn hour(range: &mut Range, value: f64) -> (f64, f64) {
        let ratios: Vec<f64> = (0..60).map(|_| range.step(value, 1.4, WEIGHT, 1e-5)).collect();
        (ratios.iter().copied().fold(0.0, f64::max), ratios[59])
    }

    #[test]
    fn what_stays_where_it_never_was_is_far_out_and_one_spike_is_not() {
        let mut range = learned();
        assert!(hour(&mut range, 12.0).0 < 1.1);
        assert!(hour(&mut range, 13.0).0 < LEAVES);
        assert!(hour(&mut range, 15.0).1 > LEAVES);
        assert!(hour(&mut range, 5.0).1 > LEAVES);
        let mut range = learned();
        range.step(1e6, 1.4, WEIGHT, 1e-5);
        assert!(hour(&mut range, 10.0).0 < LEAVES);
    }

    #[test]
    fn a_place_far_out_becomes_usual_slowly() {
        let mut range = learned();
        let first = hour(&mut range, 16.0).1;
        let later = (0..400).map(|_| hour(&mut range, 16.0).1).fold(first, f64::min);
        assert!(first > 2.5 && later < first - 0.3, "{first} {later}");
    }
}
