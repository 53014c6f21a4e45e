//! Readings in, and back out.

use domain::RejectionCode;
use warehouse::DeadLetterQuery;

use super::support::{Running, escaped, masked, reading};

const GOOD: &str = r#"{"device_id":"a","timestamp":"2025-08-06T10:00:00Z","temperature":21.5,"vibration":1.2}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_posted_reading_is_stored_once() {
    let running = Running::start().await;
    let first = running.post_json("/api/v1/readings", GOOD).await;
    insta::assert_json_snapshot!("one_stored", first.json());
    let again = running.post_json("/api/v1/readings", GOOD).await.json();
    assert_eq!((&again["stored"], &again["duplicates"]), (&0.into(), &1.into()));
    let page = running.get("/api/v1/readings").await.json();
    insta::assert_json_snapshot!("a_page_of_readings", masked(page));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partly_bad_batch_stores_the_good_ones_and_says_what_became_of_each() {
    let running = Running::start().await;
    let future = r#"{"device_id":"b","timestamp":"2999-01-01T00:00:00Z","temperature":1,"humidity":4}"#;
    let batch = format!(r#"[{GOOD},{{"device_id":"a"}},{GOOD},17,{future}]"#);
    let answer = running.post_json("/api/v1/readings", batch).await;
    assert_eq!(answer.status, 207);
    insta::assert_json_snapshot!("a_partly_bad_batch", answer.json());
    let letters = running
        .app
        .warehouse
        .dead_letters(DeadLetterQuery {
            code: None,
            limit: 10,
            after: None,
        })
        .await
        .unwrap();
    let payloads: Vec<&[u8]> = letters.items.iter().map(|it| &*it.letter.payload).collect();
    assert_eq!(payloads, [&b"17"[..], br#"{"device_id":"a"}"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wholly_bad_batch_is_a_problem_that_names_each_item() {
    let running = Running::start().await;
    let answer = running
        .post_json(
            "/api/v1/readings",
            r#"[{"device_id":"a"},{"device_id":"b","timestamp":"now"}]"#,
        )
        .await;
    assert_eq!(answer.problem(422).0, "none_taken");
    let mut problem = answer.json();
    assert!(problem["request_id"].take().is_string());
    insta::assert_json_snapshot!("a_wholly_bad_batch", problem);
    assert_eq!(
        running
            .post("/api/v1/readings", "application/x-ndjson", "x\ny\n")
            .await
            .problem(400)
            .0,
        "none_taken"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_at_all_is_kept_as_it_came() {
    let running = Running::start().await;
    for body in ["hello", "[1,2"] {
        running.post_json("/api/v1/readings", body).await.problem(400);
    }
    let letters = running.app.warehouse.dead_letters(DeadLetterQuery {
        code: Some(RejectionCode::MalformedJson),
        limit: 10,
        after: None,
    });
    let payloads: Vec<Vec<u8>> = letters
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|it| it.letter.payload)
        .collect();
    assert_eq!(payloads, [b"[1,2".to_vec(), b"hello".to_vec()]);
    assert_eq!(running.get("/api/v1/summary").await.json()["dead_letters"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn ndjson_is_taken_line_by_line_whatever_ends_the_lines() {
    let running = Running::start().await;
    let lines = format!(
        "{}\r\n\n  {}  \n{}",
        reading("a", 0, 20.0),
        reading("a", 1, 20.0),
        reading("b", 0, 20.0)
    );
    let answer = running
        .post("/api/v1/readings", "application/x-ndjson", lines)
        .await
        .json();
    assert_eq!(answer["stored"], 3);
    assert_eq!(running.post_json("/api/v1/readings", "[]").await.json()["stored"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_without_gap_or_double() {
    let running = Running::start().await;
    let lines: Vec<String> = (0..25).map(|it| reading("a", it, it as f64)).collect();
    running
        .post("/api/v1/readings", "application/x-ndjson", lines.join("\n"))
        .await;
    for order in ["newest", "oldest"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = running
                .get(&format!("/api/v1/readings?limit=10&order={order}&cursor={cursor}"))
                .await
                .json();
            seen.extend(
                page["readings"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|it| it["values"]["temperature"].as_f64().unwrap()),
            );
            let Some(next) = page["next"].as_str() else { break };
            cursor = escaped(next);
        }
        let mut expected: Vec<f64> = (0..25).map(f64::from).collect();
        if order == "newest" {
            expected.reverse();
        }
        assert_eq!(seen, expected, "{order}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_keep_the_spike() {
    let running = Running::start().await;
    let lines: Vec<String> = (0..300)
        .map(|it| reading("a", it, if it == 150 { 99.0 } else { 20.0 }))
        .collect();
    running
        .post("/api/v1/readings", "application/x-ndjson", lines.join("\n"))
        .await;
    let answer = running.get("/api/v1/readings?resolution=1m").await.json();
    let buckets = answer["buckets"].as_array().unwrap();
    let highest = buckets
        .iter()
        .filter_map(|it| it["signals"]["temperature"]["max"].as_f64())
        .fold(0.0, f64::max);
    let total: u64 = buckets.iter().filter_map(|it| it["readings"].as_u64()).sum();
    assert_eq!((highest, total, &answer["width_seconds"]), (99.0, 300, &60.into()));
    let page = "/api/v1/readings?resolution=1m&limit=2";
    let first = running.get(page).await.json();
    let rest = format!("{page}&cursor={}", first["next"].as_str().unwrap());
    let second = running.get(&rest.replace("limit=2", "limit=5000")).await.json();
    let both = [&first["buckets"], &second["buckets"]].map(|it| it.as_array().unwrap().clone());
    assert_eq!((both[0].len(), both.concat()), (2, buckets.clone()));
    let auto = running.get("/api/v1/readings?resolution=auto&device_id=a").await.json();
    assert_eq!(
        (&auto["resolution"], &auto["next"]),
        (&"5m".into(), &serde_json::Value::Null)
    );
}
