//! Head B: is this a new event worth telling? Three magnitudes a signal, each as surprising as its own past makes it;
//! an alert when they are together, unless one was told just before.

use super::codec::{Reader, Writer};
use super::profile::Profile;
use super::tail::Tail;
use super::tempo::{Pace, Weights};
use crate::features::StateError;

/// The hours of a working day, then those of a day at the weekend.
const BINS: usize = 48;

/// The surprise from which an alert is given.
const ALERT: f64 = 3.25;

/// An alert of late raises the bar by this share.
const RISE: f64 = 0.3;

/// A short and a long mean of the same values. Their distance, before the long one knows the newest value, is a
/// magnitude.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Pair {
    short: f64,
    long: f64,
}

impl Pair {
    fn distance(&mut self, value: f64, weights: (f64, f64), units: f64, age: f64) -> f64 {
        if age <= units {
            (self.short, self.long) = (value, value);
        }
        self.short += weights.0.max(units / age) * (value - self.short);
        let distance = (self.short - self.long).abs();
        self.long += weights.1.max(units / (age + units)) * (value - self.long);
        distance
    }
}

/// What head B remembers of one signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SignalEvents {
    profile: Profile<BINS>,
    level: f64,
    quick: Pair,
    wide: Pair,
    last: f64,
    /// Units since the first value, this one counted.
    age: f64,
    tails: [Tail; 3],
}

impl SignalEvents {
    pub(crate) const EMPTY: Self = Self {
        profile: Profile::EMPTY,
        level: 0.0,
        quick: Pair { short: 0.0, long: 0.0 },
        wide: Pair { short: 0.0, long: 0.0 },
        last: 0.0,
        age: 0.0,
        tails: [Tail::EMPTY; 3],
    };

    /// The surprise of a value, and the head after it. `bin` is the hour, from 24 on at the weekend.
    pub(crate) fn step(&mut self, value: f64, bin: u8, weights: &Weights, is_learning: bool) -> f64 {
        let units = weights.units;
        let is_first = self.age == 0.0;
        self.age += units;
        if is_first {
            self.level = value;
        }
        let expected = self.profile.expect(bin);
        let deviation = value - self.level;
        let left = deviation - expected;
        let weight = weights.profile.max(units / (self.age + units));
        self.profile.take(deviation, weight);
        self.level += weight * deviation;
        let jump = if is_first { 0.0 } else { (left - self.last).abs() };
        self.last = left;
        let magnitudes = [
            self.quick.distance(left, weights.quick, units, self.age),
            jump,
            self.wide.distance(left, weights.wide, units, self.age),
        ];
        let early = (units / self.age).min(1.0);
        let tails = self.tails.iter_mut().zip(magnitudes);
        let surprises = tails.map(|(tail, it)| tail.surprise(it, early, weights.tail, is_learning));
        surprises.map(|it| it * it).sum::<f64>().sqrt()
    }

    /// The value of late, smoothed, and what it was over a long time, both without the course of the day.
    pub(crate) fn course(&self) -> (f64, f64) {
        (self.quick.short, self.quick.long)
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        self.profile.write(to);
        let numbers = [
            self.level,
            self.quick.short,
            self.quick.long,
            self.wide.short,
            self.wide.long,
            self.last,
            self.age,
        ];
        numbers.iter().for_each(|it| to.double(*it));
        self.tails.iter().for_each(|it| it.write(to));
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        let profile = Profile::read(from)?;
        let mut numbers = [0.0; 7];
        for number in &mut numbers {
            *number = from.double()?;
        }
        let [level, quick_short, quick_long, wide_short, wide_long, last, age] = numbers;
        Ok(Self {
            profile,
            level,
            quick: Pair {
                short: quick_short,
                long: quick_long,
            },
            wide: Pair {
                short: wide_short,
                long: wide_long,
            },
            last,
            age,
            tails: [Tail::read(from)?, Tail::read(from)?, Tail::read(from)?],
        })
    }
}

/// Decides which surprises become alerts: none soon after another, and fewer from a device that alerts often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AlertControl {
    /// Alerts of late, with their age taken off.
    recent: f64,
    /// Units since the last alert.
    since: f64,
}

impl AlertControl {
    pub(crate) const EMPTY: Self = Self {
        recent: 0.0,
        since: 1e12,
    };

    /// Whether this surprise is an alert.
    pub(crate) fn step(&mut self, surprise: f64, weights: &Weights, pace: &Pace) -> bool {
        self.recent *= 1.0 - weights.alerts;
        self.since += weights.readings;
        let is_alert = surprise >= ALERT * (1.0 + RISE * self.recent) && self.since > pace.tempo.refractory;
        if is_alert {
            self.since = 0.0;
            self.recent += 1.0;
        }
        is_alert
    }

    pub(crate) fn write(self, to: &mut Writer<'_>) {
        to.double(self.recent);
        to.double(self.since);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            recent: from.double()?,
            since: from.double()?,
        })
    }
}
