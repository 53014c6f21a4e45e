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
            #[expect(
                unsafe_code,
                reason = "a call to code compiled for AVX2, measured in ADR 0010"
            )]
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
            store_ranks(
                column,
                &below,
                &mut self.ranks[column_idx..],
                n_columns,
                n_groups,
            );
        }
        let mut sums = [0_u64; BLOCK];
        for (group, ranks) in self
            .batch
            .groups
            .iter()
            .zip(self.ranks.chunks_exact(n_columns))
        {
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
fn store_ranks(
    column: &Column,
    below: &[u32; BLOCK],
    out: &mut [Ranks],
    n_columns: usize,
    n_groups: usize,
) {
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
