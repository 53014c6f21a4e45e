//! What people do with incidents.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{Act, Action, IncidentId, Refusal, Timestamp};
use serde::de::DeserializeOwned;
use warehouse::Acted;

use super::body::{Form, Posted};
use super::dto::incident::{Acknowledge, Comment, GiveLabel, IncidentDto, Plain, Snooze};
use super::dto::problem::Problem;
use super::error::{ApiError, ApiResult};
use super::incidents;
use super::query::{Segment, cut};
use crate::app::App;
use crate::runtime::clock;
use crate::runtime::events::{Event, IncidentNews};

/// Who acts where nobody is named.
const UNNAMED: &str = "unnamed";

/// The longest snooze, in days.
const LONGEST_SNOOZE: i64 = 366;

/// Acknowledges an incident: somebody sees to it
#[utoipa::path(post, path = "/api/v1/incidents/{id}/acknowledge", tag = "incidents",
    params(("id" = String, Path)),
    request_body(content = Acknowledge, example = json!({"who": "kim", "note": "on my way"})),
    responses(
        (status = 200, body = IncidentDto),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Its state does not allow it")))]
pub(super) async fn acknowledge(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
    posted: Posted,
) -> ApiResult<Json<IncidentDto>> {
    let it: Acknowledge = posted.object()?;
    act(&app, &id, Act::Acknowledge(it.assignee), it.who, it.note).await
}

/// Snoozes an incident: nobody wants to hear of it for a while, and the reason says why
#[utoipa::path(post, path = "/api/v1/incidents/{id}/snooze", tag = "incidents",
    params(("id" = String, Path)),
    request_body(content = Snooze, example = json!({"who": "kim", "reason": "a part is ordered", "for": "2d"})),
    responses(
        (status = 200, body = IncidentDto),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Its state does not allow it")))]
pub(super) async fn snooze(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
    posted: Posted,
) -> ApiResult<Json<IncidentDto>> {
    let it: Snooze = posted.object()?;
    let until = until(&it, clock::now())?;
    act(&app, &id, Act::Snooze(until), it.who, Some(it.reason)).await
}

/// Resolves an incident; one that goes on for ten minutes more is open again
#[utoipa::path(post, path = "/api/v1/incidents/{id}/resolve", tag = "incidents",
    params(("id" = String, Path)),
    request_body(content = Plain, example = json!({"who": "kim", "note": "belt replaced"})),
    responses(
        (status = 200, body = IncidentDto),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Its state does not allow it")))]
pub(super) async fn resolve(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
    posted: Posted,
) -> ApiResult<Json<IncidentDto>> {
    let it: Plain = posted.object()?;
    act(&app, &id, Act::Resolve, it.who, it.note).await
}

/// Says what an incident was
///
/// Labels change thresholds (`/api/v1/labels/stats`) and what the next training learns from.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/label", tag = "incidents",
    params(("id" = String, Path)),
    request_body(content = GiveLabel, example = json!({"label": "false_alarm", "who": "kim", "note": "the door stood open"})),
    responses(
        (status = 200, body = IncidentDto),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn label(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
    posted: Posted,
) -> ApiResult<Json<IncidentDto>> {
    let it: GiveLabel = posted.object()?;
    let label = incidents::label("label", &it.label)?;
    act(&app, &id, Act::Label(label), it.who, it.note).await
}

/// Says something about an incident
#[utoipa::path(post, path = "/api/v1/incidents/{id}/comment", tag = "incidents",
    params(("id" = String, Path)),
    request_body(content = Comment, example = json!({"who": "kim", "text": "it sounds like a bearing"})),
    responses(
        (status = 200, body = IncidentDto),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn comment(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
    posted: Posted,
) -> ApiResult<Json<IncidentDto>> {
    let it: Comment = posted.object()?;
    act(&app, &id, Act::Comment, it.who, Some(it.text)).await
}

/// Takes the newest action on an incident back, within a minute
#[utoipa::path(post, path = "/api/v1/incidents/{id}/undo", tag = "incidents",
    params(("id" = String, Path)),
    request_body(content = Plain, example = json!({"who": "kim"})),
    responses(
        (status = 200, body = IncidentDto),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "There is nothing to take back")))]
pub(super) async fn undo(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
    posted: Posted,
) -> ApiResult<Json<IncidentDto>> {
    let it: Plain = posted.object()?;
    act(&app, &id, Act::Undo, it.who, it.note).await
}

impl Posted {
    /// The body as one object of this shape.
    pub(super) fn object<T: DeserializeOwned>(&self) -> ApiResult<T> {
        if self.form != Form::Json {
            let detail = "content-type must be application/json here";
            let error = ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_type", detail);
            return Err(error.field("content-type"));
        }
        serde_json::from_slice(&self.bytes).map_err(|cause| {
            let (status, code) = if cause.is_data() {
                (StatusCode::UNPROCESSABLE_ENTITY, "bad_body")
            } else {
                (StatusCode::BAD_REQUEST, "malformed_json")
            };
            ApiError::new(status, code, format!("the body cannot be taken: {cause}"))
        })
    }
}

fn until(it: &Snooze, now: Timestamp) -> ApiResult<Timestamp> {
    let bad =
        |field: &str, detail: String| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", detail).field(field);
    let until = match (&it.until, &it.span) {
        (Some(text), None) => Timestamp::parse(text).map_err(|cause| bad("until", format!("until: {cause}")))?,
        (None, Some(text)) => {
            let span = humantime::parse_duration(text);
            let hint = "write it as 30m, 2h or 1d";
            now.after(
                span.map_err(|cause| bad("for", format!("`{}` is no span of time: {cause}", cut(text))).hint(hint))?,
            )
        }
        _ => return Err(bad("until", "say either until or for".to_owned())),
    };
    if until > now.plus_micros(LONGEST_SNOOZE * 86_400_000_000) {
        return Err(bad(
            "until",
            format!("a snooze ends within {LONGEST_SNOOZE} days, not at {until}"),
        ));
    }
    Ok(until)
}

async fn act(app: &App, id: &str, act: Act, who: Option<String>, note: Option<String>) -> ApiResult<Json<IncidentDto>> {
    let id = IncidentId::parse(id).ok_or_else(incidents::unknown)?;
    let change = act.as_str();
    let action = Action {
        act,
        who: who.unwrap_or_else(|| UNNAMED.to_owned()),
        at: clock::now(),
        note,
    };
    match app.warehouse.act(&id, action).await? {
        Acted::Done(stored) => {
            let news = IncidentNews::about(&stored.incident, change);
            app.events.send(Event::Incident(Arc::new(news)));
            Ok(Json(IncidentDto::from(&*stored)))
        }
        Acted::Unknown => Err(incidents::unknown()),
        Acted::Refused(refusal) => Err(refusal.into()),
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Transition { .. } => Self::new(StatusCode::CONFLICT, "illegal_transition", detail),
            Refusal::NothingToUndo(_) => Self::new(StatusCode::CONFLICT, "nothing_to_undo", detail),
            Refusal::NoteMissing(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "note_missing", detail),
            Refusal::Over(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", detail).field("until"),
            Refusal::BadText { field, .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", detail).field(field)
            }
        }
    }
}
