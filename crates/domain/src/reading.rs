//! One device, one instant, a value per signal.

use std::sync::Arc;

use crate::rejection::{Rejection, RejectionCode};
use crate::{DeviceId, Location, Timestamp};

/// The largest magnitude taken for a value. Nothing physical comes near it, and sums of squares stay finite.
pub const MAX_MAGNITUDE: f64 = 1e15;

/// A number that can be measured: finite and within ±[`MAX_MAGNITUDE`].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Measurement(f64);

impl Measurement {
    /// Checks a number.
    ///
    /// # Errors
    /// [`RejectionCode::NonFinite`] or [`RejectionCode::OutOfRange`], naming `field`.
    pub fn new(value: f64, field: &str) -> Result<Self, Rejection> {
        if !value.is_finite() {
            return Err(Rejection::field(
                RejectionCode::NonFinite,
                field,
                format!("{field} is {value}, a finite number is needed"),
            ));
        }
        if value.abs() > MAX_MAGNITUDE {
            return Err(Rejection::field(
                RejectionCode::OutOfRange,
                field,
                format!("{field} is {value:e}, beyond ±{MAX_MAGNITUDE:e}"),
            ));
        }
        Ok(Self(value))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

/// A value per declared signal, in their order; a signal that was not sent has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Values(Box<[Option<Measurement>]>);

impl Values {
    /// The values of all declared signals, in order.
    #[must_use]
    pub fn new(values: Vec<Option<Measurement>>) -> Self {
        Self(values.into_boxed_slice())
    }

    /// The value of the signal at this place, if it was sent.
    #[must_use]
    pub fn get(&self, signal: usize) -> Option<f64> {
        self.0.get(signal).copied().flatten().map(Measurement::get)
    }

    /// How many signals are declared.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no signal was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<f64>> + '_ {
        self.0.iter().map(|it| it.map(Measurement::get))
    }
}

/// What the sender knows to be true, as the simulator does. Real devices send none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Truth {
    /// Whether this reading is anomalous.
    pub is_anomaly: bool,
    /// The kind of anomaly, `temperature_spike`.
    pub anomaly_type: Option<String>,
}

/// One reading. Its identity is (device, timestamp): the first one stored wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Who.
    pub device_id: DeviceId,
    /// When, by the device's clock.
    pub timestamp: Timestamp,
    /// What was measured.
    pub values: Values,
    /// Where the device stands.
    pub location: Option<Arc<Location>>,
    /// What kind of device it is.
    pub device_type: Option<Arc<str>>,
    /// What the sender knows to be true.
    pub truth: Option<Truth>,
}
