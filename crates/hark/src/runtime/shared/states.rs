//! Devices' states as they are handed from process to process.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use detector::DeviceState;
use domain::{DeviceId, Timestamp};
use tokio::time::Instant;
use tracing::warn;
use warehouse::DeviceUpdate;

use super::super::fleet::Fleet;
use super::redis::Redis;
use super::sealed::{seal, unseal};
use super::{Names, Shared};
use crate::metrics::shared as metrics;

/// How long Redis keeps the state of a device that is not heard: a week, in seconds. The warehouse keeps it longer.
const KEPT_SECS: u64 = 7 * 24 * 3_600;

/// A name that lies there for a while after somebody could not hand on: what states lie there may then be old.
const TROUBLED: &str = "troubled";
const TROUBLED_SECS: u64 = 600;

/// What this process knows of states that could not be handed on.
#[derive(Debug, Default)]
pub(super) struct Trouble(Mutex<Known>);

#[derive(Debug, Default, Clone, Copy)]
struct Known {
    since: Option<Instant>,
    /// Whether the others do not know of it yet.
    is_untold: bool,
}

impl Trouble {
    fn begin(&self) {
        *self.known() = Known {
            since: Some(Instant::now()),
            is_untold: true,
        };
    }

    /// Somebody else could not hand on.
    fn hear(&self) {
        self.known().since = Some(Instant::now());
    }

    fn tell(&self) {
        self.known().is_untold = false;
    }

    fn is_untold(&self) -> bool {
        self.known().is_untold
    }

    fn is_recent(&self) -> bool {
        let since = self.known().since;
        since.is_some_and(|it| it.elapsed() < Duration::from_secs(TROUBLED_SECS))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes states and their owners, each unless a newer one lies there: who lost its lease may be the last to write.
/// Keys are a state and an owner in turn; arguments, after the time to keep them, a state, an owner, and the time of the
/// state's newest reading. An owner is that time and a name.
const HAND_ON: &str = "for nth = 1, #KEYS / 2 do \
    local owner = redis.call('GET', KEYS[2 * nth]) \
    local there = owner and tonumber(string.match(owner, '^(-?%d+) ')) \
    if not there or there <= tonumber(ARGV[3 * nth + 1]) then \
      redis.call('SET', KEYS[2 * nth - 1], ARGV[3 * nth - 1], 'EX', ARGV[1]) \
      redis.call('SET', KEYS[2 * nth], ARGV[3 * nth], 'EX', ARGV[1]) \
    end \
  end";

/// Where a device's state lies, and which process wrote it.
fn keys(names: &Names, device_id: &DeviceId) -> (String, String) {
    (
        names.of(&format!("state:{device_id}")),
        names.of(&format!("owner:{device_id}")),
    )
}

impl Shared {
    /// Before a batch is judged: takes up the states that other consumers have written since, where they are newer.
    /// A device that stays with this consumer costs one short question for all of them together. Gives back those of
    /// which the warehouse may know more, and whether another process had them: nothing lies there, another had it, or
    /// somebody could not hand on of late.
    pub(crate) async fn take_up<'a>(
        &self,
        fleet: &Fleet,
        devices: &HashSet<&'a DeviceId>,
    ) -> Vec<(&'a DeviceId, bool)> {
        if devices.is_empty() {
            return Vec::new();
        }
        let devices: Vec<&DeviceId> = devices.iter().copied().collect();
        let owners = devices.iter().map(|it| keys(&self.names, it).1);
        let asked: Vec<String> = std::iter::once(self.names.of(TROUBLED)).chain(owners).collect();
        let Some(mut owners) = many(&self.states, &asked).await else {
            self.trouble.begin();
            return devices.into_iter().map(|it| (it, false)).collect();
        };
        if owners.remove(0).is_some() {
            self.trouble.hear();
        }
        let of_others =
            |owner: &Option<Vec<u8>>| owner.as_deref().is_some_and(|it| owner_name(it) != self.id.as_bytes());
        let named = devices.iter().copied().zip(&owners);
        let foreign: Vec<&DeviceId> = named.clone().filter(|it| of_others(it.1)).map(|it| it.0).collect();
        self.adopt_all(fleet, &foreign).await;
        let is_in_doubt = self.trouble.is_recent();
        let unsure = named.filter(|(_, owner)| is_in_doubt || owner.is_none() || of_others(owner));
        unsure.map(|(device_id, owner)| (device_id, of_others(owner))).collect()
    }

    async fn adopt_all(&self, fleet: &Fleet, devices: &[&DeviceId]) {
        if devices.is_empty() {
            return;
        }
        let names: Vec<String> = devices.iter().map(|it| keys(&self.names, it).0).collect();
        let Some(states) = many(&self.states, &names).await else {
            self.trouble.begin();
            return;
        };
        for ((device_id, name), sealed) in devices.iter().zip(&names).zip(states) {
            let Some(sealed) = sealed else { continue };
            match unseal(name, &sealed) {
                Some(bytes) => adopt(fleet, DeviceId::clone(device_id), bytes),
                None => self.states.told_garbage(),
            }
        }
    }

    /// After a commit, and before its messages are acknowledged: hands the states on.
    pub(crate) async fn hand_on(&self, fleet: &Fleet, devices: &[DeviceUpdate]) {
        if devices.is_empty() {
            return;
        }
        let channel = self.names.of("states");
        let mut question = redis::pipe();
        let mut told = Vec::new();
        question.cmd("EVAL").arg(HAND_ON).arg(2 * devices.len());
        for device in devices {
            let (name, owner) = keys(&self.names, &device.device_id);
            question.arg(name).arg(owner);
        }
        question.arg(KEPT_SECS);
        for device in devices {
            let (name, _) = keys(&self.names, &device.device_id);
            let last = fleet.read(&device.device_id, |it| it.and_then(DeviceState::last));
            let last = last.unwrap_or(Timestamp::MIN).as_micros();
            let owner = format!("{last} {}", self.id);
            question.arg(seal(&name, &device.state)).arg(owner).arg(last);
            push_record(&mut told, &device.device_id, &device.state);
        }
        question.ignore();
        question.publish(&channel, seal(&channel, &told)).ignore();
        if self.trouble.is_untold() {
            question
                .set_ex(self.names.of(TROUBLED), &self.id, TROUBLED_SECS)
                .ignore();
        }
        // Without an answer followers and other consumers read what the warehouse has.
        match self.states.ask(&question).await {
            Some(()) => self.trouble.tell(),
            None => self.trouble.begin(),
        }
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

/// The name in an owner, behind the time of its state.
fn owner_name(owner: &[u8]) -> &[u8] {
    let behind = owner.iter().position(|it| *it == b' ').map(|it| it + 1);
    behind.map_or(owner, |it| &owner[it..])
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
