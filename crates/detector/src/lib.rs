//! The judgement: readings in, verdicts out.
//!
//! One extractor makes every feature vector, whether a reading is replayed for training, comes live from the bus, is asked
//! about over HTTP or stands in a file. Its spec and the fleet's baseline travel inside the model, so what serves is what
//! was trained. Nothing here does I/O or reads a clock: a verdict is a function of the model, the device's history and the
//! reading.

pub mod artifact;
mod assess;
mod bar;
mod by_features;
mod combine;
pub mod evaluate;
mod familiar;
pub mod features;
mod heads;
mod heads_pass;
pub mod incident;
pub mod kind;
pub mod limits;
pub mod model;
mod peers;
pub mod quality;
pub mod reason;
mod recurring;
mod recurring_pass;
pub mod reference;
pub mod sample;
mod shift;
mod symptom;
pub mod threshold;
mod tide;
pub mod train;
mod weigh;

pub use artifact::ArtifactError;
pub use assess::Assessment;
pub use bar::Bar;
pub use evaluate::{Evaluation, LabelledReport, Report, SignalReport};
pub use features::{Baseline, DeviceState, Extractor, Feature, FeatureSpec, SpecError, StateError};
pub use heads::{Evidence, Pace, Tempo, Unit, Worn};
pub use incident::{Happening, Incident, IncidentRules, Watch, WatchError};
pub use kind::Kind;
pub use model::{Model, Provenance, SignalModel, WholeForest};
pub use peers::Peers;
pub use reason::Course;
pub use recurring::{Look, Recurring, Rhythm};
pub use reference::{Reference, References};
pub use shift::{Deciles, Shift, ShiftMeter, Trained};
pub use symptom::{MAX_SYMPTOMS, Sign, Symptom};
pub use threshold::ThresholdPolicy;
pub use train::{BaselinePass, Baselines, CheckedPlan, FeaturePass, Plan, PlanError, TrainError};
