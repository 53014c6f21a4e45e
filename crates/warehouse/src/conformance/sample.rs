//! Readings to check with: one at a time by hand, or many from a seed.

use std::sync::Arc;

use domain::{
    DeviceId, Direction, Judged, Judgement, Location, Measurement, Reading, Reason, Span, Timestamp, Truth, Values,
    Verdict,
};

use crate::{Commit, DeviceUpdate};

/// A device's name.
///
/// # Panics
/// When the name is refused.
#[must_use]
pub fn device(name: &str) -> DeviceId {
    DeviceId::new(name).expect("the name is fit for a device")
}

/// What a reading is made of, as far as checks differ in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// Who.
    pub device: &'a str,
    /// When, in seconds since 1970.
    pub at: i64,
    /// The first signal.
    pub temperature: Option<f64>,
    /// The second signal.
    pub vibration: Option<f64>,
    /// The combined score, with which a verdict goes.
    pub score: Option<f64>,
}

impl<'a> Sample<'a> {
    /// A reading with both values and no verdict.
    #[must_use]
    pub fn new(device: &'a str, at: i64) -> Self {
        Self {
            device,
            at,
            temperature: Some(20.5),
            vibration: Some(1.25),
            score: None,
        }
    }

    /// The reading. Below 0 a score is anomalous and has reasons.
    #[must_use]
    pub fn judged(self) -> Judged {
        let values = [self.temperature, self.vibration];
        let measured = |it: f64| Measurement::new(it, "value").expect("samples are measurable");
        let verdict = self.score.map(|score| Verdict {
            model_version: "m-0001".into(),
            score,
            is_anomaly: score < 0.0,
            signals: values
                .map(|value| {
                    value.map(|value| Judgement {
                        score: score + 0.25,
                        is_anomaly: score < -0.25,
                        expected: (value > 0.0).then_some(Span { low: 18.1, high: 24.3 }),
                    })
                })
                .to_vec(),
            reasons: match score < 0.0 {
                true => vec![Reason {
                    signal: "temperature".to_owned(),
                    direction: Direction::Above,
                    share: 0.75,
                    feature: "value".to_owned(),
                    text: "temperature \"41.2\" °C, expected 18.1 to 24.3".to_owned(),
                    once_in_days: Some(12.3),
                }],
                false => Vec::new(),
            },
        });
        Judged {
            reading: Reading {
                device_id: device(self.device),
                timestamp: Timestamp::from_secs(self.at),
                values: Values::new(values.map(|it| it.map(measured)).to_vec()),
                location: Some(Arc::new(Location {
                    building: Some("Building A".to_owned()),
                    floor: None,
                    room: Some("Room 12".to_owned()),
                })),
                device_type: Some("temp_vibration_sensor".into()),
                truth: self.score.map(|score| Truth {
                    is_anomaly: score < 0.0,
                    anomaly_type: (score < 0.0).then(|| "temperature_spike".to_owned()),
                }),
            },
            received_at: Timestamp::from_secs(self.at).plus_micros(250_000),
            verdict,
            late: false,
            clock_suspect: false,
        }
    }
}

/// A commit of readings, with an update of each of their devices.
#[must_use]
pub fn commit_of(readings: Vec<Judged>) -> Commit {
    let mut devices: Vec<DeviceUpdate> = Vec::new();
    for judged in &readings {
        let update = DeviceUpdate {
            device_id: judged.reading.device_id.clone(),
            location: judged.reading.location.as_deref().cloned(),
            device_type: judged.reading.device_type.as_deref().map(str::to_owned),
            received_at: judged.received_at,
            state: format!("state at {}", judged.reading.timestamp).into_bytes(),
        };
        match devices.iter_mut().find(|it| it.device_id == update.device_id) {
            Some(known) => *known = update,
            None => devices.push(update),
        }
    }
    Commit {
        readings,
        devices,
        ..Commit::default()
    }
}

/// Readings of a few devices in a few hours from a seed, in no order, some of them twice, some without a value.
#[must_use]
pub fn random(seed: u64, n_readings: usize) -> Vec<Judged> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut below = move |n: u64| {
        // A linear congruential generator; its high bits are good enough to shuffle samples.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let names = ["pump 1", "pump 2", "Süd 🔧", "x"];
    let value = |below: &mut dyn FnMut(u64) -> u64| match below(8) {
        0 => None,
        1 => Some(1e9 + below(1000) as f64),
        _ => Some(below(4000) as f64 / 100.0 - 10.0),
    };
    (0..n_readings)
        .map(|_| {
            let mut judged = Sample {
                device: names[below(4) as usize],
                at: below(20_000) as i64 - 10_000,
                temperature: value(&mut below),
                vibration: value(&mut below),
                score: (below(5) > 0).then(|| below(1000) as f64 / 1000.0 - 0.3),
            }
            .judged();
            judged.reading.timestamp = judged.reading.timestamp.plus_micros(below(3) as i64 * 333_333);
            judged.late = below(9) == 0;
            judged.clock_suspect = below(9) == 0;
            judged
        })
        .collect()
}
