//! What runs between the ports: the fleet's states, the live model, the consumer loop, training.

pub(crate) mod addressed;
pub(crate) mod clock;
pub(crate) mod consumer;
pub(crate) mod events;
pub(crate) mod first_model;
pub(crate) mod fleet;
pub(crate) mod live_model;
pub(crate) mod registry;
pub(crate) mod training;
