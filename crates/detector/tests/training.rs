//! A model from simulated readings: does it find what is planted, is it the same each time, does it survive its bytes?

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::time::Duration;

use detector::{
    ArtifactError, BaselinePass, DeviceState, Evaluation, FeaturePass, Kind, Model, Plan, Report, ThresholdPolicy,
};
use domain::{DeviceId, Reading, Signal, Signals, Timestamp};
use simulator::{Fleet, FleetParams};

const DAY: Duration = Duration::from_secs(86_400);

fn readings(devices: u32, days: u32, anomaly_rate: f64) -> Vec<Reading> {
    let start = FleetParams::default().start;
    let params = FleetParams {
        devices,
        interval: Duration::from_secs(60),
        anomaly_rate,
        faults_per_device_week: 0.0,
        end: Some(start.after(DAY * days)),
        ..FleetParams::default()
    };
    Fleet::new(params.check().unwrap()).collect()
}

fn fit(
    readings: &[Reading],
    (kind, policy): (Kind, ThresholdPolicy),
    threads: usize,
) -> (Model, HashMap<DeviceId, DeviceState>) {
    let plan = Plan {
        kind,
        policy,
        ..Plan::default()
    }
    .check()
    .unwrap();
    let signals = Signals::default();
    let mut baselines = BaselinePass::new(&signals);
    readings.iter().for_each(|it| baselines.push(it));
    let mut pass = FeaturePass::new(plan, signals, baselines.finish());
    readings.iter().for_each(|it| pass.push(it));
    pass.fit("m-0001".into(), Timestamp::from_secs(1_750_000_000), threads)
        .unwrap()
}

const BUDGET: (Kind, ThresholdPolicy) = (
    Kind::Hybrid,
    ThresholdPolicy::Budget {
        false_alarms_per_device_week: 1.0,
    },
);

const FORESTS: (Kind, ThresholdPolicy) = (Kind::IsolationForest, BUDGET.1);

fn measure(rule: (Kind, ThresholdPolicy)) -> Report {
    let readings = readings(10, 3, 0.02);
    let (train, held_out) = readings.split_at(readings.len() * 2 / 3);
    let (model, mut states) = fit(train, rule, 2);
    let mut evaluation = Evaluation::default();
    for reading in held_out {
        let state = states.get_mut(&reading.device_id).unwrap();
        evaluation.push(reading, &model.step(state, reading));
    }
    evaluation.report(&["temperature", "vibration"])
}

#[test]
fn planted_anomalies_are_ranked_before_normal_readings() {
    for rule in [BUDGET, (Kind::Statistical, BUDGET.1), FORESTS] {
        let report = measure(rule).labelled.unwrap();
        assert!(report.roc_auc.unwrap() > 0.97, "{rule:?} {report:?}");
        assert!(report.average_precision.unwrap() > 0.8, "{rule:?} {report:?}");
    }
}

#[test]
fn a_budget_flags_less_and_better_than_a_fixed_tenth() {
    for kind in [Kind::Hybrid, Kind::IsolationForest] {
        let budget = measure((kind, BUDGET.1));
        let tenth = measure((kind, ThresholdPolicy::Contamination));
        let rates = (tenth.flag_rate, budget.flag_rate);
        assert!(rates.0 > 0.05 && rates.1 < 0.05, "{kind:?} {rates:?}");
        let (budget, tenth) = (budget.labelled.unwrap(), tenth.labelled.unwrap());
        assert!(
            budget.f1 > tenth.f1 && budget.precision > tenth.precision,
            "{kind:?} {budget:?}"
        );
    }
}

#[test]
fn the_contamination_is_the_share_of_held_back_readings_that_is_flagged() {
    let (training, whole) = (readings(10, 2, 0.0), readings(10, 12, 0.0));
    for kind in [Kind::Hybrid, Kind::Statistical] {
        let (model, mut states) = fit(&training, (kind, ThresholdPolicy::Contamination), 2);
        let (mut flagged, mut judged) = (0, 0);
        for reading in &whole[training.len()..] {
            let verdict = model.step(states.get_mut(&reading.device_id).unwrap(), reading);
            (flagged, judged) = (flagged + u32::from(verdict.is_anomaly), judged + 1);
        }
        let share = f64::from(flagged) / f64::from(judged);
        assert!((0.1 / 1.5..0.1 * 1.5).contains(&share), "{kind:?} {share}");
    }
}

#[test]
fn the_same_readings_give_the_same_bytes_on_one_and_two_threads() {
    let readings = readings(3, 1, 0.02);
    let one = fit(&readings, BUDGET, 1).0.to_bytes();
    assert_eq!(one, fit(&readings, BUDGET, 2).0.to_bytes());
}

#[test]
fn a_model_survives_its_bytes() {
    let readings = readings(3, 1, 0.02);
    for rule in [BUDGET, FORESTS] {
        let (model, states) = fit(&readings, rule, 2);
        let restored = Model::from_bytes(&model.to_bytes()).unwrap();
        for reading in readings.iter().rev().take(500) {
            let state = states.get(&reading.device_id);
            assert_eq!(model.judge(state, reading), restored.judge(state, reading));
        }
        assert_eq!(restored, model);
    }
}

#[test]
fn every_damage_to_a_model_file_is_refused() {
    let (model, _) = fit(&readings(2, 1, 0.02), FORESTS, 2);
    let bytes = model.to_bytes();
    for at in 0..500 {
        let place = at * 7_919 % (bytes.len() * 8);
        let mut flipped = bytes.clone();
        flipped[place / 8] ^= 1 << (place % 8);
        assert!(Model::from_bytes(&flipped).is_err(), "bit {place}");
    }
    for at in 0..200 {
        let cut = at * 104_729 % bytes.len();
        assert!(Model::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    assert!(matches!(
        Model::from_bytes(b"PK\x03\x04 something else"),
        Err(ArtifactError::Foreign)
    ));
    let mut newer = bytes.clone();
    newer[8] = 9;
    assert!(matches!(Model::from_bytes(&newer), Err(ArtifactError::Version(9))));
}

#[test]
fn a_model_judges_the_signals_it_knows_and_refuses_to_serve_none() {
    let readings = readings(2, 1, 0.02);
    let (model, _) = fit(&readings, BUDGET, 2);
    let mut more = Signals::default().to_vec();
    more.insert(0, Signal::new("pressure", "Pa"));
    let wider = model.clone().for_signals(&Signals::new(more).unwrap()).unwrap();
    let wide_reading = Reading {
        values: domain::Values::new(vec![
            None,
            None,
            Some(domain::Measurement::new(60.0, "vibration").unwrap()),
        ]),
        ..readings[0].clone()
    };
    let verdict = wider.judge(None, &wide_reading);
    assert_eq!(
        verdict.signals.iter().map(Option::is_some).collect::<Vec<_>>(),
        [false, false, true]
    );
    assert!(
        verdict.is_anomaly && verdict.reasons[0].text.starts_with("vibration 60.0 mm/s, usually "),
        "{verdict:?}"
    );
    let foreign = Signals::new(vec![Signal::new("humidity", "%RH")]).unwrap();
    assert!(
        model
            .for_signals(&foreign)
            .unwrap_err()
            .to_string()
            .contains("none of humidity in %RH")
    );
}

#[test]
fn no_readings_make_no_model_and_constant_ones_do() {
    let signals = Signals::default();
    let baselines = BaselinePass::new(&signals).finish();
    let pass = FeaturePass::new(Plan::default().check().unwrap(), signals, baselines);
    assert!(pass.fit("m-0001".into(), Timestamp::EPOCH, 1).is_err());
    let mut constant = readings(1, 1, 0.0);
    for reading in &mut constant {
        reading.values = domain::Values::new(vec![Some(domain::Measurement::new(5.0, "t").unwrap()), None]);
    }
    let (model, states) = fit(&constant, BUDGET, 1);
    let verdict = model.judge(states.values().next(), &constant[7]);
    assert!(!verdict.is_anomaly && verdict.score.is_finite(), "{verdict:?}");
    assert!(model.forests[1].is_none());
}
