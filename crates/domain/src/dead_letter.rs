//! What could not be taken, kept with its bytes.

use crate::{Rejection, Timestamp};

/// A message that was refused: its original bytes, the reason, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// When it came.
    pub received_at: Timestamp,
    /// The way in, "http" or "pubsub".
    pub source: String,
    /// The bytes as they came.
    pub payload: Vec<u8>,
    /// Why it was refused.
    pub rejection: Rejection,
}
