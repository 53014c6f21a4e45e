//! A running server takes up a promoted model without a restart and without one failed request.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use super::support::{Hark, agent};
use serde_json::Value;

const SWAPS: usize = 20;
const QUESTION: &str =
    r#"{"device_id":"unknown","timestamp":"2025-08-06T10:00:00Z","temperature":27.5,"vibration":2.5}"#;

fn hark(data: &Path, args: &[&str]) {
    let done = Command::new(env!("CARGO_BIN_EXE_hark"))
        .args(args)
        .arg("--data-dir")
        .arg(data)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

fn post(api: &str, path: &str, kind: &str, body: String) -> (u16, Value) {
    let mut answer = agent()
        .post(format!("{api}{path}"))
        .content_type(kind)
        .send(body)
        .unwrap();
    (answer.status().as_u16(), answer.body_mut().read_json().unwrap())
}

/// A server with two models that judge differently.
fn with_two_models(data: &Path) -> Hark {
    let server = Hark::serve(data);
    let simulated = Command::new(env!("CARGO_BIN_EXE_hark"))
        .args([
            "simulate",
            "--devices",
            "3",
            "--interval",
            "60s",
            "--start",
            "2025-08-01T00:00:00Z",
            "--duration",
            "1d",
        ])
        .output()
        .unwrap();
    let body = String::from_utf8(simulated.stdout).unwrap();
    let (status, receipt) = post(&server.api, "/api/v1/readings", "application/x-ndjson", body);
    assert_eq!((status, &receipt["rejected"]), (200, &Value::from(0)));
    hark(data, &["train", "--promote", "always"]);
    hark(
        data,
        &["train", "--promote", "always", "--until", "2025-08-01T18:00:00Z"],
    );
    server
}

#[test]
fn promotions_under_load_fail_no_request_and_mix_no_scores() {
    let data = tempfile::tempdir().unwrap();
    let server = with_two_models(data.path());
    let done = AtomicBool::new(false);
    let ask = || {
        let mut seen: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        while !done.load(Ordering::SeqCst) {
            let (status, verdict) = post(&server.api, "/detect", "application/json", QUESTION.to_owned());
            assert_eq!(status, 200, "{verdict}");
            let version = verdict["model_version"].as_str().unwrap().to_owned();
            seen.entry(version)
                .or_default()
                .insert(verdict["anomaly_score"].as_f64().unwrap().to_bits());
        }
        seen
    };
    let seen: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3).map(|_| scope.spawn(ask)).collect();
        for swap in 0..SWAPS {
            let version = ["m-0001", "m-0002"][swap % 2];
            let path = format!("/api/v1/models/{version}/promote");
            let (status, answer) = post(&server.api, &path, "application/json", String::new());
            assert_eq!((status, &answer["live"]), (200, &Value::from(version)));
            let (_, verdict) = post(&server.api, "/detect", "application/json", QUESTION.to_owned());
            assert_eq!(verdict["model_version"], version);
        }
        done.store(true, Ordering::SeqCst);
        clients.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let mut scores: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for (version, bits) in seen.into_iter().flatten() {
        scores.entry(version).or_default().extend(bits);
    }
    assert_eq!(scores.keys().collect::<Vec<_>>(), ["m-0001", "m-0002"]);
    assert!(
        scores.values().all(|it| it.len() == 1),
        "each model has one score for one question: {scores:?}"
    );
    assert_ne!(scores["m-0001"], scores["m-0002"]);
}

#[test]
fn a_damaged_model_is_refused_and_the_old_one_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let server = with_two_models(data.path());
    let file = data.path().join("models/m-0001/model.hark");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (status, problem) = post(
        &server.api,
        "/api/v1/models/m-0001/promote",
        "application/json",
        String::new(),
    );
    assert!((400..500).contains(&status), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("refused"), "{problem}");
    let (status, verdict) = post(&server.api, "/detect", "application/json", QUESTION.to_owned());
    assert_eq!((status, &verdict["model_version"]), (200, &Value::from("m-0002")));
}
