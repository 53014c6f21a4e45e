//! How good verdicts are: measured on readings that the model never saw in training.

use std::collections::HashMap;

use domain::{DeviceId, Reading, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

use crate::threshold::quantile;

/// The quantiles that a report tells.
const QUANTILES: [f64; 9] = [0.0001, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/// What was measured on held-out readings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How many readings.
    pub readings: u64,
    /// Of how many devices.
    pub devices: u64,
    /// The first of them, RFC 3339.
    pub from: Option<String>,
    /// The last of them, RFC 3339.
    pub to: Option<String>,
    /// The days over which devices were watched, summed over the devices.
    pub device_days: f64,
    /// The share of readings that was flagged.
    pub flag_rate: f64,
    /// Flagged readings for each device and day.
    pub flags_per_device_day: f64,
    /// Quantiles of the combined score, below 0 is anomalous.
    pub score_quantiles: Vec<(f64, f64)>,
    /// Against the sender's truth, where readings carried it.
    pub labelled: Option<LabelledReport>,
    /// Per signal, in the order of the model.
    pub signals: Vec<SignalReport>,
}

/// What was measured against the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelledReport {
    /// How many readings carried their truth.
    pub readings: u64,
    /// Anomalous and flagged.
    pub true_positives: u64,
    /// Normal and flagged.
    pub false_positives: u64,
    /// Anomalous and not flagged.
    pub false_negatives: u64,
    /// Normal and not flagged.
    pub true_negatives: u64,
    /// The share of the flagged that is anomalous; none when nothing was flagged.
    pub precision: Option<f64>,
    /// The share of the anomalous that was flagged; none when nothing was anomalous.
    pub recall: Option<f64>,
    /// The harmonic mean of the two; none when there was nothing to find and nothing was flagged.
    pub f1: Option<f64>,
    /// Area under the ROC curve; none without both classes.
    pub roc_auc: Option<f64>,
    /// Average precision; none without both classes.
    pub average_precision: Option<f64>,
    /// Normal readings that were flagged, for each device and day.
    pub false_alarms_per_device_day: Option<f64>,
    /// The share of each kind of anomaly that was flagged.
    pub recall_by_kind: Vec<(String, f64, u64)>,
}

/// What was measured of one signal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalReport {
    /// The signal's name.
    pub name: String,
    /// The share of its values that was flagged.
    pub flag_rate: f64,
    /// Quantiles of its score.
    pub score_quantiles: Vec<(f64, f64)>,
}

/// Gathers verdicts, and reports.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    combined: Scores,
    signals: Vec<Scores>,
    truths: Vec<Option<bool>>,
    kinds: HashMap<String, (u64, u64)>,
    spans: HashMap<DeviceId, (Timestamp, Timestamp)>,
}

#[derive(Debug, Clone, Default)]
struct Scores {
    scores: Vec<f32>,
    flagged: Vec<bool>,
}

impl Scores {
    fn push(&mut self, score: f64, flagged: bool) {
        self.scores.push(score as f32);
        self.flagged.push(flagged);
    }

    fn flag_rate(&self) -> f64 {
        share(
            self.flagged.iter().filter(|it| **it).count() as u64,
            self.flagged.len() as u64,
        )
        .unwrap_or(0.0)
    }

    fn quantiles(&self) -> Vec<(f64, f64)> {
        let mut sorted: Vec<f64> = self.scores.iter().map(|it| f64::from(*it)).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        if sorted.is_empty() {
            return Vec::new();
        }
        QUANTILES.iter().map(|at| (*at, quantile(&sorted, *at))).collect()
    }
}

impl Evaluation {
    /// Takes one verdict.
    pub fn push(&mut self, reading: &Reading, verdict: &Verdict) {
        self.combined.push(verdict.score, verdict.is_anomaly);
        self.signals.resize(verdict.signals.len(), Scores::default());
        for (scores, judgement) in self.signals.iter_mut().zip(&verdict.signals) {
            if let Some(judgement) = judgement {
                scores.push(judgement.score, judgement.is_anomaly);
            }
        }
        self.truths.push(reading.truth.as_ref().map(|it| it.is_anomaly));
        if let Some(truth) = reading.truth.as_ref().filter(|it| it.is_anomaly) {
            let kind = truth.anomaly_type.clone().unwrap_or_else(|| "unnamed".to_owned());
            let (hit, all) = self.kinds.entry(kind).or_default();
            *hit += u64::from(verdict.is_anomaly);
            *all += 1;
        }
        let at = reading.timestamp;
        let span = self.spans.entry(reading.device_id.clone()).or_insert((at, at));
        *span = (span.0.min(at), span.1.max(at));
    }

    /// What was measured. `names` are the signals' names, in the order of the verdicts.
    #[must_use]
    pub fn report(&self, names: &[&str]) -> Report {
        let micros: i128 = self.spans.values().map(|(first, last)| last.micros_since(*first)).sum();
        let device_days = micros as f64 / 86_400e6;
        let flags = self.combined.flagged.iter().filter(|it| **it).count();
        let signals = names.iter().zip(&self.signals).map(|(name, scores)| SignalReport {
            name: (*name).to_owned(),
            flag_rate: scores.flag_rate(),
            score_quantiles: scores.quantiles(),
        });
        Report {
            readings: self.truths.len() as u64,
            devices: self.spans.len() as u64,
            from: self.spans.values().map(|it| it.0).min().map(|it| it.to_string()),
            to: self.spans.values().map(|it| it.1).max().map(|it| it.to_string()),
            device_days,
            flag_rate: self.combined.flag_rate(),
            flags_per_device_day: if device_days > 0.0 {
                flags as f64 / device_days
            } else {
                0.0
            },
            score_quantiles: self.combined.quantiles(),
            labelled: self.labelled(device_days),
            signals: signals.collect(),
        }
    }

    fn labelled(&self, device_days: f64) -> Option<LabelledReport> {
        let mut rows: Vec<(f32, bool)> = Vec::new();
        let (mut tp, mut fp, mut fneg, mut tn) = (0, 0, 0, 0);
        for ((truth, flagged), score) in self
            .truths
            .iter()
            .zip(&self.combined.flagged)
            .zip(&self.combined.scores)
        {
            let Some(anomalous) = *truth else { continue };
            rows.push((*score, anomalous));
            match (anomalous, *flagged) {
                (true, true) => tp += 1,
                (false, true) => fp += 1,
                (true, false) => fneg += 1,
                (false, false) => tn += 1,
            }
        }
        if rows.is_empty() {
            return None;
        }
        let ranking = rank(&mut rows);
        let mut kinds: Vec<(String, f64, u64)> = self
            .kinds
            .iter()
            .map(|(kind, (hit, all))| (kind.clone(), *hit as f64 / *all as f64, *all))
            .collect();
        kinds.sort_by(|a, b| a.0.cmp(&b.0));
        Some(LabelledReport {
            readings: rows.len() as u64,
            true_positives: tp,
            false_positives: fp,
            false_negatives: fneg,
            true_negatives: tn,
            precision: share(tp, tp + fp),
            recall: share(tp, tp + fneg),
            f1: share(2 * tp, 2 * tp + fp + fneg),
            roc_auc: ranking.map(|it| it.0),
            average_precision: ranking.map(|it| it.1),
            false_alarms_per_device_day: (device_days > 0.0).then(|| fp as f64 / device_days),
            recall_by_kind: kinds,
        })
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// ROC-AUC (ties count half) and average precision (sum of precision times recall gained, ties together), the lowest
/// score being the most anomalous. `None` without both classes.
fn rank(rows: &mut [(f32, bool)]) -> Option<(f64, f64)> {
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let positives = rows.iter().filter(|it| it.1).count() as f64;
    let negatives = rows.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let (mut tp, mut fp, mut area, mut average) = (0.0, 0.0, 0.0, 0.0);
    for ties in rows.chunk_by(|a, b| a.0 == b.0) {
        let hit = ties.iter().filter(|it| it.1).count() as f64;
        let missed = ties.len() as f64 - hit;
        area += missed * (tp + hit / 2.0);
        tp += hit;
        fp += missed;
        average += hit / positives * (tp / (tp + fp));
    }
    Some((area / (positives * negatives), average))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[(f32, bool)], auc: f64, average: f64) {
        let (a, b) = rank(&mut rows.to_vec()).unwrap();
        assert!((a - auc).abs() < 1e-12 && (b - average).abs() < 1e-12, "{a} {b}");
    }

    /// Expected values: `roc_auc_score` and `average_precision_score` of scikit-learn on the negated scores.
    #[test]
    fn ranking_is_measured_as_scikit_learn_does() {
        check(&[(-0.35, false), (-0.1, false), (-0.4, true), (-0.8, true)], 1.0, 1.0);
        check(
            &[(-0.1, false), (-0.4, false), (-0.35, true), (-0.8, true)],
            0.75,
            0.833_333_333_333_333_3,
        );
        check(&[(0.0, true), (0.0, false), (0.0, false), (0.0, true)], 0.5, 0.5);
    }

    #[test]
    fn one_class_has_no_ranking() {
        assert_eq!(rank(&mut [(0.1, true), (0.2, true)]), None);
    }
}
