//! Devices, the summary, signals, models and health.

use axum::http::StatusCode;
use detector::limits::SignalLimits;
use serde_json::json;

use super::support::{Running, masked, reading};
use crate::runtime::canary;

#[tokio::test(flavor = "multi_thread")]
async fn devices_say_where_they_stand_and_how_they_are() {
    let running = Running::trained().await;
    let devices = running.get("/api/v1/devices").await.json();
    let devices = devices["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 3);
    assert_eq!(
        (&devices[0]["state"], &devices[0]["readings"]),
        (&"fine".into(), &360.into())
    );
    let detail = running.get("/api/v1/devices/pump-2").await.json();
    insta::assert_json_snapshot!("a_device", masked(detail));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_last_reading_is_anomalous_is_odd_in_every_answer() {
    let running = Running::trained().await;
    running
        .post_json("/api/v1/readings", reading("pump-3", 595, 90.0))
        .await;
    let device = running.get("/api/v1/devices/pump-3").await.json();
    assert_eq!(
        (&device["state"], &device["last"]["verdict"]["is_anomaly"]),
        (&"odd".into(), &true.into())
    );
    let summary = running.get("/api/v1/summary?hours=1").await.json();
    assert_eq!(summary["devices"]["odd"], 1);
    assert_eq!(summary["newest_anomalies"][0]["device_id"], "pump-3");
    assert_eq!(summary["by"]["floor"][2]["odd"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_there_from_its_first_reading_on() {
    let running = Running::trained().await;
    let before = running.get("/api/v1/devices/newcomer").await;
    assert_eq!(before.status, StatusCode::NOT_FOUND);
    running
        .post_json("/api/v1/readings", reading("newcomer", 595, 21.0))
        .await;
    let device = running.get("/api/v1/devices/newcomer").await.json();
    assert_eq!(device["readings"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_believed_is_told_of_the_device() {
    let running = Running::trained().await;
    let post = async |room: &str, second: i64, vibration: f64| {
        let body = json!({"device_id": "twin", "timestamp": format!("2026-01-05T10:00:{second:02}Z"),
            "location": {"room": room}, "temperature": 20.0, "vibration": vibration});
        running.post_json("/api/v1/readings", body.to_string()).await;
        running.get("/api/v1/devices/twin").await.json()["doubts"].clone()
    };
    assert_eq!(post("1", 0, 1.0).await, json!([]));
    assert_eq!(
        post("1", 10, -1.0).await,
        json!([{"kind": "impossible", "signal": "vibration"}])
    );
    assert_eq!(post("2", 20, 14.0).await, json!([]));
    assert_eq!(running.get("/api/v1/incidents").await.json()["incidents"], json!([]));
    assert_eq!(
        post("1", 30, 1.0).await,
        json!([{"kind": "two_places", "signal": null}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_readings_of_one_time_are_a_doubt_unless_they_are_the_same() {
    let running = Running::trained().await;
    let kinds = async |second: i64, temperature: f64| -> Vec<String> {
        let body = json!({"device_id": "twin", "timestamp": format!("2026-01-05T{:02}:00:{:02}Z", 10 + second / 3_600, second % 60),
            "temperature": temperature, "vibration": 1.0});
        running.post_json("/api/v1/readings", body.to_string()).await;
        let device = running.get("/api/v1/devices/twin").await.json();
        let doubts = device["doubts"].as_array().unwrap();
        doubts
            .iter()
            .map(|it| it["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(kinds(0, 20.0).await.is_empty());
    assert!(kinds(0, 20.0).await.is_empty(), "it was delivered twice");
    assert_eq!(kinds(0, 31.0).await, ["two_values"]);
    assert_eq!(kinds(0, 31.0).await, ["two_values"]);
    assert_eq!(kinds(10, 20.1).await, ["two_values"], "the other sender is still there");
    assert!(kinds(7_200, 20.0).await.is_empty(), "an hour is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_outside_the_range_of_its_sensor_is_a_doubt_and_no_incident() {
    let running = Running::start_with(|config| {
        let limits = SignalLimits {
            high: Some(60.0),
            possible_high: Some(125.0),
            ..SignalLimits::default()
        };
        config.limits = vec![("temperature".to_owned(), limits)];
    })
    .await;
    let after = async |second: i64, temperature: f64| {
        let body = reading("press", second, temperature);
        running.post_json("/api/v1/readings", body).await;
        let device = running.get("/api/v1/devices/press").await.json();
        let incidents = running.get("/api/v1/incidents").await.json();
        (
            device["doubts"][0]["kind"].clone(),
            incidents["incidents"].as_array().unwrap().len(),
        )
    };
    assert_eq!(after(0, 5_000.0).await, (json!("impossible"), 0));
    assert_eq!(after(10, 124.0).await, (json!(null), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_is_a_doubt_and_one_beyond_a_limit_an_incident_too() {
    let running = Running::start_with(|config| {
        let limits = SignalLimits {
            high: Some(60.0),
            fastest: Some(2.0),
            ..SignalLimits::default()
        };
        config.limits = vec![("temperature".to_owned(), limits)];
    })
    .await;
    let after = async |second: i64, temperature: f64| {
        running
            .post_json("/api/v1/readings", reading("press", second, temperature))
            .await;
        let device = running.get("/api/v1/devices/press").await.json();
        let incidents = running.get("/api/v1/incidents").await.json();
        (
            device["doubts"][0]["kind"].clone(),
            incidents["incidents"].as_array().unwrap().len(),
        )
    };
    assert_eq!(after(0, 22.0).await, (json!(null), 0));
    assert_eq!(after(1, 50.0).await, (json!("jumped"), 0));
    assert_eq!(after(2, 95.0).await, (json!("jumped"), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_the_inputs_have_drifted_from_the_training_is_measured() {
    let running = Running::trained().await;
    let psi = async || -> f64 {
        let metrics = running.get("/metrics").await;
        let line = "hark_drift_psi{of=\"temperature\"} ";
        let text = String::from_utf8(metrics.bytes.to_vec()).unwrap();
        let value = text.lines().find_map(|it| it.strip_prefix(line)).unwrap();
        value.parse().unwrap()
    };
    assert!(psi().await.is_nan(), "nothing has come yet");
    let hot = async |seconds: std::ops::Range<i64>| {
        let readings: Vec<String> = seconds.step_by(10).map(|at| reading("pump-9", at, 45.0)).collect();
        running
            .post("/api/v1/readings", "application/x-ndjson", readings.join("\n"))
            .await;
    };
    hot(-3_600..-2_000).await;
    assert!(
        psi().await.is_nan(),
        "half an hour is not like the hour of the training"
    );
    hot(-2_000..600).await;
    assert!(psi().await > 0.25);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_summary_says_what_the_first_screen_needs() {
    let running = Running::start().await;
    insta::assert_json_snapshot!("an_empty_summary", masked(running.get("/api/v1/summary").await.json()));
    let running = Running::trained().await;
    let summary = running.get("/api/v1/summary?hours=2").await.json();
    assert_eq!(summary["readings"]["total"], 1_080);
    insta::assert_json_snapshot!("a_summary", masked(summary));
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_are_told_with_their_units() {
    let running = Running::start().await;
    insta::assert_json_snapshot!("signals", running.get("/api/v1/signals").await.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_listed_measured_and_promoted() {
    let running = Running::trained().await;
    insta::assert_json_snapshot!("models", masked(running.get("/api/v1/models").await.json()));
    let metrics = running.get("/api/v1/models/m-0001/metrics").await.json();
    assert_eq!(
        (&metrics["version"], &metrics["threshold"]["policy"]),
        (&"m-0001".into(), &"budget".into())
    );
    assert!(metrics["score_quantiles"]["0.5"].is_f64() && metrics["signals"]["vibration"]["flag_rate"].is_f64());

    running.register_again();
    let promoted = running.post_json("/api/v1/models/m-0002/promote", "").await.json();
    assert_eq!(promoted, serde_json::json!({"live": "m-0002", "previous": "m-0001"}));
    assert_eq!(running.get("/health").await.json()["model_version"], "m-0002");
    assert_eq!(
        running.get("/api/v1/models/m-0002/metrics").await.json()["held_out"],
        serde_json::Value::Null
    );
    assert_eq!(
        running
            .post_json("/api/v1/models/m-0009/promote", "")
            .await
            .problem(404)
            .1,
        "version"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_model_is_refused_and_the_old_one_goes_on() {
    let running = Running::trained().await;
    let dir = running.app.config.data.dir.join("models").join("m-0002");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("model.hark"), b"HARKMODL nonsense").unwrap();
    assert_eq!(
        running
            .post_json("/api/v1/models/m-0002/promote", "")
            .await
            .problem(409)
            .0,
        "model_refused"
    );
    assert_eq!(running.get("/health").await.json()["model_version"], "m-0001");
    let listed = running.get("/api/v1/models").await.json();
    assert!(listed["models"][1]["error"].is_string(), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_and_metrics_are_told() {
    let running = Running::start().await;
    insta::assert_json_snapshot!("health", masked(running.get("/health").await.json()));
    assert_eq!(running.get("/livez").await.status, 200);
    assert_eq!(running.get("/readyz").await.status, 200);
    let metrics = running.get("/metrics").await;
    let text = String::from_utf8(metrics.bytes.to_vec()).unwrap();
    assert!(text.contains("hark_readings_stored_total 0"), "{text}");
    assert!(
        text.contains(r#"hark_http_requests_total{route="/readyz",status="2xx"} 1"#),
        "{text}"
    );
    running.stop.cancel();
    assert_eq!(running.get("/readyz").await.problem(503).0, "stopping");
    assert_eq!(running.get("/livez").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_say_what_was_judged_and_how_things_stand_and_name_no_device() {
    let running = Running::trained().await;
    let odd = format!(
        r#"{{"device_id":"pump-1","timestamp":"{}","temperature":900}}"#,
        crate::runtime::clock::now()
    );
    running.post_json("/api/v1/readings", odd).await;
    let metrics = running.get("/metrics").await;
    let text = String::from_utf8(metrics.bytes.to_vec()).unwrap();
    for expected in [
        "hark_anomalies_total{signal=\"temperature\"} 1\n",
        "hark_verdicts_total{verdict=\"anomalous\"} 1\n",
        "hark_model_info{version=\"m-0001\",kind=\"hybrid\"} 1\n",
        "hark_bus_capacity_messages 65536\n",
        "hark_dead_letters 0\n",
        "hark_commit_seconds_bucket{le=\"+Inf\"}",
        "process_resident_memory_bytes ",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    assert!(!text.contains("pump-1"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_goes_the_whole_way_and_leaves_nothing() {
    let running = Running::start().await;
    let published = running.app.publisher.publish(vec![canary::probe()]).await.unwrap();
    assert_eq!(published, bus::Published::Settled(vec![bus::Outcome::Probe]));
    let text = running.exposed().await;
    let heartbeat = text
        .lines()
        .find_map(|it| it.strip_prefix(r#"hark_heartbeat_timestamp_seconds{stage="canary"} "#));
    assert!(heartbeat.unwrap().parse::<f64>().unwrap() > 0.0, "{text}");
    // What holds bytes is a message, whatever it calls itself.
    let mut posing = canary::probe();
    posing.payload = bytes::Bytes::from_static(b"{");
    let published = running.app.publisher.publish(vec![posing]).await.unwrap();
    assert!(matches!(&published, bus::Published::Settled(it) if matches!(it[..], [bus::Outcome::Rejected(_)])));
    let summary = running.get("/api/v1/summary").await.json();
    assert_eq!(
        (&summary["devices"]["total"], &summary["dead_letters"]),
        (&0.into(), &1.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_headers_that_keep_a_browser_in() {
    let running = Running::start().await;
    for path in ["/health", "/nowhere", "/docs/", "/api/v1/summary"] {
        let headers = running.get(path).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert!(
            headers["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(headers["cache-control"], "no-store", "{path}");
    }
}
