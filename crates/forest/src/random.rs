//! A small generator whose stream is part of the crate's promise: the same seed gives the same forest in every release.
//!
//! SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).

/// One stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The stream of one tree. Streams of neighbouring trees and seeds are unrelated.
    pub(crate) fn of_tree(seed: u64, tree: usize) -> Self {
        let mut outer = Self { state: seed };
        let key = outer.next_u64();
        let mut inner = Self {
            state: key ^ (tree as u64).wrapping_mul(0xd1b5_4a32_d192_ed03),
        };
        Self {
            state: inner.next_u64(),
        }
    }

    fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in 0..bound; the bias of the multiply is below 2^-32 for the bounds that occur here.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Standard normal (Box and Muller, 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// `count` different numbers below `bound`, by Floyd's method: no table of `bound` entries is ever made.
    pub(crate) fn sample(&mut self, count: usize, bound: usize) -> Vec<usize> {
        let mut taken = Taken::new(count);
        let mut picks = Vec::with_capacity(count);
        for top in bound - count..bound {
            let pick = self.below(top + 1);
            let pick = if taken.insert(pick) { pick } else { top };
            if pick == top {
                taken.insert(top);
            }
            picks.push(pick);
        }
        picks
    }
}

/// A set of numbers with open addressing; the standard one spends half of the time of fitting on hashing.
struct Taken {
    slots: Vec<usize>,
}

impl Taken {
    const FREE: usize = usize::MAX;

    fn new(count: usize) -> Self {
        Self {
            slots: vec![Self::FREE; (2 * count).next_power_of_two()],
        }
    }

    /// Whether the number was not yet there.
    fn insert(&mut self, number: usize) -> bool {
        let mask = self.slots.len() - 1;
        let mut at = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize >> 20 & mask;
        while self.slots[at] != Self::FREE {
            if self.slots[at] == number {
                return false;
            }
            at = (at + 1) & mask;
        }
        self.slots[at] = number;
        true
    }
}
