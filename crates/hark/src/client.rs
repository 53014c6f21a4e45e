//! A client of a running Hark's API, for commands that send it readings.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::Value;

use crate::commands::target::Tally;
use crate::exit::{Exit, Fault};

/// How often a Hark that is busy is asked again; the waits double from [`FIRST_WAIT`].
const TRIES: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(60);
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// A client of one Hark.
pub(crate) struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    base: String,
}

/// The parts of the answer that matter here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    stored: u64,
    duplicates: u64,
    rejected: u64,
    queued: u64,
    detail: Option<String>,
    label: Option<Label>,
    errors: Vec<serde::de::IgnoredAny>,
}

/// The label of an incident.
#[derive(Debug, Deserialize)]
struct Label {
    label: String,
}

impl Client {
    /// A client of the Hark at this address, `http://127.0.0.1:8000`.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let base = url.trim_end_matches('/').to_owned();
        let fits = base
            .parse::<Uri>()
            .is_ok_and(|it| it.scheme_str() == Some("http") && it.host().is_some());
        if !fits {
            return Err(Fault::new(
                format!("`{url}` is not the address of a Hark"),
                "write it as http://127.0.0.1:8000",
            )
            .exit(Exit::Usage)
            .into());
        }
        Ok(Self {
            http: HttpClient::builder(TokioExecutor::new()).build_http(),
            base,
        })
    }

    /// Posts encoded readings, and waits until they are durable. A Hark that is busy is asked again: readings that
    /// come twice are stored once.
    pub(crate) async fn post(&self, payloads: &[Vec<u8>]) -> anyhow::Result<Tally> {
        let body = Bytes::from(payloads.join(&b'\n'));
        let mut wait = FIRST_WAIT;
        let mut tries = 0;
        loop {
            let request = Request::post(format!("{}/api/v1/readings", self.base))
                .header(CONTENT_TYPE, "application/x-ndjson")
                .body(Full::new(body.clone()))?;
            let (status, answer) = self.ask(request).await?;
            tries += 1;
            let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            if !busy || tries == TRIES {
                return self.tally(status, answer);
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }

    fn tally(&self, status: StatusCode, answer: Answer) -> anyhow::Result<Tally> {
        if status.is_success() {
            return Ok(Tally {
                stored: answer.stored,
                duplicates: answer.duplicates,
                rejected: answer.rejected,
                queued: answer.queued,
            });
        }
        if status.is_client_error() && !answer.errors.is_empty() {
            return Ok(Tally {
                rejected: answer.errors.len() as u64,
                ..Tally::default()
            });
        }
        let detail = answer.detail.unwrap_or_default();
        anyhow::bail!("the Hark at {} answered {status}: {detail}", self.base)
    }

    /// Says what an incident was: whether that is new, or why it was not taken.
    pub(crate) async fn label(&self, id: &str, label: &str, body: &Value) -> anyhow::Result<Result<bool, String>> {
        let at = format!("{}/api/v1/incidents/{id}", self.base);
        let (status, known) = self.ask(Request::get(&at).body(Full::default())?).await?;
        if status.is_success() && known.label.is_some_and(|it| it.label == label) {
            return Ok(Ok(false));
        }
        let request = Request::post(format!("{at}/label"))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body.to_string().into()))?;
        let (status, answer) = self.ask(request).await?;
        let detail = || answer.detail.unwrap_or_else(|| format!("answered {status}"));
        if status.is_server_error() {
            anyhow::bail!("the Hark at {} answered {status}: {}", self.base, detail());
        }
        Ok(if status.is_success() { Ok(true) } else { Err(detail()) })
    }

    /// Asks once whether it is ready.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        let request = Request::get(format!("{}/readyz", self.base)).body(Full::default())?;
        let (status, answer) = self.ask(request).await?;
        if status.is_success() {
            return Ok(());
        }
        let detail = answer.detail.unwrap_or_default();
        anyhow::bail!("the Hark at {} is not ready: {status}: {detail}", self.base)
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Answer)> {
        let away = || {
            Fault::new(
                format!("the Hark at {} cannot be reached", self.base),
                "start it with `hark up` or `hark serve`",
            )
            .exit(Exit::DependencyAway)
        };
        let response = tokio::time::timeout(PATIENCE, self.http.request(request)).await;
        let response = response.with_context(away)?.with_context(away)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect();
        let body = tokio::time::timeout(PATIENCE, body).await.with_context(away)?;
        let body = body.map_err(|it| anyhow::anyhow!(it)).with_context(away)?.to_bytes();
        let answer = match serde_json::from_slice(&body) {
            Ok(answer) => answer,
            Err(_) if !status.is_success() => Answer::default(),
            Err(error) => return Err(error).with_context(|| format!("{} does not answer as a Hark does", self.base)),
        };
        Ok((status, answer))
    }
}
