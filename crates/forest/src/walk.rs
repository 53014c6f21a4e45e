//! A forest laid out for one row at a time: all nodes behind each other, and [`WIDTH`] trees descended in step.
//!
//! A leaf leads to itself, so every tree of a bundle can take as many steps as the deepest one needs, without a branch.

use crate::tree::{Node, Tree};

/// Trees descended in step: as many chains of loads as the processor can keep in flight.
const WIDTH: usize = 10;

/// Columns up to which the row is copied to a block of fixed size, whose accesses need no check.
pub(crate) const SHORT: usize = 32;

/// The nodes of all trees.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    nodes: Vec<Stop>,
    /// Path length in units for each node.
    units: Vec<u32>,
    bundles: Vec<Bundle>,
}

/// A node that knows how far behind it its left child lies; a leaf lies nought behind itself.
#[derive(Debug, Clone, Copy)]
struct Stop {
    threshold: f32,
    feature: u16,
    skip: u16,
}

/// Trees that are descended together.
#[derive(Debug, Clone)]
struct Bundle {
    /// Index of each root; the last tree is repeated where there are fewer.
    roots: [u32; WIDTH],
    n_trees: usize,
    depth: usize,
}

impl Walk {
    /// Lays the forest out, if its trees are axis-parallel.
    pub(crate) fn new(trees: &[Tree]) -> Option<Self> {
        if trees.iter().any(|tree| !tree.planes.is_empty()) {
            return None;
        }
        let mut walk = Self {
            nodes: trees
                .iter()
                .flat_map(|tree| tree.nodes.iter().enumerate().map(stop))
                .collect(),
            units: trees.iter().flat_map(|tree| tree.units.iter().copied()).collect(),
            bundles: Vec::new(),
        };
        let mut root = 0;
        for trees in trees.chunks(WIDTH) {
            let mut roots = [0; WIDTH];
            for (lane, slot) in roots.iter_mut().enumerate() {
                *slot = root;
                if let Some(next) = trees.get(lane).filter(|_| lane + 1 < trees.len()) {
                    root += next.nodes.len() as u32;
                }
            }
            root += trees.last().map_or(0, |tree| tree.nodes.len() as u32);
            walk.bundles.push(Bundle {
                roots,
                n_trees: trees.len(),
                depth: trees.iter().map(|tree| tree.depth).max().unwrap_or_default(),
            });
        }
        Some(walk)
    }

    /// Sum of the path lengths of a row without missing values.
    pub(crate) fn sum_short(&self, row: &[f32; SHORT]) -> u64 {
        self.sum(|column| row[usize::from(column) % SHORT])
    }

    /// As [`Walk::sum_short`], for a row of any width.
    pub(crate) fn sum_long(&self, row: &[f32]) -> u64 {
        self.sum(|column| row[usize::from(column)])
    }

    #[inline(always)]
    fn sum(&self, value_of: impl Fn(u16) -> f32) -> u64 {
        let mut sum = 0;
        for bundle in &self.bundles {
            let mut at = bundle.roots;
            for _ in 0..bundle.depth {
                at = std::array::from_fn(|lane| self.next(at[lane], &value_of));
            }
            sum += at
                .iter()
                .take(bundle.n_trees)
                .map(|at| u64::from(self.units[*at as usize]))
                .sum::<u64>();
        }
        sum
    }

    #[inline(always)]
    fn next(&self, at: u32, value_of: impl Fn(u16) -> f32) -> u32 {
        debug_assert!((at as usize) < self.nodes.len());
        #[expect(
            unsafe_code,
            reason = "the check of the index is a third of the time of a row, ADR 0010"
        )]
        // SAFETY: `at` is a root or came from here. `Tree::new` made sure that both children of an inner node exist, and that a
        // leaf has an infinite threshold, which no value exceeds, so that a leaf leads to itself.
        let stop = unsafe { self.nodes.get_unchecked(at as usize) };
        at + u32::from(stop.skip) + u32::from(value_of(stop.feature) > stop.threshold)
    }
}

fn stop((index, node): (usize, &Node)) -> Stop {
    Stop {
        threshold: node.threshold,
        feature: node.feature,
        skip: node.left - index as u16,
    }
}
