//! Scoring: one row, or a table over threads.

use crate::forest::{Forest, WidthError};
use crate::lanes::{BLOCK, LANES, Lanes};
use crate::matrix::{Matrix, narrow};
use crate::tree::Tree;
use crate::walk::{SHORT, Walk};

impl Forest {
    /// The score of one row, in (0, 1]: larger is more anomalous. It is the negation of scikit-learn's `score_samples`.
    ///
    /// Where a tree asks for a value the row lacks (NaN), the row goes down both sides, and the path length is the mean of both
    /// weighted by how many training rows went each way: the expectation over what the value might have been. Infinities count
    /// as the largest single-precision number.
    ///
    /// # Errors
    /// When the row has another width than the forest.
    pub fn score_row(&self, row: &[f64]) -> Result<f64, WidthError> {
        self.check_width(row.len())?;
        Ok(self.scale.score(self.units_of(row)))
    }

    /// The scores of a table, one for each row, over the given number of threads (0 counts as 1). Every score equals that of
    /// [`Forest::score_row`] bit for bit. A table larger than memory is scored by calling this for one block after another.
    ///
    /// # Errors
    /// When the table has another width than the forest or `scores` has another length than the table.
    pub fn score(&self, table: Matrix<'_>, threads: usize, scores: &mut [f64]) -> Result<(), ScoreError> {
        self.check_width(table.columns())?;
        if scores.len() != table.rows() {
            return Err(ScoreError::Length {
                rows: table.rows(),
                scores: scores.len(),
            });
        }
        let rows_each = table.rows().div_ceil(threads.max(1)).next_multiple_of(BLOCK);
        if rows_each >= table.rows() {
            self.score_part(table.values(), scores);
            return Ok(());
        }
        std::thread::scope(|scope| {
            let parts = table
                .values()
                .chunks(rows_each * self.columns())
                .zip(scores.chunks_mut(rows_each));
            for (values, part) in parts {
                scope.spawn(move || self.score_part(values, part));
            }
        });
        Ok(())
    }

    fn score_part(&self, values: &[f64], scores: &mut [f64]) {
        let lanes = if scores.len() < LANES { None } else { self.batch() };
        let Some(batch) = lanes else {
            return self.score_rows(values, scores);
        };
        let mut lanes = Lanes::new(batch);
        let mut block = vec![[0.0_f32; BLOCK]; self.columns()];
        let blocks = values.chunks(BLOCK * self.columns()).zip(scores.chunks_mut(BLOCK));
        for (values, scores) in blocks {
            for (lane, row) in values.chunks_exact(self.columns()).enumerate() {
                for (column, value) in block.iter_mut().zip(row) {
                    column[lane] = narrow(*value);
                }
            }
            let sums = lanes.sum(&block);
            for (score, sum) in scores.iter_mut().zip(sums) {
                *score = self.scale.score(sum);
            }
            for (score, row) in scores.iter_mut().zip(values.chunks_exact(self.columns())) {
                if row.iter().any(|value| value.is_nan()) {
                    self.score_rows(row, std::slice::from_mut(score));
                }
            }
        }
    }

    fn score_rows(&self, values: &[f64], scores: &mut [f64]) {
        for (row, score) in values.chunks_exact(self.columns()).zip(scores) {
            *score = self.scale.score(self.units_of(row));
        }
    }

    /// Sum of the path lengths over the trees.
    pub(crate) fn units_of(&self, row: &[f64]) -> u64 {
        if row.len() > SHORT {
            let row: Vec<f32> = row.iter().copied().map(narrow).collect();
            return self.walk_if_whole(&row, |walk| walk.sum_long(&row));
        }
        let mut short = [0.0; SHORT];
        for (to, &from) in short.iter_mut().zip(row) {
            *to = narrow(from);
        }
        #[cfg(target_arch = "x86_64")]
        if let (Some(blocks), Some(first)) = (&self.blocks, short.first_chunk())
            && !first.iter().any(|value| value.is_nan())
        {
            return blocks.sum(first);
        }
        self.walk_if_whole(&short[..row.len()], |walk| walk.sum_short(&short))
    }

    /// Sum of the path lengths by the plain walk, whatever the forest is.
    #[cfg(test)]
    pub(crate) fn sum_plainly(&self, row: &[f64]) -> u64 {
        let row: Vec<f32> = row.iter().copied().map(narrow).collect();
        self.trees.iter().map(|tree| u64::from(descend(tree, &row, 0))).sum()
    }

    /// Sum of the path lengths by trees in step; none for a forest of hyperplanes.
    #[cfg(test)]
    pub(crate) fn sum_in_step(&self, row: &[f64]) -> Option<u64> {
        let row: Vec<f32> = row.iter().copied().map(narrow).collect();
        Walk::new(&self.trees).map(|walk| walk.sum_long(&row))
    }

    /// Rows that lack a value, and forests of hyperplanes, go through the trees one by one.
    fn walk_if_whole(&self, row: &[f32], fast: impl FnOnce(&Walk) -> u64) -> u64 {
        match &self.walk {
            Some(walk) if !row.iter().any(|value| value.is_nan()) => fast(walk),
            _ => self.trees.iter().map(|tree| u64::from(descend(tree, row, 0))).sum(),
        }
    }
}

/// Path length of a row from a node on, in units.
fn descend(tree: &Tree, row: &[f32], from: usize) -> u32 {
    let mut at = from;
    loop {
        let node = tree.nodes[at];
        if node.is_leaf(at) {
            return tree.units[at];
        }
        let left = usize::from(node.left);
        let value = tree.value_at(node, row);
        if value.is_nan() {
            let (below, above) = (descend(tree, row, left), descend(tree, row, left + 1));
            return crate::tree::weighted(below, tree.counts[left], above, tree.counts[left + 1]);
        }
        at = if value <= node.threshold { left } else { left + 1 };
    }
}

/// A table that cannot be scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// Another width than the forest's.
    #[error(transparent)]
    Width(#[from] WidthError),
    /// Not one place for each score.
    #[error("the table has {rows} rows, but there is room for {scores} scores")]
    Length {
        /// Rows of the table.
        rows: usize,
        /// Places for scores.
        scores: usize,
    },
}
