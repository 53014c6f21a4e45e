//! How far a vector lies from its own mean, in units of its own covariance, both learned as it goes.

use domain::Values;

use super::codec::{Reader, Writer};
use crate::features::StateError;

/// Signals beyond so many are split into groups, each with a covariance of its own: cost and memory grow with the
/// number of signals, not with its square or cube.
const GROUP: usize = 12;

/// No direction counts for more than this square, a thousand deviations.
const FARTHEST: f64 = 1e6;

/// How a covariance is made fit to be inverted, and what is kept out of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Care {
    /// Covariances between signals count for this share.
    pub(crate) coupling: f64,
    /// Added to every variance, as a share of it.
    pub(crate) relative_ridge: f64,
    /// Added to every variance.
    pub(crate) ridge: f64,
    /// Vectors further away than this enter with a smaller weight.
    pub(crate) robust: f64,
}

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

impl Care {
    /// How far to trust a vector at this distance: wholly while learning, less beyond the robust distance.
    pub(crate) fn trust(&self, distance: f64, is_learning: bool) -> f64 {
        if is_learning || distance <= self.robust {
            1.0
        } else {
            self.robust / distance
        }
    }
}

impl Bank {
    pub(crate) fn new(n_signals: usize) -> Self {
        Self {
            mean: vec![0.0; n_signals].into(),
            covariance: vec![0.0; groups(n_signals).map(|it| triangle(it.len())).sum()].into(),
        }
    }

    /// Starts at the first vector.
    pub(crate) fn begin(&mut self, values: &Values) {
        for (mean, value) in self.mean.iter_mut().zip(values.iter()) {
            *mean = value.unwrap_or(0.0);
        }
    }

    /// The mean of one signal.
    pub(crate) fn mean(&self, at: usize) -> f64 {
        self.mean[at]
    }

    /// How many deviations a signal lies above its mean, by itself; negative below it.
    pub(crate) fn alone(&self, at: usize, deviation: f64) -> f64 {
        deviation / self.deviation(at).max(1e-3)
    }

    /// How widely one signal scatters about its mean.
    pub(crate) fn deviation(&self, at: usize) -> f64 {
        let mut from = 0;
        for group in groups(self.mean.len()) {
            if group.contains(&at) {
                return self.covariance[from + triangle(at - group.start + 1) - 1].sqrt();
            }
            from += triangle(group.len());
        }
        0.0
    }

    /// The squared distance of a vector given by its deviations from the mean; 0 stands for a missing signal.
    pub(crate) fn square(&self, deviations: &[f64], care: &Care) -> f64 {
        let mut square = 0.0;
        let mut from = 0;
        for group in groups(self.mean.len()) {
            let len = triangle(group.len());
            square += solve(&self.covariance[from..from + len], &deviations[group], care);
            from += len;
        }
        square
    }

    /// Takes a vector in by the given weight, and by less of it when it is to be trusted less.
    pub(crate) fn absorb(&mut self, deviations: &[f64], trust: f64, weight: f64) {
        let mut from = 0;
        for group in groups(self.mean.len()) {
            for row in group.clone() {
                let deviation = deviations[row] * trust;
                self.mean[row] += weight * deviation;
                for other in &deviations[group.start..=row] {
                    let product = (1.0 - weight) * deviation * other * trust;
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
fn solve(covariance: &[f64], deviations: &[f64], care: &Care) -> f64 {
    let mut factor = [0.0; GROUP * (GROUP + 1) / 2];
    let mut solution = [0.0; GROUP];
    let mut square = 0.0;
    for (row, deviation) in deviations.iter().enumerate() {
        let start = triangle(row);
        for column in 0..row {
            let mut sum = care.coupling * covariance[start + column];
            for inner in 0..column {
                sum -= factor[start + inner] * factor[triangle(column) + inner];
            }
            factor[start + column] = sum / factor[triangle(column) + column];
        }
        let mut pivot = covariance[start + row] * (1.0 + care.relative_ridge) + care.ridge;
        let mut left = *deviation;
        for inner in 0..row {
            pivot -= factor[start + inner] * factor[start + inner];
            left -= factor[start + inner] * solution[inner];
        }
        factor[start + row] = pivot.max(care.ridge).sqrt();
        solution[row] = left / factor[start + row];
        square += (solution[row] * solution[row]).min(FARTHEST);
    }
    square
}
