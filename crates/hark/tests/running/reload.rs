//! A SIGHUP reads the configuration again: it ends nothing, and a faulty file changes nothing.

use std::path::Path;

use super::support::{Hark, agent};

const READING: &str = r#"{"device_id":"pump","timestamp":"2025-08-06T10:00:00Z","temperature":20,"vibration":1.0}"#;

fn post(hark: &Hark) -> u16 {
    let answer = agent()
        .post(format!("{}/api/v1/readings", hark.api))
        .content_type("application/json")
        .send(READING);
    answer.unwrap().status().as_u16()
}

fn configure(folder: &Path, toml: &str) {
    std::fs::write(folder.join("hark.toml"), toml).unwrap();
}

/// Starts with a configuration, and reads another one.
#[track_caller]
fn check(args: &[&str], word: &str) {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), "[train]\nmin_readings = 500\n");
    let mut hark = Hark::start_until(folder.path(), args, word);
    configure(folder.path(), "[train]\nmin_readings = 400\n[bus]\nmax_batch = 100\n");
    hark.signal("HUP");
    let changed = hark.says("setting changed");
    assert_eq!(
        (&changed["key"], &changed["from"], &changed["to"]),
        (&"train.min_readings".into(), &"500".into(), &"400".into())
    );
    assert_eq!(hark.says("configuration read again")["waiting_for_a_restart"], 1);
    hark.signal("HUP");
    // What takes a restart is told each time, what is in force no more.
    assert_eq!(hark.says("takes a restart")["key"], "bus.max_batch");
    assert_eq!(hark.says("configuration read again")["changed"], 0);
    assert_eq!(hark.terminate(), Some(0), "{args:?}");
}

#[test]
fn every_process_that_goes_on_reads_it_again() {
    check(&["serve", "--listen", "127.0.0.1:0"], "API");
    let up = [
        "up",
        "--no-simulator",
        "--listen",
        "127.0.0.1:0",
        "--dashboard-listen",
        "127.0.0.1:0",
    ];
    check(&up, "API");
    check(&["consume", "--metrics-listen", "127.0.0.1:0"], "Metrics");
    check(&["dashboard", "--listen", "127.0.0.1:0"], "Dashboard");
}

#[test]
fn what_is_reloaded_is_in_force_at_once_and_a_faulty_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut hark = Hark::serve(folder.path());
    assert_eq!(post(&hark), 200);
    configure(folder.path(), "[api]\nmax_request_bytes = 50\nmax_batch_bytes = 50\n");
    hark.signal("HUP");
    hark.says("configuration read again");
    assert_eq!(post(&hark), 413);

    configure(folder.path(), "[api]\nmax_request_bytes = \"lots\"\nlisen = 1\n");
    hark.signal("HUP");
    for key in ["api.lisen", "api.max_request_bytes"] {
        assert_eq!(hark.says("the configuration cannot be used")["key"], key);
    }
    assert_eq!(hark.says("stays in force")["level"], "ERROR");
    assert_eq!(post(&hark), 413);

    configure(folder.path(), "[log]\nfilter = \"hark=debug\"\n");
    hark.signal("HUP");
    hark.says("configuration read again");
    assert_eq!(post(&hark), 200);
    let logged = hark.says("request answered");
    assert_eq!(logged["request_id"].as_str().unwrap().len(), 16, "{logged}");
    assert_eq!(hark.terminate(), Some(0));
}
