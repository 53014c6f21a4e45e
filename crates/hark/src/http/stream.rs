//! The live stream: what was just committed, as server-sent events.
//!
//! A client gets at most four messages a second, a message at most [`MANY`] readings unless more devices or anomalies
//! are among them. One that comes back with `Last-Event-ID` is given what it missed; when that is no longer known, or it
//! was too slow, it gets `reset` and should load everything anew.

use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::{DeviceId, Judged};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::dto::problem::Problem;
use super::dto::reading::ReadingDto;
use super::error::{ApiError, ApiResult};
use crate::app::App;
use crate::runtime::events::{Event, IncidentNews, Numbered};

/// The shortest time between two messages of readings.
const PACE: Duration = Duration::from_millis(250);
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A message with more readings than this holds each device's newest and all anomalies instead.
const MANY: usize = 200;

/// No message holds more.
const MOST: usize = 2_000;

const RECONNECT: &str = "retry: 3000\n\n";

/// Follows the fleet live
///
/// Events: `readings` with `{"readings": […], "skipped"?: n}`, `incident` with `{"id", "device_id", "change", "severity",
/// "reason"}`, `device` with `{"device_id", "state"}` when one falls `silent` or is `heard` again, `model` with
/// `{"version"}`, `reset` when something was missed for good, `bye` when the server stops. `Last-Event-ID` replays what was missed.
#[utoipa::path(get, path = super::STREAM, tag = "fleet",
    params(("last-event-id" = Option<String>, Header, description = "The id of the last event that was received")),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "Too many streams")))]
pub(super) async fn stream(State(shared): State<Shared>, headers: HeaderMap) -> ApiResult<Response> {
    let permit = shared.streams.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_streams",
            "too many event streams are open",
        )
    })?;
    let feed = Feed::new(
        shared.app,
        headers.get("last-event-id").map(|it| it.to_str().unwrap_or("")),
        permit,
    );
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(Chunks::new(feed))).into_response())
}

/// One client's view of the events.
struct Feed {
    app: Arc<App>,
    /// Numbers mean nothing to another process: this names it.
    boot: String,
    receiver: Receiver<Numbered>,
    stop: CancellationToken,
    /// Commits that were not sent yet, and the number of the last.
    pending: Vec<Arc<Vec<Judged>>>,
    newest: u64,
    next_at: Instant,
    ready: VecDeque<String>,
    ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    fn new(app: Arc<App>, last_event_id: Option<&str>, permit: OwnedSemaphorePermit) -> Self {
        let boot = format!("{:x}", app.started_at.as_micros());
        let after = last_event_id.map(|id| {
            let number = id.strip_prefix(&*boot).and_then(|it| it.strip_prefix('-'));
            number.and_then(|it| it.parse::<u64>().ok())
        });
        let subscription = app.events.subscribe(after.flatten());
        let mut feed = Self {
            boot,
            receiver: subscription.receiver,
            stop: app.stop.clone(),
            app,
            pending: Vec::new(),
            newest: 0,
            next_at: Instant::now(),
            ready: VecDeque::from([RECONNECT.to_owned()]),
            ended: false,
            _permit: permit,
        };
        match subscription.missed {
            // A name of another process says that this one cannot know what was missed.
            Some(missed) if after != Some(None) => missed.into_iter().for_each(|it| feed.take(it)),
            _ => feed.reset(),
        }
        feed
    }

    /// The next bytes; `None` at the end. Dropping the future loses nothing: it only waits.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(text) = self.ready.pop_front() {
                return Some(text.into());
            }
            if self.ended {
                return None;
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    self.ready.push_back("event: bye\ndata: {}\n\n".to_owned());
                    self.ended = true;
                }
                () = sleep_until(self.next_at), if !self.pending.is_empty() => self.flush(),
                received = self.receiver.recv() => match received {
                    Ok(numbered) => self.take(numbered),
                    Err(RecvError::Lagged(_)) => self.reset(),
                    Err(RecvError::Closed) => self.ended = true,
                },
                () = sleep(HEARTBEAT) => self.ready.push_back(": still here\n\n".to_owned()),
            }
        }
    }

    fn take(&mut self, numbered: Numbered) {
        match numbered.event {
            Event::Readings(readings) => {
                self.pending.push(readings);
                self.newest = numbered.number;
            }
            Event::Model(version) => {
                self.flush();
                self.newest = numbered.number;
                self.push("model", &Version { version: &version });
            }
            Event::Incident(news) => {
                self.flush();
                self.newest = numbered.number;
                self.push("incident", &IncidentEvent::from(&*news));
            }
            Event::Device(news) => {
                self.flush();
                self.newest = numbered.number;
                let state = if news.is_silent { "silent" } else { "heard" };
                let device_id = news.device_id.as_str();
                self.push("device", &DeviceEvent { device_id, state });
            }
        }
    }

    fn reset(&mut self) {
        self.pending.clear();
        self.ready.push_back("event: reset\ndata: {}\n\n".to_owned());
    }

    fn flush(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return;
        }
        self.next_at = Instant::now() + PACE;
        let (chosen, skipped) = choose(pending.iter().flat_map(|it| it.iter()));
        let app = self.app.clone();
        let readings = chosen.into_iter().map(|it| ReadingDto::marked(it, &app)).collect();
        self.push("readings", &Readings { readings, skipped });
    }

    fn push(&mut self, event: &str, data: &impl Serialize) {
        // JSON of serde holds no line break, so one `data:` line is enough.
        let Ok(data) = serde_json::to_string(data) else {
            return self.reset();
        };
        let mut text = String::with_capacity(data.len() + 64);
        let written = write!(
            text,
            "id: {}-{}\nevent: {event}\ndata: {data}\n\n",
            self.boot, self.newest
        );
        written.expect("writing to a string does not fail");
        self.ready.push_back(text);
    }
}

/// The readings of a message, oldest first, and how many were left out.
fn choose<'a>(readings: impl DoubleEndedIterator<Item = &'a Judged> + Clone) -> (Vec<&'a Judged>, usize) {
    let total = readings.clone().count();
    if total <= MANY {
        return (readings.collect(), 0);
    }
    let mut seen: HashSet<&DeviceId> = HashSet::new();
    let anomalous = |it: &Judged| it.verdict.as_ref().is_some_and(|it| it.is_anomaly);
    let newest_first = readings
        .rev()
        .filter(|it| seen.insert(&it.reading.device_id) || anomalous(it));
    let mut chosen: Vec<&Judged> = newest_first.take(MOST).collect();
    chosen.reverse();
    let skipped = total - chosen.len();
    (chosen, skipped)
}

#[derive(Serialize)]
struct Readings<'a> {
    readings: Vec<ReadingDto<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    skipped: usize,
}

#[derive(Serialize)]
struct Version<'a> {
    version: &'a str,
}

/// What happened to an incident.
#[derive(Serialize)]
struct IncidentEvent<'a> {
    id: &'a str,
    device_id: &'a str,
    change: &'a str,
    severity: &'a str,
    reason: &'a str,
}

impl<'a> From<&'a IncidentNews> for IncidentEvent<'a> {
    fn from(it: &'a IncidentNews) -> Self {
        Self {
            id: it.id.as_str(),
            device_id: it.device_id.as_str(),
            change: it.change,
            severity: it.severity.as_str(),
            reason: &it.reason,
        }
    }
}

/// How a device is from now on.
#[derive(Serialize)]
struct DeviceEvent<'a> {
    device_id: &'a str,
    state: &'a str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn is_zero(it: &usize) -> bool {
    *it == 0
}

type Step = Pin<Box<dyn Future<Output = (Feed, Option<Bytes>)> + Send>>;

/// A feed as a stream of bytes.
struct Chunks(Option<Step>);

impl Chunks {
    fn new(feed: Feed) -> Self {
        Self(Some(step(feed)))
    }
}

fn step(mut feed: Feed) -> Step {
    Box::pin(async move {
        let bytes = feed.next().await;
        (feed, bytes)
    })
}

impl Stream for Chunks {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(waiting) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let Poll::Ready((feed, bytes)) = waiting.as_mut().poll(task) else {
            return Poll::Pending;
        };
        self.0 = bytes.is_some().then(|| step(feed));
        Poll::Ready(bytes.map(Ok))
    }
}
