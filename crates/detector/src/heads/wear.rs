//! Slow wear: what moves over weeks, so slowly that the level of head A goes along and no reading is odd.
//!
//! The mean of each day is set against a slow mean of the days before. How far it may be from that is told by the steps
//! between days: were each the beginning of a random walk, its distance from its own slow mean would have a known
//! deviation. Weather comes and goes and stays within it, and so does a season; wear goes one way and leaves it.

use domain::Values;

use super::codec::{Reader, Writer};
use super::drift::student;
use super::moment::Moment;
use crate::features::StateError;

const DAY_SECONDS: f64 = 86_400.0;

/// The days that the slow mean remembers: a half-life of eight weeks.
const MEMORY: f64 = 81.0;

/// It speaks after so many days.
const SPEAKS: u32 = 14;

/// So many deviations of a random walk are told, when so many days in a row lie there.
const WALKS: f64 = 4.0;
const RUN: i8 = 3;

/// A step between days counts as at most so many usual ones, and not at all while the days are half as far out as is
/// told: the steps of wear are not to be taken for usual.
const STEP_CLIP: f64 = 3.0;

/// What has moved less than this, in scales, is nothing that a person could see.
const VISIBLE: f64 = 1.0;

/// Fewer days say nothing of how they follow each other.
const TELLING: f64 = 3.0;

/// Days are taken to be alike by this much at most, as the correlation of neighbours.
const ALIKE: f64 = 0.95;

/// It is told again after so many days at the earliest, while it goes on.
const QUIET: u32 = 28;

/// The days of one signal.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Days {
    /// The mean of the day so far.
    mean: f64,
    /// That of the day before, of the days before, and the mean square of the steps.
    last: f32,
    base: f32,
    steps: f32,
    /// The mean square of the distances from the days before.
    spread: f32,
    /// See [`Wear::unseen`].
    unseen: f32,
    /// How many days in a row were far above, or below with a minus.
    run: i8,
}

/// A signal that has moved over weeks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worn {
    /// Which one.
    pub signal: usize,
    /// How far, in deviations of a random walk of its usual steps; negative when it fell.
    pub walks: f64,
}

/// What is remembered of the days of a device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wear {
    days: Box<[Days]>,
    /// Seconds and readings of the day so far, days, and days before it may be told again.
    seconds: f64,
    readings: u32,
    seen: u32,
    quiet: u32,
}

impl Wear {
    pub(crate) fn new(n_signals: usize) -> Self {
        let empty = Days {
            mean: 0.0,
            last: 0.0,
            base: 0.0,
            steps: 0.0,
            spread: 0.0,
            unseen: 0.0,
            run: 0,
        };
        Self {
            days: vec![empty; n_signals].into(),
            seconds: 0.0,
            readings: 0,
            seen: 0,
            quiet: 0,
        }
    }

    /// Takes a reading in; what was worn by the day that ends with it. `scale` is that of the readings of a signal.
    pub(crate) fn step(&mut self, moment: &Moment<'_>, scale: impl Fn(usize) -> f64) -> Option<Worn> {
        self.take(moment.values);
        self.seconds += moment.seconds;
        if self.seconds < DAY_SECONDS {
            return None;
        }
        (self.seconds, self.readings) = (0.0, 0);
        self.seen = self.seen.saturating_add(1);
        self.quiet = self.quiet.saturating_sub(1);
        let mut worn: Option<Worn> = None;
        for (signal, days) in self.days.iter_mut().enumerate() {
            let walks = days.close(self.seen, scale(signal));
            if days.run.abs() >= RUN && worn.is_none_or(|it| walks.abs() > it.walks.abs()) {
                worn = Some(Worn { signal, walks });
            }
        }
        let worn = worn.filter(|_| self.quiet == 0 && !moment.is_learning && self.seen > SPEAKS);
        if worn.is_some() {
            self.quiet = QUIET;
            self.days.iter_mut().for_each(Days::begin_again);
        }
        worn
    }

    /// By how much the variance of a signal may be larger than it was so far, since its days are alike and few of them are
    /// few samples: two weeks are four or five weathers. A new value of a normal variable of which `m` are known follows
    /// Student's distribution, `1 + 1/m` times as wide. Of `n` days whose neighbours correlate by `r`, which the ratio of
    /// the mean square step to the variance tells (von Neumann 1941), `m = n (1 - r) / (1 + r)` count (Bayley and Hammersley 1946). What days
    /// that have nothing to do with each other leave unseen is in the references.
    pub(crate) fn unseen(&self, signal: usize) -> f64 {
        f64::from(self.days[signal].unseen)
    }

    fn take(&mut self, values: &Values) {
        self.readings = self.readings.saturating_add(1);
        let is_first = self.seen == 0 && self.readings == 1;
        for (days, value) in self.days.iter_mut().zip(values.iter()) {
            let Some(value) = value else { continue };
            if is_first {
                (days.mean, days.last) = (value, value as f32);
            }
            days.mean += (value - days.mean) / f64::from(self.readings);
        }
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        to.double(self.seconds);
        [self.readings, self.seen, self.quiet]
            .iter()
            .for_each(|it| to.count(*it));
        for it in &self.days {
            to.double(it.mean);
            let numbers = [it.last, it.base, it.steps, it.spread];
            numbers.iter().for_each(|it| to.single(*it));
            to.byte(it.run.cast_unsigned());
        }
    }

    pub(crate) fn read(from: &mut Reader<'_>, n_signals: usize) -> Result<Self, StateError> {
        let mut it = Self::new(n_signals);
        it.seconds = from.double()?;
        (it.readings, it.seen, it.quiet) = (from.count()?, from.count()?, from.count()?);
        for days in &mut it.days {
            *days = Days {
                mean: from.double()?,
                last: from.single()?,
                base: from.single()?,
                steps: from.single()?,
                spread: from.single()?,
                unseen: 0.0,
                run: from.byte()?.cast_signed(),
            };
            days.unseen = days.unseen_after(it.seen) as f32;
        }
        Ok(it)
    }
}

impl Days {
    /// Ends the `nth` day: how far it lies from those before, in deviations of a random walk.
    fn close(&mut self, nth: u32, scale: f64) -> f64 {
        let (mean, base) = (self.mean, f64::from(self.base));
        if nth == 1 {
            (self.base, self.last) = (mean as f32, mean as f32);
            return 0.0;
        }
        let memory = f64::from(nth - 1).min(MEMORY);
        let usual = f64::from(self.steps);
        // A random walk lies about its own slow mean with half the memory times the variance of a step.
        let walks = (mean - base) / ((usual * memory / 2.0).sqrt() + 1e-12);
        let is_far = walks.abs() > WALKS && (mean - base).abs() > VISIBLE * scale;
        let side = if walks > 0.0 { 1 } else { -1 };
        self.run = match (is_far, self.run * side > 0) {
            (false, _) => 0,
            (true, true) => self.run.saturating_add(side),
            (true, false) => side,
        };
        let step = (mean - f64::from(self.last)).powi(2);
        let share = 1.0 / (memory + 1.0);
        if nth <= SPEAKS || walks.abs() < WALKS / 2.0 {
            let most = if nth <= SPEAKS {
                f64::INFINITY
            } else {
                STEP_CLIP * STEP_CLIP * usual
            };
            self.steps += ((step.min(most) - usual) / memory) as f32;
            let spread = f64::from(self.spread);
            self.spread = ((1.0 - share) * (spread + share * (mean - base).powi(2))) as f32;
        }
        self.base += ((mean - base) * share) as f32;
        self.last = mean as f32;
        self.unseen = self.unseen_after(nth) as f32;
        walks
    }

    fn unseen_after(&self, days: u32) -> f64 {
        let n = f64::from(days).min(MEMORY + 1.0);
        let (steps, spread) = (f64::from(self.steps), f64::from(self.spread));
        if n < TELLING || spread <= 0.0 {
            return 0.0;
        }
        let alike = (1.0 - steps / (2.0 * spread)).clamp(0.0, ALIKE);
        let count = (n * (1.0 - alike) / (1.0 + alike)).max(1.0);
        let wide = |count: f64| student(1.0 / count).powi(2) * (1.0 + 1.0 / count);
        spread * (wide(count) / wide(n) - 1.0)
    }

    /// What was told is what the next days are set against.
    fn begin_again(&mut self) {
        self.base = self.last;
        self.run = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What days of these means leave unseen, as a share of their variance.
    fn unseen(means: impl Iterator<Item = f64>) -> f64 {
        let mut days = Wear::new(1).days[0];
        for (nth, mean) in (1..).zip(means) {
            days.mean = mean;
            days.close(nth, 1.0);
        }
        f64::from(days.unseen) / f64::from(days.spread)
    }

    #[test]
    fn days_that_are_alike_leave_more_unseen_than_others() {
        let mixed = [
            3.0, -1.0, 2.0, -3.0, 1.0, 3.0, -2.0, 0.0, 2.0, -1.0, -3.0, 1.0, 0.0, -1.0,
        ];
        let slow = |days: u32| (0..days).map(|it| (f64::from(it) * 0.45).sin());
        assert!(unseen(mixed.into_iter()) < 0.01);
        let (two_weeks, ten) = (unseen(slow(14)), unseen(slow(70)));
        assert!(two_weeks > 0.5 && ten < 0.4 * two_weeks, "{two_weeks} {ten}");
    }
}
