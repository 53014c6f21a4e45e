//! A lasting run of anomalous verdicts on one device: what is known of it, and what stable names its parts have.

use std::fmt;
use std::sync::Arc;

use crate::{DeviceId, Direction, Timestamp};

/// The digits of an id: no letter in it looks like another.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Digits for the time, then digits for the device.
const TIME_DIGITS: usize = 12;
const DEVICE_DIGITS: usize = 12;

/// The name of one incident. It follows from the device and the first anomalous reading, so that whoever tells the same
/// event again tells it under the same name; names are in the order of the incidents' beginnings.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IncidentId(Arc<str>);

impl IncidentId {
    /// The name of the incident of a device that began at an instant.
    #[must_use]
    pub fn new(device_id: &DeviceId, began: Timestamp) -> Self {
        let since = began
            .as_micros()
            .wrapping_sub(Timestamp::MIN.as_micros())
            .cast_unsigned();
        let mut name = String::with_capacity(TIME_DIGITS + DEVICE_DIGITS);
        push_digits(&mut name, since, TIME_DIGITS);
        push_digits(&mut name, spread(device_id.as_str()), DEVICE_DIGITS);
        Self(name.into())
    }

    /// Takes a name as it was written; `None` for what cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == TIME_DIGITS + DEVICE_DIGITS && text.bytes().all(|it| DIGITS.contains(&it));
        fits.then(|| Self(text.into()))
    }

    /// When the incident began, which its name begins with.
    #[must_use]
    pub fn began(&self) -> Timestamp {
        let digit = |it: u8| DIGITS.iter().position(|digit| *digit == it).unwrap_or(0) as i64;
        let since = self
            .0
            .bytes()
            .take(TIME_DIGITS)
            .fold(0, |sum: i64, it| sum << 5 | digit(it));
        Timestamp::from_micros(Timestamp::MIN.as_micros().wrapping_add(since))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn push_digits(to: &mut String, value: u64, count: usize) {
    for place in (0..count).rev() {
        let digit = (value >> (5 * place)) & 31;
        to.push(char::from(DIGITS[digit as usize]));
    }
}

/// FNV-1a, and a finish that lets every byte reach every bit.
fn spread(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// How much an incident matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Notice,
    /// Worth a look today.
    Warning,
    /// Worth a look now.
    Critical,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Notice, Self::Warning, Self::Critical];

    /// The stable name, `warning`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// What shape an event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IncidentKind {
    /// Up and back at once.
    Spike,
    /// Down and back at once.
    Drop,
    /// From one level to another.
    LevelShift,
    /// Slowly away from where it was.
    Drift,
    /// Moving more, or less, than it did.
    Variance,
    /// Not moving at all.
    Stuck,
    /// Faster and faster away.
    Growth,
    /// Beyond a limit that a person has set.
    Limit,
    /// Unusual in no shape that has a name.
    Unusual,
}

impl IncidentKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Spike,
        Self::Drop,
        Self::LevelShift,
        Self::Drift,
        Self::Variance,
        Self::Stuck,
        Self::Growth,
        Self::Limit,
        Self::Unusual,
    ];

    /// The stable name, `level_shift`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spike => "spike",
            Self::Drop => "drop",
            Self::LevelShift => "level_shift",
            Self::Drift => "drift",
            Self::Variance => "variance",
            Self::Stuck => "stuck",
            Self::Growth => "growth",
            Self::Limit => "limit",
            Self::Unusual => "unusual",
        }
    }

    /// The kind of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// What one signal has to do with an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalShare {
    /// The signal's name.
    pub signal: String,
    /// How much of the incident is its doing; the shares of an incident sum to 1.
    pub share: f64,
    /// On which side of its range it was.
    pub direction: Direction,
}

/// One event on one device, as the detection tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its name.
    pub id: IncidentId,
    /// Who.
    pub device_id: DeviceId,
    /// The time of the reading at which it was told.
    pub opened_at: Timestamp,
    /// The first anomalous reading.
    pub began: Timestamp,
    /// The last anomalous reading so far.
    pub last: Timestamp,
    /// The lowest score.
    pub peak_score: f64,
    /// When that was.
    pub peak_at: Timestamp,
    /// How many anomalous readings.
    pub readings: u64,
    /// How much it matters, so far.
    pub severity: Severity,
    /// What shape it has, so far.
    pub kind: IncidentKind,
    /// Which signals, the heaviest first.
    pub signals: Vec<SignalShare>,
    /// One plain sentence.
    pub reason: String,
    /// The version of the model whose verdicts they are.
    pub model_version: String,
    /// The time of the reading that ended it; none while it goes on.
    pub closed_at: Option<Timestamp>,
}

impl Incident {
    /// How unlike two incidents are: 0 for two of the same kind, in the same signals, as long and as deep.
    #[must_use]
    pub fn distance(&self, other: &Self) -> f64 {
        let kinds = if self.kind == other.kind { 0.0 } else { 1.0 };
        let lasted = |it: &Self| it.last.seconds_since(it.began).max(0.0) + 60.0;
        let longer = (lasted(self) / lasted(other)).ln().abs() / 4.0;
        let deeper = (self.peak_score - other.peak_score).abs().min(1.0);
        kinds + self.apart(other) + longer + deeper
    }

    /// How unlike the signals are, 0 to 2.
    fn apart(&self, other: &Self) -> f64 {
        let share = |of: &Self, it: &SignalShare| {
            let same = |at: &&SignalShare| at.signal == it.signal && at.direction == it.direction;
            of.signals.iter().find(same).map_or(0.0, |it| it.share)
        };
        let own = self.signals.iter().map(|it| (it.share - share(other, it)).abs());
        let missing = other.signals.iter().filter(|it| share(self, it) == 0.0);
        own.sum::<f64>() + missing.map(|it| it.share).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(device: &str, secs: i64) -> IncidentId {
        IncidentId::new(&DeviceId::new(device).unwrap(), Timestamp::from_secs(secs))
    }

    #[test]
    fn the_same_event_has_the_same_name_and_another_has_another() {
        assert_eq!(id("pump 1", 1_800_000_000), id("pump 1", 1_800_000_000));
        assert_ne!(id("pump 1", 1_800_000_000), id("pump 2", 1_800_000_000));
        assert_ne!(id("pump 1", 1_800_000_000), id("pump 1", 1_800_000_001));
        assert_eq!(IncidentId::parse(id("pump 1", 5).as_str()), Some(id("pump 1", 5)));
        for at in [
            Timestamp::MIN,
            Timestamp::from_micros(1_800_000_000_123_456),
            Timestamp::MAX,
        ] {
            assert_eq!(IncidentId::new(&DeviceId::new("a").unwrap(), at).began(), at);
        }
    }

    #[test]
    fn names_are_in_the_order_of_time() {
        let times = [
            Timestamp::MIN.as_secs(),
            -1,
            0,
            1,
            1_800_000_000,
            Timestamp::MAX.as_secs(),
        ];
        let names: Vec<IncidentId> = times.iter().map(|it| id("x", *it)).collect();
        assert!(names.is_sorted(), "{names:?}");
    }

    fn incident(kind: IncidentKind, signal: &str) -> Incident {
        let at = Timestamp::from_secs;
        Incident {
            id: id("a", 0),
            device_id: DeviceId::new("a").unwrap(),
            opened_at: at(0),
            began: at(0),
            last: at(100),
            peak_score: -0.5,
            peak_at: at(50),
            readings: 10,
            severity: Severity::Warning,
            kind,
            signals: vec![SignalShare {
                signal: signal.to_owned(),
                share: 1.0,
                direction: Direction::Above,
            }],
            reason: String::new(),
            model_version: String::new(),
            closed_at: None,
        }
    }

    #[test]
    fn an_incident_is_nearest_to_its_like() {
        let heat = incident(IncidentKind::Spike, "temperature");
        assert_eq!(heat.distance(&heat.clone()), 0.0);
        let shift = incident(IncidentKind::LevelShift, "temperature");
        let other = incident(IncidentKind::Spike, "vibration");
        assert!(heat.distance(&shift) < heat.distance(&other));
        assert_eq!(heat.distance(&other), other.distance(&heat));
    }

    #[test]
    fn what_cannot_be_a_name_is_none() {
        for text in [
            "",
            "../../etc/passwd",
            "0",
            "ILOU00000000000000000000",
            "0000000000000000000000000",
        ] {
            assert_eq!(IncidentId::parse(text), None, "{text}");
        }
    }
}
