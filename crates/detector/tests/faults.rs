//! Simulated faults, one a device: does the incident name the faulty signal and what happened to it?

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::time::Duration;

use detector::{BaselinePass, DeviceState, FeaturePass, Happening, Incident, IncidentRules, Model, Plan, Watch};
use domain::{DeviceId, IncidentKind, Measurement, Reading, Signals, Timestamp, Values};
use simulator::{FaultKind, Fleet, FleetParams, PlannedFault, PlantedFault};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);
const DEVICES: u32 = 120;
const TRAINED_DAYS: u32 = 3;

/// What is expected of an incident.
#[derive(Debug, Clone)]
struct Expected {
    name: String,
    kind: IncidentKind,
    signal: Option<&'static str>,
    from: Timestamp,
    to: Timestamp,
}

fn params() -> FleetParams {
    let start = FleetParams::default().start;
    FleetParams {
        devices: DEVICES,
        interval: Duration::from_secs(60),
        anomaly_rate: 0.0,
        faults_per_device_week: 0.0,
        start,
        end: Some(start.after(DAY * (TRAINED_DAYS + 2))),
        ..FleetParams::default()
    }
}

/// Four of seven devices get a fault that lasts, on the day after the training; one gets a signal that shakes; two get
/// single odd readings.
fn planted() -> Vec<PlantedFault> {
    let onset = params().start.after(DAY * TRAINED_DAYS);
    let plant = |device: u32| {
        let (kind, hours) = match device % 7 {
            0 => (FaultKind::BearingWear, 8),
            1 => (FaultKind::Overheating, 3),
            2 => (FaultKind::StuckSensor, 2),
            3 => (FaultKind::Drift, 8),
            4 => (FaultKind::Silence, 1),
            _ => return None,
        };
        let onset = onset.after(HOUR * (1 + device % 11));
        let duration = HOUR * hours;
        Some(PlantedFault {
            device,
            kind,
            onset,
            duration,
        })
    };
    (1..=DEVICES).filter_map(plant).collect()
}

fn number(device: &DeviceId) -> u32 {
    device.as_str().trim_start_matches("sensor_").parse().unwrap()
}

/// The vibration of every seventh device moves five times as much for three hours: its readings, and what is expected.
fn shaken(reading: Reading, usual: f64, window: (Timestamp, Timestamp)) -> Reading {
    if number(&reading.device_id) % 7 != 5 || !(window.0 <= reading.timestamp && reading.timestamp < window.1) {
        return reading;
    }
    let vibration = reading.values.get(1).unwrap();
    let shaken = (usual + 5.0 * (vibration - usual)).max(0.0);
    let values = [reading.values.get(0).unwrap(), shaken].map(|it| Some(Measurement::new(it, "x").unwrap()));
    Reading {
        values: Values::new(values.to_vec()),
        ..reading
    }
}

/// A silence is a state of the device, and no incident.
fn of_fault(fault: &PlannedFault) -> Option<Expected> {
    let kind = match fault.kind {
        FaultKind::BearingWear => IncidentKind::Growth,
        FaultKind::Overheating => IncidentKind::LevelShift,
        FaultKind::StuckSensor => IncidentKind::Stuck,
        FaultKind::Drift => IncidentKind::Drift,
        FaultKind::Silence => return None,
    };
    Some(Expected {
        name: fault.kind.as_str().to_owned(),
        kind,
        signal: fault.signal,
        from: fault.onset,
        to: fault.end,
    })
}

fn of_reading(reading: &Reading) -> Option<Expected> {
    let name = reading
        .truth
        .as_ref()
        .filter(|it| it.is_anomaly)?
        .anomaly_type
        .clone()?;
    let (kind, signal) = match name.as_str() {
        "temperature_spike" => (IncidentKind::Spike, Some("temperature")),
        "temperature_drop" => (IncidentKind::Drop, Some("temperature")),
        "vibration_spike" => (IncidentKind::Spike, Some("vibration")),
        "combined" => (IncidentKind::Spike, None),
        _ => return None,
    };
    let (from, to) = (reading.timestamp, reading.timestamp);
    Some(Expected {
        name,
        kind,
        signal,
        from,
        to,
    })
}

fn train(readings: &[Reading]) -> Model {
    let mut baselines = BaselinePass::new(&Signals::default());
    readings.iter().for_each(|it| baselines.push(it));
    let mut pass = FeaturePass::new(Plan::default().check().unwrap(), Signals::default(), baselines.finish());
    readings.iter().for_each(|it| pass.push(it));
    pass.fit("m-0001".into(), Timestamp::EPOCH, 2).unwrap().0
}

/// Judges the readings and gives all incidents as they were when they closed.
fn incidents(model: &Model, readings: &[Reading]) -> Vec<(DeviceId, Incident)> {
    let mut devices: HashMap<DeviceId, (DeviceState, Watch)> = HashMap::new();
    let mut told = Vec::new();
    let rules = IncidentRules::default();
    for reading in readings {
        let fresh = || (DeviceState::new(&model.signals), Watch::default());
        let (state, watch) = devices.entry(reading.device_id.clone()).or_insert_with(fresh);
        let sign = model.assess(state, reading).sign.unwrap();
        let (next, happening) = watch.step(&sign, &rules);
        *watch = next;
        if let Some(Happening::Closed(it)) = happening {
            told.push((reading.device_id.clone(), it));
        }
    }
    for (device, (_, watch)) in devices {
        told.extend(watch.open().map(|it| (device, *it)));
    }
    told
}

/// All that happens to the fleet, and what is expected of it.
fn plant(readings: &[Reading], usual: &HashMap<DeviceId, f64>) -> (Vec<Reading>, Vec<(DeviceId, Expected)>) {
    let fleet = FleetParams {
        planted: planted(),
        ..params()
    };
    let faulty = Fleet::new(fleet.check().unwrap());
    let onset = params().start.after(DAY * TRAINED_DAYS);
    let window = (onset.after(HOUR * 4), onset.after(HOUR * 7));
    let range = domain::TimeRange::ALL;
    let mut expected: Vec<_> = faulty
        .faults(range)
        .iter()
        .filter_map(|it| Some((it.device_id.clone(), of_fault(it)?)))
        .collect();
    for (device, usual) in usual.iter().filter(|it| number(it.0) % 7 == 5) {
        assert!(*usual > 0.0);
        let shakes = Expected {
            name: "variance".to_owned(),
            kind: IncidentKind::Variance,
            signal: Some("vibration"),
            from: window.0,
            to: window.1,
        };
        expected.push((device.clone(), shakes));
    }
    let odd = FleetParams {
        anomaly_rate: 0.002,
        ..params()
    };
    let single: HashMap<_, _> = Fleet::new(odd.check().unwrap())
        .filter(|it| number(&it.device_id) % 7 == 6 && it.timestamp > onset)
        .map(|it| ((it.device_id.clone(), it.timestamp), it))
        .collect();
    let mut stream = Vec::with_capacity(readings.len());
    for reading in faulty {
        let place = (reading.device_id.clone(), reading.timestamp);
        let reading = single.get(&place).cloned().unwrap_or(reading);
        expected.extend(
            of_reading(&reading)
                .filter(|_| single.contains_key(&place))
                .map(|it| (place.0.clone(), it)),
        );
        let usual = usual[&reading.device_id];
        stream.push(shaken(reading, usual, window));
    }
    (stream, expected)
}

#[test]
fn incidents_name_the_faulty_signal_and_what_happened_to_it() {
    let normal: Vec<Reading> = Fleet::new(params().check().unwrap()).collect();
    let trained = params().start.after(DAY * TRAINED_DAYS);
    let (train_on, _) = normal.split_at(normal.partition_point(|it| it.timestamp < trained));
    let model = train(train_on);
    let mut sums: HashMap<DeviceId, (f64, f64)> = HashMap::new();
    for it in train_on {
        let sum = sums.entry(it.device_id.clone()).or_default();
        *sum = (sum.0 + it.values.get(1).unwrap(), sum.1 + 1.0);
    }
    let usual = sums
        .into_iter()
        .map(|(device, (sum, count))| (device, sum / count))
        .collect();
    let (stream, expected) = plant(&normal, &usual);
    let told = incidents(&model, &stream);
    let mut table: BTreeMap<String, [u32; 4]> = BTreeMap::new();
    let mut confused: BTreeMap<(String, &str), u32> = BTreeMap::new();
    for (device, it) in &expected {
        let row = table.entry(it.name.clone()).or_default();
        row[0] += 1;
        let meets = |incident: &Incident| {
            incident.began <= it.to.after(HOUR / 4) && incident.last.max(incident.opened) >= it.from
        };
        let longest = |it: &&(DeviceId, Incident)| it.1.readings;
        let Some((_, incident)) = told
            .iter()
            .filter(|(id, told)| id == device && meets(told))
            .max_by_key(longest)
        else {
            continue;
        };
        row[1] += 1;
        let named = incident.signals(&model.signals).first().map(|it| it.signal.clone());
        row[2] += u32::from(it.signal.is_none() || named.as_deref() == it.signal);
        row[3] += u32::from(incident.kind() == it.kind);
        *confused.entry((it.name.clone(), incident.kind().as_str())).or_default() += 1;
    }
    let sum = |at: usize| f64::from(table.values().map(|it| it[at]).sum::<u32>());
    let report = format!("planted, told, signal named, kind named: {table:#?}\nkinds: {confused:#?}");
    writeln!(std::io::stderr(), "{report}").unwrap();
    assert!(sum(1) >= 0.9 * sum(0), "{report}");
    assert!(sum(2) >= 0.95 * sum(1), "{report}");
    assert!(sum(3) >= 0.8 * sum(1), "{report}");
}
