//! The verdict of the kind [`crate::Kind::IsolationForest`]: a forest for each signal, on its features.

use domain::{Judgement, Reading, Verdict};

use crate::features::DeviceState;
use crate::model::Model;
use crate::reason::reason;

impl Model {
    /// The combined score is the lowest of the signals', and the reading is anomalous when one of them is.
    pub(crate) fn judge_by_features(&self, state: Option<&DeviceState>, reading: &Reading) -> Verdict {
        let signals: Vec<Option<Judgement>> = (0..self.signals.len())
            .map(|at| self.judge_signal(state, reading, at))
            .collect();
        let mut flagged: Vec<(f64, usize)> = Vec::new();
        let mut score = f64::INFINITY;
        for (at, judgement) in signals.iter().enumerate() {
            let Some(judgement) = judgement else { continue };
            score = score.min(judgement.score);
            if judgement.is_anomaly {
                flagged.push((judgement.score, at));
            }
        }
        flagged.sort_by(|a, b| a.0.total_cmp(&b.0));
        let whole: f64 = flagged.iter().map(|it| it.0).sum();
        let reasons = flagged.iter().filter_map(|(score, at)| {
            let expected = signals[*at].and_then(|it| it.expected);
            let (value, feature) = (reading.values.get(*at)?, self.heaviest_feature(state, reading, *at)?);
            Some(reason(&self.signals[*at], value, expected, score / whole, feature))
        });
        Verdict {
            model_version: self.version.clone(),
            // A reading none of whose signals the model knows is as normal as can be told.
            score: if score.is_finite() { score } else { 0.0 },
            is_anomaly: !flagged.is_empty(),
            reasons: reasons.collect(),
            signals,
        }
    }

    /// The feature that adds most to the score of a signal, by the forest's exact attribution.
    fn heaviest_feature(&self, state: Option<&DeviceState>, reading: &Reading, at: usize) -> Option<String> {
        let part = self.forests.get(at)?.as_ref()?;
        let features = self.extractor.extract(state, reading, at)?;
        let explanation = part
            .forest
            .explain(features.as_slice())
            .expect("the forest was fitted on vectors of this spec");
        let feature = self.extractor.spec().get(explanation.main_column()?)?;
        Some(feature.name().to_owned())
    }

    fn judge_signal(&self, state: Option<&DeviceState>, reading: &Reading, at: usize) -> Option<Judgement> {
        let part = self.forests.get(at)?.as_ref()?;
        let features = self.extractor.extract(state, reading, at)?;
        let score = part
            .forest
            .score_row(features.as_slice())
            .expect("the forest was fitted on vectors of this spec");
        let score = part.threshold - score;
        let expected = self.extractor.usual(state, at).map(|it| it.span());
        Some(Judgement {
            score,
            is_anomaly: score < 0.0,
            expected,
        })
    }
}
