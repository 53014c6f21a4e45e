//! Taking readings in, and reading them back.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bus::{Message, Outcome, Published};
use bytes::Bytes;
use domain::{DeviceId, RejectionCode, TimeRange, Timestamp};
use warehouse::{BucketQuery, Cursor, ReadingQuery, query::MAX_BUCKETS};

use super::body::{Content, Posted};
use super::dto::problem::{ItemProblem, Problem};
use super::dto::reading::{BucketDto, Buckets, ItemResult, ReadingDto, ReadingsAnswer, ReadingsPage, Receipt};
use super::error::{ApiError, ApiResult};
use super::query::{Params, cut};
use crate::app::App;
use crate::runtime::clock;

/// How long a commit may take before the sender is told to send again.
const COMMIT_PATIENCE: Duration = Duration::from_secs(30);

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 5_000;
/// The widest bucket that can be asked for, in seconds.
const MAX_WIDTH: u64 = 100_000 * 86_400;

/// The most items that an answer about a wholly bad list names.
const MAX_TOLD: usize = 1_000;

/// The range of buckets where none is asked for.
const DEFAULT_SPAN: Duration = Duration::from_secs(86_400);

/// About how many buckets `resolution=auto` aims at, at most.
const AUTO_BUCKETS: u64 = 600;

/// The widths that `resolution=auto` chooses from, in seconds.
const AUTO_WIDTHS: [u64; 14] = [
    10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800,
];

/// Stores readings
///
/// One object, a list, or NDJSON. The answer comes after a durable commit: 200 when all were stored or there already,
/// 207 when some were refused, 4xx when all were. Refused ones are kept among the dead letters. Sending the same reading
/// again changes nothing.
#[utoipa::path(post, path = "/api/v1/readings", tag = "readings",
    request_body(content(
        (serde_json::Value = "application/json", example = json!([
            {"device_id": "pump-1", "timestamp": "2025-08-06T10:00:00Z", "temperature": 21.5, "vibration": 1.2},
            {"device_id": "pump-2", "timestamp": "2025-08-06T10:00:00Z", "device_type": "pump",
             "location": {"building": "Building A", "floor": "Floor 3", "room": "Room 12"},
             "sensor_data": {"temperature": 22.0, "vibration": 0.9}}])),
        (String = "application/x-ndjson",
         example = json!("{\"device_id\":\"pump-3\",\"timestamp\":\"2025-08-06T10:00:00Z\",\"temperature\":21.5}\n")),
    )),
    responses(
        (status = 200, body = Receipt, description = "Stored, or there already"),
        (status = 202, body = Receipt, description = "A broker keeps them until they are committed"),
        (status = 207, body = Receipt, description = "Some were refused"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "None was taken"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "Send again later")))]
pub(super) async fn post_readings(State(app): State<Arc<App>>, posted: Posted) -> ApiResult<Response> {
    match posted.content()? {
        Content::One(bytes) => match publish(&app, vec![bytes]).await? {
            Published::Settled(outcomes) => match outcomes.into_iter().next() {
                Some(Outcome::Rejected(rejection)) => Err(rejection.into()),
                outcome => Ok(receipt(outcome.as_slice())),
            },
            Published::Queued => Ok(queued(1)),
        },
        Content::Many(items) if items.is_empty() => Ok(receipt(&[])),
        Content::Many(items) => {
            let count = items.len() as u64;
            match publish(&app, items).await? {
                Published::Settled(outcomes) => answer(&outcomes),
                Published::Queued => Ok(queued(count)),
            }
        }
        Content::Broken(bytes, rejection) => {
            publish(&app, vec![bytes]).await?;
            Err(rejection.into())
        }
    }
}

async fn publish(app: &App, payloads: Vec<Bytes>) -> ApiResult<Published> {
    let messages = payloads.into_iter().map(|it| Message::new(it, "http")).collect();
    match tokio::time::timeout(COMMIT_PATIENCE, app.publisher.publish(messages)).await {
        Ok(published) => Ok(published?),
        Err(_) => {
            let detail = "the readings are not committed yet; sending them again is safe";
            Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_committed", detail))
        }
    }
}

fn queued(count: u64) -> Response {
    let receipt = Receipt {
        queued: count,
        ..Receipt::default()
    };
    (StatusCode::ACCEPTED, Json(receipt)).into_response()
}

fn answer(outcomes: &[Outcome]) -> ApiResult<Response> {
    if outcomes.iter().any(|it| !matches!(it, Outcome::Rejected(_))) {
        return Ok(receipt(outcomes));
    }
    let rejections = outcomes.iter().filter_map(|it| match it {
        Outcome::Rejected(rejection) => Some(rejection),
        _ => None,
    });
    let errors: Vec<ItemProblem> = rejections
        .enumerate()
        .map(|(at, it)| ItemProblem::new(at, it.clone()))
        .collect();
    Err(ApiError::none_taken(errors))
}

fn receipt(outcomes: &[Outcome]) -> Response {
    let mut receipt = Receipt::default();
    for (index, outcome) in outcomes.iter().enumerate() {
        let mut result = ItemResult::new(index);
        match outcome {
            Outcome::Stored(notes) => {
                receipt.stored += 1;
                (result.late, result.clock_suspect) = (notes.late, notes.clock_suspect);
                result.ignored = &notes.ignored;
            }
            Outcome::Duplicate => {
                receipt.duplicates += 1;
                result.status = "duplicate";
            }
            Outcome::Rejected(rejection) => {
                receipt.rejected += 1;
                result.status = "rejected";
                result.code = Some(rejection.code.as_str());
                result.field = rejection.field.as_deref();
                result.detail = Some(&rejection.detail);
            }
            Outcome::Probe => continue,
        }
        receipt.results.push(result);
    }
    let status = if receipt.rejected == 0 {
        StatusCode::OK
    } else {
        StatusCode::MULTI_STATUS
    };
    (status, Json(receipt)).into_response()
}

/// Reads stored readings
///
/// A page of readings, or with `resolution` buckets of equal width (`auto`, or a width such as `10s`, `1m`, `1h`, `1d`)
/// whose minimum and maximum hide no spike.
#[utoipa::path(get, path = "/api/v1/readings", tag = "readings",
    params(
        ("device_id" = Option<String>, Query, description = "Of this device only"),
        ("from" = Option<String>, Query, description = "Not before this instant", example = "2025-08-06T10:00:00Z"),
        ("to" = Option<String>, Query, description = "Before this instant"),
        ("anomalies" = Option<bool>, Query, description = "Only those with an anomalous verdict; not with buckets"),
        ("order" = Option<String>, Query, description = "`newest` (first, the default) or `oldest`; not with buckets"),
        ("limit" = Option<usize>, Query, description = "1 to 5000; 100 without, and of buckets all"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("resolution" = Option<String>, Query, description = "`raw`, `auto` or a width; the last 24 hours without `from`")),
    responses(
        (status = 200, body = ReadingsAnswer, description = "A page of readings, or buckets"),
        (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_readings(State(app): State<Arc<App>>, mut params: Params) -> ApiResult<Response> {
    let device_id = params.device_id("device_id")?;
    let (from, to) = (params.timestamp("from")?, params.timestamp("to")?);
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(ApiError::bad_query(
            "from",
            format!("from ({from}) lies after to ({to})"),
        ));
    }
    match params.text("resolution")?.as_deref() {
        None | Some("raw") => {
            let range = TimeRange {
                start: from.unwrap_or(Timestamp::MIN),
                end: to.unwrap_or(Timestamp::MAX),
            };
            page(&app, device_id, range, params).await
        }
        Some(resolution) => {
            let limit = params.number("limit", 1, MAX_LIMIT)?;
            let cursor = params.text("cursor")?.map(|it| bucket_cursor(&it)).transpose()?;
            params.finish()?;
            let end = to.unwrap_or_else(clock::now);
            let range = TimeRange {
                start: from.unwrap_or_else(|| end.before(DEFAULT_SPAN)),
                end,
            };
            let width = match cursor {
                Some((width, _)) => width,
                None => width(resolution, range)?,
            };
            let range = TimeRange {
                start: cursor.map_or(range.start, |(_, start)| start),
                end,
            };
            let query = BucketQuery {
                device_id,
                range,
                width,
            };
            buckets(&app, query, limit).await
        }
    }
}

async fn page(app: &App, device_id: Option<DeviceId>, range: TimeRange, mut params: Params) -> ApiResult<Response> {
    let newest_first = match params.text("order")?.as_deref() {
        None | Some("newest") => true,
        Some("oldest") => false,
        Some(other) => {
            return Err(ApiError::bad_query(
                "order",
                format!("order is newest or oldest, not `{}`", cut(other)),
            ));
        }
    };
    let query = ReadingQuery {
        device_id,
        range,
        anomalies_only: params.flag("anomalies")?,
        newest_first,
        limit: params.number("limit", 1, MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT),
        after: params.text("cursor")?.map(Cursor),
    };
    params.finish()?;
    let page = app.warehouse.readings(query).await?;
    let readings = page.items.iter().map(|it| ReadingDto::marked(it, app)).collect();
    let next = page.next.as_ref().map(|it| it.0.as_str());
    Ok(Json(ReadingsAnswer::Page(ReadingsPage { readings, next })).into_response())
}

/// Where a page of buckets goes on: how wide they are, since `auto` would choose anew, and where the next one begins.
fn bucket_cursor(text: &str) -> ApiResult<(Duration, Timestamp)> {
    let parse = || {
        let (seconds, start) = text.split_once('-')?;
        let width = seconds.parse().ok().filter(|it| (1..=MAX_WIDTH).contains(it))?;
        let start = Timestamp::from_micros(start.parse().ok()?);
        Some((Duration::from_secs(width), start))
    };
    parse().ok_or_else(|| ApiError::bad_query("cursor", "cursor is not one that a page of buckets gave".to_owned()))
}

async fn buckets(app: &App, query: BucketQuery, limit: Option<usize>) -> ApiResult<Response> {
    let width_seconds = query.width.as_secs();
    let mut buckets = app.warehouse.buckets(query).await?;
    let next = limit
        .and_then(|it| buckets.get(it))
        .map(|it| format!("{width_seconds}-{}", it.start.as_micros()));
    buckets.truncate(limit.unwrap_or(usize::MAX));
    let buckets = buckets
        .iter()
        .map(|it| BucketDto::new(it, &app.config.signals))
        .collect();
    let buckets = Buckets {
        resolution: written(width_seconds),
        width_seconds,
        buckets,
        next: next.as_deref(),
    };
    Ok(Json(ReadingsAnswer::Buckets(buckets)).into_response())
}

/// The width that a text names.
fn width(resolution: &str, range: TimeRange) -> ApiResult<Duration> {
    let span = range.end.seconds_since(range.start).max(0.0) as u64;
    if resolution == "auto" {
        let fits = |it: &u64| span / it <= AUTO_BUCKETS;
        let widest = AUTO_WIDTHS[AUTO_WIDTHS.len() - 1].max(span / AUTO_BUCKETS + 1);
        return Ok(Duration::from_secs(
            AUTO_WIDTHS.into_iter().find(fits).unwrap_or(widest),
        ));
    }
    let unknown = || {
        let detail = format!(
            "resolution is raw, auto or a width such as 10s, 1m or 1h, not `{}`",
            cut(resolution)
        );
        ApiError::bad_query("resolution", detail)
    };
    let unit = match resolution.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3_600,
        Some(b'd') => 86_400,
        _ => return Err(unknown()),
    };
    let digits = &resolution[..resolution.len() - 1];
    let count: u64 = digits
        .parse()
        .ok()
        .filter(|it| (1..=100_000).contains(it))
        .ok_or_else(unknown)?;
    let seconds = count * unit;
    if span / seconds >= MAX_BUCKETS {
        let detail = format!("{resolution} would cut the range into more than {MAX_BUCKETS} buckets");
        return Err(ApiError::bad_query("resolution", detail).hint("ask for a shorter range, wider buckets or `auto`"));
    }
    Ok(Duration::from_secs(seconds))
}

fn written(seconds: u64) -> String {
    match seconds {
        it if it % 86_400 == 0 => format!("{}d", it / 86_400),
        it if it % 3_600 == 0 => format!("{}h", it / 3_600),
        it if it % 60 == 0 => format!("{}m", it / 60),
        it => format!("{it}s"),
    }
}

impl ApiError {
    /// Of a list, nothing could be taken.
    pub(super) fn none_taken(mut errors: Vec<ItemProblem>) -> Self {
        let malformed = errors.iter().all(|it| it.code == RejectionCode::MalformedJson.as_str());
        let status = if malformed {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::UNPROCESSABLE_ENTITY
        };
        let detail = match &errors[..] {
            [only] => only.detail.clone(),
            _ => format!("none of the {} readings can be taken", errors.len()),
        };
        errors.truncate(MAX_TOLD);
        Self::new(status, "none_taken", detail).items(errors)
    }
}
