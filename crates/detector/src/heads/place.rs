//! Has this device been in such a state before? The vector of all signals against the mean and covariance of all that
//! the device did, smoothed, and set against what is usual of late.
//!
//! A machine with modes (on and off, set points) lies far from its mean in each of them, always equally far; what is new
//! lies further. The evidence is trusted as the history comes to span days and weeks: an hour of it has not seen the
//! night, and a day not the weekend.

use domain::MAX_SIGNALS;

use super::banks::{Bank, Care};
use super::codec::{Reader, Writer};
use super::drift::SPOKEN;
use super::moment::Moment;
use super::reach::Reach;
use super::wear::Wear;
use crate::features::StateError;

const CARE: Care = Care {
    coupling: 1.0,
    relative_ridge: 1e-3,
    ridge: 1e-18,
    robust: 1.0,
};

/// The share of distances that lies below the reference.
const SHARE: f64 = 0.95;

/// The reference moves by so much, in logarithms, for a reading of full weight.
const STEP: f64 = 1.2;

/// The same while a device learns that was watched for less than so many seconds: what it did then must be found soon, and later the
/// reference is to follow no hour of a training that it would not follow after it.
const LEARNING_STEP: f64 = 6.0;
const FOUND: f64 = 2.0 * 86_400.0;

/// Readings before the reference starts.
const SETTLED: f64 = 100.0;

/// A distance counts as at most so many times the usual upper end, so that one spike is over when it is over.
const FELT: f64 = 2.0;

/// A device has left its places when it is so far beyond the usual upper end, and is back when it is as far below: what
/// lies between does not change the answer. Noise alone crosses the first once in thousands of readings.
const LEAVES: f64 = 0.2;

/// A device that is back lies at least so far below the usual upper end, as a share of the way to what is in the middle:
/// for one whose distance hardly changes, a fifth below would be less than it ever is.
const BACK: f64 = 0.25;

/// The smoothed distance of a device that has left goes down so many times as fast as it went up: what has ended is told no
/// longer.
const SOONER: f64 = 8.0;

/// A device that has been away from its places for so many seconds has new ones.
const SETTLES: f64 = 2.0 * 86_400.0;

/// The same of a device whose level is taken for a new one, from then on.
const SETTLES_ANEW: f64 = 3.0 * 3_600.0;

/// By so much of the time that it is back, the time that it was away is forgotten.
const FORGETS: f64 = 0.25;

/// A history of so many seconds is trusted in full.
const TRUSTED: f64 = 7.0 * 86_400.0;

/// What is remembered of the places a device was in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    bank: Bank,
    reach: Reach,
    smooth: f64,
    /// The logarithm of the usual upper end of `smooth`.
    usual: f64,
    /// The same of its median.
    middle: f64,
    /// Whether it is beyond that, and whether it is so for a history of days that are much like each other.
    is_out: bool,
    has_left: bool,
    /// By how much that asks for more, as a logarithm, smoothed.
    doubt: f32,
    /// For how many seconds it has been away of late.
    away: f64,
    age: f64,
    /// How long the device was watched, in seconds; silences do not count.
    watched: f64,
}

/// The distance a signal of a square over `present` signals, such as it would be over all of them: that of few scatters
/// more. By the cube root of a chi-square, which is nearly normal (Wilson and Hilferty 1931).
fn comparable(square: f64, present: f64, all: f64) -> f64 {
    if present == all || present == 0.0 {
        return (square / all).sqrt();
    }
    let spread = |signals: f64| 2.0 / (9.0 * signals);
    let normal = ((square / present).cbrt() - (1.0 - spread(present))) / spread(present).sqrt();
    (1.0 - spread(all) + normal * spread(all).sqrt()).max(0.0).powf(1.5)
}

/// The share of the variance of Gaussian noise that is left when every vector further away than the mean distance is drawn in to it:
/// the mean of the lesser of 1 and a chi-square over its degrees of freedom, within a hundredth.
fn drawn_in(signals: f64) -> f64 {
    1.0 - 0.564 / signals.sqrt() + 0.08 / signals.powf(1.5)
}

impl Place {
    pub(crate) fn new(n_signals: usize) -> Self {
        Self {
            bank: Bank::new(n_signals),
            reach: Reach::new(n_signals),
            smooth: 0.0,
            usual: 0.0,
            middle: 0.0,
            is_out: false,
            has_left: false,
            doubt: 0.0,
            away: 0.0,
            age: 0.0,
            watched: 0.0,
        }
    }

    /// Makes the device settle sooner where it is away now or comes to be soon: its level was taken for a new one.
    pub(crate) fn hasten(&mut self) {
        self.away = self.away.max(SETTLES - SETTLES_ANEW);
    }

    /// Takes note that the device is back at a level that it left so many seconds ago. Where it has settled since, it knows no other
    /// place, and settles again.
    pub(crate) fn come_back(&mut self, left: f64) {
        if self.watched < left {
            self.settle();
        }
    }

    /// How much further from all that was than usual, as the logarithm of the ratio, beyond the distance at which the
    /// device leaves or comes back, and beyond that at which it leaves; the place after the reading.
    pub(crate) fn step(&mut self, moment: &Moment<'_>, wear: &Wear) -> (f64, f64) {
        let units = moment.weights.units;
        self.away = if self.is_out {
            self.away + moment.seconds
        } else {
            (self.away - FORGETS * moment.seconds).max(0.0)
        };
        if self.away > SETTLES {
            self.settle();
        }
        if self.age == 0.0 {
            self.bank.begin(moment.values);
        }
        let speaks = self.age >= SPOKEN;
        self.age += units;
        self.watched += moment.seconds;
        let mut deviations = [f64::NAN; MAX_SIGNALS];
        let mut present = 0.0;
        for (at, value) in moment.values.iter().enumerate() {
            let Some(value) = value else { continue };
            deviations[at] = value - self.bank.mean(at);
            present += 1.0;
        }
        let deviations = &deviations[..moment.values.len()];
        let distance = if speaks {
            comparable(self.bank.square(deviations, &CARE), present, deviations.len() as f64)
        } else {
            0.0
        };
        let early = (units / self.age).min(1.0);
        let felt = if self.age > SETTLED + 1.0 {
            distance.min(FELT * self.usual.exp())
        } else {
            distance
        };
        let sooner = if self.has_left && felt < self.smooth {
            SOONER
        } else {
            1.0
        };
        self.smooth += (sooner * moment.weights.place).max(early).min(1.0) * (felt - self.smooth);
        let unseen = self.unseen(deviations, wear) - f64::from(self.doubt);
        self.doubt += (moment.weights.place.max(early) * unseen) as f32;
        let trust = self.trusts(distance, deviations.len() as f64, moment.is_learning);
        self.bank.absorb(deviations, trust, moment.weights.scale.max(early));
        let step = if moment.is_learning && self.watched < FOUND {
            LEARNING_STEP
        } else {
            STEP
        };
        let reach = self.reach.step(moment, &self.bank);
        let (away, leaving) = self.compare(step * moment.weights.scale.max(early));
        (away.max(reach), leaving.max(reach))
    }

    /// How far to trust a vector at this distance. Drawing in what lies far would make the covariance of Gaussian noise ever smaller,
    /// which is made up for unless the device is away.
    fn trusts(&self, distance: f64, signals: f64, is_learning: bool) -> f64 {
        let trust = CARE.trust(distance, is_learning);
        if is_learning || self.is_out {
            trust
        } else {
            trust / drawn_in(signals).sqrt()
        }
    }

    /// How much further off the device may be since its history is of few weathers, as a logarithm: each signal counts as it
    /// makes the distance.
    fn unseen(&self, deviations: &[f64], wear: &Wear) -> f64 {
        let (mut whole, mut unseen) = (0.0, 0.0);
        for (at, (deviation, variance)) in deviations.iter().zip(self.bank.variances()).enumerate() {
            if deviation.is_nan() || variance <= 0.0 {
                continue;
            }
            let square = deviation * deviation / variance;
            whole += square;
            unseen += square * wear.unseen(at) / variance;
        }
        if unseen > 0.0 {
            0.5 * (unseen / whole).ln_1p()
        } else {
            0.0
        }
    }

    /// How far below its usual upper end the distance is again that of a device that is back.
    fn back(&self) -> f64 {
        LEAVES.min(BACK * (self.usual - self.middle).max(0.0))
    }

    /// Takes where the device has been for days for a new regime, which is learned like that of a new device.
    fn settle(&mut self) {
        self.bank.forget();
        self.reach.widen();
        (self.smooth, self.usual, self.middle) = (0.0, 0.0, 0.0);
        (self.age, self.watched, self.away) = (0.0, 0.0, 0.0);
        (self.is_out, self.has_left) = (false, false);
    }

    /// The distance against its usual upper end, which moves by `step`: beyond that at which the device leaves or comes back, and
    /// beyond that at which it leaves.
    fn compare(&mut self, step: f64) -> (f64, f64) {
        let distance = (self.smooth + 1e-3).ln();
        if self.age <= SETTLED + 1.0 {
            self.usual = distance;
            self.middle = distance;
            return (0.0, 0.0);
        }
        self.usual += if distance > self.usual {
            step * SHARE
        } else {
            -step * (1.0 - SHARE)
        };
        self.middle += if distance > self.middle {
            0.5 * step
        } else {
            -0.5 * step
        };
        let beyond = distance - self.usual;
        let back = self.back();
        let bar = |is_beyond: bool| if is_beyond { -back } else { LEAVES };
        self.is_out = beyond > bar(self.is_out);
        let doubt = f64::from(self.doubt);
        let bar = bar(self.has_left) + doubt;
        self.has_left = beyond > bar;
        (beyond - bar, beyond - LEAVES - doubt)
    }

    /// How far the history can be trusted to have seen what there is, 0 to 1.
    pub(crate) fn trust(&self) -> f64 {
        (self.watched / TRUSTED).min(1.0).powi(3)
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        self.bank.write(to);
        self.reach.write(to);
        [self.smooth, self.usual, self.middle, self.age, self.watched]
            .iter()
            .for_each(|it| to.double(*it));
        to.byte(u8::from(self.is_out) | u8::from(self.has_left) << 1);
        to.single(self.doubt);
        to.double(self.away);
    }

    pub(crate) fn read(from: &mut Reader<'_>, n_signals: usize) -> Result<Self, StateError> {
        let (bank, reach) = (Bank::read(from, n_signals)?, Reach::read(from, n_signals)?);
        let (smooth, usual, middle) = (from.double()?, from.double()?, from.double()?);
        let (age, watched, bits) = (from.double()?, from.double()?, from.byte()?);
        Ok(Self {
            bank,
            reach,
            smooth,
            usual,
            middle,
            is_out: bits & 1 != 0,
            has_left: bits & 2 != 0,
            doubt: from.single()?,
            away: from.double()?,
            age,
            watched,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distance of which `share` of readings stay short, found from the chi-square quantile of one signal or of two.
    #[track_caller]
    fn check(one: f64, two: f64) {
        let found = comparable(one, 1.0, 2.0);
        let expected = comparable(two, 2.0, 2.0);
        assert!((found / expected - 1.0).abs() < 0.03, "{found} {expected}");
    }

    #[test]
    fn what_is_left_of_gaussian_noise_is_that_of_a_chi_square() {
        // Of one signal the share beyond 1 and what the others have (0.3173 + 0.1987), of two 1 - 1/e, of eight from tables.
        for (signals, left) in [(1.0, 0.516), (2.0, 0.632), (8.0, 0.8047)] {
            assert!((drawn_in(signals) - left).abs() < 0.01, "{signals}");
        }
    }

    #[test]
    fn the_distance_of_one_signal_is_as_rare_as_that_of_two() {
        check(0.454_9, 1.386_3);
        check(2.705_5, 4.605_2);
        check(3.841_5, 5.991_5);
        check(6.634_9, 9.210_3);
    }
}
