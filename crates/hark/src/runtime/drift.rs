//! Whether what comes in still is what the model in force was trained on.

use std::sync::{Arc, Mutex, PoisonError};

use detector::{Model, Shift, ShiftMeter};
use domain::{Judged, Timestamp};

/// Half of what is counted is forgotten after as many readings as this part of the training had: hours of the day and
/// days of the week then weigh as they did there.
const PART: f64 = 0.25;

/// But not before so many.
const LEAST: f64 = 10_000.0;

/// Nor is anything told before readings of so many seconds were counted, or of as many as the training had: an hour is not
/// like a day, whatever has shifted.
const DAY: f64 = 86_400.0;

/// Counts what a model judges, and begins anew with each model.
#[derive(Default)]
pub(crate) struct Drift(Mutex<Option<Counted>>);

struct Counted {
    model: Arc<Model>,
    meter: ShiftMeter,
    /// The times of the oldest and of the newest reading that was counted.
    span: Option<(Timestamp, Timestamp)>,
}

impl Drift {
    /// Counts the readings that this model judged.
    pub(crate) fn take<'a>(&self, model: &Arc<Model>, readings: impl Iterator<Item = &'a Judged>) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = match &mut *counted {
            Some(it) if it.model.version == model.version => it,
            other => other.insert(Counted {
                model: model.clone(),
                meter: ShiftMeter::new(
                    model.signals.len(),
                    (PART * model.provenance.readings as f64).max(LEAST),
                ),
                span: None,
            }),
        };
        for judged in readings {
            if let Some(verdict) = judged.verdict.as_ref().filter(|it| it.model_version == model.version) {
                let at = judged.reading.timestamp;
                let (oldest, newest) = counted.span.unwrap_or((at, at));
                counted.span = Some((oldest.min(at), newest.max(at)));
                counted.meter.take(model, &judged.reading, verdict);
            }
        }
    }

    /// How far what was counted lies from the training; none before enough was.
    pub(crate) fn shift(&self) -> Option<Shift> {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = counted.as_ref()?;
        let (oldest, newest) = counted.span?;
        let provenance = &counted.model.provenance;
        let wanted = provenance.to.seconds_since(provenance.from).min(DAY);
        (newest.seconds_since(oldest) >= wanted).then(|| counted.meter.shift(&counted.model))
    }
}
