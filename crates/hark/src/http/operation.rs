//! What a process without an API tells of itself: whether it lives, whether it can work, and its metrics.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::middleware;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use warehouse::Warehouse;

use super::error::ApiResult;
use super::health::{self, Word};
use super::{gauges, guard, identity, unknown_method, unknown_path, watch};
use crate::app::App;
use crate::metrics::requests::{OPERATION, Routes};

/// What there is to look at.
#[derive(Clone)]
pub(crate) struct Operation {
    pub(crate) warehouse: Arc<dyn Warehouse>,
    /// The parts that a consumer has; none for a process that only reads.
    pub(crate) app: Option<Arc<App>>,
    pub(crate) prometheus: PrometheusHandle,
    /// The data folder, whose disk is looked at.
    pub(crate) data: PathBuf,
    pub(crate) stop: CancellationToken,
}

impl Operation {
    /// That of a running Hark.
    pub(crate) fn of(app: &Arc<App>) -> Self {
        Self {
            warehouse: app.warehouse.clone(),
            app: Some(app.clone()),
            prometheus: app.prometheus.clone(),
            data: app.config.data.dir.clone(),
            stop: app.stop.clone(),
        }
    }
}

/// `/livez`, `/readyz` and `/metrics`, as the API has them. What only the API's answers count, such as devices by state,
/// is left to the servers.
pub(crate) fn operation_router(operation: Operation) -> Router {
    let routes = [
        ("/livez", get(health::livez)),
        ("/readyz", get(readyz)),
        ("/metrics", get(metrics)),
    ];
    let counted = Routes::new(
        routes
            .iter()
            .map(|(path, _)| ((*path).to_owned(), OPERATION.to_owned())),
    );
    let router = routes
        .into_iter()
        .fold(Router::new(), |router, (path, it)| router.route(path, it));
    router
        .with_state(operation)
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(middleware::from_fn(guard::guard))
        .layer(middleware::from_fn_with_state(Arc::new(counted), watch::watch))
        .layer(middleware::from_fn(identity::identify))
}

/// What a process tells that has no part in the pipeline: requests, memory, files.
pub(crate) fn own_metrics(prometheus: PrometheusHandle) -> MethodRouter {
    get(move || async move {
        gauges::sample_own();
        health::exposition(&prometheus)
    })
}

async fn readyz(State(it): State<Operation>) -> ApiResult<axum::Json<Word>> {
    if let Some(app) = &it.app {
        health::stuck(app)?;
    }
    health::ready(&it.stop, it.warehouse.as_ref()).await
}

async fn metrics(State(it): State<Operation>) -> Response {
    gauges::sample_process(it.app.as_deref(), &it.data);
    health::exposition(&it.prometheus)
}
