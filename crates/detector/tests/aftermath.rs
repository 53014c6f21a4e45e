//! What comes after something odd: a new set point is learned, a signal that falls silent does not make the others odd, one
//! impossible value moves no range, what has ended is told no longer, and what is expected goes on meanwhile.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use detector::{BaselinePass, DeviceState, FeaturePass, Model, Plan};
use domain::{DeviceId, Measurement, Reading, Signals, Timestamp, Values, Verdict};

/// Readings in a day, one every minute.
const DAY: i64 = 1_440;

/// Days of training.
const TRAINED: i64 = 14;

/// Noise of standard deviation 1, the same on every machine: the sum of twelve even numbers.
fn noise(at: i64) -> f64 {
    let even = |nth: u64| {
        let mixed = ((at * 24).cast_unsigned() + nth).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..12).map(even).sum::<f64>() - 6.0
}

/// The values of a room and of its machine.
type Values2 = [Option<f64>; 2];

/// A room and its machine, both with the course of the day.
fn usual(at: i64) -> Values2 {
    let day = (at as f64 / DAY as f64 * std::f64::consts::TAU).sin();
    [
        Some(21.0 + 1.5 * day + 0.25 * noise(2 * at)),
        Some(1.3 + 0.1 * day + 0.08 * noise(2 * at + 1)),
    ]
}

/// The same, where the room wanders slowly and hardly shakes.
fn slow(at: i64) -> Values2 {
    let room = 21.0 + 1.5 * (at as f64 / 67.0).sin() + 1.1 * (at as f64 / 29.3).sin() + 0.02 * noise(2 * at);
    [Some(room), usual(at)[1]]
}

/// An office: its air and its machine go on and off together.
fn office(at: i64) -> Values2 {
    let hour = (at % DAY) as f64 / 60.0;
    let on = |begins: f64| 1.0 / (1.0 + (4.0 * (begins - hour)).exp());
    let on = on(7.0) - on(18.0);
    [
        Some(18.0 + 4.0 * on + 0.25 * noise(2 * at)),
        Some(0.4 + 1.2 * on + 0.08 * noise(2 * at + 1)),
    ]
}

fn reading(at: i64, values: Values2) -> Reading {
    let value = |it: Option<f64>| it.map(|it| Measurement::new(it, "x").unwrap());
    Reading {
        device_id: DeviceId::new("room").unwrap(),
        timestamp: Timestamp::from_secs(at * 60),
        values: Values::new(values.map(value).to_vec()),
        location: None,
        device_type: None,
        truth: None,
    }
}

fn trained(usual: impl Fn(i64) -> Values2) -> Model {
    let training = || (0..TRAINED * DAY).map(|at| reading(at, usual(at)));
    let mut baselines = BaselinePass::new(&Signals::default());
    training().for_each(|it| baselines.push(&it));
    let plan = Plan::default().check().unwrap();
    let mut pass = FeaturePass::new(plan, Signals::default(), baselines.finish());
    training().for_each(|it| pass.push(&it));
    pass.fit("m-0001".into(), Timestamp::EPOCH, 2).unwrap().0
}

/// The verdicts of so many days after a training and a day on which all is well. `what` changes the usual values, the
/// minute counted from the end of that day.
fn verdicts(days: i64, what: impl Fn(i64, Values2) -> Values2) -> Vec<Verdict> {
    verdicts_of(usual, days, what)
}

fn verdicts_of(
    usual: impl Fn(i64) -> Values2 + Copy,
    days: i64,
    what: impl Fn(i64, Values2) -> Values2,
) -> Vec<Verdict> {
    let model = trained(usual);
    let mut state = DeviceState::new(&model.signals);
    let begins = (TRAINED + 1) * DAY;
    let all = (0..begins + days * DAY).map(|at| {
        let values = if at < begins {
            usual(at)
        } else {
            what(at - begins, usual(at))
        };
        model.step(&mut state, &reading(at, values))
    });
    all.collect::<Vec<_>>().split_off(begins as usize)
}

fn flagged(verdicts: &[Verdict]) -> usize {
    verdicts.iter().filter(|it| it.is_anomaly).count()
}

#[test]
fn a_set_point_that_was_changed_for_good_is_usual_after_two_days() {
    // By less than the day's course, which makes it odd at some hours only, and by more.
    for by in [2.0, 4.0] {
        let verdicts = verdicts(7, |_, [room, machine]| [room.map(|it| it + by), machine]);
        assert!(flagged(&verdicts[..60]) > 50, "it is told when it happens");
        let later = flagged(&verdicts[2 * DAY as usize..]);
        assert!(later < 30, "{by}: {later} of five days");
    }
}

#[test]
fn the_way_back_from_a_level_of_days_is_told_for_no_more_than_an_hour() {
    // At another hour of the day than it was left, and after the device has new places.
    for lasted in [DAY + 600, 2 * DAY, 6 * DAY + 600] {
        for by in [4.0, -4.0] {
            let away =
                |at: i64, [room, machine]: Values2| [room.map(|it| it + if at < lasted { by } else { 0.0 }), machine];
            let back = verdicts(10, away).split_off(lasted as usize);
            assert!(flagged(&back[..60]) > 5, "{lasted} {by}: it is told");
            let later = flagged(&back[60..]);
            assert!(later < 10, "{lasted} {by}: {later} of three days and more");
        }
    }
}

#[test]
fn a_signal_that_falls_silent_does_not_make_the_others_odd() {
    let verdicts = verdicts(5, |_, [room, _]| [room, None]);
    let all = flagged(&verdicts);
    assert!(all < 400, "{all} of five days");
    assert_eq!(flagged(&verdicts[3 * DAY as usize..]), 0);
}

#[test]
fn one_impossible_value_moves_the_expected_range_of_no_later_hour() {
    let spike = |at: i64, usual: Values2| match at {
        700 => [Some(80.0), usual[1]],
        _ => usual,
    };
    let (with, without) = (verdicts(3, spike), verdicts(3, |_, usual| usual));
    let middle = |it: &Verdict| {
        let range = it.signals[0].unwrap().expected.unwrap();
        f64::midpoint(range.low, range.high)
    };
    assert!(with[700].is_anomaly);
    for (at, (with, without)) in with.iter().zip(&without).enumerate().skip(701) {
        let moved = (middle(with) - middle(without)).abs();
        assert!(moved < 0.1, "{moved} at {at}");
    }
}

#[test]
fn a_roughness_of_two_steps_is_told_no_longer_than_it_lasts() {
    let lifted = |at: i64, [room, machine]: Values2| match at % 360 {
        0..10 => [room.map(|it| it + 6.0), machine],
        _ => [room, machine],
    };
    let after: usize = verdicts_of(slow, 5, lifted)
        .chunks_exact(360)
        .map(|it| flagged(&it[20..120]))
        .sum();
    assert!(
        after < 400,
        "{after} of 2000 readings from ten minutes after each of twenty events"
    );
}

#[test]
fn restlessness_that_comes_again_is_told_while_it_lasts() {
    let restless = |at: i64, [room, machine]: Values2| match at % 360 {
        0..60 => [room.map(|it| it + 1.5 * noise(at + 7_000_000)), machine],
        _ => [room, machine],
    };
    let verdicts = verdicts(5, restless);
    let (mut told, mut during, mut after) = (0, 0, 0);
    for event in verdicts.chunks_exact(360) {
        told += usize::from(flagged(&event[..60]) >= 6);
        during += flagged(&event[..60]);
        after += flagged(&event[60..120]);
    }
    assert!(
        told == 20 && during > 20 * 15,
        "{told} of twenty events, {during} of their 1200 readings"
    );
    assert!(after < 20 * 8, "{after} of the 1200 readings after them");
}

/// The readings of the twelve hours after something of six hours that began at each quarter of a day: how many are flagged,
/// and how many lie outside what was expected, of those from the second hour on.
fn afterwards(what: impl Fn(Values2) -> Option<Values2>) -> (usize, usize) {
    let model = trained(usual);
    let (mut flagged, mut outside) = (0, 0);
    for quarter in 0..4 {
        let mut state = DeviceState::new(&model.signals);
        let begins = (TRAINED + 1) * DAY + quarter * DAY / 4;
        let ends = begins + DAY / 4;
        for at in 0..ends + DAY / 2 {
            let values = if (begins..ends).contains(&at) {
                what(usual(at))
            } else {
                Some(usual(at))
            };
            let Some(values) = values else { continue };
            let verdict = model.step(&mut state, &reading(at, values));
            if at >= ends + 60 {
                flagged += usize::from(verdict.is_anomaly);
                let expected = verdict.signals[0].as_ref().unwrap().expected.unwrap();
                outside += usize::from(!(expected.low..=expected.high).contains(&values[0].unwrap()));
            }
        }
    }
    (flagged, outside)
}

#[test]
fn while_a_device_is_silent_what_is_expected_of_it_goes_on_with_the_day() {
    let (flagged, outside) = afterwards(|_| None);
    assert!(
        flagged < 10 && outside < 10,
        "{flagged} flagged, {outside} outside, of 2640"
    );
}

#[test]
fn while_a_device_deviates_what_is_expected_of_it_goes_on_with_the_day() {
    let (flagged, outside) = afterwards(|[room, machine]| Some([room.map(|it| it + 12.0), machine]));
    assert!(
        flagged < 10 && outside < 10,
        "{flagged} flagged, {outside} outside, of 2640"
    );
}

#[test]
fn a_value_that_stays_the_same_for_longer_than_ever_is_told_and_is_stuck() {
    let held = |at: i64, [room, machine]: Values2| match at {
        0..60 => [usual((TRAINED + 1) * DAY)[0], machine],
        _ => [room, machine],
    };
    let verdicts = verdicts_of(usual, 1, held);
    assert!(verdicts[20..60].iter().all(|it| it.is_anomaly));
    assert!(
        verdicts[30].reasons[0].text.starts_with("temperature"),
        "{:?}",
        verdicts[30].reasons
    );
    assert_eq!(flagged(&verdicts[70..]), 0);
}

#[test]
fn a_signal_whose_values_come_again_may_keep_one() {
    let in_steps = |at: i64| usual(at).map(|it| it.map(|it| (it / 2.0).round() * 2.0));
    let held = |at: i64, [room, machine]: Values2| match at {
        0..60 => [in_steps((TRAINED + 1) * DAY)[0], machine],
        _ => [room, machine],
    };
    assert_eq!(flagged(&verdicts_of(in_steps, 1, held)[..70]), 0);
}

#[test]
fn while_a_signal_is_missing_what_is_expected_of_it_goes_on_with_the_day() {
    let (flagged, outside) = afterwards(|[_, machine]| Some([None, machine]));
    assert!(
        flagged < 10 && outside < 10,
        "{flagged} flagged, {outside} outside, of 2640"
    );
}

#[test]
fn a_signal_that_was_missing_for_days_fits_the_others_again_when_it_is_back() {
    let silent = |at: i64, [air, machine]: Values2| [air.filter(|_| !(600..600 + 3 * DAY).contains(&at)), machine];
    let flagged = flagged(&verdicts_of(office, 7, silent));
    assert!(flagged < 60, "{flagged} of seven days");
}

#[test]
fn who_comes_to_report_seldom_is_what_it_was() {
    for every in [5, 15] {
        let model = trained(usual);
        let mut state = DeviceState::new(&model.signals);
        let begins = (TRAINED + 1) * DAY;
        let slower = (begins..begins + 7 * DAY).step_by(every);
        let verdicts: Vec<Verdict> = (0..begins)
            .chain(slower)
            .map(|at| model.step(&mut state, &reading(at, usual(at))))
            .collect();
        let (flagged, of) = (flagged(&verdicts[begins as usize..]), verdicts.len() - begins as usize);
        assert!(flagged * 100 < of, "{flagged} of {of}");
    }
}
