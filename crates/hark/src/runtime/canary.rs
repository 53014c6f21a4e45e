//! A probe that goes the whole way every few seconds, bus, consumer and warehouse, and leaves nothing behind: what a
//! quiet fleet and a broken pipeline differ in.

use std::sync::Arc;
use std::time::Duration;

use bus::Message;
use bytes::Bytes;
use tracing::debug;

use super::clock;
use crate::app::App;
use crate::metrics::{self, Stage};

/// How often.
const ROUND: Duration = Duration::from_secs(10);

/// The way in that tells a probe from readings.
pub(super) const SOURCE: &str = "canary";

/// Sends probes until Hark is stopped.
pub(crate) async fn run(app: Arc<App>) -> anyhow::Result<()> {
    loop {
        let probe = Message::new(Bytes::new(), SOURCE);
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            published = app.publisher.publish(vec![probe]) => match published {
                Ok(_) => metrics::alive(Stage::Canary, clock::now()),
                Err(cause) => debug!(error = %cause, "the probe did not get through"),
            }
        }
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}
