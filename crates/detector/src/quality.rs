//! Whether what comes from a device can be believed: states of the device's data, not anomalies of a machine.

use domain::{Reading, Signal, Timestamp};

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
    /// No reading has come for so long that the device is taken to be silent.
    Silent,
}

impl Doubt {
    /// The stable name, `flat_lined`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FlatLined { .. } => "flat_lined",
            Self::Jumped { .. } => "jumped",
            Self::Impossible { .. } => "impossible",
            Self::ClockSuspect => "clock_suspect",
            Self::Silent => "silent",
        }
    }
}

/// A device is silent after so many of its usual intervals without a reading.
const SILENT_INTERVALS: f64 = 8.0;

/// How many readings make a usual interval known.
const KNOWN: u64 = 10;

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

/// Whether a device is silent at this time: no reading for many of its usual intervals, and for `grace` seconds at least.
#[must_use]
pub fn silence(state: &DeviceState, now: Timestamp, grace: f64) -> Option<Doubt> {
    let (last, interval) = (state.last()?, state.interval()?);
    let is_silent = state.readings() >= KNOWN && now.seconds_since(last) > grace.max(SILENT_INTERVALS * interval);
    is_silent.then_some(Doubt::Silent)
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
    fn a_device_is_silent_after_many_of_its_intervals() {
        let state = state(false);
        let at = |seconds: i64| silence(&state, Timestamp::from_secs(seconds), 60.0);
        assert_eq!((at(400), at(450), at(700)), (None, None, Some(Doubt::Silent)));
        assert_eq!(
            silence(
                &DeviceState::new(&Signals::default()),
                Timestamp::from_secs(1_000_000),
                60.0
            ),
            None
        );
    }
}
