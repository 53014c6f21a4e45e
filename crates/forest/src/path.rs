//! Path lengths: the expected depth of an unsuccessful search, and the fixed-point number that sums of depths are kept in.
//!
//! Sums are integers, so that they are the same whatever the order of trees, rows, lanes or threads.

/// Units of one edge: 2^-20 of an edge is far below what a score can show.
pub(crate) const UNITS: f64 = 1_048_576.0;

/// The deepest tree: `ceil(log2(MAX_SUBSAMPLE))` with room for forests that come from elsewhere.
pub(crate) const MAX_DEPTH: usize = 64;

const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// Average path length of an unsuccessful search among `count` points: c(n), equation 1 of the paper, where the harmonic number
/// is taken as ln(n - 1) + Euler's constant, and c(2) is exactly 1 as in scikit-learn.
#[must_use]
pub fn average_path_length(count: u32) -> f64 {
    match count {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let n = f64::from(count);
            2.0 * ((n - 1.0).ln() + EULER_GAMMA) - 2.0 * (n - 1.0) / n
        }
    }
}

/// Length of the path to a leaf at `depth` that kept `count` rows, in units.
pub(crate) fn leaf_units(depth: usize, count: u32) -> u32 {
    ((depth as f64 + average_path_length(count)) * UNITS).round() as u32
}

/// The limit on depth: what a balanced tree over the subsample would need.
pub(crate) fn depth_limit(subsample: u32) -> usize {
    subsample.max(2).next_power_of_two().trailing_zeros() as usize
}

/// The score for a sum of path lengths: `2^(-E[h] / c(n))`, equation 2 of the paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// What a sum in units is multiplied with to become `-E[h] / c(n)`; zero when a tree saw a single row.
    factor: f64,
}

impl Scale {
    pub(crate) fn new(trees: usize, subsample: u32) -> Self {
        // The norm is rounded as leaves are, so that a row no tree could tell apart scores exactly one half.
        let norm = trees as f64 * f64::from(leaf_units(0, subsample));
        Self {
            factor: if norm > 0.0 { -1.0 / norm } else { 0.0 },
        }
    }

    /// A score in (0, 1]. Where c(n) is zero nothing can be told, and the score is one half.
    pub(crate) fn score(self, units: u64) -> f64 {
        if self.factor == 0.0 {
            return 0.5;
        }
        (units as f64 * self.factor).exp2()
    }

    /// What one unit more adds to the natural logarithm of the score.
    pub(crate) fn log_factor(self) -> f64 {
        self.factor * std::f64::consts::LN_2
    }
}
