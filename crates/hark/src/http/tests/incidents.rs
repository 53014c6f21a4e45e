//! Incidents: told once with their readings, moved on by people, and said to everyone.

use detector::limits::SignalLimits;
use domain::{IncidentId, Timestamp};
use serde_json::{Value, json};
use warehouse::conformance::incident;
use warehouse::{Commit, IncidentUpdate};

use super::support::{Running, masked, reading};

/// An incident that is there without the readings that would make it.
pub(super) async fn told(running: &Running, device: &str, began: i64, readings: u64) -> IncidentId {
    let incident = incident(device, began, readings);
    let (id, at) = (incident.id.clone(), incident.last);
    let commit = Commit {
        incidents: vec![IncidentUpdate { incident, at }],
        ..Commit::default()
    };
    running.app.warehouse.store(commit).await.unwrap();
    id
}

async fn list(running: &Running, query: &str) -> Vec<Value> {
    let answer = running.get(&format!("/api/v1/incidents{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["incidents"].as_array().unwrap().clone()
}

async fn act(running: &Running, id: &IncidentId, what: &str, body: Value) -> super::support::Answer {
    let path = format!("/api/v1/incidents/{id}/{what}");
    running.post_json(&path, body.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_one_incident_whatever_comes_twice() {
    let running = Running::trained().await;
    let hot: Vec<String> = (0..12).map(|it| reading("pump-1", 601 + it, 90.0)).collect();
    for body in [&hot[..6], &hot[..6], &hot[3..], &hot[..1]] {
        let answer = running
            .post("/api/v1/readings", "application/x-ndjson", body.join("\n"))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let incidents = list(&running, "").await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let it = &incidents[0];
    assert_eq!(
        (&it["readings"], &it["ongoing"], &it["state"]),
        (&json!(12), &json!(true), &json!("open"))
    );
    assert_eq!(
        (&it["signals"][0]["signal"], &it["signals"][0]["direction"]),
        (&json!("temperature"), &json!("above"))
    );
    assert!(
        it["reason"]
            .as_str()
            .unwrap()
            .contains("at its worst temperature 90.0 °C"),
        "{it}"
    );
    let summary = running.get("/api/v1/summary").await.json();
    assert_eq!(
        (&summary["incidents"]["open"], &summary["incidents"]["ongoing"]),
        (&json!(1), &json!(1))
    );
    let device = running.get("/api/v1/devices/pump-1").await.json();
    assert_eq!(device["incident"]["id"], it["id"]);
    let detail = running
        .get(&format!("/api/v1/incidents/{}", it["id"].as_str().unwrap()))
        .await
        .json();
    let readings = running.get(detail["readings_url"].as_str().unwrap()).await.json();
    let anomalous = |it: &&Value| it["verdict"]["is_anomaly"] == json!(true);
    assert_eq!(
        readings["readings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(anomalous)
            .count(),
        12
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_beyond_a_limit_is_told_at_once_without_any_model() {
    let running = Running::start_with(|config| {
        let limits = SignalLimits {
            high: Some(30.0),
            ..SignalLimits::default()
        };
        config.limits = vec![("temperature".to_owned(), limits)];
    })
    .await;
    let readings = [(-4_000, 29.9), (-3_999, 30.5)].map(|(at, value)| reading("kiln", at, value));
    running
        .post("/api/v1/readings", "application/x-ndjson", readings.join("\n"))
        .await;
    let stored = running.get("/api/v1/readings?order=oldest").await.json();
    assert_eq!(stored["readings"][0]["verdict"], Value::Null);
    assert_eq!(stored["readings"][1]["verdict"]["is_anomaly"], json!(true));
    let incidents = list(&running, "").await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert_eq!(incidents[0]["signals"][0]["signal"], json!("temperature"));
    assert_eq!(
        (&incidents[0]["kind"], &incidents[0]["ongoing"]),
        (&json!("limit"), &json!(true))
    );
    let later = reading("kiln", 0, 25.0);
    running.post("/api/v1/readings", "application/x-ndjson", later).await;
    assert_eq!(list(&running, "").await[0]["ongoing"], json!(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_says_all_about_itself() {
    let running = Running::start().await;
    let past = told(&running, "pump 1", 1_000, 3).await;
    let other = told(&running, "pump 2", 1_500, 3).await;
    act(&running, &past, "label", json!({"label": "false_alarm"})).await;
    let id = told(&running, "pump 1", 90_000, 3).await;
    act(&running, &id, "comment", json!({"who": "kim", "text": "<b>odd</b>"})).await;
    let detail = running.get(&format!("/api/v1/incidents/{id}")).await.json();
    assert_eq!(detail["nearest"].as_array().unwrap().len(), 1);
    assert_eq!(detail["nearest"][0]["incident"]["id"], json!(past.as_str()));
    assert_ne!(past, other);
    insta::assert_json_snapshot!("an_incident", masked(detail));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_moved_on_and_what_makes_no_sense_is_refused() {
    let running = Running::start().await;
    let id = told(&running, "a", 1_000, 3).await;
    let seen = act(&running, &id, "acknowledge", json!({"who": "kim"})).await.json();
    assert_eq!(
        (&seen["state"], &seen["assignee"]),
        (&json!("acknowledged"), &json!("kim"))
    );
    let again = act(&running, &id, "acknowledge", json!({})).await.problem(409);
    assert_eq!(again.0, "illegal_transition");
    let snoozed = act(
        &running,
        &id,
        "snooze",
        json!({"reason": "a part is ordered", "for": "2h"}),
    )
    .await
    .json();
    assert_eq!(snoozed["state"], "snoozed");
    let until = Timestamp::parse(snoozed["snoozed_until"].as_str().unwrap()).unwrap();
    let hours = until.seconds_since(crate::runtime::clock::now()) / 3_600.0;
    assert!((1.9..2.1).contains(&hours), "{hours}");
    let wrong = [
        ("snooze", json!({"for": "2h"}), 422),
        ("snooze", json!({"reason": " ", "for": "2h"}), 422),
        ("snooze", json!({"reason": "x"}), 422),
        (
            "snooze",
            json!({"reason": "x", "for": "2h", "until": "2030-01-01T00:00:00Z"}),
            422,
        ),
        ("snooze", json!({"reason": "x", "for": "soon"}), 422),
        ("snooze", json!({"reason": "x", "for": "9000d"}), 422),
        ("snooze", json!({"reason": "x", "until": "2020-01-01T00:00:00Z"}), 422),
        ("label", json!({"label": "maybe"}), 400),
        ("label", json!({}), 422),
        ("comment", json!({"text": ""}), 422),
        ("comment", json!({"text": "x".repeat(2_001)}), 422),
        ("resolve", json!({"colour": "red"}), 422),
        ("resolve", json!([1]), 422),
    ];
    for (what, body, status) in wrong {
        act(&running, &id, what, body).await.problem(status);
    }
    let path = format!("/api/v1/incidents/{id}/resolve");
    running.post_json(&path, "{").await.problem(400);
    running.get("/api/v1/incidents/../../etc").await.problem(404);
    running.get("/api/v1/incidents/x").await.problem(404);
    let nobody = IncidentId::new(&domain::DeviceId::new("b").unwrap(), Timestamp::EPOCH);
    act(&running, &nobody, "resolve", json!({})).await.problem(404);
    assert_eq!(
        act(&running, &id, "resolve", json!({})).await.json()["state"],
        "resolved"
    );
    act(&running, &id, "acknowledge", json!({})).await.problem(409);
    assert_eq!(act(&running, &id, "undo", json!({})).await.json()["state"], "snoozed");
    act(&running, &id, "undo", json!({})).await.problem(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_are_listed_by_state_time_and_label() {
    let running = Running::start().await;
    for nth in 0..5 {
        told(&running, "a", nth * 100_000, 3).await;
    }
    let id = told(&running, "b", 1_000, 3).await;
    act(&running, &id, "label", json!({"label": "true"})).await;
    act(&running, &id, "resolve", json!({})).await;
    let cases = [
        ("", 6),
        ("?state=open", 5),
        ("?state=unresolved", 5),
        ("?state=acknowledged,resolved", 1),
        ("?label=true", 1),
        ("?label=none", 5),
        ("?severity=warning&device_id=a&ongoing=true", 5),
        ("?severity=critical", 0),
        ("?from=1970-01-02T00:00:00Z", 4),
        ("?to=1970-01-02T00:00:00Z", 2),
    ];
    for (query, expected) in cases {
        assert_eq!(list(&running, query).await.len(), expected, "{query}");
    }
    for query in [
        "?state=shut",
        "?label=maybe",
        "?severity=high",
        "?ongoing=1",
        "?limit=0",
        "?cursor=x",
        "?stat=open",
    ] {
        running.get(&format!("/api/v1/incidents{query}")).await.problem(400);
    }
    let page = running.get("/api/v1/incidents?limit=4").await.json();
    let next = super::support::escaped(page["next"].as_str().unwrap());
    assert_eq!(list(&running, &format!("?limit=4&cursor={next}")).await.len(), 2);
}
