//! A probe that goes the whole way every few seconds, bus, consumer and warehouse, and leaves nothing behind: what a
//! quiet fleet and a broken pipeline differ in.
//!
//! In one process it is sent beside the consumer. On a bus that processes share the servers send, who may publish, and
//! whichever consumer takes one tells of it.

use std::sync::Arc;
use std::time::Duration;

use bus::Message;
use bytes::Bytes;
use tracing::debug;

use crate::app::App;

/// How often.
const ROUND: Duration = Duration::from_secs(10);

/// What tells a probe from readings, on any bus.
const MARK: &str = "hark_canary";

/// A message without a reading.
pub(crate) fn probe() -> Message {
    let mut probe = Message::new(Bytes::new(), "canary");
    probe.attributes.insert(MARK.to_owned(), String::new());
    probe
}

/// Whether a message is a probe. One that holds anything is a message like any other, whatever it calls itself.
pub(crate) fn is_probe(message: &Message) -> bool {
    message.payload.is_empty() && message.attributes.contains_key(MARK)
}

/// Sends probes until Hark is stopped. Who takes one tells of it.
pub(crate) async fn run(app: Arc<App>) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            published = app.publisher.publish(vec![probe()]) => if let Err(cause) = published {
                debug!(error = %cause, "the probe did not get through");
            }
        }
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}
