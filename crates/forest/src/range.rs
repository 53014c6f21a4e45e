//! What would have been normal: the values of one column, all others held, for which a row's score stays at or below a line.

use crate::forest::{Forest, WidthError};
use crate::matrix::narrow;
use crate::tree::{PLANE, Plane, Tree, share};

/// Values from `low` to `high`, both included. An end may be infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalRange {
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
}

impl NormalRange {
    /// Whether the value lies in the range.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

impl Forest {
    /// The range of a column, others held, in which the score is at most `threshold` (`-offset` for the forest's own line):
    /// of all such ranges the one nearest to the row's value, or where the score is least if the row lacks the value. `None`
    /// when no value of this column would do. With hyperplanes the ends are exact to single precision only.
    ///
    /// # Errors
    /// When the row has another width than the forest, or has no such column.
    pub fn normal_range(&self, row: &[f64], column: usize, threshold: f64) -> Result<Option<NormalRange>, RangeError> {
        self.check_width(row.len())?;
        if column >= row.len() {
            return Err(RangeError::Column {
                column,
                columns: row.len(),
            });
        }
        let row: Vec<f32> = row.iter().copied().map(narrow).collect();
        let pieces = self.pieces(&row, column);
        let is_normal: Vec<bool> = pieces.iter().map(|piece| piece.score <= threshold).collect();
        let Some(start) = start(&pieces, &is_normal, row[column]) else {
            return Ok(None);
        };
        let first = (0..=start)
            .rev()
            .take_while(|&it| is_normal[it])
            .last()
            .unwrap_or(start);
        let last = (start..pieces.len())
            .take_while(|&it| is_normal[it])
            .last()
            .unwrap_or(start);
        let after = pieces[first].after;
        Ok(Some(NormalRange {
            low: f64::from(if after.is_finite() { after.next_up() } else { after }),
            high: f64::from(pieces.get(last + 1).map_or(f32::INFINITY, |next| next.after)),
        }))
    }

    /// The score as a function of the column: constant on each piece.
    fn pieces(&self, row: &[f32], column: usize) -> Vec<Piece> {
        let mut changes = Vec::new();
        for tree in &self.trees {
            let mut sweep = Sweep {
                tree,
                row,
                column: column as u16,
                changes: &mut changes,
            };
            sweep.visit(0, f32::NEG_INFINITY, f32::INFINITY, 1.0);
        }
        changes.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut pieces: Vec<Piece> = Vec::new();
        let mut units = 0.0_f64;
        for group in changes.chunk_by(|a, b| a.0 == b.0) {
            units += group.iter().map(|change| change.1).sum::<f64>();
            pieces.push(Piece {
                after: group[0].0,
                score: self.scale.score(units.round() as u64),
            });
        }
        pieces
    }
}

/// Values above `after`, up to where the next piece begins.
struct Piece {
    after: f32,
    score: f64,
}

/// The piece to start from.
fn start(pieces: &[Piece], is_normal: &[bool], value: f32) -> Option<usize> {
    let normal = (0..pieces.len()).filter(|&it| is_normal[it]);
    if value.is_nan() {
        return normal.min_by(|&a, &b| pieces[a].score.total_cmp(&pieces[b].score));
    }
    let distance = |it: usize| {
        let high = pieces.get(it + 1).map_or(f32::INFINITY, |next| next.after);
        (pieces[it].after - value).max(value - high).max(0.0)
    };
    normal.min_by(|&a, &b| distance(a).total_cmp(&distance(b)))
}

/// Collects where the path length of one tree changes as one column moves.
struct Sweep<'a> {
    tree: &'a Tree,
    row: &'a [f32],
    column: u16,
    /// Behind which value, and by how much.
    changes: &'a mut Vec<(f32, f64)>,
}

impl Sweep<'_> {
    /// Visits what a row can reach whose value in the column lies above `after` and up to `upto`.
    fn visit(&mut self, index: usize, after: f32, upto: f32, weight: f64) {
        let node = self.tree.nodes[index];
        let left = usize::from(node.left);
        if node.is_leaf(index) {
            let units = weight * f64::from(self.tree.units[index]);
            self.changes.push((after, units));
            if upto < f32::INFINITY {
                self.changes.push((upto, -units));
            }
            return;
        }
        if let Some((cut, left_first)) = self.cut(node.feature, node.threshold) {
            let (below, above) = if left_first { (left, left + 1) } else { (left + 1, left) };
            if after < cut {
                self.visit(below, after, upto.min(cut), weight);
            }
            if cut < upto {
                self.visit(above, after.max(cut), upto, weight);
            }
            return;
        }
        let value = self.tree.value_at(node, self.row);
        if value.is_nan() {
            let left_share = share(self.tree.counts[left], self.tree.counts[left + 1]);
            self.visit(left, after, upto, weight * left_share);
            self.visit(left + 1, after, upto, weight * (1.0 - left_share));
        } else if value <= node.threshold {
            self.visit(left, after, upto, weight);
        } else {
            self.visit(left + 1, after, upto, weight);
        }
    }

    /// The value of the column at which a split changes sides, and whether smaller values go left.
    fn cut(&self, feature: u16, threshold: f32) -> Option<(f32, bool)> {
        if feature & PLANE == 0 {
            return (feature == self.column).then_some((threshold, true));
        }
        let plane = &self.tree.planes[usize::from(feature & !PLANE)];
        let weight = plane
            .terms
            .iter()
            .find(|term| term.column == self.column)
            .map(|term| term.weight)?;
        let others = Plane {
            terms: plane
                .terms
                .iter()
                .copied()
                .filter(|term| term.column != self.column)
                .collect(),
        };
        let rest = others.project(self.row);
        if rest.is_nan() || weight == 0.0 {
            return None;
        }
        let cut = narrow((f64::from(threshold) - f64::from(rest)) / f64::from(weight));
        Some((cut, weight > 0.0))
    }
}

/// A question about a column that cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Another width than the forest's.
    #[error(transparent)]
    Width(#[from] WidthError),
    /// No such column.
    #[error("there is no column {column} among {columns}")]
    Column {
        /// The column asked for, from 0.
        column: usize,
        /// How many there are.
        columns: usize,
    },
}
