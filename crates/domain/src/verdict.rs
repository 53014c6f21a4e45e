//! What was judged of a reading.

use std::sync::Arc;

use crate::{Reading, Timestamp};

/// A closed range of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// The lowest value inside.
    pub low: f64,
    /// The highest value inside.
    pub high: f64,
}

impl Span {
    /// Whether the value lies inside.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The judgement on one signal of a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// In scikit-learn's `decision_function` sense, moved so that 0 is the threshold in force: below 0 is
    /// anomalous, larger is more normal.
    pub score: f64,
    /// Whether the score lies beyond the threshold.
    pub is_anomaly: bool,
    /// Where this signal was expected for this device at this instant.
    pub expected: Option<Span>,
}

/// On which side of what was expected a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Above the expected range.
    Above,
    /// Below the expected range.
    Below,
    /// Inside the range, yet unusual in its course or for its time.
    Within,
}

impl Direction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Above, Self::Below, Self::Within];

    /// The direction of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// The stable name, `above`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
            Self::Within => "within",
        }
    }
}

/// Why a verdict is anomalous, for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The signal's name.
    pub signal: String,
    /// The side of the expected range.
    pub direction: Direction,
    /// The signal's share in what made the verdict, 0 to 1; those of all signals sum to 1, also of those not told.
    pub share: f64,
    /// What of the signal is unusual, by a stable name: `value`, `rising`, `z_score`.
    pub feature: String,
    /// One plain sentence: "temperature 41.2 °C, expected 18.1 to 24.3".
    pub text: String,
    /// In how many days a normal device begins something as unusual once, where that can be told.
    pub once_in_days: Option<f64>,
}

/// The verdict on one reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The version of the model that judged.
    pub model_version: Arc<str>,
    /// The combined score, in the sense of [`Judgement::score`].
    pub score: f64,
    /// Whether the reading as a whole is anomalous.
    pub is_anomaly: bool,
    /// Per declared signal, in order; none where the reading had no value.
    pub signals: Vec<Option<Judgement>>,
    /// Why, the heaviest first; empty when normal.
    pub reasons: Vec<Reason>,
}

/// A reading with all that is stored of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The reading.
    pub reading: Reading,
    /// When it came in, by the server's clock.
    pub received_at: Timestamp,
    /// The verdict; none while there is no model.
    pub verdict: Option<Verdict>,
    /// Whether a later reading of the device was known already. It was judged, and did not touch the device's state.
    pub late: bool,
    /// Whether its time lies further ahead of the server's clock than is believable. It did not touch the state either.
    pub clock_suspect: bool,
}
