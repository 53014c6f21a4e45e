//! The live stream.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::support::{Running, reading};

/// Long enough for any machine; only a broken stream waits so long.
const FOREVER: Duration = Duration::from_secs(60);

struct Listener(Body);

/// An event: its name, id and data.
#[derive(Debug)]
struct Event {
    name: String,
    id: String,
    data: serde_json::Value,
}

impl Listener {
    async fn open(running: &Running, last_event_id: Option<&str>) -> Self {
        let mut request = Request::get("/api/v1/stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = running
            .router
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let mut listener = Self(response.into_body());
        assert_eq!(listener.text().await.as_deref(), Some("retry: 3000\n\n"));
        listener
    }

    async fn text(&mut self) -> Option<String> {
        let frame = tokio::time::timeout(FOREVER, self.0.frame())
            .await
            .expect("the stream goes on")?;
        Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
    }

    async fn event(&mut self) -> Event {
        let text = self.text().await.expect("one more event");
        let field = |name: &str| {
            text.lines()
                .find_map(|it| it.strip_prefix(name))
                .unwrap_or_default()
                .to_owned()
        };
        Event {
            name: field("event: "),
            id: field("id: "),
            data: serde_json::from_str(&field("data: ")).unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_committed_reading_is_told_and_told_again_to_one_that_comes_back() {
    let running = Running::start().await;
    let mut listener = Listener::open(&running, None).await;
    running.post_json("/api/v1/readings", reading("a", 0, 20.0)).await;
    let first = listener.event().await;
    assert_eq!(
        (first.name.as_str(), &first.data["readings"][0]["device_id"]),
        ("readings", &"a".into())
    );
    drop(listener);
    running.post_json("/api/v1/readings", reading("b", 0, 20.0)).await;
    running.post_json("/api/v1/readings", reading("c", 0, 20.0)).await;
    let mut back = Listener::open(&running, Some(&first.id)).await;
    let mut devices = Vec::new();
    while devices.len() < 2 {
        let event = back.event().await;
        assert_ne!(event.id, first.id);
        let readings = event.data["readings"].as_array().unwrap().iter();
        devices.extend(readings.map(|it| it["device_id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(devices, ["b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_comes_back_from_another_process_is_told_to_load_anew() {
    let running = Running::start().await;
    for id in ["5f3-17", "nonsense", ""] {
        let mut listener = Listener::open(&running, Some(id)).await;
        assert_eq!(listener.event().await.name, "reset", "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_commit_is_cut_down_to_each_devices_newest() {
    let running = Running::start().await;
    let mut listener = Listener::open(&running, None).await;
    let lines: Vec<String> = (0..500)
        .map(|it| reading(&format!("d{}", it % 7), it, f64::from(it as i32)))
        .collect();
    running
        .post("/api/v1/readings", "application/x-ndjson", lines.join("\n"))
        .await;
    let (mut told, mut skipped, mut newest) = (0, 0, 0.0);
    while told + skipped < 500 {
        let event = listener.event().await;
        let readings = event.data["readings"].as_array().unwrap();
        told += readings.len() as u64;
        skipped += event.data["skipped"].as_u64().unwrap_or(0);
        newest = readings.last().unwrap()["values"]["temperature"].as_f64().unwrap();
    }
    assert_eq!(newest, 499.0);
    assert!(told <= 400, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_model_is_told_and_the_end_as_well() {
    let running = Running::trained().await;
    let mut listener = Listener::open(&running, None).await;
    running.register_again();
    running.post_json("/api/v1/models/m-0002/promote", "").await;
    let event = listener.event().await;
    assert_eq!(
        (event.name.as_str(), &event.data["version"]),
        ("model", &"m-0002".into())
    );
    running.stop.cancel();
    assert_eq!(listener.event().await.name, "bye");
    assert_eq!(listener.text().await, None);
}
