//! The dashboard's server in front of a real API.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::http::tests::support::{Answer, Running, reading};

async fn in_front_of(running: &Running) -> Router {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(crate::http::serve(
        listener,
        running.router.clone(),
        running.stop.clone(),
    ));
    super::router(&format!("http://{at}")).unwrap()
}

async fn ask(router: &Router, request: Request<Body>) -> Answer {
    Answer::of(router.clone().oneshot(request).await.unwrap()).await
}

async fn get(router: &Router, path: &str) -> Answer {
    ask(router, Request::get(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_page_comes_from_the_binary_and_is_not_sent_twice() {
    let router = super::router("http://127.0.0.1:1").unwrap();
    let page = get(&router, "/").await;
    assert_eq!(page.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(
        policy.contains("script-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let again = Request::get("/")
        .header(header::IF_NONE_MATCH, &page.headers[header::ETAG])
        .body(Body::empty())
        .unwrap();
    let again = ask(&router, again).await;
    assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
    assert_eq!(
        get(&router, "/app.js").await.headers[header::CONTENT_TYPE],
        "text/javascript; charset=utf-8"
    );
}

#[tokio::test]
async fn what_is_no_file_of_the_page_is_not_served() {
    let router = super::router("http://127.0.0.1:1").unwrap();
    for path in [
        "/nowhere.html",
        "/types.d.ts",
        "/tsconfig.json",
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "//etc/passwd",
        "/metrics",
    ] {
        assert_eq!(get(&router, path).await.problem(404).0, "not_found", "{path}");
    }
    let post = Request::post("/").body(Body::empty()).unwrap();
    assert_eq!(ask(&router, post).await.problem(405).0, "method_not_allowed");
}

#[tokio::test]
async fn a_page_in_a_process_of_its_own_tells_what_it_answers() {
    let router = super::router_with_metrics("http://127.0.0.1:1").unwrap();
    for path in ["/", "/app.js", "/nowhere.html", "/api/v1/summary"] {
        get(&router, path).await;
    }
    let text = String::from_utf8(get(&router, "/metrics").await.bytes.to_vec()).unwrap();
    for expected in [
        r#"hark_http_requests_total{route="/",status="2xx"} 1"#,
        r#"hark_http_requests_total{route="/{*file}",status="2xx"} 1"#,
        r#"hark_http_requests_total{route="/{*file}",status="4xx"} 1"#,
        r#"hark_http_requests_total{route="/api/{*rest}",status="5xx"} 1"#,
        r#"hark_http_requests_total{route="/detect",status="5xx"} 0"#,
        r#"hark_http_request_seconds_count{part="forwarded",status="5xx"} 1"#,
        "process_resident_memory_bytes ",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    assert!(!text.contains("nowhere") && !text.contains("hark_warehouse"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_page_asks_is_forwarded() {
    let running = Running::start().await;
    let router = in_front_of(&running).await;
    let post = Request::post("/api/v1/readings").header(header::CONTENT_TYPE, "application/json");
    let post = post
        .header(header::HOST, "localhost:8501")
        .header(header::ORIGIN, "http://localhost:8501");
    let stored = ask(&router, post.body(Body::from(reading("a", 0, 20.0))).unwrap()).await;
    assert_eq!(stored.json()["stored"], 1);
    assert_eq!(
        get(&router, "/api/v1/readings?device_id=a").await.json()["readings"][0]["device_id"],
        "a"
    );
    assert_eq!(get(&router, "/health").await.json()["status"], "healthy");
    assert_eq!(get(&router, "/docs").await.headers[header::LOCATION], "/docs/");
    assert_eq!(get(&router, "/api/v1/nowhere").await.problem(404).0, "not_found");
    let foreign = Request::post("/api/v1/readings").header(header::HOST, "localhost:8501");
    let foreign = foreign
        .header(header::ORIGIN, "http://evil.example")
        .body(Body::empty())
        .unwrap();
    assert_eq!(ask(&router, foreign).await.problem(403).0, "foreign_origin");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_pass_through_as_they_come() {
    let running = Running::start().await;
    let router = in_front_of(&running).await;
    let request = Request::get("/api/v1/stream")
        .header(header::ACCEPT_ENCODING, "gzip")
        .body(Body::empty())
        .unwrap();
    let mut body = router.clone().oneshot(request).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(&first[..], b"retry: 3000\n\n");
    running.post_json("/api/v1/readings", reading("a", 0, 20.0)).await;
    let second = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(second.windows(15).any(|it| it == b"event: readings"), "{second:?}");
    running.stop.cancel();
    let last = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(&last[..], b"event: bye\ndata: {}\n\n");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn an_api_that_is_away_is_told() {
    let router = super::router("http://127.0.0.1:1").unwrap();
    assert_eq!(get(&router, "/api/v1/summary").await.problem(502).0, "api_away");
    assert!(super::router("https://127.0.0.1:1").is_err());
    assert!(super::router("http://127.0.0.1:1/base").is_err());
    assert!(super::router("not an address").is_err());
}
