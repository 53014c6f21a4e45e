//! What is remembered of a device: bounded, causal, and blind to doubles and to what comes late.

use domain::{Reading, Signals, Timestamp};

use super::spec::MAX_WINDOW;
use crate::familiar::Familiar;
use crate::heads::{Evidence, Heads, Learning, Pace, Reader, Writer};
use crate::tide::Tide;

/// After so many values the running mean and variance forget at this pace: a week of readings every ten seconds.
const MEMORY: u64 = 60_480;

/// From so many values on, outliers are winsorised before they are remembered.
const SETTLED: u64 = 30;

/// So many deviations from the mean a value is remembered at most.
const REACH: f64 = 4.0;

/// The version of [`DeviceState::to_bytes`].
const VERSION: u8 = 9;

/// Bytes that are no state, or one of other signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Not what [`DeviceState::to_bytes`] writes.
    #[error("the stored device state is damaged")]
    Damaged,
    /// Written by another version.
    #[error("the stored device state has version {0}, this program reads version {VERSION}")]
    Version(u8),
    /// Written for other signals.
    #[error("the stored device state belongs to other signals")]
    Signals,
}

/// The memory of one device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceState {
    last: Option<Timestamp>,
    readings: u64,
    signals: Box<[SignalHistory]>,
    pub(crate) heads: Heads,
    pub(crate) familiar: Familiar,
    pub(crate) tide: Tide,
    /// So many readings the device learns from before it is held to them.
    pub(crate) learning: u64,
    /// For how many seconds it has been odd of late.
    pub(crate) odd_for: f32,
    has_alerted: bool,
}

/// The learning of a device that no training has seen, in readings.
pub const LEARNING: u64 = 1_000;

/// The memory of one signal: the values of late and the running mean and variance (Welford's recurrence, with a weight
/// that stops falling at one in 60,480).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignalHistory {
    recent: [f32; MAX_WINDOW],
    next: usize,
    count: u64,
    mean: f64,
    variance: f64,
}

impl SignalHistory {
    const EMPTY: Self = Self {
        recent: [0.0; MAX_WINDOW],
        next: 0,
        count: 0,
        mean: 0.0,
        variance: 0.0,
    };

    /// How many values were seen.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The running mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The running variance, of the population.
    #[must_use]
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// The mean of `value` and the `window - 1` values before it, or of as many as there are.
    pub(super) fn moving_average(&self, value: f64, window: usize) -> f64 {
        let before = (window - 1).min(usize::try_from(self.count).unwrap_or(usize::MAX));
        let sum: f64 = (1..=before)
            .map(|back| f64::from(self.recent[(self.next + MAX_WINDOW - back) % MAX_WINDOW]))
            .sum();
        (sum + value) / (before + 1) as f64
    }

    fn push(&mut self, value: f64) {
        let value = self.winsorised(value);
        self.recent[self.next] = value as f32;
        self.next = (self.next + 1) % MAX_WINDOW;
        self.count += 1;
        let weight = 1.0 / self.count.min(MEMORY) as f64;
        let from_mean = value - self.mean;
        self.mean += weight * from_mean;
        self.variance += weight * (from_mean * (value - self.mean) - self.variance);
    }

    /// The value as it is remembered: brought to within [`REACH`] deviations of the mean once the history is long
    /// enough, so that one spike neither hides the next nor makes the readings after it look odd. A lasting change
    /// widens the deviation until the new level is taken in whole.
    fn winsorised(&self, value: f64) -> f64 {
        if self.count < SETTLED {
            return value;
        }
        let reach = REACH * self.variance.max(0.0).sqrt().max(1e-3 * self.mean.abs());
        value.clamp(self.mean - reach, self.mean + reach)
    }
}

impl DeviceState {
    /// A device that was never heard.
    #[must_use]
    pub fn new(signals: &Signals) -> Self {
        Self {
            last: None,
            readings: 0,
            signals: vec![SignalHistory::EMPTY; signals.len()].into(),
            heads: Heads::new(signals.len()),
            familiar: Familiar::EMPTY,
            tide: Tide::EMPTY,
            learning: LEARNING,
            odd_for: 0.0,
            has_alerted: false,
        }
    }

    /// The time of the last reading that was taken in.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// How many readings were taken in.
    #[must_use]
    pub fn readings(&self) -> u64 {
        self.readings
    }

    /// The device's usual interval between readings in seconds; none before the second reading.
    #[must_use]
    pub fn interval(&self) -> Option<f64> {
        Some(self.heads.interval()).filter(|it| *it > 0.0)
    }

    /// The newest value of one signal.
    #[must_use]
    pub fn newest(&self, at: usize) -> Option<f64> {
        self.heads.signal(at)?.newest()
    }

    /// Whether one more such value would be one too many in a row, as a sensor that works does not give it.
    #[must_use]
    pub fn is_stuck_at(&self, at: usize, value: f64) -> bool {
        self.heads.signal(at).is_some_and(|it| it.is_stuck_at(value))
    }

    /// How far the device has learned: so many of so many readings.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.readings.min(self.learning), self.learning)
    }

    /// The history of one signal.
    #[must_use]
    pub fn signal(&self, at: usize) -> Option<&SignalHistory> {
        self.signals.get(at)
    }

    /// Whether a reading of this time would be taken in: it lies after all that were.
    #[must_use]
    pub fn accepts(&self, at: Timestamp) -> bool {
        self.last.is_none_or(|last| at > last)
    }

    /// So many readings the device learns from before it is held to what it did in them.
    #[must_use]
    pub fn learning(&self) -> u64 {
        self.learning
    }

    /// Whether the newest reading began a new event.
    #[must_use]
    pub fn has_alerted(&self) -> bool {
        self.has_alerted
    }

    /// Sets how many readings the device learns from, as a training found it.
    pub fn learn_until(&mut self, readings: u64) {
        self.learning = readings;
    }

    /// Takes a reading in at the default pace, as before there is a model: it is learned from as a training would. A double
    /// or a late reading changes nothing; the answer says whether it was taken.
    pub fn push(&mut self, reading: &Reading) -> bool {
        if !self.accepts(reading.timestamp) {
            return false;
        }
        self.take(reading, &Pace::default(), Learning::On);
        true
    }

    /// Weighs a reading that lies after all others, and takes it in. While the device learns, all its readings have the
    /// same weight and none is held back.
    pub fn step(&mut self, reading: &Reading, pace: &Pace) -> Evidence {
        let learning = if self.readings < self.learning {
            Learning::On
        } else {
            Learning::Over(self.learning)
        };
        self.take(reading, pace, learning)
    }

    fn take(&mut self, reading: &Reading, pace: &Pace, learning: Learning) -> Evidence {
        let seconds = self
            .last
            .map(|it| reading.timestamp.seconds_since(it))
            .filter(|it| *it > 0.0);
        let evidence = self.heads.step(reading, seconds, pace, learning);
        self.has_alerted = evidence.is_alert;
        self.last = self.last.max(Some(reading.timestamp));
        self.readings += 1;
        for (history, value) in self.signals.iter_mut().zip(reading.values.iter()) {
            if let Some(value) = value {
                history.push(value);
            }
        }
        evidence
    }

    /// The state as versioned bytes for the warehouse, bound to the names of the signals.
    #[must_use]
    pub fn to_bytes(&self, signals: &Signals) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256 + self.signals.len() * 1_024);
        let mut to = Writer(&mut bytes);
        to.byte(VERSION);
        to.long(fingerprint(signals));
        to.long(self.last.map_or(i64::MIN, Timestamp::as_micros).cast_unsigned());
        to.long(self.readings);
        for history in &self.signals {
            to.long(history.count);
            to.double(history.mean);
            to.double(history.variance);
            let kept = history.count.min(MAX_WINDOW as u64) as usize;
            for back in (1..=kept).rev() {
                to.single(history.recent[(history.next + MAX_WINDOW - back) % MAX_WINDOW]);
            }
        }
        self.heads.write(&mut to);
        self.familiar.write(&mut to);
        self.tide.write(&mut to);
        to.long(self.learning);
        to.single(self.odd_for);
        to.byte(u8::from(self.has_alerted));
        bytes
    }

    /// Reads what [`DeviceState::to_bytes`] wrote for the same signals.
    ///
    /// # Errors
    /// When the bytes are damaged, of another version or of other signals.
    pub fn from_bytes(bytes: &[u8], signals: &Signals) -> Result<Self, StateError> {
        let mut from = Reader(bytes);
        let version = from.byte()?;
        if version != VERSION {
            return Err(StateError::Version(version));
        }
        if from.long()? != fingerprint(signals) {
            return Err(StateError::Signals);
        }
        let last = match from.long()?.cast_signed() {
            i64::MIN => None,
            micros => Some(Timestamp::from_micros(micros)),
        };
        let readings = from.long()?;
        let mut histories = vec![SignalHistory::EMPTY; signals.len()];
        for history in &mut histories {
            history.count = from.long()?;
            history.mean = from.double()?;
            history.variance = from.double()?;
            let kept = history.count.min(MAX_WINDOW as u64) as usize;
            for slot in &mut history.recent[..kept] {
                *slot = from.single()?;
            }
            history.next = kept % MAX_WINDOW;
        }
        let heads = Heads::read(&mut from, signals.len())?;
        let familiar = Familiar::read(&mut from)?;
        let tide = Tide::read(&mut from)?;
        let (learning, odd_for) = (from.long()?, from.single()?);
        let has_alerted = from.byte()? != 0;
        if from.0.is_empty() {
            Ok(Self {
                last,
                readings,
                signals: histories.into(),
                heads,
                familiar,
                tide,
                learning,
                odd_for,
                has_alerted,
            })
        } else {
            Err(StateError::Damaged)
        }
    }
}

/// FNV-1a over the names and units, in order.
fn fingerprint(signals: &Signals) -> u64 {
    let bytes = signals
        .iter()
        .flat_map(|it| it.name.bytes().chain([0]).chain(it.unit.bytes()).chain([1]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use domain::{DeviceId, Measurement, Signal, Values};
    use proptest::prelude::*;

    use super::*;

    fn reading(at: i64, temperature: Option<f64>, vibration: Option<f64>) -> Reading {
        let value = |it: Option<f64>| it.map(|it| Measurement::new(it, "x").unwrap());
        Reading {
            device_id: DeviceId::new("a").unwrap(),
            timestamp: Timestamp::from_secs(at),
            values: Values::new(vec![value(temperature), value(vibration)]),
            location: None,
            device_type: None,
            truth: None,
        }
    }

    #[test]
    fn mean_and_variance_are_those_of_the_values() {
        let mut state = DeviceState::new(&Signals::default());
        for (at, value) in [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter().enumerate() {
            state.push(&reading(at as i64, Some(value), None));
        }
        let history = state.signal(0).unwrap();
        assert_eq!((history.count(), history.mean()), (8, 5.0));
        assert!((history.variance() - 4.0).abs() < 1e-12);
        assert_eq!(state.signal(1).unwrap().count(), 0);
        assert_eq!(history.moving_average(3.0, 5), (5.0 + 5.0 + 7.0 + 9.0 + 3.0) / 5.0);
    }

    #[test]
    fn bytes_of_other_signals_or_versions_are_refused() {
        let signals = Signals::default();
        let bytes = DeviceState::new(&signals).to_bytes(&signals);
        let other = Signals::new(vec![Signal::new("pressure", "Pa")]).unwrap();
        assert_eq!(DeviceState::from_bytes(&bytes, &other), Err(StateError::Signals));
        let mut newer = bytes.clone();
        newer[0] = 10;
        assert_eq!(DeviceState::from_bytes(&newer, &signals), Err(StateError::Version(10)));
        assert_eq!(
            DeviceState::from_bytes(&bytes[..bytes.len() - 1], &signals),
            Err(StateError::Damaged)
        );
    }

    proptest! {
        #[test]
        fn doubles_and_late_readings_change_nothing(steps in proptest::collection::vec((0..200_i64, -50.0..50.0_f64), 1..200)) {
            let signals = Signals::default();
            let (mut with, mut without, mut newest) = (DeviceState::new(&signals), DeviceState::new(&signals), i64::MIN);
            for (at, value) in steps {
                let it = reading(at, Some(value), None);
                with.push(&it);
                if at > newest {
                    newest = at;
                    without.push(&it);
                }
            }
            prop_assert_eq!(with, without);
        }

        #[test]
        fn a_state_survives_its_bytes(values in proptest::collection::vec(-1e6..1e6_f64, 0..80)) {
            let signals = Signals::default();
            let mut state = DeviceState::new(&signals);
            for (at, value) in values.iter().enumerate() {
                state.push(&reading(at as i64, Some(*value), None));
            }
            let mut restored = DeviceState::from_bytes(&state.to_bytes(&signals), &signals).unwrap();
            for more in 0..40 {
                let it = reading(1_000 + more, Some(more as f64), Some(1.0));
                let averages = |state: &DeviceState| state.signal(0).unwrap().moving_average(0.5, MAX_WINDOW);
                prop_assert_eq!(averages(&state), averages(&restored));
                state.push(&it);
                restored.push(&it);
            }
            prop_assert_eq!(state.to_bytes(&signals), restored.to_bytes(&signals));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _outcome = DeviceState::from_bytes(&bytes, &Signals::default());
        }
    }
}
