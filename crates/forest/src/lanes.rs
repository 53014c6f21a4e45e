//! The hot loop: blocks of [`BLOCK`] rows through a [`Batch`], [`LANES`] rows at a time.
//!
//! The loop is written once, in safe code over fixed-size blocks, and compiled twice: for the processor the crate is built for,
//! and for AVX2, which is chosen when the program runs on one that has it.

use crate::batch::{Batch, Program, TREES_A_SUM};
use crate::ranks::Column;

/// Rows that one pass over a tree's program serves.
pub(crate) const LANES: usize = 128;

/// Rows that share one pass over all trees.
pub(crate) const BLOCK: usize = 2 * LANES;

/// One byte for each row of a pass.
type Bytes = [u8; LANES];

/// One rank for each row of a block, pass after pass.
type Ranks = [[i8; LANES]; BLOCK / LANES];

/// Working memory of one thread.
pub(crate) struct Lanes<'a> {
    batch: &'a Batch,
    wide: bool,
    /// For each group, for each column, the ranks of the rows.
    ranks: Vec<Ranks>,
    slots: Box<[Bytes; 512]>,
}

impl<'a> Lanes<'a> {
    pub(crate) fn new(batch: &'a Batch) -> Self {
        Self::with_width(batch, has_wide())
    }

    fn with_width(batch: &'a Batch, wide: bool) -> Self {
        let mut slots = Box::new([[0; LANES]; 512]);
        for (leaf, slot) in slots.iter_mut().take(256).enumerate() {
            *slot = [leaf as u8; LANES];
        }
        Self {
            batch,
            wide,
            ranks: vec![[[0; LANES]; BLOCK / LANES]; batch.groups.len() * batch.columns.len()],
            slots,
        }
    }

    /// Sums of path lengths for a block of rows, given column by column. A lane that holds NaN gets some sum; the caller
    /// replaces it.
    pub(crate) fn sum(&mut self, block: &[[f32; BLOCK]]) -> [u64; BLOCK] {
        #[cfg(target_arch = "x86_64")]
        if self.wide {
            #[expect(unsafe_code, reason = "a call to code compiled for AVX2, measured in ADR 0010")]
            // SAFETY: `wide` is only set where AVX2 was found at run time.
            return unsafe { self.sum_wide(block) };
        }
        self.sum_here(block)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn sum_wide(&mut self, block: &[[f32; BLOCK]]) -> [u64; BLOCK] {
        self.sum_here(block)
    }

    #[inline(always)]
    fn sum_here(&mut self, block: &[[f32; BLOCK]]) -> [u64; BLOCK] {
        let n_columns = self.batch.columns.len();
        let n_groups = self.batch.groups.len();
        for (column_idx, (column, values)) in self.batch.columns.iter().zip(block).enumerate() {
            let below = column.count_below(values);
            store_ranks(column, &below, &mut self.ranks[column_idx..], n_columns, n_groups);
        }
        let mut sums = [0_u64; BLOCK];
        for (group, ranks) in self.batch.groups.iter().zip(self.ranks.chunks_exact(n_columns)) {
            for programs in group.chunks(TREES_A_SUM) {
                let mut part = [0_u32; BLOCK];
                for program in programs {
                    let (passes, _) = part.as_chunks_mut::<LANES>();
                    for (pass, sums) in passes.iter_mut().enumerate() {
                        run(program, ranks, pass, &mut self.slots);
                        add_units(&self.slots[program.root], &program.units, sums);
                    }
                }
                for (sum, part) in sums.iter_mut().zip(part) {
                    *sum += u64::from(part);
                }
            }
        }
        sums
    }
}

fn has_wide() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Stores, for each group, the ranks that belong to the counts.
#[inline(always)]
fn store_ranks(column: &Column, below: &[u32; BLOCK], out: &mut [Ranks], n_columns: usize, n_groups: usize) {
    for (group_idx, out) in out.iter_mut().step_by(n_columns).enumerate() {
        for (out, below) in out.as_flattened_mut().iter_mut().zip(below) {
            *out = column.ranks[*below as usize * n_groups + group_idx];
        }
    }
}

/// Evaluates a tree from its leaves up; the slot of the root then holds the number of the leaf each row ends in.
#[inline(always)]
fn run(program: &Program, ranks: &[Ranks], pass: usize, slots: &mut [Bytes; 512]) {
    let mut at = 256;
    for cherry in &program.cherries {
        let ranks = &ranks[usize::from(cherry.column)][pass];
        slots[at & 511] = step_up(ranks, cherry.rank, cherry.left);
        at += 1;
    }
    for step in &program.steps {
        let ranks = &ranks[usize::from(step.column)][pass];
        let left = &slots[usize::from(step.left) & 511];
        let right = &slots[usize::from(step.right) & 511];
        slots[at & 511] = choose(ranks, step.rank, left, right);
        at += 1;
    }
}

/// The left leaf, or its neighbour where the rank lies above the threshold's.
#[inline(always)]
fn step_up(ranks: &[i8; LANES], threshold: i8, left: u8) -> Bytes {
    let mut out = [0; LANES];
    for lane in 0..LANES {
        out[lane] = left.wrapping_add(u8::from(ranks[lane] > threshold));
    }
    out
}

/// The right value where the rank lies above the threshold's, else the left one.
#[inline(always)]
fn choose(ranks: &[i8; LANES], threshold: i8, left: &Bytes, right: &Bytes) -> Bytes {
    let mut out = [0; LANES];
    for lane in 0..LANES {
        let mask = u8::from(ranks[lane] > threshold).wrapping_neg();
        out[lane] = (left[lane] & !mask) | (right[lane] & mask);
    }
    out
}

#[inline(always)]
fn add_units(leaves: &Bytes, units: &[u32; 256], sums: &mut [u32; LANES]) {
    for (sum, leaf) in sums.iter_mut().zip(leaves) {
        *sum += units[usize::from(*leaf)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Contamination, Forest, Matrix, Params};

    /// Numbers without a pattern that matters: fractional parts of multiples of an irrational number.
    fn numbers(count: usize, shape: impl Fn(f64) -> f64) -> Vec<f64> {
        (1..=count)
            .map(|i| shape((i as f64 * 0.618_033_988_749_895 + (i * i % 97) as f64 / 97.0).fract()))
            .collect()
    }

    /// The table's scores by the plain walk, by trees in step, by blocks, by the portable lanes and by the wide lanes must be the
    /// same bits.
    #[track_caller]
    fn check(values: &[f64], columns: usize, params: Params) {
        let params = Params {
            contamination: Contamination::Auto,
            ..params
        };
        let table = Matrix::new(values, columns).unwrap();
        let forest = Forest::fit(&params.check().unwrap(), table, 1).unwrap();
        let batch = forest.batch().expect("these trees are small enough");
        let mut portable = Lanes::with_width(batch, false);
        let mut wide = Lanes::with_width(batch, has_wide());
        for rows in values.chunks_exact(columns * BLOCK) {
            let mut block = vec![[0.0; BLOCK]; columns];
            for (lane, row) in rows.chunks_exact(columns).enumerate() {
                for (column, value) in block.iter_mut().zip(row) {
                    column[lane] = crate::matrix::narrow(*value);
                }
            }
            let sums = portable.sum(&block);
            assert_eq!(sums, wide.sum(&block));
            for (row, sum) in rows.chunks_exact(columns).zip(sums) {
                assert_eq!(forest.sum_plainly(row), sum);
                assert_eq!(forest.sum_in_step(row), Some(sum));
                assert_eq!(forest.units_of(row), sum);
            }
        }
    }

    #[test]
    fn lanes_agree_with_the_plain_walk_on_even_values() {
        check(&numbers(5 * 600, |it| it), 5, Params::default());
    }

    #[test]
    fn lanes_agree_where_thresholds_crowd_in_a_corner() {
        check(&numbers(3 * 600, |it| (40.0 * it).exp2() - 1.0), 3, Params::default());
        check(&numbers(3 * 600, |it| it * 1e-40), 3, Params::default());
        check(
            &numbers(2 * 600, |it| if it < 0.5 { it } else { 3e38 * (it - 0.75) * 4.0 }),
            2,
            Params::default(),
        );
    }

    #[test]
    fn lanes_agree_on_values_that_equal_thresholds() {
        check(&numbers(4 * 600, |it| (it * 5.0).floor()), 4, Params::default());
        check(&numbers(4 * 600, |it| (it * 3.0).floor() - 1.0), 4, Params::default());
    }

    #[test]
    fn lanes_agree_on_one_column_and_on_many() {
        check(&numbers(600, |it| it), 1, Params::default());
        check(&numbers(8 * 600, |it| it), 8, Params::default());
        check(&numbers(9 * 600, |it| it - 0.5), 9, Params::default());
        check(&numbers(16 * 600, |it| it), 16, Params::default());
        check(&numbers(17 * 600, |it| it), 17, Params::default());
        check(&numbers(70 * 600, |it| it), 70, Params::default());
    }

    #[test]
    fn lanes_agree_on_stumps_and_on_trees_without_splits() {
        let tiny = |subsample| Params {
            subsample,
            trees: 70,
            ..Params::default()
        };
        check(&numbers(2 * 600, |it| it), 2, tiny(1));
        check(&numbers(2 * 600, |it| it), 2, tiny(2));
        check(&[5.0; 600], 2, tiny(256));
    }
}
