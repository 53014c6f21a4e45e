//! Live events and states on their way between processes: consumers tell, servers listen.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::super::events::{Event, Events};
use super::super::fleet::Fleet;
use super::Shared;
use super::sealed::{seal, unseal};
use super::wire;
use crate::metrics::shared::{self as metrics, LISTENING};

/// How long to wait before Redis is listened to again.
const PAUSE: Duration = Duration::from_secs(1);

impl Shared {
    /// Tells other processes what happens here, until told to stop. What cannot be told is left out: whoever looks at a
    /// page then sees it with the next look at the warehouse.
    pub(crate) async fn tell(&self, mut events: mpsc::Receiver<Event>, stop: CancellationToken) {
        let channel = self.names.of("events");
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = events.recv() => event,
            };
            let Some(event) = event else { return };
            for message in wire::messages(&self.id, &event) {
                let mut question = redis::pipe();
                question.publish(&channel, seal(&channel, &message)).ignore();
                let _told: Option<()> = self.states.ask(&question).await;
            }
        }
    }

    /// Takes up what other processes tell, until told to stop.
    pub(crate) async fn listen(&self, fleet: &Fleet, events: &Events, stop: CancellationToken) {
        let mut is_away = false;
        loop {
            let listening = self.listen_once(fleet, events, &mut is_away);
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = listening => ended,
            };
            if !std::mem::replace(&mut is_away, true) {
                metrics::redis_away(LISTENING, true);
                let cause = ended.err().map_or("it hung up".to_owned(), |it| format!("{it:#}"));
                warn!(
                    cause,
                    "redis cannot be listened to, states come from the warehouse meanwhile"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn listen_once(&self, fleet: &Fleet, events: &Events, is_away: &mut bool) -> anyhow::Result<()> {
        let (states, told) = (self.names.of("states"), self.names.of("events"));
        let mut listener = self.states.listener(&[states.clone(), told.clone()]).await?;
        if std::mem::take(is_away) {
            metrics::redis_away(LISTENING, false);
            info!("redis is listened to again");
        }
        let mut messages = listener.on_message();
        while let Some(message) = messages.next().await {
            if message.get_channel_name() == states {
                self.hear_states(fleet, message.get_payload_bytes());
            } else {
                self.hear_event(fleet, events, message.get_payload_bytes());
            }
        }
        Ok(())
    }

    fn hear_event(&self, fleet: &Fleet, events: &Events, sealed: &[u8]) {
        let heard = unseal(&self.names.of("events"), sealed).map(|it| wire::event(it, &self.id, fleet.signals()));
        match heard {
            Some(Ok(Some(event))) => events.take_up(event),
            Some(Ok(None)) => {}
            Some(Err(cause)) => warn!(error = format!("{cause:#}"), "an event of another process is left out"),
            None => self.states.told_garbage(),
        }
    }
}

/// Tells other processes what happens here, until told to stop.
pub(crate) async fn telling(shared: Arc<Shared>, events: Arc<Events>, stop: CancellationToken) {
    let outgoing = events.outgoing();
    shared.tell(outgoing, stop).await;
}
