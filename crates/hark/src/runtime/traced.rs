//! A publisher that says on each message of which trace it is, for the consumer that takes it.

use std::sync::Arc;

use async_trait::async_trait;
use bus::{BusError, Message, Published, Publisher};

use crate::telemetry;

/// Publishes in the trace of whoever publishes.
pub(crate) struct Traced(Arc<dyn Publisher>);

impl Traced {
    /// A publisher around another.
    pub(crate) fn around(inner: Arc<dyn Publisher>) -> Arc<dyn Publisher> {
        Arc::new(Self(inner))
    }
}

#[async_trait]
impl Publisher for Traced {
    async fn publish(&self, mut messages: Vec<Message>) -> Result<Published, BusError> {
        telemetry::mark(&mut messages);
        self.0.publish(messages).await
    }
}
