//! A device that stays at another level for days and comes back: two changes, told once each.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use detector::{BaselinePass, DeviceState, FeaturePass, Happening, IncidentRules, Kind, Model, Plan, Watch};
use domain::{DeviceId, IncidentKind, Measurement, Reading, Signals, Timestamp, Values};

/// Readings in a day, one every minute.
const DAY: i64 = 1_440;

/// Noise that is the same on every machine, in about ±1.
fn noise(at: i64) -> f64 {
    let mixed = (at.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// A machine in a hall: warmer by day, steady vibration that steps up where told.
fn reading(at: i64, step: f64) -> Reading {
    let hour = at as f64 / DAY as f64 * std::f64::consts::TAU;
    let values = [20.0 + 1.5 * hour.sin() + 0.3 * noise(at), 1.0 + 0.1 * noise(-at) + step];
    Reading {
        device_id: DeviceId::new("a").unwrap(),
        timestamp: Timestamp::from_secs(at * 60),
        values: Values::new(
            values
                .iter()
                .map(|it| Some(Measurement::new(*it, "x").unwrap()))
                .collect(),
        ),
        location: None,
        device_type: None,
        truth: None,
    }
}

fn train(kind: Kind, days: i64) -> Model {
    let readings: Vec<_> = (0..days * DAY).map(|at| reading(at, 0.0)).collect();
    let plan = Plan {
        kind,
        ..Plan::default()
    };
    let mut baselines = BaselinePass::new(&Signals::default());
    readings.iter().for_each(|it| baselines.push(it));
    let mut pass = FeaturePass::new(plan.check().unwrap(), Signals::default(), baselines.finish());
    readings.iter().for_each(|it| pass.push(it));
    pass.fit("m-0001".into(), Timestamp::EPOCH, 2).unwrap().0
}

/// Flagged readings in each stretch of a stream, and the incidents that opened in it.
fn told(model: &Model, stretches: &[(i64, f64)]) -> Vec<(usize, usize)> {
    let (mut state, mut watch) = (DeviceState::new(&model.signals), Watch::default());
    let (mut from, mut counts) = (0, Vec::new());
    for (hours, step) in stretches {
        let (mut flagged, mut opened) = (0, 0);
        for at in from..from + hours * 60 {
            let sign = model.assess(&mut state, &reading(at, *step)).sign.unwrap();
            let (next, happening) = watch.step(&sign, &IncidentRules::default());
            watch = next;
            flagged += usize::from(sign.is_anomaly);
            opened += usize::from(matches!(happening, Some(Happening::Opened(_))));
        }
        from += hours * 60;
        counts.push((flagged, opened));
    }
    counts
}

#[track_caller]
fn check(kind: Kind, step: f64) {
    let stretches = [(384, 0.0), (72, step), (12, 0.0), (60, 0.0), (72, step), (12, 0.0)];
    let counts = told(&train(kind, 14), &stretches);
    let fault = [counts[1], counts[4]];
    let back = [counts[2], counts[5]];
    assert!(
        fault.iter().all(|it| it.0 > 600 && it.1 >= 1),
        "{kind:?} {step} {counts:?}"
    );
    assert!(
        back.iter().all(|it| it.0 <= 60 && it.1 <= 2),
        "{kind:?} {step} {counts:?}"
    );
}

#[test]
fn a_return_to_the_level_before_a_long_fault_is_one_short_change() {
    for kind in [Kind::Statistical, Kind::Hybrid] {
        check(kind, 1.0);
        check(kind, 0.4);
    }
}

/// Three days, then a reading that lies so far off, and two hours: the readings flagged, and what was told.
#[track_caller]
fn check_alone(model: &Model, off: f64, kind: IncidentKind) {
    let (mut state, mut watch) = (DeviceState::new(&model.signals), Watch::default());
    let (mut flagged, mut closed) = (0, Vec::new());
    for at in 0..3 * DAY + 120 {
        let odd = at == 3 * DAY;
        let mut it = reading(at, 0.0);
        if odd {
            let values = [20.0 + off, 1.0].map(|it| Some(Measurement::new(it, "x").unwrap()));
            it.values = Values::new(values.to_vec());
        }
        let sign = model.assess(&mut state, &it).sign.unwrap();
        let (next, happening) = watch.step(&sign, &IncidentRules::default());
        watch = next;
        if at >= 3 * DAY {
            flagged += u32::from(sign.is_anomaly);
            closed.extend(happening.and_then(|it| match it {
                Happening::Closed(it) => Some((it.readings, it.kind())),
                Happening::Opened(_) => None,
            }));
        }
    }
    assert_eq!((flagged, closed), (1, vec![(1, kind)]), "{off}");
}

#[test]
fn a_single_odd_reading_is_a_spike_or_a_drop_and_what_follows_is_usual() {
    let model = train(Kind::Hybrid, 3);
    check_alone(&model, 15.0, IncidentKind::Spike);
    check_alone(&model, -15.0, IncidentKind::Drop);
}

#[test]
fn an_hour_at_another_level_is_told_after_three_days_of_learning() {
    let model = train(Kind::Hybrid, 3);
    let mut state = DeviceState::new(&model.signals);
    let mut flagged = 0;
    for at in 0..3 * DAY + 180 {
        let warmer = if (3 * DAY + 60..3 * DAY + 120).contains(&at) {
            4.0
        } else {
            0.0
        };
        let mut it = reading(at, 0.0);
        let temperature = it.values.get(0).unwrap() + warmer;
        let values = [temperature, it.values.get(1).unwrap()].map(|it| Some(Measurement::new(it, "x").unwrap()));
        it.values = Values::new(values.to_vec());
        flagged += u32::from(model.assess(&mut state, &it).verdict.is_anomaly && warmer > 0.0);
    }
    assert!(flagged > 30, "{flagged} of 60");
}
