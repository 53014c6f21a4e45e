//! The one feature code, for training, consuming, serving and backtesting.

mod extractor;
mod history;
mod spec;

pub use extractor::{Baseline, Extractor, FeatureVector, Usual};
pub use history::{DeviceState, LEARNING, SignalHistory, StateError};
pub use spec::{Feature, FeatureSpec, MAX_FEATURES, MAX_WINDOW, SpecError};
