//! What keeps a web page from elsewhere out, and the headers that keep a browser in.
//!
//! On a loopback address a request must name a loopback host, so that a name that an attacker points at 127.0.0.1 gets
//! no answer (DNS rebinding). A request that changes something and comes from a web page must come from a page of this
//! very host.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;

/// For answers that show nothing.
const STRICT: HeaderValue = HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'; base-uri 'none'");

/// The address that the server listens on, which [`super::serve()`] puts into each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListensOn(pub(crate) SocketAddr);

/// Refuses strangers, and sets the headers that every answer has.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let mut response = match refusal(&request) {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(STRICT);
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn refusal(request: &Request) -> Option<ApiError> {
    let headers = request.headers();
    let host = host(headers);
    let on_loopback = request
        .extensions()
        .get::<ListensOn>()
        .is_some_and(|it| it.0.ip().is_loopback());
    if on_loopback && host.is_some_and(|it| !names_loopback(it)) {
        let detail = "this server answers to localhost and 127.0.0.1 only";
        let error = ApiError::new(StatusCode::MISDIRECTED_REQUEST, "foreign_host", detail).field("host");
        return Some(error.hint("to be reached by another name, listen on another address than loopback"));
    }
    let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    let origin = headers.get(header::ORIGIN)?;
    if changes && !is_own(origin, host) {
        let detail = "a web page of another origin may not send this";
        return Some(ApiError::new(StatusCode::FORBIDDEN, "foreign_origin", detail).field("origin"));
    }
    None
}

fn host(headers: &HeaderMap) -> Option<&str> {
    // A host that is no text names nobody.
    headers.get(header::HOST).map(|it| it.to_str().unwrap_or(""))
}

fn names_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|it| it.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|it| it.strip_suffix(']'))
        .unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

fn is_own(origin: &HeaderValue, host: Option<&str>) -> bool {
    let origin = origin.to_str().unwrap_or("");
    let named = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    named.is_some_and(|it| Some(it) == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, expected: bool) {
        assert_eq!(names_loopback(host), expected, "{host}");
    }

    #[test]
    fn only_loopback_names_are_loopback() {
        check("localhost:8000", true);
        check("LOCALHOST", true);
        check("127.0.0.1:8000", true);
        check("127.0.0.1", true);
        check("[::1]:8000", true);
        check("[::1]", true);
        check("evil.example:8000", false);
        check("localhost.evil.example", false);
        check("127.0.0.1.evil.example", false);
        check("192.168.0.2:8000", false);
        check("", false);
    }

    #[test]
    fn only_the_own_origin_is_own() {
        let own = |origin| is_own(&HeaderValue::from_static(origin), Some("localhost:8501"));
        assert!(own("http://localhost:8501"));
        assert!(!own("http://localhost:3000"));
        assert!(!own("http://evil.example"));
        assert!(!own("null"));
    }
}
