//! What the processes of one installation share through Redis: the states of devices, answers that were given, live
//! events.
//!
//! Nothing depends on it. Without Redis, or while it is away, slow, empty or answering nonsense, verdicts are the same:
//! states come from the warehouse, answers are computed, and events reach the pages of this process alone.

mod breaker;
mod redis;
pub(crate) mod relay;
mod sealed;
mod states;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use self::redis::Redis;
use self::sealed::{seal, unseal};
use super::clock;
use crate::config;

/// How long the states of a batch may take: they are worth more than an answer is.
const PATIENCE_FOR_STATES: Duration = Duration::from_millis(250);

/// So many failures in a row end the questions for states for a while. Somebody waits for each answer to `/detect`, so there
/// the first one does.
const FAILURES_FOR_STATES: u32 = 3;

/// How long Redis keeps an answer, in seconds.
const ANSWERS_KEPT_SECS: u64 = 600;

/// This process's part of it.
pub(crate) struct Shared {
    /// The name of this process among the others.
    id: String,
    names: Names,
    states: Redis,
    trouble: states::Trouble,
    answers: Redis,
}

/// Keys and channels, all of which begin the same.
struct Names(String);

impl Names {
    fn of(&self, name: &str) -> String {
        format!("{}:{name}", self.0)
    }
}

impl Shared {
    /// Asks nothing yet; none without a Redis.
    pub(crate) fn open(config: &config::Redis) -> anyhow::Result<Option<Arc<Self>>> {
        let Some(url) = &config.url else { return Ok(None) };
        Ok(Some(Arc::new(Self {
            id: format!("{}-{}", std::process::id(), clock::now().as_micros()),
            names: Names(config.prefix.clone()),
            states: Redis::new(
                url.as_str(),
                "states and events",
                PATIENCE_FOR_STATES,
                FAILURES_FOR_STATES,
            )?,
            trouble: states::Trouble::default(),
            answers: Redis::new(url.as_str(), "answers", config.patience, 1)?,
        })))
    }

    /// The answers that were given under these names, in their order; none where there is no Redis to ask.
    pub(crate) async fn answers(&self, names: &[String]) -> Option<Vec<Option<Vec<u8>>>> {
        let keys: Vec<String> = names.iter().map(|it| self.names.of(it)).collect();
        let mut question = ::redis::pipe();
        question.mget(&keys);
        let (answers,): (Vec<Option<Vec<u8>>>,) = self.answers.ask(&question).await?;
        if answers.len() != keys.len() {
            self.answers.told_garbage();
            return None;
        }
        let checked = answers.into_iter().zip(&keys).map(|(sealed, key)| {
            let sealed = sealed?;
            let answer = unseal(key, &sealed).map(<[u8]>::to_vec);
            if answer.is_none() {
                self.answers.told_garbage();
            }
            answer
        });
        Some(checked.collect())
    }

    /// Whether no question for an answer goes to Redis now.
    #[cfg(test)]
    pub(crate) fn leaves_answers_alone(&self) -> bool {
        self.answers.is_left_alone()
    }

    /// Keeps answers for whoever asks the same.
    pub(crate) async fn keep_answers(&self, answers: &[(String, Vec<u8>)]) {
        if answers.is_empty() {
            return;
        }
        let mut question = ::redis::pipe();
        for (name, answer) in answers {
            let key = self.names.of(name);
            question.set_ex(&key, seal(&key, answer), ANSWERS_KEPT_SECS).ignore();
        }
        // Without an answer the next one computes it again.
        let _kept: Option<()> = self.answers.ask(&question).await;
    }
}
