//! What a client is told when something is wrong, and the cause that only the log sees.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bus::{BusError, BusErrorKind};
use domain::{Rejection, RejectionCode};
use warehouse::{WarehouseError, WarehouseErrorKind};

use super::dto::problem::{ItemProblem, Problem};
use super::identity::Identity;

/// The media type of RFC 9457.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// How long a client should wait before it tries again, in seconds.
const RETRY_AFTER: u32 = 1;

/// An answer that is no success.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Content>);

#[derive(Debug)]
struct Content {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    hint: Option<String>,
    errors: Vec<ItemProblem>,
    cause: Option<anyhow::Error>,
}

/// What went wrong inside, left in the response for the log.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) Arc<anyhow::Error>);

/// The answer of a handler.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error with its status, its stable name and a sentence for a person.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self(Box::new(Content {
            status,
            code,
            detail,
            field: None,
            hint: None,
            errors: Vec::new(),
            cause: None,
        }))
    }

    /// A question that cannot be answered as it stands, and the parameter that is to blame.
    pub(crate) fn bad_query(field: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_query", detail).field(field)
    }

    /// Something that is not there.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// A fault of Hark's own.
    pub(crate) fn internal(cause: impl Into<anyhow::Error>) -> Self {
        let detail = "something went wrong inside Hark; its log says more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).caused_by(cause)
    }

    /// Names the field that is to blame.
    pub(crate) fn field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Says how to mend it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds what is wrong with each item of a list.
    pub(crate) fn items(mut self, errors: Vec<ItemProblem>) -> Self {
        self.0.errors = errors;
        self
    }

    /// Keeps the cause for the log.
    pub(crate) fn caused_by(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The same as what is wrong with one item of a list.
    pub(crate) fn item(self, index: usize) -> ItemProblem {
        ItemProblem {
            index,
            code: self.0.code,
            field: self.0.field,
            detail: self.0.detail,
        }
    }

    /// The public part.
    pub(crate) fn problem(&self) -> Problem<'_> {
        let it = &self.0;
        let Identity { request_id, trace_id } = Identity::current();
        Problem {
            kind: "about:blank",
            title: it.status.canonical_reason().unwrap_or("Error"),
            status: it.status.as_u16(),
            detail: &it.detail,
            code: it.code,
            field: it.field.as_deref(),
            hint: it.hint.as_deref(),
            request_id,
            trace_id,
            errors: &it.errors,
        }
    }
}

/// 400 for bytes that are no JSON, 422 for JSON that is no reading.
pub(crate) fn status_of(code: RejectionCode) -> StatusCode {
    match code {
        RejectionCode::MalformedJson => StatusCode::BAD_REQUEST,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        let mut error = Self::new(status_of(rejection.code), rejection.code.as_str(), rejection.detail);
        error.0.field = rejection.field;
        error
    }
}

impl From<BusError> for ApiError {
    fn from(failed: BusError) -> Self {
        let (code, detail) = match failed.kind {
            BusErrorKind::Full => (
                "busy",
                "more readings wait than Hark can take; nothing of this request was taken",
            ),
            BusErrorKind::Unavailable => (
                "not_committed",
                "the readings may not have been stored; sending them again is safe",
            ),
            BusErrorKind::Closed => (
                "stopping",
                "Hark is being stopped; sending the readings again later is safe",
            ),
            BusErrorKind::Fatal => return Self::internal(failed),
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).caused_by(failed)
    }
}

impl From<WarehouseError> for ApiError {
    fn from(failed: WarehouseError) -> Self {
        match failed.kind {
            WarehouseErrorKind::BadQuery => Self::new(StatusCode::BAD_REQUEST, "bad_query", failed.to_string()),
            WarehouseErrorKind::Retryable => {
                let detail = "the warehouse cannot answer now";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "warehouse_away", detail).caused_by(failed)
            }
            WarehouseErrorKind::Absent
            | WarehouseErrorKind::Held
            | WarehouseErrorKind::Denied
            | WarehouseErrorKind::Corrupt
            | WarehouseErrorKind::Fatal => Self::internal(failed),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.problem()).unwrap_or_default();
        let mut response = (self.0.status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        if self.0.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
        }
        if let Some(cause) = self.0.cause {
            response.extensions_mut().insert(Cause(Arc::new(cause)));
        }
        response
    }
}
