//! The API on port 8000: its routes, and what surrounds every one of them.
//!
//! Handlers turn bytes into words of the domain, ask the shared parts, and write DTOs. They hold no rules of detection
//! and no SQL. Every answer that is no success is `application/problem+json`.

mod body;
mod cached;
mod census;
mod detect;
mod devices;
mod docs;
mod dto;
pub(crate) mod error;
mod gauges;
pub(crate) mod guard;
mod health;
pub(crate) mod identity;
mod incidents;
mod labels;
mod maintenance;
mod models;
mod operation;
mod query;
mod readings;
mod serve;
mod signals;
mod stream;
mod summary;
#[cfg(test)]
pub(crate) mod tests;
mod triage;
pub(crate) mod watch;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use operation::{Operation, operation_router, own_metrics};
pub(crate) use serve::serve;

use self::cached::Cached;
use self::census::Census;
use self::dto::detection::FieldNames;
use self::error::ApiError;
use self::labels::Words;
use crate::app::App;
use crate::metrics::requests::Routes;

/// How long a summary or the devices' states stay as they were computed.
const FRESH: Duration = Duration::from_secs(2);

/// How long what metrics tell of people's words stays: it takes all labelled incidents and the models that told them.
const FRESH_WORDS: Duration = Duration::from_secs(60);

/// The path whose answers never end.
pub(crate) const STREAM: &str = "/api/v1/stream";

/// The most event streams at a time.
const MAX_STREAMS: usize = 256;

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    app: Arc<App>,
    names: Arc<FieldNames>,
    census: Arc<Cached<(), Census>>,
    summaries: Arc<Cached<u32, Bytes>>,
    words: Arc<Cached<(), Words>>,
    streams: Arc<Semaphore>,
}

impl FromRef<Shared> for Arc<App> {
    fn from_ref(shared: &Shared) -> Self {
        shared.app.clone()
    }
}

/// All routes of the API.
pub(crate) fn router(app: Arc<App>) -> Router {
    let shared = Shared {
        names: Arc::new(FieldNames::new(&app.config.signals)),
        census: Arc::new(Cached::new(FRESH)),
        summaries: Arc::new(Cached::new(FRESH)),
        words: Arc::new(Cached::new(FRESH_WORDS)),
        streams: Arc::new(Semaphore::new(MAX_STREAMS)),
        app,
    };
    let (routes, openapi) = documented().split_for_parts();
    let counted = Arc::new(Routes::new(docs::routes(&openapi)));
    let routes = routes.with_state(shared).merge(docs::router(openapi));
    routes
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(CompressionLayer::new().quality(tower_http::CompressionLevel::Fastest))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(guard::guard))
        .layer(middleware::from_fn_with_state(counted, watch::watch))
        .layer(middleware::from_fn(identity::identify))
}

/// What the API takes and answers.
pub(crate) fn openapi() -> utoipa::openapi::OpenApi {
    documented().split_for_parts().1
}

fn documented() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(docs::description())
        .routes(routes!(detect::detect))
        .routes(routes!(detect::detect_batch))
        .routes(routes!(detect::detect_signal))
        .routes(routes!(readings::post_readings, readings::get_readings))
        .routes(routes!(devices::list_devices))
        .routes(routes!(devices::get_device))
        .routes(routes!(summary::get_summary))
        .routes(routes!(signals::list_signals))
        .routes(routes!(incidents::list_incidents))
        .routes(routes!(incidents::get_incident))
        .routes(routes!(triage::acknowledge))
        .routes(routes!(triage::snooze))
        .routes(routes!(triage::resolve))
        .routes(routes!(triage::label))
        .routes(routes!(triage::comment))
        .routes(routes!(triage::undo))
        .routes(routes!(labels::get_stats))
        .routes(routes!(labels::move_threshold))
        .routes(routes!(maintenance::list_windows, maintenance::add_window))
        .routes(routes!(maintenance::end_window))
        .routes(routes!(models::list_models))
        .routes(routes!(models::get_metrics))
        .routes(routes!(models::promote))
        .routes(routes!(stream::stream))
        .routes(routes!(health::health))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
}

async fn unknown_path(uri: Uri) -> ApiError {
    let error = ApiError::not_found(format!("there is nothing at `{}`", query::cut(uri.path())));
    error.hint("/docs lists every path")
}

async fn unknown_method(method: Method, uri: Uri) -> ApiError {
    let detail = format!(
        "`{}` does not take {}",
        query::cut(uri.path()),
        query::cut(method.as_str())
    );
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> axum::response::Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    let cause = anyhow::anyhow!("a handler panicked: {}", text.unwrap_or("no message"));
    axum::response::IntoResponse::into_response(ApiError::internal(cause))
}
