//! Faults that last: what they are, and what they do to a device as they go on.

use std::ops::Range;
use std::time::Duration;

use domain::{DeviceId, Timestamp};
use rand::{Rng, RngExt};

/// The kinds of fault that last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Vibration grows for hours to 3 to 6 times its level, with a little friction heat, until the bearing is
    /// replaced.
    BearingWear,
    /// Temperature climbs quickly by 8 to 15 °C, stays there, and falls again in the last part.
    Overheating,
    /// One signal repeats the value it had at the onset.
    StuckSensor,
    /// Temperature is told ever more wrongly, up to 6 to 12 °C above or below, until the sensor is set right.
    Drift,
    /// No readings at all.
    Silence,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::BearingWear,
        Self::Overheating,
        Self::StuckSensor,
        Self::Drift,
        Self::Silence,
    ];

    /// The name in [`domain::Truth::anomaly_type`], `bearing_wear`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BearingWear => "bearing_wear",
            Self::Overheating => "overheating",
            Self::StuckSensor => "stuck_sensor",
            Self::Drift => "drift",
            Self::Silence => "silence",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// How long an unplanted one lasts, minutes.
    pub(crate) fn minutes(self) -> Range<i64> {
        match self {
            Self::BearingWear | Self::Drift => 240..600,
            Self::Overheating => 60..240,
            Self::StuckSensor => 30..240,
            Self::Silence => 10..120,
        }
    }

    /// How bad it gets, in the unit of its course: a factor, or °C.
    fn draw_severity(self, chance: &mut impl Rng) -> f64 {
        match self {
            Self::BearingWear => chance.random_range(3.0..6.0),
            Self::Overheating => chance.random_range(8.0..15.0),
            Self::Drift if chance.random() => -chance.random_range(6.0..12.0),
            Self::Drift => chance.random_range(6.0..12.0),
            Self::StuckSensor | Self::Silence => 0.0,
        }
    }

    fn draw_signal(self, chance: &mut impl Rng) -> Option<&'static str> {
        match self {
            Self::BearingWear => Some(VIBRATION),
            Self::Overheating | Self::Drift => Some(TEMPERATURE),
            Self::StuckSensor if chance.random() => Some(VIBRATION),
            Self::StuckSensor => Some(TEMPERATURE),
            Self::Silence => None,
        }
    }
}

pub(crate) const TEMPERATURE: &str = "temperature";
pub(crate) const VIBRATION: &str = "vibration";

/// A fault that is wished for, in [`crate::FleetParams::planted`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlantedFault {
    /// The device by its number: 1 is `sensor_001`.
    pub device: u32,
    /// What happens to it.
    pub kind: FaultKind,
    /// When it begins.
    pub onset: Timestamp,
    /// How long it lasts.
    pub duration: Duration,
}

/// A fault that happens in a fleet, as [`crate::Fleet::faults`] tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFault {
    /// The device.
    pub device_id: DeviceId,
    /// What happens to it.
    pub kind: FaultKind,
    /// The signal that shows it; all of them, by their absence, in a silence.
    pub signal: Option<&'static str>,
    /// The first instant.
    pub onset: Timestamp,
    /// The first instant after.
    pub end: Timestamp,
}

/// A fault with everything its course needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) signal: Option<&'static str>,
    pub(crate) onset: Timestamp,
    pub(crate) end: Timestamp,
    severity: f64,
}

/// What a fault does to one reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Effect {
    /// °C that the machine is warmer.
    pub(crate) heat: f64,
    /// The factor on vibration.
    pub(crate) shake: f64,
    /// °C that the sensor adds though the machine is not warmer.
    pub(crate) bias: f64,
}

impl Effect {
    pub(crate) const NONE: Self = Self {
        heat: 0.0,
        shake: 1.0,
        bias: 0.0,
    };
}

impl Fault {
    pub(crate) fn draw(kind: FaultKind, onset: Timestamp, end: Timestamp, chance: &mut impl Rng) -> Self {
        Self {
            kind,
            signal: kind.draw_signal(chance),
            onset,
            end,
            severity: kind.draw_severity(chance),
        }
    }

    pub(crate) fn holds_at(&self, at: Timestamp) -> bool {
        self.onset <= at && at < self.end
    }

    pub(crate) fn overlaps(&self, onset: Timestamp, end: Timestamp) -> bool {
        self.onset < end && onset < self.end
    }

    /// What it does at this instant, which lies inside it.
    pub(crate) fn effect(&self, at: Timestamp) -> Effect {
        let progress = at.seconds_since(self.onset) / self.end.seconds_since(self.onset);
        match self.kind {
            FaultKind::BearingWear => {
                let worn = progress * progress;
                Effect {
                    heat: 2.0 * worn,
                    shake: 1.0 + (self.severity - 1.0) * worn,
                    ..Effect::NONE
                }
            }
            FaultKind::Overheating => {
                let climbed = 1.0 - (-progress / 0.12).exp();
                let cooled = ((1.0 - progress) / 0.15).min(1.0);
                Effect {
                    heat: self.severity * climbed * cooled,
                    ..Effect::NONE
                }
            }
            FaultKind::Drift => Effect {
                bias: self.severity * progress,
                ..Effect::NONE
            },
            FaultKind::StuckSensor | FaultKind::Silence => Effect::NONE,
        }
    }
}
