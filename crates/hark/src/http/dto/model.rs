//! Models and what was measured of them.

use std::collections::BTreeMap;

use detector::{LabelledReport, Recurring, Report, Rhythm, ThresholdPolicy};
use utoipa::ToSchema;

use super::Time;
use crate::runtime::shadow::Tally;

/// All versions.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Models {
    /// The version in force.
    pub(crate) live: Option<String>,
    pub(crate) models: Vec<ModelDto>,
}

/// One version.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct ModelDto {
    pub(crate) version: String,
    pub(crate) live: bool,
    pub(crate) created_at: Option<Time>,
    pub(crate) trained_on: Option<TrainedOn>,
    pub(crate) recurring: Option<RecurringDto>,
    /// None for a version that was imported.
    pub(crate) metrics: Option<Measured>,
    /// Why its file cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// What is usual however odd it looks.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct RecurringDto {
    /// What devices do again and again, found by its rhythm, the most frequent first.
    pub(crate) rhythms: Vec<RhythmDto>,
    /// Of how many devices people have said so, by labels.
    pub(crate) labelled_devices: usize,
}

/// How often something recurs.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct RhythmDto {
    /// From one time to the next.
    pub(crate) every_seconds: f64,
    /// How many devices do it.
    pub(crate) devices: u64,
    /// How often the training has seen it.
    pub(crate) events: u64,
    /// The same in words.
    pub(crate) text: String,
}

impl From<&Recurring> for RecurringDto {
    fn from(it: &Recurring) -> Self {
        let rhythm = |it: &Rhythm| RhythmDto {
            every_seconds: it.seconds,
            devices: it.devices,
            events: it.events,
            text: it.to_string(),
        };
        Self {
            rhythms: it.rhythms.iter().map(rhythm).collect(),
            labelled_devices: it.told.len(),
        }
    }
}

/// What a version was trained on.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct TrainedOn {
    pub(crate) readings: u64,
    pub(crate) devices: u64,
    pub(crate) from: Time,
    pub(crate) to: Time,
}

/// The measured quality in short.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Measured {
    pub(crate) flag_rate: f64,
    pub(crate) flags_per_device_day: f64,
    pub(crate) precision: Option<f64>,
    pub(crate) recall: Option<f64>,
    pub(crate) f1: Option<f64>,
    pub(crate) roc_auc: Option<f64>,
    pub(crate) average_precision: Option<f64>,
}

impl From<&Report> for Measured {
    fn from(it: &Report) -> Self {
        let labelled = it.labelled.as_ref();
        Self {
            flag_rate: it.flag_rate,
            flags_per_device_day: it.flags_per_device_day,
            precision: labelled.and_then(|it| it.precision),
            recall: labelled.and_then(|it| it.recall),
            f1: labelled.and_then(|it| it.f1),
            roc_auc: labelled.and_then(|it| it.roc_auc),
            average_precision: labelled.and_then(|it| it.average_precision),
        }
    }
}

/// What was put in force.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Promoted {
    pub(crate) live: String,
    /// The version that was in force before.
    pub(crate) previous: Option<String>,
}

/// The measured quality of a version, on readings that came after those it was trained on.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct ModelMetrics {
    pub(crate) version: String,
    pub(crate) created_at: Time,
    pub(crate) threshold: ThresholdDto,
    pub(crate) recurring: RecurringDto,
    /// None, like all below, for a version that was imported.
    pub(crate) held_out: Option<HeldOut>,
    /// None where no reading carried its truth.
    pub(crate) labelled: Option<Labelled>,
    pub(crate) flag_rate: Option<f64>,
    pub(crate) flags_per_device_day: Option<f64>,
    /// The combined score at each quantile.
    pub(crate) score_quantiles: Option<BTreeMap<String, f64>>,
    pub(crate) signals: BTreeMap<String, SignalMeasured>,
    /// What it did beside the champion before it was put in force; none where it never was in shadow.
    pub(crate) shadow: Option<ShadowDto>,
}

/// What a challenger and the champion said of the same live readings.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct ShadowDto {
    pub(crate) champion: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) devices: u64,
    pub(crate) readings: u64,
    pub(crate) champion_flags: u64,
    pub(crate) challenger_flags: u64,
    /// The share of readings on which both said the same.
    pub(crate) agreement: f64,
    /// Labelled incidents that were tried, and those whose worst reading the challenger flags.
    pub(crate) true_ones: u64,
    pub(crate) true_ones_flagged: u64,
    pub(crate) false_alarms: u64,
    pub(crate) false_alarms_flagged: u64,
    pub(crate) promoted: bool,
    /// Why it was or was not put in force.
    pub(crate) why: String,
}

impl From<Tally> for ShadowDto {
    fn from(it: Tally) -> Self {
        Self {
            agreement: it.agreement(),
            champion: it.champion,
            from: it.from,
            to: it.to,
            devices: it.devices,
            readings: it.readings,
            champion_flags: it.champion_flags,
            challenger_flags: it.challenger_flags,
            true_ones: it.true_ones,
            true_ones_flagged: it.true_ones_flagged,
            false_alarms: it.false_alarms,
            false_alarms_flagged: it.false_alarms_flagged,
            promoted: it.promoted,
            why: it.why,
        }
    }
}

/// How the thresholds were found.
#[derive(Debug, serde::Serialize, ToSchema)]
#[serde(tag = "policy", rename_all = "snake_case")]
pub(crate) enum ThresholdDto {
    /// A fixed share of the training readings lies beyond it.
    Contamination,
    /// So many false alarms a device and week.
    Budget { false_alarms_per_device_week: f64 },
}

impl From<ThresholdPolicy> for ThresholdDto {
    fn from(policy: ThresholdPolicy) -> Self {
        match policy {
            ThresholdPolicy::Contamination => Self::Contamination,
            ThresholdPolicy::Budget {
                false_alarms_per_device_week,
            } => Self::Budget {
                false_alarms_per_device_week,
            },
        }
    }
}

/// The readings it was measured on.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct HeldOut {
    pub(crate) readings: u64,
    pub(crate) devices: u64,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

/// What was measured against the senders' truth.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Labelled {
    pub(crate) readings: u64,
    pub(crate) precision: Option<f64>,
    pub(crate) recall: Option<f64>,
    pub(crate) f1: Option<f64>,
    pub(crate) confusion: Confusion,
    pub(crate) roc_auc: Option<f64>,
    pub(crate) average_precision: Option<f64>,
    pub(crate) false_alarms_per_device_day: Option<f64>,
    pub(crate) recall_by_kind: BTreeMap<String, KindRecall>,
}

/// The confusion matrix.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Confusion {
    pub(crate) tp: u64,
    pub(crate) fp: u64,
    #[serde(rename = "fn")]
    pub(crate) missed: u64,
    pub(crate) tn: u64,
}

/// How much of one kind of anomaly was found.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct KindRecall {
    pub(crate) recall: f64,
    pub(crate) readings: u64,
}

impl From<&LabelledReport> for Labelled {
    fn from(it: &LabelledReport) -> Self {
        let kinds = it.recall_by_kind.iter();
        Self {
            readings: it.readings,
            precision: it.precision,
            recall: it.recall,
            f1: it.f1,
            confusion: Confusion {
                tp: it.true_positives,
                fp: it.false_positives,
                missed: it.false_negatives,
                tn: it.true_negatives,
            },
            roc_auc: it.roc_auc,
            average_precision: it.average_precision,
            false_alarms_per_device_day: it.false_alarms_per_device_day,
            recall_by_kind: kinds
                .map(|(kind, recall, readings)| {
                    (
                        kind.clone(),
                        KindRecall {
                            recall: *recall,
                            readings: *readings,
                        },
                    )
                })
                .collect(),
        }
    }
}

/// What was measured of one signal.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct SignalMeasured {
    /// Always none: truth is told for whole readings.
    pub(crate) labelled: Option<Labelled>,
    pub(crate) flag_rate: f64,
    pub(crate) score_quantiles: BTreeMap<String, f64>,
}

/// Quantiles by their names: `"0.01"`.
pub(crate) fn quantiles(pairs: &[(f64, f64)]) -> BTreeMap<String, f64> {
    pairs.iter().map(|(at, score)| (at.to_string(), *score)).collect()
}
