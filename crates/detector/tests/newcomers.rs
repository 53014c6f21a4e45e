//! Devices that no training has seen: what they do over a day is soon known, whatever their fleet does.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use detector::{BaselinePass, DeviceState, FeaturePass, Model, Plan};
use domain::{DeviceId, Measurement, Reading, Signals, Timestamp, Values};

/// Readings in a day, one every minute.
const DAY: i64 = 1_440;

/// Noise of standard deviation 1, the same on every machine: the sum of twelve even numbers.
fn noise(at: i64) -> f64 {
    let even = |nth: u64| {
        let mixed = ((at * 24).cast_unsigned() + nth).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..12).map(even).sum::<f64>() - 6.0
}

/// The reading of a device at so many seconds: a course of the day of so many degrees to either side, and noise.
fn reading(device: i64, seconds: i64, course: f64, off: f64) -> Reading {
    let day = (seconds as f64 / 86_400.0 * std::f64::consts::TAU).sin();
    let seed = device * 1_000_000_007 + 2 * seconds;
    let values = [
        21.0 + course * day + 0.2 * noise(seed) + off,
        1.3 + 0.1 * day * course.signum() + 0.08 * noise(seed + 1),
    ];
    Reading {
        device_id: DeviceId::new(&format!("device-{device}")).unwrap(),
        timestamp: Timestamp::from_secs(seconds),
        values: Values::new(values.map(|it| Some(Measurement::new(it, "x").unwrap())).to_vec()),
        location: None,
        device_type: Some("room".into()),
        truth: None,
    }
}

/// A model of four devices with such a course, seen for ten days, a reading a minute.
fn trained(course: f64) -> Model {
    let training = || (0..10 * DAY).flat_map(move |at| (0..4).map(move |it| reading(it, at * 60, course, 0.0)));
    let mut baselines = BaselinePass::new(&Signals::default());
    training().for_each(|it| baselines.push(&it));
    let plan = Plan::default().check().unwrap();
    let mut pass = FeaturePass::new(plan, Signals::default(), baselines.finish());
    training().for_each(|it| pass.push(&it));
    pass.fit("m-0001".into(), Timestamp::EPOCH, 2).unwrap().0
}

#[test]
fn a_new_device_with_a_strong_course_of_the_day_is_known_within_days() {
    let model = trained(1.0);
    let mut state = DeviceState::new(&model.signals);
    let (mut found, mut falsely) = (0, 0);
    for at in 10 * DAY..20 * DAY {
        let day = at / DAY - 10;
        let is_fault = day >= 4 && (at - day * 217) % DAY < 60;
        let off = if is_fault { 5.0 } else { 0.0 };
        let verdict = model.step(&mut state, &reading(9, at * 60, 4.0, off));
        if is_fault {
            found += usize::from(verdict.is_anomaly);
        } else {
            falsely += usize::from(verdict.is_anomaly);
        }
    }
    assert!(found > 340, "{found} of six hours");
    assert!(falsely < 144, "{falsely} of ten days");
}

#[test]
fn one_absurd_value_does_not_spoil_what_a_new_device_learns() {
    let model = trained(1.0);
    let mut state = DeviceState::new(&model.signals);
    let mut last = None;
    for at in 10 * DAY..10 * DAY + 500 {
        let off = if at == 10 * DAY + 480 { 1e6 } else { 0.0 };
        last = Some(model.step(&mut state, &reading(9, at * 60, 0.0, off)));
        assert!(off == 0.0 || last.as_ref().unwrap().is_anomaly);
    }
    let range = last.unwrap().signals[0].unwrap().expected.unwrap();
    assert!(range.high - range.low < 4.0, "{range:?}");
}

#[test]
fn a_value_that_stays_is_told_of_a_device_that_still_learns() {
    let model = trained(1.0);
    let mut state = DeviceState::new(&model.signals);
    let begins = 10 * DAY + 600;
    let held = reading(9, begins * 60, 0.0, 0.0).values;
    let mut told = 0;
    for at in 10 * DAY..begins + 100 {
        let mut reading = reading(9, at * 60, 0.0, 0.0);
        if at >= begins {
            reading.values = Values::new(vec![
                Some(Measurement::new(held.get(0).unwrap(), "x").unwrap()),
                reading.values.get(1).map(|it| Measurement::new(it, "x").unwrap()),
            ]);
        }
        let verdict = model.step(&mut state, &reading);
        told += usize::from(at >= begins + 20 && verdict.is_anomaly);
    }
    assert!(told > 75, "{told} of 80");
}
