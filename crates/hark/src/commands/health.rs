//! `hark health`: whether a running Hark is ready, for containers that hold nothing else that could ask.

use serde_json::json;

use crate::client::Client;
use crate::output::{Format, tell_outcome};

/// Succeeds when the Hark at this address answers that it is ready.
pub(crate) async fn run(url: String, format: Option<Format>) -> anyhow::Result<()> {
    Client::new(&url)?.ready().await?;
    tell_outcome("ready", format, &[("url", json!(url)), ("ready", json!(true))])
}
