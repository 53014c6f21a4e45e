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
const YIELD: f64 = 0.25;

/// The weight of the evidence of place at full trust. It is steady, and with this weight its tail on normal days falls off
/// as that of head A does, so that one bar serves both.
const PLACE: f64 = 2.0;

/// From so much short of the bar on the evidence of place has its weight; what lies further off tells little.
const NEAR: f64 = 0.3;

/// The least weight, which keeps the order of readings without giving any a say.
const LEAST: f64 = 0.05;

/// How far the evidence of place stands back without trust.
const DISTRUST: f64 = 2.0;

/// A value that stays the same for longer than it ever did counts as so many times the reference at once, and as so many times
/// that at most.
const FROZEN: f64 = 2.5;
const LONGEST: f64 = 2.0;

/// The forest counts from so many spreads beyond its usual upper end, and by so much for each.
const FOREST: (f64, f64) = (1.0, 1.2);

/// The evidence, weighed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Combined {
    /// How far beyond normal.
    pub(crate) score: f64,
    /// The same for how seldom it is: that a device has left its places already does not count.
    pub(crate) rare: f64,
    /// Which evidence says most.
    pub(crate) leading: Leading,
}

/// The evidence that makes a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leading {
    /// The largest deviation.
    Spike,
    /// The smoothed deviations.
    Smooth,
    /// The roughness.
    Rough,
    /// A value that does not change.
    Frozen,
    /// Where the device is.
    Place,
}

/// Weighs the evidence. `familiar` is the forest's, in spreads beyond its usual upper end.
pub(crate) fn combine(kind: Kind, evidence: &Evidence, references: &[f64; 3], familiar: Option<f64>) -> Combined {
    let (mut most, mut leading) = (0.0, Leading::Spike);
    for (at, it) in [Leading::Spike, Leading::Smooth, Leading::Rough]
        .into_iter()
        .enumerate()
    {
        let ratio = evidence.banks[at] / references[at];
        if ratio > most {
            (most, leading) = (ratio, it);
        }
    }
    let frozen = FROZEN * evidence.frozen.min(LONGEST);
    if frozen > most {
        (most, leading) = (frozen, Leading::Frozen);
    }
    let drift = (most + 1e-3).ln();
    if kind == Kind::Statistical {
        return Combined {
            score: drift,
            rare: drift,
            leading,
        };
    }
    let trust = evidence.trust;
    let beyond = familiar.map(|it| it - FOREST.0).filter(|it| *it > 0.0);
    let forest = beyond.map_or(f64::NEG_INFINITY, |it| (FOREST.1 * it - LINE) / PLACE);
    let place = |place: f64| {
        let place = place.max(forest);
        let near = PLACE * trust.max(LEAST) * place.max(-NEAR) + (place + NEAR).min(0.0);
        LINE + near - (1.0 - trust) * (LINE + DISTRUST)
    };
    let (place, leaving) = (place(evidence.place), place(evidence.leaving));
    let drift = drift - YIELD * trust * trust;
    Combined {
        score: drift.max(place),
        rare: drift.max(leaving),
        leading: if place > drift { Leading::Place } else { leading },
    }
}

/// One signal's own part in the evidence that leads, negative below what is usual. A single deviation counts in the
/// signal's `noise`: one that moves slowly has a large scale, and a small jump of it is odd.
pub(crate) fn part(signal: &SignalDrift, value: f64, leading: Leading, noise: f64) -> f64 {
    match leading {
        Leading::Spike => f64::from(signal.parts[0]) / (noise * signal.doubt.factor()),
        Leading::Smooth => f64::from(signal.parts[1]) / signal.doubt.factor(),
        Leading::Rough => f64::from(signal.parts[2]),
        Leading::Frozen => signal.frozen(),
        Leading::Place => signal.standing(value),
    }
}

/// What is odd about a signal whose part in the leading evidence is this.
pub(crate) fn course(signal: &SignalDrift, part: f64, leading: Leading) -> Course {
    match leading {
        _ if signal.is_stuck() => Course::Stuck,
        Leading::Spike => Course::Value,
        Leading::Smooth if part < 0.0 => Course::Falling,
        Leading::Smooth => Course::Rising,
        Leading::Rough if part < 0.0 => Course::Still,
        Leading::Rough => Course::Restless,
        Leading::Frozen => Course::Still,
        Leading::Place => Course::Together,
    }
}
