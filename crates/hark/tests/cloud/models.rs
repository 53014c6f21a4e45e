//! A model does not depend on where its readings were kept.

use detector::Model;
use domain::Timestamp;

use super::support::Place;

/// The model's bytes but for the time of its making.
fn timeless(bytes: &[u8]) -> Vec<u8> {
    let mut model = Model::from_bytes(bytes).unwrap();
    model.provenance.created_at = Timestamp::EPOCH;
    model.to_bytes()
}

#[test]
fn the_same_readings_give_the_same_model_from_bigquery_and_from_the_embedded_warehouse() {
    let place = Place::new();
    let period = [
        "simulate",
        "--devices",
        "4",
        "--start",
        "2026-01-01T00:00:00Z",
        "--duration",
        "3h",
    ];
    place.hark(&[&period[..], &["--speed", "max", "--output", "readings.ndjson"]].concat());
    let trained = |kind: &str| {
        let hark = |args: &[&str]| {
            let mut command = place.command("hark");
            command
                .env("HARK__WAREHOUSE__KIND", kind)
                .args(args)
                .args(["--data-dir", kind]);
            super::support::told(command.output().unwrap(), &args.join(" "))
        };
        hark(&["setup"]);
        hark(&["consume", "--input", "readings.ndjson"]);
        hark(&["train"]);
        timeless(&hark(&["models", "export", "m-0001", "--output", "-"]))
    };
    assert!(trained("embedded") == trained("bigquery"), "the models differ");
}
