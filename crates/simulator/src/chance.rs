//! Randomness by address: the generator for one thing is found from what the thing is, never from what came before.

use rand_pcg::Pcg64Mcg;

/// What a draw is for, so that two uses of one counter never share their numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Profile = 1,
    Jitter,
    Reading,
    Fault,
    Planted,
}

/// The root of all chance of one device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key(u64);

impl Key {
    pub(crate) fn new(seed: u64, device: u32) -> Self {
        Self(mix(mix(seed) ^ u64::from(device)))
    }

    /// One number, all bits equally likely.
    pub(crate) fn number(self, purpose: Purpose, counter: i64) -> u64 {
        let lane = mix(self.0 ^ (purpose as u64) << 56);
        mix(lane.wrapping_add(counter.cast_unsigned().wrapping_mul(GOLDEN)))
    }

    /// A generator for draws of any length.
    pub(crate) fn generator(self, purpose: Purpose, counter: i64) -> Pcg64Mcg {
        let high = self.number(purpose, counter);
        let low = mix(high ^ self.0);
        Pcg64Mcg::new(u128::from(high) << 64 | u128::from(low))
    }
}

/// 2^64 divided by the golden ratio, odd: multiples of it visit every number before one comes twice.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finishing step of `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014): a bijection that spreads every bit.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
