//! Signals that wander with the weather, after a training that saw little of it: normal all the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use detector::{BaselinePass, DeviceState, FeaturePass, Model, Plan};
use domain::{DeviceId, Measurement, Reading, Signals, Timestamp, Values};

const TRAINED: i64 = 1_000;
const DEVICES: u64 = 8;

/// Noise of standard deviation 1, the same on every machine: the sum of twelve even numbers.
fn noise(seed: u64, at: i64) -> f64 {
    let even = |nth: u64| {
        let mixed = (at.cast_unsigned() * 24 + nth + seed * 1_000_003).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..12).map(even).sum::<f64>() - 6.0
}

/// Warmth that wanders over half an hour, and moisture against it, every five seconds.
fn stream(seed: u64, readings: i64) -> Vec<Reading> {
    wander(seed, readings, 5, 400.0)
}

/// The same with another time between readings, in seconds, and over so many readings.
fn wander(seed: u64, readings: i64, seconds: i64, memory: f64) -> Vec<Reading> {
    let step = (400.0 / memory).sqrt();
    let (mut warmth, mut own) = (0.0, 0.0);
    let mut reading = |at: i64| {
        warmth += -warmth / memory + 0.07 * step * noise(seed, 3 * at);
        own += -own / memory + 0.03 * step * noise(seed, 3 * at + 1);
        let values = [
            24.0 + warmth,
            55.0 - 2.0 * warmth + own + 0.02 * noise(seed, 3 * at + 2),
        ];
        let value = |it: &f64| Some(Measurement::new(*it, "x").unwrap());
        Reading {
            device_id: DeviceId::new(&format!("mote-{seed}")).unwrap(),
            timestamp: Timestamp::from_secs(at * seconds),
            values: Values::new(values.iter().map(value).collect()),
            location: None,
            device_type: None,
            truth: None,
        }
    };
    (0..readings).map(&mut reading).collect()
}

fn trained(readings: &[Reading]) -> Model {
    let mut baselines = BaselinePass::new(&Signals::default());
    readings.iter().for_each(|it| baselines.push(it));
    let plan = Plan::default().check().unwrap();
    let mut pass = FeaturePass::new(plan, Signals::default(), baselines.finish());
    readings.iter().for_each(|it| pass.push(it));
    pass.fit("m-0001".into(), Timestamp::EPOCH, 2).unwrap().0
}

#[test]
fn weather_that_a_short_training_has_hardly_seen_is_normal_and_a_jump_is_not() {
    let (mut flagged, mut found) = (0, 0);
    for seed in 0..DEVICES {
        let readings = stream(seed, 5_000);
        let model = trained(&readings[..TRAINED as usize]);
        let mut state = DeviceState::new(&model.signals);
        for (at, reading) in readings.iter().enumerate() {
            let verdict = model.step(&mut state, reading);
            flagged += usize::from(at >= TRAINED as usize && verdict.is_anomaly);
        }
        let mut jump = stream(seed, 5_001).pop().unwrap();
        let warm = jump.values.get(0).unwrap() + 8.0;
        jump.values = Values::new(vec![
            Some(Measurement::new(warm, "x").unwrap()),
            jump.values.get(1).map(|it| Measurement::new(it, "x").unwrap()),
        ]);
        found += usize::from(model.step(&mut state, &jump).is_anomaly);
    }
    let share = flagged as f64 / (4_000 * DEVICES) as f64;
    assert!(share < 0.01 && found == DEVICES as usize, "{share} {found}");
}

/// Readings in a day, one every ten minutes.
const DAY: usize = 144;

#[test]
fn two_weeks_are_few_weathers_where_one_lasts_for_days() {
    let mut flagged = 0;
    for seed in 0..DEVICES {
        let readings = wander(seed, 28 * DAY as i64, 600, 3.0 * DAY as f64);
        let (before, after) = readings.split_at(14 * DAY);
        let model = trained(before);
        let mut state = DeviceState::new(&model.signals);
        before.iter().for_each(|it| _ = model.step(&mut state, it));
        flagged += after.iter().filter(|it| model.step(&mut state, it).is_anomaly).count();
    }
    let share = flagged as f64 / (14 * DAY * DEVICES as usize) as f64;
    assert!(share < 0.13, "{share}");
}
