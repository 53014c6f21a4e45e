//! Reading a posted body: what type it claims, how long it may be, how long it may take, and where its items begin.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRef, FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use domain::{Rejection, RejectionCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{ApiError, ApiResult};
use crate::app::App;

/// The longest that a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most items of one request.
const MAX_ITEMS: usize = 50_000;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON value.
    Json,
    /// A JSON value a line.
    Ndjson,
}

/// A body that was read whole.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) form: Form,
    pub(crate) bytes: Bytes,
}

/// What a body holds. Items are slices of the body: nothing is copied or written anew.
#[derive(Debug)]
pub(crate) enum Content {
    /// One JSON value that is no list.
    One(Bytes),
    /// The elements of a list, or the lines that are not blank.
    Many(Vec<Bytes>),
    /// A list that is no JSON.
    Broken(Bytes, Rejection),
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    one: usize,
    batch: usize,
}

impl<S> FromRequest<S> for Posted
where
    S: Send + Sync,
    Arc<App>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> ApiResult<Self> {
        let settings = Arc::<App>::from_ref(state).settings();
        let api = &settings.api;
        let limits = Limits {
            one: api.max_request_bytes,
            batch: api.max_batch_bytes.max(api.max_request_bytes),
        };
        let form = form(request.headers())?;
        let reading = collect(request, form, limits);
        let bytes = tokio::time::timeout(PATIENCE, reading)
            .await
            .map_err(|_| too_slow())??;
        if bytes.trim_ascii().is_empty() {
            return Err(ApiError::from(Rejection::whole(
                RejectionCode::MalformedJson,
                "the body is empty",
            )));
        }
        Ok(Self { form, bytes })
    }
}

fn too_slow() -> ApiError {
    let detail = format!("the body did not arrive within {} seconds", PATIENCE.as_secs());
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail)
}

/// The form that the headers claim. No type at all is taken as JSON.
fn form(headers: &HeaderMap) -> ApiResult<Form> {
    let refused = |detail: String| ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_type", detail);
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && encoding.as_bytes() != b"identity"
    {
        let detail = format!("content-encoding {encoding:?} is not taken").replace('"', "`");
        return Err(refused(detail)
            .field("content-encoding")
            .hint("send the body as it is, without compression"));
    }
    let Some(claimed) = headers.get(header::CONTENT_TYPE) else {
        return Ok(Form::Json);
    };
    let claimed = claimed.to_str().unwrap_or_default().to_ascii_lowercase();
    let (kind, parameters) = claimed.split_once(';').unwrap_or((&claimed, ""));
    let utf8 = parameters
        .split(';')
        .filter_map(|it| it.trim().strip_prefix("charset="))
        .all(|it| it.trim_matches('"') == "utf-8");
    match kind.trim() {
        "application/json" if utf8 => Ok(Form::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" if utf8 => Ok(Form::Ndjson),
        _ => {
            let kind: String = claimed.chars().take(80).collect();
            let error = refused(format!("content-type `{kind}` is not taken")).field("content-type");
            Err(error.hint("send application/json or application/x-ndjson, in UTF-8"))
        }
    }
}

async fn collect(request: Request, form: Form, limits: Limits) -> ApiResult<Bytes> {
    let promised = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    if promised.is_some_and(|it| it > limits.batch as u64) {
        return Err(too_large(limits.batch));
    }
    let mut body: Body = request.into_body();
    let mut whole = Bytes::new();
    let mut more = BytesMut::new();
    let mut limit = (form == Form::Ndjson).then_some(limits.batch);
    while let Some(frame) = body.frame().await {
        let broken = |cause| {
            ApiError::new(StatusCode::BAD_REQUEST, "broken_body", "the body ended early")
                .caused_by(anyhow::Error::new(cause))
        };
        let Ok(chunk) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        limit = limit.or_else(|| match chunk.trim_ascii_start().first() {
            Some(b'[') => Some(limits.batch),
            Some(_) => Some(limits.one),
            None => None,
        });
        let limit = limit.unwrap_or(limits.one);
        if whole.len() + more.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        if whole.is_empty() && more.is_empty() {
            whole = chunk;
        } else {
            more.extend_from_slice(&std::mem::take(&mut whole));
            more.extend_from_slice(&chunk);
        }
    }
    Ok(if more.is_empty() { whole } else { more.freeze() })
}

fn too_large(limit: usize) -> ApiError {
    let detail = format!("the body is longer than {limit} bytes");
    let hint = "send fewer readings at a time; lists and NDJSON may be longer than a single object";
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).hint(hint)
}

impl Posted {
    /// Finds the items.
    pub(crate) fn content(&self) -> ApiResult<Content> {
        let content = match self.form {
            Form::Ndjson => {
                let lines = self
                    .bytes
                    .split(|it| *it == b'\n')
                    .map(<[u8]>::trim_ascii)
                    .filter(|it| !it.is_empty());
                Content::Many(lines.take(MAX_ITEMS + 1).map(|it| self.bytes.slice_ref(it)).collect())
            }
            Form::Json if self.bytes.trim_ascii_start().first() == Some(&b'[') => {
                match serde_json::from_slice::<Elements<'_>>(&self.bytes) {
                    Ok(Elements(items)) => Content::Many(
                        items
                            .iter()
                            .map(|it| self.bytes.slice_ref(it.get().as_bytes()))
                            .collect(),
                    ),
                    Err(cause) => {
                        let detail = format!("not a JSON list: {cause}");
                        Content::Broken(
                            self.bytes.clone(),
                            Rejection::whole(RejectionCode::MalformedJson, detail),
                        )
                    }
                }
            }
            Form::Json => Content::One(self.bytes.clone()),
        };
        match &content {
            Content::Many(items) if items.len() > MAX_ITEMS => {
                let detail = format!("more than {MAX_ITEMS} readings in one request");
                Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many", detail)
                    .hint("send them in several requests"))
            }
            _ => Ok(content),
        }
    }
}

/// The elements of a list, unread; none is kept beyond [`MAX_ITEMS`] and one.
struct Elements<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                    if items.len() > MAX_ITEMS {
                        while list.next_element::<IgnoredAny>()?.is_some() {}
                        break;
                    }
                }
                Ok(Elements(items))
            }
        }
        deserializer.deserialize_seq(List)
    }
}
