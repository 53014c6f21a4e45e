//! The document says what there is, and its examples work.

use std::fmt::Write as _;

use serde_json::Value;

use super::support::Running;

async fn document(running: &Running) -> Value {
    running.get("/openapi.json").await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_routes_are_these() {
    let running = Running::start().await;
    let document = document(&running).await;
    let mut routes = String::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            writeln!(
                routes,
                "{} {path} — {}",
                method.to_uppercase(),
                operation["summary"].as_str().unwrap()
            )
            .unwrap();
        }
    }
    insta::assert_snapshot!("routes", routes);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_in_the_document_is_taken() {
    let running = Running::trained().await;
    let mut tried = 0;
    for (path, methods) in document(&running).await["paths"].as_object().unwrap() {
        let contents = methods["post"]["requestBody"]["content"].as_object();
        for (kind, content) in contents.into_iter().flatten() {
            let body = match &content["example"] {
                Value::String(text) => text.clone(),
                Value::Null => panic!("{path} has no example for {kind}"),
                json => json.to_string(),
            };
            let id = super::incidents::told(&running, "pump-9", tried * 100_000, 3).await;
            if path.ends_with("/undo") {
                let comment = format!("/api/v1/incidents/{id}/comment");
                running.post_json(&comment, r#"{"text": "odd"}"#).await;
            }
            let path = path.replace("{signal}", "temperature").replace("{id}", id.as_str());
            let answer = running.post(&path, kind, body).await;
            assert_eq!(answer.status, 200, "{path} {kind}: {:?}", answer.bytes);
            tried += 1;
        }
    }
    assert_eq!(tried, 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reference_in_the_document_leads_somewhere() {
    let running = Running::start().await;
    let document = document(&running).await;
    let text = document.to_string();
    let references = text.split("\"$ref\":\"#").skip(1).filter_map(|it| it.split('"').next());
    let broken: Vec<&str> = references.filter(|it| document.pointer(it).is_none()).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_document_comes_from_the_binary() {
    let running = Running::start().await;
    let page = running.get("/docs/").await;
    let html = String::from_utf8(page.bytes.to_vec()).unwrap();
    assert!(!html.contains("https://") && !html.contains("<script>"), "{html}");
    for file in html
        .split(['"', '\''])
        .filter(|it| it.ends_with(".js") || it.ends_with(".css"))
    {
        let answer = running.get(&format!("/docs/{}", file.trim_start_matches("./"))).await;
        assert_eq!(answer.status, 200, "{file}");
    }
    assert_eq!(running.get("/docs").await.headers["location"], "/docs/");
}
