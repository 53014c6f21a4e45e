//! The files of the page, held in the binary.

use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::Embed;

use crate::http::error::ApiError;

#[derive(Embed)]
#[folder = "page/"]
struct Files;

/// Nothing inline, nothing from elsewhere, no frame around it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
     manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Serves a file of the page.
pub(super) async fn page(request: Request) -> Response {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let error = ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "the page is only read",
        );
        return ([(header::ALLOW, "GET,HEAD")], error).into_response();
    }
    let name = match request.uri().path().trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    let (Some(kind), Some(file)) = (kind(name), Files::get(name)) else {
        return ApiError::not_found("there is no such page")
            .hint("the dashboard is at /")
            .into_response();
    };
    let tag = tag(&file.metadata.sha256_hash());
    let known = request
        .headers()
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .any(|it| names(it, &tag));
    // The names carry no hash, so a browser asks each time whether a file is still the same; mostly it is.
    let headers = [
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_TYPE, kind),
        (header::ETAG, tag.as_str()),
    ];
    let policy = [(header::CONTENT_SECURITY_POLICY, POLICY)];
    if known {
        return (StatusCode::NOT_MODIFIED, headers, policy).into_response();
    }
    (headers, policy, file.data.into_owned()).into_response()
}

/// The content type by the name's end; `None` for what is not served, such as types and licences of the makers.
fn kind(name: &str) -> Option<&'static str> {
    let (stem, end) = name.rsplit_once('.')?;
    match end {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "png" => Some("image/png"),
        "woff2" => Some("font/woff2"),
        "webmanifest" => Some("application/manifest+json"),
        "txt" if stem.contains("LICENSE") => Some("text/plain; charset=utf-8"),
        _ => None,
    }
}

/// A weak tag, since compression changes the bytes and not the meaning.
fn tag(hash: &[u8; 32]) -> String {
    let hex: String = hash[..12].iter().map(|it| format!("{it:02x}")).collect();
    format!("W/\"{hex}\"")
}

fn names(header: &HeaderValue, tag: &str) -> bool {
    let bare = |it: &str| it.trim().trim_start_matches("W/").to_owned();
    let listed = header.to_str().unwrap_or("");
    listed.trim() == "*" || listed.split(',').any(|it| bare(it) == bare(tag))
}
