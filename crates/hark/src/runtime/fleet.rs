//! The states of all devices, and what is watched of them: written by the consumer, read by `/detect`.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use detector::{DeviceState, StateError};
use domain::{DeviceId, Incident, Signals, Timestamp};
use sha2::{Digest, Sha256};

use super::watching::Watched;

/// Seconds.
const DAY: f64 = 86_400.0;

/// Enough that a reader seldom meets the writer.
const SHARDS: usize = 64;

/// The version of what [`Fleet::state_bytes`] writes.
const VERSION: u8 = 1;

/// Which state a device is in. Two that are alike mean the same state, in whatever process.
pub(crate) type StateVersion = [u8; 16];

/// One device as the consumer knows it.
#[derive(Debug, Clone)]
pub(crate) struct Tracked {
    /// What the model remembers of it.
    pub(crate) state: DeviceState,
    /// What is watched of it.
    pub(crate) watched: Watched,
    /// Which of all states this is.
    pub(crate) version: StateVersion,
}

/// Bytes that are no stored device.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RestoreError {
    /// Written by another version, or damaged.
    #[error("what was stored of the device cannot be read")]
    Damaged,
    /// The model's part is unfit.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The states of all devices.
pub(crate) struct Fleet {
    signals: Signals,
    hasher: RandomState,
    shards: [RwLock<HashMap<DeviceId, Tracked>>; SHARDS],
    changes: AtomicU64,
}

impl Fleet {
    /// No device yet.
    pub(crate) fn new(signals: Signals) -> Self {
        Self {
            signals,
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| RwLock::default()),
            changes: AtomicU64::new(0),
        }
    }

    /// The declared signals.
    pub(crate) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Takes up a device that was stored, unless as new a state of it is here. Says whether it was taken.
    ///
    /// # Errors
    /// When the bytes are no state of these signals.
    pub(crate) fn take_up(&self, device_id: DeviceId, bytes: &[u8]) -> Result<bool, RestoreError> {
        let (watched, state) = parts(bytes).ok_or(RestoreError::Damaged)?;
        let mut version = StateVersion::default();
        version.copy_from_slice(&Sha256::digest(bytes)[..size_of::<StateVersion>()]);
        let tracked = Tracked {
            state: DeviceState::from_bytes(state, &self.signals)?,
            watched: Watched::from_bytes(watched).ok_or(RestoreError::Damaged)?,
            version,
        };
        let mut shard = self.write(&device_id);
        let is_newer = shard
            .get(&device_id)
            .is_none_or(|here| here.state.last() < tracked.state.last());
        if is_newer {
            shard.insert(device_id, tracked);
        }
        Ok(is_newer)
    }

    /// Looks at the state of a device; `None` for one that was never heard.
    pub(crate) fn read<R>(&self, device_id: &DeviceId, look: impl FnOnce(Option<&DeviceState>) -> R) -> R {
        self.look(device_id, |tracked| look(tracked.map(|it| &it.state)))
    }

    /// Looks at all that is known of a device; `None` for one that was never heard.
    pub(crate) fn look<R>(&self, device_id: &DeviceId, look: impl FnOnce(Option<&Tracked>) -> R) -> R {
        let shard = self.shards[self.shard(device_id)]
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        look(shard.get(device_id))
    }

    /// Changes a device, which begins empty.
    pub(crate) fn update<R>(&self, device_id: &DeviceId, change: impl FnOnce(&mut Tracked) -> R) -> R {
        let version = self.fresh();
        let mut shard = self.write(device_id);
        if let Some(tracked) = shard.get_mut(device_id) {
            tracked.version = version;
            return change(tracked);
        }
        change(shard.entry(device_id.clone()).or_insert_with(|| Tracked {
            state: DeviceState::new(&self.signals),
            watched: Watched::default(),
            version,
        }))
    }

    /// A version that no state had before, here or elsewhere: the hasher is this process's own.
    fn fresh(&self) -> StateVersion {
        let nth = self.changes.fetch_add(1, Ordering::Relaxed);
        let mut version = StateVersion::default();
        let (process, count) = version.split_at_mut(8);
        process.copy_from_slice(&self.hasher.hash_one("this process").to_le_bytes());
        count.copy_from_slice(&nth.to_le_bytes());
        version
    }

    /// When each device was last heard, and for how many seconds it may be quiet, never less than the grace. While its
    /// rhythm is not known, it has as long as the device that has longest, but no longer than a day.
    pub(crate) fn patience(&self, grace: f64) -> Vec<(DeviceId, Timestamp, f64)> {
        let mut devices = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            devices.extend(shard.iter().filter_map(|(device_id, tracked)| {
                let watched = &tracked.watched;
                Some((device_id.clone(), watched.heard_at?, watched.rhythm.patience(grace)))
            }));
        }
        let longest = devices.iter().filter_map(|it| it.2).reduce(f64::max);
        let unknown = longest.map_or(DAY, |it| it.min(DAY)).max(grace);
        let known = devices.into_iter();
        known
            .map(|(id, heard_at, it)| (id, heard_at, it.unwrap_or(unknown)))
            .collect()
    }

    /// The devices with which something goes on though they have not been heard for so long that it is over.
    pub(crate) fn silent(&self, now: Timestamp, started_at: Timestamp, quiet_seconds: f64) -> HashSet<DeviceId> {
        let mut silent = HashSet::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            let over = shard
                .iter()
                .filter(|it| it.1.watched.is_over(now, started_at, quiet_seconds));
            silent.extend(over.map(|it| it.0.clone()));
        }
        silent
    }

    /// Ends what goes on with devices that have not been heard for so long that it is over: the device, when it was heard,
    /// and the incident.
    pub(crate) fn give_up(
        &self,
        now: Timestamp,
        started_at: Timestamp,
        quiet_seconds: f64,
    ) -> Vec<(DeviceId, Timestamp, Incident)> {
        let mut over = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            let quiet = shard
                .iter_mut()
                .filter(|it| it.1.watched.is_over(now, started_at, quiet_seconds));
            over.extend(quiet.filter_map(|(device_id, tracked)| {
                let heard_at = tracked.watched.heard_at.unwrap_or(now);
                let incident = tracked.watched.give_up(device_id, &self.signals)?;
                Some((device_id.clone(), heard_at, incident))
            }));
        }
        over
    }

    /// A device as bytes to store: a version, the length of what is watched, that, and the model's state.
    pub(crate) fn state_bytes(&self, device_id: &DeviceId) -> Vec<u8> {
        self.look(device_id, |tracked| {
            let Some(Tracked { state, watched, .. }) = tracked else {
                return Vec::new();
            };
            let (watched, state) = (watched.to_bytes(), state.to_bytes(&self.signals));
            let length = u32::try_from(watched.len()).expect("what is watched of a device is a few names and numbers");
            let mut bytes = Vec::with_capacity(5 + watched.len() + state.len());
            bytes.push(VERSION);
            bytes.extend(length.to_le_bytes());
            bytes.extend(watched);
            bytes.extend(state);
            bytes
        })
    }

    fn shard(&self, device_id: &DeviceId) -> usize {
        (self.hasher.hash_one(device_id) % SHARDS as u64) as usize
    }

    fn write(&self, device_id: &DeviceId) -> std::sync::RwLockWriteGuard<'_, HashMap<DeviceId, Tracked>> {
        self.shards[self.shard(device_id)]
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is watched, and the model's state.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (version, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    (*version == VERSION && length <= rest.len()).then(|| rest.split_at(length))
}
