//! The words Hark speaks in: devices, signals, readings, verdicts, and the message codec.
//!
//! Nothing here does I/O, reads a clock or knows a backend. Every value that may be stored went through a
//! constructor that refuses what cannot be stored: a reading never holds NaN, infinity or a nameless device.

pub mod dead_letter;
pub mod device;
pub mod incident;
pub mod reading;
pub mod rejection;
pub mod signal;
pub mod time;
pub mod triage;
pub mod verdict;
pub mod wire;

pub use dead_letter::DeadLetter;
pub use device::{DeviceId, Location};
pub use incident::{Incident, IncidentId, IncidentKind, Severity, SignalShare};
pub use reading::{Measurement, Reading, Truth, Values};
pub use rejection::{Rejection, RejectionCode};
pub use signal::{MAX_SIGNALS, Signal, SignalError, Signals};
pub use time::{TimeRange, Timestamp, TimestampError};
pub use triage::{Act, Action, Label, Labelled, Phase, Refusal, Standing, Triage};
pub use verdict::{Direction, Judged, Judgement, Reason, Span, Verdict};
