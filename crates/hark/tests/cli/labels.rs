//! What people say of incidents, in and out of tables.

use std::fmt::Write as _;

use serde_json::Value;

use super::Folder;

/// A folder with three incidents of one device, each of readings beyond a limit.
fn hot() -> Folder {
    let folder = Folder::new();
    folder.write("hark.toml", "[[signals]]\nname = \"temperature\"\nhigh = 40\n");
    let mut csv = "device_id,timestamp,temperature\n".to_owned();
    for step in 0..540 {
        let (hour, minute, second) = (step / 360, step / 6 % 60, step % 6 * 10);
        let temperature = if step % 180 >= 90 && step % 180 < 100 {
            60 + step / 180
        } else {
            20 + step % 3
        };
        writeln!(csv, "a,2025-08-06T{hour:02}:{minute:02}:{second:02}Z,{temperature}").unwrap();
    }
    folder.write("t.csv", &csv);
    folder.ok(&["import", "t.csv"]);
    folder
}

fn rows(folder: &Folder, args: &[&str]) -> Vec<Value> {
    serde_json::from_str(&folder.ok(&[args, &["--json"]].concat())).unwrap()
}

#[test]
fn labels_go_out_and_come_back() {
    let folder = hot();
    let ids: Vec<String> = rows(&folder, &["incidents", "list", "--all"])
        .iter()
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 3);
    folder.write(
        "labels.csv",
        &format!(
            "incident_id,label,note\n{},true,a bearing\n{},false_alarm,\n01k5tqs4d8000hq3v2m9x7ab,true,\n",
            ids[1], ids[2]
        ),
    );
    let tried = folder.run(&["labels", "import", "labels.csv", "--dry-run"]);
    assert!(
        tried.code == 1 && tried.stderr.contains("2 incidents would be labelled"),
        "{tried}"
    );
    assert!(rows(&folder, &["labels", "list"]).is_empty());
    let run = folder.run(&["labels", "import", "labels.csv", "--who", "kim", "--json"]);
    assert!(run.code == 1 && run.stderr.contains("row 3: incident"), "{run}");
    assert!(run.stdout.contains("\"labelled\": 2"), "{run}");
    let again = folder.run(&["labels", "import", "labels.csv", "--who", "kim"]);
    assert!(
        again
            .stderr
            .contains("0 incidents labelled, 2 were labelled so already"),
        "{again}"
    );

    let listed = rows(&folder, &["labels", "list", "--label", "true"]);
    assert_eq!(
        (&listed[0]["who"], &listed[0]["note"]),
        (&"kim".into(), &"a bearing".into())
    );
    let stats = rows(&folder, &["labels", "stats"]);
    let value = |name: &str| stats.iter().find(|it| it["property"] == name).unwrap()["value"].clone();
    assert_eq!((value("true"), value("precision")), (1.into(), 0.5.into()));

    folder.ok(&["labels", "export", "--output", "out.ndjson"]);
    let second = hot();
    second.write("in.ndjson", &folder.read("out.ndjson"));
    second.ok(&["labels", "import", "in.ndjson"]);
    assert_eq!(rows(&second, &["labels", "list"]).len(), 2);
}

#[test]
fn an_incident_is_shown_with_those_before_it_and_what_they_were() {
    let folder = hot();
    let ids = rows(&folder, &["incidents", "list", "--all"]);
    let (newest, oldest) = (ids[0]["id"].as_str().unwrap(), ids[2]["id"].as_str().unwrap());
    folder.write("labels.csv", &format!("incident_id,label\n{oldest},sensor_fault\n"));
    folder.ok(&["labels", "import", "labels.csv"]);
    let shown = folder.ok(&["incidents", "show", newest]);
    let before: Vec<&str> = shown.lines().filter(|it| it.starts_with("seen_before")).collect();
    assert_eq!(before.len(), 2, "{shown}");
    let oldest: Vec<&&str> = before.iter().filter(|it| it.contains(oldest)).collect();
    assert!(oldest[0].contains("(sensor_fault, distance "), "{shown}");
}
