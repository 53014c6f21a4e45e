//! The one place that logs and counts requests.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument, debug, debug_span, error, warn};

use super::error::Cause;
#[cfg(feature = "otel")]
use super::identity;
use super::identity::Identity;
use crate::metrics::requests::Routes;

/// Logs and counts a request by the pattern of its route, never by the path as sent.
pub(crate) async fn watch(State(routes): State<Arc<Routes>>, request: Request, next: Next) -> Response {
    let pattern = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = routes.known(pattern).to_owned();
    let span = debug_span!("request", method = %request.method(), route);
    #[cfg(feature = "otel")]
    crate::telemetry::continue_trace(&span, request.headers());
    async move {
        #[cfg(feature = "otel")]
        identity::traced(crate::telemetry::trace_id());
        let begun = Instant::now();
        let response = next.run(request).await;
        let status = response.status();
        routes.answered(&route, status.as_u16(), begun.elapsed());
        let Identity { request_id, trace_id } = Identity::current();
        let cause = response.extensions().get::<Cause>().map(|it| format!("{:#}", it.0));
        match cause {
            Some(cause) if status.as_u16() == 500 => {
                error!(status = 500, request_id, trace_id, error = cause, "request failed")
            }
            Some(cause) if status.is_server_error() => {
                warn!(
                    status = status.as_u16(),
                    request_id,
                    trace_id,
                    error = cause,
                    "request refused"
                )
            }
            _ => debug!(status = status.as_u16(), request_id, trace_id, "request answered"),
        }
        response
    }
    .instrument(span)
    .await
}
