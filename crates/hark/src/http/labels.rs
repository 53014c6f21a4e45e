//! What people's labels say of the threshold, and moving it by them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Label;

use super::body::Posted;
use super::dto::labels::{CutDto, LabelStats, MoveThreshold, MovedDto};
use super::dto::problem::Problem;
use super::error::{ApiError, ApiResult};
use super::maintenance::{check_shared, check_texts};
use super::models::aside;
use crate::app::App;
use crate::metrics;
use crate::runtime::clock;
use crate::runtime::tuning::Moved;
pub(super) use crate::runtime::words::Words;

/// How many thresholds are told besides the one that is offered.
const CUTS: usize = 12;

/// Says what labels make of the threshold
///
/// "a threshold of -0.640 would have removed 31 of 40 false alarms and none of 12 true ones". A threshold is a score below
/// 0 that an incident must reach to be told. Only incidents that the present kind of model told are counted.
#[utoipa::path(get, path = "/api/v1/labels/stats", tag = "incidents", responses((status = 200, body = LabelStats)))]
pub(super) async fn get_stats(State(app): State<Arc<App>>) -> ApiResult<Json<LabelStats>> {
    Ok(Json(stats(&app).await?))
}

/// Moves the threshold of incidents, or with `null` back to the model's own line
///
/// It is in force at once and kept in the data folder. Readings are flagged as before.
#[utoipa::path(post, path = "/api/v1/labels/threshold", tag = "incidents",
    request_body(content = MoveThreshold, example = json!({"threshold": -0.05, "who": "kim", "note": "as the labels say"})),
    responses(
        (status = 200, body = LabelStats),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "No model is in force"),
        (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn move_threshold(State(app): State<Arc<App>>, posted: Posted) -> ApiResult<Json<LabelStats>> {
    let it: MoveThreshold = posted.object()?;
    check_shared(&app)?;
    check_texts(it.who.as_deref(), it.note.as_deref(), "note")?;
    let model = app.live_model.get();
    let moved = match it.threshold {
        None => None,
        Some(threshold) if threshold.is_finite() && (-100.0..0.0).contains(&threshold) => {
            let no_model = || {
                ApiError::new(
                    StatusCode::CONFLICT,
                    "no_model",
                    "no model is in force whose scores it could be",
                )
            };
            Some(Moved {
                threshold,
                kind: model.ok_or_else(no_model)?.kind.as_str().to_owned(),
                who: it.who.unwrap_or_else(|| "unnamed".to_owned()),
                at: clock::now().to_string(),
                note: it.note,
            })
        }
        Some(other) => {
            let detail = format!("threshold is {other}, a score below 0 and not below -100 is needed");
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "out_of_range", detail).field("threshold"));
        }
    };
    let changing = app.clone();
    aside(move || {
        changing.tuning.change(|held| {
            *held = moved;
            Ok::<_, ApiError>(())
        })
    })
    .await?;
    Ok(Json(stats(&app).await?))
}

impl Words {
    /// What there is to say now.
    pub(super) async fn gather(app: &Arc<App>) -> ApiResult<Self> {
        let live = app.live_model.get().map(|it| it.kind);
        Ok(Self::ask(app.warehouse.as_ref(), &app.registry, live).await?)
    }

    /// Tells Prometheus. An incident that nobody was ever told of has no label, and counts nowhere.
    pub(super) fn tell(&self, app: &App) {
        let line = app.live_model.get().map_or(0.0, |it| app.tuning.threshold(it.kind));
        let cut = self.labelled.cut(line);
        let true_ones = self.labelled.true_ones();
        let found = true_ones - cut.true_ones;
        let told = found + self.labelled.false_alarms() - cut.false_alarms;
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
        metrics::labelled(&self.counts, share(found, told), share(found, true_ones));
    }
}

async fn stats(app: &Arc<App>) -> ApiResult<LabelStats> {
    let words = Words::gather(app).await?;
    let labelled = &words.labelled;
    let step = words.peaks.len().div_ceil(CUTS).max(1);
    Ok(LabelStats {
        true_ones: words.count(Label::True),
        false_alarms: words.count(Label::FalseAlarm),
        expected: words.count(Label::Expected),
        sensor_faults: words.count(Label::SensorFault),
        precision: words.precision(),
        threshold: app.tuning.get().as_ref().as_ref().map(MovedDto::from),
        suggestion: labelled.suggestion().map(|it| CutDto::new(it, labelled)),
        cuts: words
            .peaks
            .iter()
            .step_by(step)
            .map(|it| CutDto::new(labelled.cut(*it), labelled))
            .collect(),
    })
}
