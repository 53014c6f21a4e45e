//! A forest laid out for one row at a time on processors with AVX2: three levels of a tree in one cache line.
//!
//! The seven nodes of three levels are compared at once, and the seven answers are looked up for which of the eight ways out the
//! row takes. Feature values never leave the registers. A way out leads to another block, or to a leaf, whose path length is
//! added then; from a leaf the way goes on to block 0, which adds nothing and leads to itself, so that all trees can take as many
//! steps as the deepest one needs. See ADR 0010.

use std::arch::x86_64::{
    __m256, _CMP_GT_OQ, _mm_set_epi64x, _mm256_blendv_ps, _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_cvtepu8_epi32,
    _mm256_movemask_ps, _mm256_permutevar8x32_ps, _mm256_setr_ps, _mm256_slli_epi32,
};

use crate::tree::{Node, Tree};

/// The most columns: two registers of eight values.
pub(crate) const COLUMNS: usize = 16;

/// Trees that take their steps together.
const WIDTH: usize = 10;

/// Nodes of three levels, and one that no row exceeds.
const NODES: usize = 8;

/// The forest as blocks.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    /// Block 0 is the end of every way; those of the roots follow, in the order of the trees.
    blocks: Vec<Block>,
    /// For each way out of each block the path length in units if it leads to a leaf, else zero.
    units: Vec<[u32; NODES]>,
    trees: usize,
    /// Blocks on the longest way.
    steps: usize,
    has_many_columns: bool,
}

/// Three levels of a tree: node `i` has the children `2 i + 1` and `2 i + 2`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Block {
    thresholds: [f32; NODES],
    features: [u8; NODES],
    /// Where each way out leads.
    next: [u16; NODES],
}

impl Block {
    const END: Self = Self {
        thresholds: [f32::INFINITY; NODES],
        features: [0; NODES],
        next: [0; NODES],
    };
}

/// For the answers of the seven nodes, one bit each and set for right, the way out.
static WAYS: [u8; 256] = ways();

const fn ways() -> [u8; 256] {
    let mut ways = [0; 256];
    let mut answers = 0;
    while answers < 256 {
        let mut node = 0;
        while node < 7 {
            node = 2 * node + 1 + (answers >> node & 1);
        }
        ways[answers] = (node - 7) as u8;
        answers += 1;
    }
    ways
}

impl Blocks {
    /// Lays the forest out, if its trees are axis-parallel, it is narrow and small enough, and the processor has AVX2.
    pub(crate) fn new(trees: &[Tree], columns: usize) -> Option<Self> {
        let fits = columns <= COLUMNS && trees.iter().all(|tree| tree.planes.is_empty());
        if !fits || !std::arch::is_x86_feature_detected!("avx2") {
            return None;
        }
        let mut laid = Self {
            blocks: vec![Block::END; trees.len() + 1],
            units: vec![[0; NODES]; trees.len() + 1],
            trees: trees.len(),
            steps: 1,
            has_many_columns: columns > NODES,
        };
        // Level after level, so that the blocks that every row meets lie together.
        let mut level: Vec<(usize, usize)> = (1..=trees.len()).map(|block| (block, 0)).collect();
        let mut owners: Vec<usize> = (0..trees.len()).collect();
        loop {
            let mut below = Vec::new();
            let mut owners_below = Vec::new();
            for ((block, root), owner) in level.into_iter().zip(owners) {
                for next in laid.fill(block, &trees[owner], root)? {
                    below.push(next);
                    owners_below.push(owner);
                }
            }
            if below.is_empty() {
                return Some(laid);
            }
            laid.steps += 1;
            (level, owners) = (below, owners_below);
        }
    }

    /// Fills a block with the nodes from `root` down. Gives the blocks that were made below it, and the nodes they begin with;
    /// `None` when there are too many to number.
    fn fill(&mut self, block: usize, tree: &Tree, root: usize) -> Option<Vec<(usize, usize)>> {
        let mut made = Vec::new();
        // The tree's node at each place of the block; below a leaf only the leftmost way is taken.
        let mut at = [None; 15];
        at[0] = Some(root);
        for place in 0..7 {
            let Some(index) = at[place] else { continue };
            let node: Node = tree.nodes[index];
            if node.is_leaf(index) {
                at[2 * place + 1] = Some(index);
                continue;
            }
            self.blocks[block].thresholds[place] = node.threshold;
            self.blocks[block].features[place] = node.feature as u8;
            at[2 * place + 1] = Some(usize::from(node.left));
            at[2 * place + 2] = Some(usize::from(node.left) + 1);
        }
        for (way, index) in at[7..].iter().enumerate() {
            let Some(index) = *index else { continue };
            if tree.nodes[index].is_leaf(index) {
                self.units[block][way] = tree.units[index];
                continue;
            }
            let next = self.blocks.len();
            self.blocks[block].next[way] = u16::try_from(next).ok()?;
            self.blocks.push(Block::END);
            self.units.push([0; NODES]);
            made.push((next, index));
        }
        Some(made)
    }

    /// Sum of the path lengths of a row without missing values, whatever stands behind its last column.
    pub(crate) fn sum(&self, row: &[f32; COLUMNS]) -> u64 {
        #[expect(unsafe_code, reason = "a call to code compiled for AVX2, measured in ADR 0010")]
        // SAFETY: `new` makes no blocks where there is no AVX2.
        unsafe {
            if self.has_many_columns {
                self.sum_wide::<true>(row)
            } else {
                self.sum_wide::<false>(row)
            }
        }
    }

    #[target_feature(enable = "avx2")]
    fn sum_wide<const MANY: bool>(&self, row: &[f32; COLUMNS]) -> u64 {
        let (halves, _) = row.as_chunks::<NODES>();
        let row = Row {
            low: wide(&halves[0]),
            high: wide(&halves[1]),
        };
        let mut sum = 0;
        for first in (1..=self.trees).step_by(WIDTH) {
            let left = self.trees - first;
            let mut at: [usize; WIDTH] = std::array::from_fn(|lane| if lane <= left { first + lane } else { 0 });
            for _ in 0..self.steps {
                for at in &mut at {
                    let (block, units) = self.block(*at);
                    let way = way_out::<MANY>(block, row);
                    sum += u64::from(units[way]);
                    *at = usize::from(block.next[way]);
                }
            }
        }
        sum
    }

    #[inline(always)]
    fn block(&self, at: usize) -> (&Block, &[u32; NODES]) {
        debug_assert!(at < self.blocks.len());
        #[expect(
            unsafe_code,
            reason = "the check of the index is a fifth of the time of a row, ADR 0010"
        )]
        // SAFETY: `at` is 0, a root or where a way leads; `fill` made each of these blocks, and units for each.
        unsafe {
            (self.blocks.get_unchecked(at), self.units.get_unchecked(at))
        }
    }
}

/// The values of a row: columns 0 to 7, and 8 to 15.
#[derive(Clone, Copy)]
struct Row {
    low: __m256,
    high: __m256,
}

/// Which way a row leaves a block.
#[inline]
#[target_feature(enable = "avx2")]
fn way_out<const MANY: bool>(block: &Block, row: Row) -> usize {
    let features = _mm256_cvtepu8_epi32(_mm_set_epi64x(0, i64::from_le_bytes(block.features)));
    let mut values = _mm256_permutevar8x32_ps(row.low, features);
    if MANY {
        // The permutation looks at the lowest three bits; the fourth, made the sign, chooses the half.
        let is_high = _mm256_castsi256_ps(_mm256_slli_epi32::<28>(features));
        values = _mm256_blendv_ps(values, _mm256_permutevar8x32_ps(row.high, features), is_high);
    }
    let is_above = _mm256_cmp_ps::<_CMP_GT_OQ>(values, wide(&block.thresholds));
    usize::from(WAYS[_mm256_movemask_ps(is_above) as usize & 255])
}

#[inline]
#[target_feature(enable = "avx2")]
fn wide(values: &[f32; NODES]) -> __m256 {
    let [a, b, c, d, e, f, g, h] = *values;
    _mm256_setr_ps(a, b, c, d, e, f, g, h)
}
