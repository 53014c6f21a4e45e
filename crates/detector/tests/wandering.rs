//! Signals that wander with the weather, after a training of an hour or two: normal, though the training saw little of it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use detector::{BaselinePass, DeviceState, FeaturePass, Plan};
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
    let (mut warmth, mut own) = (0.0, 0.0);
    let mut reading = |at: i64| {
        warmth += -warmth / 400.0 + 0.07 * noise(seed, 3 * at);
        own += -own / 400.0 + 0.03 * noise(seed, 3 * at + 1);
        let values = [
            24.0 + warmth,
            55.0 - 2.0 * warmth + own + 0.02 * noise(seed, 3 * at + 2),
        ];
        let value = |it: &f64| Some(Measurement::new(*it, "x").unwrap());
        Reading {
            device_id: DeviceId::new(&format!("mote-{seed}")).unwrap(),
            timestamp: Timestamp::from_secs(at * 5),
            values: Values::new(values.iter().map(value).collect()),
            location: None,
            device_type: None,
            truth: None,
        }
    };
    (0..readings).map(&mut reading).collect()
}

#[test]
fn weather_that_a_short_training_has_hardly_seen_is_normal_and_a_jump_is_not() {
    let (mut flagged, mut found) = (0, 0);
    for seed in 0..DEVICES {
        let readings = stream(seed, 5_000);
        let training = || readings.iter().take(TRAINED as usize);
        let mut baselines = BaselinePass::new(&Signals::default());
        training().for_each(|it| baselines.push(it));
        let plan = Plan::default().check().unwrap();
        let mut pass = FeaturePass::new(plan, Signals::default(), baselines.finish());
        training().for_each(|it| pass.push(it));
        let model = pass.fit("m-0001".into(), Timestamp::EPOCH, 2).unwrap().0;
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
