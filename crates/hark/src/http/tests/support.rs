//! A running Hark for tests, and how to ask it.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use bytes::Bytes;
use detector::Kind;
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::app::{App, Tasks};
use crate::cli::Promotion;
use crate::config::{Config, Environment, Flags};
use crate::runtime::clock;
use crate::runtime::training::{self, Order};

/// Hark in a folder that goes with it.
pub(crate) struct Running {
    pub(crate) app: Arc<App>,
    pub(crate) router: Router,
    pub(crate) stop: CancellationToken,
    _tasks: Tasks,
    _dir: TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answer {
    pub(crate) async fn of(response: axum::response::Response) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            bytes: body.collect().await.unwrap().to_bytes(),
        }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|cause| panic!("{cause}: {:?}", self.bytes))
    }

    /// The problem's code and field, after making sure that it is a problem with this status.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> (String, String) {
        let json = self.json();
        assert_eq!(self.status.as_u16(), status, "{json}");
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(json["status"], status);
        assert_eq!(json["request_id"], self.headers["x-request-id"].to_str().unwrap());
        assert!(json["detail"].as_str().is_some_and(|it| !it.is_empty()), "{json}");
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        (text("code"), text("field"))
    }
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// What Prometheus would read.
    pub(crate) async fn exposed(&self) -> String {
        String::from_utf8(self.get("/metrics").await.bytes.to_vec()).unwrap()
    }

    /// One whose configuration was changed.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::load_with(&Flags::default(), &Environment::default())
            .unwrap()
            .config;
        config.data.dir = dir.path().to_owned();
        change(&mut config);
        config.train.min_readings = 300;
        let stop = CancellationToken::new();
        let (app, subscriber) = App::open(config, stop.clone()).await.unwrap();
        let mut tasks = Tasks::new();
        app.start(subscriber, &mut tasks);
        Self {
            router: super::super::router(app.clone()),
            app,
            stop,
            _tasks: tasks,
            _dir: dir,
        }
    }

    /// Three devices with an hour of readings up to now, and a model that learned from them.
    pub(crate) async fn trained() -> Self {
        Self::trained_as(Kind::default()).await
    }

    /// The same with a model of this kind.
    pub(crate) async fn trained_as(kind: Kind) -> Self {
        Self::trained_with(|config| config.detector.kind = kind).await
    }

    /// The same with a configuration that was changed.
    pub(crate) async fn trained_with(change: impl FnOnce(&mut Config)) -> Self {
        let running = Self::start_with(change).await;
        let answer = running
            .post("/api/v1/readings", "application/x-ndjson", history())
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        running.train().await;
        running
    }

    /// Learns from all that is stored and puts the model in force.
    pub(crate) async fn train(&self) {
        let order = Order::of(&self.app.config, Promotion::Always).unwrap();
        training::train(self.app.warehouse.as_ref(), &self.app.registry, &order, &|_, _| {})
            .await
            .unwrap();
        self.app.live_model.refresh();
    }

    /// Registers `m-0001` once more as `m-0002`, without putting it in force.
    pub(crate) fn register_again(&self) {
        let registry = &self.app.registry;
        let again = detector::Model {
            version: registry.reserve().unwrap().as_str().into(),
            ..registry.load("m-0001").unwrap()
        };
        registry.register(&again, None).unwrap();
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, kind: &str, body: impl Into<Body>) -> Answer {
        self.ask(
            Request::post(path)
                .header(header::CONTENT_TYPE, kind)
                .body(body.into())
                .unwrap(),
        )
        .await
    }

    pub(crate) async fn post_json(&self, path: &str, body: impl Into<String>) -> Answer {
        self.post(path, "application/json", body.into()).await
    }
}

/// A text as part of a URL.
pub(crate) fn escaped(text: &str) -> String {
    text.bytes().map(|it| format!("%{it:02X}")).collect()
}

/// A reading ten minutes before now and so many seconds.
pub(crate) fn reading(device_id: &str, second: i64, temperature: f64) -> String {
    let at = clock::now().plus_micros((second - 600) * 1_000_000);
    format!(r#"{{"device_id":"{device_id}","timestamp":"{at}","temperature":{temperature},"vibration":1.0}}"#)
}

fn history() -> String {
    let now = clock::now();
    let mut lines = String::new();
    for step in 0..360_i64 {
        let at = now.plus_micros((step - 360) * 10_000_000);
        for device in 1..=3 {
            let wave = ((step * 37 + device * 11) % 100) as f64 / 100.0;
            let (temperature, vibration) = (20.0 + device as f64 + wave, 1.0 + wave / 4.0);
            let place = format!(r#"{{"building":"Building A","floor":"Floor {device}"}}"#);
            writeln!(
                lines,
                r#"{{"device_id":"pump-{device}","timestamp":"{at}","location":{place},"device_type":"pump","temperature":{temperature},"vibration":{vibration}}}"#
            )
            .unwrap();
        }
    }
    lines
}

/// JSON for a snapshot: times and measured numbers, which differ from run to run or model to model, are masked.
pub(crate) fn masked(mut json: Value) -> Value {
    mask(&mut json);
    json
}

fn mask(json: &mut Value) {
    match json {
        Value::Number(number) if number.is_f64() => *json = "[number]".into(),
        Value::String(text) if domain::Timestamp::parse(text).is_ok() => *text = "[time]".to_owned(),
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(fields) => fields.values_mut().for_each(mask),
        _ => {}
    }
}
