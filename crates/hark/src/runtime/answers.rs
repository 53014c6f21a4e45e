//! Answers that were given, for whoever asks the same again.
//!
//! The name of an answer is a digest of everything that it follows from: the program, the model file, limits and
//! signals, the device's state, the words of the question. Whatever changes, changes the name, so an answer that is found
//! is the one that would be computed; none ever has to be thrown away for being old.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::fleet::StateVersion;
use super::shared::Shared;
use crate::metrics::shared as metrics;

/// How many answers a generation holds; two are kept.
const MANY: usize = 10_000;

/// Changes with the way answers are named or written.
const FORMAT: &str = concat!("hark ", env!("CARGO_PKG_VERSION"), " answers 1");

/// The name of an answer.
pub(crate) type Name = [u8; 32];

/// What every answer of one model follows from: its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Basis([u8; 32]);

impl Basis {
    /// The digest of a model file.
    pub(crate) fn new(model: &[u8]) -> Self {
        Self(Sha256::digest(model).into())
    }
}

/// The answers of this process, and behind them those of all processes.
pub(crate) struct Answers {
    rules: [u8; 32],
    near: Mutex<Generations>,
    shared: Option<Arc<Shared>>,
}

/// What was asked for lately, and what was asked for before that.
#[derive(Default)]
struct Generations {
    young: HashMap<Name, Bytes>,
    old: HashMap<Name, Bytes>,
}

impl Generations {
    fn get(&mut self, name: &Name) -> Option<Bytes> {
        if let Some(answer) = self.young.get(name) {
            return Some(answer.clone());
        }
        let answer = self.old.remove(name)?;
        self.put(*name, answer.clone());
        Some(answer)
    }

    fn put(&mut self, name: Name, answer: Bytes) {
        if self.young.len() >= MANY {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, answer);
    }
}

impl Answers {
    /// None yet. `rules` are how a model's judgement is changed and told.
    pub(crate) fn new(rules: &str, shared: Option<Arc<Shared>>) -> Self {
        Self {
            rules: Sha256::new().chain_update(FORMAT).chain_update(rules).finalize().into(),
            near: Mutex::default(),
            shared,
        }
    }

    /// The name of the answer to a question about a device in this state; none is a device that was never heard.
    pub(crate) fn name(&self, basis: Basis, state: Option<StateVersion>, question: &[u8]) -> Name {
        let whole = Sha256::new().chain_update(self.rules).chain_update(basis.0);
        let whole = match state {
            Some(version) => whole.chain_update([1]).chain_update(version),
            None => whole.chain_update([0]),
        };
        whole.chain_update(question).finalize().into()
    }

    /// The answer of this name, if anybody gave it.
    pub(crate) async fn get(&self, name: &Name) -> Option<Bytes> {
        if let Some(answer) = self.near().get(name) {
            metrics::answered("process");
            return Some(answer);
        }
        let found = match &self.shared {
            Some(shared) => shared.answers(&[key(name)]).await,
            None => None,
        };
        let Some(answer) = found.and_then(|mut it| it.pop().flatten()) else {
            metrics::answered("computed");
            return None;
        };
        metrics::answered("redis");
        let answer = Bytes::from(answer);
        self.near().put(*name, answer.clone());
        Some(answer)
    }

    /// Keeps an answer.
    pub(crate) async fn put(&self, name: Name, answer: Bytes) {
        self.near().put(name, answer.clone());
        if let Some(shared) = &self.shared {
            shared.keep_answers(&[(key(&name), answer.to_vec())]).await;
        }
    }

    fn near(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.near.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(name: &Name) -> String {
    use std::fmt::Write;
    let mut key = String::with_capacity(7 + 2 * name.len());
    key.push_str("answer:");
    for byte in name {
        write!(key, "{byte:02x}").expect("writing to a string does not fail");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_an_answer_follows_from_changes_its_name() {
        let (model, other) = (Basis::new(b"model"), Basis::new(b"other"));
        let answers = Answers::new("rules", None);
        let name = answers.name(model, Some([1; 16]), b"question");
        assert_eq!(
            name,
            Answers::new("rules", None).name(model, Some([1; 16]), b"question")
        );
        assert_ne!(
            name,
            Answers::new("other", None).name(model, Some([1; 16]), b"question")
        );
        assert_ne!(name, answers.name(other, Some([1; 16]), b"question"));
        assert_ne!(name, answers.name(model, Some([2; 16]), b"question"));
        assert_ne!(name, answers.name(model, None, b"question"));
        assert_ne!(name, answers.name(model, Some([1; 16]), b"other"));
    }

    #[tokio::test]
    async fn what_is_asked_again_and_again_is_kept_and_the_memory_has_a_bound() {
        let answers = Answers::new("", None);
        let basis = Basis::new(b"model");
        let name = |nth: usize| answers.name(basis, None, &nth.to_le_bytes());
        answers.put(name(0), Bytes::from_static(b"zero")).await;
        for nth in 1..3 * MANY {
            answers.put(name(nth), Bytes::new()).await;
            if nth % 1_000 == 0 {
                assert!(answers.get(&name(0)).await.is_some(), "after {nth}");
            }
        }
        assert!(answers.get(&name(1)).await.is_none());
        let near = answers.near();
        assert!(near.young.len() + near.old.len() <= 2 * MANY);
    }
}
