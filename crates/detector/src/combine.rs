//! Three kinds of evidence, one number: how far beyond its own normal a device is, as a logarithm.
//!
//! Head A's banks are set against their references. Where the device is, by the covariance of all that it did and by the
//! forest, counts as its history can be trusted: not at all after an hour, in full after a week. Then head A gives way a
//! little, since on a machine with modes it is the noisier witness.

use crate::heads::{Evidence, SignalDrift};
use crate::kind::Kind;
use crate::reason::Course;

/// Beyond this a reading is anomalous, unless the policy says otherwise: 1.8 times the reference.
pub(crate) const LINE: f64 = 0.587_786_664_902_119;

/// How much head A gives way at full trust.
const YIELD: f64 = 0.5;

/// The evidence of place is at the line when the device leaves its places, whatever the weight.
const EARLY: f64 = LINE / PLACE;

/// The weight of the evidence of place at full trust: what it says is steady, and little beyond the bar says much.
const PLACE: f64 = 6.0;

/// The least weight, which keeps the order of readings without giving any a say.
const LEAST: f64 = 0.05;

/// How far the evidence of place stands back without trust.
const DISTRUST: f64 = 2.0;

/// The forest counts from so many spreads beyond its usual upper end, and by so much for each.
const FOREST: (f64, f64) = (1.0, 0.2);

/// The evidence, weighed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Combined {
    /// How far beyond normal.
    pub(crate) score: f64,
    /// Whether the evidence of place says more than head A.
    pub(crate) is_place: bool,
}

/// Weighs the evidence. `familiar` is the forest's, in spreads beyond its usual upper end.
pub(crate) fn combine(kind: Kind, evidence: &Evidence, references: &[f64; 3], familiar: Option<f64>) -> Combined {
    let ratios = evidence
        .banks
        .iter()
        .zip(references)
        .map(|(bank, reference)| bank / reference);
    let drift = (ratios.fold(0.0, f64::max) + 1e-3).ln();
    if kind == Kind::Statistical {
        return Combined {
            score: drift,
            is_place: false,
        };
    }
    let trust = evidence.trust;
    let beyond = familiar.map(|it| it - FOREST.0).filter(|it| *it > 0.0);
    let forest = beyond.map_or(f64::NEG_INFINITY, |it| FOREST.1 * it - EARLY);
    let place = evidence.place.max(forest) + EARLY;
    let weight = if place > 0.0 { PLACE * trust.max(LEAST) } else { 1.0 };
    let place = place * weight - (1.0 - trust) * DISTRUST;
    let drift = drift - YIELD * trust * trust;
    Combined {
        score: drift.max(place),
        is_place: place > drift,
    }
}

/// One signal's own part, on the same scale, and what is odd about it.
pub(crate) fn part(signal: &SignalDrift, references: &[f64; 3], n_present: usize) -> (f64, Course) {
    let length = (n_present.max(1) as f64).sqrt();
    let [spike, smooth, rough] = signal.parts.map(|it| f64::from(it).abs());
    let ratios = [
        spike / references[0],
        smooth / length / references[1],
        rough / length / references[2],
    ];
    let ratio = ratios.into_iter().fold(0.0, f64::max);
    let course = match ratios.iter().position(|it| *it >= ratio) {
        Some(1) if signal.parts[1] < 0.0 => Course::Falling,
        Some(1) => Course::Rising,
        Some(2) if signal.parts[2] < 0.0 => Course::Still,
        Some(2) => Course::Restless,
        _ => Course::Value,
    };
    ((ratio + 1e-3).ln(), course)
}
