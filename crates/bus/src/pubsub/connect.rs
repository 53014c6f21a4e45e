//! Clients of the service or of an emulator, and what their failures mean.

use std::time::Duration;

use google::client_at;
use google_cloud_gax::client_builder;
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::retry_policy::{Aip194Strict, RetryPolicyExt};
use google_cloud_pubsub::Error;
use google_cloud_pubsub::client::{BasePublisher, Subscriber, SubscriptionAdmin, TopicAdmin};
use google_cloud_pubsub::retry_policy::RetryableErrors;

use super::Options;
use crate::{BusError, BusErrorKind};

/// How long a request that manages something is tried again.
const ADMIN_LIMIT: Duration = Duration::from_secs(10);

/// How long a publication is tried again before its sender is told.
const PUBLISH_LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn topics(options: &Options) -> Result<TopicAdmin, BusError> {
    let builder = TopicAdmin::builder()
        .with_retry_policy(Aip194Strict.with_time_limit(ADMIN_LIMIT))
        .with_attempt_timeout(ADMIN_LIMIT);
    client_at!(builder, &options.endpoint).map_err(unbuilt)
}

pub(super) async fn subscriptions(options: &Options) -> Result<SubscriptionAdmin, BusError> {
    let builder = SubscriptionAdmin::builder()
        .with_retry_policy(Aip194Strict.with_time_limit(ADMIN_LIMIT))
        .with_attempt_timeout(ADMIN_LIMIT);
    client_at!(builder, &options.endpoint).map_err(unbuilt)
}

pub(super) async fn publishers(options: &Options) -> Result<BasePublisher, BusError> {
    let retry = RetryableErrors.with_time_limit(PUBLISH_LIMIT);
    let builder = BasePublisher::builder().with_retry_policy(retry);
    client_at!(builder, &options.endpoint).map_err(unbuilt)
}

pub(super) async fn subscribers(options: &Options) -> Result<Subscriber, BusError> {
    client_at!(Subscriber::builder(), &options.endpoint).map_err(unbuilt)
}

fn unbuilt(cause: client_builder::Error) -> BusError {
    BusError::new(BusErrorKind::Fatal, google::unbuilt("Pub/Sub", &cause)).caused_by(cause)
}

/// The status that the service answered with, if it answered at all.
pub(super) fn code(error: &Error) -> Option<Code> {
    error.status().map(|it| it.code)
}

/// What a failure means for a caller. `what` is what was tried: "failed to publish to `…`".
pub(super) fn failure(what: String, options: &Options, error: &Error) -> BusError {
    let (kind, hint) = match code(error) {
        Some(Code::NotFound) => (
            BusErrorKind::Fatal,
            Some("`hark setup` makes what is missing".to_owned()),
        ),
        Some(Code::PermissionDenied) => (
            BusErrorKind::Fatal,
            Some(format!(
                "give the account the role roles/pubsub.publisher or roles/pubsub.subscriber in project `{}`",
                options.project
            )),
        ),
        Some(Code::Unauthenticated) => (
            BusErrorKind::Fatal,
            Some("the credentials are refused; `gcloud auth application-default login` renews them".to_owned()),
        ),
        Some(Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange) => (BusErrorKind::Fatal, None),
        _ if error.is_authentication() => (BusErrorKind::Fatal, Some(google::LOG_IN.to_owned())),
        None if google::lacks_credentials(error) => (BusErrorKind::Unavailable, Some(google::LOG_IN.to_owned())),
        Some(_) => (BusErrorKind::Unavailable, None),
        None => {
            let place = options.endpoint.as_deref().unwrap_or("https://pubsub.googleapis.com");
            (
                BusErrorKind::Unavailable,
                Some(format!("see whether {place} can be reached from here")),
            )
        }
    };
    BusError::new(kind, google::advised(&what, hint)).caused_by(error.to_string())
}
