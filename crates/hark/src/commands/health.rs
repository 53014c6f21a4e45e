//! `hark health`: whether a running Hark is ready, for containers that hold nothing else that could ask.

use crate::client::Client;
use crate::output::say;

/// Succeeds when the Hark at this address answers that it is ready.
pub(crate) async fn run(url: String) -> anyhow::Result<()> {
    Client::new(&url)?.ready().await?;
    say("ready");
    Ok(())
}
