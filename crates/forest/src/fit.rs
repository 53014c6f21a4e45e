//! Fitting: growing the trees over threads and drawing the line between usual and anomalous.

use std::ops::Range;

use crate::forest::Forest;
use crate::grow::{Draw, grow};
use crate::matrix::Matrix;
use crate::params::{CheckedParams, Contamination};
use crate::random::Random;
use crate::score::ScoreError;
use crate::tree::Tree;

/// scikit-learn's offset when no share is given.
const PAPER_OFFSET: f64 = -0.5;

impl Forest {
    /// Fits a forest. The same parameters and table give the same forest on any number of threads (0 counts as 1).
    ///
    /// Each tree draws its rows without replacement; beyond the table, memory is that of the trees, and of one number a row when
    /// a share of contamination asks for an exact quantile. A training row that lacks the value a node splits on goes to a side
    /// drawn with the odds of the rows that have it.
    ///
    /// # Errors
    /// When the table has no row.
    pub fn fit(params: &CheckedParams, table: Matrix<'_>, threads: usize) -> Result<Self, FitError> {
        if table.rows() == 0 {
            return Err(FitError::NoRows);
        }
        let params = params.params();
        let subsample = params.subsample.min(table.rows());
        let draw = |tree| Draw::new(table, subsample, Random::of_tree(params.seed, tree));
        let grow_some = |trees: Range<usize>| {
            let mut draws = trees.map(draw).peekable();
            let mut grown = Vec::with_capacity(draws.len());
            while let Some(drawn) = draws.next() {
                // Drawn before this tree grows, the rows of the next one are near by then.
                draws.peek();
                grown.push(grow(table, params.extension, drawn));
            }
            grown
        };
        let trees = grow_all(params.trees, threads, &grow_some);
        let mut forest = Self::from_trees(trees, table.columns(), subsample as u32, PAPER_OFFSET);
        if let Contamination::Share(share) = params.contamination {
            let mut scores = vec![0.0; table.rows()];
            forest.score(table, threads, &mut scores)?;
            forest.set_offset(-upper_quantile(&mut scores, share));
        }
        Ok(forest)
    }
}

fn grow_all(count: usize, threads: usize, grow_some: &(dyn Fn(Range<usize>) -> Vec<Tree> + Sync)) -> Vec<Tree> {
    let per_thread = count.div_ceil(threads.max(1));
    if per_thread >= count {
        return grow_some(0..count);
    }
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..count)
            .step_by(per_thread)
            .map(|first| scope.spawn(move || grow_some(first..(first + per_thread).min(count))))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("growing a tree does not panic"))
            .collect()
    })
}

/// The value that the given share of the scores lies above, linear between neighbours (numpy's default percentile of the
/// negated scores).
fn upper_quantile(scores: &mut [f64], share: f64) -> f64 {
    let position = (scores.len() - 1) as f64 * share;
    let rank = position.floor() as usize;
    let part = position - position.floor();
    let (_, &mut at, below) = scores.select_nth_unstable_by(rank, |a, b| b.total_cmp(a));
    let next = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if part > 0.0 && next.is_finite() {
        at + (next - at) * part
    } else {
        at
    }
}

/// A table no forest can be fitted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// There is nothing to learn from.
    #[error("the table has no rows")]
    NoRows,
    /// Scoring the training rows failed.
    #[error("failed to score the training rows")]
    Score(#[from] ScoreError),
}
