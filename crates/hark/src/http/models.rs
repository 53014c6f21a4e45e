//! The registry of models.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::dto::Time;
use super::dto::model::{
    HeldOut, Labelled, Measured, ModelDto, ModelMetrics, Models, Promoted, RecurringDto, ShadowDto, SignalMeasured,
    TrainedOn, quantiles,
};
use super::dto::problem::Problem;
use super::error::{ApiError, ApiResult};
use super::query::{Segment, cut};
use crate::app::App;
use crate::runtime::registry::Entry;

/// Lists all versions, oldest first
#[utoipa::path(get, path = "/api/v1/models", tag = "models", responses((status = 200, body = Models)))]
pub(super) async fn list_models(State(app): State<Arc<App>>) -> ApiResult<Json<Models>> {
    let registry = app.registry.clone();
    let entries = aside(move || Ok(registry.list()?)).await?;
    let live = entries.iter().find(|it| it.live).map(|it| it.version.clone());
    Ok(Json(Models {
        live,
        models: entries.into_iter().map(model).collect(),
    }))
}

fn model(entry: Entry) -> ModelDto {
    let (provenance, recurring, error) = match entry.model {
        Ok(model) => (Some(model.provenance), Some(RecurringDto::from(&model.recurring)), None),
        Err(cause) => (None, None, Some(cause)),
    };
    ModelDto {
        version: entry.version,
        live: entry.live,
        created_at: provenance.as_ref().map(|it| Time(it.created_at)),
        trained_on: provenance.map(|it| TrainedOn {
            readings: it.readings,
            devices: it.devices,
            from: Time(it.from),
            to: Time(it.to),
        }),
        recurring,
        metrics: entry.metrics.map(|it| Measured::from(&it.held_out)),
        error,
    }
}

/// Shows the measured quality of a version
#[utoipa::path(get, path = "/api/v1/models/{version}/metrics", tag = "models",
    params(("version" = String, Path, example = "m-0001")),
    responses((status = 200, body = ModelMetrics), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_metrics(
    State(app): State<Arc<App>>,
    Segment(version): Segment,
) -> ApiResult<Json<ModelMetrics>> {
    let registry = app.registry.clone();
    let read = move || {
        known(&app, &version)?;
        let model = registry.load(&version)?;
        let report = registry.metrics(&version)?.map(|it| it.held_out);
        let report = report.as_ref();
        let signals = report.map_or(&[][..], |it| &it.signals).iter().map(|it| {
            let score_quantiles = quantiles(&it.score_quantiles);
            (
                it.name.clone(),
                SignalMeasured {
                    labelled: None,
                    flag_rate: it.flag_rate,
                    score_quantiles,
                },
            )
        });
        Ok(ModelMetrics {
            created_at: Time(model.provenance.created_at),
            threshold: model.provenance.policy.into(),
            recurring: RecurringDto::from(&model.recurring),
            held_out: report.map(|it| HeldOut {
                readings: it.readings,
                devices: it.devices,
                from: it.from.clone(),
                to: it.to.clone(),
            }),
            labelled: report.and_then(|it| it.labelled.as_ref()).map(Labelled::from),
            flag_rate: report.map(|it| it.flag_rate),
            flags_per_device_day: report.map(|it| it.flags_per_device_day),
            score_quantiles: report.map(|it| quantiles(&it.score_quantiles)),
            signals: signals.collect::<BTreeMap<_, _>>(),
            shadow: registry.shadow(&version)?.map(ShadowDto::from),
            version,
        })
    };
    Ok(Json(aside(read).await?))
}

/// Puts a version in force
///
/// It is read whole before; a damaged file, or a model for other signals, is refused and the one in force stays.
#[utoipa::path(post, path = "/api/v1/models/{version}/promote", tag = "models",
    params(("version" = String, Path, example = "m-0001")),
    responses(
        (status = 200, body = Promoted),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The version is refused")))]
pub(super) async fn promote(State(app): State<Arc<App>>, Segment(version): Segment) -> ApiResult<Json<Promoted>> {
    let work = move || {
        known(&app, &version)?;
        let readable = app
            .registry
            .load(&version)
            .and_then(|it| Ok(it.for_signals(&app.config.signals)?));
        if let Err(cause) = readable {
            let detail = format!("version {version} is refused: {}", cause.root_cause());
            let error = ApiError::new(StatusCode::CONFLICT, "model_refused", detail);
            return Err(error.hint("the version before stays in force").caused_by(cause));
        }
        let previous = app.registry.promote(&version)?;
        app.live_model.refresh();
        Ok(Promoted {
            live: version,
            previous,
        })
    };
    Ok(Json(aside(work).await?))
}

fn known(app: &App, version: &str) -> ApiResult<()> {
    if app.registry.contains(version)? {
        return Ok(());
    }
    let error = ApiError::not_found(format!("there is no model version `{}`", cut(version))).field("version");
    Err(error.hint("GET /api/v1/models lists the versions"))
}

/// Runs what reads files where it holds nobody up.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> ApiResult<T> + Send + 'static) -> ApiResult<T> {
    let ended = tokio::task::spawn_blocking(work)
        .await
        .context("reading the registry panicked");
    ended.map_err(ApiError::internal)?
}

impl From<anyhow::Error> for ApiError {
    fn from(cause: anyhow::Error) -> Self {
        Self::internal(cause)
    }
}
