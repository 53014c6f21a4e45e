//! Head A: is the device drifting from its own recent self? Per signal a level, a scale and a time-of-day profile; over
//! all signals three banks: the largest deviation, the smoothed deviations, the roughness.

mod codec;
mod doubt;
mod hold;

use domain::MAX_SIGNALS;

use super::banks::{Bank, Care};
use super::calm::Calm;
use super::codec::{Reader, Writer};
use super::former::{Former, Return};
use super::level::Level;
use super::moment::Moment;
use super::profile::Profile;
use super::tempo::Weights;
use crate::features::StateError;
use doubt::Doubt;
pub(crate) use doubt::student;
use hold::Regime;

/// Deviations are told apart up to so many scales.
const CLIP: f64 = 1_000.0;

/// Deviations beyond so many scales enter the smoothed ones as so many.
const SMOOTH_CLIP: f64 = 3.0;

/// A deviation beyond so many scales enters the smoothed ones only with a second right after it: a single reading is no
/// drift, and would look like one for as long as it is remembered.
const ALONE: f64 = 8.0;

/// While a device learns its scale, what came late counts more than what came early, before its level and the course of
/// its day were known: the weight of the `t`-th reading is this over `t` (polynomial-decay averaging, Shamir and Zhang 2013).
const LATER: f64 = 2.0;

/// What one signal moves the level by is clipped at so many scales.
const LEVEL_CLIP: f64 = 5.0;

/// The same in what is remembered of all times, while a new level may be a fault's.
const NEW_CLIP: f64 = 3.0;

/// What enters the scale is clipped at so many scales.
const SCALE_CLIP: f64 = 3.0;

/// Makes up for the clipping of the values that the scale is learned from.
const SCALE_BIAS: f64 = 1.02;

/// No scale is smaller than this share of the deviation over all that was seen.
const RESTING: f64 = 0.2;

/// The standard deviation of Gaussian noise in units of its mean absolute deviation.
const NORMAL_SPREAD: f64 = 1.253_314_137_315_5;

/// Nor smaller than this share of the value, which no sensor resolves.
const RESOLUTION: f64 = 1e-5;

/// A smoothed deviation lies to one side from the first on, and until it falls below the second.
const ASIDE: (f64, f64) = (1.5, 0.75);

/// A value that comes again so often is stuck, unless values usually come again.
const STUCK: u32 = 5;

/// The weight of a run of equal values in how long they usually are, and the longest that counts.
const RUNS: f32 = 0.01;
const LONGEST_RUN: u32 = 50;

/// Doubts are found anew after so many readings.
const DOUBTED: u32 = 64;

/// A roughness beyond so many times the usual one is odd; steps with squares so many times below it are of another state.
const RESTLESS: f64 = 6.0;
const STILL: f64 = 4.0;

/// No smoothed deviation and no roughness scatters less, when it is held against its own.
const LEAST_SPREAD: f64 = 1e-3;

/// The noise of a signal is at least this share of its scale.
const LEAST_NOISE: f64 = 0.1;

const CARE: Care = Care {
    coupling: 0.8,
    relative_ridge: 0.0,
    ridge: 1e-6,
    robust: 3.0,
};

/// From so many readings on the banks speak.
pub(crate) const SPOKEN: f64 = 30.0;

/// What head A remembers of one signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SignalDrift {
    profile: Profile<24>,
    level: Level,
    variance: f64,
    smooth: f64,
    rough: f64,
    last: f64,
    age: f64,
    seen: u32,
    /// The mean and the mean absolute deviation over all that was seen: slow to learn, not shrunk by what is rare.
    long_mean: f64,
    long_spread: f64,
    /// What was expected of the newest value, and the scale it was measured in.
    pub(crate) center: f64,
    scale: f32,
    /// This signal's own part in each bank at the newest reading; negative below what is usual.
    pub(crate) parts: [f32; 3],
    /// For how many seconds the smoothed deviation has been to one side, negative below.
    lasting: f32,
    /// The newest value as it came, how often it came before it, and how often a value usually does.
    value: f64,
    repeats: u32,
    usual_repeats: f32,
    /// Whether it was ever below 0.
    pub(crate) is_signed: bool,
    former: Former,
    pub(crate) doubt: Doubt,
    /// Whether the newest value lies far off and the one before did not.
    is_alone: bool,
    calm: Calm,
}

impl SignalDrift {
    pub(crate) const EMPTY: Self = Self {
        profile: Profile::EMPTY,
        level: Level::EMPTY,
        variance: 0.0,
        smooth: 0.0,
        rough: 1.0,
        last: 0.0,
        age: 0.0,
        seen: 0,
        long_mean: 0.0,
        long_spread: 0.0,
        center: 0.0,
        scale: 0.0,
        parts: [0.0; 3],
        lasting: 0.0,
        value: 0.0,
        repeats: 0,
        usual_repeats: 0.0,
        is_signed: false,
        former: Former::EMPTY,
        doubt: Doubt::NONE,
        is_alone: false,
        calm: Calm::EMPTY,
    };

    /// Measures a value: how many scales it lies from what is expected.
    fn observe(&mut self, value: f64, moment: &Moment<'_>, weights: &Weights, regime: Regime, usual_rough: f64) -> f64 {
        let units = weights.units;
        if self.seen == 0 {
            self.level.begin(value);
            self.long_mean = value;
        }
        self.repeat(value);
        self.age += units;
        if regime != Regime::Odd {
            self.remember(value, weights, moment.is_learning, regime);
        }
        let expected = self.profile.expect(moment.hour);
        let deviation = value - self.level.value;
        if regime != Regime::Odd {
            let reach = match moment.is_learning {
                true => f64::INFINITY,
                false => LEVEL_CLIP * self.variance.max(0.0).sqrt().max(self.least_scale()),
            };
            let felt = deviation.clamp(expected - reach, expected + reach);
            self.profile.take(felt, weights.profile.max(units / (self.age + units)));
        }
        let left = deviation - expected;
        self.center = self.level.value + expected;
        let scale = if self.seen > 5 {
            self.variance.max(0.0).sqrt().max(self.least_scale())
        } else {
            left.abs()
        } + 1e-9;
        self.scale = scale as f32;
        let z = (left / scale).clamp(-CLIP, CLIP);
        self.seen = self.seen.saturating_add(1);
        self.is_alone = z.abs() > ALONE && self.seen > 20 && !self.is_alone;
        if self.is_alone {
            return z;
        }
        self.smooth += weights.smooth * (z.clamp(-SMOOTH_CLIP, SMOOTH_CLIP) - self.smooth);
        let step = (z - self.last).abs().min(1.5 * SMOOTH_CLIP);
        self.rough += weights.rough.max(units / self.age) * (step * step - self.rough);
        self.last = z;
        self.calm(step * step, usual_rough, units);
        z
    }

    /// Ends an odd roughness when the steps are usual again.
    fn calm(&mut self, square: f64, usual: f64, units: f64) {
        let is_usual = self.rough > RESTLESS * usual && square < self.rough / STILL;
        if let Some(mean) = self.calm.step(square, is_usual, units) {
            self.rough = mean.max(usual);
        }
    }

    /// Counts how often the value has come in a row.
    #[expect(
        clippy::float_cmp,
        reason = "a sensor that is stuck repeats its value to the last bit"
    )]
    fn repeat(&mut self, value: f64) {
        self.is_signed |= value < 0.0;
        if self.seen > 0 && value == self.value {
            self.repeats = self.repeats.saturating_add(1);
            return;
        }
        self.usual_repeats += RUNS * (self.repeats.min(LONGEST_RUN) as f32 - self.usual_repeats);
        self.repeats = 0;
        self.value = value;
    }

    /// Whether the value has come so often in a row as a sensor that works does not give it.
    pub(crate) fn is_stuck(&self) -> bool {
        self.repeats >= STUCK && f64::from(self.repeats) >= f64::from(STUCK) * f64::from(self.usual_repeats)
    }

    /// Whether it would be stuck with this value.
    #[expect(
        clippy::float_cmp,
        reason = "a sensor that is stuck repeats its value to the last bit"
    )]
    pub(crate) fn is_stuck_at(&self, value: f64) -> bool {
        let mut next = *self;
        next.repeats = next.repeats.saturating_add(1);
        self.seen > 0 && value == self.value && next.is_stuck()
    }

    /// The scale that the newest value was measured in.
    pub(crate) fn scale(&self) -> f64 {
        f64::from(self.scale)
    }

    /// For how many seconds the smoothed deviation has been to one side, negative below.
    pub(crate) fn lasting(&self) -> f64 {
        f64::from(self.lasting)
    }

    /// The newest value.
    pub(crate) fn newest(&self) -> Option<f64> {
        (self.seen > 0).then_some(self.value)
    }

    /// Counts for how long the smoothed deviation has been to one side, when its part in the bank is this.
    fn last_on(&mut self, part: f64, seconds: f64) {
        let lasting = self.lasting();
        let is_same = part * lasting >= 0.0;
        if part.abs() > ASIDE.1 && is_same || part.abs() > ASIDE.0 {
            let before = if is_same { lasting } else { 0.0 };
            self.lasting = (before + seconds.copysign(part)) as f32;
        } else {
            self.lasting = 0.0;
        }
    }

    fn remember(&mut self, value: f64, weights: &Weights, is_learning: bool, regime: Regime) {
        let weight = weights.scale.max(weights.units / self.age).min(1.0);
        let mut deviation = value - self.long_mean;
        if !is_learning {
            let clip = if regime == Regime::New { NEW_CLIP } else { LEVEL_CLIP };
            let reach = clip * self.long_scale();
            deviation = deviation.clamp(-reach, reach);
        }
        self.long_mean += weight * deviation;
        self.long_spread += weight * (deviation.abs() - self.long_spread);
    }

    /// The standard deviation over all that was seen, as its mean absolute deviation has it: seldom spikes count little.
    fn long_scale(&self) -> f64 {
        (NORMAL_SPREAD * self.long_spread).max(RESOLUTION * self.long_mean.abs())
    }

    /// A signal that mostly rests, as on a machine that switches on and off, has robust scales near zero. What it does
    /// over a day or a week keeps its scale from vanishing.
    fn least_scale(&self) -> f64 {
        (RESTING * self.long_scale()).max(RESOLUTION * self.long_mean.abs())
    }

    /// The value in standard deviations of all that was seen.
    pub(crate) fn standing(&self, value: f64) -> f64 {
        ((value - self.long_mean) / (self.long_scale() + 1e-9)).clamp(-CLIP, CLIP)
    }

    /// Whether the smoothed deviation lies to one side.
    fn is_aside(&self) -> bool {
        f64::from(self.parts[1]).abs() > ASIDE.0
    }

    /// Goes back to what was usual before the present level was taken for usual.
    fn restore(&mut self) {
        (self.level.value, self.variance) = (self.former.level, f64::from(self.former.variance));
        (self.smooth, self.last) = (f64::from(self.former.mean), f64::from(self.former.mean));
    }

    /// Takes the newest value in. What was learned over `learned` units counts no less than what comes.
    fn absorb(&mut self, value: f64, weights: &Weights, learned: Option<f64>) {
        let (early, late) = match learned {
            None => {
                let share = weights.units / self.age;
                (share, (LATER * share).min(1.0))
            }
            Some(learned) => (
                0.0,
                self.doubt.open() * self.doubt.open() * weights.units / learned.max(1.0),
            ),
        };
        let scale = self.variance.max(0.0).sqrt();
        let mut moved = value - self.level.value;
        let mut measured = moved;
        if self.seen > 20 {
            moved = moved.clamp(-LEVEL_CLIP * scale, LEVEL_CLIP * scale);
            measured = (value - self.center).clamp(-SCALE_CLIP * scale, SCALE_CLIP * scale);
        }
        self.variance += weights.scale.max(late) * (measured * measured * SCALE_BIAS - self.variance);
        self.level.follow(moved, weights, early);
    }

    /// Takes the newest value for part of a new level.
    fn adopt(&mut self, value: f64, weights: &Weights, nth: u32) {
        self.level.adopt(value - self.center, weights, nth);
    }
}

/// What head A remembers of a device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drift {
    pub(crate) signals: Box<[SignalDrift]>,
    smooth: Bank,
    rough: Bank,
    /// For how many units learning has been held.
    held: f64,
    /// How many readings of a new level were taken in; 0 when none is being found.
    adopted: u32,
    /// Whether the level before the present one is known, and how the device comes back to it.
    back: Return,
    age: f64,
    /// For how many units it learned, and for how many its doubts were found; 0 while there are none.
    learned: f64,
    doubted: f64,
}

/// The three banks for one reading: 0 the largest deviation, 1 the smoothed deviations, 2 the roughness.
pub(crate) type Banks = [f64; 3];

impl Drift {
    pub(crate) fn new(n_signals: usize) -> Self {
        Self {
            signals: vec![SignalDrift::EMPTY; n_signals].into(),
            smooth: Bank::new(n_signals),
            rough: Bank::new(n_signals),
            held: 0.0,
            adopted: 0,
            back: Return::EMPTY,
            age: 0.0,
            learned: 0.0,
            doubted: 0.0,
        }
    }

    /// The banks of a reading, and the head after it.
    pub(crate) fn step(&mut self, moment: &Moment<'_>) -> Banks {
        let speaks = self.age >= SPOKEN;
        self.age += moment.weights.units;
        self.doubt(moment);
        let n_signals = self.signals.len();
        let regime = self.regime();
        let (mut smooth, mut rough) = ([f64::NAN; MAX_SIGNALS], [f64::NAN; MAX_SIGNALS]);
        let mut certain = [f64::NAN; MAX_SIGNALS];
        let (mut spike, mut present) = (0.0_f64, 0.0);
        let spreads = self.smooth.deviations().zip(self.rough.deviations());
        let signals = self.signals.iter_mut().zip(moment.values.iter()).zip(spreads);
        for (at, ((signal, value), spread)) in signals.enumerate() {
            let Some(value) = value else { continue };
            let z = signal.observe(value, moment, &moment.weights_of(at), regime, self.rough.mean(at).exp());
            spike = spike.max(z.abs() / signal.doubt.factor());
            smooth[at] = signal.smooth - self.smooth.mean(at);
            certain[at] = smooth[at] / signal.doubt.factor();
            rough[at] = (signal.rough + 1e-4).ln() - self.rough.mean(at);
            present += 1.0;
            signal.parts = [
                z as f32,
                (smooth[at] / spread.0.max(LEAST_SPREAD)) as f32,
                (rough[at] / spread.1.max(LEAST_SPREAD)) as f32,
            ];
            let aside = f64::from(signal.parts[1]);
            signal.last_on(aside, moment.seconds);
        }
        let distance =
            |bank: &Bank, deviations: &[f64]| (bank.square(deviations, &CARE) / f64::max(present, 1.0)).sqrt();
        let (smooth, rough) = (&smooth[..n_signals], &rough[..n_signals]);
        let mut banks = [spike, 0.0, 0.0];
        if speaks {
            banks[1] = distance(&self.smooth, &certain[..n_signals]);
            banks[2] = distance(&self.rough, rough);
        }
        self.hold(moment, banks[1]);
        if self.held == 0.0 || self.held > moment.longest_hold {
            self.absorb(moment, &banks, smooth, rough);
        }
        banks
    }

    /// Finds how far what was learned can be relied on: when the learning is over, when a training has seen more, and now and
    /// then, since how slowly a signal wanders shows better with time.
    #[expect(clippy::float_cmp, reason = "the doubts are found anew when the very number changes")]
    fn doubt(&mut self, moment: &Moment<'_>) {
        if moment.is_learning {
            if self.doubted > 0.0 {
                self.signals.iter_mut().for_each(|it| it.doubt = Doubt::NONE);
            }
            (self.learned, self.doubted) = (self.age, 0.0);
            return;
        }
        let learned = self.learned.max(moment.trained);
        let is_due = self.signals.first().is_some_and(|it| it.seen % DOUBTED == 0);
        if is_due || learned != self.doubted {
            self.doubted = learned;
            for (at, signal) in self.signals.iter_mut().enumerate() {
                signal.doubt = Doubt::of(self.rough.mean(at), learned, moment.step, &moment.pace.tempo);
            }
        }
    }

    /// How much the covariances have left to learn: what each two signals have together, on average.
    fn open(&self) -> f64 {
        let mean = self.signals.iter().map(|it| it.doubt.open()).sum::<f64>() / self.signals.len() as f64;
        mean * mean
    }

    fn absorb(&mut self, moment: &Moment<'_>, banks: &Banks, smooth: &[f64], rough: &[f64]) {
        let share = if moment.is_learning {
            1.0 / self.age
        } else {
            self.open() / self.doubted.max(1.0)
        };
        let weight = moment.weights.scale.max(share * moment.weights.units);
        let learned = (!moment.is_learning).then_some(self.doubted);
        self.smooth
            .absorb(smooth, CARE.trust(banks[1], moment.is_learning), weight);
        self.rough
            .absorb(rough, CARE.trust(banks[2], moment.is_learning), weight);
        for (at, value) in moment.values.iter().enumerate() {
            let Some(value) = value else { continue };
            let signal = &mut self.signals[at];
            let weights = moment.weights_of(at);
            if self.adopted > 0 && signal.is_aside() {
                signal.adopt(value, &weights, self.adopted);
            } else {
                signal.absorb(value, &weights, learned);
            }
        }
    }

    /// The noise of a signal from reading to reading, in its scale, which also holds what it does more slowly.
    pub(crate) fn noise(&self, at: usize) -> f64 {
        (self.rough.mean(at).exp() / 2.0).sqrt().clamp(LEAST_NOISE, 1.0)
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        self.signals.iter().for_each(|it| it.write(to));
        self.smooth.write(to);
        self.rough.write(to);
        to.double(self.held);
        to.count(self.adopted);
        self.back.write(to);
        to.double(self.age);
        to.double(self.learned);
        to.double(self.doubted);
    }

    pub(crate) fn read(from: &mut Reader<'_>, n_signals: usize) -> Result<Self, StateError> {
        let signals: Result<Vec<_>, _> = (0..n_signals).map(|_| SignalDrift::read(from)).collect();
        Ok(Self {
            signals: signals?.into(),
            smooth: Bank::read(from, n_signals)?,
            rough: Bank::read(from, n_signals)?,
            held: from.double()?,
            adopted: from.count()?,
            back: Return::read(from)?,
            age: from.double()?,
            learned: from.double()?,
            doubted: from.double()?,
        })
    }
}
