//! The expected range holds the normal readings that come after it, after a short training and after a long one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use detector::{BaselinePass, DeviceState, FeaturePass, Plan};
use domain::{DeviceId, Measurement, Reading, Signals, Timestamp, Values};

const JUDGED: i64 = 1_440;

/// Noise of standard deviation 1, the same on every machine: the sum of twelve even numbers.
fn noise(seed: i64, at: i64) -> f64 {
    let even = |nth: u64| {
        let mixed = ((at * 24 + seed * 1_000_003).cast_unsigned() + nth).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..12).map(even).sum::<f64>() - 6.0
}

/// A room with its days, and a machine that is never below 0, every minute.
fn reading(seed: i64, at: i64) -> Reading {
    let day = (at as f64 / 1_440.0 * std::f64::consts::TAU).sin();
    let values = [
        22.0 + 2.0 * day + 0.3 * noise(seed, 2 * at),
        (0.3 + 0.1 * noise(seed, 2 * at + 1)).max(0.0),
    ];
    let value = |it: &f64| Some(Measurement::new(*it, "x").unwrap());
    Reading {
        device_id: DeviceId::new(&format!("room-{seed}")).unwrap(),
        timestamp: Timestamp::from_secs(at * 60),
        values: Values::new(values.iter().map(value).collect()),
        location: None,
        device_type: None,
        truth: None,
    }
}

#[track_caller]
fn check(trained: i64, least: f64) {
    let (mut inside, mut all) = (0, 0);
    for seed in 0..4 {
        let readings: Vec<Reading> = (0..trained + JUDGED).map(|at| reading(seed, at)).collect();
        let training = || readings.iter().take(trained as usize);
        let mut baselines = BaselinePass::new(&Signals::default());
        training().for_each(|it| baselines.push(it));
        let plan = Plan::default().check().unwrap();
        let mut pass = FeaturePass::new(plan, Signals::default(), baselines.finish());
        training().for_each(|it| pass.push(it));
        let model = pass.fit("m-0001".into(), Timestamp::EPOCH, 2).unwrap().0;
        let mut state = DeviceState::new(&model.signals);
        for (at, reading) in readings.iter().enumerate() {
            let verdict = model.step(&mut state, reading);
            if at < trained as usize {
                continue;
            }
            for signal in 0..2 {
                let range = verdict.signals[signal].unwrap().expected.unwrap();
                let value = reading.values.get(signal).unwrap();
                assert!(signal == 0 || range.low >= 0.0, "{range:?}");
                inside += usize::from((range.low..=range.high).contains(&value));
                all += 1;
            }
        }
    }
    let share = f64::from(inside as u32) / f64::from(all);
    assert!(share > least, "{share} after {trained}");
}

#[test]
fn after_half_a_day_the_range_holds_98_of_100_normal_values() {
    check(720, 0.98);
}

#[test]
fn after_a_week_the_range_holds_99_of_100_normal_values() {
    check(10_080, 0.99);
}
