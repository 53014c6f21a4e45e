//! How surprising a magnitude is against its own past: a running quantile and a generalised Pareto tail beyond it
//! (Pickands 1975), fitted by the moments of the excesses (Hosking and Wallis 1987).

use std::f64::consts::LN_10;

use super::codec::{Reader, Writer};
use super::sketch::Sketch;
use crate::features::StateError;

/// The share of magnitudes below the threshold.
const SHARE: f64 = 0.95;

/// The largest shape: a heavier tail than this has no second moment to fit it by.
const LARGEST_SHAPE: f64 = 0.45;

/// An excess less probable than ten to the minus this is remembered as one of this probability.
const WINSOR: f64 = 4.0;

/// No surprise is larger.
const CAP: f64 = 4.0;

/// So many values are sketched before the tail speaks.
const LEARNED: u32 = 250;

/// So many suffice where the training of the device ended early.
const LEAST: u32 = 110;

/// The tail of one magnitude.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Tail {
    /// The first values.
    Learning(Sketch),
    /// The running fit.
    Known(Fit),
}

/// The threshold, the step in which it moves, and the first two moments of the excesses beyond it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fit {
    threshold: f64,
    step: f64,
    mean: f64,
    square: f64,
    excesses: u32,
}

impl Tail {
    pub(crate) const EMPTY: Self = Self::Learning(Sketch::EMPTY);

    /// The surprise of a magnitude, the negative decimal logarithm of its probability, before it is taken in. `early`
    /// is the weight of a value while the device is new, `weight` afterwards.
    pub(crate) fn surprise(&mut self, magnitude: f64, early: f64, weight: f64, is_learning: bool) -> f64 {
        match self {
            Self::Learning(sketch) => {
                sketch.take(magnitude);
                let enough = if is_learning { LEARNED } else { LEAST };
                if sketch.taken() >= enough {
                    *self = Self::Known(Fit::of(sketch));
                }
                0.0
            }
            Self::Known(fit) => fit.surprise(magnitude, early, weight),
        }
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        match self {
            Self::Learning(sketch) => {
                to.byte(0);
                sketch.write(to);
            }
            Self::Known(it) => {
                to.byte(1);
                [it.threshold, it.step, it.mean, it.square]
                    .iter()
                    .for_each(|it| to.double(*it));
                to.count(it.excesses);
            }
        }
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        match from.byte()? {
            0 => Ok(Self::Learning(Sketch::read(from)?)),
            1 => Ok(Self::Known(Fit {
                threshold: from.double()?,
                step: from.double()?,
                mean: from.double()?,
                square: from.double()?,
                excesses: from.count()?,
            })),
            _ => Err(StateError::Damaged),
        }
    }
}

impl Fit {
    /// The fit to the first values, the highest twentieth of them left out.
    fn of(sketch: &Sketch) -> Self {
        let mut values = [0.0; LEARNED as usize];
        sketch.fill(&mut values[..sketch.taken().min(LEARNED) as usize]);
        let trusted = &values[..(SHARE * f64::from(sketch.taken().min(LEARNED))) as usize];
        let last = trusted.len() - 1;
        let threshold = trusted[((SHARE * trusted.len() as f64) as usize).min(last)];
        let quartile = |share: f64| trusted[(share * last as f64) as usize];
        let step = (quartile(0.75) - quartile(0.25)).max(1e-9 * (trusted[last].abs() + 1e-9));
        let (mut mean, mut square, mut excesses) = (0.0, 0.0, 0);
        for excess in trusted.iter().map(|it| it - threshold).filter(|it| *it > 0.0) {
            mean += excess;
            square += excess * excess;
            excesses += 1;
        }
        if excesses > 0 {
            mean /= f64::from(excesses);
            square /= f64::from(excesses);
        }
        if mean <= 0.0 {
            mean = 0.3 * step;
            square = 2.0 * mean * mean;
        }
        mean = mean.max(1e-3 * step);
        Self {
            threshold,
            step,
            mean,
            square: square.max(mean * mean * 1.0001),
            excesses,
        }
    }

    fn surprise(&mut self, magnitude: f64, early: f64, weight: f64) -> f64 {
        let mean = self.mean.max(1e-12);
        let ratio = mean * mean / (self.square - self.mean * self.mean).max(1e-300);
        let shape = 0.5 * (1.0 - ratio);
        let (shape, scale) = if shape < 0.0 {
            (0.0, mean)
        } else {
            (shape.min(LARGEST_SHAPE), 0.5 * mean * (1.0 + ratio))
        };
        let moves = 4.0 * self.step * early.max(weight);
        let excess = magnitude - self.threshold;
        if excess <= 0.0 {
            self.threshold -= moves * (1.0 - SHARE);
            return 0.0;
        }
        let log_share = (1.0 - SHARE).ln();
        let log_tail = if shape < 1e-6 {
            -excess / scale
        } else {
            -(shape * excess / scale).ln_1p() / shape
        };
        let surprise = -(log_share + log_tail) / LN_10;
        self.threshold += moves * SHARE;
        self.excesses = self.excesses.saturating_add(1);
        let weight = (weight / (1.0 - SHARE))
            .min(1.0)
            .max(1.0 / (f64::from(self.excesses) + 1.0));
        let kept = if surprise > WINSOR {
            excess.min(bound(shape, scale, log_share))
        } else {
            excess
        };
        self.mean += weight * (kept - self.mean);
        self.square += weight * (kept * kept - self.square);
        surprise.min(CAP)
    }
}

/// The excess whose probability is ten to the minus [`WINSOR`].
fn bound(shape: f64, scale: f64, log_share: f64) -> f64 {
    let log = WINSOR * LN_10 + log_share;
    if shape < 1e-6 {
        scale * log
    } else {
        scale * (shape * log).exp_m1() / shape
    }
}
