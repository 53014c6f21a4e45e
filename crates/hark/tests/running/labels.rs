//! A table of labels is sent to a running Hark.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::support::{Hark, agent};

/// Two devices, each with one incident: readings beyond the limit.
fn with_incidents(data: &Path) -> (Hark, Vec<String>) {
    let limit = "[[signals]]\nname = \"temperature\"\nhigh = 40\n";
    std::fs::write(data.join("hark.toml"), limit).unwrap();
    let hark = Hark::serve(data);
    let reading = |nth: i64| {
        let at = domain::Timestamp::from_secs(1_750_000_000 + nth * 10);
        let temperature = if nth < 90 { 20 + nth % 3 } else { 60 };
        let line = |device: &str| {
            format!("{{\"device_id\":\"{device}\",\"timestamp\":\"{at}\",\"temperature\":{temperature}}}\n")
        };
        [line("a"), line("b")].concat()
    };
    let posted = agent()
        .post(format!("{}/api/v1/readings", hark.api))
        .content_type("application/x-ndjson")
        .send((0..100).map(reading).collect::<String>());
    assert_eq!(posted.unwrap().status(), 200);
    let incidents = hark.get("/api/v1/incidents");
    let ids = incidents["incidents"].as_array().unwrap().iter();
    let ids: Vec<String> = ids.map(|it| it["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 2, "{incidents}");
    (hark, ids)
}

fn import(data: &Path, url: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hark"))
        .args(["labels", "import", "labels.csv", "--who", "kim", "--json", "--to", url])
        .current_dir(data)
        .output()
        .unwrap()
}

/// What it wrote and how it ended.
#[track_caller]
fn check(output: &Output, code: i32, expected: &Value) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()[0], *expected);
}

#[test]
fn labels_are_sent_to_a_running_hark_once_and_what_it_refuses_is_told_by_row() {
    let data = tempfile::tempdir().unwrap();
    let (mut hark, ids) = with_incidents(data.path());
    let table = |of_nobody: &str| {
        let [one, other] = [&ids[0], &ids[1]];
        let text = format!("incident_id,label,note\n{one},true,a bearing\n{other},false_alarm,\n{of_nobody}");
        std::fs::write(data.path().join("labels.csv"), text).unwrap();
    };
    table("01k5tqs4d8000hq3v2m9x7ab,true,\n");
    let output = import(data.path(), &hark.api);
    check(&output, 1, &json!({"labelled": 2, "unchanged": 0, "refused": 1}));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("row 3: incident 01k5tqs4d8000hq3v2m9x7ab: there is no such incident"),
        "{said}"
    );
    let label = &hark.get(&format!("/api/v1/incidents/{}", ids[0]))["label"];
    let told = ["label", "who", "note"].map(|it| label[it].as_str());
    assert_eq!(told, [Some("true"), Some("kim"), Some("a bearing")]);
    assert_eq!(hark.get("/api/v1/labels/stats")["false_alarm"], 1);

    table("");
    let again = import(data.path(), &hark.api);
    check(&again, 0, &json!({"labelled": 0, "unchanged": 2, "refused": 0}));
    assert_eq!(hark.terminate(), Some(0));
    let away = import(data.path(), &hark.api);
    assert!(!away.status.success() && away.stdout.is_empty());
    let said = String::from_utf8_lossy(&away.stderr);
    assert!(said.contains("cannot be reached") && said.contains("hint:"), "{said}");
}
