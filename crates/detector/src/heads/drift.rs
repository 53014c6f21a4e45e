//! Head A: is the device drifting from its own recent self? Per signal a level, a scale and a time-of-day profile; over
//! all signals three banks: the largest deviation, the smoothed deviations, the roughness.

mod codec;
mod doubt;
mod hold;
mod signal;

use std::borrow::Cow;

use domain::{MAX_SIGNALS, Measurement, Values};

use super::banks::{Bank, Care};
use super::codec::{Reader, Writer};
use super::former::Return;
use super::moment::{Learning, Moment};
use crate::features::StateError;
use doubt::Doubt;
pub(crate) use doubt::student;
pub(crate) use hold::Turn;
pub(crate) use signal::SignalDrift;

/// Doubts are found anew after so many readings.
const DOUBTED: u32 = 64;

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

    /// The banks of a reading, what becomes of the level with it, and the head after it.
    pub(crate) fn step(&mut self, moment: &Moment<'_>) -> (Banks, Turn) {
        let speaks = self.age >= SPOKEN;
        self.age += moment.weights.units;
        self.doubt(moment);
        let n_signals = self.signals.len();
        let regime = self.regime();
        if self.back.is_known() {
            self.signals.iter_mut().for_each(|it| it.keep_former(moment));
        }
        let (mut smooth, mut rough) = ([f64::NAN; MAX_SIGNALS], [f64::NAN; MAX_SIGNALS]);
        let mut certain = [f64::NAN; MAX_SIGNALS];
        let (mut spike, mut present) = (0.0_f64, 0.0);
        let spreads = self.smooth.deviations().zip(self.rough.deviations());
        let signals = self.signals.iter_mut().zip(moment.values.iter()).zip(spreads);
        for (at, ((signal, value), spread)) in signals.enumerate() {
            let Some(value) = value else {
                signal.miss(moment);
                continue;
            };
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
        let turn = self.hold(moment, banks[1]);
        if self.held == 0.0 || self.held > moment.longest_hold {
            self.absorb(moment, &banks, smooth, rough);
        }
        (banks, turn)
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

    /// The weight of a unit of time in the banks while the courses of the day are young.
    fn young(&self) -> f64 {
        self.signals.iter().map(SignalDrift::young).sum::<f64>() / self.signals.len() as f64
    }

    fn absorb(&mut self, moment: &Moment<'_>, banks: &Banks, smooth: &[f64], rough: &[f64]) {
        let share = if moment.is_learning {
            1.0 / self.age
        } else {
            (self.open() / self.doubted.max(1.0)).max(self.young())
        };
        let weight = moment.weights.scale.max(share * moment.weights.units).min(1.0);
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

    /// How many times as long as ever the signal has kept its value that did so most; 0 while none has.
    pub(crate) fn frozen(&self, is_learning: bool) -> f64 {
        let signals = self.signals.iter().filter(|it| !is_learning || it.is_settled());
        signals.map(SignalDrift::frozen).fold(0.0, f64::max)
    }

    /// The values as they are learned from: while a device is new, none that is beyond all reason.
    pub(crate) fn within_reach<'a>(&self, values: &'a Values, learning: Learning) -> Cow<'a, Values> {
        let signals = || self.signals.iter().zip(values.iter());
        let is_beyond = |(signal, value): (&SignalDrift, Option<f64>)| {
            value.is_some_and(|it| (signal.reached(it) - it).abs() > 0.0)
        };
        if learning != Learning::On || !signals().any(is_beyond) {
            return Cow::Borrowed(values);
        }
        let reached = |(signal, value): (&SignalDrift, Option<f64>)| Measurement::new(signal.reached(value?), "").ok();
        Cow::Owned(Values::new(signals().map(reached).collect()))
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
