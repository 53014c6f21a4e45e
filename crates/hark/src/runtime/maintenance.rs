//! Maintenance windows: while one is on, a device is judged and stored, but nothing is learned from it and nobody told.

use anyhow::Context;
use domain::{DeviceId, TimeRange, Timestamp};
use serde::{Deserialize, Serialize};

use super::kept::Kept;

/// The file in the data folder.
pub(crate) const FILE: &str = "maintenance.json";

/// The most windows that are kept.
const MOST: usize = 10_000;

/// The windows, in the order in which they were made.
pub(crate) type Maintenance = Kept<Vec<Window>>;

/// One window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    /// Its number.
    pub(crate) id: u64,
    /// Of which device; of all where there is none.
    pub(crate) device_id: Option<String>,
    /// From this instant.
    #[serde(with = "instant")]
    pub(crate) from: Timestamp,
    /// Before this one.
    #[serde(with = "instant")]
    pub(crate) to: Timestamp,
    /// Why.
    pub(crate) reason: String,
    /// Who made it.
    pub(crate) who: String,
}

/// An instant as RFC 3339.
mod instant {
    use domain::Timestamp;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(at)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        Timestamp::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl Window {
    /// When it is on.
    pub(crate) fn range(&self) -> TimeRange {
        TimeRange {
            start: self.from,
            end: self.to,
        }
    }

    fn is_of(&self, device_id: &DeviceId) -> bool {
        self.device_id.as_deref().is_none_or(|it| it == device_id.as_str())
    }
}

impl Maintenance {
    /// Whether a device is in maintenance at an instant.
    pub(crate) fn covers(&self, device_id: &DeviceId, at: Timestamp) -> bool {
        let windows = self.get();
        windows.iter().any(|it| it.is_of(device_id) && it.range().contains(at))
    }

    /// When the window ends that a device is in.
    pub(crate) fn until(&self, device_id: &DeviceId, now: Timestamp) -> Option<Timestamp> {
        let windows = self.get();
        let on = windows
            .iter()
            .filter(|it| it.is_of(device_id) && it.range().contains(now));
        on.map(|it| it.range().end).max()
    }

    /// The times in which devices are in maintenance; of all where none is named. A name that is no device's, which this
    /// program never writes, is nobody's.
    pub(crate) fn ranges(&self) -> Vec<(Option<DeviceId>, TimeRange)> {
        let one = |it: &Window| match &it.device_id {
            None => Some((None, it.range())),
            Some(name) => Some((Some(DeviceId::new(name).ok()?), it.range())),
        };
        self.get().iter().filter_map(one).collect()
    }

    /// Makes a window and says its number.
    pub(crate) fn add(&self, window: Window) -> anyhow::Result<Window> {
        self.change(|windows| {
            if windows.len() >= MOST {
                // The oldest that is over makes room: what it covered is long since learned from or dropped.
                let over = (0..windows.len())
                    .filter(|at| windows[*at].to <= window.from)
                    .min_by_key(|at| windows[*at].to);
                let over = over.with_context(|| format!("there are {MOST} maintenance windows that are not over"))?;
                windows.remove(over);
            }
            let id = windows.iter().map(|it| it.id).max().unwrap_or(0) + 1;
            let window = Window { id, ..window };
            windows.push(window.clone());
            Ok(window)
        })
    }

    /// Ends a window now; one that has not begun never does. `None` where there is none of this number that could end.
    pub(crate) fn end(&self, id: u64, now: Timestamp) -> anyhow::Result<Option<Window>> {
        self.change(|windows| {
            let ending = windows.iter_mut().find(|it| it.id == id && it.to > now);
            Ok(ending.map(|it| {
                it.to = now.max(it.from);
                it.clone()
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_covers_its_device_and_one_of_the_fleet_covers_all() {
        let dir = tempfile::tempdir().unwrap();
        let maintenance = Maintenance::open(dir.path().join(FILE)).unwrap();
        let (at, device) = (Timestamp::from_secs, |name: &str| DeviceId::new(name).unwrap());
        let window = |device_id: Option<&str>, from: i64, to: i64| Window {
            id: 0,
            device_id: device_id.map(str::to_owned),
            from: at(from),
            to: at(to),
            reason: "belt".to_owned(),
            who: "kim".to_owned(),
        };
        let one = maintenance.add(window(Some("a"), 100, 200)).unwrap();
        assert!(maintenance.covers(&device("a"), at(150)) && !maintenance.covers(&device("b"), at(150)));
        assert!(!maintenance.covers(&device("a"), at(200)) && !maintenance.covers(&device("a"), at(99)));
        let all = maintenance.add(window(None, 300, 400)).unwrap();
        assert_ne!(one.id, all.id);
        assert!(maintenance.covers(&device("b"), at(300)));
        assert_eq!(maintenance.until(&device("b"), at(300)), Some(at(400)));
        assert!(maintenance.end(all.id, at(350)).unwrap().is_some());
        assert!(!maintenance.covers(&device("b"), at(360)) && maintenance.covers(&device("b"), at(349)));
        assert_eq!(maintenance.end(all.id, at(360)).unwrap(), None);
    }
}
