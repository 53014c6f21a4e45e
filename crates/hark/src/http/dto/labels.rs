//! What labels say of the threshold.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::runtime::tuning::{Cut, Labelled, Moved};

/// How many incidents people have labelled how, and what follows for the threshold.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct LabelStats {
    #[serde(rename = "true")]
    pub(crate) true_ones: u64,
    #[serde(rename = "false_alarm")]
    pub(crate) false_alarms: u64,
    pub(crate) expected: u64,
    #[serde(rename = "sensor_fault")]
    pub(crate) sensor_faults: u64,
    /// The share of true ones and sensor faults among all that are not expected; none without labels.
    pub(crate) precision: Option<f64>,
    /// The threshold in force; none where it is the model's own line, 0.
    pub(crate) threshold: Option<MovedDto>,
    /// The threshold that spares every true one and removes the most false alarms.
    pub(crate) suggestion: Option<CutDto>,
    /// What other thresholds would have done.
    pub(crate) cuts: Vec<CutDto>,
}

/// A threshold that was moved.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct MovedDto {
    pub(crate) threshold: f64,
    /// It counts for models of this kind.
    pub(crate) kind: String,
    pub(crate) who: String,
    pub(crate) at: String,
    pub(crate) note: Option<String>,
}

impl From<&Moved> for MovedDto {
    fn from(it: &Moved) -> Self {
        Self {
            threshold: it.threshold,
            kind: it.kind.clone(),
            who: it.who.clone(),
            at: it.at.clone(),
            note: it.note.clone(),
        }
    }
}

/// What a threshold would have done.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct CutDto {
    pub(crate) threshold: f64,
    pub(crate) removed_false_alarms: u64,
    pub(crate) false_alarms: u64,
    pub(crate) removed_true: u64,
    #[serde(rename = "true")]
    pub(crate) true_ones: u64,
    /// The same in one plain sentence.
    pub(crate) sentence: String,
}

impl CutDto {
    pub(crate) fn new(cut: Cut, labelled: &Labelled) -> Self {
        let Cut {
            threshold,
            false_alarms: removed_false_alarms,
            true_ones: removed_true,
        } = cut;
        let (false_alarms, true_ones) = (labelled.false_alarms(), labelled.true_ones());
        let sentence = cut.sentence(labelled);
        Self {
            threshold,
            removed_false_alarms,
            false_alarms,
            removed_true,
            true_ones,
            sentence,
        }
    }
}

/// Moves the threshold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveThreshold {
    /// A score below 0; `null` goes back to the model's own line.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) threshold: Option<f64>,
    pub(crate) who: Option<String>,
    pub(crate) note: Option<String>,
}
