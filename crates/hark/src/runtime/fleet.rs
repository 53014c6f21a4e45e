//! The states of all devices: written by the consumer, read by `/detect`.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock};

use detector::{DeviceState, StateError};
use domain::{DeviceId, Signals};

/// Enough that a reader seldom meets the writer.
const SHARDS: usize = 64;

/// The states of all devices.
pub(crate) struct Fleet {
    signals: Signals,
    hasher: RandomState,
    shards: [RwLock<HashMap<DeviceId, DeviceState>>; SHARDS],
}

impl Fleet {
    /// No device yet.
    pub(crate) fn new(signals: Signals) -> Self {
        Self {
            signals,
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| RwLock::default()),
        }
    }

    /// The declared signals.
    pub(crate) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Takes up a state that was stored.
    ///
    /// # Errors
    /// When the bytes are no state of these signals.
    pub(crate) fn restore(&self, device_id: DeviceId, bytes: &[u8]) -> Result<(), StateError> {
        let state = DeviceState::from_bytes(bytes, &self.signals)?;
        self.write(&device_id).insert(device_id, state);
        Ok(())
    }

    /// Looks at the state of a device; `None` for one that was never heard.
    pub(crate) fn read<R>(&self, device_id: &DeviceId, look: impl FnOnce(Option<&DeviceState>) -> R) -> R {
        let shard = self.shards[self.shard(device_id)]
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        look(shard.get(device_id))
    }

    /// Changes the state of a device, which begins empty.
    pub(crate) fn update<R>(&self, device_id: &DeviceId, change: impl FnOnce(&mut DeviceState) -> R) -> R {
        let mut shard = self.write(device_id);
        if let Some(state) = shard.get_mut(device_id) {
            return change(state);
        }
        change(
            shard
                .entry(device_id.clone())
                .or_insert_with(|| DeviceState::new(&self.signals)),
        )
    }

    /// The state of a device as bytes to store.
    pub(crate) fn state_bytes(&self, device_id: &DeviceId) -> Vec<u8> {
        self.read(device_id, |state| {
            state.map(|it| it.to_bytes(&self.signals)).unwrap_or_default()
        })
    }

    fn shard(&self, device_id: &DeviceId) -> usize {
        (self.hasher.hash_one(device_id) % SHARDS as u64) as usize
    }

    fn write(&self, device_id: &DeviceId) -> std::sync::RwLockWriteGuard<'_, HashMap<DeviceId, DeviceState>> {
        self.shards[self.shard(device_id)]
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
