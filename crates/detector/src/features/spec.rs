//! Which features a forest sees: data that travels inside the model.

use serde::{Deserialize, Serialize};

/// The most features of one signal.
pub const MAX_FEATURES: usize = 16;

/// The longest moving-average window, in readings.
pub const MAX_WINDOW: usize = 16;

/// One number derived from a reading and the device's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Feature {
    /// The value itself.
    Value,
    /// The hour of the day, UTC, 0 to 23.
    Hour,
    /// The day of the week, UTC, Monday 0 to Sunday 6.
    DayOfWeek,
    /// The mean of this value and those before it, `window` values in all; fewer while the device is new.
    MovingAverage {
        /// How many values.
        window: usize,
    },
    /// How many standard deviations the value lies from the mean of the device's history before it.
    ZScore,
}

impl Feature {
    /// The stable name, `moving_average`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Hour => "hour",
            Self::DayOfWeek => "day_of_week",
            Self::MovingAverage { .. } => "moving_average",
            Self::ZScore => "z_score",
        }
    }
}

/// The features of one signal, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Feature>", into = "Vec<Feature>")]
pub struct FeatureSpec(Vec<Feature>);

/// A list of features that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// None, or more than [`MAX_FEATURES`].
    #[error("a spec holds 1 to {MAX_FEATURES} features, not {0}")]
    Count(usize),
    /// A window of nothing, or longer than [`MAX_WINDOW`].
    #[error("a moving average spans 2 to {MAX_WINDOW} values, not {0}")]
    Window(usize),
}

impl FeatureSpec {
    /// Checks a list.
    ///
    /// # Errors
    /// When there are none or too many, or a window is out of range.
    pub fn new(features: Vec<Feature>) -> Result<Self, SpecError> {
        if features.is_empty() || features.len() > MAX_FEATURES {
            return Err(SpecError::Count(features.len()));
        }
        for feature in &features {
            if let Feature::MovingAverage { window } = *feature
                && !(2..=MAX_WINDOW).contains(&window)
            {
                return Err(SpecError::Window(window));
            }
        }
        Ok(Self(features))
    }
}

impl Default for FeatureSpec {
    /// The reference's: value, hour, day of week, 5-point moving average, z-score.
    fn default() -> Self {
        use Feature::{DayOfWeek, Hour, MovingAverage, Value, ZScore};
        Self(vec![Value, Hour, DayOfWeek, MovingAverage { window: 5 }, ZScore])
    }
}

impl std::ops::Deref for FeatureSpec {
    type Target = [Feature];

    fn deref(&self) -> &[Feature] {
        &self.0
    }
}

impl TryFrom<Vec<Feature>> for FeatureSpec {
    type Error = SpecError;

    fn try_from(features: Vec<Feature>) -> Result<Self, SpecError> {
        Self::new(features)
    }
}

impl From<FeatureSpec> for Vec<Feature> {
    fn from(spec: FeatureSpec) -> Self {
        spec.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_checked() {
        assert_eq!(FeatureSpec::new(vec![]), Err(SpecError::Count(0)));
        assert_eq!(FeatureSpec::new(vec![Feature::Value; 17]), Err(SpecError::Count(17)));
        assert_eq!(
            FeatureSpec::new(vec![Feature::MovingAverage { window: 1 }]),
            Err(SpecError::Window(1))
        );
        assert!(FeatureSpec::new(FeatureSpec::default().to_vec()).is_ok());
    }
}
