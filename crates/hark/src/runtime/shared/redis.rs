//! Redis behind a circuit breaker: every question ends in time, and one without an answer is no failure of the asker.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use redis::aio::MultiplexedConnection;
use redis::{Client, FromRedisValue, Pipeline};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::breaker::{Breaker, Turn};
use crate::metrics::shared as metrics;

/// One user's way to Redis.
pub(super) struct Redis {
    client: Client,
    what: &'static str,
    patience: Duration,
    begun: Instant,
    state: Mutex<State>,
}

struct State {
    breaker: Breaker,
    connection: Option<MultiplexedConnection>,
}

impl Redis {
    /// Nothing is asked yet. `what` is what it is used for, for the log.
    pub(super) fn new(url: &str, what: &'static str, patience: Duration) -> anyhow::Result<Self> {
        let client = Client::open(url).context("`redis.url` names no Redis\nhint: write redis://host:6379")?;
        Ok(Self {
            client,
            what,
            patience,
            begun: Instant::now(),
            state: Mutex::new(State {
                breaker: Breaker::NEW,
                connection: None,
            }),
        })
    }

    /// Asks; none when there is no answer in time, or it was left alone. Dropping the question harms nothing.
    pub(super) async fn ask<T: FromRedisValue>(&self, question: &Pipeline) -> Option<T> {
        let connection = self.admit()?;
        let asked = async {
            let mut connection = match connection {
                Some(connection) => connection,
                None => self.client.get_multiplexed_async_connection().await?,
            };
            let answer = question.query_async(&mut connection).await?;
            Ok::<_, redis::RedisError>((answer, connection))
        };
        match timeout(self.patience, asked).await {
            Ok(Ok((answer, connection))) => {
                self.succeeded(connection);
                Some(answer)
            }
            Ok(Err(cause)) => {
                self.failed(&cause.to_string());
                None
            }
            Err(_) => {
                self.failed("no answer in time");
                None
            }
        }
    }

    /// What came from it means nothing: it counts as a failure.
    pub(super) fn told_garbage(&self) {
        self.failed("what it gave is not what was put there");
    }

    fn admit(&self) -> Option<Option<MultiplexedConnection>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (breaker, may) = state.breaker.ask(self.begun.elapsed());
        state.breaker = breaker;
        may.then(|| state.connection.clone())
    }

    fn succeeded(&self, connection: MultiplexedConnection) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (breaker, turn) = state.breaker.succeed();
        state.breaker = breaker;
        state.connection = Some(connection);
        if turn == Some(Turn::Closed) {
            metrics::redis_away(self.what, false);
            info!(used_for = self.what, "redis answers again");
        }
    }

    fn failed(&self, cause: &str) {
        metrics::redis_failed(self.what);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (breaker, turn) = state.breaker.fail(self.begun.elapsed());
        state.breaker = breaker;
        state.connection = None;
        if turn == Some(Turn::Opened) {
            metrics::redis_away(self.what, true);
            warn!(
                used_for = self.what,
                cause, "redis is left alone for a while, all goes on without it"
            );
        }
    }

    /// A connection for listening alone.
    pub(super) async fn listener(&self, channels: &[String]) -> anyhow::Result<redis::aio::PubSub> {
        let connect = async {
            let mut listener = self.client.get_async_pubsub().await?;
            listener.subscribe(channels).await?;
            Ok::<_, redis::RedisError>(listener)
        };
        let listener = timeout(Duration::from_secs(5), connect).await;
        listener.context("no answer in time")?.context("failed to listen")
    }
}
