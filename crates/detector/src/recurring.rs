//! What a machine does again and again is no anomaly, however far it goes: a defrost, a backwash, a change of tools.
//!
//! A model knows such events by their looks: what head A says of each signal while they last. A reading that looks like one
//! of them is normal; one of the same size that looks otherwise, on another signal or on one alone, is judged as ever.

use std::collections::HashMap;
use std::fmt;

use domain::{DeviceId, MAX_SIGNALS};
use serde::{Deserialize, Serialize};

use crate::features::DeviceState;
use crate::reason::span_of;

/// Two looks are alike where no part differs by more than this share of the larger, and some noise.
const SHARE: f32 = 0.25;

/// How looks are kept.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// By how much noise looks that are alike may differ.
    noise: f32,
    /// How many are kept at most.
    most: usize,
}

/// Many events have been seen, each with its own noise.
const OF_ALL: Rule = Rule { noise: 2.0, most: 256 };
const OF_ONE: Rule = Rule { noise: 2.0, most: 64 };

/// It may have been one event: two of the same kind are hardly ever further apart.
const TOLD: Rule = Rule { noise: 3.0, most: 64 };

/// An event may last longer than any that was seen, by this factor and so many readings.
const LONGER: f32 = 2.0;
const MORE: f32 = 5.0;

/// A look tells something where a part is at least this far from what is usual: what is nearer looks like nothing in particular.
const TELLING: f32 = 3.0;

/// So many rhythms are told in a sentence.
const FOREMOST: usize = 3;

/// How one signal looks. What it is off by is in its own unit, which stays what it is while scales are learned; what head A
/// makes of it over time is in units of what is usual.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    off: f32,
    /// The scale of its noise.
    scale: f32,
    smooth: f32,
    rough: f32,
}

impl Part {
    fn of(state: &DeviceState, at: usize) -> Self {
        let Some(signal) = state.heads.signal(at) else {
            return Self::default();
        };
        let [deviation, smooth, rough] = signal.parts;
        let scale = signal.scale() as f32;
        Self {
            off: deviation * scale,
            scale,
            smooth,
            rough,
        }
    }

    fn is_as_far_as(&self, other: &Self, noise: f32) -> bool {
        near(self.off, other.off, noise * self.scale.max(other.scale))
    }

    fn is_like(&self, other: &Self, noise: f32) -> bool {
        let over_time = near(self.smooth, other.smooth, noise) && near(self.rough, other.rough, noise);
        over_time && self.is_as_far_as(other, noise)
    }

    fn is_telling(&self) -> bool {
        self.off.abs() >= TELLING * self.scale || self.smooth.abs().max(self.rough.abs()) >= TELLING
    }

    fn is_finite(&self) -> bool {
        [self.off, self.scale, self.smooth, self.rough]
            .iter()
            .all(|it| it.is_finite())
    }
}

fn near(a: f32, b: f32, noise: f32) -> bool {
    (a - b).abs() <= noise + SHARE * a.abs().max(b.abs())
}

/// How the signals of a device look at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    parts: Box<[Part]>,
    /// For how many seconds the device has been odd by then, at most.
    odd_for: f32,
}

impl Look {
    /// How a device with this state, and so many signals, looks now.
    pub(crate) fn of(state: &DeviceState, n_signals: usize) -> Self {
        Self {
            parts: (0..n_signals).map(|at| Part::of(state, at)).collect(),
            odd_for: state.odd_for,
        }
    }

    /// The same when the device has been odd for so many seconds.
    pub(crate) fn after(&self, odd_for: f32) -> Self {
        Self {
            parts: self.parts.clone(),
            odd_for,
        }
    }

    /// Each signal at its furthest over some looks.
    pub(crate) fn furthest<'a>(looks: impl Iterator<Item = &'a Self>) -> Option<Self> {
        looks.cloned().reduce(|mut most, it| {
            for (most, it) in most.parts.iter_mut().zip(it.parts) {
                if it.off.abs() > most.off.abs() {
                    *most = it;
                }
            }
            most
        })
    }

    /// Whether each signal is as far off as in another, whatever it did before.
    pub(crate) fn is_as_far_as(&self, other: &Self) -> bool {
        let mut parts = self.parts.iter().zip(&other.parts);
        parts.all(|(a, b)| a.is_as_far_as(b, OF_ALL.noise))
    }

    fn is_like(&self, other: &[Part], noise: f32) -> bool {
        self.parts.iter().zip(other).all(|(a, b)| a.is_like(b, noise))
    }

    /// Whether it is of so many signals.
    fn fits(&self, n_signals: usize) -> bool {
        self.parts.len() == n_signals && self.parts.iter().all(Part::is_finite) && self.odd_for.is_finite()
    }

    /// The same with its signals put in another order. One that was not there looked as usual.
    fn with_places(&self, places: &[Option<usize>]) -> Self {
        let of = |it: &Option<usize>| it.map_or(Part::default(), |at| self.parts[at]);
        Self {
            parts: places.iter().map(of).collect(),
            odd_for: self.odd_for,
        }
    }
}

/// For how many seconds a device has been odd after a reading, when it was so for so many before: each reading that is not
/// halves it.
pub(crate) fn longer_or_less(before: f32, is_odd: bool, interval: f64) -> f32 {
    if is_odd { before + interval as f32 } else { before / 2.0 }
}

/// How often something recurs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rhythm {
    /// From one time to the next, in seconds.
    pub seconds: f64,
    /// How many devices do it.
    pub devices: u64,
    /// How often the training has seen it.
    pub events: u64,
}

impl fmt::Display for Rhythm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (every, devices) = (span_of(self.seconds), self.devices);
        let devices = if devices == 1 {
            "one device".to_owned()
        } else {
            format!("{devices} devices")
        };
        write!(f, "every {every} on {devices}, seen {} times", self.events)
    }
}

/// The events that a training has found to recur, and those that people have said are usual.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recurring {
    /// The rhythms that were found.
    pub rhythms: Vec<Rhythm>,
    /// How any device may look.
    pub fleet: Vec<Look>,
    /// How one device may look, and others may not.
    pub devices: HashMap<DeviceId, Vec<Look>>,
    /// How one device may look as people have said.
    pub told: HashMap<DeviceId, Vec<Look>>,
    /// How one device looked in faults that people have confirmed: whatever else is usual, this is not.
    pub faults: HashMap<DeviceId, Vec<Look>>,
}

impl Recurring {
    /// The most frequent rhythms, as many as a sentence holds.
    #[must_use]
    pub fn foremost(&self) -> &[Rhythm] {
        &self.rhythms[..self.rhythms.len().min(FOREMOST)]
    }

    /// Whether a device looks as it does in an event that recurs, and has not done so for too long. `interval` is the usual time
    /// between its readings, in seconds.
    pub(crate) fn knows(&self, device: &DeviceId, state: &DeviceState, n_signals: usize, interval: f64) -> bool {
        let is_known = self.devices.contains_key(device) || self.told.contains_key(device);
        if self.fleet.is_empty() && !is_known {
            return false;
        }
        let mut now = [Part::default(); MAX_SIGNALS];
        for (at, slot) in now.iter_mut().enumerate().take(n_signals) {
            *slot = Part::of(state, at);
        }
        let longest = |it: &Look| LONGER * it.odd_for + MORE * interval as f32;
        self.has(device, &now[..n_signals], |it| state.odd_for <= longest(it))
    }

    /// Whether it is how a device looks in an event that recurs.
    pub(crate) fn is_of(&self, device: &DeviceId, look: &Look) -> bool {
        self.has(device, &look.parts, |_| true)
    }

    fn has(&self, device: &DeviceId, look: &[Part], may_be: impl Fn(&Look) -> bool) -> bool {
        let among = |looks: &[Look], rule: Rule| looks.iter().any(|it| may_be(it) && it.is_like(look, rule.noise));
        let own = |looks: &HashMap<DeviceId, Vec<Look>>, rule| looks.get(device).is_some_and(|it| among(it, rule));
        let faults = self.faults.get(device).into_iter().flatten();
        let mut faults = faults.filter(|it| it.is_like(look, OF_ONE.noise));
        let is_usual = among(&self.fleet, OF_ALL) || own(&self.devices, OF_ONE) || own(&self.told, TOLD);
        is_usual && faults.next().is_none()
    }

    /// From now on every device may look so.
    pub(crate) fn expect(&mut self, look: &Look) {
        add(&mut self.fleet, look, OF_ALL);
    }

    /// From now on the device may look so.
    pub(crate) fn expect_of(&mut self, device: &DeviceId, look: &Look) {
        add(self.devices.entry(device.clone()).or_default(), look, OF_ONE);
    }

    /// From now on the device may look so, since people have said that it is usual.
    pub fn expect_told(&mut self, device: &DeviceId, look: &Look) {
        add(self.told.entry(device.clone()).or_default(), look, TOLD);
    }

    /// From now on it is no excuse that the device may look so, since people have said that it was a fault.
    pub fn expect_fault(&mut self, device: &DeviceId, look: &Look) {
        add(self.faults.entry(device.clone()).or_default(), look, OF_ONE);
    }

    /// From now on what people have said of another time holds, too.
    pub(crate) fn take_words(&mut self, other: &Self) {
        for (device, looks) in &other.told {
            looks.iter().for_each(|it| self.expect_told(device, it));
        }
        for (device, looks) in &other.faults {
            looks.iter().for_each(|it| self.expect_fault(device, it));
        }
    }

    /// The same for signals in another order.
    pub(crate) fn with_places(&self, places: &[Option<usize>]) -> Self {
        let moved = |looks: &Vec<Look>| looks.iter().map(|it| it.with_places(places)).collect();
        let of = |looks: &HashMap<DeviceId, Vec<Look>>| {
            let looks = looks.iter().map(|(device, it)| (device.clone(), moved(it)));
            looks.collect()
        };
        Self {
            rhythms: self.rhythms.clone(),
            fleet: moved(&self.fleet),
            devices: of(&self.devices),
            told: of(&self.told),
            faults: of(&self.faults),
        }
    }

    /// Whether every look is one of so many signals.
    pub(crate) fn fits(&self, n_signals: usize) -> bool {
        let own = [&self.devices, &self.told, &self.faults];
        let own = own.into_iter().flat_map(HashMap::values).flatten();
        self.fleet.iter().chain(own).all(|it| it.fits(n_signals))
    }
}

/// Adds a look that tells something. Of those that are alike the first is kept, and how late any of them was.
fn add(looks: &mut Vec<Look>, look: &Look, rule: Rule) {
    if !look.parts.iter().any(Part::is_telling) || !look.fits(look.parts.len()) {
        return;
    }
    let like = looks.iter().position(|it| it.is_like(&look.parts, rule.noise));
    match like {
        Some(at) => looks[at].odd_for = looks[at].odd_for.max(look.odd_for),
        None if looks.len() < rule.most => looks.push(look.clone()),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signals with noise of scale 0.5 that are so far off.
    fn look(off: &[f32]) -> Look {
        let part = |off: &f32| Part {
            off: *off,
            scale: 0.5,
            smooth: 2.0,
            rough: 1.0,
        };
        Look {
            parts: off.iter().map(part).collect(),
            odd_for: 60.0,
        }
    }

    #[test]
    fn the_same_size_on_another_signal_is_another_look() {
        let both = look(&[6.0, 3.0]);
        let is_like = |off: &[f32]| both.is_like(&look(off).parts, OF_ALL.noise);
        assert!(is_like(&[7.5, 2.5]) && !is_like(&[6.0, 0.0]) && !is_like(&[-6.0, -3.0]));
    }

    #[test]
    fn scales_are_learned_and_looks_stay() {
        let (before, mut after) = (look(&[6.0, 3.0]), look(&[6.5, 3.2]));
        after.parts[1].scale = 0.05;
        assert!(before.is_like(&after.parts, OF_ALL.noise) && after.is_like(&before.parts, OF_ALL.noise));
    }

    #[test]
    fn a_look_is_kept_once_and_none_that_tells_nothing() {
        let mut recurring = Recurring::default();
        for off in [8.0, 8.5, f32::NAN, 1.4] {
            recurring.expect(&look(&[off]));
        }
        assert_eq!(recurring.fleet, [look(&[8.0])]);
        assert!(recurring.fits(1) && !recurring.fits(2));
    }

    #[test]
    fn looks_follow_the_order_of_the_signals() {
        let mut recurring = Recurring::default();
        recurring.expect(&look(&[1.0, 9.0]));
        let moved = recurring.with_places(&[Some(1), None, Some(0)]).fleet;
        let [there, new, back] = moved[0].parts[..] else {
            panic!("{moved:?}")
        };
        assert_eq!((there.off, new, back.off), (9.0, Part::default(), 1.0));
    }
}
