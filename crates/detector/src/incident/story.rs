//! What an incident is, for a person: its kind, how severe it is, the signals in it, and one plain sentence.

use domain::{Direction, Signals};

use super::Incident;
use crate::reason::span_of;

/// What happened to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IncidentKind {
    /// Single readings far above.
    Spike,
    /// Single readings far below.
    Drop,
    /// To another level, at once.
    LevelShift,
    /// Ever further to one side.
    Drift,
    /// Moving more than it did, to both sides.
    Variance,
    /// Not moving.
    Stuck,
    /// Ever further up, and moving ever more.
    Growth,
    /// No readings.
    Silence,
}

impl IncidentKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Spike,
        Self::Drop,
        Self::LevelShift,
        Self::Drift,
        Self::Variance,
        Self::Stuck,
        Self::Growth,
        Self::Silence,
    ];

    /// The stable name, `level_shift`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spike => "spike",
            Self::Drop => "drop",
            Self::LevelShift => "level_shift",
            Self::Drift => "drift",
            Self::Variance => "variance",
            Self::Stuck => "stuck",
            Self::Growth => "growth",
            Self::Silence => "silence",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// How severe an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// A little beyond the line, and short.
    Low,
    /// Far beyond the line, or lasting.
    Medium,
    /// Very far beyond the line, or far and lasting.
    High,
}

impl Severity {
    /// The word, `medium`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One signal's part in an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentSignal {
    /// Its name.
    pub signal: String,
    /// Its share; the shares of all that are listed sum to 1.
    pub share: f64,
    /// The side that it was on.
    pub direction: Direction,
}

/// A score twice and five times beyond the line, in logarithms.
const FAR: [f64; 2] = [0.7, 1.6];

/// An incident of so many anomalous readings lasts.
const LASTS: u64 = 60;

impl Incident {
    /// What happened, as far as the readings so far tell it.
    #[must_use]
    pub fn kind(&self) -> IncidentKind {
        if self.is_silence {
            return IncidentKind::Silence;
        }
        let lasted = self.last.seconds_since(self.began) / self.interval.max(1e-3) + 1.0;
        let density = self.readings as f64 / lasted;
        self.heaviest()
            .map_or(IncidentKind::Spike, |it| it.kind(density, self.interval))
    }

    /// How severe it is so far: by how far beyond the line it got, and whether it lasts.
    #[must_use]
    pub fn severity(&self) -> Severity {
        let beyond = -self.peak.0;
        let steps = FAR.iter().filter(|it| beyond >= **it).count() + usize::from(self.readings >= LASTS);
        match steps {
            0 => Severity::Low,
            1 => Severity::Medium,
            _ => Severity::High,
        }
    }

    /// The signals in it, the heaviest first.
    #[must_use]
    pub fn signals(&self, declared: &Signals) -> Vec<IncidentSignal> {
        let whole: f64 = self.culprits.iter().flatten().map(|it| it.weight).sum();
        let mut signals: Vec<IncidentSignal> = Vec::new();
        for culprit in self.culprits.iter().flatten() {
            let Some(signal) = declared.get(usize::from(culprit.signal)) else {
                continue;
            };
            signals.push(IncidentSignal {
                signal: signal.name.clone(),
                share: culprit.weight / whole.max(1e-12),
                direction: culprit.direction(),
            });
        }
        signals.sort_by(|a, b| b.share.total_cmp(&a.share));
        signals
    }

    /// One plain sentence.
    #[must_use]
    pub fn sentence(&self, declared: &Signals) -> String {
        let signals = self.signals(declared);
        let Some(first) = signals.first() else {
            return match self.kind() {
                IncidentKind::Silence => format!("no readings since {}", self.began),
                _ => "unusual readings".to_owned(),
            };
        };
        let lasted = span_of(self.last.seconds_since(self.began).max(self.interval));
        let below = first.direction == Direction::Below;
        let what = match self.kind() {
            IncidentKind::Spike => "far above what is usual",
            IncidentKind::Drop => "far below what is usual",
            IncidentKind::LevelShift if below => "shifted down at once",
            IncidentKind::LevelShift => "shifted up at once",
            IncidentKind::Drift if below => "drifting down",
            IncidentKind::Drift => "drifting up",
            IncidentKind::Variance => "moving much more than usual",
            IncidentKind::Stuck => "stuck at one value",
            IncidentKind::Growth => "growing, and moving more and more",
            IncidentKind::Silence => "silent",
        };
        let readings = match self.readings {
            1 => "one reading".to_owned(),
            many => format!("{many} readings in {lasted}"),
        };
        let others: Vec<&str> = signals[1..]
            .iter()
            .filter(|it| it.share >= 0.2)
            .map(|it| it.signal.as_str())
            .collect();
        let with = match others.as_slice() {
            [] => String::new(),
            [one] => format!(", with {one}"),
            [one, two, ..] => format!(", with {one} and {two}"),
        };
        format!("{} {what}{with}: {readings}", first.signal)
    }
}
