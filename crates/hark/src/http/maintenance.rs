//! Maintenance windows.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::triage::{MAX_NAME_BYTES, MAX_NOTE_BYTES, check_text};
use domain::{DeviceId, Timestamp};

use super::body::Posted;
use super::dto::maintenance::{AddWindow, WindowDto, Windows};
use super::dto::problem::Problem;
use super::error::{ApiError, ApiResult};
use super::models::aside;
use super::query::{Segment, cut};
use crate::app::App;
use crate::runtime::clock;
use crate::runtime::maintenance::Window;

/// Lists maintenance windows, the newest first
#[utoipa::path(get, path = "/api/v1/maintenance", tag = "fleet", responses((status = 200, body = Windows)))]
pub(super) async fn list_windows(State(app): State<Arc<App>>) -> Json<Windows> {
    let now = clock::now();
    let windows = app.maintenance.get();
    Json(Windows {
        windows: windows.iter().rev().map(|it| WindowDto::new(it, now)).collect(),
    })
}

/// Makes a maintenance window of one device or the whole fleet
///
/// While it is on, readings are judged, stored and marked, but nothing is learned from them and no incident opens.
#[utoipa::path(post, path = "/api/v1/maintenance", tag = "fleet",
    request_body(content = AddWindow, example = json!({"device_id": "pump-1", "for": "2h", "reason": "belt replaced", "who": "kim"})),
    responses(
        (status = 200, body = WindowDto),
        (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn add_window(State(app): State<Arc<App>>, posted: Posted) -> ApiResult<Json<WindowDto>> {
    let it: AddWindow = posted.object()?;
    check_shared(&app)?;
    let now = clock::now();
    let window = window(it, now)?;
    let made = aside(move || Ok(app.maintenance.add(window)?)).await?;
    Ok(Json(WindowDto::new(&made, now)))
}

fn window(it: AddWindow, now: Timestamp) -> ApiResult<Window> {
    let bad =
        |field: &str, detail: String| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", detail).field(field);
    if let Some(name) = &it.device_id {
        DeviceId::new(name)?;
    }
    let instant =
        |field: &str, text: &str| Timestamp::parse(text).map_err(|cause| bad(field, format!("{field}: {cause}")));
    let from = it.from.as_deref().map_or(Ok(now), |text| instant("from", text))?;
    let to = match (&it.to, &it.span) {
        (Some(text), None) => instant("to", text)?,
        (None, Some(text)) => {
            let span = humantime::parse_duration(text);
            from.after(span.map_err(|cause| bad("for", format!("`{}` is no span of time: {cause}", cut(text))))?)
        }
        _ => return Err(bad("to", "say either to or for".to_owned())),
    };
    if to <= from {
        return Err(bad(
            "to",
            format!("the window would end at {to}, before it begins at {from}"),
        ));
    }
    check_texts(it.who.as_deref(), Some(&it.reason), "reason")?;
    Ok(Window {
        id: 0,
        device_id: it.device_id,
        from,
        to,
        reason: it.reason,
        who: it.who.unwrap_or_else(|| "unnamed".to_owned()),
    })
}

/// A setting that the consumers never see must not be taken.
pub(super) fn check_shared(app: &App) -> ApiResult<()> {
    if app.shares_settings() {
        return Ok(());
    }
    let detail = "settings lie in the data folder, and the consumers of this warehouse have folders of their own";
    let error = ApiError::new(StatusCode::CONFLICT, "not_shared", detail);
    Err(error.hint("`hark maintenance` changes them in a consumer's data folder"))
}

/// Who did something and why, as people may write it.
pub(super) fn check_texts(who: Option<&str>, why: Option<&str>, field: &'static str) -> ApiResult<()> {
    for (field, text, max) in [("who", who, MAX_NAME_BYTES), (field, why, MAX_NOTE_BYTES)] {
        check_text(field, text, max).map_err(|refused| {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", refused.to_string()).field(field)
        })?;
    }
    Ok(())
}

/// Ends a maintenance window now
#[utoipa::path(post, path = "/api/v1/maintenance/{window}/end", tag = "fleet",
    params(("window" = String, Path, description = "Its number")),
    responses((status = 200, body = WindowDto), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn end_window(State(app): State<Arc<App>>, Segment(id): Segment) -> ApiResult<Json<WindowDto>> {
    let unknown =
        || ApiError::not_found("there is no maintenance window of this number that could end").field("window");
    let id: u64 = id.parse().map_err(|_| unknown())?;
    check_shared(&app)?;
    let now = clock::now();
    let ended = aside(move || Ok(app.maintenance.end(id, now)?)).await?;
    Ok(Json(WindowDto::new(&ended.ok_or_else(unknown)?, now)))
}
