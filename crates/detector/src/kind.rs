//! Which evidence makes a verdict.

use serde::{Deserialize, Serialize};

/// The kind of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The adaptive heads and the forest on the vector of all signals, as one verdict.
    #[default]
    Hybrid,
    /// A forest for each signal on its features, as in the reference.
    IsolationForest,
    /// The adaptive heads alone.
    Statistical,
}

impl Kind {
    /// The stable name, `hybrid`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::IsolationForest => "isolation-forest",
            Self::Statistical => "statistical",
        }
    }
}
