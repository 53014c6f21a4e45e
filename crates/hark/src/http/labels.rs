//! What people's labels say of the threshold, and moving it by them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use detector::Kind;
use domain::Label;
use warehouse::{IncidentQuery, LabelFilter, StoredIncident};

use super::body::Posted;
use super::dto::labels::{CutDto, LabelStats, MoveThreshold, MovedDto};
use super::dto::problem::Problem;
use super::error::{ApiError, ApiResult};
use super::maintenance::{check_shared, check_texts};
use super::models::aside;
use crate::app::App;
use crate::metrics;
use crate::runtime::clock;
use crate::runtime::tuning::{Labelled, Moved};

/// So many labelled incidents are looked at, the newest ones.
const MOST: usize = 10_000;

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

/// What people said, and the scores of the incidents that the present kind of model told.
pub(super) struct Words {
    counts: [(Label, u64); Label::ALL.len()],
    labelled: Labelled,
    peaks: Vec<f64>,
}

impl Words {
    pub(super) async fn gather(app: &Arc<App>) -> ApiResult<Self> {
        let query = IncidentQuery {
            label: Some(LabelFilter::Any),
            ..IncidentQuery::all(clock::now(), MOST)
        };
        let all = app.warehouse.incidents(query).await?.items;
        let label = |it: &StoredIncident| it.triage.label.as_ref().map(|it| it.label);
        let count = |wanted: Label| all.iter().filter(|it| label(it) == Some(wanted)).count() as u64;
        let counts = Label::ALL.map(|it| (it, count(it)));
        let alike = alike(app, &all).await?;
        let mut labelled = Labelled::default();
        let mut peaks = Vec::new();
        for it in all.iter().filter(|it| alike.contains(&it.incident.model_version)) {
            if let Some(label) = label(it) {
                labelled.push(label, it.incident.peak_score);
                peaks.push(it.incident.peak_score.min(0.0));
            }
        }
        peaks.sort_by(f64::total_cmp);
        peaks.dedup();
        Ok(Self {
            counts,
            labelled,
            peaks,
        })
    }

    fn count(&self, wanted: Label) -> u64 {
        self.counts.iter().filter(|(it, _)| *it == wanted).map(|(_, n)| n).sum()
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
    let right = words.count(Label::True) + words.count(Label::SensorFault);
    let told = right + words.count(Label::FalseAlarm);
    let step = words.peaks.len().div_ceil(CUTS).max(1);
    Ok(LabelStats {
        true_ones: words.count(Label::True),
        false_alarms: words.count(Label::FalseAlarm),
        expected: words.count(Label::Expected),
        sensor_faults: words.count(Label::SensorFault),
        precision: (told > 0).then(|| right as f64 / told as f64),
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

/// The versions whose scores can be compared with those of the model in force.
async fn alike(app: &Arc<App>, incidents: &[StoredIncident]) -> ApiResult<HashSet<String>> {
    let Some(live) = app.live_model.get() else {
        return Ok(HashSet::new());
    };
    let versions: HashSet<String> = incidents.iter().map(|it| it.incident.model_version.clone()).collect();
    let registry = app.registry.clone();
    let kinds = aside(move || {
        // A version that is gone or damaged cannot be compared.
        let kind = |version: String| registry.load(&version).ok().map(|it| (version, it.kind));
        Ok(versions.into_iter().filter_map(kind).collect::<HashMap<String, Kind>>())
    })
    .await?;
    let same = kinds.into_iter().filter(|(_, kind)| *kind == live.kind);
    Ok(same.map(|(version, _)| version).collect())
}
