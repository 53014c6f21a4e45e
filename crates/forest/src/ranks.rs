//! The rank of a value among the thresholds of its column.
//!
//! A grid of equal cells over the thresholds' range gives the first candidate, and a search without branches over the window
//! that the fullest cell needs gives the exact count. Where thresholds crowd in one cell the window grows up to all of them.

use crate::batch::{shift, sort_once};
use crate::lanes::BLOCK;

/// Cells of the grid.
const CELLS: usize = 2048;

/// What turns the values of one column into ranks.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// The thresholds of all trees, ascending, each once, then infinities for a window to end in.
    thresholds: Vec<f32>,
    /// For each number of thresholds below a value, the rank in each group; ranks are shifted to the range of `i8`.
    pub(crate) ranks: Vec<i8>,
    /// Thresholds in the cells before each.
    starts: Box<[u32; CELLS]>,
    /// Value where the grid begins.
    low: f32,
    /// Cells per unit of value; zero when the range admits no grid, which puts all in the first cell.
    scale: f32,
    /// Half of a power of two above the number of thresholds in the fullest cell; zero when there is no threshold.
    half: usize,
}

impl Column {
    /// `groups` gives the thresholds of each group, ascending, each once.
    pub(crate) fn new<'a>(groups: impl Iterator<Item = &'a [f32]>) -> Self {
        let groups: Vec<&[f32]> = groups.collect();
        let mut thresholds = groups.concat();
        sort_once(&mut thresholds);
        let (low, scale) = grid(&thresholds);
        let mut starts = Box::new([0; CELLS]);
        let mut fullest = 0;
        for (cell, start) in starts.iter_mut().enumerate() {
            let first = thresholds.partition_point(|it| cell_of(*it, low, scale) < cell);
            let end = thresholds.partition_point(|it| cell_of(*it, low, scale) <= cell);
            *start = first as u32;
            fullest = fullest.max(end - first);
        }
        let window = (fullest + 1).next_power_of_two();
        let ranks = ranks(&thresholds, &groups);
        thresholds.resize(thresholds.len() + window, f32::INFINITY);
        Self {
            thresholds,
            ranks,
            starts,
            low,
            scale,
            half: window / 2,
        }
    }

    /// Counts the thresholds below each value; NaN counts as the lowest value.
    #[inline(always)]
    pub(crate) fn count_below(&self, values: &[f32; BLOCK]) -> [u32; BLOCK] {
        let mut below = [0_u32; BLOCK];
        for (below, value) in below.iter_mut().zip(values) {
            *below = cell_of(*value, self.low, self.scale) as u32;
        }
        for below in &mut below {
            *below = self.starts[*below as usize & (CELLS - 1)];
        }
        let mut half = self.half;
        while half > 0 {
            let probes = &self.thresholds[half - 1..];
            for (below, value) in below.iter_mut().zip(values) {
                let is_below = probes[*below as usize] < *value;
                *below += std::hint::select_unpredictable(is_below, half as u32, 0);
            }
            half /= 2;
        }
        below
    }
}

/// Never falls as the value grows, which is all that exactness needs. Added to 2^23, a number stands in the lowest bits, rounded:
/// a conversion that vectors have.
#[inline(always)]
fn cell_of(value: f32, low: f32, scale: f32) -> usize {
    let cell = ((value - low) * scale).max(0.0).min((CELLS - 1) as f32);
    (cell + 8_388_608.0).to_bits() as usize & (CELLS - 1)
}

/// Where the grid begins and its cells per unit of value.
fn grid(thresholds: &[f32]) -> (f32, f32) {
    let (Some(low), Some(high)) = (thresholds.first(), thresholds.last()) else {
        return (0.0, 0.0);
    };
    let range = high - low;
    let scale = CELLS as f32 / range;
    if range.is_finite() && scale.is_normal() {
        (*low, scale)
    } else {
        (0.0, 0.0)
    }
}

/// For each number of thresholds below a value, its rank in each group.
fn ranks(thresholds: &[f32], groups: &[&[f32]]) -> Vec<i8> {
    let n_ranks = thresholds.len() + 1;
    let mut ranks = vec![0; n_ranks * groups.len()];
    for (group_idx, own) in groups.iter().enumerate() {
        let mut rank = 0;
        for below in 0..n_ranks {
            // A value with `below` thresholds under it lies above all of those, and above no other.
            if below > 0 && own.get(rank) == Some(&thresholds[below - 1]) {
                rank += 1;
            }
            ranks[below * groups.len() + group_idx] = shift(rank);
        }
    }
    ranks
}
