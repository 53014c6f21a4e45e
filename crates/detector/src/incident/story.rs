//! What an incident is, for a person: its kind, how severe it is, the signals in it, and one plain sentence.

use domain::{Direction, IncidentKind, Severity, SignalShare, Signals};

use super::{Culprit, Incident};
use crate::reason::span_of;

/// A score twice and five times beyond the line, in logarithms.
const FAR: [f64; 2] = [0.7, 1.6];

/// An incident of fewer anomalous readings is over at once.
const BRIEF: u64 = 3;

/// An incident of so many anomalous readings lasts.
const LASTS: u64 = 60;

impl Incident {
    /// What happened, as far as the readings so far tell it.
    #[must_use]
    pub fn kind(&self) -> IncidentKind {
        let lasted = self.last.seconds_since(self.began) / self.interval.max(1e-3) + 1.0;
        let density = self.readings as f64 / lasted;
        self.heaviest()
            .map_or(IncidentKind::Unusual, |it| it.kind(density, self.interval))
    }

    /// How severe it is so far: by how far beyond the line it got, and whether it lasts.
    #[must_use]
    pub fn severity(&self) -> Severity {
        let beyond = -self.peak.0;
        let steps = FAR.iter().filter(|it| beyond >= **it).count() + usize::from(self.readings >= LASTS);
        // What is over at once is worth a look, but not now.
        let most = if self.readings < BRIEF { 1 } else { 2 };
        match steps.min(most) {
            0 => Severity::Notice,
            1 => Severity::Warning,
            _ => Severity::Critical,
        }
    }

    /// The signals in it, the heaviest first.
    #[must_use]
    pub fn signals(&self, declared: &Signals) -> Vec<SignalShare> {
        let whole: f64 = self.culprits.iter().flatten().map(|it| it.weight).sum();
        let mut signals: Vec<SignalShare> = Vec::new();
        for culprit in self.culprits.iter().flatten() {
            let Some(signal) = declared.get(usize::from(culprit.signal)) else {
                continue;
            };
            signals.push(SignalShare {
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
            return "unusual readings".to_owned();
        };
        let lasted = span_of(self.last.seconds_since(self.began).max(self.interval));
        let below = first.direction == Direction::Below;
        let is_far = self.heaviest().is_some_and(Culprit::is_far);
        let what = match self.kind() {
            IncidentKind::Spike | IncidentKind::Drop if first.direction == Direction::Within => {
                "unusual to either side"
            }
            IncidentKind::Spike if is_far => "far above what is usual",
            IncidentKind::Spike => "higher than usual",
            IncidentKind::Drop if is_far => "far below what is usual",
            IncidentKind::Drop => "lower than usual",
            IncidentKind::LevelShift if below => "shifted down at once",
            IncidentKind::LevelShift => "shifted up at once",
            IncidentKind::Drift if below => "drifting down",
            IncidentKind::Drift => "drifting up",
            IncidentKind::Variance => "moving much more than usual",
            IncidentKind::Stuck => "stuck at one value",
            IncidentKind::Growth => "growing, and moving more and more",
            IncidentKind::Limit if below => "below its limit",
            IncidentKind::Limit => "above its limit",
            IncidentKind::Unusual => "unusual",
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
