//! Devices' states as they are handed from process to process.

use std::collections::HashSet;

use domain::DeviceId;
use tracing::warn;
use warehouse::DeviceUpdate;

use super::super::fleet::Fleet;
use super::redis::Redis;
use super::sealed::{seal, unseal};
use super::{Names, Shared};
use crate::metrics::shared as metrics;

/// How long Redis keeps the state of a device that is not heard: a week, in seconds. The warehouse keeps it longer.
const KEPT_SECS: u64 = 7 * 24 * 3_600;

/// Where a device's state lies, and which process wrote it.
fn keys(names: &Names, device_id: &DeviceId) -> (String, String) {
    (
        names.of(&format!("state:{device_id}")),
        names.of(&format!("owner:{device_id}")),
    )
}

impl Shared {
    /// Before a batch is judged: takes up the states that other consumers have written since, where they are newer.
    /// A device that stays with this consumer costs one short question for all of them together.
    pub(crate) async fn take_up(&self, fleet: &Fleet, devices: &HashSet<&DeviceId>) {
        if devices.is_empty() {
            return;
        }
        let devices: Vec<&DeviceId> = devices.iter().copied().collect();
        let owners: Vec<String> = devices.iter().map(|it| keys(&self.names, it).1).collect();
        let Some(owners) = many(&self.states, &owners).await else {
            return;
        };
        let own = self.id.as_bytes();
        let foreign = devices.iter().zip(owners);
        let foreign = foreign.filter(|(_, owner)| owner.as_deref().is_some_and(|it| it != own));
        let foreign: Vec<&DeviceId> = foreign.map(|(device_id, _)| *device_id).collect();
        if foreign.is_empty() {
            return;
        }
        let names: Vec<String> = foreign.iter().map(|it| keys(&self.names, it).0).collect();
        let Some(states) = many(&self.states, &names).await else {
            return;
        };
        for ((device_id, name), sealed) in foreign.into_iter().zip(&names).zip(states) {
            let Some(sealed) = sealed else { continue };
            match unseal(name, &sealed) {
                Some(bytes) => adopt(fleet, device_id.clone(), bytes),
                None => self.states.told_garbage(),
            }
        }
    }

    /// After a commit, and before its messages are acknowledged: hands the states on.
    pub(crate) async fn hand_on(&self, devices: &[DeviceUpdate]) {
        if devices.is_empty() {
            return;
        }
        let channel = self.names.of("states");
        let mut question = redis::pipe();
        let mut told = Vec::new();
        for device in devices {
            let (name, owner) = keys(&self.names, &device.device_id);
            question.set_ex(&name, seal(&name, &device.state), KEPT_SECS).ignore();
            question.set_ex(owner, &self.id, KEPT_SECS).ignore();
            push_record(&mut told, &device.device_id, &device.state);
        }
        question.publish(&channel, seal(&channel, &told)).ignore();
        // Without an answer the followers read what the warehouse has, a little later.
        let _handed_on: Option<()> = self.states.ask(&question).await;
    }

    /// A message of the channel of states.
    pub(super) fn hear_states(&self, fleet: &Fleet, sealed: &[u8]) {
        let channel = self.names.of("states");
        let Some(mut rest) = unseal(&channel, sealed) else {
            self.states.told_garbage();
            return;
        };
        while let Some((device_id, state, behind)) = record(rest) {
            adopt(fleet, device_id, state);
            rest = behind;
        }
    }
}

async fn many(redis: &Redis, keys: &[String]) -> Option<Vec<Option<Vec<u8>>>> {
    let mut question = redis::pipe();
    question.mget(keys);
    let (answers,): (Vec<Option<Vec<u8>>>,) = redis.ask(&question).await?;
    if answers.len() == keys.len() {
        return Some(answers);
    }
    redis.told_garbage();
    None
}

fn adopt(fleet: &Fleet, device_id: DeviceId, bytes: &[u8]) {
    match fleet.take_up(device_id.clone(), bytes) {
        Ok(true) => metrics::state_taken_up(),
        Ok(false) => {}
        Err(cause) => warn!(device = %device_id, error = %cause, "a state that was handed on cannot be used"),
    }
}

fn push_record(to: &mut Vec<u8>, device_id: &DeviceId, state: &[u8]) {
    for part in [device_id.as_str().as_bytes(), state] {
        let length = u32::try_from(part.len()).expect("names and states are short");
        to.extend(length.to_le_bytes());
        to.extend(part);
    }
}

fn record(bytes: &[u8]) -> Option<(DeviceId, &[u8], &[u8])> {
    let part = |bytes: &'_ [u8]| -> Option<(usize, usize)> {
        let length = u32::from_le_bytes(*bytes.first_chunk::<4>()?);
        let end = usize::try_from(length).ok()?.checked_add(4)?;
        (end <= bytes.len()).then_some((4, end))
    };
    let (from, to) = part(bytes)?;
    let (name, rest) = (&bytes[from..to], &bytes[to..]);
    let (from, to) = part(rest)?;
    let device_id = DeviceId::new(std::str::from_utf8(name).ok()?).ok()?;
    Some((device_id, &rest[from..to], &rest[to..]))
}
