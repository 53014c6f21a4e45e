//! One tree: its nodes in eight bytes each, how many rows each node kept, and the path length expected from there.

use crate::path::{MAX_DEPTH, leaf_units};

/// Marks a feature number as the number of a plane.
pub(crate) const PLANE: u16 = 0x8000;

/// A node. Children are neighbours: the left one at `left`, the right one after it, both behind their parent. A leaf is its own
/// left child and its threshold is infinite, so that a walk that has arrived stays where it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    /// A row whose value is at most this goes left.
    pub(crate) threshold: f32,
    /// The column, or with [`PLANE`] set the plane, that is compared.
    pub(crate) feature: u16,
    /// Index of the left child in the same tree.
    pub(crate) left: u16,
}

impl Node {
    pub(crate) fn leaf(index: usize) -> Self {
        Self {
            threshold: f32::INFINITY,
            feature: 0,
            left: index as u16,
        }
    }

    pub(crate) fn is_leaf(self, index: usize) -> bool {
        usize::from(self.left) == index
    }
}

/// One column's part in a hyperplane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Term {
    pub(crate) column: u16,
    pub(crate) weight: f32,
    /// The mean of the training rows in the node, from which deviations are told.
    pub(crate) center: f32,
}

impl Term {
    /// A column as it is.
    pub(crate) fn alone(column: u16) -> Self {
        Self {
            column,
            weight: 1.0,
            center: 0.0,
        }
    }
}

/// The direction of a hyperplane split.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plane {
    pub(crate) terms: Vec<Term>,
}

impl Plane {
    /// The row's position along the direction; NaN when a value it needs is missing.
    pub(crate) fn project(&self, row: &[f32]) -> f32 {
        let sum: f64 = self
            .terms
            .iter()
            .map(|it| f64::from(it.weight) * f64::from(row[usize::from(it.column)]))
            .sum();
        crate::matrix::narrow(sum)
    }
}

/// A tree that has been checked: every node but the root has one parent, every number is in range.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    /// Training rows in each node.
    pub(crate) counts: Vec<u32>,
    pub(crate) planes: Vec<Plane>,
    /// Path length in units: exact at leaves, the mean over the training rows inside.
    pub(crate) units: Vec<u32>,
    /// Edges on the longest path.
    pub(crate) depth: usize,
}

impl Tree {
    /// Checks the parts against each other and derives path lengths.
    pub(crate) fn new(
        nodes: Vec<Node>,
        counts: Vec<u32>,
        planes: Vec<Plane>,
        columns: usize,
    ) -> Result<Self, TreeError> {
        if nodes.is_empty() || nodes.len() > usize::from(u16::MAX) || counts.len() != nodes.len() {
            return Err(TreeError::Size);
        }
        let depths = depths(&nodes)?;
        for (index, node) in nodes.iter().enumerate() {
            check_split(*node, index, &planes, columns)?;
        }
        let units = units(&nodes, &counts, &depths)?;
        Ok(Self {
            nodes,
            counts,
            planes,
            units,
            depth: depths.into_iter().max().unwrap_or_default(),
        })
    }

    /// What the row shows at a node: the value that is compared with the threshold, NaN when missing.
    pub(crate) fn value_at(&self, node: Node, row: &[f32]) -> f32 {
        if node.feature & PLANE == 0 {
            row[usize::from(node.feature)]
        } else {
            self.planes[usize::from(node.feature & !PLANE)].project(row)
        }
    }
}

/// Depth of every node; refuses anything that is not one tree.
fn depths(nodes: &[Node]) -> Result<Vec<usize>, TreeError> {
    const UNSEEN: usize = usize::MAX;
    let mut depths = vec![UNSEEN; nodes.len()];
    depths[0] = 0;
    for (index, node) in nodes.iter().enumerate() {
        if depths[index] == UNSEEN {
            return Err(TreeError::Orphan(index));
        }
        if node.is_leaf(index) {
            continue;
        }
        let left = usize::from(node.left);
        if left <= index || left + 1 >= nodes.len() || depths[left] != UNSEEN || depths[left + 1] != UNSEEN {
            return Err(TreeError::Child(index));
        }
        if depths[index] >= MAX_DEPTH {
            return Err(TreeError::Deep);
        }
        depths[left] = depths[index] + 1;
        depths[left + 1] = depths[index] + 1;
    }
    Ok(depths)
}

fn check_split(node: Node, index: usize, planes: &[Plane], columns: usize) -> Result<(), TreeError> {
    let in_range = |column: u16| usize::from(column) < columns;
    let fits = if node.is_leaf(index) {
        node.feature == 0 && node.threshold == f32::INFINITY
    } else if node.feature & PLANE == 0 {
        node.threshold.is_finite() && in_range(node.feature)
    } else {
        node.threshold.is_finite()
            && planes.get(usize::from(node.feature & !PLANE)).is_some_and(|plane| {
                !plane.terms.is_empty()
                    && plane
                        .terms
                        .iter()
                        .all(|it| in_range(it.column) && it.weight.is_finite() && it.center.is_finite())
            })
    };
    if fits { Ok(()) } else { Err(TreeError::Split(index)) }
}

/// Children lie behind their parents, so one pass from the back sees children first.
fn units(nodes: &[Node], counts: &[u32], depths: &[usize]) -> Result<Vec<u32>, TreeError> {
    let mut units = vec![0_u32; nodes.len()];
    for (index, node) in nodes.iter().enumerate().rev() {
        if node.is_leaf(index) {
            if counts[index] == 0 {
                return Err(TreeError::Count(index));
            }
            units[index] = leaf_units(depths[index], counts[index]);
            continue;
        }
        let left = usize::from(node.left);
        if u64::from(counts[left]) + u64::from(counts[left + 1]) != u64::from(counts[index]) {
            return Err(TreeError::Count(index));
        }
        units[index] = weighted(units[left], counts[left], units[left + 1], counts[left + 1]);
    }
    Ok(units)
}

/// The mean of two path lengths, weighted by rows, rounded to the nearest unit.
pub(crate) fn weighted(left: u32, left_rows: u32, right: u32, right_rows: u32) -> u32 {
    let rows = u128::from(left_rows) + u128::from(right_rows);
    let sum = u128::from(left) * u128::from(left_rows) + u128::from(right) * u128::from(right_rows);
    ((sum + rows / 2) / rows) as u32
}

/// The part of the rows that went left.
pub(crate) fn share(left_rows: u32, right_rows: u32) -> f64 {
    f64::from(left_rows) / (f64::from(left_rows) + f64::from(right_rows))
}

/// Parts that do not make a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TreeError {
    #[error("it has no node, too many nodes or not one count for each")]
    Size,
    #[error("it is deeper than {MAX_DEPTH}")]
    Deep,
    #[error("node {0} has no parent")]
    Orphan(usize),
    #[error("the children of node {0} are out of place")]
    Child(usize),
    #[error("the split of node {0} is out of range")]
    Split(usize),
    #[error("the row count of node {0} does not add up")]
    Count(usize),
}
