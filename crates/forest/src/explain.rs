//! Why a row scored as it did: how much each column added to or took from the score.
//!
//! Along a path the expected length of what remains changes at every split, and the change is put down to the column that was
//! split on (A. Saabas, "Interpreting random forests", 2014, applied to path lengths). The changes of a path add up to its
//! length less the length expected at the root. Shapley values would treat columns more evenly, but need every path of every
//! tree and not just the taken one; see ADR 0011.

use crate::forest::{Forest, WidthError};
use crate::matrix::narrow;
use crate::tree::{PLANE, Term, Tree, share};

/// A score taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The row's score, as [`Forest::score_row`] gives it.
    pub score: f64,
    /// The score of a row whose paths have the mean length of the training rows.
    pub baseline: f64,
    /// For each column what it added to the score; positive is more anomalous. They add up to `score - baseline`.
    pub contributions: Vec<f64>,
}

impl Explanation {
    /// The column that added most.
    #[must_use]
    pub fn main_column(&self) -> Option<usize> {
        let columns = self.contributions.iter().enumerate();
        columns.max_by(|a, b| a.1.total_cmp(b.1)).map(|(column, _)| column)
    }
}

impl Forest {
    /// Takes the score of a row apart. A hyperplane's share is divided among its columns by how far each lies from the mean of the
    /// node to the side that the row went to; a value the row lacks adds nothing beyond rounding.
    ///
    /// # Errors
    /// When the row has another width than the forest.
    pub fn explain(&self, row: &[f64]) -> Result<Explanation, WidthError> {
        let score = self.score_row(row)?;
        let narrowed: Vec<f32> = row.iter().copied().map(narrow).collect();
        let mut changes = vec![0.0; row.len()];
        for tree in &self.trees {
            attribute(tree, &narrowed, 0, 1.0, &mut changes);
        }
        let expected = self.trees.iter().map(|tree| u64::from(tree.units[0])).sum();
        let baseline = self.scale.score(expected);
        let per_unit = self.scale.log_factor() * logarithmic_mean(score, baseline);
        Ok(Explanation {
            score,
            baseline,
            contributions: changes.into_iter().map(|change| change * per_unit).collect(),
        })
    }
}

/// The logarithmic mean turns a difference of logarithms into the difference of the numbers: (a - b) / (ln a - ln b).
fn logarithmic_mean(a: f64, b: f64) -> f64 {
    let ratio = (a - b) / b;
    if ratio.abs() < 1e-9 { b } else { (a - b) / ratio.ln_1p() }
}

/// Adds, for each split on the path, the change of the expected path length to the column's sum.
fn attribute(tree: &Tree, row: &[f32], from: usize, weight: f64, changes: &mut [f64]) {
    let mut at = from;
    loop {
        let node = tree.nodes[at];
        if node.is_leaf(at) {
            return;
        }
        let left = usize::from(node.left);
        let value = tree.value_at(node, row);
        let here = f64::from(tree.units[at]);
        let change = |child: usize| weight * (f64::from(tree.units[child]) - here);
        if value.is_nan() {
            let left_share = share(tree.counts[left], tree.counts[left + 1]);
            for (child, share) in [(left, left_share), (left + 1, 1.0 - left_share)] {
                blame(tree, node.feature, share * change(child), &[], 0.0, changes);
                attribute(tree, row, child, weight * share, changes);
            }
            return;
        }
        let (child, side) = if value <= node.threshold {
            (left, -1.0)
        } else {
            (left + 1, 1.0)
        };
        blame(tree, node.feature, change(child), row, side, changes);
        at = child;
    }
}

/// Puts a change down to the column of a split, or to the columns of a hyperplane by their parts in the way to a side.
fn blame(tree: &Tree, feature: u16, change: f64, row: &[f32], side: f64, changes: &mut [f64]) {
    if feature & PLANE == 0 {
        changes[usize::from(feature)] += change;
        return;
    }
    let terms = &tree.planes[usize::from(feature & !PLANE)].terms;
    let part = |term: &Term| {
        let value = row
            .get(usize::from(term.column))
            .map_or(0.0, |it| f64::from(*it) - f64::from(term.center));
        (side * f64::from(term.weight) * value).max(0.0)
    };
    let whole: f64 = terms.iter().map(part).sum();
    for term in terms {
        let share = if whole > 0.0 {
            part(term) / whole
        } else {
            1.0 / terms.len() as f64
        };
        changes[usize::from(term.column)] += change * share;
    }
}
