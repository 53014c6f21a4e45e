//! One stream of readings through a model: what is asked is what is served, what is stored goes on bit for bit.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use detector::{
    BaselinePass, DeviceState, FeaturePass, Happening, IncidentRules, Kind, Model, Pace, Plan, Tempo, Unit, Watch,
};
use domain::{DeviceId, Location, Measurement, Reading, Signal, Signals, Timestamp, Values};
use proptest::prelude::*;
use simulator::{Fleet, FleetParams};

const DAY: Duration = Duration::from_secs(86_400);

fn simulated(devices: u32, days: u32) -> Vec<Reading> {
    simulated_each(devices, days, Duration::from_secs(60))
}

fn simulated_each(devices: u32, days: u32, interval: Duration) -> Vec<Reading> {
    let params = FleetParams {
        devices,
        interval,
        anomaly_rate: 0.02,
        faults_per_device_week: 0.0,
        end: Some(FleetParams::default().start.after(DAY * days)),
        ..FleetParams::default()
    };
    Fleet::new(params.check().unwrap()).collect()
}

fn pass(readings: &[Reading], plan: Plan) -> FeaturePass {
    let mut baselines = BaselinePass::new(&Signals::default());
    readings.iter().for_each(|it| baselines.push(it));
    FeaturePass::new(plan.check().unwrap(), Signals::default(), baselines.finish())
}

fn model(readings: &[Reading], kind: Kind) -> Model {
    let plan = Plan {
        kind,
        ..Plan::default()
    };
    model_of(readings, plan)
}

fn model_of(readings: &[Reading], plan: Plan) -> Model {
    let mut pass = pass(readings, plan);
    readings.iter().for_each(|it| pass.push(it));
    pass.fit("m-0001".into(), Timestamp::from_secs(1_750_000_000), 2)
        .unwrap()
        .0
}

fn reading(device: &str, at: i64, values: &[Option<f64>]) -> Reading {
    let value = |it: &Option<f64>| it.map(|it| Measurement::new(it, "x").unwrap());
    Reading {
        device_id: DeviceId::new(device).unwrap(),
        timestamp: Timestamp::from_secs(at),
        values: Values::new(values.iter().map(value).collect()),
        location: None,
        device_type: None,
        truth: None,
    }
}

/// Noise that is the same on every machine, in about ±1.
fn noise(at: i64) -> f64 {
    let mixed = (at.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// A stream as it comes in: every seventh reading again, every eleventh late, every fifth without vibration, every
/// thirteenth without temperature.
fn as_it_comes(readings: &[Reading]) -> Vec<Reading> {
    let mut stream: Vec<Reading> = Vec::new();
    for (at, it) in readings.iter().enumerate() {
        let lacks = |signal: usize| if signal == 1 { at % 5 == 4 } else { at % 13 == 12 };
        let mut values: Vec<_> = it
            .values
            .iter()
            .enumerate()
            .map(|(at, it)| it.filter(|_| !lacks(at)))
            .collect();
        if values.iter().all(Option::is_none) {
            values[0] = Some(1.0);
        }
        let late = if at % 11 == 10 { -605 } else { 0 };
        let seconds = it.timestamp.as_micros() / 1_000_000 + late;
        let it = reading(it.device_id.as_str(), seconds, &values);
        stream.extend(std::iter::repeat_n(it, if at % 7 == 6 { 2 } else { 1 }));
    }
    stream
}

#[track_caller]
fn same_on_every_path(kind: Kind) {
    let readings = simulated(3, 2);
    let model = model(&readings[..readings.len() / 2], kind);
    let again = Model::from_bytes(&model.to_bytes()).unwrap();
    let (mut states, mut restarted) = (HashMap::new(), HashMap::new());
    let mut late = 0;
    for (at, reading) in as_it_comes(&readings).iter().enumerate() {
        let fresh = || DeviceState::new(&model.signals);
        let state = states.entry(reading.device_id.clone()).or_insert_with(fresh);
        let other = restarted.entry(reading.device_id.clone()).or_insert_with(fresh);
        let is_taken = state.accepts(reading.timestamp);
        late += u32::from(!is_taken);
        let (asked, before) = (model.judge(Some(state), reading), state.clone());
        let verdict = model.step(state, reading);
        assert_eq!(asked, verdict, "{kind:?} asked at {at}");
        assert!(is_taken || before == *state, "{kind:?} taken at {at}");
        if at % 37 == 0 {
            *other = DeviceState::from_bytes(&other.to_bytes(&model.signals), &model.signals).unwrap();
        }
        assert_eq!(again.step(other, reading), verdict, "{kind:?} restarted before {at}");
        let worst = verdict
            .signals
            .iter()
            .flatten()
            .map(|it| it.score)
            .fold(f64::INFINITY, f64::min);
        assert_eq!(
            worst.to_bits(),
            verdict.score.to_bits(),
            "{kind:?} whole and parts at {at}"
        );
    }
    assert!(late > 500, "{late}");
    for (device, state) in &states {
        assert!(
            state.to_bytes(&model.signals) == restarted[device].to_bytes(&model.signals),
            "{device}"
        );
    }
}

#[test]
fn one_reading_gets_one_verdict_whatever_the_path_to_it() {
    for kind in [Kind::Hybrid, Kind::Statistical, Kind::IsolationForest] {
        same_on_every_path(kind);
    }
}

#[test]
fn a_new_device_is_judged_by_its_fleet_from_the_first_reading() {
    let readings = simulated(5, 1);
    let model = model(&readings, Kind::Hybrid);
    let usual = readings[readings.len() / 2].values.iter().collect::<Vec<_>>();
    let normal = model.judge(None, &reading("new", 1_755_000_000, &usual));
    assert!(
        !normal.is_anomaly && normal.signals.iter().all(Option::is_some),
        "{normal:?}"
    );
    let odd = model.judge(None, &reading("new", 1_755_000_000, &[usual[0], Some(60.0)]));
    assert!(odd.is_anomaly && odd.reasons[0].signal == "vibration", "{odd:?}");
}

#[test]
fn what_came_before_the_first_model_counts_as_if_it_had_been_trained_on() {
    let readings = simulated(3, 3);
    let (before, after) = readings.split_at(readings.len() * 2 / 3);
    let mut pass = pass(before, Plan::default());
    before.iter().for_each(|it| pass.push(it));
    let (model, mut trained) = pass.fit("m-0001".into(), Timestamp::EPOCH, 2).unwrap();
    let mut live: HashMap<DeviceId, DeviceState> = HashMap::new();
    for it in before {
        let fresh = || DeviceState::new(&Signals::default());
        live.entry(it.device_id.clone()).or_insert_with(fresh).push(it);
    }
    for it in after {
        let of = |states: &mut HashMap<DeviceId, DeviceState>| {
            model.assess(states.get_mut(&it.device_id).unwrap(), it).verdict
        };
        assert_eq!(of(&mut live), of(&mut trained), "{it:?}");
    }
}

#[test]
fn a_new_device_sees_a_whole_day_before_it_is_held_to_what_it_did() {
    let readings = simulated_each(6, 3, Duration::from_secs(15));
    let is_new = |it: &Reading| it.device_id.as_str().ends_with('6');
    let known: Vec<Reading> = readings.iter().filter(|it| !is_new(it)).cloned().collect();
    let model = model(&known, Kind::Hybrid);
    let mut state = DeviceState::new(&Signals::default());
    let (mut false_flags, mut count) = (0, 0);
    for it in readings.iter().filter(|it| is_new(it)) {
        let is_odd = it.truth.as_ref().is_some_and(|it| it.is_anomaly);
        count += 1;
        false_flags += u32::from(model.assess(&mut state, it).verdict.is_anomaly && !is_odd);
    }
    assert!(count > 17_000 && false_flags * 200 < count, "{false_flags} of {count}");
}

#[test]
fn a_new_device_is_held_against_those_of_its_type() {
    let typed = |device: &str, name: &str, at: i64, vibration: f64| Reading {
        device_type: Some(name.into()),
        ..reading(device, at, &[Some(20.0 + noise(at)), Some(vibration)])
    };
    let mut readings = Vec::new();
    for at in 0..3_000 {
        readings.push(typed("fan-1", "fan", at * 10, 0.5 + 0.05 * noise(at * 3)));
        readings.push(typed("press-1", "press", at * 10, 6.0 + 0.5 * noise(at * 5)));
    }
    let model = model(&readings, Kind::Hybrid);
    let of = |name: &str| model.judge(None, &typed("new", name, 40_000, 6.1)).is_anomaly;
    assert_eq!((of("fan"), of("press"), of("crane")), (true, false, false));
}

#[test]
fn a_new_device_is_held_against_those_of_its_type_in_its_building() {
    let placed = |device: &str, building: &str, at: i64, vibration: f64| Reading {
        device_type: Some("pump".into()),
        location: Some(Arc::new(Location {
            building: Some(building.to_owned()),
            ..Location::default()
        })),
        ..reading(device, at, &[Some(20.0 + noise(at)), Some(vibration)])
    };
    let mut readings = Vec::new();
    for at in 0..3_000 {
        for pump in 1..=3 {
            let noise = noise(at * 5 + pump);
            readings.push(placed(&format!("quiet-{pump}"), "Archive", at * 10, 0.5 + 0.05 * noise));
            readings.push(placed(&format!("loud-{pump}"), "Foundry", at * 10, 6.0 + 0.5 * noise));
        }
        readings.push(placed("alone", "Shed", at * 10, 3.0 + 0.1 * noise(at)));
    }
    let model = model(&readings, Kind::Hybrid);
    let of = |building: &str, vibration| {
        model
            .judge(None, &placed("new", building, 40_000, vibration))
            .is_anomaly
    };
    assert_eq!((of("Archive", 6.1), of("Foundry", 6.1)), (true, false));
    // One pump is no measure for another, and a building that nobody knows has no pumps of its own.
    assert_eq!((of("Shed", 6.1), of("Office", 6.1)), (false, false));
}

/// A signal around 20, and one around 1 that also steps where told.
fn steady(at: i64, step: f64) -> Reading {
    reading(
        "a",
        at * 10,
        &[Some(20.0 + 0.3 * noise(at)), Some(1.0 + 0.1 * noise(-at) + step)],
    )
}

#[test]
fn a_device_that_returns_after_days_as_it_was_is_no_incident() {
    let model = model(&(0..8_640).map(|at| steady(at, 0.0)).collect::<Vec<_>>(), Kind::Hybrid);
    let mut state = DeviceState::new(&model.signals);
    (0..8_640).for_each(|at| {
        model.step(&mut state, &steady(at, 0.0));
    });
    let (mut watch, mut opened) = (Watch::default(), 0);
    for at in (5 * 8_640..6 * 8_640).map(|at| steady(at, 0.0)) {
        let sign = model.assess(&mut state, &at).sign.unwrap();
        let (next, happening) = watch.step(&sign, &IncidentRules::default());
        watch = next;
        opened += u32::from(matches!(happening, Some(Happening::Opened(_))));
    }
    assert_eq!(opened, 0);
}

#[test]
fn a_new_regime_is_told_once_and_then_taken_for_usual() {
    let model = model(&(0..8_640).map(|at| steady(at, 0.0)).collect::<Vec<_>>(), Kind::Hybrid);
    let mut state = DeviceState::new(&model.signals);
    let (mut watch, mut told) = (Watch::default(), Vec::new());
    for at in 0..4 * 8_640 {
        let step = if at >= 2 * 8_640 { 1.0 } else { 0.0 };
        let sign = model.assess(&mut state, &steady(at, step)).sign.unwrap();
        let (next, happening) = watch.step(&sign, &IncidentRules::default());
        watch = next;
        told.extend(happening);
    }
    let stepped = Timestamp::from_secs(2 * 86_400);
    let after = |it: &&Happening| matches!(it, Happening::Opened(it) if it.opened >= stepped);
    let opened = told.iter().filter(after).count();
    assert!(opened == 1 && watch.open().is_none(), "{told:?}");
}

#[test]
fn what_comes_during_maintenance_is_judged_and_not_learned() {
    let model = model(&(0..8_640).map(|at| steady(at, 0.0)).collect::<Vec<_>>(), Kind::Hybrid);
    let mut state = DeviceState::new(&model.signals);
    (0..8_640).for_each(|at| {
        model.step(&mut state, &steady(at, 0.0));
    });
    let before = state.clone();
    let odd = (8_640..9_000)
        .filter(|at| model.peek(Some(&state), &steady(*at, 5.0)).verdict.is_anomaly)
        .count();
    assert!(odd == 360 && before == state, "{odd}");
}

#[test]
fn the_state_is_small_at_any_number_of_signals() {
    let size = |n_signals: usize| {
        let signals = (0..n_signals).map(|it| Signal::new(&format!("s{it}"), "1")).collect();
        let signals = Signals::new(signals).unwrap();
        let mut state = DeviceState::new(&signals);
        for at in 0..600 {
            let values: Vec<_> = (0..n_signals).map(|it| Some(noise(at * 64 + it as i64))).collect();
            state.push(&reading("a", at * 10, &values));
        }
        state.to_bytes(&signals).len()
    };
    let two = size(2);
    assert!(two <= 2_048, "{two}");
    for n_signals in [3, 8, 17, 64] {
        let more = (size(n_signals) - two) / (n_signals - 2);
        assert!(more <= 1_024, "{more} a further signal of {n_signals}");
    }
}

/// A stream that steps up, thinned to the readings that `keeps` keeps: how many seconds until the smoothed deviation
/// is four times what is usual.
fn delay(keeps: impl Fn(i64) -> bool) -> i64 {
    const STEP: i64 = 39_000;
    let pace = Pace::new(Tempo {
        unit: Unit::Seconds(10.0),
        ..Tempo::default()
    });
    let mut state = DeviceState::new(&Signals::default());
    for at in (0..STEP + 1_000).filter(|it| keeps(*it)) {
        state.learn_until(if at < 20_000 { u64::MAX } else { 1 });
        let step = if at >= STEP { 1.5 } else { 0.0 };
        let it = state.step(
            &reading("a", at * 10, &[Some(20.0 + noise(at) + step), Some(1.0 + noise(-at))]),
            &pace,
        );
        if at >= STEP && it.banks[1] > 4.0 {
            return (at - STEP) * 10;
        }
    }
    i64::MAX
}

#[test]
fn thinned_copies_of_a_stream_are_judged_in_the_same_time() {
    let whole = delay(|_| true);
    assert!((10..300).contains(&whole), "{whole}");
    for (name, thinned) in [
        ("half", delay(|it| it % 2 == 0)),
        ("at random", delay(|it| noise(it * 7) > 0.0)),
    ] {
        assert!((whole / 3..=whole * 3).contains(&thinned), "{name} {whole} {thinned}");
    }
}

#[test]
fn a_unit_shorter_than_the_interval_raises_no_more_false_alarms() {
    let params = FleetParams {
        devices: 6,
        interval: Duration::from_secs(600),
        anomaly_rate: 0.0,
        faults_per_device_week: 0.0,
        end: Some(FleetParams::default().start.after(DAY * 28)),
        ..FleetParams::default()
    };
    let readings: Vec<Reading> = Fleet::new(params.check().unwrap()).collect();
    let (training, _) = readings.split_at(readings.len() / 2);
    let plan = Plan {
        tempo: Tempo {
            unit: Unit::Seconds(10.0),
            ..Tempo::default()
        },
        ..Plan::default()
    };
    let model = model_of(training, plan);
    let mut devices = HashMap::new();
    let mut opened = 0;
    for (at, reading) in readings.iter().enumerate() {
        let fresh = || (DeviceState::new(&model.signals), Watch::default());
        let (state, watch) = devices.entry(reading.device_id.clone()).or_insert_with(fresh);
        let sign = model.assess(state, reading).sign.unwrap();
        let (next, happening) = watch.step(&sign, &IncidentRules::default());
        *watch = next;
        opened += u32::from(at >= training.len() && matches!(happening, Some(Happening::Opened(_))));
    }
    assert!(
        opened <= 24,
        "{opened} in twelve weeks of a device, where the budget is twelve"
    );
}

#[test]
fn a_machine_that_mostly_rests_does_not_blind_the_heads() {
    let mut state = DeviceState::new(&Signals::default());
    let runs = |at: i64| at % 1_440 > 960;
    let mut largest = [0.0_f64; 2];
    for at in 0..8 * 1_440 {
        let is_faulty = at > 7 * 1_440 + 1_100;
        state.learn_until(if at < 7 * 1_440 { u64::MAX } else { 1 });
        let speed = if runs(at) { 1.0 } else { 0.0 };
        let heat = 20.0 + 10.0 * speed + 0.1 * noise(at) + if is_faulty { 5.0 } else { 0.0 };
        let it = state.step(&reading("fan", at * 60, &[Some(speed), Some(heat)]), &Pace::default());
        if at > 3 * 1_440 {
            largest[usize::from(is_faulty)] = largest[usize::from(is_faulty)].max(it.place);
        }
    }
    assert!(largest[1] > largest[0] + 0.2, "{largest:?}");
}

proptest! {
    #[test]
    fn late_and_missing_values_are_taken_as_they_come(steps in proptest::collection::vec((0..3_000_i64, proptest::option::of(-50.0..50.0_f64), proptest::option::of(0.0..5.0_f64)), 1..300)) {
        let signals = Signals::default();
        let (mut with, mut without, mut newest) = (DeviceState::new(&signals), DeviceState::new(&signals), i64::MIN);
        for (at, temperature, vibration) in steps {
            let it = reading("a", at, &[temperature, vibration]);
            with.push(&it);
            if at > newest {
                newest = at;
                without.push(&it);
            }
            let evidence = without.clone().step(&reading("a", newest + 1, &[temperature, vibration]), &Pace::default());
            prop_assert!(evidence.banks.iter().all(|it| it.is_finite()) && evidence.place.is_finite());
        }
        prop_assert_eq!(&with, &without);
        prop_assert_eq!(&DeviceState::from_bytes(&with.to_bytes(&signals), &signals).unwrap(), &with);
    }
}
