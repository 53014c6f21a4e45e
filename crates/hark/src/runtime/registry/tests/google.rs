//! Google Cloud Storage as far as a registry asks for it, written from the documentation of its XML interface: objects with
//! generations, and writes on condition of one. No emulator that a package registry has takes such conditions.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;

use super::{Registry, check};

#[derive(Default)]
struct Objects {
    generation: u64,
    by_name: BTreeMap<String, (u64, Bytes)>,
}

type Shared = Arc<Mutex<Objects>>;

fn described(generation: u64) -> [(&'static str, String); 3] {
    [
        ("etag", format!("\"{generation}\"")),
        ("x-goog-generation", generation.to_string()),
        ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT".to_owned()),
    ]
}

async fn read(
    State(objects): State<Shared>,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> impl IntoResponse {
    let objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((generation, bytes)) = objects.by_name.get(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let known = headers.get("if-none-match").and_then(|it| it.to_str().ok());
    if known == Some(&format!("\"{generation}\"")) {
        return (StatusCode::NOT_MODIFIED, described(*generation)).into_response();
    }
    (described(*generation), bytes.clone()).into_response()
}

async fn write(
    State(objects): State<Shared>,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> impl IntoResponse {
    let mut objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
    let there = objects.by_name.get(&name).map_or(0, |it| it.0);
    let wanted = headers.get("x-goog-if-generation-match");
    if wanted.is_some_and(|it| it.to_str().ok() != Some(&there.to_string())) {
        return StatusCode::PRECONDITION_FAILED.into_response();
    }
    objects.generation += 1;
    let generation = objects.generation;
    objects.by_name.insert(name, (generation, bytes));
    described(generation).into_response()
}

/// One registry alone lives in this bucket, so all objects are of its prefix.
async fn list(State(objects): State<Shared>) -> String {
    let objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
    let mut listed = "<ListBucketResult>".to_owned();
    for (name, (generation, bytes)) in &objects.by_name {
        let size = bytes.len();
        write!(
            listed,
            "<Contents><Key>{name}</Key><Size>{size}</Size><LastModified>2026-01-01T00:00:00Z</LastModified>\
             <ETag>\"{generation}\"</ETag></Contents>"
        )
        .unwrap();
    }
    listed + "</ListBucketResult>"
}

#[test]
fn a_bucket_of_google_holds_a_registry() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let service = Router::new()
        .route("/{bucket}", get(list))
        .route("/{bucket}/{object}", get(read).put(write))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(Shared::default());
    runtime.spawn(async move { axum::serve(listener, service).await });
    let open = || Registry::in_bucket("gs://plant/models", Some(&endpoint)).unwrap();
    check(&open(), &open());
}
