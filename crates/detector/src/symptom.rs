//! What is odd about one signal at one reading: what an incident is told by.

use domain::{Direction, Timestamp};

use crate::reason::Course;

/// So many signals of a reading are remembered, the heaviest.
pub const MAX_SYMPTOMS: usize = 3;

/// What is odd about one signal of a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Symptom {
    /// Which declared signal.
    pub signal: usize,
    /// Its share in the reading's score; the shares of all signals sum to 1.
    pub share: f64,
    /// What is odd.
    pub course: Course,
    /// How many scales the value lies above what is expected; negative below.
    pub deviation: f64,
    /// How rough it is, in deviations from its usual roughness; negative when smoother.
    pub roughness: f64,
    /// The value of late, smoothed and without the course of the day.
    pub smooth: f64,
    /// What that was over a long time.
    pub usual: f64,
    /// For how many seconds it has been to this side, smoothed.
    pub lasting: f64,
}

impl Symptom {
    /// The side that the signal is on.
    #[must_use]
    pub fn direction(&self) -> Direction {
        match self.course {
            Course::Restless | Course::Still | Course::Stuck => Direction::Within,
            Course::Falling => Direction::Below,
            Course::Rising => Direction::Above,
            Course::Value | Course::Together | Course::Limit | Course::Worn if self.deviation < 0.0 => Direction::Below,
            Course::Value | Course::Together | Course::Limit | Course::Worn => Direction::Above,
        }
    }
}

/// What the incident machine looks at in a reading and its verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sign {
    /// When.
    pub at: Timestamp,
    /// The verdict's score; below 0 is anomalous.
    pub score: f64,
    /// Whether the verdict is anomalous.
    pub is_anomaly: bool,
    /// Whether it is also anomalous for this device of late, so that it counts towards most of the last readings.
    pub counts: bool,
    /// Whether this reading alone is enough to tell a person, by the budget or by a limit.
    pub tells: bool,
    /// The device's usual interval in seconds.
    pub interval: f64,
    /// The heaviest signals, by their shares; none when the reading is normal.
    pub symptoms: [Option<Symptom>; MAX_SYMPTOMS],
}

impl Sign {
    /// Of a reading that nothing is odd about, as far as can be told without a model.
    #[must_use]
    pub fn calm(at: Timestamp) -> Self {
        Self {
            at,
            score: 0.0,
            is_anomaly: false,
            counts: false,
            tells: false,
            interval: 0.0,
            symptoms: [None; MAX_SYMPTOMS],
        }
    }
}
