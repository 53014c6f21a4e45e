//! The time in which a device was not heard, hour by hour.

/// A piece is no longer than so many units, in which no level moves far.
const LONGEST: f64 = 60.0;

const HOUR: f64 = 3_600.0;
const DAY: f64 = 24.0 * HOUR;

/// A silence, as far as it is too long to count as time that passed. Of several days the last is left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Silence {
    /// The second of the day at which it begins.
    begins: f64,
    seconds: f64,
    /// The seconds of a unit.
    unit: f64,
}

impl Silence {
    /// Of so many seconds that end at this second of the day.
    pub(crate) fn new(ends: f64, seconds: f64, unit: f64) -> Self {
        let seconds = seconds % DAY;
        Self {
            begins: (ends - seconds).rem_euclid(DAY),
            seconds,
            unit,
        }
    }

    /// Its pieces in the order of time: the hour of the day, and how many units of it.
    pub(crate) fn pieces(self) -> impl Iterator<Item = (u8, f64)> {
        let (mut at, mut left) = (self.begins, self.seconds);
        std::iter::from_fn(move || {
            if left <= 0.0 || self.unit <= 0.0 {
                return None;
            }
            let hour = (at / HOUR) as u8 % 24;
            let seconds = left.min(HOUR - at % HOUR).min(LONGEST * self.unit).max(1e-3);
            at = (at + seconds) % DAY;
            left -= seconds;
            Some((hour, seconds / self.unit))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ends: f64, seconds: f64, unit: f64, expected: &[(u8, f64)]) {
        let found: Vec<(u8, f64)> = Silence::new(ends, seconds, unit).pieces().collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_silence_falls_into_the_hours_it_lasted() {
        check(9.5 * HOUR, 0.0, 60.0, &[]);
        check(9.5 * HOUR, 2.0 * HOUR, 60.0, &[(7, 30.0), (8, 60.0), (9, 30.0)]);
        check(0.5 * HOUR, HOUR, 600.0, &[(23, 3.0), (0, 3.0)]);
        check(0.25 * HOUR, 900.0, 5.0, &[(0, 60.0), (0, 60.0), (0, 60.0)]);
        check(2.0 * HOUR, 3.0 * DAY + HOUR, 60.0, &[(1, 60.0)]);
    }
}
