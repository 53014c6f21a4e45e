//! Which messages are inside a bus and not settled, by when they were published.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many messages there are of each time of publication. Those of one publication share theirs, so it stays small.
#[derive(Debug)]
pub(crate) struct Ledger<T>(Mutex<BTreeMap<T, u64>>);

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Messages of one time in a ledger. They leave it when this is dropped: they are settled, or given back.
#[derive(Debug)]
pub(crate) struct Entry<T: Ord + Copy> {
    ledger: Arc<Ledger<T>>,
    published: T,
    n_messages: u64,
}

impl<T: Ord + Copy> Ledger<T> {
    /// Takes messages in.
    pub(crate) fn enter(self: &Arc<Self>, published: T, n_messages: usize) -> Entry<T> {
        let n_messages = n_messages as u64;
        *self.lock().entry(published).or_default() += n_messages;
        Entry {
            ledger: Arc::clone(self),
            published,
            n_messages,
        }
    }

    /// How many messages are in it, and when the oldest of them was published.
    pub(crate) fn sum(&self) -> (u64, Option<T>) {
        let messages = self.lock();
        (messages.values().sum(), messages.keys().next().copied())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<T, u64>> {
        // No critical section leaves a count half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Ord + Copy> Drop for Entry<T> {
    fn drop(&mut self) {
        let mut messages = self.ledger.lock();
        let Some(left) = messages.get_mut(&self.published) else {
            return;
        };
        *left = left.saturating_sub(self.n_messages);
        if *left == 0 {
            messages.remove(&self.published);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_told_until_all_of_its_time_are_gone_in_whatever_order_they_go() {
        let ledger = Arc::new(Ledger::default());
        let late = ledger.enter(7, 1);
        let [first, second] = [ledger.enter(3, 2), ledger.enter(3, 1)];
        assert_eq!(ledger.sum(), (4, Some(3)));
        drop(first);
        assert_eq!(ledger.sum(), (2, Some(3)));
        drop(second);
        assert_eq!(ledger.sum(), (1, Some(7)));
        drop(late);
        assert_eq!(ledger.sum(), (0, None));
    }
}
