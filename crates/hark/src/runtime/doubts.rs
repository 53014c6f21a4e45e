//! What is doubtful about what comes from a device: kept beside its state, told with it, and no incident.

use std::hash::{DefaultHasher, Hash, Hasher};

use detector::quality::{Doubt, Places};
use domain::{Location, Reading, Timestamp};
use serde::{Deserialize, Serialize};

/// The doubts about the newest reading of a device, and where its readings come from.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Doubts {
    pub(crate) now: Vec<Doubt>,
    places: Places,
    /// Whether the newest reading names another place than the one before: it is held against what was there.
    has_moved: bool,
    /// The time of the newest reading, and what its values come to.
    newest: Option<(Timestamp, u64)>,
}

impl Doubts {
    /// Takes in a reading and the doubts about it.
    pub(crate) fn hear(&mut self, reading: &Reading, doubts: Vec<Doubt>) {
        self.now = doubts;
        let (place, named) = (self.places.now.as_ref(), reading.location.as_deref());
        self.has_moved = place.is_some() && named.is_some() && place != named;
        self.now
            .extend(self.places.hear(reading.location.as_deref(), reading.timestamp));
        self.newest = Some((reading.timestamp, digest(reading)));
    }

    /// Takes in a reading no newer than the last. One of the same time with other values is not kept, and somebody else may
    /// have sent it; the same again was delivered twice.
    pub(crate) fn hear_late(&mut self, reading: &Reading) {
        let Some((at, values)) = self.newest else { return };
        if reading.timestamp == at && digest(reading) != values {
            self.places.clash = Some(at);
            if !self.now.contains(&Doubt::TwoValues) {
                self.now.push(Doubt::TwoValues);
            }
        }
    }

    /// Whether they leave no reading of a machine to tell of: a value that cannot be, or that of another machine, as the first
    /// one from another place may be. One value for ever may be a machine that stands still, and is told.
    /// A jump beyond a limit is told, too: limits speak at once.
    pub(crate) fn speak_against(&self, is_beyond_limit: bool) -> bool {
        let is_no_reading = |it: &Doubt| match it {
            Doubt::Impossible { .. } | Doubt::TwoPlaces => true,
            Doubt::Jumped { .. } => !is_beyond_limit,
            _ => false,
        };
        self.has_moved || self.now.iter().any(is_no_reading)
    }
}

/// What the values of a reading come to: the same for the same values, in this process.
fn digest(reading: &Reading) -> u64 {
    let mut hasher = DefaultHasher::new();
    for value in reading.values.iter() {
        value.map(f64::to_bits).hash(&mut hasher);
    }
    hasher.finish()
}

/// The parts of a place: building, floor, room.
type Parts = [Option<String>; 3];

/// Places as they are stored; the doubts follow from the next reading.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PlacesRow {
    now: Option<Parts>,
    before: Option<(Parts, i64)>,
    back: Option<i64>,
    clash: Option<i64>,
}

impl From<&Doubts> for PlacesRow {
    fn from(doubts: &Doubts) -> Self {
        let parts = |it: &Location| [it.building.clone(), it.floor.clone(), it.room.clone()];
        let Places {
            now,
            before,
            back,
            clash,
        } = &doubts.places;
        Self {
            now: now.as_ref().map(parts),
            before: before.as_ref().map(|(it, at)| (parts(it), at.as_micros())),
            back: back.map(Timestamp::as_micros),
            clash: clash.map(Timestamp::as_micros),
        }
    }
}

impl From<PlacesRow> for Doubts {
    fn from(row: PlacesRow) -> Self {
        let place = |[building, floor, room]: Parts| Location { building, floor, room };
        let places = Places {
            now: row.now.map(place),
            before: row.before.map(|(it, at)| (place(it), Timestamp::from_micros(at))),
            back: row.back.map(Timestamp::from_micros),
            clash: row.clash.map(Timestamp::from_micros),
        };
        Self {
            places,
            ..Self::default()
        }
    }
}
