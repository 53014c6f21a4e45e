//! What stands in the place of [`Shared`] in a build without Redis: there is never one.

use std::collections::HashSet;
use std::sync::Arc;

use domain::DeviceId;
use tokio_util::sync::CancellationToken;
use warehouse::DeviceUpdate;

use super::events::Events;
use super::fleet::Fleet;
use crate::config;

/// What the processes of one installation share: nothing.
pub(crate) enum Shared {}

impl Shared {
    pub(crate) fn open(config: &config::Redis) -> anyhow::Result<Option<Arc<Self>>> {
        debug_assert!(config.url.is_none(), "the configuration of this build names no Redis");
        Ok(None)
    }

    pub(crate) async fn answers(&self, _names: &[String]) -> Option<Vec<Option<Vec<u8>>>> {
        match *self {}
    }

    pub(crate) async fn keep_answers(&self, _answers: &[(String, Vec<u8>)]) {
        match *self {}
    }

    pub(crate) async fn take_up<'a>(
        &self,
        _fleet: &Fleet,
        _devices: &HashSet<&'a DeviceId>,
    ) -> Vec<(&'a DeviceId, bool)> {
        match *self {}
    }

    pub(crate) async fn hand_on(&self, _fleet: &Fleet, _devices: &[DeviceUpdate]) {
        match *self {}
    }

    pub(crate) async fn listen(&self, _fleet: &Fleet, _events: &Events, _stop: CancellationToken) {
        match *self {}
    }
}

pub(crate) mod relay {
    //! Nothing is told.

    use super::{Arc, CancellationToken, Events, Shared};

    pub(crate) async fn telling(shared: Arc<Shared>, _events: Arc<Events>, _stop: CancellationToken) {
        match *shared {}
    }
}
