//! Whether what comes in still is what the model was trained on: the population stability index of each signal's values
//! and of the scores.
//!
//! A model keeps the deciles of its training; a meter counts in which of the ten bins what comes falls. The index is the
//! sum over the bins of `(p - q) ln (p / q)`. By custom, below 0.1 nothing has shifted, and above 0.25 it has.

use domain::{Reading, Verdict};

use crate::model::Model;
use crate::sample::Sample;
use crate::threshold::quantile;

/// Bins.
pub(crate) const BINS: usize = 10;

/// The nine boundaries between ten bins of equal share.
pub type Deciles = [f64; BINS - 1];

/// What the values and scores of a training were like.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trained {
    /// The deciles of each signal's values; none for a signal without any.
    pub signals: Vec<Option<Deciles>>,
    /// The deciles of the scores; none where the kind has none before it judges.
    pub scores: Option<Deciles>,
}

/// An empty bin counts as half a reading, so that it does not make the index infinite.
const EMPTY: f64 = 0.5;

/// Counts what comes in by the bins of a training. Half of what it holds is forgotten after so many readings.
#[derive(Debug, Clone, PartialEq)]
pub struct ShiftMeter {
    signals: Vec<[f64; BINS]>,
    scores: [f64; BINS],
    keep: f64,
}

/// How far inputs and scores have shifted.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    /// The index of each signal's values; none where nothing came or nothing was trained on.
    pub signals: Vec<Option<f64>>,
    /// The index of the scores.
    pub scores: Option<f64>,
}

/// The deciles of a sample of one column.
pub(crate) fn deciles(sample: &Sample) -> Option<Deciles> {
    let mut values = sample.rows().to_vec();
    values.sort_unstable_by(f64::total_cmp);
    deciles_of(&values)
}

/// The deciles of ascending values.
pub(crate) fn deciles_of(sorted: &[f64]) -> Option<Deciles> {
    if sorted.is_empty() {
        return None;
    }
    Some(std::array::from_fn(|at| {
        quantile(sorted, (at + 1) as f64 / BINS as f64)
    }))
}

impl ShiftMeter {
    /// A meter of so many signals that forgets half after `half_life` readings.
    #[must_use]
    pub fn new(n_signals: usize, half_life: f64) -> Self {
        Self {
            signals: vec![[0.0; BINS]; n_signals],
            scores: [0.0; BINS],
            keep: 0.5_f64.powf(1.0 / half_life.max(1.0)),
        }
    }

    /// Counts a reading and its verdict.
    pub fn take(&mut self, model: &Model, reading: &Reading, verdict: &Verdict) {
        let signals = self
            .signals
            .iter_mut()
            .zip(&model.trained.signals)
            .zip(reading.values.iter());
        for ((counts, deciles), value) in signals {
            if let (Some(deciles), Some(value)) = (deciles, value) {
                count(counts, deciles, value, self.keep);
            }
        }
        if let Some(deciles) = &model.trained.scores {
            count(&mut self.scores, deciles, model.line - verdict.score, self.keep);
        }
    }

    /// How far what was counted has shifted from the training.
    #[must_use]
    pub fn shift(&self, model: &Model) -> Shift {
        let trained = |at: usize| model.trained.signals.get(at).is_some_and(Option::is_some);
        let of = |(at, counts): (usize, &[f64; BINS])| index(counts).filter(|_| trained(at));
        Shift {
            signals: self.signals.iter().enumerate().map(of).collect(),
            scores: index(&self.scores),
        }
    }
}

/// Ties with a boundary fall into the bins on both sides of all boundaries that they equal, in equal parts: a signal of
/// few values has deciles that coincide.
fn count(counts: &mut [f64; BINS], deciles: &Deciles, value: f64, keep: f64) {
    counts.iter_mut().for_each(|it| *it *= keep);
    let first = deciles.partition_point(|it| *it < value);
    let last = deciles.partition_point(|it| *it <= value);
    let part = 1.0 / (last - first + 1) as f64;
    counts[first..=last].iter_mut().for_each(|it| *it += part);
}

/// The population stability index against ten equal shares; none for no counts.
fn index(counts: &[f64; BINS]) -> Option<f64> {
    let whole: f64 = counts.iter().sum();
    if whole < 1.0 {
        return None;
    }
    let usual = 1.0 / BINS as f64;
    let part = |count: &f64| {
        let share = count.max(EMPTY) / whole.max(EMPTY * BINS as f64);
        (share - usual) * (share / usual).ln()
    };
    Some(counts.iter().map(part).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: impl Iterator<Item = f64>, expected: std::ops::Range<f64>) {
        let trained: Vec<f64> = (0..1_000).map(f64::from).collect();
        let deciles = deciles_of(&trained).unwrap();
        let mut counts = [0.0; BINS];
        values.for_each(|it| count(&mut counts, &deciles, it, 1.0));
        let found = index(&counts).unwrap();
        assert!(expected.contains(&found), "{found}");
    }

    #[test]
    fn the_same_values_have_not_shifted_and_others_have() {
        check((0..1_000).map(f64::from), 0.0..0.001);
        check((0..1_000).map(|it| f64::from(it) + 30.0), 0.005..0.1);
        check((0..1_000).map(|it| f64::from(it) + 300.0), 0.5..10.0);
    }

    #[test]
    fn the_index_is_that_of_the_textbook() {
        let counts = [20.0, 0.5, 9.5, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0];
        let exact = 0.1 * 2.0_f64.ln() + (0.005 - 0.1) * 0.05_f64.ln() + (0.095 - 0.1) * 0.95_f64.ln();
        assert!((index(&counts).unwrap() - exact).abs() < 1e-12);
    }

    #[test]
    fn a_signal_of_one_value_has_not_shifted() {
        let deciles = deciles_of(&[5.0; 40]).unwrap();
        let mut counts = [0.0; BINS];
        (0..100).for_each(|_| count(&mut counts, &deciles, 5.0, 1.0));
        assert!(index(&counts).unwrap() < 1e-12);
        assert_eq!(index(&[0.0; BINS]), None);
    }
}
