//! What devices are like by their type, and at each site: a device without history is held against those of its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use domain::Reading;
use serde::{Deserialize, Serialize};

use crate::features::Baseline;

/// Types that are told apart; a device of one beyond is held against the fleet.
const MAX_TYPES: usize = 256;

/// Sites that are told apart, over all types; a device at one beyond is held against its type.
const MAX_SITES: usize = 1_024;

/// So many devices of a type make a group at their site: one or two are no measure for a third.
const LEAST_DEVICES: u64 = 3;

/// A place per signal; none for one without values.
pub(crate) type BySignal = Vec<Option<Baseline>>;

/// What each signal is like over the devices of one type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TypePeers {
    /// Wherever they stand.
    everywhere: BySignal,
    /// Over those in one building, by its name.
    sites: BTreeMap<String, BySignal>,
}

/// The groups of devices that a training has found, by the name of their type; in order, so that a model has the same
/// bytes each time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Peers(BTreeMap<String, TypePeers>);

impl Peers {
    /// What the nearest peers of the reading's device are like: those of its type in its building, or else those of its
    /// type anywhere. `None` for a type that the training did not see.
    #[must_use]
    pub fn of(&self, reading: &Reading) -> Option<&[Option<Baseline>]> {
        let peers = self.0.get(reading.device_type.as_deref()?)?;
        let near = building(reading).and_then(|it| peers.sites.get(it));
        Some(near.unwrap_or(&peers.everywhere))
    }

    /// The same with each list of signals put in another order or length.
    pub(crate) fn map(&self, moved: impl Fn(&BySignal) -> BySignal) -> Self {
        let of_type = |it: &TypePeers| TypePeers {
            everywhere: moved(&it.everywhere),
            sites: it.sites.iter().map(|(name, it)| (name.clone(), moved(it))).collect(),
        };
        Self(self.0.iter().map(|(name, it)| (name.clone(), of_type(it))).collect())
    }

    /// Whether every group has a place for each of so many signals.
    pub(crate) fn have(&self, n_signals: usize) -> bool {
        let fits = |it: &BySignal| it.len() == n_signals;
        self.0
            .values()
            .all(|it| fits(&it.everywhere) && it.sites.values().all(fits))
    }
}

fn building(reading: &Reading) -> Option<&str> {
    reading.location.as_ref()?.building.as_deref()
}

/// Count, mean and squared deviations of each signal (Welford 1962).
#[derive(Debug, Clone)]
pub(crate) struct Sums(Vec<(u64, f64, f64)>);

impl Sums {
    pub(crate) fn new(n_signals: usize) -> Self {
        Self(vec![(0, 0.0, 0.0); n_signals])
    }

    pub(crate) fn add(&mut self, reading: &Reading) {
        for ((count, mean, squares), value) in self.0.iter_mut().zip(reading.values.iter()) {
            let Some(value) = value else { continue };
            *count += 1;
            let from_mean = value - *mean;
            *mean += from_mean / *count as f64;
            *squares += from_mean * (value - *mean);
        }
    }

    pub(crate) fn baselines(self) -> BySignal {
        let baseline = |(count, mean, squares): (u64, f64, f64)| {
            (count > 0).then(|| Baseline {
                mean,
                variance: squares / count as f64,
            })
        };
        self.0.into_iter().map(baseline).collect()
    }
}

/// Learns what the groups are like, reading by reading.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeersPass {
    types: HashMap<Arc<str>, TypeSums>,
    n_sites: usize,
}

#[derive(Debug, Clone)]
struct TypeSums {
    everywhere: Sums,
    /// With the number of devices that were first heard there.
    sites: HashMap<String, (Sums, u64)>,
}

impl PeersPass {
    /// Takes a reading; `is_first` for the first of its device.
    pub(crate) fn push(&mut self, reading: &Reading, is_first: bool) {
        let Some(device_type) = &reading.device_type else {
            return;
        };
        let n_signals = reading.values.len();
        if !self.types.contains_key(device_type) {
            if self.types.len() >= MAX_TYPES {
                return;
            }
            let empty = TypeSums {
                everywhere: Sums::new(n_signals),
                sites: HashMap::new(),
            };
            self.types.insert(device_type.clone(), empty);
        }
        let Some(peers) = self.types.get_mut(device_type) else {
            return;
        };
        peers.everywhere.add(reading);
        let Some(site) = building(reading) else { return };
        if !peers.sites.contains_key(site) {
            if self.n_sites >= MAX_SITES {
                return;
            }
            self.n_sites += 1;
            peers.sites.insert(site.to_owned(), (Sums::new(n_signals), 0));
        }
        if let Some((sums, devices)) = peers.sites.get_mut(site) {
            sums.add(reading);
            *devices += u64::from(is_first);
        }
    }

    pub(crate) fn finish(self) -> Peers {
        let of_type = |it: TypeSums| TypePeers {
            everywhere: it.everywhere.baselines(),
            sites: it
                .sites
                .into_iter()
                .filter(|(_, (_, devices))| *devices >= LEAST_DEVICES)
                .map(|(name, (sums, _))| (name, sums.baselines()))
                .collect(),
        };
        let types = self.types.into_iter();
        Peers(types.map(|(name, it)| (name.to_string(), of_type(it))).collect())
    }
}
