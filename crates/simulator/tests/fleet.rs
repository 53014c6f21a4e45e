//! A fleet as its users see it: order, time, determinism, bounds, and anomalies of single readings.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::time::Duration;

use domain::{Reading, Signals, TimeRange, Timestamp, wire};
use proptest::prelude::*;
use simulator::{AnomalyKind, FaultKind, Fleet, FleetParams, ParamsError, PlantedFault};

const HOUR: Duration = Duration::from_secs(3_600);

fn start() -> Timestamp {
    Timestamp::parse("2026-03-02T00:00:00Z").unwrap()
}

/// Ten devices for two days, one reading a minute, nothing wrong.
fn normal() -> FleetParams {
    FleetParams {
        devices: 10,
        interval: Duration::from_secs(60),
        anomaly_rate: 0.0,
        faults_per_device_week: 0.0,
        start: start(),
        end: Some(start().after(48 * HOUR)),
        ..FleetParams::default()
    }
}

fn fleet(params: FleetParams) -> Fleet {
    Fleet::new(params.check().unwrap())
}

fn kind_of(reading: &Reading) -> Option<&str> {
    reading.truth.as_ref().unwrap().anomaly_type.as_deref()
}

fn temperature(reading: &Reading) -> f64 {
    reading.values.get(0).unwrap()
}

fn vibration(reading: &Reading) -> f64 {
    reading.values.get(1).unwrap()
}

fn of_device<'a>(readings: &'a [Reading], id: &str) -> Vec<&'a Reading> {
    readings.iter().filter(|it| it.device_id.as_str() == id).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let bytes = |seed| -> Vec<u8> {
        let readings = fleet(FleetParams {
            seed,
            ..FleetParams::default()
        });
        readings
            .take(5_000)
            .flat_map(|it| wire::encode(&it, &Signals::default()))
            .collect()
    };
    assert_eq!(bytes(42), bytes(42));
    assert_ne!(bytes(42), bytes(43));
}

#[test]
fn adding_devices_does_not_change_those_that_were_there() {
    let few: Vec<Reading> = fleet(normal()).collect();
    let many = fleet(FleetParams {
        devices: 17,
        ..normal()
    });
    let same: Vec<Reading> = many
        .filter(|it| few[..10].iter().any(|old| old.device_id == it.device_id))
        .collect();
    assert_eq!(few, same);
}

#[test]
fn values_stand_where_the_default_signals_say() {
    assert_eq!(Signals::default().position("temperature"), Some(0));
    assert_eq!(Signals::default().position("vibration"), Some(1));
    assert!(fleet(normal()).all(|it| it.values.len() == 2));
}

#[test]
fn readings_come_in_order_of_time_and_each_device_only_moves_on() {
    for (devices, interval) in [(50, 10_000), (3_000, 1_000), (7, 1), (1, 86_400_000)] {
        let params = FleetParams {
            devices,
            interval: Duration::from_millis(interval),
            faults_per_device_week: 0.0,
            ..FleetParams::default()
        };
        let mut last = Timestamp::MIN;
        let mut of_device = HashMap::new();
        for reading in fleet(params).take(20_000) {
            assert!(reading.timestamp >= last, "{} after {last}", reading.timestamp);
            assert_eq!(reading.timestamp.as_micros() % 1_000, 0);
            last = reading.timestamp;
            if let Some(before) = of_device.insert(reading.device_id.clone(), last) {
                assert!(before < last, "{} twice at {last}", reading.device_id);
            }
        }
        assert_eq!(of_device.len(), devices as usize);
    }
}

#[test]
fn readings_are_spread_over_the_interval() {
    let per_second = fleet(FleetParams::default()).take(50).fold([0; 10], |mut counts, it| {
        counts[(it.timestamp.as_secs() % 10) as usize] += 1;
        counts
    });
    assert!(per_second.iter().all(|it| (3..=7).contains(it)), "{per_second:?}");
}

#[test]
fn nothing_is_sent_before_the_start_or_from_the_end_on() {
    let readings: Vec<Reading> = fleet(normal()).collect();
    let range = TimeRange {
        start: start(),
        end: start().after(48 * HOUR),
    };
    assert!(readings.iter().all(|it| range.contains(it.timestamp)));
    assert_eq!(readings.len(), 10 * 48 * 60);
}

#[test]
fn a_normal_fleet_stays_within_what_its_machines_do() {
    for reading in fleet(normal()) {
        assert!((13.0..30.0).contains(&temperature(&reading)), "{reading:?}");
        assert!((0.3..4.0).contains(&vibration(&reading)), "{reading:?}");
        assert_eq!(kind_of(&reading), None);
    }
}

#[test]
fn temperature_swings_by_two_degrees_around_each_day_and_vibration_goes_along() {
    let readings: Vec<Reading> = fleet(normal()).collect();
    for id in ["sensor_001", "sensor_005", "sensor_010"] {
        let mean = |hour: u8, value: fn(&Reading) -> f64| {
            let values: Vec<f64> = of_device(&readings, id)
                .into_iter()
                .filter(|it| it.timestamp.hour() == hour)
                .map(value)
                .collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        let swing = mean(15, temperature) - mean(3, temperature);
        assert!((3.5..4.4).contains(&swing), "{id}: {swing}");
        assert!(mean(15, vibration) > mean(3, vibration) * 1.02, "{id}");
    }
}

#[test]
fn every_device_has_its_place_and_type_and_levels_differ() {
    let readings: Vec<Reading> = fleet(FleetParams {
        devices: 50,
        ..normal()
    })
    .take(50)
    .collect();
    let mut types: Vec<&str> = Vec::new();
    for reading in &readings {
        let location = reading.location.as_ref().unwrap();
        let floor = location.floor.as_ref().unwrap().trim_start_matches("Floor ");
        assert!(location.building.as_ref().unwrap().starts_with("Building "));
        assert!(location.room.as_ref().unwrap().starts_with(&format!("Room {floor}")));
        types.push(reading.device_type.as_ref().unwrap());
    }
    types.sort_unstable();
    types.dedup();
    assert!(
        types.contains(&"temp_vibration_sensor") && types.len() >= 4,
        "{types:?}"
    );
    let levels: Vec<f64> = readings.iter().map(temperature).collect();
    let span = levels.iter().copied().fold(f64::MIN, f64::max) - levels.iter().copied().fold(f64::MAX, f64::min);
    assert!(span > 5.0, "{span}");
}

#[test]
fn the_share_of_anomalies_is_the_one_asked_for_and_all_kinds_are_as_frequent() {
    let params = FleetParams {
        anomaly_rate: 0.02,
        faults_per_device_week: 0.0,
        ..FleetParams::default()
    };
    let mut counts: HashMap<String, usize> = HashMap::new();
    for reading in fleet(params).take(200_000) {
        if let Some(kind) = kind_of(&reading) {
            *counts.entry(kind.to_owned()).or_default() += 1;
        }
    }
    let total: usize = counts.values().sum();
    assert!((3_800..4_200).contains(&total), "{total}");
    for kind in AnomalyKind::ALL {
        assert!((850..1_150).contains(&counts[kind.as_str()]), "{counts:?}");
    }
}

/// Compares each anomalous reading of a kind with what the same device would have sent without.
#[track_caller]
fn check(kind: AnomalyKind, rise: (f64, f64), factor: (f64, f64)) {
    let anomalous = fleet(FleetParams {
        anomaly_rate: 1.0,
        ..normal()
    });
    let mut seen = 0;
    for (odd, sane) in anomalous.zip(fleet(normal())) {
        assert_eq!((&odd.device_id, odd.timestamp), (&sane.device_id, sane.timestamp));
        assert!(odd.truth.as_ref().unwrap().is_anomaly);
        if kind_of(&odd) != Some(kind.as_str()) {
            continue;
        }
        seen += 1;
        let risen = temperature(&odd) - temperature(&sane);
        let multiplied = vibration(&odd) / vibration(&sane);
        assert!(rise.0 - 0.002 <= risen && risen <= rise.1 + 0.002, "{risen} {odd:?}");
        assert!(
            factor.0 - 0.02 <= multiplied && multiplied <= factor.1 + 0.02,
            "{multiplied} {odd:?}"
        );
    }
    assert!(seen > 1_000);
}

#[test]
fn each_kind_of_anomaly_is_as_large_as_it_is_said_to_be() {
    check(AnomalyKind::TemperatureSpike, (8.0, 15.0), (1.2, 1.8));
    check(AnomalyKind::TemperatureDrop, (-10.0, -5.0), (1.0, 1.0));
    check(AnomalyKind::VibrationSpike, (2.0, 5.0), (3.0, 8.0));
    check(AnomalyKind::Combined, (10.0, 20.0), (5.0, 12.0));
}

#[track_caller]
fn refused(change: impl FnOnce(&mut FleetParams), message: &str) {
    let mut params = normal();
    change(&mut params);
    let error: ParamsError = params.check().expect_err(message);
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_fleet_that_cannot_be_is_refused_by_name_and_value() {
    refused(|it| it.devices = 0, "devices is 0, it must lie between 1 and 1000000");
    refused(
        |it| it.interval = Duration::from_micros(1_500),
        "interval is 1.5ms, it must be whole milliseconds between 1 ms and one day",
    );
    refused(
        |it| it.anomaly_rate = f64::NAN,
        "anomaly_rate is NaN, it must lie between 0 and 1",
    );
    refused(
        |it| it.faults_per_device_week = 20.0,
        "faults_per_device_week is 20, it must lie between 0 and 14",
    );
    refused(
        |it| it.end = Some(it.start),
        "end is 2026-03-02T00:00:00Z, it must be later than start, 2026-03-02T00:00:00Z",
    );
    let planted = |device, kind, onset, hours| PlantedFault {
        device,
        kind,
        onset,
        duration: hours * HOUR,
    };
    refused(
        |it| it.planted = vec![planted(11, FaultKind::Drift, it.start, 1)],
        "a drift is planted on device 11, the fleet has devices 1 to 10",
    );
    refused(
        |it| it.planted = vec![planted(1, FaultKind::Drift, it.start, 0)],
        "the drift planted on device 1 lasts 0ns, at least 1 ms is needed",
    );
    refused(
        |it| {
            let later = it.start.after(HOUR);
            it.planted = vec![
                planted(1, FaultKind::Silence, later, 1),
                planted(1, FaultKind::Drift, it.start, 2),
            ];
        },
        "the drift and the silence planted on device 1 overlap",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_fleet_started_later_tells_the_rest_of_the_same_story(
        seed in any::<u64>(), devices in 1..40_u32, interval in 1..120_000_u64, later in 0..400_u64, extra in 0..2_000_i64,
    ) {
        let interval = Duration::from_millis(interval);
        let at = start().after(interval * later as u32).plus_micros(extra);
        let params = FleetParams {
            devices, interval, seed,
            anomaly_rate: 0.1,
            faults_per_device_week: 14.0,
            end: Some(start().after(interval * 500)),
            planted: vec![PlantedFault { device: 1, kind: FaultKind::StuckSensor, onset: start().plus_micros(777), duration: interval * 450 }],
            ..normal()
        }
        .check()
        .unwrap();
        let whole = Fleet::new(params.clone()).skip_while(|it| it.timestamp < at);
        let rest = Fleet::starting_at(params, at);
        prop_assert!(whole.eq(rest));
    }
}
