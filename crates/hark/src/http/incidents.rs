//! Incidents: which there are, and all about one of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use domain::{Incident, IncidentId, Label, Severity, Standing, TimeRange, Timestamp};
use warehouse::{Cursor, IncidentQuery, LabelFilter};

use super::dto::Time;
use super::dto::incident::{IncidentDetail, IncidentDto, Incidents, NearestDto};
use super::dto::problem::Problem;
use super::dto::summary::RangeDto;
use super::error::{ApiError, ApiResult};
use super::query::{Params, Segment, cut};
use crate::app::App;
use crate::runtime::{clock, likeness};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// A window shows as much time before the event as it lasted, but no less and no more than this.
const BEFORE: (Duration, Duration) = (Duration::from_secs(1_800), Duration::from_secs(86_400));
const AFTER: Duration = Duration::from_secs(600);

/// Lists incidents, the one that began last first
#[utoipa::path(get, path = "/api/v1/incidents", tag = "incidents",
    params(
        ("state" = Option<String>, Query, description = "`open`, `acknowledged`, `snoozed`, `resolved`, several with commas, or `unresolved`"),
        ("device_id" = Option<String>, Query, description = "Of this device only"),
        ("from" = Option<String>, Query, description = "That did not begin before this instant"),
        ("to" = Option<String>, Query, description = "That began before this instant"),
        ("severity" = Option<String>, Query, description = "`notice`, `warning` or `critical`"),
        ("label" = Option<String>, Query, description = "`true`, `false_alarm`, `expected`, `sensor_fault`, `any` or `none`"),
        ("ongoing" = Option<bool>, Query, description = "Those that go on, or those that are over"),
        ("limit" = Option<usize>, Query, description = "1 to 1000, 100 without"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before")),
    responses(
        (status = 200, body = Incidents),
        (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_incidents(State(app): State<Arc<App>>, mut params: Params) -> ApiResult<Json<Incidents>> {
    let query = query(&mut params)?;
    params.finish()?;
    let page = app.warehouse.incidents(query).await?;
    Ok(Json(Incidents {
        incidents: page.items.iter().map(IncidentDto::from).collect(),
        next: page.next.map(|it| it.0),
    }))
}

fn query(params: &mut Params) -> ApiResult<IncidentQuery> {
    let mut query = IncidentQuery::all(clock::now(), DEFAULT_LIMIT);
    query.device_id = params.device_id("device_id")?;
    query.range = TimeRange {
        start: params.timestamp("from")?.unwrap_or(Timestamp::MIN),
        end: params.timestamp("to")?.unwrap_or(Timestamp::MAX),
    };
    if let Some(text) = params.text("state")? {
        query.standings = standings(&text)?;
    }
    if let Some(text) = params.text("severity")? {
        let names = Severity::ALL.map(Severity::as_str);
        query.severity = Some(Severity::from_name(&text).ok_or_else(|| unknown_word("severity", &text, &names))?);
    }
    query.label = match params.text("label")?.as_deref() {
        None => None,
        Some("any") => Some(LabelFilter::Any),
        Some("none") => Some(LabelFilter::None),
        Some(text) => Some(LabelFilter::Is(label("label", text)?)),
    };
    query.ongoing = params.text("ongoing")?.map(|it| yes_or_no(&it)).transpose()?;
    query.limit = params.number("limit", 1, MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    query.after = params.text("cursor")?.map(Cursor);
    Ok(query)
}

fn yes_or_no(text: &str) -> ApiResult<bool> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(unknown_word("ongoing", other, &["true", "false"])),
    }
}

fn standings(text: &str) -> ApiResult<Vec<Standing>> {
    if text == "unresolved" {
        return Ok(IncidentQuery::unresolved(Timestamp::EPOCH, 0).standings);
    }
    let names = Standing::ALL.map(Standing::as_str);
    let one = |name: &str| Standing::from_name(name).ok_or_else(|| unknown_word("state", name, &names));
    text.split(',').map(|it| one(it.trim())).collect()
}

/// A label by its name.
pub(super) fn label(field: &'static str, text: &str) -> ApiResult<Label> {
    Label::from_name(text).ok_or_else(|| unknown_word(field, text, &Label::ALL.map(Label::as_str)))
}

fn unknown_word(field: &'static str, text: &str, words: &[&str]) -> ApiError {
    let detail = format!("{field} is one of {}, not `{}`", words.join(", "), cut(text));
    ApiError::bad_query(field, detail)
}

/// Shows an incident: why, what came before, and what became of it
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "incidents",
    params(("id" = String, Path, description = "Its name")),
    responses((status = 200, body = IncidentDetail), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_incident(State(app): State<Arc<App>>, Segment(id): Segment) -> ApiResult<Json<IncidentDetail>> {
    let id = IncidentId::parse(&id).ok_or_else(unknown)?;
    let now = clock::now();
    let stored = app.warehouse.incident(&id, now).await?.ok_or_else(unknown)?;
    let audit = app.warehouse.audit(&id).await?;
    let nearest = likeness::nearest(app.warehouse.as_ref(), &stored.incident, now).await?;
    let window = window(&stored.incident);
    let readings_url = format!(
        "/api/v1/readings?device_id={}&from={}&to={}&order=oldest&limit=5000",
        escaped(stored.incident.device_id.as_str()),
        window.start,
        window.end
    );
    Ok(Json(IncidentDetail {
        incident: IncidentDto::from(&stored),
        window: RangeDto {
            from: Time(window.start),
            to: Time(window.end),
        },
        readings_url,
        nearest: nearest.iter().map(NearestDto::from).collect(),
        audit: audit.into_iter().map(Into::into).collect(),
    }))
}

/// That there is no such incident.
pub(super) fn unknown() -> ApiError {
    let error = ApiError::not_found("there is no such incident").field("id");
    error.hint("GET /api/v1/incidents lists them")
}

fn window(incident: &Incident) -> TimeRange {
    let lasted = Duration::from_secs_f64(incident.last.seconds_since(incident.began).max(0.0));
    TimeRange {
        start: incident.began.before(lasted.clamp(BEFORE.0, BEFORE.1)),
        end: incident.closed_at.unwrap_or(incident.last).after(AFTER),
    }
}

/// A text as part of a URL.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
