//! The judgement: readings in, verdicts out.
//!
//! One extractor makes every feature vector, whether a reading is replayed for training, comes live from the bus, is asked
//! about over HTTP or stands in a file. Its spec and the fleet's baseline travel inside the model, so what serves is what
//! was trained. Nothing here does I/O or reads a clock: a verdict is a function of the model, the device's history and the
//! reading.

pub mod artifact;
pub mod evaluate;
pub mod features;
mod heads;
pub mod model;
pub mod reason;
pub mod sample;
pub mod threshold;
pub mod train;

pub use artifact::ArtifactError;
pub use evaluate::{Evaluation, LabelledReport, Report, SignalReport};
pub use features::{Baseline, DeviceState, Extractor, Feature, FeatureSpec, SpecError, StateError};
pub use heads::{Evidence, Pace, Tempo, Unit};
pub use model::{Model, Provenance, SignalModel};
pub use threshold::ThresholdPolicy;
pub use train::{BaselinePass, CheckedPlan, FeaturePass, Plan, PlanError, TrainError};
