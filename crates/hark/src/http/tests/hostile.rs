//! Input that means no good: each is a 4xx with a reason, and never more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::{Request, header};
use bytes::Bytes;

use super::support::{Running, escaped};

/// Bodies that are no reading at all.
const BAD: &[(&str, u16, &str, &str)] = &[
    ("", 400, "malformed_json", ""),
    ("  \n", 400, "malformed_json", ""),
    ("null", 400, "malformed_json", ""),
    ("\"text\"", 400, "malformed_json", ""),
    ("{", 400, "malformed_json", ""),
    ("{}", 422, "missing_field", "device_id"),
    (r#"{"temperature":1,"vibration":1}"#, 422, "missing_field", "device_id"),
    (
        r#"{"device_id":"a","sensor_data":{"temperature":"x","vibration":1}}"#,
        422,
        "wrong_type",
        "sensor_data.temperature",
    ),
];

/// What stands in a field of a reading that has nothing else wrong, and the code that tells of it.
const BAD_FIELDS: &[(&str, &str, &str)] = &[
    ("temperature", "NaN", "malformed_json"),
    ("temperature", "Infinity", "malformed_json"),
    ("temperature", "-Infinity", "malformed_json"),
    ("temperature", "1e999", "out_of_range"),
    ("temperature", "1e308", "out_of_range"),
    ("temperature", "9007199254740993", "out_of_range"),
    ("temperature", r#""25""#, "wrong_type"),
    ("temperature", "null", "wrong_type"),
    ("temperature", "true", "wrong_type"),
    ("temperature", "[1]", "wrong_type"),
    ("temperature", r#"1,"temperature":2"#, "duplicate_field"),
    ("device_id", r#""""#, "bad_device_id"),
    ("device_id", "7", "wrong_type"),
    ("device_id", r#""a\r\nSet-Cookie: x""#, "bad_device_id"),
    ("device_id", r#""a\u0000""#, "bad_device_id"),
    ("device_id", r#""a\ud800""#, "wrong_type"),
    ("timestamp", r#""2025-08-06T10:00:00""#, "bad_timestamp"),
    ("timestamp", "1754474400", "wrong_type"),
    ("timestamp", r#""12025-01-01T00:00:00Z""#, "bad_timestamp"),
];

/// A reading with this in one of its fields.
fn with(field: &str, value: &str) -> String {
    let fields = [
        ("device_id", r#""a""#),
        ("timestamp", r#""2025-08-06T10:00:00Z""#),
        ("temperature", "1"),
        ("vibration", "1"),
    ];
    let fields = fields.map(|(name, sound)| format!("\"{name}\":{}", if name == field { value } else { sound }));
    format!("{{{}}}", fields.join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_readings_are_refused_with_their_code_and_field() {
    let running = Running::trained().await;
    let of_fields = BAD_FIELDS.iter().map(|(field, value, code)| match *code {
        "malformed_json" => (with(field, value), 400, *code, ""),
        code => (with(field, value), 422, code, *field),
    });
    let whole = BAD.iter().map(|it| (it.0.to_owned(), it.1, it.2, it.3));
    for (body, status, code, field) in whole.chain(of_fields) {
        for path in ["/detect", "/api/v1/readings"] {
            let problem = running.post_json(path, body.clone()).await.problem(status);
            assert_eq!(problem, (code.to_owned(), field.to_owned()), "{path} {body}");
        }
        let batch = running.post_json("/detect/batch", format!("[{body}]")).await;
        assert!(
            batch.status.is_client_error() || body.trim().is_empty(),
            "{body}: {batch:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_names_deep_nesting_and_broken_text_are_refused() {
    let running = Running::trained().await;
    let long = format!(
        r#"{{"device_id":"{}","temperature":1,"vibration":1}}"#,
        "x".repeat(10_000)
    );
    let deep = format!(r#"{{"device_id":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let deeper = "[".repeat(100_000);
    let wide = format!(
        "{{{}\"z\":1}}",
        (0..50_000).map(|it| format!("\"k{it}\":1,")).collect::<String>()
    );
    for path in ["/detect", "/detect/temperature", "/detect/batch", "/api/v1/readings"] {
        for body in [&long, &deep, &deeper, &wide] {
            let answer = running.post_json(path, body.clone()).await;
            assert!([400, 422].contains(&answer.status.as_u16()), "{path}: {answer:?}");
        }
        let broken = running
            .post(
                path,
                "application/json",
                &b"{\"device_id\":\"\xff\xfe\",\"temperature\":1}"[..],
            )
            .await;
        assert!(
            !broken
                .problem(if path == "/detect/batch" { 422 } else { 400 })
                .0
                .is_empty()
        );
        let marked = running
            .post(
                path,
                "application/json",
                &b"\xef\xbb\xbf{\"device_id\":\"a\",\"temperature\":1}"[..],
            )
            .await;
        assert!([400, 422].contains(&marked.status.as_u16()), "{path}: {marked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_json_and_ndjson_in_utf8_and_uncompressed_are_taken() {
    let running = Running::start().await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin1",
        "multipart/form-data",
    ] {
        let answer = running.post("/api/v1/readings", kind, "{}").await;
        assert_eq!(
            answer.problem(415),
            ("unsupported_type".to_owned(), "content-type".to_owned()),
            "{kind}"
        );
    }
    let zipped = Request::post("/api/v1/readings")
        .header(header::CONTENT_ENCODING, "gzip")
        .body(Body::from("x"))
        .unwrap();
    assert_eq!(running.ask(zipped).await.problem(415).1, "content-encoding");
}

/// A body of a gigabyte that counts how much of itself was taken.
fn endless(first: &'static [u8], taken: Arc<AtomicU64>) -> Body {
    let chunk = Bytes::from(vec![b' '; 64 << 10]);
    let chunks = std::iter::once(Bytes::from_static(first)).chain((0..16_384).map(move |_| chunk.clone()));
    let counted = chunks.map(move |it| {
        taken.fetch_add(it.len() as u64, Ordering::Relaxed);
        Ok::<_, std::io::Error>(it)
    });
    Body::from_stream(tokio_stream::iter(counted))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_is_cut_at_the_limit() {
    let running = Running::start().await;
    for (first, kind, limit) in [
        (&b"{"[..], "application/json", 1 << 20),
        (b"[", "application/json", 8 << 20),
        (b"{", "application/x-ndjson", 8 << 20),
    ] {
        for path in ["/detect", "/detect/batch", "/api/v1/readings"] {
            let taken = Arc::new(AtomicU64::new(0));
            let answer = running.post(path, kind, endless(first, taken.clone())).await;
            assert_eq!(answer.problem(413).0, "too_large", "{path}");
            assert!(
                taken.load(Ordering::Relaxed) <= limit + (128 << 10),
                "{path} {kind}: {taken:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promised_gigabyte_is_refused_unread() {
    let running = Running::start().await;
    let taken = Arc::new(AtomicU64::new(0));
    let request = Request::post("/detect").header(header::CONTENT_LENGTH, 1_u64 << 30);
    let answer = running.ask(request.body(endless(b"{", taken.clone())).unwrap()).await;
    assert_eq!(answer.problem(413).0, "too_large");
    assert_eq!(taken.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_items_than_can_be_taken_are_refused_whole() {
    let running = Running::start().await;
    let many = format!("[{}1]", "1,".repeat(1_000_000));
    assert_eq!(
        running.post_json("/api/v1/readings", many).await.problem(413).0,
        "too_many"
    );
    let lines = "1\n".repeat(1_000_000);
    assert_eq!(
        running
            .post("/detect/batch", "application/x-ndjson", lines)
            .await
            .problem(413)
            .0,
        "too_many"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_device_names_come_back_as_they_are() {
    let running = Running::trained().await;
    let names = [
        "<img src=x onerror=alert(1)>",
        "'; DROP TABLE sensor_readings; --",
        "../../etc/passwd",
        "{{7*7}}",
        "=cmd()",
        "a\"b\\c",
        "pump 🔧 #+/%00?&",
    ];
    for name in names {
        let quoted = serde_json::to_string(name).unwrap();
        let body =
            format!(r#"{{"device_id":{quoted},"timestamp":"2025-08-06T10:00:00Z","temperature":21,"vibration":1}}"#);
        assert_eq!(
            running.post_json("/api/v1/readings", body.clone()).await.status,
            200,
            "{name}"
        );
        assert_eq!(running.post_json("/detect", body).await.json()["device_id"], name);
        let escaped = escaped(name);
        let page = running
            .get(&format!("/api/v1/readings?device_id={escaped}"))
            .await
            .json();
        assert_eq!(page["readings"][0]["device_id"], name);
    }
    let devices = running.get("/api/v1/devices").await.json();
    let known: Vec<&str> = devices["devices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["device_id"].as_str().unwrap())
        .collect();
    for name in names {
        assert!(known.contains(&name), "{name}");
        let escaped = escaped(name);
        assert_eq!(
            running.get(&format!("/api/v1/devices/{escaped}")).await.json()["device_id"],
            name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_questions_name_their_parameter() {
    let running = Running::start().await;
    for (query, field) in [
        ("from=yesterday", "from"),
        ("from=2025-08-06T10:00:00", "from"),
        ("from=2025-08-07T00:00:00Z&to=2025-08-06T00:00:00Z", "from"),
        ("limit=0", "limit"),
        ("limit=1e9", "limit"),
        ("limit=-1", "limit"),
        ("order=up", "order"),
        ("anomalies=maybe", "anomalies"),
        ("resolution=1y", "resolution"),
        ("resolution=0s", "resolution"),
        ("resolution=%E2%82%AC", "resolution"),
        ("resolution=1s&from=2020-01-01T00:00:00Z", "resolution"),
        ("device_id=%00", "device_id"),
        ("limit=1&limit=2", "limit"),
        ("devize_id=a", "devize_id"),
    ] {
        let problem = running.get(&format!("/api/v1/readings?{query}")).await.problem(400);
        assert_eq!(problem, ("bad_query".to_owned(), field.to_owned()), "{query}");
    }
    assert_eq!(
        running.get("/api/v1/readings?cursor=x").await.problem(400).0,
        "bad_query"
    );
    assert_eq!(running.get("/api/v1/summary?hours=0").await.problem(400).1, "hours");
    assert_eq!(running.get("/api/v1/devices/nobody").await.problem(404).0, "not_found");
    assert_eq!(running.get("/api/v1/devices/%FF").await.problem(400).0, "bad_query");
    assert_eq!(
        running.get("/api/v1/models/..%2F..%2Fetc/metrics").await.problem(404).1,
        "version"
    );
    assert_eq!(running.get("/nowhere").await.problem(404).0, "not_found");
    let wrong = running.get("/detect").await;
    assert_eq!(wrong.problem(405).0, "method_not_allowed");
    assert_eq!(wrong.headers[header::ALLOW], "POST");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_keeps_the_name_that_its_sender_gave_it_unless_it_could_disturb_a_log() {
    let running = Running::start().await;
    let named = |name: &str| {
        Request::get("/nowhere")
            .header("x-request-id", name)
            .body(Body::empty())
            .unwrap()
    };
    let kept = running.ask(named("gateway-7.1")).await;
    assert_eq!(kept.problem(404).0, "not_found");
    assert_eq!(kept.json()["request_id"], "gateway-7.1");
    let anew = running.ask(named("{\"level\":\"ERROR\"}")).await;
    assert_eq!(anew.json()["request_id"].as_str().unwrap().len(), 16);
    let well = running.get("/health").await;
    assert_ne!(well.headers["x-request-id"], anew.headers["x-request-id"]);
}
