//! Asking for verdicts.

use detector::limits::SignalLimits;

use super::support::{Running, masked, reading};

const ASKED: &str = r#"{"device_id":"pump-1","temperature":21.4,"vibration":1.1}"#;
const FAR_OFF: &str = r#"{"device_id":"pump-1","temperature":80,"vibration":9.9}"#;

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_model_the_answer_says_how_far_the_learning_is() {
    let running = Running::start().await;
    running.post_json("/api/v1/readings", reading("a", 0, 20.0)).await;
    let answer = running.post_json("/detect", ASKED).await;
    assert_eq!(answer.problem(503).0, "no_model");
    assert_eq!(answer.json()["detail"], "learning: 1 readings stored, 300 needed");
    assert!(answer.headers.contains_key("retry-after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_model_a_limit_speaks_all_the_same() {
    let running = Running::start_with(|config| {
        let high = Some(30.0);
        config.limits = vec![(
            "temperature".to_owned(),
            SignalLimits {
                high,
                ..Default::default()
            },
        )];
    })
    .await;
    let odd = running.post_json("/detect", FAR_OFF).await;
    assert_eq!(odd.status, 200);
    let odd = odd.json();
    assert_eq!(
        (&odd["is_temp_anomaly"], &odd["model_version"]),
        (&true.into(), &"limits".into())
    );
    assert!(
        odd["is_vibration_anomaly"].is_null() && odd["reasons"][0]["text"].is_string(),
        "{odd}"
    );
    assert_eq!(running.post_json("/detect", ASKED).await.problem(503).0, "no_model");
    let one = running.post_json("/detect/temperature", FAR_OFF).await.json();
    assert_eq!(one["is_anomaly"], true);
    assert_eq!(
        running.post_json("/detect/vibration", FAR_OFF).await.problem(503).0,
        "no_model"
    );
    let both = running.post_json("/detect/batch", format!("[{ASKED},{FAR_OFF}]")).await;
    assert_eq!(both.status, 207);
    let both = both.json();
    assert_eq!(
        (&both[0]["error"]["code"], &both[1]["is_anomaly"]),
        (&"no_model".into(), &true.into())
    );
    let none = running.post_json("/detect/batch", format!("[{ASKED}]")).await;
    assert_eq!(none.problem(503).0, "no_model");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_judged_with_the_fields_of_the_contract() {
    let running = Running::trained().await;
    let answer = running.post_json("/detect", ASKED).await;
    insta::assert_json_snapshot!("detect", masked(answer.json()));
    let odd = running.post_json("/detect", FAR_OFF).await.json();
    assert_eq!(
        (&odd["is_anomaly"], &odd["is_temp_anomaly"]),
        (&true.into(), &true.into())
    );
    assert!(odd["temp_anomaly_score"].as_f64().unwrap() < 0.0 && odd["reasons"][0]["text"].is_string());
    let one = running
        .post_json("/detect/temperature", r#"{"device_id":"nobody","temperature":21.4}"#)
        .await;
    insta::assert_json_snapshot!("detect_temperature", masked(one.json()));
    assert_eq!(
        running.post_json("/detect/temp", ASKED).await.json()["temperature"],
        21.4
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_changes_nothing() {
    let running = Running::trained().await;
    let first = running.post_json("/detect", ASKED).await.json();
    for _ in 0..3 {
        running.post_json("/detect", FAR_OFF).await;
    }
    let later = running.post_json("/detect", ASKED).await.json();
    assert_eq!(
        (&first["history"], &first["anomaly_score"]),
        (&later["history"], &later["anomaly_score"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_is_judged_as_what_is_stored() {
    let running = Running::trained().await;
    let body = reading("pump-2", 600, 29.0);
    let asked = running.post_json("/detect", body.clone()).await.json();
    running.post_json("/api/v1/readings", body).await;
    let stored = running.get("/api/v1/readings?device_id=pump-2&limit=1").await.json();
    let verdict = &stored["readings"][0]["verdict"];
    assert!(asked["once_in_days"].is_number(), "{asked}");
    assert_eq!(verdict["once_in_days"], asked["once_in_days"]);
    assert_eq!(verdict["score"], asked["anomaly_score"]);
    assert_eq!(
        verdict["signals"]["vibration"]["score"],
        asked["vibration_anomaly_score"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_signal_is_named() {
    let running = Running::trained().await;
    let part = r#"{"device_id":"pump-1","temperature":21}"#;
    let missing = |field: &str| ("missing_field".to_owned(), field.to_owned());
    assert_eq!(
        running.post_json("/detect", part).await.problem(422),
        missing("vibration")
    );
    assert_eq!(
        running.post_json("/detect/vibration", part).await.problem(422),
        missing("vibration")
    );
    let none = r#"{"device_id":"pump-1"}"#;
    assert_eq!(
        running.post_json("/detect/temperature", none).await.problem(422),
        missing("temperature")
    );
    assert_eq!(
        running.post_json("/detect/humidity", part).await.problem(404).1,
        "signal"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_keeps_its_order_and_puts_an_error_in_the_place_of_a_bad_one() {
    let running = Running::trained().await;
    let batch = format!(r#"[{FAR_OFF},{{"device_id":"x"}},{ASKED}]"#);
    let answer = running.post_json("/detect/batch", batch).await;
    assert_eq!(answer.status, 207);
    let items = answer.json();
    assert_eq!(
        (&items[0]["temperature"], &items[2]["temperature"]),
        (&80.0.into(), &21.4.into())
    );
    assert_eq!(
        (&items[1]["error"]["code"], &items[1]["error"]["status"]),
        (&"no_signal".into(), &422.into())
    );
    let lines = running
        .post("/detect/batch", "application/x-ndjson", format!("{ASKED}\n{FAR_OFF}\n"))
        .await;
    assert_eq!(
        (lines.status.as_u16(), &lines.headers["content-type"]),
        (200, &"application/x-ndjson".parse().unwrap())
    );
    assert_eq!(lines.bytes.iter().filter(|it| **it == b'\n').count(), 2);
    assert_eq!(
        running.post_json("/detect/batch", "[]").await.json(),
        serde_json::json!([])
    );
    assert_eq!(
        running.post_json("/detect/batch", ASKED).await.problem(422).0,
        "wrong_type"
    );
    assert_eq!(
        running.post_json("/detect", format!("[{ASKED}]")).await.problem(422).0,
        "wrong_type"
    );
    let many = format!("[{}{ASKED}]", format!("{ASKED},").repeat(499));
    assert_eq!(
        running
            .post_json("/detect/batch", many)
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        500
    );
}
