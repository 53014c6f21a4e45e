//! All devices together, their readings in order of time.

use std::iter::FusedIterator;

use domain::{Measurement, Reading, TimeRange, Timestamp, Truth, Values};
use rand::{Rng, RngExt};

use crate::anomaly::AnomalyKind;
use crate::device::{self, Device, Sample, VIBRATION_NOISE};
use crate::fault::{Effect, Fault, FaultKind, PlannedFault, TEMPERATURE, VIBRATION};
use crate::params::CheckedParams;
use crate::plan::Plan;

/// How many standard deviations of the device's noise a fault must move its signal to be called an anomaly.
const STANDS_OUT: f64 = 2.0;

/// The readings of a fleet in order of time; at one instant, in an order that never changes.
///
/// The values stand in the order of [`domain::Signals::default`]: temperature, vibration.
#[derive(Debug, Clone)]
pub struct Fleet {
    params: CheckedParams,
    from: Timestamp,
    end: Timestamp,
    /// In the order of their places in the interval.
    units: Vec<Unit>,
    /// The tick that is being told. Every device has one place in it, and no two ticks overlap.
    tick: i64,
    /// When each device sends in this tick, in order.
    round: Vec<(Timestamp, u32)>,
    next: usize,
}

#[derive(Debug, Clone)]
struct Unit {
    device: Device,
    plan: Plan,
    anomaly_rate: f64,
}

impl Fleet {
    /// The fleet from its start on.
    #[must_use]
    pub fn new(params: CheckedParams) -> Self {
        let start = params.start;
        Self::starting_at(params, start)
    }

    /// The fleet from a later instant on: exactly those readings of [`Self::new`] that are not earlier.
    ///
    /// To go on after the last reading that was kept, start at its timestamp. Readings of that very instant then come
    /// again, which changes nothing since the first one stored wins.
    #[must_use]
    pub fn starting_at(params: CheckedParams, at: Timestamp) -> Self {
        let interval = i64::try_from(params.interval.as_micros()).expect("an interval is at most a day");
        // Made in the order in which they send, so that a large fleet is read as it lies in memory.
        let mut numbers: Vec<u32> = (1..=params.devices).collect();
        numbers.sort_by(|one, other| device::place(*one).total_cmp(&device::place(*other)));
        let units: Vec<Unit> = numbers
            .into_iter()
            .map(|number| {
                let device = Device::new(params.seed, number, interval);
                Unit {
                    plan: Plan::new(&params, device.key, number),
                    device,
                    anomaly_rate: params.anomaly_rate,
                }
            })
            .collect();
        let from = at.max(params.start);
        let mut fleet = Self {
            from,
            end: params.end.unwrap_or(Timestamp::MAX),
            params,
            units,
            tick: from.as_micros().div_euclid(interval),
            round: Vec::new(),
            next: 0,
        };
        fleet.gather();
        fleet
    }

    /// Every lasting fault that is in force at some instant of the range, by onset. The range is cut to the fleet's
    /// own start and end; the work grows with its length, so a fleet without end needs a range with one.
    #[must_use]
    pub fn faults(&self, range: TimeRange) -> Vec<PlannedFault> {
        let range = TimeRange {
            start: range.start.max(self.params.start),
            end: range.end.min(self.end),
        };
        if range.start >= range.end {
            return Vec::new();
        }
        let of_unit = |unit: &Unit| {
            let device_id = unit.device.id.clone();
            unit.plan.within(range).into_iter().map(move |it| PlannedFault {
                device_id: device_id.clone(),
                kind: it.kind,
                signal: it.signal,
                onset: it.onset,
                end: it.end,
            })
        };
        let mut faults: Vec<PlannedFault> = self.units.iter().flat_map(of_unit).collect();
        faults.sort_by(|one, other| (one.onset, &one.device_id).cmp(&(other.onset, &other.device_id)));
        faults
    }

    /// Lines up the devices for the present tick.
    fn gather(&mut self) {
        if self.round.is_empty() {
            self.round
                .extend((0..self.params.devices).map(|unit| (Timestamp::MIN, unit)));
        }
        for (time, unit) in &mut self.round {
            *time = self.units[*unit as usize].device.time(self.tick);
        }
        // Nearly in order from the tick before, which a merging sort makes use of.
        self.round.sort();
        self.next = 0;
    }
}

impl Iterator for Fleet {
    type Item = Reading;

    fn next(&mut self) -> Option<Reading> {
        loop {
            if self.next == self.round.len() {
                self.tick += 1;
                self.gather();
            }
            let (time, unit) = self.round[self.next];
            if time >= self.end {
                return None;
            }
            self.next += 1;
            if time < self.from {
                continue;
            }
            if let Some(reading) = self.units[unit as usize].read(self.tick, time) {
                return Some(reading);
            }
        }
    }
}

impl FusedIterator for Fleet {}

impl Unit {
    /// What the device sends in this tick, if it sends.
    fn read(&mut self, tick: i64, at: Timestamp) -> Option<Reading> {
        let mut chance = self.device.chance(tick);
        let (sample, kind) = match self.plan.at(at) {
            Some(fault) if fault.kind == FaultKind::Silence => return None,
            Some(fault) => self.ailing(&fault, tick, at, &mut chance),
            None => self.well(at, &mut chance),
        };
        let truth = Truth {
            is_anomaly: kind.is_some(),
            anomaly_type: kind.map(str::to_owned),
        };
        Some(Reading {
            device_id: self.device.id.clone(),
            timestamp: at,
            values: values(sample),
            location: Some(self.device.location.clone()),
            device_type: Some(self.device.device_type.clone()),
            truth: Some(truth),
        })
    }

    fn well(&self, at: Timestamp, chance: &mut impl Rng) -> (Sample, Option<&'static str>) {
        let sample = self.device.measure(at, 0.0, 1.0, chance);
        if chance.random::<f64>() >= self.anomaly_rate {
            return (sample, None);
        }
        let kind = AnomalyKind::draw(chance);
        (kind.apply(sample, chance), Some(kind.as_str()))
    }

    fn ailing(&self, fault: &Fault, tick: i64, at: Timestamp, chance: &mut impl Rng) -> (Sample, Option<&'static str>) {
        let effect = fault.effect(at);
        let mut sample = self.device.measure(at, effect.heat, effect.shake, chance);
        sample.temperature += effect.bias;
        let mut shows = self.stands_out(effect);
        if fault.kind == FaultKind::StuckSensor {
            let first = self.device.first_tick_from(fault.onset);
            let frozen = self.at_onset(first);
            match fault.signal {
                Some(VIBRATION) => sample.vibration = frozen.vibration,
                _ => sample.temperature = frozen.temperature,
            }
            // The first value is a true one; what is wrong is that it comes again.
            shows = tick > first;
        }
        (sample, shows.then_some(fault.kind.as_str()))
    }

    fn at_onset(&self, tick: i64) -> Sample {
        let mut chance = self.device.chance(tick);
        self.device.measure(self.device.time(tick), 0.0, 1.0, &mut chance)
    }

    fn stands_out(&self, effect: Effect) -> bool {
        (effect.heat + effect.bias).abs() > STANDS_OUT * self.device.temperature_noise
            || (effect.shake - 1.0).abs() > STANDS_OUT * VIBRATION_NOISE
    }
}

/// Both values as a device sends them: three decimals, vibration never below nothing.
fn values(sample: Sample) -> Values {
    let sent = |value: f64, signal: &str| {
        let value = (value * 1_000.0).round() / 1_000.0;
        Measurement::new(value, signal).expect("all that is added and multiplied is small")
    };
    Values::new(vec![
        Some(sent(sample.temperature, TEMPERATURE)),
        Some(sent(sample.vibration.max(0.0), VIBRATION)),
    ])
}
