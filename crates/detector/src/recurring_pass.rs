//! What recurs in a training, by its rhythm: faults come at random, what belongs to a machine comes when it is due.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use domain::{DeviceId, Reading, Timestamp};

use crate::features::DeviceState;
use crate::heads::Evidence;
use crate::recurring::{Look, Recurring, Rhythm, longer_or_less};

/// Devices whose rhythm is looked for, those that come first.
const WATCHED: usize = 256;

/// Loud readings kept of all of them.
const KEPT: usize = 131_072;

/// Readings kept that people have said are usual, and of confirmed faults.
const TOLD: usize = 16_384;

/// A reading is loud where a bank of head A is so many times the upper end of its usual.
const LOUD: f64 = 2.0;

/// The share of readings below that end; how fast it is found, in logarithms, at first and at least.
const UPPER: f64 = 0.8;
const STEP: (f64, f64) = (0.5, 0.002);

/// Loud readings with more of the usual readings between them are two events.
const APART: f64 = 10.0;

/// Kinds of events that are told apart; what is like none of them is seldom.
const GROUPS: usize = 512;

/// A device keeps a rhythm that shows in so many events or more, this share of them as far apart as usual, give or take.
const LEAST_EVENTS: usize = 6;
const STEADY: f64 = 0.75;
const GIVE: f64 = 0.2;

const DAY: f64 = 86_400.0;

/// So many seconds earlier or later is the same time of the day, unless chance has more than this share of all events in it.
const SAME_TIME: f64 = 1_800.0;
const CHANCE: f64 = 0.3;

/// So many events over all devices are no accident: at random one in seven lies in that range.
const EVENTS: usize = 12;

/// A reading of a training: the evidence, and how the device looked.
#[derive(Debug)]
pub(crate) struct Moment {
    /// The place of the device.
    pub(crate) device: usize,
    pub(crate) at: Timestamp,
    /// The usual time between readings, in seconds.
    pub(crate) interval: f64,
    pub(crate) evidence: Evidence,
    pub(crate) look: Look,
    /// Whether its device's references were learned from it.
    pub(crate) is_referred: bool,
}

impl Moment {
    /// The reading that a state has just taken in.
    pub(crate) fn of(
        device: usize,
        reading: &Reading,
        state: &DeviceState,
        evidence: Evidence,
        n_signals: usize,
    ) -> Self {
        Self {
            device,
            at: reading.timestamp,
            interval: state.interval().unwrap_or(0.0),
            evidence,
            look: Look::of(state, n_signals),
            is_referred: false,
        }
    }
}

/// What is usual for a device that is watched.
#[derive(Debug)]
struct Watched {
    uppers: [f64; 3],
    seen: u32,
}

impl Watched {
    const NEW: Self = Self {
        uppers: [1.0; 3],
        seen: 0,
    };

    /// Whether a bank is loud; what is usual follows.
    fn is_loud(&mut self, banks: &[f64; 3]) -> bool {
        self.seen += 1;
        let step = (STEP.0 / f64::from(self.seen)).max(STEP.1);
        let mut is_loud = false;
        for (upper, bank) in self.uppers.iter_mut().zip(banks) {
            is_loud |= *bank > LOUD * *upper;
            let moved = if *bank > *upper { UPPER } else { UPPER - 1.0 };
            *upper *= (step * moved).exp();
        }
        is_loud
    }
}

/// Gathers what is loud in a training, and what people have said is usual.
#[derive(Debug)]
pub(crate) struct RecurringPass {
    /// How many devices are watched.
    most: usize,
    watched: HashMap<usize, Watched>,
    loud: Vec<Moment>,
    told: Vec<Moment>,
    faults: Vec<Moment>,
}

/// An odd reading, and for how many seconds its device has been odd by then.
type Odd<'a> = (&'a Moment, f32);

/// Odd readings in a row of one device, and each signal at its furthest.
#[derive(Debug)]
struct Event<'a> {
    readings: Vec<Odd<'a>>,
    furthest: Look,
}

impl Event<'_> {
    fn device(&self) -> usize {
        self.readings[0].0.device
    }
}

impl RecurringPass {
    pub(crate) fn new(rhythms_are_usual: bool) -> Self {
        Self {
            most: if rhythms_are_usual { WATCHED } else { 0 },
            watched: HashMap::new(),
            loud: Vec::new(),
            told: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Takes note of a reading of a device. Whether it is to be kept.
    pub(crate) fn hear(&mut self, device: usize, banks: &[f64; 3]) -> bool {
        let is_full = self.watched.len() >= self.most;
        if is_full && !self.watched.contains_key(&device) {
            return false;
        }
        let watched = self.watched.entry(device).or_insert(Watched::NEW);
        watched.is_loud(banks) && self.loud.len() < KEPT
    }

    pub(crate) fn keep(&mut self, loud: Moment) {
        self.loud.push(loud);
    }

    /// Keeps a reading of which people have said that it is usual.
    pub(crate) fn keep_told(&mut self, told: Moment) {
        if self.told.len() < TOLD {
            self.told.push(told);
        }
    }

    /// Keeps a reading of a confirmed fault.
    pub(crate) fn keep_fault(&mut self, fault: Moment) {
        if self.faults.len() < TOLD {
            self.faults.push(fault);
        }
    }

    /// The readings that references were learned from and that are of what recurs: their devices and banks.
    pub(crate) fn recurred<'a>(
        &'a self,
        recurring: &'a Recurring,
        devices: &'a [DeviceId],
    ) -> impl Iterator<Item = (&'a DeviceId, [f64; 3])> {
        let of = |it: &'a Moment| (&devices[it.device], it);
        let recurs = |it: &(&DeviceId, &Moment)| it.1.is_referred && recurring.is_of(it.0, &it.1.look);
        let banks = |it: (&'a DeviceId, &Moment)| (it.0, it.1.evidence.banks);
        self.loud.iter().map(of).filter(recurs).map(banks)
    }

    /// What recurs among the readings that are odd, and what was said to be usual of them.
    pub(crate) fn find(&self, devices: &[DeviceId], is_odd: impl Fn(usize, &Evidence) -> bool) -> Recurring {
        let is_odd = |it: &&Moment| is_odd(it.device, &it.evidence);
        let mut recurring = Recurring::default();
        for (it, odd_for) in by_device(self.told.iter().filter(is_odd)).into_values().flatten() {
            recurring.expect_told(&devices[it.device], &it.look.after(odd_for));
        }
        for it in self.faults.iter().filter(is_odd) {
            recurring.expect_fault(&devices[it.device], &it.look);
        }
        let odd = by_device(self.loud.iter().filter(is_odd));
        let events: Vec<Event<'_>> = odd.into_values().flat_map(events).collect();
        for group in groups(&events) {
            self.judge(&group, devices, &mut recurring);
        }
        recurring.rhythms.sort_by_key(|it| Reverse(it.events));
        recurring
    }

    /// Takes a group of events that look alike for usual: for the fleet where half of its devices keep a rhythm, else for those
    /// that do.
    fn judge(&self, group: &[&Event<'_>], devices: &[DeviceId], recurring: &mut Recurring) {
        let mut times: BTreeMap<usize, Vec<Timestamp>> = BTreeMap::new();
        for event in group {
            times.entry(event.device()).or_default().push(event.readings[0].0.at);
        }
        let steady: BTreeMap<usize, (f64, usize)> = times
            .iter()
            .filter_map(|(device, at)| Some((*device, (period(at)?, at.len()))))
            .collect();
        let is_of_all = 2 * steady.len() >= self.watched.len();
        let seen: usize = steady.values().map(|it| it.1).sum();
        let is_certain = |device: usize| match (is_of_all, steady.get(&device)) {
            (true, _) => seen >= EVENTS,
            (false, own) => own.is_some_and(|it| it.1 >= EVENTS),
        };
        for event in group.iter().filter(|it| is_certain(it.device())) {
            for (it, odd_for) in &event.readings {
                let look = it.look.after(*odd_for);
                if is_of_all {
                    recurring.expect(&look);
                } else {
                    recurring.expect_of(&devices[it.device], &look);
                }
            }
        }
        let mut periods: Vec<(f64, usize)> = steady.iter().filter(|it| is_certain(*it.0)).map(|it| *it.1).collect();
        periods.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((seconds, _)) = periods.get(periods.len() / 2) {
            recurring.rhythms.push(Rhythm {
                seconds: *seconds,
                devices: periods.len() as u64,
                events: periods.iter().map(|it| it.1 as u64).sum(),
            });
        }
    }
}

/// The odd readings of each device.
fn by_device<'a>(odd: impl Iterator<Item = &'a Moment>) -> BTreeMap<usize, Vec<Odd<'a>>> {
    let mut devices: BTreeMap<usize, Vec<Odd<'_>>> = BTreeMap::new();
    for it in odd {
        let before = devices.entry(it.device).or_default();
        let odd_for = before.last().map_or(0.0, |(last, odd_for)| {
            let others = (it.at.seconds_since(last.at) / it.interval.max(1e-3) - 0.5).clamp(0.0, 64.0) as u32;
            (0..others).fold(longer_or_less(*odd_for, true, it.interval), |odd_for, _| {
                longer_or_less(odd_for, false, it.interval)
            })
        });
        before.push((it, odd_for));
    }
    devices
}

/// The events of a device.
fn events(odd: Vec<Odd<'_>>) -> impl Iterator<Item = Event<'_>> {
    let mut runs: Vec<Vec<Odd<'_>>> = Vec::new();
    for it in odd {
        match runs.last_mut() {
            Some(run) if it.0.at.seconds_since(run[run.len() - 1].0.at) <= APART * it.0.interval => run.push(it),
            _ => runs.push(vec![it]),
        }
    }
    runs.into_iter().filter_map(|readings| {
        let furthest = Look::furthest(readings.iter().map(|it| &it.0.look))?;
        Some(Event { readings, furthest })
    })
}

/// Events that go as far as one another.
fn groups<'a, 'b>(events: &'b [Event<'a>]) -> Vec<Vec<&'b Event<'a>>> {
    let mut groups: Vec<Vec<&Event<'_>>> = Vec::new();
    for event in events {
        let like = groups
            .iter()
            .position(|it| it[0].furthest.is_as_far_as(&event.furthest));
        match like {
            Some(at) => groups[at].push(event),
            None if groups.len() < GROUPS => groups.push(vec![event]),
            None => {}
        }
    }
    groups
}

/// The time from one to the next, in seconds, where they keep a rhythm: that of the machine itself, or that of the day.
fn period(times: &[Timestamp]) -> Option<f64> {
    if times.len() < LEAST_EVENTS {
        return None;
    }
    let mut gaps: Vec<f64> = times.windows(2).map(|it| it[1].seconds_since(it[0])).collect();
    gaps.sort_unstable_by(f64::total_cmp);
    let usual = gaps[gaps.len() / 2];
    let steady = gaps.iter().filter(|it| (**it - usual).abs() <= GIVE * usual).count();
    if steady as f64 >= STEADY * gaps.len() as f64 {
        return Some(usual);
    }
    is_daily(times).then_some(DAY)
}

/// Whether what came came at the same time on the day before, so seldom that chance would not have it so.
fn is_daily(times: &[Timestamp]) -> bool {
    let (first, last) = (times[0], times[times.len() - 1]);
    let a_day = times.len() as f64 / (last.seconds_since(first) / DAY).max(1.0);
    if a_day * 2.0 * SAME_TIME / DAY > CHANCE {
        return false;
    }
    let is_again = |it: &&Timestamp| {
        let day_before = |other: &Timestamp| (it.seconds_since(*other) - DAY).abs() <= SAME_TIME;
        times.iter().any(day_before)
    };
    let later = times.partition_point(|it| it.seconds_since(first) <= DAY - SAME_TIME);
    let later = &times[later..];
    let again = later.iter().filter(is_again).count();
    later.len() >= LEAST_EVENTS && again as f64 >= STEADY * later.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: &[i64]) -> Option<f64> {
        period(
            &minutes
                .iter()
                .map(|it| Timestamp::from_secs(it * 60))
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn a_rhythm_may_miss_a_beat_and_chance_has_none() {
        assert_eq!(at(&[0, 59, 119, 180, 240, 302]), Some(3_600.0));
        assert_eq!(at(&[0, 60, 120, 180, 300, 360, 420]), Some(3_600.0));
        assert_eq!(at(&[0, 10, 130, 150, 300, 310, 500, 660]), None);
        assert_eq!(at(&[0, 60, 120, 180, 240]), None, "too few to tell");
    }

    #[test]
    fn what_comes_at_the_same_times_of_working_days_keeps_the_rhythm_of_the_day() {
        let shifts = |hours: &[i64]| {
            let days = [0, 1, 2, 3, 4, 7, 8, 9, 10, 11];
            let of = |day: &i64| {
                hours
                    .iter()
                    .map(|it| (day * 24 + it) * 60 + day % 3)
                    .collect::<Vec<_>>()
            };
            at(&days.iter().flat_map(of).collect::<Vec<_>>())
        };
        assert_eq!(shifts(&[7, 12, 17]), Some(86_400.0));
        assert_eq!(
            shifts(&[0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20]),
            None,
            "at any time of the day"
        );
    }
}
