//! Wear over weeks, which an adaptive level goes along with: it is told once as a drift, and weather and seasons are not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use detector::{BaselinePass, DeviceState, FeaturePass, IncidentRules, Model, Plan, Watch};
use domain::{DeviceId, Direction, IncidentKind, Measurement, Reading, Signals, Timestamp, Values};

/// Days of training, of days as always after it, and of wear.
const TRAINED: i64 = 14;
const USUAL: i64 = 14;
const WEARS: i64 = 28;

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

/// A pump outdoors: warmth by the hour, the weather of some days and the season; vibration that grows by a share over
/// the last weeks.
fn stream(seed: i64, minutes: i64, growth: f64) -> impl Iterator<Item = Reading> {
    let days = TRAINED + USUAL + WEARS;
    let mut weather = 0.0;
    (0..days * 1_440 / minutes).map(move |at| {
        let day = (at * minutes) as f64 / 1_440.0;
        let step = minutes as f64 / 1_440.0 / 4.0;
        weather += -weather * step + 2.5 * (2.0 * step).sqrt() * noise(seed, 3 * at);
        let season = 8.0 * (day / 365.0 * std::f64::consts::TAU).sin();
        let hour = 3.0 * (day * std::f64::consts::TAU).sin();
        let worn = growth * ((day - (TRAINED + USUAL) as f64) / WEARS as f64).max(0.0);
        let values = [
            15.0 + season + hour + weather + 0.3 * noise(seed, 3 * at + 1),
            2.0 * (1.0 + worn) * (1.0 + 0.06 * noise(seed, 3 * at + 2)),
        ];
        let value = |it: &f64| Some(Measurement::new(*it, "x").unwrap());
        Reading {
            device_id: DeviceId::new("pump").unwrap(),
            timestamp: Timestamp::from_secs(at * minutes * 60),
            values: Values::new(values.iter().map(value).collect()),
            location: None,
            device_type: None,
            truth: None,
        }
    })
}

fn train(seed: i64, minutes: i64) -> Model {
    let readings: Vec<_> = stream(seed, minutes, 0.0)
        .take((TRAINED * 1_440 / minutes) as usize)
        .collect();
    let mut baselines = BaselinePass::new(&Signals::default());
    readings.iter().for_each(|it| baselines.push(it));
    let mut pass = FeaturePass::new(Plan::default().check().unwrap(), Signals::default(), baselines.finish());
    readings.iter().for_each(|it| pass.push(it));
    pass.fit("m-0001".into(), Timestamp::EPOCH, 2).unwrap().0
}

/// A verdict that tells of wear: its day, the signal, and what it opened, unless the device was odd already.
#[derive(Debug)]
struct Told {
    day: i64,
    signal: String,
    opened: Option<(IncidentKind, Direction)>,
}

fn worn(seed: i64, minutes: i64, growth: f64) -> Vec<Told> {
    let model = train(seed, minutes);
    let (mut state, mut watch) = (DeviceState::new(&model.signals), Watch::default());
    let mut told = Vec::new();
    for reading in stream(seed, minutes, growth) {
        let it = model.assess(&mut state, &reading);
        watch = watch.step(&it.sign.unwrap(), &IncidentRules::default()).0;
        let Some(reason) = it.verdict.reasons.iter().find(|it| it.text.contains("for weeks")) else {
            continue;
        };
        let incident = watch.open().unwrap();
        let is_new = incident.opened == reading.timestamp && incident.readings == 1;
        told.push(Told {
            day: reading.timestamp.seconds_since(Timestamp::EPOCH) as i64 / 86_400,
            signal: reason.signal.to_string(),
            opened: is_new.then(|| (incident.kind(), incident.direction())),
        });
    }
    told
}

#[track_caller]
fn check(minutes: i64) {
    for seed in 0..6 {
        let told = worn(seed, minutes, 0.4);
        let [told] = told.as_slice() else {
            panic!("{seed}: {told:?}");
        };
        assert!(
            (TRAINED + USUAL + 3..TRAINED + USUAL + WEARS).contains(&told.day),
            "{told:?}"
        );
        assert_eq!(told.signal, "vibration");
        if let Some(it) = told.opened {
            assert_eq!(it, (IncidentKind::Drift, Direction::Above));
        }
    }
}

#[test]
fn growth_over_weeks_is_told_once_at_a_reading_a_minute() {
    check(1);
}

#[test]
fn growth_over_weeks_is_told_once_at_a_reading_every_ten_minutes() {
    check(10);
}

#[test]
fn weather_and_seasons_are_no_wear() {
    let told: Vec<_> = (0..40).flat_map(|seed| worn(seed, 10, 0.0)).collect();
    assert!(told.is_empty(), "{told:?}");
}
