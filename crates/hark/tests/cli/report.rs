//! The report of a time that is over.

use super::Folder;

const SIMULATED: [&str; 9] = [
    "simulate",
    "--start",
    "2025-08-06T10:00:00Z",
    "--duration",
    "2h",
    "--devices",
    "3",
    "--output",
    "readings.ndjson",
];

fn imported() -> Folder {
    let folder = Folder::new();
    folder.ok(&SIMULATED);
    let mut readings = std::fs::read_to_string(folder.path("readings.ndjson")).unwrap();
    readings.push_str(
        "{\"device_id\":\"lost\",\"timestamp\":\"2025-08-06T10:00:00Z\",\"sensor_data\":{\"temperature\":20.0}}\n",
    );
    folder.write("readings.ndjson", &readings);
    folder.ok(&["import", "readings.ndjson"]);
    folder
}

#[test]
fn a_report_tells_of_readings_devices_and_models() {
    let folder = imported();
    let report = folder.ok(&["report", "--last", "2h", "--to", "2025-08-06T12:00:00Z"]);
    insta::assert_snapshot!(report);
}

#[test]
fn a_report_named_html_is_a_page_with_plots() {
    let folder = imported();
    folder.ok(&["report", "--to", "2025-08-06T12:00:00Z", "--output", "week.html"]);
    let page = std::fs::read_to_string(folder.path("week.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("<svg") && page.contains("lost"));
}
