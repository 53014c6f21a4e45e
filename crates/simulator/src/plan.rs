//! Which fault a device has when.
//!
//! Time is cut into slots of half a day, at another place for each device. A slot holds one fault or none, and a
//! fault ends in the slot in which it began. So the plan of any instant is known without the plan of any other.

use domain::{TimeRange, Timestamp};
use rand::RngExt;

use crate::chance::{Key, Purpose};
use crate::fault::{Fault, FaultKind};
use crate::params::CheckedParams;

const MINUTE: i64 = 60_000_000;
const SLOT_MINUTES: i64 = 12 * 60;
const SLOT: i64 = SLOT_MINUTES * MINUTE;
/// The slots of a week, and so the most faults that one can hold.
pub(crate) const SLOTS_PER_WEEK: f64 = 14.0;

/// The faults of one device.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    key: Key,
    /// The chance that a slot holds a fault.
    rate: f64,
    /// Where slot 0 begins.
    offset: i64,
    /// In order of time.
    planted: Vec<Fault>,
    /// The slot asked for last, and its fault.
    known: Option<(i64, Option<Fault>)>,
}

impl Plan {
    pub(crate) fn new(params: &CheckedParams, key: Key, device: u32) -> Self {
        let mut planted: Vec<Fault> = params
            .planted
            .iter()
            .filter(|it| it.device == device)
            .map(|it| {
                let mut chance = key.generator(Purpose::Planted, it.onset.as_micros());
                Fault::draw(it.kind, it.onset, it.onset.after(it.duration), &mut chance)
            })
            .collect();
        planted.sort_by_key(|it| it.onset);
        Self {
            key,
            rate: params.faults_per_device_week / SLOTS_PER_WEEK,
            offset: (key.number(Purpose::Planted, i64::MIN) % SLOT.cast_unsigned()).cast_signed(),
            planted,
            known: None,
        }
    }

    /// The fault in force at this instant. Quick when asked in order of time.
    pub(crate) fn at(&mut self, at: Timestamp) -> Option<Fault> {
        if let Some(fault) = self.planted.iter().find(|it| it.holds_at(at)) {
            return Some(*fault);
        }
        let slot = self.slot(at);
        let fault = match self.known {
            Some((known, fault)) if known == slot => fault,
            _ => {
                let fault = self.fault_of(slot);
                self.known = Some((slot, fault));
                fault
            }
        };
        fault.filter(|it| it.holds_at(at))
    }

    /// Every fault that is in force at some instant of the range.
    pub(crate) fn within(&self, range: TimeRange) -> Vec<Fault> {
        let mut faults = self.planted.clone();
        if self.rate > 0.0 {
            faults.extend((self.slot(range.start)..=self.slot(range.end)).filter_map(|slot| self.fault_of(slot)));
        }
        faults.retain(|it| it.overlaps(range.start, range.end));
        faults.sort_by_key(|it| it.onset);
        faults
    }

    fn slot(&self, at: Timestamp) -> i64 {
        (at.as_micros() - self.offset).div_euclid(SLOT)
    }

    /// The fault that chance puts into a slot, unless a planted one is in its way.
    fn fault_of(&self, slot: i64) -> Option<Fault> {
        let mut chance = self.key.generator(Purpose::Fault, slot);
        if chance.random::<f64>() >= self.rate {
            return None;
        }
        let kind = FaultKind::ALL[chance.random_range(0..FaultKind::ALL.len())];
        let minutes = chance.random_range(kind.minutes());
        let wait = chance.random_range(0..SLOT_MINUTES - minutes);
        let onset = Timestamp::from_micros(slot * SLOT + self.offset + wait * MINUTE);
        let end = onset.plus_micros(minutes * MINUTE);
        let free = !self.planted.iter().any(|it| it.overlaps(onset, end));
        free.then(|| Fault::draw(kind, onset, end, &mut chance))
    }
}
