//! Traces by OpenTelemetry, for whoever names a collector: spans leave over OTLP by HTTP, in batches, from a thread of
//! their own. A collector that is away costs its spans and nothing else.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use anyhow::Context;
use axum::http::HeaderMap;
use bus::Message;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::registry::LookupSpan;

/// How long a batch may take to be sent.
const PATIENCE: Duration = Duration::from_secs(3);

/// How many other traces a batch is linked to at most.
const LINKS: usize = 32;

/// Sends what it has when it goes.
pub(crate) struct Telemetry(SdkTracerProvider);

impl Telemetry {
    /// Sends to the collector at this address, `http://127.0.0.1:4318`.
    ///
    /// # Errors
    /// When the address is none.
    pub(crate) fn new(endpoint: &str) -> anyhow::Result<Self> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(PATIENCE)
            .build()
            .with_context(|| {
                format!("`{endpoint}` is no address of a collector\nhint: it looks like http://127.0.0.1:4318")
            })?;
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder().with_service_name("hark").build())
            .with_batch_exporter(exporter)
            .build();
        Ok(Self(provider))
    }

    /// What turns the spans of the log into those that are sent.
    pub(crate) fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer().with_tracer(self.0.tracer("hark"))
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // A collector that is away is no reason to end badly.
        let _lost = self.0.shutdown_with_timeout(PATIENCE);
    }
}

/// Makes a span part of the trace that the sender of a request is in, as its `traceparent` says.
pub(crate) fn continue_trace(span: &Span, headers: &HeaderMap) {
    let context = TraceContextPropagator::new().extract(&Headers(headers));
    // A span that nobody sends has no trace.
    let _disabled = span.set_parent(context);
}

/// Of which trace the present span is; none where nobody sends it.
pub(crate) fn trace_id() -> Option<String> {
    let context = Span::current().context();
    let span = context.span().span_context().clone();
    span.is_valid().then(|| span.trace_id().to_string())
}

/// The attribute of a message that says which trace it is in.
const TRACEPARENT: &str = "traceparent";

/// Says on messages that they are of the trace of the span that sends them, unless they say of which they are.
pub(crate) fn mark(messages: &mut [Message]) {
    let mut marks = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut marks);
    let Some(mark) = marks.remove(TRACEPARENT) else { return };
    for message in messages {
        let attribute = message.attributes.entry(TRACEPARENT.to_owned());
        attribute.or_insert_with(|| mark.clone());
    }
}

/// Makes the span of a batch part of the trace that its first marked message is in, and links it to the others'.
pub(crate) fn join_traces(span: &Span, messages: &[Message]) {
    let marks: BTreeSet<&String> = messages
        .iter()
        .filter_map(|it| it.attributes.get(TRACEPARENT))
        .collect();
    let first = messages.iter().find_map(|it| it.attributes.get(TRACEPARENT));
    let Some(first) = first else { return };
    let context = |mark: &String| {
        let attributes = HashMap::from([(TRACEPARENT.to_owned(), mark.clone())]);
        TraceContextPropagator::new().extract(&attributes)
    };
    // A span that nobody sends has no trace.
    let _disabled = span.set_parent(context(first));
    for mark in marks.into_iter().filter(|it| *it != first).take(LINKS) {
        span.add_link(context(mark).span().span_context().clone());
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
