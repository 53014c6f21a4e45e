//! A forest laid out for scoring many rows: thresholds become bytes, trees become straight-line programs.
//!
//! Only the order of a value among the thresholds of its column matters, so a value is replaced by its rank. Trees are gathered
//! in groups with at most 255 different thresholds a column, so that within a group a rank fits a byte; comparing ranks decides
//! exactly as comparing values does. A tree's nodes are then evaluated from the leaves up, all of them, for a block of rows at a
//! time: no branch depends on a row and no address does either.

use crate::ranks::Column;
use crate::tree::{Node, Tree};

/// The most leaves a tree may have, and one more than the most thresholds a column may have in a group.
pub(crate) const BYTE: usize = 256;

/// Trees whose path lengths can be added in 32 bits: the longest possible path is below 2^27 units.
pub(crate) const TREES_A_SUM: usize = 32;

/// The forest as tables and programs.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) columns: Vec<Column>,
    pub(crate) groups: Vec<Vec<Program>>,
}

/// One tree. Slots 0 to 255 stand for its leaves from left to right, slots from 256 on for inner nodes in the order of
/// `cherries` and then `steps`.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// Inner nodes between two leaves.
    pub(crate) cherries: Vec<Cherry>,
    /// The other inner nodes, children first.
    pub(crate) steps: Vec<Step>,
    /// The slot of the root.
    pub(crate) root: usize,
    /// Path length in units for each leaf.
    pub(crate) units: Box<[u32; BYTE]>,
}

/// A node whose children are leaves `left` and `left + 1`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cherry {
    pub(crate) column: u16,
    pub(crate) rank: i8,
    pub(crate) left: u8,
}

/// A node with children in slots.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) column: u16,
    pub(crate) left: u16,
    pub(crate) right: u16,
    pub(crate) rank: i8,
}

impl Batch {
    /// Lays the forest out, if its trees are axis-parallel and have at most 256 leaves.
    pub(crate) fn new(trees: &[Tree], columns: usize) -> Option<Self> {
        let fits = |tree: &Tree| tree.planes.is_empty() && tree.nodes.len() < 2 * BYTE;
        if !trees.iter().all(fits) {
            return None;
        }
        let groups = group(trees, columns);
        let columns = (0..columns)
            .map(|column| Column::new(groups.iter().map(|it| it.thresholds[column].as_slice())))
            .collect();
        let groups = groups
            .iter()
            .map(|it| it.trees.iter().map(|tree| Program::new(tree, &it.thresholds)).collect());
        Some(Self {
            columns,
            groups: groups.collect(),
        })
    }
}

/// Trees that share ranks.
struct Group<'a> {
    trees: &'a [Tree],
    /// Thresholds of each column, ascending, each once.
    thresholds: Vec<Vec<f32>>,
}

/// Takes trees in order until a column would have too many thresholds.
fn group(trees: &[Tree], columns: usize) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    let mut first = 0;
    let mut thresholds = vec![Vec::new(); columns];
    for (index, tree) in trees.iter().enumerate() {
        let mut grown = thresholds.clone();
        add_thresholds(tree, &mut grown);
        if grown.iter().any(|column| column.len() >= BYTE) {
            groups.push(Group {
                trees: &trees[first..index],
                thresholds,
            });
            first = index;
            grown = vec![Vec::new(); columns];
            add_thresholds(tree, &mut grown);
        }
        thresholds = grown;
    }
    groups.push(Group {
        trees: &trees[first..],
        thresholds,
    });
    groups
}

fn add_thresholds(tree: &Tree, columns: &mut [Vec<f32>]) {
    for (index, node) in tree.nodes.iter().enumerate() {
        if !node.is_leaf(index) {
            columns[usize::from(node.feature)].push(node.threshold);
        }
    }
    columns.iter_mut().for_each(sort_once);
}

pub(crate) fn sort_once(thresholds: &mut Vec<f32>) {
    thresholds.sort_unstable_by(f32::total_cmp);
    // Compared as numbers: the two zeros are one threshold.
    thresholds.dedup();
}

/// Moves 0..=255 to the range of `i8`, whose comparison is the one that vector units have.
pub(crate) fn shift(rank: usize) -> i8 {
    (rank as u8 ^ 0x80) as i8
}

impl Program {
    fn new(tree: &Tree, thresholds: &[Vec<f32>]) -> Self {
        let mut slots = vec![0_u16; tree.nodes.len()];
        let mut units = Box::new([0; BYTE]);
        let mut n_leaves = 0;
        number_leaves(tree, 0, &mut |index| {
            slots[index] = n_leaves;
            units[usize::from(n_leaves)] = tree.units[index];
            n_leaves += 1;
        });
        let rank_of = |node: &Node| {
            let own = &thresholds[usize::from(node.feature)];
            shift(own.partition_point(|&it| it < node.threshold))
        };
        let inner = |&(index, node): &(usize, &Node)| !node.is_leaf(index);
        let is_leaf = |index: u16| tree.nodes[usize::from(index)].is_leaf(usize::from(index));
        let (cherries, others): (Vec<_>, Vec<_>) = tree
            .nodes
            .iter()
            .enumerate()
            .rev()
            .filter(inner)
            .partition(|(_, node)| is_leaf(node.left) && is_leaf(node.left + 1));
        let mut steps = Vec::with_capacity(others.len());
        for (order, (index, _)) in cherries.iter().chain(&others).enumerate() {
            slots[*index] = (BYTE + order) as u16;
        }
        for (_, node) in others {
            steps.push(Step {
                column: node.feature,
                left: slots[usize::from(node.left)],
                right: slots[usize::from(node.left) + 1],
                rank: rank_of(node),
            });
        }
        let cherries = cherries.into_iter().map(|(_, node)| Cherry {
            column: node.feature,
            rank: rank_of(node),
            left: slots[usize::from(node.left)] as u8,
        });
        Self {
            root: usize::from(slots[0]),
            cherries: cherries.collect(),
            steps,
            units,
        }
    }
}

/// Calls `visit` for the leaves from left to right.
fn number_leaves(tree: &Tree, index: usize, visit: &mut impl FnMut(usize)) {
    let node = tree.nodes[index];
    if node.is_leaf(index) {
        visit(index);
        return;
    }
    number_leaves(tree, usize::from(node.left), visit);
    number_leaves(tree, usize::from(node.left) + 1, visit);
}
