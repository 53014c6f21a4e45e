//! Spans as a collector gets them: a real process, a real request, OTLP over HTTP.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

/// A message of Protocol Buffers: its fields of bytes, by number. Others are passed over.
struct Message<'a>(Vec<(u64, &'a [u8])>);

impl<'a> Message<'a> {
    fn decode(mut bytes: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let passed = match tag & 7 {
                0 => {
                    varint(&mut bytes);
                    continue;
                }
                1 => 8,
                2 => usize::try_from(varint(&mut bytes)).unwrap(),
                5 => 4,
                other => panic!("no such wire type: {other}"),
            };
            let (field, rest) = bytes.split_at(passed);
            fields.push((tag >> 3, field));
            bytes = rest;
        }
        Self(fields)
    }

    fn all(&self, number: u64) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |it| it.0 == number).map(|it| it.1)
    }

    fn one(&self, number: u64) -> &'a [u8] {
        self.all(number).next().unwrap_or_default()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// A span as it was sent, its numbers in hexadecimal.
#[derive(Debug)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    attributes: Vec<(String, String)>,
}

impl Span {
    /// Of the message `opentelemetry.proto.trace.v1.Span`.
    fn decode(bytes: &[u8]) -> Self {
        let span = Message::decode(bytes);
        let hex = |bytes: &[u8]| bytes.iter().map(|it| format!("{it:02x}")).collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let attribute = |bytes| {
            let pair = Message::decode(bytes);
            (text(pair.one(1)), text(Message::decode(pair.one(2)).one(1)))
        };
        Self {
            trace: hex(span.one(1)),
            id: hex(span.one(2)),
            parent: hex(span.one(4)),
            name: text(span.one(5)),
            attributes: span.all(9).map(attribute).collect(),
        }
    }
}

/// The spans of an `ExportTraceServiceRequest`: of every resource, of every scope.
fn spans(body: &[u8]) -> Vec<Span> {
    let resources = Message::decode(body);
    let scopes = resources
        .all(1)
        .flat_map(|it| Message::decode(it).all(2).collect::<Vec<_>>());
    let spans = scopes.flat_map(|it| Message::decode(it).all(2).collect::<Vec<_>>());
    spans.map(Span::decode).collect()
}

/// Takes one export, answers it, and gives its spans with the path that it was sent to.
fn take(listener: &TcpListener) -> (String, Vec<Span>) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer =
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
    let path = head.split_whitespace().nth(1).unwrap().to_owned();
    (path, spans(&body))
}

#[test]
fn a_request_is_a_span_in_the_trace_of_its_sender_and_so_is_the_batch_that_its_reading_is_in() {
    let folder = tempfile::tempdir().unwrap();
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let mut hark = Command::new(env!("CARGO_BIN_EXE_hark"))
        .args(["serve", "--listen", "127.0.0.1:0", "--otlp-endpoint", &endpoint])
        .env("RUST_LOG", "hark=debug")
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(hark.stderr.take().unwrap());
    let mut lines = said.lines().map_while(Result::ok);
    let line = lines.find(|it| it.starts_with("API")).unwrap();
    let api = line.split_whitespace().nth(1).unwrap();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let sender = format!("00-{trace}-00f067aa0ba902b7-01");
    ureq::get(format!("{api}/livez"))
        .header("traceparent", &sender)
        .call()
        .unwrap();
    let reading = r#"{"device_id":"a","timestamp":"2026-01-01T00:00:00Z","temperature":20}"#;
    let posted = ureq::post(format!("{api}/api/v1/readings"))
        .header("traceparent", &sender)
        .content_type("application/json")
        .send(reading);
    assert!(posted.unwrap().status().is_success());
    // An error names the trace, and so does the line in the log.
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let refused = agent
        .get(format!("{api}/nowhere"))
        .header("traceparent", &sender)
        .call();
    let problem: serde_json::Value = refused.unwrap().body_mut().read_json().unwrap();
    assert_eq!(problem["trace_id"], trace);
    // At its end it sends what it has.
    let asked = Command::new("kill").args(["-TERM", &hark.id().to_string()]).status();
    assert!(asked.unwrap().success());
    let (path, spans) = take(&collector);
    assert_eq!(path, "/v1/traces");
    let is_of = |it: &Span, route: &str| it.attributes.contains(&("route".to_owned(), route.to_owned()));
    let requests = spans.iter().filter(|it| it.name == "request" && it.trace == trace);
    let span = requests.clone().find(|it| is_of(it, "/livez"));
    let span = span.unwrap_or_else(|| panic!("no span of the request: {spans:?}"));
    assert_eq!(span.parent, "00f067aa0ba902b7");
    let attribute = |key: &str| span.attributes.iter().find(|it| it.0 == key).map(|it| it.1.as_str());
    assert_eq!((attribute("method"), attribute("route")), (Some("GET"), Some("/livez")));
    // The consumer that took the reading goes on with the trace of the request that brought it.
    let posted = requests.clone().find(|it| is_of(it, "/api/v1/readings")).unwrap();
    let batch = spans.iter().find(|it| it.name == "batch" && it.trace == trace);
    assert_eq!(
        batch
            .unwrap_or_else(|| panic!("no span of the batch: {spans:?}"))
            .parent,
        posted.id
    );
    let logged: Vec<String> = lines.filter(|it| it.contains("request answered")).collect();
    let of_trace = format!("\"trace_id\":\"{trace}\"");
    assert!(
        !logged.is_empty() && logged.iter().all(|it| it.contains(&of_trace)),
        "{logged:?}"
    );
    assert_eq!(hark.wait().unwrap().code(), Some(0));
}
