//! The words Hark speaks in: devices, signals, readings, verdicts, and the message codec.
