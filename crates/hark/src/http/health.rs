//! Whether Hark is alive, ready and well, and its metrics.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::{TimeRange, Timestamp};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use warehouse::{ReadingQuery, Warehouse};

use super::dto::Time;
use super::error::{ApiError, ApiResult};
use super::{Shared, gauges};
use crate::app::App;
use crate::runtime::clock;

/// How long the warehouse may take to answer and still count as ready.
const READY_PATIENCE: Duration = Duration::from_secs(2);

/// What has waited so long for its commit is not being stored.
const STUCK_AFTER: Duration = Duration::from_secs(15);

/// With less room than this on the disk, that is why.
const LEAST_ROOM: u64 = 1 << 20;

/// How Hark is.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(super) struct Health {
    /// `healthy`.
    status: &'static str,
    timestamp: Time,
    /// The version of the program.
    version: &'static str,
    /// The model in force.
    model_version: Option<String>,
    started_at: Time,
}

/// Says how Hark is
#[utoipa::path(get, path = "/health", tag = "operation", responses((status = 200, body = Health)))]
pub(super) async fn health(State(app): State<Arc<App>>) -> axum::Json<Health> {
    axum::Json(Health {
        status: "healthy",
        timestamp: Time(clock::now()),
        version: env!("CARGO_PKG_VERSION"),
        model_version: app.live_model.get().map(|it| it.version.to_string()),
        started_at: Time(app.started_at),
    })
}

/// A word on a question.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(super) struct Word {
    status: &'static str,
}

/// Says that the process runs
#[utoipa::path(get, path = "/livez", tag = "operation", responses((status = 200, body = Word)))]
pub(super) async fn livez() -> axum::Json<Word> {
    axum::Json(Word { status: "alive" })
}

/// Says whether readings can be taken
///
/// 503 while Hark is being stopped, its warehouse does not answer, or readings wait in vain for being stored: `disk_full`
/// or `commits_stuck`.
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses((status = 200, body = Word), (status = 503, body = super::dto::problem::Problem, content_type = "application/problem+json")))]
pub(super) async fn readyz(State(app): State<Arc<App>>) -> ApiResult<axum::Json<Word>> {
    stuck(&app)?;
    ready(&app.stop, app.warehouse.as_ref()).await
}

/// Fails while what came in is not stored. What came by a bus elsewhere waits there, and does not speak against this process.
pub(super) fn stuck(app: &App) -> ApiResult<()> {
    let Some(backlog) = app.backlog().filter(|_| !app.config.bus.kind.is_shared()) else {
        return Ok(());
    };
    let room = rustix::fs::statvfs(&app.config.data.dir).map_or(u64::MAX, |it| it.f_bavail * it.f_frsize);
    waits_in_vain(backlog.oldest_wait, room).map_or(Ok(()), Err)
}

fn waits_in_vain(oldest: Duration, room: u64) -> Option<ApiError> {
    if oldest < STUCK_AFTER {
        return None;
    }
    let (code, why, hint) = if room < LEAST_ROOM {
        (
            "disk_full",
            ": the disk of the data folder is full",
            "make room, Hark goes on by itself",
        )
    } else {
        (
            "commits_stuck",
            "",
            "the log says why commits fail, and `hark doctor` tries each part",
        )
    };
    let detail = format!("readings have waited {} s for being stored{why}", oldest.as_secs());
    Some(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).hint(hint))
}

/// Whether a process that is asked to stop by this and keeps readings there can work.
pub(super) async fn ready(stop: &CancellationToken, warehouse: &dyn Warehouse) -> ApiResult<axum::Json<Word>> {
    let away = |code, detail: &str| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
    if stop.is_cancelled() {
        return Err(away("stopping", "Hark is being stopped"));
    }
    let at = Timestamp::EPOCH;
    let nothing = ReadingQuery {
        device_id: None,
        range: TimeRange { start: at, end: at },
        anomalies_only: false,
        newest_first: false,
        limit: 1,
        after: None,
    };
    match tokio::time::timeout(READY_PATIENCE, warehouse.readings(nothing)).await {
        Ok(Ok(_)) => Ok(axum::Json(Word { status: "ready" })),
        Ok(Err(cause)) => Err(away("warehouse_away", "the warehouse cannot be read").caused_by(cause)),
        Err(_) => Err(away("warehouse_away", "the warehouse does not answer")),
    }
}

/// Tells Prometheus everything that is counted
#[utoipa::path(get, path = "/metrics", tag = "operation", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(shared): State<Shared>) -> ApiResult<Response> {
    gauges::sample(&shared).await?;
    Ok(exposition(&shared.app.prometheus))
}

/// What is counted, as Prometheus reads it.
pub(super) fn exposition(prometheus: &PrometheusHandle) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, prometheus.render()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: u64, room: u64, expected: &str) {
        let found = waits_in_vain(Duration::from_secs(seconds), room);
        let text = found.map_or_else(String::new, |it| format!("{it:?}"));
        assert!(
            if expected.is_empty() {
                text.is_empty()
            } else {
                text.contains(expected)
            },
            "{text}"
        );
    }

    #[test]
    fn what_is_not_stored_for_long_makes_it_unready_and_says_why() {
        check(3, 0, "");
        check(16, 1 << 30, "commits_stuck");
        check(16, 4_096, "disk_full");
    }
}
