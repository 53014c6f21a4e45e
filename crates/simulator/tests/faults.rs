//! Faults that last: each can be seen, is labelled, is told in advance, and ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::time::Duration;

use domain::{Reading, TimeRange, Timestamp};
use simulator::{FaultKind, Fleet, FleetParams, PlannedFault, PlantedFault};

const HOUR: Duration = Duration::from_secs(3_600);

fn start() -> Timestamp {
    Timestamp::parse("2026-03-02T00:00:00Z").unwrap()
}

/// Four devices for a day, a reading every 30 s, nothing wrong.
fn normal() -> FleetParams {
    FleetParams {
        devices: 4,
        interval: Duration::from_secs(30),
        anomaly_rate: 0.0,
        faults_per_device_week: 0.0,
        start: start(),
        end: Some(start().after(24 * HOUR)),
        ..FleetParams::default()
    }
}

/// A fault of this kind on device 2 from 4:00 to 12:00.
fn with(kind: FaultKind) -> FleetParams {
    FleetParams {
        planted: vec![PlantedFault {
            device: 2,
            kind,
            onset: start().after(4 * HOUR),
            duration: 8 * HOUR,
        }],
        ..normal()
    }
}

fn fleet(params: FleetParams) -> Fleet {
    Fleet::new(params.check().unwrap())
}

/// One reading of the sick device: hours since the start, what differs from the healthy twin, and the label.
#[derive(Debug)]
struct Seen {
    hour: f64,
    temperature: f64,
    vibration: f64,
    rise: f64,
    factor: f64,
    label: Option<String>,
}

/// The sick device's readings beside those it would have sent in health. All others must be as in health.
fn course(kind: FaultKind) -> Vec<Seen> {
    let healthy: HashMap<(String, Timestamp), Reading> = fleet(normal())
        .map(|it| ((it.device_id.to_string(), it.timestamp), it))
        .collect();
    let mut seen = Vec::new();
    for reading in fleet(with(kind)) {
        let twin = &healthy[&(reading.device_id.to_string(), reading.timestamp)];
        if reading.device_id.as_str() != "sensor_002" {
            assert_eq!(&reading, twin);
            continue;
        }
        let value = |it: &Reading, signal| it.values.get(signal).unwrap();
        seen.push(Seen {
            hour: reading.timestamp.seconds_since(start()) / 3_600.0,
            temperature: value(&reading, 0),
            vibration: value(&reading, 1),
            rise: value(&reading, 0) - value(twin, 0),
            factor: value(&reading, 1) / value(twin, 1),
            label: reading.truth.unwrap().anomaly_type,
        });
    }
    for it in seen.iter().filter(|it| !(4.0..12.0).contains(&it.hour)) {
        assert_eq!((it.rise, it.factor, it.label.as_deref()), (0.0, 1.0, None), "{it:?}");
    }
    seen
}

fn at(course: &[Seen], hour: f64) -> &Seen {
    course.iter().find(|it| it.hour >= hour).unwrap()
}

/// The hour from which on every reading of the fault is labelled.
fn labelled_from(course: &[Seen], kind: FaultKind) -> f64 {
    let inside = course.iter().filter(|it| (4.0..12.0).contains(&it.hour));
    let unlabelled = inside.clone().take_while(|it| it.label.is_none()).count();
    assert!(inside.clone().flat_map(|it| &it.label).all(|it| it == kind.as_str()));
    inside.skip(unlabelled).map(|it| it.hour).next().unwrap()
}

#[test]
fn a_worn_bearing_shakes_more_and_more_until_it_is_replaced() {
    let course = course(FaultKind::BearingWear);
    let factors: Vec<f64> = [5.0, 7.0, 9.0, 11.9].map(|hour| at(&course, hour).factor).to_vec();
    assert!(factors.is_sorted(), "{factors:?}");
    assert!((2.8..6.3).contains(&factors[3]), "{factors:?}");
    let from = labelled_from(&course, FaultKind::BearingWear);
    assert!((4.5..6.5).contains(&from), "{from}");
    assert!(
        course
            .iter()
            .filter(|it| (from..12.0).contains(&it.hour))
            .all(|it| it.label.is_some())
    );
}

#[test]
fn an_overheating_machine_climbs_saturates_and_cools() {
    let course = course(FaultKind::Overheating);
    let [early, mid, late, cooled] = [4.5, 8.0, 10.0, 11.95].map(|hour| at(&course, hour).rise);
    assert!(early > 2.0 && early < mid, "{early} {mid}");
    assert!((7.5..15.1).contains(&mid), "{mid}");
    assert!((late - mid).abs() < 1.0, "{mid} {late}");
    assert!(cooled < 1.0, "{cooled}");
    assert!(at(&course, 8.0).factor > 1.05);
    let from = labelled_from(&course, FaultKind::Overheating);
    assert!(from < 4.3, "{from}");
}

#[test]
fn a_stuck_sensor_repeats_one_value_and_the_other_signal_goes_on() {
    let course = course(FaultKind::StuckSensor);
    let inside: Vec<&Seen> = course.iter().filter(|it| (4.0..12.0).contains(&it.hour)).collect();
    let distinct = |value: fn(&Seen) -> f64| {
        let mut values: Vec<f64> = inside.iter().map(|it| value(it)).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values.len()
    };
    let mut counts = [distinct(|it| it.temperature), distinct(|it| it.vibration)];
    counts.sort_unstable();
    assert_eq!(counts[0], 1);
    assert!(counts[1] > 200, "{counts:?}");
    assert_eq!(inside[0].label, None, "the first value is a true one");
    assert!(inside[1..].iter().all(|it| it.label.as_deref() == Some("stuck_sensor")));
}

#[test]
fn a_sensor_sticks_at_the_first_value_after_the_onset_wherever_in_the_interval_that_lies() {
    for second in 0..30 {
        let mut params = with(FaultKind::StuckSensor);
        params.planted[0].onset = start().after(Duration::from_secs(3_600 + second));
        let onset = params.planted[0].onset;
        let first_of = |params| -> Reading {
            let sick = |it: &Reading| it.device_id.as_str() == "sensor_002" && it.timestamp >= onset;
            fleet(params).find(sick).unwrap()
        };
        assert_eq!(first_of(params), first_of(normal()), "onset at second {second}");
    }
}

#[test]
fn a_drifting_sensor_leaves_the_truth_slowly_and_is_set_right() {
    let course = course(FaultKind::Drift);
    let errors: Vec<f64> = [5.0, 7.0, 9.0, 11.9].map(|hour| at(&course, hour).rise.abs()).to_vec();
    assert!(errors.is_sorted(), "{errors:?}");
    assert!((5.8..12.1).contains(&errors[3]), "{errors:?}");
    assert!(
        (at(&course, 9.0).factor - 1.0).abs() < 1e-9,
        "the machine itself is well"
    );
    let from = labelled_from(&course, FaultKind::Drift);
    assert!((4.1..5.5).contains(&from), "{from}");
}

#[test]
fn a_silent_device_sends_nothing_and_comes_back() {
    let course = course(FaultKind::Silence);
    assert!(course.iter().all(|it| !(4.0..12.0).contains(&it.hour)));
    assert_eq!(course.len(), (24 - 8) * 120);
}

#[test]
fn faults_of_chance_are_as_frequent_as_asked_for_and_of_every_kind() {
    let weeks = 20;
    let fleet = fleet(FleetParams {
        devices: 50,
        faults_per_device_week: 1.0,
        end: None,
        ..normal()
    });
    let range = TimeRange {
        start: start(),
        end: start().after(24 * 7 * weeks * HOUR),
    };
    let faults = fleet.faults(range);
    assert!((900..1_100).contains(&faults.len()), "{}", faults.len());
    for kind in FaultKind::ALL {
        let n = faults.iter().filter(|it| it.kind == kind).count();
        assert!((150..250).contains(&n), "{kind:?}: {n}");
    }
    assert!(faults.is_sorted_by_key(|it| it.onset));
}

#[test]
fn two_days_of_the_default_fleet_show_a_few_faults() {
    let fleet = fleet(FleetParams::default());
    let range = TimeRange {
        start: FleetParams::default().start,
        end: FleetParams::default().start.after(48 * HOUR),
    };
    let faults = fleet.faults(range);
    assert!((5..30).contains(&faults.len()), "{faults:?}");
}

#[test]
fn labels_are_those_of_the_faults_that_are_told() {
    let params = FleetParams {
        devices: 30,
        faults_per_device_week: 7.0,
        ..normal()
    };
    let told = fleet(params.clone()).faults(TimeRange::ALL);
    let mut labelled = vec![0; told.len()];
    let mut heard = vec![0; told.len()];
    for reading in fleet(params) {
        let in_force = |it: &&PlannedFault| {
            it.device_id == reading.device_id && it.onset <= reading.timestamp && reading.timestamp < it.end
        };
        let fault = told.iter().position(|it| in_force(&it));
        let kind = reading.truth.as_ref().unwrap().anomaly_type.as_deref();
        match (fault, kind) {
            (Some(fault), Some(kind)) => {
                assert_eq!(kind, told[fault].kind.as_str());
                labelled[fault] += 1;
            }
            (None, Some(kind)) => panic!("{kind} outside of every fault: {reading:?}"),
            _ => {}
        }
        if let Some(fault) = fault {
            heard[fault] += 1;
        }
    }
    let whole = |it: &PlannedFault| it.onset >= start() && it.end <= start().after(24 * HOUR);
    for (fault, it) in told.iter().enumerate().filter(|(_, it)| whole(it)) {
        let silent = it.kind == FaultKind::Silence;
        assert_eq!(heard[fault] == 0, silent, "{it:?}");
        assert_eq!(labelled[fault] * 2 > heard[fault], !silent, "{it:?}");
    }
    assert!(told.iter().any(|it| it.kind == FaultKind::Silence && whole(it)));
}

#[test]
fn a_planted_fault_is_told_and_pushes_chance_aside() {
    let params = FleetParams {
        faults_per_device_week: 14.0,
        ..with(FaultKind::Drift)
    };
    let told = fleet(params).faults(TimeRange::ALL);
    let (onset, end) = (start().after(4 * HOUR), start().after(12 * HOUR));
    let meeting: Vec<&PlannedFault> = told
        .iter()
        .filter(|it| it.device_id.as_str() == "sensor_002" && it.onset < end && onset < it.end)
        .collect();
    assert_eq!(meeting.len(), 1, "{meeting:?}");
    assert_eq!(
        (meeting[0].kind, meeting[0].signal, meeting[0].onset, meeting[0].end),
        (FaultKind::Drift, Some("temperature"), onset, end)
    );
    assert!(told.len() > 4, "chance goes on elsewhere: {told:?}");
}

#[test]
fn the_name_of_a_kind_leads_back_to_it() {
    for kind in FaultKind::ALL {
        assert_eq!(FaultKind::from_name(kind.as_str()), Some(kind));
    }
    assert_eq!(FaultKind::from_name("gremlins"), None);
}
