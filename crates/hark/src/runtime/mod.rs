//! What runs between the ports: the fleet's states, the live model, the consumer loop, training.

#[cfg(feature = "gcp")]
pub(crate) mod addressed;
pub(crate) mod answers;
pub(crate) mod canary;
pub(crate) mod clock;
pub(crate) mod consumer;
mod doubts;
pub(crate) mod drift;
pub(crate) mod events;
pub(crate) mod first_model;
pub(crate) mod fleet;
pub(crate) mod handover;
pub(crate) mod judging;
pub(crate) mod kept;
pub(crate) mod likeness;
pub(crate) mod live_model;
pub(crate) mod maintenance;
pub(crate) mod registry;
pub(crate) mod retraining;
pub(crate) mod rhythm;
pub(crate) mod shadow;
#[cfg(feature = "redis")]
pub(crate) mod shared;
#[cfg(not(feature = "redis"))]
#[path = "shared_absent.rs"]
pub(crate) mod shared;
pub(crate) mod silence;
#[cfg(feature = "otel")]
pub(crate) mod traced;
pub(crate) mod training;
pub(crate) mod tuning;
pub(crate) mod watching;
pub(crate) mod words;
