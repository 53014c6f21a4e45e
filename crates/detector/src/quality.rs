//! Whether what comes from a device can be believed: states of the device's data, not anomalies of a machine.

use domain::{Location, Reading, Signal, Timestamp};

use crate::features::DeviceState;

/// What no sensor of a signal can measure, and how fast it can change.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Physical {
    /// The lowest value that is possible.
    pub least: Option<f64>,
    /// The highest value that is possible.
    pub most: Option<f64>,
    /// The largest change within a second that is possible.
    pub fastest: Option<f64>,
}

impl Physical {
    /// What the unit of a signal says: nothing is colder than absolute zero, no humidity or share exceeds a hundred per
    /// cent, no speed of vibration is negative.
    #[must_use]
    pub fn of(signal: &Signal) -> Self {
        let (least, most) = match signal.unit.as_str() {
            "Cel" => (Some(-273.15), None),
            "K" | "mm/s" | "m/s2" | "Hz" | "1/min" | "Pa" | "bar" | "W" | "A" | "V" => (Some(0.0), None),
            "%RH" | "%" => (Some(0.0), Some(100.0)),
            _ => (None, None),
        };
        Self {
            least,
            most,
            fastest: None,
        }
    }
}

/// What is wrong with what comes from a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// A signal repeats one value as a sensor that works does not.
    FlatLined {
        /// Which declared signal.
        signal: usize,
    },
    /// A signal changed faster than is possible.
    Jumped {
        /// Which declared signal.
        signal: usize,
    },
    /// A value lies outside what is possible.
    Impossible {
        /// Which declared signal.
        signal: usize,
    },
    /// The reading's time lies further ahead than is believable.
    ClockSuspect,
    /// Readings under one name come from two places.
    TwoPlaces,
    /// Two readings of one name and time have different values.
    TwoValues,
}

impl Doubt {
    /// The declared signal that it is about, where it is about one.
    #[must_use]
    pub fn signal(self) -> Option<usize> {
        match self {
            Self::FlatLined { signal } | Self::Jumped { signal } | Self::Impossible { signal } => Some(signal),
            Self::ClockSuspect | Self::TwoPlaces | Self::TwoValues => None,
        }
    }

    /// The stable name, `flat_lined`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FlatLined { .. } => "flat_lined",
            Self::Jumped { .. } => "jumped",
            Self::Impossible { .. } => "impossible",
            Self::ClockSuspect => "clock_suspect",
            Self::TwoPlaces => "two_places",
            Self::TwoValues => "two_values",
        }
    }
}

/// The doubts about a reading, before it is taken in. `horizon` is the latest time that is believable.
#[must_use]
pub fn doubts(state: Option<&DeviceState>, reading: &Reading, physical: &[Physical], horizon: Timestamp) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    if reading.timestamp > horizon {
        doubts.push(Doubt::ClockSuspect);
    }
    for (signal, value) in reading.values.iter().enumerate() {
        let Some(value) = value else { continue };
        let known = physical.get(signal).copied().unwrap_or_default();
        if known.least.is_some_and(|it| value < it) || known.most.is_some_and(|it| value > it) {
            doubts.push(Doubt::Impossible { signal });
        }
        let Some(state) = state else { continue };
        let seconds = state.last().map_or(0.0, |it| reading.timestamp.seconds_since(it));
        let before = state.newest(signal);
        if let (Some(fastest), Some(before)) = (known.fastest, before)
            && seconds > 0.0
            && (value - before).abs() > fastest * seconds
        {
            doubts.push(Doubt::Jumped { signal });
        }
        if state.is_stuck_at(signal, value) {
            doubts.push(Doubt::FlatLined { signal });
        }
    }
    doubts
}

/// A device that moves changes its place once; one that is back within so many seconds is two devices of one name, and
/// taken for that for as long. So is one that has had two values at one time.
const BACK_SECONDS: f64 = 3_600.0;

/// From where a device's readings come, as far as they tell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Places {
    /// The place of the last reading that named one.
    pub now: Option<Location>,
    /// The place before that, and when it was left.
    pub before: Option<(Location, Timestamp)>,
    /// When a place that had just been left was last named again.
    pub back: Option<Timestamp>,
    /// When there last were two readings of one time with different values.
    pub clash: Option<Timestamp>,
}

impl Places {
    /// Takes in the place that a reading names, and says whether readings of one name come from two places.
    pub fn hear(&mut self, location: Option<&Location>, at: Timestamp) -> impl Iterator<Item = Doubt> + use<> {
        let is_recent = |it: Timestamp| at.seconds_since(it) < BACK_SECONDS;
        if let Some(location) = location.filter(|it| self.now.as_ref() != Some(*it)) {
            let left = self.before.as_ref().filter(|it| it.0 == *location);
            if left.is_some_and(|it| is_recent(it.1)) {
                self.back = Some(at);
            }
            self.before = self.now.replace(location.clone()).map(|it| (it, at));
        }
        let back = self.back.filter(|it| is_recent(*it)).map(|_| Doubt::TwoPlaces);
        let clash = self.clash.filter(|it| is_recent(*it)).map(|_| Doubt::TwoValues);
        back.into_iter().chain(clash)
    }
}

#[cfg(test)]
mod tests {
    use domain::{DeviceId, Measurement, Signals, Values};

    use super::*;

    fn reading(at: i64, temperature: f64, vibration: f64) -> Reading {
        let value = |it| Some(Measurement::new(it, "x").unwrap());
        Reading {
            device_id: DeviceId::new("a").unwrap(),
            timestamp: Timestamp::from_secs(at),
            values: Values::new(vec![value(temperature), value(vibration)]),
            location: None,
            device_type: None,
            truth: None,
        }
    }

    fn state(stuck: bool) -> DeviceState {
        let mut state = DeviceState::new(&Signals::default());
        for at in 0..40 {
            let vibration = if stuck && at > 20 { 1.25 } else { 1.0 + 0.01 * at as f64 };
            state.push(&reading(at * 10, 20.0 + 0.1 * at as f64, vibration));
        }
        state
    }

    #[track_caller]
    fn check(state: &DeviceState, reading: &Reading, expected: &[Doubt]) {
        let mut physical: Vec<Physical> = Signals::default().iter().map(Physical::of).collect();
        physical[0].fastest = Some(2.0);
        let horizon = Timestamp::from_secs(10_000);
        assert_eq!(doubts(Some(state), reading, &physical, horizon), expected);
    }

    #[test]
    fn what_cannot_be_believed_is_told() {
        let sound = state(false);
        check(&sound, &reading(400, 24.0, 1.4), &[]);
        check(&sound, &reading(400, 24.0, -1.0), &[Doubt::Impossible { signal: 1 }]);
        check(&sound, &reading(400, 60.0, 1.4), &[Doubt::Jumped { signal: 0 }]);
        check(&sound, &reading(99_000, 24.0, 1.4), &[Doubt::ClockSuspect]);
        check(
            &state(true),
            &reading(400, 24.0, 1.25),
            &[Doubt::FlatLined { signal: 1 }],
        );
        check(&state(true), &reading(400, 24.0, 1.31), &[]);
    }

    #[test]
    fn a_device_that_moves_is_believed_and_one_in_two_places_is_not() {
        let place = |room: &str| Location {
            room: Some(room.to_owned()),
            ..Location::default()
        };
        let (a, b) = (place("a"), place("b"));
        let mut places = Places::default();
        let mut hear =
            |location: Option<&Location>, secs: i64| places.hear(location, Timestamp::from_secs(secs)).next();
        assert_eq!(
            (hear(Some(&a), 0), hear(None, 10), hear(Some(&a), 20)),
            (None, None, None)
        );
        assert_eq!(hear(Some(&b), 30), None, "it moved");
        assert_eq!(hear(Some(&a), 40), Some(Doubt::TwoPlaces));
        assert_eq!(hear(Some(&a), 50), Some(Doubt::TwoPlaces));
        assert_eq!(hear(Some(&a), 90_000), None, "it moved back the next day");
    }
}
