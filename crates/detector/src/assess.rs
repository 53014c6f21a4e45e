//! What there is to say of a reading beyond its verdict.

use domain::{Judgement, Reading, Verdict};

use crate::features::DeviceState;
use crate::kind::Kind;
use crate::model::Model;
use crate::reason::Course;
use crate::symptom::{MAX_SYMPTOMS, Sign, Symptom};
use crate::threshold::ThresholdPolicy;

/// A verdict, and what the incident machine needs of the reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// The verdict.
    pub verdict: Verdict,
    /// What [`crate::Watch`] looks at; none for a double or a late reading, which no incident is made of.
    pub sign: Option<Sign>,
    /// In how many days a normal device gives such a score once; none where the kind cannot tell.
    pub once_in_days: Option<f64>,
}

impl Model {
    /// Judges a reading from the history before it, and takes it in. A double or a late reading is judged by what is
    /// known and changes nothing.
    pub fn assess(&self, state: &mut DeviceState, reading: &Reading) -> Assessment {
        if !state.accepts(reading.timestamp) {
            return Assessment {
                sign: None,
                ..self.peek(Some(state), reading)
            };
        }
        if self.kind == Kind::IsolationForest {
            let verdict = self.judge_by_features(Some(state), reading);
            state.push(reading);
            return self.assess_features(state, reading, verdict);
        }
        self.weigh(state, reading)
    }

    /// Judges a reading from the history before it; without history, from the fleet's. It says what [`Model::assess`]
    /// would say, and takes nothing in.
    #[must_use]
    pub fn peek(&self, state: Option<&DeviceState>, reading: &Reading) -> Assessment {
        let mut copy = state.cloned().unwrap_or_else(|| DeviceState::new(&self.signals));
        if self.kind == Kind::IsolationForest {
            let verdict = self.judge_by_features(state, reading);
            return self.assess_features(&copy, reading, verdict);
        }
        self.weigh(&mut copy, reading)
    }

    /// The false alarms a device and week that the policy allows; none where it is the reference's rule.
    #[must_use]
    pub fn budget(&self) -> Option<f64> {
        match self.provenance.policy {
            ThresholdPolicy::Contamination => None,
            ThresholdPolicy::Budget {
                false_alarms_per_device_week,
            } => Some(false_alarms_per_device_week),
        }
    }

    /// Tells the scores of this model from those of others.
    pub(crate) fn id(&self) -> u64 {
        self.bar.scale.to_bits() ^ self.bar.start.to_bits().rotate_left(21) ^ self.bar.upper.to_bits().rotate_left(42)
    }

    /// A forest a signal knows nothing of rates: most of the last readings must be anomalous for an incident.
    fn assess_features(&self, state: &DeviceState, reading: &Reading, verdict: Verdict) -> Assessment {
        let mut symptoms = [None; MAX_SYMPTOMS];
        let odd = |it: &Option<Judgement>| it.filter(|it| it.is_anomaly).map(|it| -it.score);
        let whole: f64 = verdict.signals.iter().filter_map(odd).sum();
        let flagged = verdict
            .signals
            .iter()
            .enumerate()
            .filter_map(|(at, it)| Some((at, odd(it)?)));
        for (slot, (at, part)) in symptoms.iter_mut().zip(flagged) {
            let usual = self.extractor.usual(Some(state), at);
            let value = reading.values.get(at).unwrap_or_default();
            *slot = Some(Symptom {
                signal: at,
                share: part / whole.max(1e-12),
                course: Course::Value,
                deviation: usual.map_or(0.0, |it| it.z_score(value)),
                roughness: 0.0,
                smooth: state.heads.course(at).0,
                usual: state.heads.course(at).1,
                lasting: 0.0,
            });
        }
        let sign = Sign {
            at: reading.timestamp,
            score: verdict.score,
            is_anomaly: verdict.is_anomaly,
            counts: verdict.is_anomaly,
            tells: false,
            interval: state.interval().unwrap_or(60.0),
            symptoms,
        };
        Assessment {
            verdict,
            sign: Some(sign),
            once_in_days: None,
        }
    }
}
