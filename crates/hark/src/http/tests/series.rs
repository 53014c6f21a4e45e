//! However many devices there are and whatever is asked, the metrics stay few.

use std::collections::BTreeSet;

use super::support::Running;

/// What a Prometheus that scrapes every process can carry without a thought.
const MOST: usize = 500;

/// A reading of one of many devices, in as many places and of as many types as there may be.
fn reading(nth: usize) -> String {
    let at = crate::runtime::clock::now();
    format!(
        r#"{{"device_id":"d{nth}","timestamp":"{at}","device_type":"t{}","location":{{"building":"b{}","floor":"{}"}},"sensor_data":{{"temperature":20}}}}"#,
        nth % 30,
        nth % 50,
        nth % 7
    )
}

fn series(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|it| !it.is_empty() && !it.starts_with('#'));
    lines
        .filter_map(|it| it.rsplit_once(' '))
        .map(|(name, _)| name)
        .collect()
}

/// So that the first failure of any route is a change, which alerts see.
#[track_caller]
fn every_route_starts_at_zero(document: &serde_json::Value, text: &str) {
    let documented = document["paths"].as_object().unwrap().keys().map(String::as_str);
    for route in documented.chain(["/docs", "unmatched"]) {
        for status in ["2xx", "4xx", "5xx"] {
            let series = format!(r#"hark_http_requests_total{{route="{route}",status="{status}"}} "#);
            assert!(text.contains(&series), "{series}:\n{text}");
        }
    }
    for part in ["detection", "readings", "fleet", "incidents", "models", "operation"] {
        let series = format!(r#"hark_http_request_seconds_count{{part="{part}",status="5xx"}} 0"#);
        assert!(text.contains(&series), "{series}:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_devices_and_every_route_make_less_than_500_series() {
    let running = Running::trained().await;
    let many: Vec<String> = (0..1_000).map(reading).collect();
    let stored = running
        .post("/api/v1/readings", "application/x-ndjson", many.join("\n"))
        .await;
    assert_eq!(stored.status, 200);
    let document = running.get("/openapi.json").await.json();
    every_route_starts_at_zero(&document, &running.exposed().await);
    for (path, methods) in document["paths"].as_object().unwrap() {
        if path == crate::http::STREAM {
            continue;
        }
        for method in methods.as_object().unwrap().keys() {
            // Once as it may be right, once as it is not.
            for id in ["d1", "%ff"] {
                let path: String = path
                    .split(['{', '}'])
                    .enumerate()
                    .map(|(nth, it)| if nth % 2 == 1 { id } else { it })
                    .collect();
                if method == "post" {
                    running.post_json(&path, "[]").await;
                } else {
                    running.get(&path).await;
                    running.get(&format!("{path}?limit=none&hours=none")).await;
                }
            }
        }
    }
    running.get("/nowhere").await;
    let text = running.exposed().await;
    let series = series(&text);
    assert!(series.len() < MOST, "{} series:\n{text}", series.len());
    assert!(series.iter().any(|it| it.contains(r#"building="other""#)), "{text}");
}
