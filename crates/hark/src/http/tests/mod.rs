//! The API as a client meets it: the real routes over a real warehouse, bus and consumer in a folder of their own.

mod answers;
mod detection;
mod fleet;
mod hostile;
mod incidents;
mod openapi;
mod parity;
mod posting;
mod series;
mod server;
mod streaming;
pub(crate) mod support;
mod tuning;
