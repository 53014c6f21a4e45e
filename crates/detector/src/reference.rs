//! What the banks of head A amount to on a normal day: for each device that a training saw, and for those it did not.

use std::collections::HashMap;

use domain::DeviceId;

use crate::heads::student;

/// The share of training readings that lies below the reference.
const SHARE: f64 = 0.95;

/// The reference of one device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reference {
    /// How many readings the training saw of it.
    pub learned: u64,
    /// The upper end of each bank over the second half of them.
    pub banks: [f64; 3],
}

/// The references of a fleet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct References {
    /// For each device of the training.
    pub devices: HashMap<DeviceId, Reference>,
    /// For any other: the median of theirs.
    pub fleet: [f64; 3],
}

impl References {
    /// The banks' upper ends for a device.
    #[must_use]
    pub fn banks(&self, device_id: &DeviceId) -> [f64; 3] {
        self.devices.get(device_id).map_or(self.fleet, |it| it.banks)
    }

    /// The references that the training's histograms give, each no less than Gaussian noise would have. An upper end seen
    /// in so few readings lies as much higher as Student's quantile above the normal one; `alike` tells how many
    /// readings of a device in a row say the same, since the banks are smoothed.
    pub(crate) fn of(learned: &HashMap<DeviceId, Learned>, n_signals: usize, alike: impl Fn(&DeviceId) -> f64) -> Self {
        let floor = floors(n_signals);
        let reference = |device: &DeviceId, it: &Learned| {
            let few = student((alike(device) / it.held_back().max(1.0)).min(1.0));
            let banks = std::array::from_fn(|bank| few * it.banks[bank].quantile(SHARE).max(floor[bank]));
            Reference {
                learned: it.readings,
                banks,
            }
        };
        let devices: HashMap<_, _> = learned
            .iter()
            .map(|(device, it)| (device.clone(), reference(device, it)))
            .collect();
        let fleet = std::array::from_fn(|bank| {
            let mut all: Vec<f64> = devices.values().map(|it: &Reference| it.banks[bank]).collect();
            all.sort_unstable_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or(floor[bank])
        });
        Self { devices, fleet }
    }
}

/// What a training gathers of one device.
#[derive(Debug, Clone, Default)]
pub(crate) struct Learned {
    pub(crate) readings: u64,
    banks: [Histogram; 3],
}

impl Learned {
    /// How many readings were taken.
    pub(crate) fn held_back(&self) -> f64 {
        self.banks[0].total()
    }

    pub(crate) fn take(&mut self, banks: &[f64; 3]) {
        self.banks
            .iter_mut()
            .zip(banks)
            .for_each(|(histogram, it)| histogram.take(*it));
    }

    /// Leaves out what was taken.
    pub(crate) fn leave_out(&mut self, banks: &[f64; 3]) {
        self.banks
            .iter_mut()
            .zip(banks)
            .for_each(|(histogram, it)| histogram.leave_out(*it));
    }
}

/// Bins of a histogram.
const BINS: usize = 320;

/// The logarithm of the lowest bin's lower end.
const LOWEST: f64 = -3.0;

/// The width of a bin, in logarithms.
const WIDTH: f64 = 0.03;

/// A histogram on a logarithmic scale.
#[derive(Debug, Clone, Default)]
struct Histogram {
    counts: Vec<u32>,
}

impl Histogram {
    fn take(&mut self, value: f64) {
        self.counts.resize(BINS, 0);
        self.counts[Self::bin(value)] += 1;
    }

    fn leave_out(&mut self, value: f64) {
        if let Some(count) = self.counts.get_mut(Self::bin(value)) {
            *count = count.saturating_sub(1);
        }
    }

    fn bin(value: f64) -> usize {
        ((value.max(1e-9).ln() - LOWEST) / WIDTH).clamp(0.0, BINS as f64 - 1.0) as usize
    }

    /// How many values it holds.
    fn total(&self) -> f64 {
        self.counts.iter().map(|it| f64::from(*it)).sum()
    }

    /// The quantile, 0 for no values.
    fn quantile(&self, share: f64) -> f64 {
        let mut left = share * self.total();
        for (at, count) in self.counts.iter().enumerate() {
            let count = f64::from(*count);
            if count >= left && count > 0.0 {
                return (LOWEST + WIDTH * (at as f64 + left / count)).exp();
            }
            left -= count;
        }
        0.0
    }
}

/// The upper ends that Gaussian noise has: of the largest of `d` deviations, and twice of the length of a vector of `d`
/// over the root of `d`.
fn floors(n_signals: usize) -> [f64; 3] {
    let d = n_signals as f64;
    let spike = normal_quantile(1.0 - (1.0 - SHARE) / (2.0 * d));
    // Wilson and Hilferty 1931 for the quantile of chi-squared, exact for one and two signals.
    let square = match n_signals {
        1 => normal_quantile(1.0 - (1.0 - SHARE) / 2.0).powi(2),
        2 => -2.0 * (1.0 - SHARE).ln(),
        _ => d * (1.0 - 2.0 / (9.0 * d) + normal_quantile(SHARE) * (2.0 / (9.0 * d)).sqrt()).powi(3),
    };
    let length = (square / d).sqrt();
    [spike, length, length]
}

/// The quantile of the normal distribution, by halving: it is asked for a few times in a training.
fn normal_quantile(share: f64) -> f64 {
    let (mut low, mut high) = (-10.0, 10.0);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if normal_share(middle) < share {
            low = middle
        } else {
            high = middle
        }
    }
    low
}

/// The normal distribution function, by the series of Marsaglia 2004.
fn normal_share(at: f64) -> f64 {
    if at.abs() > 8.0 {
        return if at > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut term, mut nth) = (at, at, 1.0);
    for _ in 0..400 {
        nth += 2.0;
        term *= at * at / nth;
        sum += term;
    }
    0.5 + sum * (-0.5 * at * at).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_are_those_of_gaussian_noise() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 2e-3, "{a} {b}");
        let two = floors(2);
        close(two[0], 2.2414);
        close(two[1], 1.7308);
        let eight = floors(8);
        close(eight[0], 2.7344);
        close(eight[1], 1.3923);
    }

    #[test]
    fn an_upper_end_seen_in_few_readings_lies_higher() {
        let device = DeviceId::new("a").expect("a name");
        let of = |n_readings: u32| {
            let mut learned = Learned::default();
            (0..n_readings).for_each(|_| learned.take(&[10.0; 3]));
            let learned = HashMap::from([(device.clone(), learned)]);
            References::of(&learned, 2, |_| 14.4).banks(&device)[0]
        };
        let many = of(200_000);
        assert!((many / 10.0 - 1.0).abs() < 0.02, "{many}");
        assert!((1.08..1.11).contains(&(of(200) / many)), "{}", of(200) / many);
        assert!(of(10) > 4.0 * many && of(0).is_finite());
    }

    #[test]
    fn a_quantile_is_found_within_a_hundredth() {
        let mut histogram = Histogram::default();
        (1..=10_000).for_each(|it| histogram.take(f64::from(it) / 1_000.0));
        assert!((histogram.quantile(0.95) / 9.5 - 1.0).abs() < 0.01);
        assert_eq!(Histogram::default().quantile(0.5), 0.0);
    }
}
