//! The one judgement of a reading: what the model says of it, and the limits that a person has set.

use detector::limits::{Limits, LimitsError, SignalLimits};
use detector::quality::{self, Doubt, Physical};
use detector::{Assessment, DeviceState, Model};
use domain::{Reading, Signals, Timestamp};

/// The limits of a configuration, by the names of the signals.
pub(crate) type NamedLimits = Vec<(String, SignalLimits)>;

/// Judges readings of these signals.
#[derive(Debug, Clone)]
pub(crate) struct Judging {
    signals: Signals,
    limits: Limits,
    physical: Vec<Physical>,
}

impl Judging {
    /// Judges by these limits, of which each holds for the signal of its name.
    ///
    /// # Errors
    /// When limits contradict themselves.
    pub(crate) fn new(signals: &Signals, named: &NamedLimits) -> Result<Self, LimitsError> {
        let of = |name: &str| named.iter().find(|it| it.0 == name).map(|it| it.1);
        let limits: Vec<SignalLimits> = signals.iter().map(|it| of(&it.name).unwrap_or_default()).collect();
        let physical = signals.iter().zip(&limits).map(|(signal, limits)| {
            let known = Physical::of(signal);
            Physical {
                least: limits.possible_low.or(known.least),
                most: limits.possible_high.or(known.most),
                fastest: limits.fastest,
            }
        });
        Ok(Self {
            physical: physical.collect(),
            limits: Limits::new(signals, limits)?,
            signals: signals.clone(),
        })
    }

    /// Judges a reading and takes it into the state. Without a model only what lies beyond a limit is judged.
    pub(crate) fn assess(
        &self,
        model: Option<&Model>,
        state: &mut DeviceState,
        reading: &Reading,
    ) -> Option<Assessment> {
        let judged = match model {
            Some(model) => Some(model.assess(state, reading)),
            None => {
                state.push(reading);
                None
            }
        };
        self.limits.apply(&self.signals, reading, judged)
    }

    /// What is doubtful about a reading of a device, before it is taken in.
    pub(crate) fn doubts(&self, state: &DeviceState, reading: &Reading, horizon: Timestamp) -> Vec<Doubt> {
        quality::doubts(Some(state), reading, &self.physical, horizon)
    }

    /// Whether a reading lies beyond a limit that a person has set.
    pub(crate) fn is_beyond(&self, reading: &Reading) -> bool {
        let judged = self.limits.apply(&self.signals, reading, None);
        judged.is_some_and(|it| it.verdict.is_anomaly)
    }

    /// Judges a reading and takes nothing in.
    pub(crate) fn peek(
        &self,
        model: Option<&Model>,
        state: Option<&DeviceState>,
        reading: &Reading,
    ) -> Option<Assessment> {
        let judged = model.map(|it| it.peek(state, reading));
        self.limits.apply(&self.signals, reading, judged)
    }
}
