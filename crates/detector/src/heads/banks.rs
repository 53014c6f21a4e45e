//! How far a vector lies from its own mean, in units of its own covariance, both learned as it goes.

use super::codec::{Reader, Writer};
use crate::features::StateError;

/// Signals beyond so many are split into groups, each with a covariance of its own: cost and memory grow with the
/// number of signals, not with its square or cube.
const GROUP: usize = 12;

/// Covariances between signals count for this share.
const COUPLING: f64 = 0.8;

/// Added to every variance.
const RIDGE: f64 = 1e-6;

/// Vectors further away than this enter with a smaller weight.
const ROBUST: f64 = 3.0;

/// The running mean and covariance of a vector.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bank {
    mean: Box<[f64]>,
    /// Lower triangles, row by row, one for each group.
    covariance: Box<[f64]>,
}

/// The groups that so many signals fall into, as ranges of nearly the same length.
fn groups(n_signals: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let n_groups = n_signals.div_ceil(GROUP).max(1);
    (0..n_groups).map(move |at| at * n_signals / n_groups..(at + 1) * n_signals / n_groups)
}

fn triangle(side: usize) -> usize {
    side * (side + 1) / 2
}

impl Bank {
    pub(crate) fn new(n_signals: usize) -> Self {
        Self {
            mean: vec![0.0; n_signals].into(),
            covariance: vec![0.0; groups(n_signals).map(|it| triangle(it.len())).sum()].into(),
        }
    }

    /// The mean of one signal.
    pub(crate) fn mean(&self, at: usize) -> f64 {
        self.mean[at]
    }

    /// The variance of one signal.
    pub(crate) fn variance(&self, at: usize) -> f64 {
        let mut from = 0;
        for group in groups(self.mean.len()) {
            if group.contains(&at) {
                return self.covariance[from + triangle(at - group.start + 1) - 1] + RIDGE;
            }
            from += triangle(group.len());
        }
        RIDGE
    }

    /// The squared distance of a vector given by its deviations from the mean; 0 stands for a missing signal.
    pub(crate) fn square(&self, deviations: &[f64]) -> f64 {
        let mut square = 0.0;
        let mut from = 0;
        for group in groups(self.mean.len()) {
            let len = triangle(group.len());
            square += solve(&self.covariance[from..from + len], &deviations[group]);
            from += len;
        }
        square
    }

    /// Takes a vector in by the given weight; `distance` is the vector's own.
    pub(crate) fn absorb(&mut self, deviations: &[f64], distance: f64, weight: f64, is_learning: bool) {
        let trust = if !is_learning && distance > ROBUST { ROBUST / distance } else { 1.0 };
        let mut from = 0;
        for group in groups(self.mean.len()) {
            for row in group.clone() {
                let deviation = deviations[row] * trust;
                self.mean[row] += weight * deviation;
                for column in group.start..=row {
                    let product = (1.0 - weight) * deviation * deviations[column] * trust;
                    self.covariance[from] += weight * (product - self.covariance[from]);
                    from += 1;
                }
            }
        }
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        self.mean.iter().chain(&self.covariance).for_each(|it| to.double(*it));
    }

    pub(crate) fn read(from: &mut Reader<'_>, n_signals: usize) -> Result<Self, StateError> {
        let mut it = Self::new(n_signals);
        for number in it.mean.iter_mut().chain(&mut it.covariance) {
            *number = from.double()?;
        }
        Ok(it)
    }
}

/// The squared length of the solution of `L y = deviations`, where `L` is the Cholesky factor of the shrunk covariance.
fn solve(covariance: &[f64], deviations: &[f64]) -> f64 {
    let mut factor = [0.0; GROUP * (GROUP + 1) / 2];
    let mut solution = [0.0; GROUP];
    let mut square = 0.0;
    for (row, deviation) in deviations.iter().enumerate() {
        let start = triangle(row);
        for column in 0..row {
            let mut sum = COUPLING * covariance[start + column];
            for inner in 0..column {
                sum -= factor[start + inner] * factor[triangle(column) + inner];
            }
            factor[start + column] = sum / factor[triangle(column) + column];
        }
        let mut pivot = covariance[start + row] + RIDGE;
        let mut left = *deviation;
        for inner in 0..row {
            pivot -= factor[start + inner] * factor[start + inner];
            left -= factor[start + inner] * solution[inner];
        }
        factor[start + row] = if pivot > 1e-12 { pivot.sqrt() } else { 1e-6 };
        solution[row] = left / factor[start + row];
        square += solution[row] * solution[row];
    }
    square
}
