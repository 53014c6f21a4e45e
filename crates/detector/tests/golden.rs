//! Model files of every released version must load and judge as they did.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use detector::Model;
use domain::{DeviceId, Measurement, Reading, Timestamp, Values};

#[track_caller]
fn check(model: &Model, temperature: f64, vibration: f64, scores: [f64; 2]) {
    let value = |it| Some(Measurement::new(it, "x").unwrap());
    let reading = Reading {
        device_id: DeviceId::new("a").unwrap(),
        timestamp: Timestamp::parse("2025-08-06T10:00:00Z").unwrap(),
        values: Values::new(vec![value(temperature), value(vibration)]),
        location: None,
        device_type: None,
        truth: None,
    };
    let judged = model.judge(None, &reading).signals;
    assert_eq!([judged[0].unwrap().score, judged[1].unwrap().score], scores);
}

#[test]
fn version_3_loads_and_judges_as_it_did() {
    let model = Model::from_bytes(include_bytes!("../golden/model-3.hark")).unwrap();
    assert_eq!(
        (&*model.version, model.provenance.readings, model.signals.len()),
        ("m-0001", 2_000, 2)
    );
    check(&model, 21.0, 1.5, [0.306_840_075_490_235_73, 0.042_966_851_424_369_62]);
    check(&model, 45.0, 14.0, [0.234_162_297_290_765_2, -0.130_736_665_595_590_83]);
}
