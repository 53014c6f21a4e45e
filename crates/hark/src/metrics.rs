//! The names of all metrics, and the only place that counts.

use bus::Outcome;
use domain::{Judged, RejectionCode};
use metrics::{counter, gauge};
use warehouse::Stored;

const RECEIVED: &str = "hark_readings_received_total";
const STORED: &str = "hark_readings_stored_total";
const DUPLICATE: &str = "hark_readings_duplicate_total";
const REJECTED: &str = "hark_readings_rejected_total";
const LATE: &str = "hark_readings_late_total";
const CLOCK_SUSPECT: &str = "hark_readings_clock_suspect_total";
const IGNORED: &str = "hark_fields_ignored_total";
const ANOMALIES: &str = "hark_anomalies_total";
const STORE_RETRIES: &str = "hark_commit_retries_total";
const REQUESTS: &str = "hark_http_requests_total";
const MODEL: &str = "hark_model_created_timestamp_seconds";
const NEWEST: &str = "hark_newest_commit_timestamp_seconds";

/// The ways in that a message can name.
pub(crate) const SOURCES: [&str; 5] = ["http", "simulator", "import", "stdin", "pubsub"];

/// Makes every series exist at zero, with its help text.
pub(crate) fn describe() {
    use metrics::{describe_counter, describe_gauge};
    describe_counter!(RECEIVED, "Messages received, by the way in");
    describe_counter!(STORED, "Readings committed for the first time");
    describe_counter!(DUPLICATE, "Readings that were stored already");
    describe_counter!(REJECTED, "Messages refused and kept as dead letters, by reason");
    describe_counter!(LATE, "Readings stored though a later one of the device was known");
    describe_counter!(
        CLOCK_SUSPECT,
        "Readings stored with a time too far ahead to be believed"
    );
    describe_counter!(IGNORED, "Fields left out because no declared signal answers to them");
    describe_counter!(ANOMALIES, "Readings with an anomalous verdict");
    describe_counter!(STORE_RETRIES, "Commits tried again");
    describe_counter!(REQUESTS, "HTTP requests answered, by route and status class");
    describe_gauge!(MODEL, "When the model in force was trained, seconds since 1970");
    describe_gauge!(NEWEST, "When readings were last committed, seconds since 1970");
    SOURCES
        .iter()
        .for_each(|it| counter!(RECEIVED, "source" => *it).increment(0));
    RejectionCode::ALL
        .iter()
        .for_each(|it| counter!(REJECTED, "reason" => it.as_str()).increment(0));
    for name in [
        STORED,
        DUPLICATE,
        LATE,
        CLOCK_SUSPECT,
        IGNORED,
        ANOMALIES,
        STORE_RETRIES,
    ] {
        counter!(name).increment(0);
    }
}

/// A message came in.
pub(crate) fn received(source: &'static str) {
    counter!(RECEIVED, "source" => source).increment(1);
}

/// A batch was committed.
pub(crate) fn outcomes(outcomes: &[Outcome]) {
    let (mut stored, mut duplicate, mut late, mut suspect, mut ignored) = (0, 0, 0, 0, 0);
    for outcome in outcomes {
        match outcome {
            Outcome::Stored(notes) => {
                stored += 1;
                late += u64::from(notes.late);
                suspect += u64::from(notes.clock_suspect);
                ignored += notes.ignored.len() as u64;
            }
            Outcome::Duplicate => duplicate += 1,
            Outcome::Rejected(rejection) => counter!(REJECTED, "reason" => rejection.code.as_str()).increment(1),
        }
    }
    for (name, count) in [
        (STORED, stored),
        (DUPLICATE, duplicate),
        (LATE, late),
        (CLOCK_SUSPECT, suspect),
        (IGNORED, ignored),
    ] {
        counter!(name).increment(count);
    }
}

/// Verdicts were committed.
pub(crate) fn verdicts(readings: &[Judged], stored: &[Stored]) {
    let new = readings.iter().zip(stored).filter(|(_, it)| **it == Stored::New);
    let anomalies = new
        .filter(|(judged, _)| judged.verdict.as_ref().is_some_and(|it| it.is_anomaly))
        .count();
    counter!(ANOMALIES).increment(anomalies as u64);
    if let Some(last) = readings.last() {
        gauge!(NEWEST).set(last.received_at.as_secs_f64());
    }
}

/// A commit failed and is tried again.
pub(crate) fn store_retried() {
    counter!(STORE_RETRIES).increment(1);
}

/// A request was answered. `route` is the pattern, never the path as sent.
pub(crate) fn request(route: &str, status: u16) {
    let class = match status {
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    counter!(REQUESTS, "route" => route.to_owned(), "status" => class).increment(1);
}

/// A model is in force.
pub(crate) fn model(created_at: domain::Timestamp) {
    gauge!(MODEL).set(created_at.as_secs_f64());
}
