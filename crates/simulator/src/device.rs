//! One healthy device: who it is, where it stands, what it measures when nothing is wrong.

use std::f64::consts::TAU;
use std::sync::Arc;

use domain::{DeviceId, Location, Timestamp};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::chance::{Key, Purpose};

/// Half the daily swing of temperature, °C.
const DAILY_AMPLITUDE: f64 = 2.0;
/// Standard deviation of vibration as a share of its level.
pub(crate) const VIBRATION_NOISE: f64 = 0.05;
/// Share by which vibration rises for each °C above the device's base.
const VIBRATION_PER_DEGREE: f64 = 0.015;
/// The longest delay of a reading after its place in the interval.
const MAX_JITTER_MICROS: i64 = 250_000;

/// Device types, how many of twenty devices are of each, and where their vibration lies, mm/s.
const TYPES: [(&str, u32, f64, f64); 6] = [
    ("temp_vibration_sensor", 8, 0.5, 3.0),
    ("pump", 3, 1.2, 3.0),
    ("fan", 3, 0.5, 1.6),
    ("hvac", 2, 0.6, 1.8),
    ("motor", 2, 0.8, 2.4),
    ("compressor", 2, 1.5, 3.0),
];

/// What both sensors of a device show at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) temperature: f64,
    pub(crate) vibration: f64,
}

/// What does not change about a device.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) key: Key,
    pub(crate) id: DeviceId,
    pub(crate) location: Arc<Location>,
    pub(crate) device_type: Arc<str>,
    pub(crate) temperature_noise: f64,
    temperature_base: f64,
    vibration_base: f64,
    /// The second of the day at which it is warmest.
    warmest: f64,
    interval: i64,
    phase: i64,
    jitter: i64,
}

impl Device {
    /// The device of this number, counted from 1, sampled every `interval` microseconds.
    pub(crate) fn new(seed: u64, number: u32, interval: i64) -> Self {
        let key = Key::new(seed, number);
        let mut chance = key.generator(Purpose::Profile, 0);
        let (device_type, low, high) = draw_type(&mut chance);
        let jitter = whole_millis((interval / 50).min(MAX_JITTER_MICROS));
        Self {
            key,
            id: DeviceId::new(&format!("sensor_{number:03}")).expect("the name is short and visible"),
            location: Arc::new(draw_location(&mut chance)),
            device_type: device_type.into(),
            temperature_base: chance.random_range(18.0..25.0),
            temperature_noise: chance.random_range(0.2..0.5),
            vibration_base: chance.random_range(low..high),
            warmest: chance.random_range(14.0..16.0) * 3_600.0,
            interval,
            phase: whole_millis((place(number) * (interval - jitter) as f64) as i64),
            jitter,
        }
    }

    /// When it sends in this tick: always inside the tick's interval, so its times strictly increase.
    pub(crate) fn time(&self, tick: i64) -> Timestamp {
        let millis = (self.jitter / 1_000).cast_unsigned() + 1;
        let drawn = self.key.number(Purpose::Jitter, tick) % millis;
        let late = drawn.cast_signed() * 1_000;
        Timestamp::from_micros(tick.saturating_mul(self.interval).saturating_add(self.phase + late))
    }

    /// The first tick whose reading is not before this instant.
    pub(crate) fn first_tick_from(&self, at: Timestamp) -> i64 {
        let tick = at.as_micros().div_euclid(self.interval);
        if self.time(tick) < at { tick + 1 } else { tick }
    }

    /// The chance that belongs to one reading. [`Self::measure`] takes the first draws of it.
    pub(crate) fn chance(&self, tick: i64) -> impl Rng + use<> {
        self.key.generator(Purpose::Reading, tick)
    }

    /// What the sensors show when the machine is warmed by `heat` °C and shakes `shake` times as much as usual.
    pub(crate) fn measure(&self, at: Timestamp, heat: f64, shake: f64, chance: &mut impl Rng) -> Sample {
        let second = at.as_micros().rem_euclid(86_400_000_000) as f64 / 1e6;
        let warmth = DAILY_AMPLITUDE * ((second - self.warmest) / 86_400.0 * TAU).cos() + heat;
        let level = self.vibration_base * (1.0 + VIBRATION_PER_DEGREE * warmth) * shake;
        let hiss: f64 = chance.sample(StandardNormal);
        let rattle: f64 = chance.sample(StandardNormal);
        Sample {
            temperature: self.temperature_base + warmth + self.temperature_noise * hiss,
            vibration: level * (1.0 + VIBRATION_NOISE * rattle),
        }
    }
}

fn draw_type(chance: &mut impl Rng) -> (&'static str, f64, f64) {
    let mut left = chance.random_range(0..TYPES.iter().map(|it| it.1).sum());
    for (name, weight, low, high) in TYPES {
        if left < weight {
            return (name, low, high);
        }
        left -= weight;
    }
    unreachable!("the draw is below the sum of the weights")
}

fn draw_location(chance: &mut impl Rng) -> Location {
    let building = ["A", "B", "C", "D"][chance.random_range(0..4)];
    let floor = chance.random_range(1..=5_u32);
    let room = floor * 100 + chance.random_range(1..=20_u32);
    Location {
        building: Some(format!("Building {building}")),
        floor: Some(format!("Floor {floor}")),
        room: Some(format!("Room {room}")),
    }
}

/// The device's fixed place in the interval, as a share of it. Multiples of the golden ratio, whole part dropped,
/// keep any number of devices evenly apart, and adding devices moves none.
pub(crate) fn place(number: u32) -> f64 {
    (f64::from(number) * 0.618_033_988_749_894_9).fract()
}

fn whole_millis(micros: i64) -> i64 {
    micros / 1_000 * 1_000
}
