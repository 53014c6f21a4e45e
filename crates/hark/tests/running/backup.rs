//! A backup that is taken while readings come in, put elsewhere: the same rows, the same model, the same answers.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value;

use super::support::{Hark, agent};

/// The readings of a batch, so that a copy between two of them holds a multiple.
const BATCH: u64 = 20;

const QUESTION: &str =
    r#"{"device_id":"stranger","timestamp":"2025-08-06T12:00:00Z","temperature":23.5,"vibration":1.1}"#;

fn batch(nth: u64) -> String {
    let line = |step: u64| {
        let at = domain::Timestamp::from_secs(1_750_000_000 + step as i64 * 10);
        let wave = (step * 37 % 100) as f64 / 100.0;
        format!(
            "{{\"device_id\":\"pump\",\"timestamp\":\"{at}\",\"temperature\":{},\"vibration\":{}}}\n",
            20.0 + wave,
            1.0 + wave / 4.0
        )
    };
    (nth * BATCH..(nth + 1) * BATCH).map(line).collect()
}

fn post(api: &str, path: &str, kind: &str, body: String) -> (u16, Value) {
    let mut answer = agent()
        .post(format!("{api}{path}"))
        .content_type(kind)
        .send(body)
        .unwrap();
    (answer.status().as_u16(), answer.body_mut().read_json().unwrap())
}

fn hark(data: &Path, args: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_hark"))
        .args(args)
        .arg("--data-dir")
        .arg(data)
        .env("HARK__TRAIN__MIN_READINGS", "300")
        .current_dir(data)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// How many rows each table of a data folder or backup has.
fn rows(checked: &str) -> Vec<(String, u64)> {
    let parts: Vec<Value> = serde_json::from_str(checked).unwrap();
    let of = |it: &Value| Some((it["part"].as_str()?.to_owned(), it["rows"].as_u64()?));
    parts.iter().filter_map(of).collect()
}

#[test]
fn a_backup_under_load_comes_back_with_the_same_rows_and_answers() {
    let (data, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = Hark::serve(data.path());
    let next = AtomicU64::new(0);
    let send = || {
        let nth = next.load(Ordering::SeqCst);
        let (status, answer) = post(&server.api, "/api/v1/readings", "application/x-ndjson", batch(nth));
        assert_eq!((status, &answer["stored"]), (200, &BATCH.into()));
        next.store(nth + 1, Ordering::SeqCst);
    };
    (0..50).for_each(|_| send());
    hark(data.path(), &["train", "--quiet", "--promote", "always"]);
    while server.get("/health")["model_version"] != "m-0001" {
        std::thread::yield_now();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                send();
            }
        });
        let from = next.load(Ordering::SeqCst);
        while next.load(Ordering::SeqCst) == from {
            std::thread::yield_now();
        }
        hark(data.path(), &["db", "backup", "--output", "kept.tar"]);
        done.store(true, Ordering::SeqCst);
        sending.join().unwrap();
    });
    let backup = data.path().join("kept.tar");
    let kept = rows(&hark(data.path(), &["db", "check", "kept.tar", "--json"]));
    let readings = kept.iter().find(|it| it.0 == "sensor_readings").unwrap().1;
    println!(
        "{readings} readings in the backup, {} sent",
        next.load(Ordering::SeqCst) * BATCH
    );
    assert!(readings.is_multiple_of(BATCH) && readings > 50 * BATCH, "{kept:?}");

    hark(there.path(), &["db", "restore", backup.to_str().unwrap(), "--yes"]);
    assert_eq!(rows(&hark(there.path(), &["db", "check", "--json"])), kept);
    let restored = Hark::serve(there.path());
    let ask = |api: &str| post(api, "/detect", "application/json", QUESTION.to_owned());
    let (status, answer) = ask(&restored.api);
    assert_eq!((status, &answer["model_version"]), (200, &Value::from("m-0001")));
    assert_eq!(answer, ask(&server.api).1);
    // The sender goes on where the backup ended, and what comes twice is there once.
    let (_, again) = post(
        &restored.api,
        "/api/v1/readings",
        "application/x-ndjson",
        batch(readings / BATCH - 1),
    );
    assert_eq!(again["duplicates"], BATCH);
    assert_eq!(server.terminate(), Some(0));
}
