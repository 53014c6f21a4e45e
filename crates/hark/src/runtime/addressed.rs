//! A publisher that puts the address on each message: ordering key and attributes, read from the message itself.

use std::sync::Arc;

use async_trait::async_trait;
use bus::{BusError, Message, Published, Publisher};
use domain::{Signals, wire};

/// Publishes to a bus between processes, which keeps the order of each device and can be filtered by attributes.
pub(crate) struct Addressed {
    inner: Arc<dyn Publisher>,
    signals: Signals,
}

impl Addressed {
    /// A publisher of readings of these signals.
    pub(crate) fn new(inner: Arc<dyn Publisher>, signals: Signals) -> Self {
        Self { inner, signals }
    }
}

#[async_trait]
impl Publisher for Addressed {
    async fn publish(&self, messages: Vec<Message>) -> Result<Published, BusError> {
        let addressed = messages.into_iter().map(|it| address(it, &self.signals)).collect();
        self.inner.publish(addressed).await
    }
}

/// What cannot be read goes on as it is: the consumer keeps it as a dead letter.
fn address(mut message: Message, signals: &Signals) -> Message {
    let Ok(decoded) = wire::decode(&message.payload, signals, None) else {
        return message;
    };
    let reading = decoded.reading;
    let device_id = reading.device_id.to_string();
    let mut attribute = |name: &str, value: String| message.attributes.insert(name.to_owned(), value);
    attribute("device_id", device_id.clone());
    attribute("timestamp", reading.timestamp.to_string());
    if let Some(device_type) = &reading.device_type {
        attribute("device_type", device_type.to_string());
    }
    message.ordering_key = Some(device_id);
    message
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_message_is_addressed_by_what_it_says_and_one_that_says_nothing_is_left_alone() {
        let payload = br#"{"device_id":"a","timestamp":"2025-08-06T10:00:00Z","device_type":"pump","temperature":1}"#;
        let message = address(Message::new(Bytes::from_static(payload), "http"), &Signals::default());
        assert_eq!(message.ordering_key.as_deref(), Some("a"));
        let attributes: Vec<(&str, &str)> = message
            .attributes
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            attributes,
            [
                ("device_id", "a"),
                ("device_type", "pump"),
                ("timestamp", "2025-08-06T10:00:00Z")
            ]
        );
        let garbage = Message::new(Bytes::from_static(b"x"), "http");
        assert_eq!(address(garbage.clone(), &Signals::default()), garbage);
    }
}
