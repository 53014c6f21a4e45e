//! A bounded, uniform, reproducible sample of feature vectors from a stream of any length.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// A reservoir of rows (Vitter 1985, algorithm R): after any number of offers each row is in it with equal odds, and
/// the same rows in the same order with the same seed leave the same sample.
#[derive(Debug, Clone)]
pub struct Sample {
    columns: usize,
    capacity: usize,
    offered: u64,
    rows: Vec<f64>,
    random: Pcg64,
}

impl Sample {
    /// An empty sample of up to `capacity` rows.
    #[must_use]
    pub fn new(columns: usize, capacity: usize, seed: u64) -> Self {
        Self {
            columns,
            capacity,
            offered: 0,
            rows: Vec::new(),
            random: Pcg64::seed_from_u64(seed),
        }
    }

    /// Offers a row of the sample's width.
    pub fn offer(&mut self, row: &[f64]) {
        debug_assert_eq!(row.len(), self.columns);
        self.offered += 1;
        if self.rows.len() < self.capacity * self.columns {
            self.rows.extend_from_slice(row);
            return;
        }
        let place = self.random.random_range(0..self.offered);
        if let Some(at) = usize::try_from(place).ok().filter(|it| *it < self.capacity) {
            self.rows[at * self.columns..][..self.columns].copy_from_slice(row);
        }
    }

    /// How many rows were offered.
    #[must_use]
    pub fn offered(&self) -> u64 {
        self.offered
    }

    /// The rows, one after the other.
    #[must_use]
    pub fn rows(&self) -> &[f64] {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_equal_odds() {
        let mut kept = [0_u32; 10];
        for seed in 0..5_000 {
            let mut sample = Sample::new(1, 3, seed);
            (0..10).for_each(|it| sample.offer(&[f64::from(it)]));
            sample.rows().iter().for_each(|it| kept[*it as usize] += 1);
        }
        assert!(kept.iter().all(|it| (1_350..1_650).contains(it)), "{kept:?}");
    }

    #[test]
    fn the_same_seed_keeps_the_same_rows() {
        let of = |seed| {
            let mut sample = Sample::new(2, 16, seed);
            (0..1_000).for_each(|it| sample.offer(&[f64::from(it), 0.0]));
            sample.rows().to_vec()
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
