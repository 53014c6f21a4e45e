//! What people say changes what they are told: labels move the threshold, maintenance keeps it quiet.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::incidents::told;
use super::support::{Running, reading};

async fn post(running: &Running, path: &str, body: Value) -> Value {
    let answer = running.post_json(path, body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

/// Six readings far too hot, and how many incidents their device has then.
async fn heat(running: &Running, device: &str, second: i64) -> usize {
    let hot: Vec<String> = (0..6).map(|it| reading(device, second + it, 90.0)).collect();
    let answer = running
        .post("/api/v1/readings", "application/x-ndjson", hot.join("\n"))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let incidents = running
        .get(&format!("/api/v1/incidents?device_id={device}"))
        .await
        .json();
    incidents["incidents"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_move_the_threshold_that_incidents_must_reach() {
    let running = Running::trained().await;
    for (readings, label) in [(1_u64, "false_alarm"), (2, "false_alarm"), (4, "true"), (3, "expected")] {
        let id = told(&running, "a", readings.cast_signed() * 100_000, readings).await;
        post(
            &running,
            &format!("/api/v1/incidents/{id}/label"),
            json!({"label": label}),
        )
        .await;
    }
    let stats = running.get("/api/v1/labels/stats").await.json();
    assert_eq!(
        (&stats["true"], &stats["false_alarm"], &stats["expected"]),
        (&json!(1), &json!(2), &json!(1))
    );
    assert_eq!(
        stats["suggestion"]["sentence"],
        "a threshold of -0.750 would have removed 2 of 2 false alarms and none of 1 true ones"
    );
    let metrics = running.get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.bytes);
    for expected in [
        "hark_labelled_incidents{label=\"false_alarm\"} 2\n",
        "hark_model_metric{metric=\"precision\",on=\"labels\"} 0.3333333333333333\n",
        "hark_model_metric{metric=\"recall\",on=\"labels\"} 1\n",
        "hark_model_metric{metric=\"f1\",on=\"labels\"} 0.5\n",
    ] {
        assert!(metrics.contains(expected), "{expected} is not in {metrics}");
    }
    let moved = post(
        &running,
        "/api/v1/labels/threshold",
        json!({"threshold": -50, "who": "kim"}),
    )
    .await;
    assert_eq!(
        (&moved["threshold"]["threshold"], &moved["threshold"]["who"]),
        (&json!(-50.0), &json!("kim"))
    );
    assert_eq!(heat(&running, "pump-1", 601).await, 0);
    let back = post(&running, "/api/v1/labels/threshold", json!({"threshold": null})).await;
    assert_eq!(back["threshold"], Value::Null);
    assert_eq!(heat(&running, "pump-2", 601).await, 1);
    for body in [
        json!({"threshold": 0.5}),
        json!({"threshold": "low"}),
        json!({"limit": 1}),
    ] {
        running
            .post_json("/api/v1/labels/threshold", body.to_string())
            .await
            .problem(422);
    }
}

/// How many of six readings far too hot are anomalous.
async fn anomalous(running: &Running, device: &str, second: i64) -> usize {
    heat(running, device, second).await;
    let page = running
        .get(&format!("/api/v1/readings?device_id={device}&limit=6"))
        .await
        .json();
    let readings = page["readings"].as_array().unwrap();
    let anomalous = readings.iter().filter(|it| it["verdict"]["is_anomaly"] == json!(true));
    anomalous.count()
}

/// Ordinary readings of a device, up to 850 seconds.
async fn cool(running: &Running, device: &str, warmth: f64) {
    let cool = (61..86).map(|at| {
        let wave = f64::from(at * 37 % 100) / 100.0;
        let reading = reading(device, i64::from(10 * at), warmth + wave);
        reading.replace("\"vibration\":1.0", &format!("\"vibration\":{}", 1.0 + wave / 4.0))
    });
    let cool: Vec<String> = cool.collect();
    running
        .post("/api/v1/readings", "application/x-ndjson", cool.join("\n"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_a_false_alarm_is_usual_for_its_device_until_it_is_called_a_fault() {
    for (labels, expected) in [(&["false_alarm"][..], 0), (&["false_alarm", "true"], 6)] {
        let running = Running::trained().await;
        assert_eq!(anomalous(&running, "pump-1", 601).await, 6);
        cool(&running, "pump-1", 21.0).await;
        cool(&running, "pump-2", 22.0).await;
        let incidents = running.get("/api/v1/incidents?device_id=pump-1").await.json();
        let id = incidents["incidents"][0]["id"].as_str().unwrap();
        for label in labels {
            let path = format!("/api/v1/incidents/{id}/label");
            post(&running, &path, json!({"label": label})).await;
            running.train().await;
        }
        assert_eq!(anomalous(&running, "pump-1", 860).await, expected, "{labels:?}");
        assert_eq!(
            anomalous(&running, "pump-2", 860).await,
            6,
            "nobody spoke of this device"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_maintenance_nothing_is_learned_and_nobody_told() {
    let running = Running::trained().await;
    let history = async || running.get("/api/v1/devices/pump-1").await.json()["history"].clone();
    let before = history().await;
    let window = post(
        &running,
        "/api/v1/maintenance",
        json!({"device_id": "pump-1", "for": "1h", "reason": "belt"}),
    )
    .await;
    assert_eq!(window["active"], true);
    assert_eq!(heat(&running, "pump-1", 601).await, 0);
    assert_eq!(heat(&running, "pump-2", 601).await, 1, "another device was muted");
    assert_eq!(history().await, before);
    let page = running.get("/api/v1/readings?device_id=pump-1&limit=6").await.json();
    for it in page["readings"].as_array().unwrap() {
        assert_eq!(
            (&it["maintenance"], &it["verdict"]["is_anomaly"]),
            (&json!(true), &json!(true))
        );
    }
    let path = format!("/api/v1/maintenance/{}/end", window["id"]);
    assert_eq!(post(&running, &path, json!({})).await["active"], false);
    running.post_json(&path, "{}").await.problem(404);
    assert_eq!(heat(&running, "pump-1", 860).await, 1);
    for body in [
        json!({"reason": "x"}),
        json!({"for": "1h"}),
        json!({"for": "1h", "reason": ""}),
        json!({"from": "2030-01-01T00:00:00Z", "to": "2029-01-01T00:00:00Z", "reason": "x"}),
    ] {
        running
            .post_json("/api/v1/maintenance", body.to_string())
            .await
            .problem(422);
    }
}
