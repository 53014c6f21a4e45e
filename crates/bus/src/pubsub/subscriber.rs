//! The receiving side: several streams feed one queue, from which batches are handed out.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use google_cloud_gax::error::rpc::Code;
use google_cloud_pubsub::client;
use google_cloud_pubsub::subscriber::MessageStream;
use google_cloud_pubsub::subscriber::handler::Handler;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{self, Instant};

use super::later::{Held, Pulled, PutOff};
use super::{Options, PROBE, connect};
use crate::ledger::Ledger;
use crate::{Backlog, Batch, BusError, BusErrorKind, Lookout, Message, Outcome, Receipt, Subscriber};

/// How long the last acknowledgements may take when the process ends; what is not told by then comes again.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long a stream that failed waits before it is opened again; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A stream that brought nothing for so long is opened again: one whose other side forgot it looks like one for which
/// there is nothing.
const STALE: Duration = Duration::from_secs(30);

/// A message, or what ended a stream for good.
type Arrival = Result<Pulled, BusError>;

/// How long the messages of a key wait for one that was given back. It may have gone to another consumer.
const HOLD: Duration = Duration::from_secs(10);

/// The first message of each key that was given back. What else of the key is on its way would be handed out before it
/// comes again, and is given back as well until it does.
#[derive(Debug, Default)]
struct GivenBack(Mutex<HashMap<String, (String, Instant)>>);

impl GivenBack {
    fn give_back(&self, firsts: impl Iterator<Item = (String, String)>) {
        let now = Instant::now();
        self.lock().extend(firsts.map(|(key, id)| (key, (id, now))));
    }

    /// Whether a message must wait until another one of its key has come again.
    fn must_follow(&self, pulled: &Pulled) -> bool {
        let Some(key) = &pulled.message.ordering_key else {
            return false;
        };
        let mut firsts = self.lock();
        let Some((first, since)) = firsts.get(key) else {
            return false;
        };
        if *first != pulled.held.place.id && since.elapsed() < HOLD {
            return true;
        }
        firsts.remove(key);
        false
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (String, Instant)>> {
        // No critical section leaves the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pulls from a subscription.
pub struct PubsubSubscriber {
    options: Options,
    arrivals: mpsc::Receiver<Arrival>,
    given_back: Arc<GivenBack>,
    put_off: Arc<PutOff>,
    unsettled: Arc<Ledger<SystemTime>>,
    /// So many messages do the streams bring at most before some are settled.
    capacity: u64,
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
        let unsettled = Arc::default();
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
            streams.spawn(feed(open, options.clone(), sender.clone(), Arc::clone(&unsettled)));
        }
        Ok(Self {
            options,
            arrivals,
            given_back: Arc::default(),
            put_off: Arc::default(),
            unsettled,
            capacity: (n_streams * per_stream) as u64,
            failure: None,
            streams,
            _client: client,
        })
    }
}

/// Hands on what a stream brings until nobody wants it or it failed for good; a stream that failed in passing is
/// opened again. At the end the service is told the last acknowledgements.
async fn feed(
    open: impl Fn() -> MessageStream,
    options: Options,
    arrivals: mpsc::Sender<Arrival>,
    unsettled: Arc<Ledger<SystemTime>>,
) {
    let mut stream = open();
    let mut wait = FIRST_WAIT;
    let mut ending = JoinSet::new();
    loop {
        let next = tokio::select! {
            () = arrivals.closed() => break,
            next = stream.next() => next,
            () = time::sleep(STALE) => {
                // What the old one brought is kept and settled through it.
                let ended = std::mem::replace(&mut stream, open()).shutdown_token();
                ending.spawn(async move { ended.shutdown().await });
                while ending.try_join_next().is_some() {}
                continue;
            }
        };
        let failure = match next {
            None => break,
            Some(Ok((message, handler))) => {
                wait = FIRST_WAIT;
                let arrived = Pulled::new(message, handler, &unsettled);
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
    while ending.join_next().await.is_some() {}
}

#[async_trait]
impl Subscriber for PubsubSubscriber {
    async fn pull(&mut self) -> Result<Option<Batch>, BusError> {
        loop {
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            let mut arrived = Vec::new();
            let most = self.options.max_batch.max(1);
            tokio::select! {
                n_arrived = self.arrivals.recv_many(&mut arrived, most) => if n_arrived == 0 {
                    return Ok(None);
                },
                () = self.put_off.due() => {}
            }
            let mut pulled = self.put_off.take_due();
            for arrival in arrived {
                match arrival {
                    Ok(it) if it.message.attributes.contains_key(PROBE) => it.held.handler.ack(),
                    Ok(it) if self.given_back.must_follow(&it) => it.held.handler.nack(),
                    Ok(it) => pulled.extend(self.put_off.unless_waiting(it)),
                    Err(failure) => self.failure = Some(failure),
                }
            }
            if pulled.is_empty() {
                continue;
            }
            // What a consumer that died had in hand comes again behind what was published after it.
            pulled.sort_by(|one, other| one.held.place.cmp(&other.held.place));
            let mut firsts = HashMap::new();
            for it in &pulled {
                if let Some(key) = &it.message.ordering_key {
                    firsts.entry(key.clone()).or_insert_with(|| it.held.place.id.clone());
                }
            }
            let mut messages = Vec::with_capacity(pulled.len());
            let mut in_hand = InHand {
                held: Vec::with_capacity(pulled.len()),
                firsts,
                given_back: Arc::clone(&self.given_back),
                put_off: Arc::clone(&self.put_off),
            };
            for it in pulled {
                messages.push(it.message);
                in_hand.held.push(it.held);
            }
            return Ok(Some(Batch::new(messages, Box::new(in_hand))));
        }
    }

    fn lookout(&self) -> Lookout {
        let (unsettled, capacity) = (Arc::clone(&self.unsettled), self.capacity);
        Arc::new(move || {
            let (messages, oldest) = unsettled.sum();
            // The service's clock may be ahead of this one.
            let oldest_wait = oldest.and_then(|it| it.elapsed().ok()).unwrap_or_default();
            Backlog {
                messages,
                capacity,
                oldest_wait,
            }
        })
    }

    async fn close(mut self: Box<Self>) {
        self.arrivals.close();
        while self.arrivals.try_recv().is_ok() {}
        let ended = async { while self.streams.join_next().await.is_some() {} };
        // What was not told in time is delivered again, and found to be there.
        let _ = time::timeout(FAREWELL, ended).await;
    }
}

/// The receipt of one batch.
struct InHand {
    held: Vec<Held>,
    /// The first message of each key.
    firsts: HashMap<String, String>,
    given_back: Arc<GivenBack>,
    put_off: Arc<PutOff>,
}

impl Drop for InHand {
    fn drop(&mut self) {
        if !self.held.is_empty() {
            self.given_back.give_back(self.firsts.drain());
        }
    }
}

#[async_trait]
impl Receipt for InHand {
    /// Every outcome is durable by now, so every message is acknowledged; where the subscription confirms
    /// acknowledgements, the confirmations are awaited.
    async fn settle(mut self: Box<Self>, outcomes: Vec<Outcome>) -> Result<(), BusError> {
        if outcomes.len() != self.held.len() {
            let context = format!(
                "{} outcomes were given for {} messages",
                outcomes.len(),
                self.held.len()
            );
            return Err(BusError::new(BusErrorKind::Fatal, context));
        }
        let (mut confirming, mut entries) = (Vec::new(), Vec::new());
        for Held { handler, entry, .. } in std::mem::take(&mut self.held) {
            match handler {
                Handler::ExactlyOnce(handler) => {
                    confirming.push(handler.confirmed_ack());
                    entries.push(entry);
                }
                other => other.ack(),
            }
        }
        let n_messages = confirming.len();
        let confirmed = all_in_order(confirming).await;
        drop(entries);
        let unconfirmed = confirmed.into_iter().filter_map(Result::err);
        let mut unconfirmed = unconfirmed.peekable();
        let Some(first) = unconfirmed.peek().map(ToString::to_string) else {
            return Ok(());
        };
        let n_unconfirmed = unconfirmed.count();
        let context = format!("{n_unconfirmed} of {n_messages} acknowledgements were not confirmed");
        Err(BusError::new(BusErrorKind::Unavailable, context).caused_by(first))
    }

    async fn release(self: Box<Self>) {}

    fn put_off(&mut self, messages: Vec<(usize, Message)>) -> Vec<(usize, Message)> {
        let mut waiting = Vec::with_capacity(messages.len());
        let mut later = messages.into_iter().peekable();
        for (at, held) in std::mem::take(&mut self.held).into_iter().enumerate() {
            let Some((_, message)) = later.next_if(|it| it.0 == at) else {
                self.held.push(held);
                continue;
            };
            if let Some(key) = &message.ordering_key {
                self.firsts.remove(key);
            }
            waiting.push(Pulled { message, held });
        }
        self.put_off.put(waiting);
        Vec::new()
    }
}

/// Waits for all of these, begun in their order: messages of one key are acknowledged in the order of the key.
async fn all_in_order<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, done) in waiting.iter_mut().zip(&mut done) {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                *done = Some(output);
            }
        }
        Poll::Ready(())
    })
    .await;
    for (future, done) in waiting.into_iter().zip(&mut done).filter(|it| it.1.is_none()) {
        *done = Some(future.await);
    }
    done.into_iter().flatten().collect()
}
