//! What comes over Pub/Sub and cannot be read.

use super::support::{Place, told};

/// `oops` with two bytes behind it that no text has, in base64.
const UNREADABLE: &str = "b29wc/8A";

/// A reading.
const READING: &str =
    "eyJkZXZpY2VfaWQiOiJhIiwidGltZXN0YW1wIjoiMjAyNi0wMS0wMVQwMDowMDowMFoiLCJ0ZW1wZXJhdHVyZSI6MjAsInZpYnJhdGlvbiI6MX0=";

/// Publishes as any sender might, by Pub/Sub's own interface.
fn publish(place: &Place, messages: &str) {
    let script = format!(
        "curl --silent --show-error --fail -X POST -H 'Content-Type: application/json' \
         http://$PUBSUB_EMULATOR_HOST/v1/projects/$PROJECT_ID/topics/$TOPIC_NAME:publish -d '{{\"messages\": [{messages}]}}'"
    );
    let output = place.command("bash").args(["-c", &script]).output().unwrap();
    told(output, "publishing");
}

#[test]
fn what_cannot_be_read_is_kept_with_its_bytes_and_reason_and_comes_no_more() {
    let place = Place::new();
    std::fs::write(
        place.dir.path().join("hark.toml"),
        "[bus]\nkind = \"pubsub\"\n[warehouse]\nkind = \"bigquery\"\n",
    )
    .unwrap();
    place.hark(&["setup"]);
    publish(
        &place,
        &format!(r#"{{"data": "{UNREADABLE}"}}, {{"data": "{READING}"}}"#),
    );
    place.hark(&["consume", "--until-idle", "3s", "--data-dir", "consumer"]);
    let list = || -> serde_json::Value {
        serde_json::from_slice(&place.hark(&["dead-letters", "list", "--format", "json"])).unwrap()
    };
    let letters = list();
    assert_eq!(letters.as_array().map(Vec::len), Some(1), "{letters}");
    let told = ["source", "code"].map(|it| letters[0][it].as_str());
    assert_eq!(told, [Some("pubsub"), Some("malformed_json")], "{letters}");
    let id = letters[0]["id"].to_string();
    let shown = String::from_utf8(place.hark(&["dead-letters", "show", &id, "--format", "csv"])).unwrap();
    assert!(shown.contains("payload_hex,6f6f7073ff00"), "{shown}");
    let stored = place.hark(&["export", "--output", "-"]);
    assert_eq!(stored.iter().filter(|it| **it == b'\n').count(), 1);
    // It was acknowledged, so another consumer does not get it.
    place.hark(&["consume", "--until-idle", "3s", "--data-dir", "other"]);
    assert_eq!(list(), letters);
}
