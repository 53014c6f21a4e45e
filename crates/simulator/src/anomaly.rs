//! Anomalies of a single reading.

use rand::{Rng, RngExt};

use crate::device::Sample;

/// The kinds of anomaly that last one reading. All four are equally frequent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnomalyKind {
    /// Temperature 8 to 15 °C up, vibration times 1.2 to 1.8.
    TemperatureSpike,
    /// Temperature 5 to 10 °C down.
    TemperatureDrop,
    /// Vibration times 3 to 8, temperature 2 to 5 °C up.
    VibrationSpike,
    /// Temperature 10 to 20 °C up and vibration times 5 to 12.
    Combined,
}

impl AnomalyKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::TemperatureSpike,
        Self::TemperatureDrop,
        Self::VibrationSpike,
        Self::Combined,
    ];

    /// The name in [`domain::Truth::anomaly_type`], `temperature_spike`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TemperatureSpike => "temperature_spike",
            Self::TemperatureDrop => "temperature_drop",
            Self::VibrationSpike => "vibration_spike",
            Self::Combined => "combined",
        }
    }

    pub(crate) fn draw(chance: &mut impl Rng) -> Self {
        Self::ALL[chance.random_range(0..Self::ALL.len())]
    }

    pub(crate) fn apply(self, sample: Sample, chance: &mut impl Rng) -> Sample {
        let (rise, factor) = match self {
            Self::TemperatureSpike => (8.0..15.0, 1.2..1.8),
            Self::TemperatureDrop => (-10.0..-5.0, 1.0..1.0),
            Self::VibrationSpike => (2.0..5.0, 3.0..8.0),
            Self::Combined => (10.0..20.0, 5.0..12.0),
        };
        let mut between =
            |range: std::ops::Range<f64>| range.start + (range.end - range.start) * chance.random::<f64>();
        Sample {
            temperature: sample.temperature + between(rise),
            vibration: sample.vibration * between(factor),
        }
    }
}
