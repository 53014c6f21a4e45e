//! A cold store defrosts again and again: that is no anomaly, and what only resembles it is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;

use detector::{BaselinePass, DeviceState, FeaturePass, Model, Plan};
use domain::{DeviceId, Measurement, Reading, Signals, Timestamp, Values};

const DAY: i64 = 1_440;
const TRAINED: i64 = 4 * DAY;
const DEFROST: i64 = 25;

/// Noise of standard deviation 1, the same on every machine: the sum of twelve even numbers.
fn noise(seed: i64, at: i64) -> f64 {
    let even = |nth: i64| {
        let mixed = (at * 24 + nth + seed * 1_000_003)
            .cast_unsigned()
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..12).map(even).sum::<f64>() - 6.0
}

/// Minute `at` of a store that began to defrost `since` minutes ago, with so much added to its temperature.
fn reading(store: i64, at: i64, since: Option<i64>, added: f64) -> Reading {
    let into = since.filter(|it| (0..DEFROST).contains(it));
    let warmth = into.map_or(0.0, |it| {
        6.0 * (it as f64 / DEFROST as f64 * std::f64::consts::PI).sin()
    });
    let power = if into.is_some() { 5.0 } else { 2.0 };
    let values = [
        -18.0 + warmth + added + 0.3 * noise(store, 2 * at),
        power + 0.1 * noise(store, 2 * at + 1),
    ];
    let value = |it: &f64| Some(Measurement::new(*it, "x").unwrap());
    Reading {
        device_id: device(store),
        timestamp: Timestamp::from_secs(at * 60),
        values: Values::new(values.iter().map(value).collect()),
        location: None,
        device_type: None,
        truth: None,
    }
}

fn device(store: i64) -> DeviceId {
    DeviceId::new(&format!("store-{store}")).unwrap()
}

/// Minutes since the last defrost, of those every six hours.
fn due(store: i64, at: i64) -> Option<i64> {
    Some((at + 97 * store) % 360)
}

/// Minutes since the last defrost, of those at random, four a day.
fn by_chance(store: i64, at: i64) -> Option<i64> {
    (0..DEFROST).find(|it| noise(store + 50, at - it) > 2.77)
}

type Since = fn(i64, i64) -> Option<i64>;

/// What people have said of a reading.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    Usual,
    Fault,
}

/// A model of stores that defrost so, and how it left them, after what people have said of their readings.
fn trained(since: Since, said: impl Fn(i64, i64) -> Option<Word>) -> (Model, HashMap<DeviceId, DeviceState>) {
    trained_by(Plan::default(), since, said)
}

fn trained_by(
    plan: Plan,
    since: Since,
    said: impl Fn(i64, i64) -> Option<Word>,
) -> (Model, HashMap<DeviceId, DeviceState>) {
    let readings =
        || (0..TRAINED).flat_map(|at| (0..4).map(move |store| (store, at, reading(store, at, since(store, at), 0.0))));
    let mut baselines = BaselinePass::new(&Signals::default());
    readings().for_each(|it| baselines.push(&it.2));
    let mut pass = FeaturePass::new(plan.check().unwrap(), Signals::default(), baselines.finish());
    for (store, at, reading) in readings() {
        match said(store, at) {
            None => pass.push(&reading),
            Some(Word::Usual) => pass.push_usual(&reading),
            Some(Word::Fault) => pass.push_fault(&reading),
        }
    }
    pass.fit("m-0001".into(), Timestamp::EPOCH, 2).unwrap()
}

/// How many of the readings of a store, from these minutes after the training, are anomalous.
fn flagged(
    model: &Model,
    state: &mut DeviceState,
    store: i64,
    minutes: std::ops::Range<i64>,
    since: Since,
    added: impl Fn(i64) -> f64,
) -> usize {
    let anomalous = |at: &i64| {
        let reading = reading(store, TRAINED + at, since(store, TRAINED + at), added(*at));
        model.step(state, &reading).is_anomaly
    };
    minutes.filter(anomalous).count()
}

#[test]
fn what_recurs_in_a_rhythm_is_normal_and_half_of_it_is_not() {
    let (model, mut states) = trained(due, |_, _| None);
    let [rhythm] = model.recurring.rhythms[..] else {
        panic!("{:?}", model.recurring.rhythms);
    };
    assert_eq!((rhythm.devices, (rhythm.seconds / 600.0).round()), (4, 36.0));
    let state = states.get_mut(&device(1)).unwrap();
    let on_normal_days = flagged(&model, state, 1, 0..3 * DAY, due, |_| 0.0);
    assert!(on_normal_days < 22, "{on_normal_days} of {}", 3 * DAY);
    // As warm as in a defrost, between two of them, and the heater is off: the door stands open.
    let opened = 3 * DAY + (360 - due(1, TRAINED).unwrap()) + 150;
    flagged(&model, state, 1, 3 * DAY..opened, due, |_| 0.0);
    let told = flagged(&model, state, 1, opened..opened + DEFROST, due, |_| 6.0);
    assert!(told > 20, "{told} of {DEFROST}");
}

#[test]
fn what_recurs_and_does_not_end_is_told() {
    let (model, mut states) = trained(due, |_, _| None);
    let state = states.get_mut(&device(1)).unwrap();
    let begins = 360 - due(1, TRAINED).unwrap();
    flagged(&model, state, 1, 0..begins, due, |_| 0.0);
    let stays: Since = |store, at| Some((due(store, at)? + 12).min(12));
    assert!(flagged(&model, state, 1, begins..begins + DEFROST, stays, |_| 0.0) < 8);
    let told = flagged(&model, state, 1, begins + DEFROST..begins + 150, stays, |_| 0.0);
    assert!(told > 60, "{told}");
}

#[test]
fn what_recurs_is_told_where_it_is_not_to_be_usual() {
    let plan = Plan {
        rhythms_are_usual: false,
        ..Plan::default()
    };
    let (model, mut states) = trained_by(plan, due, |_, _| None);
    let state = states.get_mut(&device(1)).unwrap();
    let told = flagged(&model, state, 1, 0..3 * DAY, due, |_| 0.0);
    assert!(told > 40, "{told}");
}

#[test]
fn what_comes_by_chance_is_not_taken_for_usual() {
    let (model, mut states) = trained(by_chance, |_, _| None);
    assert_eq!(model.recurring.rhythms, []);
    let state = states.get_mut(&device(1)).unwrap();
    let never: Since = |_, _| None;
    flagged(&model, state, 1, 0..300, never, |_| 0.0);
    let now: Since = |_, at| Some(at - TRAINED - 300);
    assert!(flagged(&model, state, 1, 300..325, now, |_| 0.0) > 15);
}

/// How many readings of a defrost are told of a store after such a training.
fn told_of_one(store: i64, (model, states): &(Model, HashMap<DeviceId, DeviceState>)) -> usize {
    let mut state = states[&device(store)].clone();
    let never: Since = |_, _| None;
    flagged(model, &mut state, store, 0..300, never, |_| 0.0);
    let now: Since = |_, at| Some(at - TRAINED - 300);
    flagged(model, &mut state, store, 300..325, now, |_| 0.0)
}

#[test]
fn what_people_call_usual_of_a_device_is_usual_for_that_device() {
    let is_said = |store, at| store == 1 && by_chance(store, at).is_some();
    let after = trained(by_chance, |store, at| is_said(store, at).then_some(Word::Usual));
    let (own, other) = (told_of_one(1, &after), told_of_one(2, &after));
    assert!(own < 4 && other > 15, "{own} {other}");
}

#[test]
fn what_looks_like_a_confirmed_fault_is_told_whatever_else_was_called_usual() {
    let word = |at: i64| if at < TRAINED / 2 { Word::Usual } else { Word::Fault };
    let is_said = |store, at| store == 1 && by_chance(store, at).is_some();
    let after = trained(by_chance, |store, at| is_said(store, at).then(|| word(at)));
    let told = told_of_one(1, &after);
    assert!(told > 15, "{told}");
}

#[test]
fn what_recurs_is_kept_with_the_model() {
    let (model, _) = trained(due, |store, at| {
        (store == 1 && due(store, at) == Some(5)).then_some(if at < TRAINED / 2 { Word::Usual } else { Word::Fault })
    });
    let looks = &model.recurring;
    assert!(!looks.fleet.is_empty() && looks.told.len() == 1 && looks.faults.len() == 1);
    assert_eq!(Model::from_bytes(&model.to_bytes()).unwrap(), model);
}
