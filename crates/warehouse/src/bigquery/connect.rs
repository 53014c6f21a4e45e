//! Clients of the service or of an emulator, and what their failures mean.

use std::time::Duration;

use google::client_at;
use google_cloud_bigquery::client::{BigQuery, Read, Write};
use google_cloud_bigquery::error::QueryError;
use google_cloud_bigquery_v2::client::{DatasetService, TableService};
use google_cloud_gax::client_builder;
use google_cloud_gax::error::Error;
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::retry_policy::{Aip194Strict, RetryPolicyExt};

use super::Options;
use crate::{WarehouseError, WarehouseErrorKind};

/// How long a request that manages something is tried again.
const ADMIN_LIMIT: Duration = Duration::from_secs(15);

/// How long a query is tried again.
const QUERY_LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn datasets(options: &Options) -> Result<DatasetService, WarehouseError> {
    let retry = Aip194Strict.with_time_limit(ADMIN_LIMIT);
    let builder = DatasetService::builder().with_retry_policy(retry);
    client_at!(builder, &options.rest_endpoint).map_err(unbuilt)
}

pub(super) async fn tables(options: &Options) -> Result<TableService, WarehouseError> {
    let retry = Aip194Strict.with_time_limit(ADMIN_LIMIT);
    client_at!(TableService::builder().with_retry_policy(retry), &options.rest_endpoint).map_err(unbuilt)
}

pub(super) async fn queries(options: &Options) -> Result<BigQuery, WarehouseError> {
    let retry = google_cloud_bigquery::query::retry_policy::RetryableErrors.with_time_limit(QUERY_LIMIT);
    let builder = BigQuery::builder()
        .with_project_id(&options.project)
        .with_retry_policy(retry);
    client_at!(builder, &options.rest_endpoint).map_err(unbuilt)
}

pub(super) async fn writes(options: &Options) -> Result<Write, WarehouseError> {
    client_at!(Write::builder(), &options.grpc_endpoint).map_err(unbuilt)
}

pub(super) async fn reads(options: &Options) -> Result<Read, WarehouseError> {
    client_at!(Read::builder(), &options.grpc_endpoint).map_err(unbuilt)
}

fn unbuilt(cause: client_builder::Error) -> WarehouseError {
    WarehouseError::new(WarehouseErrorKind::Fatal, google::unbuilt("BigQuery", &cause)).caused_by(cause)
}

/// The status that the service answered with, if it answered at all.
pub(super) fn code(error: &Error) -> Option<Code> {
    let of_http = |it: u16| match it {
        404 => Some(Code::NotFound),
        409 => Some(Code::AlreadyExists),
        403 => Some(Code::PermissionDenied),
        401 => Some(Code::Unauthenticated),
        400 => Some(Code::InvalidArgument),
        _ => None,
    };
    let told = error.status().map(|it| it.code).filter(|it| *it != Code::Unknown);
    told.or_else(|| error.http_status_code().and_then(of_http))
}

/// What a failure means for a caller. `what` is what was tried: "failed to read `…`".
pub(super) fn failure(what: &str, options: &Options, error: &Error) -> WarehouseError {
    let (kind, hint) = match code(error) {
        Some(Code::NotFound) => (
            WarehouseErrorKind::Absent,
            Some("`hark setup` makes what is missing".to_owned()),
        ),
        // Quotas are told with the same status as missing rights.
        Some(Code::PermissionDenied) if told_of_quota(&error.to_string()) => (WarehouseErrorKind::Retryable, None),
        Some(Code::PermissionDenied) => (
            WarehouseErrorKind::Denied,
            Some(format!(
                "give the account what its part needs (docs/google-cloud.md): to read, roles/bigquery.dataViewer on dataset `{}` and \
                 roles/bigquery.jobUser in project `{}`; to write, roles/bigquery.dataEditor on the dataset",
                options.dataset, options.project
            )),
        ),
        Some(Code::Unauthenticated) => (
            WarehouseErrorKind::Fatal,
            Some("the credentials are refused; `gcloud auth application-default login` renews them".to_owned()),
        ),
        Some(Code::InvalidArgument | Code::FailedPrecondition | Code::Unimplemented) => {
            (WarehouseErrorKind::Fatal, None)
        }
        _ if error.is_authentication() => (WarehouseErrorKind::Fatal, Some(google::LOG_IN.to_owned())),
        None if google::lacks_credentials(error) => (WarehouseErrorKind::Retryable, Some(google::LOG_IN.to_owned())),
        Some(_) => (WarehouseErrorKind::Retryable, None),
        None => {
            let place = options
                .rest_endpoint
                .as_deref()
                .unwrap_or("https://bigquery.googleapis.com");
            let hint = format!("see whether {place} can be reached from here");
            (WarehouseErrorKind::Retryable, Some(hint))
        }
    };
    WarehouseError::new(kind, google::advised(what, hint)).caused_by(error.to_string())
}

fn told_of_quota(text: &str) -> bool {
    [
        "quotaExceeded",
        "rateLimitExceeded",
        "Exceeded rate limits",
        "Quota exceeded",
    ]
    .iter()
    .any(|it| text.contains(it))
}

/// The same of a query.
pub(super) fn query_failure(what: &str, options: &Options, error: &QueryError) -> WarehouseError {
    match error {
        QueryError::Rpc { source, .. } => failure(what, options, source),
        QueryError::JobFailed { errors, .. } => {
            let passing = ["backendError", "internalError", "quotaExceeded", "rateLimitExceeded"];
            let kind = if errors.iter().any(|it| passing.contains(&it.reason.as_str())) {
                WarehouseErrorKind::Retryable
            } else {
                WarehouseErrorKind::Fatal
            };
            let told: Vec<&str> = errors.iter().map(|it| it.message.as_str()).collect();
            WarehouseError::new(kind, what).caused_by(told.join("; "))
        }
        other => WarehouseError::new(WarehouseErrorKind::Fatal, what).caused_by(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use google_cloud_gax::error::rpc::Status;

    use super::*;
    use crate::bigquery::Delivery;

    #[track_caller]
    fn check(code: Code, message: &str, expected: WarehouseErrorKind, advice: &str) {
        let options = Options {
            project: "plant".to_owned(),
            dataset: "iot_data".to_owned(),
            location: "US".to_owned(),
            rest_endpoint: None,
            grpc_endpoint: None,
            delivery: Delivery::ExactlyOnce,
            writer: "w".to_owned(),
        };
        let error = Error::service(Status::default().set_code(code).set_message(message));
        let failure = failure("failed to append", &options, &error);
        assert_eq!(failure.kind, expected, "{code:?} {message}");
        assert!(failure.to_string().contains(advice), "{failure}");
    }

    #[test]
    fn what_a_quota_refuses_is_tried_again_and_what_a_right_refuses_is_not() {
        let rate = "Exceeded rate limits: too many table update operations for this table";
        let quota = "Quota exceeded: Your project exceeded quota for concurrent queries";
        check(Code::PermissionDenied, rate, WarehouseErrorKind::Retryable, "");
        check(Code::PermissionDenied, quota, WarehouseErrorKind::Retryable, "");
        check(Code::ResourceExhausted, quota, WarehouseErrorKind::Retryable, "");
        check(Code::Unavailable, "try later", WarehouseErrorKind::Retryable, "");
        let denied = "Permission bigquery.tables.updateData denied";
        check(
            Code::PermissionDenied,
            denied,
            WarehouseErrorKind::Denied,
            "to write, roles/bigquery.dataEditor",
        );
        check(
            Code::NotFound,
            "no such table",
            WarehouseErrorKind::Absent,
            "hint: `hark setup`",
        );
    }
}
