//! The verdict of the heads and the forest on the vector of all signals.

use domain::{Judgement, MAX_SIGNALS, Reading, Reason, Span, Verdict};

use crate::combine::{Combined, combine, part};
use crate::features::DeviceState;
use crate::heads::SignalDrift;
use crate::model::{Model, WholeForest};
use crate::reason::{Course, course_reason};

/// Up to so many readings a device has no self to speak of, and is held against the fleet.
const UNKNOWN: u64 = 30;

/// The expected range reaches so many scales to either side.
const EXPECTED: f64 = 3.0;

/// No part is told lower than this.
const LEAST: f64 = -9.0;

/// A signal takes part in an anomaly from this share of the heaviest signal's part.
const TAKES_PART: f64 = 0.5;

impl Model {
    /// Weighs a reading and takes it into the state, whatever its time.
    pub(crate) fn weigh(&self, state: &mut DeviceState, reading: &Reading) -> Verdict {
        if let Some(reference) = self.references.devices.get(&reading.device_id) {
            state.learn_until(reference.learned);
        }
        let is_unknown = state.readings() < UNKNOWN;
        let stranger = if is_unknown {
            self.strangeness(state, reading)
        } else {
            f64::NEG_INFINITY
        };
        let ranges: Vec<Option<Span>> = if is_unknown {
            self.usual_ranges(state, reading)
        } else {
            Vec::new()
        };
        let evidence = state.step(reading, &self.pace);
        let familiar = self.whole.as_ref().map(|it| it.familiarity(state, reading));
        let references = self.references.banks(&reading.device_id);
        let mut combined = combine(self.kind, &evidence, &references, familiar);
        if is_unknown {
            combined = Combined {
                score: stranger,
                is_place: false,
            };
        }
        self.verdict(state, reading, combined, &ranges)
    }

    /// How far a reading of an unknown device lies outside the fleet, on the scale of [`combine`].
    fn strangeness(&self, state: &DeviceState, reading: &Reading) -> f64 {
        let of = |(at, value): (usize, Option<f64>)| {
            Some(self.extractor.usual(Some(state), at)?.z_score(value?).abs() / self.references.fleet[0].max(1.0))
        };
        (reading.values.iter().enumerate().filter_map(of).fold(0.0, f64::max) + 1e-3).ln()
    }

    fn usual_ranges(&self, state: &DeviceState, reading: &Reading) -> Vec<Option<Span>> {
        let of = |at| self.extractor.usual(Some(state), at).map(|it| it.span());
        (0..reading.values.len()).map(of).collect()
    }

    fn verdict(&self, state: &DeviceState, reading: &Reading, combined: Combined, ranges: &[Option<Span>]) -> Verdict {
        let is_anomaly = combined.score > self.line;
        let mut parts = [(f64::NEG_INFINITY, Course::Value); MAX_SIGNALS];
        let mut heaviest = f64::NEG_INFINITY;
        for (at, value) in reading.values.iter().enumerate() {
            let (Some(value), Some(signal)) = (value, state.heads.signal(at)) else {
                continue;
            };
            parts[at] = self.part(signal, reading, value, combined, ranges.get(at));
            heaviest = heaviest.max(parts[at].0);
        }
        // The heaviest signal is as anomalous as the reading, whatever the way from its part to the whole rounds.
        let whole = combined.score - heaviest;
        let judgement = |at: usize| {
            let signal = state.heads.signal(at)?;
            reading.values.get(at)?;
            let reach = EXPECTED * signal.scale;
            let own = Span {
                low: signal.center - reach,
                high: signal.center + reach,
            };
            let short = parts[at].0 - heaviest;
            Some(Judgement {
                score: if short < 0.0 {
                    self.line - (parts[at].0 + whole).max(LEAST)
                } else {
                    self.line - combined.score
                },
                is_anomaly: is_anomaly && short >= TAKES_PART.ln(),
                expected: ranges.get(at).copied().unwrap_or(Some(own)),
            })
        };
        let signals: Vec<Option<Judgement>> = (0..self.signals.len()).map(judgement).collect();
        let reasons = if is_anomaly {
            self.reasons(reading, &signals, &parts)
        } else {
            Vec::new()
        };
        Verdict {
            model_version: self.version.clone(),
            score: self.line - combined.score,
            is_anomaly,
            signals,
            reasons,
        }
    }

    /// One signal's part in the score, and what is odd about it. `range` is the fleet's for a device without history.
    fn part(
        &self,
        signal: &SignalDrift,
        reading: &Reading,
        value: f64,
        combined: Combined,
        range: Option<&Option<Span>>,
    ) -> (f64, Course) {
        let references = self.references.banks(&reading.device_id);
        match range {
            Some(Some(range)) => (
                (outside(value, *range) / self.references.fleet[0].max(1.0) + 1e-3).ln(),
                Course::Value,
            ),
            Some(None) => (f64::NEG_INFINITY, Course::Value),
            None if combined.is_place => (
                (signal.standing(value).abs() / references[0] + 1e-3).ln(),
                Course::Together,
            ),
            None => part(signal, &references, reading.values.iter().flatten().count()),
        }
    }

    fn reasons(&self, reading: &Reading, signals: &[Option<Judgement>], parts: &[(f64, Course)]) -> Vec<Reason> {
        let mut flagged: Vec<(f64, usize)> = Vec::new();
        for (at, judgement) in signals.iter().enumerate() {
            flagged.extend(judgement.filter(|it| it.is_anomaly).map(|it| (it.score, at)));
        }
        flagged.sort_by(|a, b| a.0.total_cmp(&b.0));
        let of = |(_, at): &(f64, usize)| {
            let value = reading.values.get(*at)?;
            let expected = signals[*at]?.expected?;
            Some(course_reason(&self.signals[*at], value, expected, parts[*at].1))
        };
        flagged.iter().filter_map(of).collect()
    }
}

/// How many deviations a value lies from the middle of a range of three to either side.
fn outside(value: f64, range: Span) -> f64 {
    let middle = f64::midpoint(range.low, range.high);
    EXPECTED * (value - middle).abs() / ((range.high - range.low) / 2.0).max(1e-12)
}

impl WholeForest {
    /// The forest's evidence of a reading that the state has taken in, in spreads beyond the device's usual.
    fn familiarity(&self, state: &mut DeviceState, reading: &Reading) -> f64 {
        let mut row = [f64::NAN; MAX_SIGNALS];
        for (slot, column) in row.iter_mut().zip(&self.columns) {
            let Some(at) = *column else { continue };
            if let (Some(value), Some(signal)) = (reading.values.get(at), state.heads.signal(at)) {
                *slot = signal.standing(value);
            }
        }
        let score = self
            .forest
            .score_row(&row[..self.columns.len()])
            .expect("the forest was fitted on vectors of so many columns");
        state.familiar.step(score, self.id) / self.spread
    }
}
