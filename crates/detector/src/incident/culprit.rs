//! One signal's part in an incident, gathered reading by reading, and the kind of event that it makes.

use domain::{Direction, IncidentKind};

use crate::reason::Course;
use crate::symptom::Symptom;

/// A fault holds a signal to one side when the mean deviation is this share of the mean of its size.
const ONE_SIDED: f64 = 0.6;

/// An event that lasts has this share of its readings anomalous; single odd readings have fewer.
const DENSE: f64 = 0.4;

/// Up to so many anomalous readings are a spike or a drop.
const SINGLE: u32 = 3;

/// What goes on changing was on average at most this share of the way from where it was found to where it got.
const GRADUAL: f64 = 0.72;

/// A deviation that grew by less than this since it was found was there at once.
const GREW: f64 = 1.25;

/// What goes on changing lies on average so many times as far out as in its first so many readings; a smoothed value alone would
/// also rise after a step.
const EARLY: u32 = 2;
const EARLY_CLIP: f64 = 100.0;
const LATER: f64 = 1.15;

/// A signal that was to one side for so many intervals before it was told came there slowly.
const SLOW: f64 = 45.0;

/// On average this rough, in its usual roughness, the signal moves more than it did.
const ROUGH: f64 = 2.5;

/// So many scales are far out.
const FAR: f64 = 4.0;

/// So much of the weight makes a signal stuck.
const STUCK: f64 = 0.3;

/// What an incident remembers of one signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Culprit {
    pub(super) signal: u8,
    pub(super) count: u32,
    /// The sum of its shares, also by side (above less below) and by course.
    pub(super) weight: f64,
    pub(super) aside: f64,
    pub(super) courses: [f64; Course::ALL.len()],
    /// The sums of its deviations, of their sizes, and of its roughness.
    pub(super) deviations: f64,
    pub(super) sizes: f64,
    pub(super) roughness: f64,
    /// What it was before, how far from that it was first, farthest and on average.
    pub(super) usual: f64,
    pub(super) first: f64,
    pub(super) farthest: f64,
    pub(super) total: f64,
    /// The sum of the sizes of its first [`EARLY`] deviations.
    pub(super) early: f64,
    /// The sum of the sizes of all.
    pub(super) lengths: f64,
    /// For how many seconds it had been to one side when it was first odd.
    pub(super) lasting: f64,
}

/// Deviations count as at most so many scales in telling sides apart.
const CLIP: f64 = 10.0;

impl Culprit {
    pub(super) fn new(symptom: &Symptom) -> Self {
        let first = symptom.smooth - symptom.usual;
        let it = Self {
            signal: symptom.signal.min(usize::from(u8::MAX)) as u8,
            count: 0,
            weight: 0.0,
            aside: 0.0,
            courses: [0.0; Course::ALL.len()],
            deviations: 0.0,
            sizes: 0.0,
            roughness: 0.0,
            usual: symptom.usual,
            first,
            farthest: first,
            total: 0.0,
            early: 0.0,
            lengths: 0.0,
            lasting: symptom.lasting,
        };
        it.with(symptom)
    }

    pub(super) fn with(mut self, symptom: &Symptom) -> Self {
        let deviation = symptom.deviation.clamp(-CLIP, CLIP);
        let away = symptom.smooth - self.usual;
        self.count = self.count.saturating_add(1);
        if self.count <= EARLY {
            self.early += symptom.deviation.abs().min(EARLY_CLIP);
        }
        self.lengths += symptom.deviation.abs().min(EARLY_CLIP);
        self.weight += symptom.share;
        self.aside += symptom.share.copysign(deviation);
        let course = Course::ALL.iter().position(|it| *it == symptom.course).unwrap_or(0);
        self.courses[course] += symptom.share;
        self.deviations += deviation;
        self.sizes += deviation.abs();
        self.roughness += symptom.roughness;
        self.total += away;
        if away.abs() > self.farthest.abs() {
            self.farthest = away;
        }
        self
    }

    pub(super) fn direction(&self) -> Direction {
        if self.sizes > 0.0 && self.deviations.abs() < ONE_SIDED * self.sizes {
            Direction::Within
        } else if self.aside < 0.0 {
            Direction::Below
        } else {
            Direction::Above
        }
    }

    /// Whether it was far out on average.
    pub(super) fn is_far(&self) -> bool {
        self.sizes >= FAR * f64::from(self.count)
    }

    fn course(&self, course: Course) -> f64 {
        let at = Course::ALL.iter().position(|it| *it == course).unwrap_or(0);
        self.courses[at] / self.weight.max(1e-12)
    }

    /// The kind of event, of which `density` of the readings since its beginning were anomalous.
    pub(super) fn kind(&self, density: f64, interval: f64) -> IncidentKind {
        if self.course(Course::Limit) > 0.5 {
            return IncidentKind::Limit;
        }
        // Wear that has grown until its readings are odd by themselves is still wear.
        if self.course(Course::Worn) > 0.0 {
            return IncidentKind::Drift;
        }
        if self.course(Course::Stuck) >= STUCK {
            return IncidentKind::Stuck;
        }
        let is_up = self.aside >= 0.0;
        let is_one_sided = self.deviations.abs() >= ONE_SIDED * self.sizes;
        let is_scattered = density < DENSE && self.course(Course::Value) > 0.5;
        if self.count <= SINGLE || is_scattered && is_one_sided {
            return if is_up { IncidentKind::Spike } else { IncidentKind::Drop };
        }
        if self.course(Course::Still) > 0.5 {
            return IncidentKind::Stuck;
        }
        if !is_one_sided {
            return IncidentKind::Variance;
        }
        if !self.is_gradual(interval) {
            return IncidentKind::LevelShift;
        }
        let rough = self.roughness / f64::from(self.count.max(1));
        if is_up && rough > ROUGH {
            IncidentKind::Growth
        } else {
            IncidentKind::Drift
        }
    }

    /// Whether it came and went on slowly, rather than at once.
    fn is_gradual(&self, interval: f64) -> bool {
        let side = self.farthest.signum();
        let (first, farthest) = ((self.first * side).max(0.0), self.farthest.abs());
        let mean = self.total * side / f64::from(self.count.max(1));
        let grew = farthest > GREW * first;
        let slow = self.lasting.abs() > SLOW * interval;
        let count = f64::from(self.count.max(1));
        let goes_on = self.lengths / count > LATER * self.early / count.min(f64::from(EARLY));
        if grew {
            goes_on && (mean - first) / (farthest - first).max(1e-12) < GRADUAL
        } else {
            slow
        }
    }
}
