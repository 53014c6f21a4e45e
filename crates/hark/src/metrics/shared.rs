//! What is counted of answers that are kept and of what processes share.

use metrics::{counter, describe_counter, describe_gauge, gauge};

const ANSWERS: &str = "hark_answers_total";
const STATES: &str = "hark_states_taken_up_total";
const FAILURES: &str = "hark_redis_failures_total";
/// What Redis is used for by whoever waits for what others tell.
pub(crate) const LISTENING: &str = "listening";
const AWAY: &str = "hark_redis_away";

/// Makes every series exist at zero, with its help text.
pub(super) fn describe() {
    describe_counter!(
        ANSWERS,
        "Answers of /detect to questions with a time, by where they came from; all but computed are hits"
    );
    describe_counter!(STATES, "Device states taken up from other processes");
    describe_counter!(
        FAILURES,
        "Questions to Redis without a usable answer, by what it is used for"
    );
    describe_gauge!(AWAY, "1 while Redis is left alone, by what it is used for");
    for from in ["process", "redis", "computed"] {
        counter!(ANSWERS, "from" => from).increment(0);
    }
    counter!(STATES).increment(0);
    for used_for in ["states and events", "answers", LISTENING] {
        counter!(FAILURES, "used_for" => used_for).increment(0);
        gauge!(AWAY, "used_for" => used_for).set(0.0);
    }
}

/// A question was answered from here.
pub(crate) fn answered(from: &'static str) {
    counter!(ANSWERS, "from" => from).increment(1);
}

/// A state of another process is in use.
#[cfg(feature = "redis")]
pub(crate) fn state_taken_up() {
    counter!(STATES).increment(1);
}

/// Redis gave no answer, or nonsense.
#[cfg(feature = "redis")]
pub(crate) fn redis_failed(used_for: &'static str) {
    counter!(FAILURES, "used_for" => used_for).increment(1);
}

/// Whether Redis is left alone.
#[cfg(feature = "redis")]
pub(crate) fn redis_away(used_for: &'static str, is_away: bool) {
    gauge!(AWAY, "used_for" => used_for).set(f64::from(u8::from(is_away)));
}
