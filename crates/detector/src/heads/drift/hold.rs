//! When head A stops learning, when it takes a lasting deviation for a new level, and how it finds back to the one before.

use domain::MAX_SIGNALS;

use super::{CARE, Drift, SignalDrift};
use crate::heads::former::{Former, Return};
use crate::heads::moment::Moment;
use crate::heads::tempo::Tempo;

/// A smoothed deviation of this many times what is usual holds all learning, until it is below the second.
const GATE: (f64, f64) = (3.2, 2.5);

/// A new level is found over so many readings.
const ADOPTED: u32 = 30;

/// What a device is in, as far as head A knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Regime {
    /// What it always did: all is learned.
    Usual,
    /// A level that was adopted, and may be a fault's: it counts less in what the device did over all its time.
    New,
    /// It deviates: nothing is learned.
    Odd,
}

/// What becomes of a device's level with a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Turn {
    /// It stays what it was.
    Stays,
    /// One that lasted is taken for a new one.
    BeginsAnew,
    /// The device is back at the one that it left so many units ago.
    Returns(f64),
}

impl Drift {
    pub(super) fn regime(&self) -> Regime {
        match () {
            () if self.held > 0.0 => Regime::Odd,
            () if self.back.is_known() => Regime::New,
            () => Regime::Usual,
        }
    }

    /// Holds learning while the smoothed deviations are far out. A hold that lasts too long ends in a new level, and
    /// the one before is remembered; a device that is back there is taken for what it was.
    pub(super) fn hold(&mut self, moment: &Moment<'_>, smooth: f64) -> Turn {
        let before = self.held;
        let gate = if before > 0.0 { GATE.1 } else { GATE.0 };
        let holds = !moment.is_learning && smooth > gate;
        self.held = if holds { before + moment.weights.units } else { 0.0 };
        self.adopted = if (1..ADOPTED).contains(&self.adopted) {
            self.adopted + 1
        } else {
            0
        };
        let begins_anew = before <= moment.longest_hold && self.held > moment.longest_hold;
        if begins_anew {
            self.adopted = 1;
            self.leave(&moment.pace.tempo);
        }
        if self.back.is_known() && self.returns(moment, smooth) {
            let aside = self.signals.iter_mut().filter(|it| it.is_aside());
            aside.for_each(SignalDrift::restore);
            let turn = Turn::Returns(self.back.since());
            (self.back, self.held, self.adopted) = (Return::EMPTY, 0.0, 0);
            return turn;
        }
        if begins_anew { Turn::BeginsAnew } else { Turn::Stays }
    }

    /// Remembers the level that is left, unless an older one is remembered.
    fn leave(&mut self, tempo: &Tempo) {
        if self.back.forgets(tempo) {
            self.back = Return::from_now();
            for signal in &mut self.signals {
                signal.former = Former::of(signal.level.value, signal.variance);
            }
        }
    }

    /// Whether the last readings were as those before the present level was taken for usual, and odd for it.
    fn returns(&mut self, moment: &Moment<'_>, smooth: f64) -> bool {
        let is_odd = smooth > CARE.robust;
        let mut means = [0.0; MAX_SIGNALS];
        let (mut is_like, mut present) = (is_odd, 0.0);
        for (at, value) in moment.values.iter().enumerate() {
            let Some(value) = value else { continue };
            let signal = &mut self.signals[at];
            let expected = signal.center - signal.level.value;
            present += 1.0;
            if signal.is_aside() {
                is_like &= signal
                    .former
                    .resembles(value - expected, signal.least_scale(), self.back.run());
                means[at] = f64::from(signal.former.mean) - self.smooth.mean(at);
            }
        }
        let square = self.smooth.square(&means[..self.signals.len()], &CARE) / f64::max(present, 1.0);
        self.back.step(is_like, moment.weights.units) && square.sqrt() < CARE.robust
    }
}
