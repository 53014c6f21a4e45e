//! Forwarding to the API. Bodies pass through as they come, both ways: an event stream is not held up.

use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header, uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use bytes::Bytes;
use hyper::body::{Frame, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::http::error::ApiError;

const CONNECT_PATIENCE: Duration = Duration::from_secs(3);

/// How long the API may take to begin its answer: longer than it waits for a body or a commit.
const ANSWER_PATIENCE: Duration = Duration::from_secs(65);

/// When this server stops, an API that stops with it has so long to say goodbye on its event streams.
const FAREWELL: Duration = Duration::from_millis(200);

/// Headers that are meant for one connection, not for what lies behind it.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The way to the API.
#[derive(Clone)]
pub(super) struct Proxy {
    api: uri::Authority,
    client: Client<HttpConnector, Body>,
}

impl Proxy {
    pub(super) fn new(api: &str) -> anyhow::Result<Self> {
        let parsed: Uri = api
            .parse()
            .with_context(|| format!("`{api}` is no address of an API"))?;
        let parts = parsed.into_parts();
        let bare = parts.path_and_query.is_none_or(|it| it.as_str() == "/");
        let plain = parts.scheme == Some(uri::Scheme::HTTP);
        ensure!(
            plain && bare,
            "`{api}` is no address of an API\nhint: it looks like http://127.0.0.1:8000"
        );
        let api = parts.authority.with_context(|| format!("`{api}` names no host"))?;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_PATIENCE));
        connector.set_nodelay(true);
        // Shorter than the API keeps an idle connection, so that none is taken up just as it closes.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(5))
            .build(connector);
        Ok(Self { api, client })
    }

    pub(super) fn into_route(self) -> MethodRouter {
        any(
            move |request: Request| async move { self.forward(request).await.unwrap_or_else(IntoResponse::into_response) },
        )
    }

    async fn forward(&self, request: Request) -> Result<Response, ApiError> {
        let stop = request
            .extensions()
            .get::<CancellationToken>()
            .cloned()
            .unwrap_or_default();
        let (mut parts, body) = request.into_parts();
        let target = Uri::builder().scheme("http").authority(self.api.clone());
        let target = target.path_and_query(parts.uri.path_and_query().map_or("/", uri::PathAndQuery::as_str));
        parts.uri = target.build().map_err(ApiError::internal)?;
        strip(&mut parts.headers);
        // The page's own origin was checked here; to the API the request comes from this server.
        for name in [header::HOST, header::ORIGIN] {
            parts.headers.remove(name);
        }
        let mut forwarded = Request::new(body);
        *forwarded.method_mut() = parts.method;
        *forwarded.uri_mut() = parts.uri;
        *forwarded.headers_mut() = parts.headers;
        let away = |detail: String| ApiError::new(StatusCode::BAD_GATEWAY, "api_away", detail);
        let answer = tokio::time::timeout(ANSWER_PATIENCE, self.client.request(forwarded)).await;
        let response = answer.map_err(|_| away(format!("the API at http://{} does not answer", self.api)))?;
        let response = response.map_err(|cause| {
            warn!(api = %self.api, error = format!("{:#}", anyhow::Error::new(cause)), "the API cannot be reached");
            let error = away(format!("the API at http://{} cannot be reached", self.api));
            error.hint("see whether `hark up` or `hark serve` runs there")
        })?;
        let (mut parts, body) = response.into_parts();
        strip(&mut parts.headers);
        let endless = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|it| it == "text/event-stream");
        let body = if endless {
            Body::new(UntilStop {
                body,
                stop: Box::pin(async move {
                    stop.cancelled().await;
                    sleep(FAREWELL).await;
                }),
            })
        } else {
            Body::new(body)
        };
        Ok(Response::from_parts(parts, body))
    }
}

fn strip(headers: &mut HeaderMap) {
    HOP_BY_HOP.iter().for_each(|it| {
        headers.remove(it);
    });
}

/// An event stream on its way through, which ends when this server stops.
struct UntilStop {
    body: Incoming,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl hyper::body::Body for UntilStop {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match Pin::new(&mut self.body).poll_frame(task) {
            Poll::Pending if self.stop.as_mut().poll(task).is_ready() => Poll::Ready(None),
            polled => polled,
        }
    }
}
