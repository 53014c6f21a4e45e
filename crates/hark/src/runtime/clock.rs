//! The clock: the only place that asks the machine for the time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use domain::Timestamp;

/// The present instant.
pub(crate) fn now() -> Timestamp {
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |it| -it),
    };
    Timestamp::from_micros(micros)
}
