//! The receiving side: several streams feed one queue, from which batches are handed out.

use std::time::Duration;

use async_trait::async_trait;
use google_cloud_gax::error::rpc::Code;
use google_cloud_pubsub::client;
use google_cloud_pubsub::model;
use google_cloud_pubsub::subscriber::MessageStream;
use google_cloud_pubsub::subscriber::handler::Handler;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time;

use super::{Options, PROBE, connect};
use crate::{Batch, BusError, BusErrorKind, Message, Outcome, Receipt, Subscriber};

/// How long the last acknowledgements may take when the process ends; what is not told by then comes again.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long a stream that failed waits before it is opened again; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A message and the way to settle it, or what ended a stream for good.
type Arrival = Result<(model::Message, Handler), BusError>;

/// Pulls from a subscription.
#[derive(Debug)]
pub struct PubsubSubscriber {
    options: Options,
    arrivals: mpsc::Receiver<Arrival>,
    /// What ended a stream for good, told after the messages that came before it.
    failure: Option<BusError>,
    streams: JoinSet<()>,
    // Keeps the connection while the streams use it.
    _client: client::Subscriber,
}

impl PubsubSubscriber {
    /// Begins to pull from the subscription of these options.
    ///
    /// # Errors
    /// [`BusErrorKind::Unavailable`] when the service cannot be reached, [`BusErrorKind::Fatal`] when there is no such
    /// subscription or there are no credentials.
    pub async fn open(options: Options) -> Result<Self, BusError> {
        let path = options.subscription_path();
        let known = connect::subscriptions(&options)
            .await?
            .get_subscription()
            .set_subscription(&path)
            .send()
            .await;
        // Whoever may pull need not have the right to look.
        if let Err(error) = known
            && connect::code(&error) != Some(Code::PermissionDenied)
        {
            return Err(connect::failure(
                format!("failed to subscribe to `{path}`"),
                &options,
                &error,
            ));
        }
        let client = connect::subscribers(&options).await?;
        let n_streams = options.streams.max(1);
        let per_stream = (options.max_outstanding / n_streams).max(1);
        let (sender, arrivals) = mpsc::channel(options.max_outstanding.max(1));
        let mut streams = JoinSet::new();
        for _ in 0..n_streams {
            let (client, path, lease) = (client.clone(), path.clone(), options.lease);
            let open = move || {
                client
                    .subscribe(&path)
                    .set_max_outstanding_messages(i64::try_from(per_stream).unwrap_or(i64::MAX))
                    .set_max_lease_extension(lease)
                    .build()
            };
            streams.spawn(feed(open, options.clone(), sender.clone()));
        }
        Ok(Self {
            options,
            arrivals,
            failure: None,
            streams,
            _client: client,
        })
    }
}

/// Hands on what a stream brings until nobody wants it or it failed for good; a stream that failed in passing is
/// opened again. At the end the service is told the last acknowledgements.
async fn feed(open: impl Fn() -> MessageStream, options: Options, arrivals: mpsc::Sender<Arrival>) {
    let mut stream = open();
    let mut wait = FIRST_WAIT;
    loop {
        let next = tokio::select! {
            () = arrivals.closed() => break,
            next = stream.next() => next,
        };
        let failure = match next {
            None => break,
            Some(Ok(arrived)) => {
                wait = FIRST_WAIT;
                // What nobody takes any more is dropped, which gives it back.
                if arrivals.send(Ok(arrived)).await.is_err() {
                    break;
                }
                continue;
            }
            Some(Err(error)) => {
                let what = format!("failed to pull from `{}`", options.subscription_path());
                connect::failure(what, &options, &error)
            }
        };
        if failure.kind == BusErrorKind::Fatal {
            // When nobody listens any more, nobody needs to know.
            let _ = arrivals.send(Err(failure)).await;
            break;
        }
        time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
        stream = open();
    }
    stream.shutdown_token().shutdown().await;
}

#[async_trait]
impl Subscriber for PubsubSubscriber {
    async fn pull(&mut self) -> Result<Option<Batch>, BusError> {
        loop {
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            let mut arrived = Vec::new();
            if self.arrivals.recv_many(&mut arrived, self.options.max_batch.max(1)).await == 0 {
                return Ok(None);
            }
            let mut messages = Vec::with_capacity(arrived.len());
            let mut handlers = Vec::with_capacity(arrived.len());
            for arrival in arrived {
                match arrival {
                    Ok((message, handler)) if message.attributes.contains_key(PROBE) => handler.ack(),
                    Ok((message, handler)) => {
                        messages.push(received(message));
                        handlers.push(handler);
                    }
                    Err(failure) => self.failure = Some(failure),
                }
            }
            if !messages.is_empty() {
                return Ok(Some(Batch::new(messages, Box::new(InHand(handlers)))));
            }
        }
    }

    async fn close(mut self: Box<Self>) {
        self.arrivals.close();
        while self.arrivals.try_recv().is_ok() {}
        let ended = async { while self.streams.join_next().await.is_some() {} };
        // What was not told in time is delivered again, and found to be there.
        let _ = time::timeout(FAREWELL, ended).await;
    }
}

fn received(message: model::Message) -> Message {
    Message {
        payload: message.data,
        attributes: message.attributes.into_iter().collect(),
        ordering_key: Some(message.ordering_key).filter(|it| !it.is_empty()),
        source: "pubsub",
    }
}

/// The receipt of one batch. A handler that is dropped gives its message back.
struct InHand(Vec<Handler>);

#[async_trait]
impl Receipt for InHand {
    /// Every outcome is durable by now, so every message is acknowledged; where the subscription confirms
    /// acknowledgements, the confirmations are awaited.
    async fn settle(self: Box<Self>, outcomes: Vec<Outcome>) -> Result<(), BusError> {
        if outcomes.len() != self.0.len() {
            let context = format!("{} outcomes were given for {} messages", outcomes.len(), self.0.len());
            return Err(BusError::new(BusErrorKind::Fatal, context));
        }
        let mut confirming = JoinSet::new();
        for handler in self.0 {
            match handler {
                Handler::ExactlyOnce(handler) => {
                    confirming.spawn(handler.confirmed_ack());
                }
                other => other.ack(),
            }
        }
        let n_messages = confirming.len();
        let unconfirmed = confirming.join_all().await.into_iter().filter_map(Result::err);
        let mut unconfirmed = unconfirmed.peekable();
        let Some(first) = unconfirmed.peek().map(ToString::to_string) else {
            return Ok(());
        };
        let n_unconfirmed = unconfirmed.count();
        let context = format!("{n_unconfirmed} of {n_messages} acknowledgements were not confirmed");
        Err(BusError::new(BusErrorKind::Unavailable, context).caused_by(first))
    }

    async fn release(self: Box<Self>) {
        for handler in self.0 {
            handler.nack();
        }
    }
}
