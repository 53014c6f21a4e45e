//! `hark doctor` on Pub/Sub and BigQuery: it finds each thing that `hark setup` makes and somebody took away.

use super::support::{Place, told};

/// Takes something away as an administrator might, by the service's own interface.
fn delete(place: &Place, address: &str) {
    let script = format!("curl --silent --show-error --fail -X DELETE \"{address}\"");
    told(place.command("bash").args(["-c", &script]).output().unwrap(), address);
}

/// Whether all is well, and what is said of what `hark setup` makes.
fn doctor(place: &Place) -> (bool, String, String) {
    let output = place.command("hark").args(["doctor", "--json"]).output().unwrap();
    let findings: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = findings.as_array().unwrap().iter().find(|it| it["part"] == "setup");
    let found = found.unwrap_or_else(|| panic!("nothing of what setup makes: {findings}"));
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (output.status.success(), text("finding"), text("mend"))
}

#[test]
fn doctor_finds_each_thing_that_setup_makes_and_somebody_took_away() {
    let place = Place::new();
    let config = "[bus]\nkind = \"pubsub\"\n[warehouse]\nkind = \"bigquery\"\n[api]\nlisten = \"127.0.0.1:0\"\n";
    std::fs::write(place.dir.path().join("hark.toml"), config).unwrap();
    place.hark(&["setup"]);
    let (is_well, finding, _) = doctor(&place);
    assert!(
        is_well && finding == "all 14 things that `hark setup` makes are there",
        "{finding}"
    );
    delete(
        &place,
        "http://$PUBSUB_EMULATOR_HOST/v1/projects/$PROJECT_ID/subscriptions/$TOPIC_NAME-dead-letters",
    );
    delete(
        &place,
        "$BIGQUERY_REST_ENDPOINT/bigquery/v2/projects/$PROJECT_ID/datasets/$HARK__WAREHOUSE__BIGQUERY__DATASET/tables/device_updates",
    );
    let (is_well, finding, mend) = doctor(&place);
    assert!(
        !is_well && finding.starts_with("2 of 14 things are missing"),
        "{finding}"
    );
    assert!(
        finding.contains("-dead-letters") && finding.contains(".device_updates"),
        "{finding}"
    );
    assert_eq!(mend, "`hark setup` makes what is missing");
    place.hark(&["setup"]);
    assert!(doctor(&place).0);
}
