//! An answer that is computed once for all who ask within a short while.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Answers stay for so many times as long as they took to compute, so that dear ones are computed less often.
const TIMES_ITS_COST: u32 = 5;

/// Answers by question. While one is computed all others wait for it: many open pages cost one query.
pub(crate) struct Cached<K, V> {
    lifetime: Duration,
    answers: Mutex<Vec<Answer<K, V>>>,
}

struct Answer<K, V> {
    key: K,
    until: Instant,
    value: Arc<V>,
}

impl<K: PartialEq, V> Cached<K, V> {
    /// Answers that stay for at least this long.
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            answers: Mutex::new(Vec::new()),
        }
    }

    /// The answer that is known, or the one that `compute` finds. It is not polled when an answer is known.
    pub(crate) async fn get<E>(&self, key: K, compute: impl Future<Output = Result<V, E>>) -> Result<Arc<V>, E> {
        let mut answers = self.answers.lock().await;
        let begin = Instant::now();
        answers.retain(|it| it.until > begin);
        if let Some(known) = answers.iter().find(|it| it.key == key) {
            return Ok(Arc::clone(&known.value));
        }
        let value = Arc::new(compute.await?);
        let end = Instant::now();
        let until = end + self.lifetime.max((end - begin) * TIMES_ITS_COST);
        answers.push(Answer {
            key,
            until,
            value: Arc::clone(&value),
        });
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_who_ask_at_once_cost_one_computation() {
        let (cached, computed) = (Cached::new(Duration::from_secs(60)), AtomicU32::new(0));
        let ask = |key: u8| {
            cached.get(key, async {
                tokio::task::yield_now().await;
                Ok::<_, ()>(computed.fetch_add(1, Ordering::Relaxed))
            })
        };
        let (a, b, other) = tokio::join!(ask(1), ask(1), ask(2));
        assert_eq!((a, b, other), (Ok(Arc::new(0)), Ok(Arc::new(0)), Ok(Arc::new(1))));
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let cached = Cached::new(Duration::from_secs(60));
        assert_eq!(cached.get(1, async { Err::<u8, _>("away") }).await, Err("away"));
        assert_eq!(cached.get(1, async { Ok::<_, &str>(7) }).await, Ok(Arc::new(7)));
    }
}
