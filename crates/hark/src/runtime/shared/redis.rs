//! Redis behind a circuit breaker: every question ends in time, and one without an answer is no failure of the asker.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use redis::aio::MultiplexedConnection;
use redis::{Client, FromRedisValue, Pipeline};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::breaker::{Breaker, Leave, Turn};
use crate::metrics::shared as metrics;

/// How long a trial may take, for which nobody waits.
const TRIAL: Duration = Duration::from_millis(250);

/// One user's way to Redis.
#[derive(Clone)]
pub(super) struct Redis {
    client: Client,
    what: &'static str,
    patience: Duration,
    /// So many failures in a row open the breaker.
    most: u32,
    begun: Instant,
    state: Arc<Mutex<State>>,
}

struct State {
    breaker: Breaker,
    connection: Option<MultiplexedConnection>,
}

impl Redis {
    /// Nothing is asked yet. `what` is what it is used for, for the log; it is left alone after `most` failures.
    pub(super) fn new(url: &str, what: &'static str, patience: Duration, most: u32) -> anyhow::Result<Self> {
        let client = Client::open(url).context("`redis.url` names no Redis\nhint: write redis://host:6379")?;
        Ok(Self {
            client,
            what,
            patience,
            most,
            begun: Instant::now(),
            state: Arc::new(Mutex::new(State {
                breaker: Breaker::NEW,
                connection: None,
            })),
        })
    }

    /// Asks; none when there is no answer in time, or it is left alone. Dropping the question harms nothing.
    pub(super) async fn ask<T: FromRedisValue>(&self, question: &Pipeline) -> Option<T> {
        let (leave, connection) = self.admit();
        match leave {
            Leave::Ask => match timeout(self.patience, self.answer(connection, question)).await {
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
            },
            Leave::Pass => None,
            Leave::Try => {
                let it = self.clone();
                // Nobody waits for a trial: it ends by itself soon, and only later questions gain by it.
                tokio::spawn(async move { it.try_again().await });
                None
            }
        }
    }

    async fn answer<T: FromRedisValue>(
        &self,
        connection: Option<MultiplexedConnection>,
        question: &Pipeline,
    ) -> redis::RedisResult<(T, MultiplexedConnection)> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => self.client.get_multiplexed_async_connection().await?,
        };
        let answer = question.query_async(&mut connection).await?;
        Ok((answer, connection))
    }

    /// Asks for nothing but an answer.
    async fn try_again(&self) {
        let mut question = redis::pipe();
        question.ping().ignore();
        match timeout(TRIAL, self.answer::<()>(None, &question)).await {
            Ok(Ok(((), connection))) => self.succeeded(connection),
            _ => {
                metrics::redis_failed(self.what);
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.breaker = state.breaker.fail_again(self.begun.elapsed());
            }
        }
    }

    /// What came from it means nothing: it counts as a failure.
    pub(super) fn told_garbage(&self) {
        self.failed("what it gave is not what was put there");
    }

    fn admit(&self) -> (Leave, Option<MultiplexedConnection>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (breaker, leave) = state.breaker.ask(self.begun.elapsed());
        state.breaker = breaker;
        (leave, state.connection.clone())
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
        let (breaker, turn) = state.breaker.fail(self.begun.elapsed(), self.most);
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

    /// Whether nobody asks it now.
    #[cfg(test)]
    pub(super) fn is_left_alone(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(state.breaker, Breaker::Open { .. })
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
