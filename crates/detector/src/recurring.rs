//! What a machine does again and again is no anomaly, however far it goes: a defrost, a backwash, a change of tools.
//!
//! A model knows such events by their looks: what head A says of each signal while they last. A reading that looks like one
//! of them is normal; one of the same size that looks otherwise, on another signal or on one alone, is judged as ever.

use std::collections::HashMap;

use domain::{DeviceId, MAX_SIGNALS};
use serde::{Deserialize, Serialize};

use crate::features::DeviceState;

/// Two looks are alike where no part differs by more noise than this, and this share of the larger.
const NOISE: f32 = 1.5;
const SHARE: f32 = 0.25;

/// A look tells something where a part is at least this far from what is usual: what is nearer looks like nothing in particular.
const TELLING: f32 = 3.0;

/// Looks that are kept of a device or of a fleet, at most.
const MOST: usize = 256;

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

    fn is_as_far_as(&self, other: &Self) -> bool {
        let noise = self.scale.max(other.scale);
        (self.off - other.off).abs() <= NOISE * noise + SHARE * self.off.abs().max(other.off.abs())
    }

    fn is_like(&self, other: &Self) -> bool {
        let near = |a: f32, b: f32| (a - b).abs() <= NOISE + SHARE * a.abs().max(b.abs());
        self.is_as_far_as(other) && near(self.smooth, other.smooth) && near(self.rough, other.rough)
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

/// How the signals of a device look at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Look(Box<[Part]>);

impl Look {
    /// How a device with this state, and so many signals, looks now.
    pub(crate) fn of(state: &DeviceState, n_signals: usize) -> Self {
        Self((0..n_signals).map(|at| Part::of(state, at)).collect())
    }

    /// Each signal at its furthest over some looks.
    pub(crate) fn furthest<'a>(looks: impl Iterator<Item = &'a Self>) -> Option<Self> {
        looks.cloned().reduce(|mut most, it| {
            for (most, it) in most.0.iter_mut().zip(it.0) {
                if it.off.abs() > most.off.abs() {
                    *most = it;
                }
            }
            most
        })
    }

    /// Whether each signal is as far off as in another, whatever it did before.
    pub(crate) fn is_as_far_as(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a.is_as_far_as(b))
    }

    fn is_like(&self, other: &[Part]) -> bool {
        self.0.iter().zip(other).all(|(a, b)| a.is_like(b))
    }

    /// Whether it is of so many signals.
    fn fits(&self, n_signals: usize) -> bool {
        self.0.len() == n_signals && self.0.iter().all(Part::is_finite)
    }

    /// The same with its signals put in another order. One that was not there looked as usual.
    fn with_places(&self, places: &[Option<usize>]) -> Self {
        let of = |it: &Option<usize>| it.map_or(Part::default(), |at| self.0[at]);
        Self(places.iter().map(of).collect())
    }
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

/// The events that a training has found to recur, and those that people have said are usual.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recurring {
    /// The rhythms that were found.
    pub rhythms: Vec<Rhythm>,
    /// How any device may look.
    pub fleet: Vec<Look>,
    /// How one device may look, and others may not.
    pub devices: HashMap<DeviceId, Vec<Look>>,
}

impl Recurring {
    /// Whether a device looks as it does in an event that recurs.
    pub(crate) fn knows(&self, device: &DeviceId, state: &DeviceState, n_signals: usize) -> bool {
        if self.fleet.is_empty() && !self.devices.contains_key(device) {
            return false;
        }
        let mut now = [Part::default(); MAX_SIGNALS];
        for (at, slot) in now.iter_mut().enumerate().take(n_signals) {
            *slot = Part::of(state, at);
        }
        self.of(device).any(|it| it.is_like(&now[..n_signals]))
    }

    /// Whether it is how a device looks in an event that recurs.
    pub(crate) fn has(&self, device: &DeviceId, look: &Look) -> bool {
        self.of(device).any(|it| it.is_like(&look.0))
    }

    fn of(&self, device: &DeviceId) -> impl Iterator<Item = &Look> {
        self.fleet.iter().chain(self.devices.get(device).into_iter().flatten())
    }

    /// From now on the device may look so.
    pub(crate) fn expect_of(&mut self, device: &DeviceId, look: Look) {
        add(self.devices.entry(device.clone()).or_default(), look);
    }

    /// From now on every device may look so.
    pub(crate) fn expect(&mut self, look: Look) {
        add(&mut self.fleet, look);
    }

    /// The same for signals in another order.
    pub(crate) fn with_places(&self, places: &[Option<usize>]) -> Self {
        let moved = |looks: &Vec<Look>| looks.iter().map(|it| it.with_places(places)).collect();
        let devices = self
            .devices
            .iter()
            .map(|(device, looks)| (device.clone(), moved(looks)));
        Self {
            rhythms: self.rhythms.clone(),
            fleet: moved(&self.fleet),
            devices: devices.collect(),
        }
    }

    /// Whether every look is one of so many signals.
    pub(crate) fn fits(&self, n_signals: usize) -> bool {
        let mut looks = self.fleet.iter().chain(self.devices.values().flatten());
        looks.all(|it| it.fits(n_signals))
    }
}

/// Adds a look that tells something and is like none of those there are.
fn add(looks: &mut Vec<Look>, look: Look) {
    let is_of_use = look.0.iter().any(Part::is_telling) && look.fits(look.0.len());
    if is_of_use && looks.len() < MOST && !looks.iter().any(|it| it.is_like(&look.0)) {
        looks.push(look);
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
        Look(off.iter().map(part).collect())
    }

    #[test]
    fn the_same_size_on_another_signal_is_another_look() {
        let both = look(&[6.0, 3.0]);
        assert!(both.is_like(&look(&[7.5, 2.5]).0));
        assert!(!both.is_like(&look(&[6.0, 0.0]).0) && !both.is_like(&look(&[-6.0, -3.0]).0));
    }

    #[test]
    fn scales_are_learned_and_looks_stay() {
        let (before, mut after) = (look(&[6.0, 3.0]), look(&[6.5, 3.2]));
        after.0[1].scale = 0.05;
        assert!(before.is_like(&after.0) && after.is_like(&before.0));
    }

    #[test]
    fn a_look_is_kept_once_and_none_that_tells_nothing() {
        let mut recurring = Recurring::default();
        for off in [8.0, 8.5, f32::NAN, 1.4] {
            recurring.expect(look(&[off]));
        }
        assert_eq!(recurring.fleet, [look(&[8.0])]);
        assert!(recurring.fits(1) && !recurring.fits(2));
    }

    #[test]
    fn looks_follow_the_order_of_the_signals() {
        let mut recurring = Recurring::default();
        recurring.expect(look(&[1.0, 9.0]));
        let moved = recurring.with_places(&[Some(1), None, Some(0)]).fleet;
        let [there, new, back] = moved[0].0[..] else {
            panic!("{moved:?}")
        };
        assert_eq!((there.off, new, back.off), (9.0, Part::default(), 1.0));
    }
}
