//! The threshold that people's labels have moved: what an incident must reach at its worst to be told.
//!
//! Readings are judged and flagged by the model alone; this decides only what a person is told. A score is the model
//! kind's own, so a threshold counts for the kind that it was made for.

use detector::Kind;
use domain::Label;
use serde::{Deserialize, Serialize};

use super::kept::Kept;

/// The file in the data folder.
pub(crate) const FILE: &str = "thresholds.json";

/// The threshold in force; none where the model's own line is.
pub(crate) type Tuning = Kept<Option<Moved>>;

/// A threshold that was moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Moved {
    /// The score that a reading must not exceed to make an incident, below 0.
    pub(crate) threshold: f64,
    /// The kind of model whose scores these are.
    pub(crate) kind: String,
    /// Who moved it.
    pub(crate) who: String,
    /// When, as RFC 3339.
    pub(crate) at: String,
    /// Why.
    pub(crate) note: Option<String>,
}

impl Tuning {
    /// The threshold for scores of a kind of model.
    pub(crate) fn threshold(&self, kind: Kind) -> f64 {
        match &*self.get() {
            Some(moved) if moved.kind == kind.as_str() => moved.threshold,
            _ => 0.0,
        }
    }
}

/// What another threshold would have done to the labelled incidents.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cut {
    pub(crate) threshold: f64,
    /// False alarms that would not have been told.
    pub(crate) false_alarms: u64,
    /// True ones that would not have been told.
    pub(crate) true_ones: u64,
}

impl Cut {
    /// The same in one plain sentence.
    pub(crate) fn sentence(&self, labelled: &Labelled) -> String {
        let number = |it: u64| if it == 0 { "none".to_owned() } else { it.to_string() };
        format!(
            "a threshold of {:.3} would have removed {} of {} false alarms and {} of {} true ones",
            self.threshold,
            number(self.false_alarms),
            labelled.false_alarms(),
            number(self.true_ones),
            labelled.true_ones()
        )
    }
}

/// The labelled incidents, by their lowest scores.
#[derive(Debug, Default)]
pub(crate) struct Labelled {
    true_ones: Vec<f64>,
    false_alarms: Vec<f64>,
}

impl Labelled {
    /// Adds an incident. One of a broken sensor was worth telling; one that was expected says nothing of the line.
    pub(crate) fn push(&mut self, label: Label, peak: f64) {
        match label {
            Label::True | Label::SensorFault => self.true_ones.push(peak),
            Label::FalseAlarm => self.false_alarms.push(peak),
            Label::Expected => {}
        }
    }

    pub(crate) fn true_ones(&self) -> u64 {
        self.true_ones.len() as u64
    }

    pub(crate) fn false_alarms(&self) -> u64 {
        self.false_alarms.len() as u64
    }

    /// What a threshold would have done.
    pub(crate) fn cut(&self, threshold: f64) -> Cut {
        let above = |peaks: &[f64]| peaks.iter().filter(|it| **it > threshold).count() as u64;
        Cut {
            threshold,
            false_alarms: above(&self.false_alarms),
            true_ones: above(&self.true_ones),
        }
    }

    /// The threshold that tells every true one and the fewest false alarms, halfway to the nearest of these; none while
    /// there is no true one, or no false alarm that it would remove.
    pub(crate) fn suggestion(&self) -> Option<Cut> {
        let shallowest = self.true_ones.iter().copied().max_by(f64::total_cmp)?;
        let above = self.false_alarms.iter().copied().filter(|it| *it > shallowest);
        let nearest = above.min_by(f64::total_cmp)?;
        Some(self.cut(shallowest + (nearest.min(0.0) - shallowest) / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(true_ones: &[f64], false_alarms: &[f64], expected: Option<(u64, u64)>) {
        let mut labelled = Labelled::default();
        true_ones.iter().for_each(|it| labelled.push(Label::True, *it));
        false_alarms.iter().for_each(|it| labelled.push(Label::FalseAlarm, *it));
        let found = labelled.suggestion();
        assert_eq!(found.map(|it| (it.false_alarms, it.true_ones)), expected);
        if let Some(cut) = found {
            assert!(cut.threshold < 0.0, "{cut:?}");
        }
    }

    #[test]
    fn a_threshold_is_offered_only_when_it_spares_the_true_ones() {
        check(&[-0.6, -0.9], &[-0.1, -0.2, -0.7], Some((2, 0)));
        check(&[-0.1], &[-0.2, -0.3], None);
        check(&[], &[-0.1, -0.2], None);
        check(&[-0.5], &[], None);
    }
}
