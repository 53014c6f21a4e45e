//! Readings in and out: simulate, import, export, dead letters, doctor.

use serde_json::Value;

use super::{Folder, Run};

/// Ten minutes of three devices.
const SIMULATED: [&str; 7] = [
    "simulate",
    "--start",
    "2025-08-06T10:00:00Z",
    "--duration",
    "10m",
    "--devices",
    "3",
];

fn simulate(folder: &Folder, more: &[&str]) -> String {
    let args: Vec<&str> = SIMULATED.iter().chain(more).copied().collect();
    folder.ok(&args)
}

fn rows(ndjson: &str) -> Vec<Value> {
    ndjson.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// What was exported, without what depends on when it was stored.
fn exported(folder: &Folder) -> Vec<Value> {
    let mut rows = rows(&folder.ok(&["export"]));
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("received_at");
    }
    rows
}

#[test]
fn the_same_seed_gives_the_same_readings_and_another_does_not() {
    let folder = Folder::new();
    let once = simulate(&folder, &[]);
    assert_eq!(once.lines().count(), 180);
    assert_eq!(once, simulate(&folder, &["--seed", "42"]));
    assert_ne!(once, simulate(&folder, &["--seed", "43"]));
}

#[test]
fn simulated_tables_carry_their_labels() {
    let folder = Folder::new();
    let csv = simulate(&folder, &["--output-format", "csv", "--anomaly-rate", "0.5"]);
    let header = "device_id,timestamp,building,floor,room,device_type,temperature,vibration,is_anomaly,anomaly_type";
    assert_eq!(csv.lines().next(), Some(header));
    assert!(csv.lines().any(|it| it.ends_with(",1,temperature_spike")), "{csv}");
}

#[test]
fn a_backtest_takes_tables_of_hark_as_they_are() {
    let folder = Folder::new();
    let hours = ["--start", "2025-08-06T10:00:00Z", "--duration", "2h", "--devices", "3"];
    folder.ok(&[&["simulate", "--output", "readings.csv"], &hours[..]].concat());
    folder.ok(&["import", "readings.csv"]);
    folder.ok(&["export", "--output", "exported.csv"]);
    for table in ["readings.csv", "exported.csv"] {
        folder.ok(&["backtest", "--input", table, "--output", "verdicts.csv"]);
        let verdicts = folder.read("verdicts.csv");
        let header = verdicts.lines().next().unwrap();
        assert!(
            header.contains("temperature_score") && header.contains("vibration_score"),
            "{header}"
        );
        for other in [
            "floor_score",
            "room_score",
            "is_anomaly_score",
            "late_score",
            "low_score",
        ] {
            assert!(!header.contains(other), "{header}");
        }
    }
}

/// Two days of one device that rises and falls, of which the second day has a fault of an hour, labelled.
fn a_day_and_a_fault() -> String {
    let mut table = "device_id,timestamp,temperature,vibration,label\n".to_owned();
    for minute in 0..2 * 1_440 {
        let (day, hour, of_hour) = (minute / 1_440 + 5, minute / 60 % 24, minute % 60);
        let is_fault = (2_400..2_460).contains(&minute);
        let wobble = f64::from(minute * 37 % 101) / 101.0 - 0.5;
        let temperature = 20.0 + wobble + if is_fault { 9.0 } else { 0.0 };
        let vibration = 1.2 + 0.1 * (f64::from(minute * 53 % 97) / 97.0 - 0.5);
        let label = u8::from(is_fault);
        table += &format!("fan,2026-01-{day:02}T{hour:02}:{of_hour:02}:00Z,{temperature:.3},{vibration:.3},{label}\n");
    }
    table
}

#[test]
fn a_backtest_says_what_people_would_have_been_told() {
    let folder = Folder::new();
    folder.write("fan.csv", &a_day_and_a_fault());
    let args = [
        "--input",
        "fan.csv",
        "--train-fraction",
        "0.5",
        "--label-column",
        "label",
    ];
    let out = [
        "--output",
        "verdicts.csv",
        "--incidents",
        "incidents.csv",
        "--format",
        "json",
    ];
    let measured = folder.ok(&[&["backtest"], &args[..], &out[..]].concat());
    let table = |name: &str| -> Vec<Vec<String>> {
        let text = folder.read(name);
        let rows = text.lines().map(|it| it.split(',').map(str::to_owned).collect());
        rows.collect()
    };
    let incidents = table("incidents.csv");
    assert_eq!(incidents[0][..4], ["device_id", "incident", "severity", "kind"]);
    let [_, told] = incidents.as_slice() else {
        panic!("{incidents:?}")
    };
    assert_eq!((told[0].as_str(), told[3].as_str()), ("fan", "level_shift"));
    assert_eq!(
        (told[4].as_str(), told[11].as_str()),
        ("2026-01-06T16:00:00Z", "temperature vibration")
    );
    let verdicts = table("verdicts.csv");
    let last = verdicts[0].len() - 1;
    assert_eq!(verdicts[0][last], "incident");
    let of: Vec<&str> = verdicts[1..].iter().map(|it| it[it.len() - 1].as_str()).collect();
    assert!(
        of[..2_400].iter().all(|it| it.is_empty()),
        "it is told when it has come"
    );
    assert!(of[2_402..2_460].iter().all(|it| *it == told[1]));
    assert!(of[2_880 - 300..].iter().all(|it| it.is_empty()), "it is over");
    let measured: Vec<Value> = serde_json::from_str(&measured).unwrap();
    let value = |name: &str| measured.iter().find(|it| it["measure"] == name).unwrap()["value"].clone();
    assert_eq!(
        (value("incidents"), value("incidents without an anomalous row")),
        (1.into(), 0.into())
    );
}

#[test]
fn what_is_imported_is_exported_whichever_way_it_goes() {
    let first = Folder::new();
    simulate(&first, &["--output", "readings.ndjson"]);
    let run = first.run(&["import", "readings.ndjson"]);
    assert!(
        run.stderr
            .contains("180 readings stored, 0 were there already, 0 refused"),
        "{run}"
    );
    let run = first.run(&["import", "readings.ndjson"]);
    assert!(
        run.stderr.contains("0 readings stored, 180 were there already"),
        "{run}"
    );
    let stored = exported(&first);
    assert_eq!(stored.len(), 180);
    assert_eq!(stored[0]["device_type"], "temp_vibration_sensor");

    for file in ["readings.csv", "readings.parquet"] {
        let written = first.path(file);
        first.ok(&["export", "--output", file]);
        let second = Folder::new();
        second.ok(&["import", written.to_str().unwrap()]);
        assert_eq!(exported(&second), stored, "{file}");
    }
}

#[test]
fn an_import_can_be_tried_out() {
    let folder = Folder::new();
    folder.write(
        "t.csv",
        "device_id,timestamp,temperature\na,2025-08-06T10:00:00Z,20\na,soon,20\n",
    );
    let tried = folder.run(&["import", "t.csv", "--dry-run"]);
    assert_eq!(tried.code, 1, "{tried}");
    assert!(
        tried
            .stderr
            .contains("1 readings could be taken, 1 would be refused; nothing was stored"),
        "{tried}"
    );
    assert!(!folder.path("hark-data").exists());
}

#[test]
fn an_export_can_be_narrowed_to_a_device_and_a_time() {
    let folder = Folder::new();
    let messages = simulate(&folder, &[]);
    let run = folder.run_with(&["import", "-"], &messages);
    assert_eq!(run.code, 0, "{run}");
    let part = rows(&folder.ok(&["export", "--device", "sensor_002", "--since", "2025-08-06T10:05:00Z"]));
    assert_eq!(part.len(), 30);
    assert!(part.iter().all(|it| it["device_id"] == "sensor_002"));
    assert!(part[0]["timestamp"].as_str().unwrap() >= "2025-08-06T10:05");
}

#[test]
fn a_device_named_like_a_formula_is_harmless_in_csv_and_survives_it() {
    let folder = Folder::new();
    let message = r#"{"device_id":"=cmd|' /C calc'!A0","timestamp":"2025-08-06T10:00:00Z","temperature":-20}"#;
    folder.run_with(&["import", "-"], message);
    let csv = folder.ok(&["export", "--output-format", "csv"]);
    assert!(csv.lines().nth(1).unwrap().starts_with("'=cmd|"), "{csv}");
    assert!(csv.contains(",-20,"), "{csv}");
    let second = Folder::new();
    second.write("t.csv", &csv);
    second.ok(&["import", "t.csv"]);
    assert_eq!(exported(&second)[0]["device_id"], "=cmd|' /C calc'!A0");
}

#[test]
fn refused_rows_are_told_by_number_and_kept_and_the_rest_is_stored() {
    let folder = Folder::new();
    folder.write(
        "pumps.csv",
        "pump,at,t1\na,2025-08-06 10:00:00,20\na,2025-08-06 10:00:10,warm\na,soon,21\na,2025-08-06 10:00:30\na,2025-08-06 10:00:40,22\n",
    );
    let mut args = vec!["import", "pumps.csv", "--device-column", "pump", "--time-column", "at"];
    args.extend(["--map", "temperature=t1"]);
    insta::assert_snapshot!(folder.run(&args));
    assert_eq!(exported(&folder).len(), 2);
    let kept = letters(&folder);
    let of = |key: &str| kept.iter().map(|it| it[key].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(of("code"), ["malformed_row", "bad_timestamp", "wrong_type"]);
    assert_eq!(of("payload")[0], "a,2025-08-06 10:00:30");
    assert_eq!(
        of("payload")[2],
        r#"{"at":"2025-08-06 10:00:10","pump":"a","t1":"warm"}"#
    );
}

fn letters(folder: &Folder) -> Vec<Value> {
    rows(&folder.ok(&["dead-letters", "list", "--format", "ndjson"]))
}

#[test]
fn what_was_refused_is_kept_shown_and_sent_again_once_it_can_be_taken() {
    let folder = Folder::new();
    let messages = "{\"device_id\":\"a\",\"timestamp\":\"2025-08-06T10:00:00Z\",\"pressure\":3}\nnot json\n";
    let run = folder.run_with(&["consume"], messages);
    assert_eq!(run.code, 0, "{run}");
    let codes: Vec<Value> = letters(&folder).iter().map(|it| it["code"].clone()).collect();
    assert_eq!(codes, ["malformed_json", "no_signal"]);
    let shown = folder.ok(&["dead-letters", "show", "2", "--format", "csv"]);
    assert!(shown.contains("payload,not json"), "{shown}");

    folder.write("hark.toml", "[[signals]]\nname = \"pressure\"\n");
    let run = folder.run(&["dead-letters", "replay", "--all"]);
    assert!(
        run.stderr
            .contains("1 readings stored, 0 were there already, 1 refused"),
        "{run}"
    );
    assert_eq!(letters(&folder).len(), 1);
    assert_eq!(exported(&folder)[0]["pressure"], 3.0);

    for what in ["replay", "purge"] {
        let tried = folder.run(&["dead-letters", what, "--all", "--dry-run", "--json"]);
        assert!(
            tried.code == 0 && tried.stdout.contains("\"dead_letters\": 1"),
            "{tried}"
        );
    }
    assert_eq!(letters(&folder).len(), 1);
    let asked = folder.run(&["dead-letters", "purge", "--all"]);
    assert_eq!(asked.code, 2, "{asked}");
    folder.ok(&["dead-letters", "purge", "--all", "--yes"]);
    assert_eq!(letters(&folder).len(), 0);
}

fn states(run: &Run) -> Vec<(String, String)> {
    let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    rows(&run.stdout)
        .iter()
        .map(|it| (text(it, "part"), text(it, "state")))
        .collect()
}

#[test]
fn the_doctor_names_what_is_broken_and_how_to_mend_it() {
    let folder = Folder::new();
    folder.write(
        "hark.toml",
        "[api]\nlisten = \"127.0.0.1:0\"\n[dashboard]\nlisten = \"127.0.0.1:0\"\n",
    );
    let doctor = || folder.run(&["doctor", "--format", "ndjson"]);
    let empty = doctor();
    assert_eq!(empty.code, 0, "{empty}");
    assert!(
        states(&empty).contains(&("data folder".to_owned(), "warning".to_owned())),
        "{empty}"
    );

    folder.write("t.csv", "device_id,timestamp,temperature\na,2025-08-06T10:00:00Z,20\n");
    folder.ok(&["import", "t.csv"]);
    let sound = doctor();
    assert_eq!(sound.code, 0, "{sound}");
    assert!(
        states(&sound).contains(&("warehouse".to_owned(), "ok".to_owned())),
        "{sound}"
    );
    assert!(
        states(&sound).contains(&("model".to_owned(), "warning".to_owned())),
        "{sound}"
    );

    std::fs::create_dir_all(folder.path("hark-data/models")).unwrap();
    folder.write("hark-data/models/live", "m-0009\n");
    folder.write("hark-data/hark.db", "this is no database");
    let broken = doctor();
    assert_eq!(broken.code, 1, "{broken}");
    assert!(
        states(&broken).contains(&("warehouse".to_owned(), "broken".to_owned())),
        "{broken}"
    );
    assert!(
        states(&broken).contains(&("model".to_owned(), "broken".to_owned())),
        "{broken}"
    );
    assert!(broken.stderr.contains("2 parts are broken"), "{broken}");
}
