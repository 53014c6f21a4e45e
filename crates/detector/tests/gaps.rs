//! Devices that were seen for half a day to two days and a half, were away, and come back: their false alarms keep to the
//! budget as those of the others do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;

use detector::{BaselinePass, DeviceState, FeaturePass, Happening, IncidentRules, Model, Plan, Watch};
use domain::{DeviceId, Measurement, Reading, Signals, Timestamp, Values};

/// Readings in a day, one every minute.
const DAY: i64 = 1_440;

/// Days of training.
const TRAINED: i64 = 3;

/// Devices of which every second was away at the end of the training.
const DEVICES: i64 = 60;

/// Noise of standard deviation 1, the same on every machine: the sum of twelve even numbers.
fn noise(device: i64, at: i64) -> f64 {
    let even = |nth: i64| {
        let mixed = (at * 24 + nth + device * 1_000_003)
            .cast_unsigned()
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..12).map(even).sum::<f64>() - 6.0
}

/// Temperature and vibration that go with the hour.
fn reading(device: i64, at: i64) -> Reading {
    let hour = (at as f64 / DAY as f64 * std::f64::consts::TAU).sin();
    let values = [
        22.0 + 2.0 * hour + 0.3 * noise(device, 2 * at),
        1.5 + 0.2 * hour + 0.1 * noise(device, 2 * at + 1),
    ];
    let value = |it: &f64| Some(Measurement::new(*it, "x").unwrap());
    Reading {
        device_id: DeviceId::new(&format!("pump-{device}")).unwrap(),
        timestamp: Timestamp::from_secs(at * 60),
        values: Values::new(values.iter().map(value).collect()),
        location: None,
        device_type: None,
        truth: None,
    }
}

fn was_away(device: i64) -> bool {
    device % 2 == 1
}

/// The readings before the last day: every second device leaves for a half, one and a half or two and a half days.
fn history() -> Vec<Reading> {
    let leaves = |device: i64| match (was_away(device), device / 2 % 3) {
        (true, nth) => TRAINED * DAY - nth * DAY - DAY / 2,
        (false, _) => TRAINED * DAY,
    };
    let at = |at: i64| {
        (0..DEVICES)
            .filter(move |it| at < leaves(*it))
            .map(move |it| reading(it, at))
    };
    (0..TRAINED * DAY).flat_map(at).collect()
}

fn train(readings: &[Reading]) -> Model {
    let mut baselines = BaselinePass::new(&Signals::default());
    readings.iter().for_each(|it| baselines.push(it));
    let mut pass = FeaturePass::new(Plan::default().check().unwrap(), Signals::default(), baselines.finish());
    readings.iter().for_each(|it| pass.push(it));
    pass.fit("m-0001".into(), Timestamp::EPOCH, 2).unwrap().0
}

/// The incidents of the day after, for each device.
fn opened(model: &Model, history: &[Reading]) -> HashMap<i64, u32> {
    let mut states: HashMap<DeviceId, DeviceState> = HashMap::new();
    for reading in history {
        let state = states.entry(reading.device_id.clone());
        state.or_insert_with(|| DeviceState::new(&model.signals)).push(reading);
    }
    let mut counts = HashMap::new();
    for device in 0..DEVICES {
        let mut watch = Watch::default();
        for at in TRAINED * DAY + 60..(TRAINED + 1) * DAY {
            let reading = reading(device, at);
            let state = states.get_mut(&reading.device_id).unwrap();
            let sign = model.assess(state, &reading).sign.unwrap();
            let (next, happening) = watch.step(&sign, &IncidentRules::default());
            watch = next;
            *counts.entry(device).or_default() += u32::from(matches!(happening, Some(Happening::Opened(_))));
        }
    }
    counts
}

#[test]
fn a_device_that_was_away_keeps_to_the_budget_when_it_is_back() {
    let history = history();
    let counts = opened(&train(&history), &history);
    let of = |group: i64| -> u32 {
        counts
            .iter()
            .filter(|it| it.0 / 2 % 3 == group && was_away(*it.0))
            .map(|it| it.1)
            .sum()
    };
    let others: u32 = counts.iter().filter(|it| !was_away(*it.0)).map(|it| it.1).sum();
    // At one false alarm a week, thirty devices raise 4.3 in a day, and ten 1.4. Half a day has not seen the other half.
    let (days, half_a_day) = (of(0) + of(1), of(2));
    assert!(
        others <= 8 && days <= 6 && half_a_day <= 10,
        "{others} {days} {half_a_day}"
    );
}
