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

    /// Forgets how widely the signals scatter, for a new start.
    pub(crate) fn forget(&mut self) {
        self.covariance.fill(0.0);
    }

    /// Starts at the first vector.
    pub(crate) fn begin(&mut self, values: &Values) {
        for (mean, value) in self.mean.iter_mut().zip(values.iter()) {
            *mean = value.unwrap_or(*mean);
        }
    }

    /// The mean of one signal.
    pub(crate) fn mean(&self, at: usize) -> f64 {
        self.mean[at]
    }

    /// How widely each signal scatters about its mean, as a variance.
    pub(crate) fn variances(&self) -> impl Iterator<Item = f64> {
        let mut end = 0;
        let rows = groups(self.mean.len()).flat_map(|it| 1..=it.len());
        rows.map(move |len| {
            end += len;
            self.covariance[end - 1]
        })
    }

    /// The same as standard deviations.
    pub(crate) fn deviations(&self) -> impl Iterator<Item = f64> {
        self.variances().map(f64::sqrt)
    }

    /// The squared distance of a vector given by its deviations from the mean. A missing signal is not a number, and the
    /// distance is that of the others (the marginal one).
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

    /// Takes the signals that a vector has in by the given weight, and by less of it when it is to be trusted less.
    pub(crate) fn absorb(&mut self, deviations: &[f64], trust: f64, weight: f64) {
        let mut from = 0;
        for group in groups(self.mean.len()) {
            let (len, values) = (triangle(group.len()), &deviations[group.clone()]);
            for (mean, deviation) in self.mean[group].iter_mut().zip(values).filter(|it| !it.1.is_nan()) {
                *mean += weight * deviation * trust;
            }
            take(&mut self.covariance[from..from + len], values, trust, weight);
            from += len;
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

/// Takes a vector into a covariance. What a signal that is missing has together with one that is not changes with the spread
/// of that one, so that their correlation stays: of two that go together closely, one alone would make a covariance of nothing
/// that could be.
fn take(covariance: &mut [f64], deviations: &[f64], trust: f64, weight: f64) {
    let mut grown = [1.0; GROUP];
    let mut from = 0;
    for (row, deviation) in deviations.iter().enumerate() {
        if !deviation.is_nan() {
            let deviation = deviation * trust;
            let before = covariance[from + row];
            for (entry, other) in covariance[from..=from + row].iter_mut().zip(deviations) {
                if !other.is_nan() {
                    let product = (1.0 - weight) * deviation * other * trust;
                    *entry += weight * (product - *entry);
                }
            }
            if before > 0.0 {
                grown[row] = (covariance[from + row] / before).sqrt();
            }
        }
        from += row + 1;
    }
    if deviations.iter().any(|it| it.is_nan()) {
        let mut from = 0;
        for (row, deviation) in deviations.iter().enumerate() {
            for (at, other) in deviations[..row].iter().enumerate() {
                if deviation.is_nan() != other.is_nan() {
                    covariance[from + at] *= grown[row] * grown[at];
                }
            }
            from += row + 1;
        }
    }
}

/// The squared length of the solution of `L y = deviations`, where `L` is the Cholesky factor of the shrunk covariance;
/// found column by column, without roots (Golub and Van Loan, *Matrix Computations*, 4.1.2). Missing signals, which are
/// not a number, are left out of both.
fn solve(covariance: &[f64], deviations: &[f64], care: &Care) -> f64 {
    let side = deviations.len();
    let mut left = [0.0; GROUP];
    left[..side].copy_from_slice(deviations);
    let mut rows = [[0.0; GROUP]; GROUP];
    let mut from = 0;
    for (at, row) in rows[..side].iter_mut().enumerate() {
        row[at] = covariance[from + at] * (1.0 + care.relative_ridge) + care.ridge;
        if left[at].is_nan() {
            left[at] = 0.0;
        } else {
            for (entry, (it, other)) in row.iter_mut().zip(covariance[from..from + at].iter().zip(deviations)) {
                *entry = if other.is_nan() { 0.0 } else { care.coupling * it };
            }
        }
        from += at + 1;
    }
    let mut square = 0.0;
    let mut column = [0.0; GROUP];
    for pivot in 0..side {
        let inverse = 1.0 / rows[pivot][pivot].max(care.ridge);
        let solution = left[pivot];
        square += (solution * solution * inverse).min(FARTHEST);
        for at in pivot + 1..side {
            let row = &mut rows[at];
            column[at] = row[pivot];
            let factor = row[pivot] * inverse;
            left[at] -= factor * solution;
            for (entry, it) in row[pivot + 1..=at].iter_mut().zip(&column[pivot + 1..=at]) {
                *entry -= factor * it;
            }
        }
    }
    square
}
