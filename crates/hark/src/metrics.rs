//! The names of all metrics, and the only place that counts. What is a state rather than an event is looked up when
//! somebody asks, in `http::gauges`.

pub(crate) mod requests;
pub(crate) mod shared;

use std::sync::OnceLock;
use std::time::Duration;

use bus::Outcome;
use domain::{Judged, Label, RejectionCode, Severity, Signals, Standing, Timestamp};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tracing::warn;
use warehouse::{IncidentCount, Stored};

use crate::runtime::registry::Metrics;
use crate::runtime::shadow::Tally;

const RECEIVED: &str = "hark_readings_received_total";
const STORED: &str = "hark_readings_stored_total";
const DUPLICATE: &str = "hark_readings_duplicate_total";
const REJECTED: &str = "hark_readings_rejected_total";
const REFUSED: &str = "hark_messages_refused_total";
const LATE: &str = "hark_readings_late_total";
const CLOCK_SUSPECT: &str = "hark_readings_clock_suspect_total";
const IGNORED: &str = "hark_fields_ignored_total";
const VERDICTS: &str = "hark_verdicts_total";
const ANOMALIES: &str = "hark_anomalies_total";
const SCORE: &str = "hark_score";
const COMMIT_SECONDS: &str = "hark_commit_seconds";
const COMMIT_READINGS: &str = "hark_commit_readings";
const STORE_RETRIES: &str = "hark_commit_retries_total";
const MODEL: &str = "hark_model_created_timestamp_seconds";
const MODEL_INFO: &str = "hark_model_info";
const MODEL_METRIC: &str = "hark_model_metric";
const INCIDENTS_OPENED: &str = "hark_incidents_opened_total";
const INCIDENTS_CLOSED: &str = "hark_incidents_closed_total";
const INCIDENTS: &str = "hark_incidents";
const LABELLED: &str = "hark_labelled_incidents";
const RETRAININGS: &str = "hark_retrainings_total";
const SHADOW_FLAGS: &str = "hark_shadow_flag_rate";
const SHADOW_AGREEMENT: &str = "hark_shadow_agreement";
const NEWEST: &str = "hark_newest_commit_timestamp_seconds";
const HEARTBEAT: &str = "hark_heartbeat_timestamp_seconds";
const BUILD: &str = "hark_build_info";

/// The ways in that a message can name.
pub(crate) const SOURCES: [&str; 5] = ["http", "simulator", "import", "stdin", "pubsub"];

/// The stages of the pipeline that show a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// A batch was pulled.
    Consumer,
    /// A batch was judged.
    Detector,
    /// A batch was committed.
    Warehouse,
    /// A probe went the whole way.
    Canary,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Consumer, Self::Detector, Self::Warehouse, Self::Canary];

    fn as_str(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Detector => "detector",
            Self::Warehouse => "warehouse",
            Self::Canary => "canary",
        }
    }
}

/// The recorder of this process, installed at the first call.
pub(crate) fn install() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || {
        let recorder = recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            warn!("another metrics recorder is in place, /metrics stays empty");
        }
        describe_gauge!(
            BUILD,
            "1, with the version of the program and the commit that it was built from"
        );
        gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION"), "commit" => env!("HARK_COMMIT")).set(1.0);
        handle
    };
    HANDLE.get_or_init(install).clone()
}

/// A recorder with the bounds of the histograms: seconds, readings and scores (below 0 is anomalous).
fn recorder() -> PrometheusRecorder {
    let bounds: [(&str, &[f64]); 4] = [
        (requests::REQUEST_SECONDS, &[0.005, 0.05, 0.25, 2.5]),
        (COMMIT_SECONDS, &[0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0]),
        (COMMIT_READINGS, &[1.0, 10.0, 100.0, 1_000.0, 5_000.0]),
        (SCORE, &[-3.0, -1.0, -0.3, -0.1, 0.0, 0.1, 0.3, 1.0, 3.0]),
    ];
    let with = |builder: PrometheusBuilder, (name, bounds): (&str, &[f64])| {
        let matcher = Matcher::Full(name.to_owned());
        builder
            .set_buckets_for_metric(matcher, bounds)
            .expect("the bounds are not empty")
    };
    bounds.into_iter().fold(PrometheusBuilder::new(), with).build_recorder()
}

/// Makes every series exist at zero, with its help text.
pub(crate) fn describe(signals: &Signals) {
    describe_counters();
    describe_gauges();
    describe_histograms();
    shared::describe();
    start_at_zero(signals);
}

fn describe_counters() {
    for (name, help) in [
        (RECEIVED, "Messages received, by the way in"),
        (STORED, "Readings committed for the first time"),
        (DUPLICATE, "Readings that were stored already"),
        (REJECTED, "Messages refused and kept as dead letters, by reason"),
        (REFUSED, "Messages refused, by the way in"),
        (LATE, "Readings stored though a later one of the device was known"),
        (
            CLOCK_SUSPECT,
            "Readings stored with a time too far ahead to be believed",
        ),
        (IGNORED, "Fields left out because no declared signal answers to them"),
        (VERDICTS, "Readings committed for the first time, by verdict"),
        (
            ANOMALIES,
            "Readings with an anomalous verdict, by the signals that made it",
        ),
        (STORE_RETRIES, "Commits tried again"),
        (RETRAININGS, "Scheduled trainings, by what came of them"),
        (
            INCIDENTS_OPENED,
            "Incidents that were told, by how much they mattered at first",
        ),
        (
            INCIDENTS_CLOSED,
            "Incidents that ended, by how much they came to matter",
        ),
    ] {
        describe_counter!(name, help);
    }
}

fn describe_gauges() {
    for (name, help) in [
        (MODEL, "When the model in force was trained, seconds since 1970"),
        (MODEL_INFO, "1 for the model in force, by version and kind"),
        (
            MODEL_METRIC,
            "What was measured of the model in force, by what it was measured on",
        ),
        (INCIDENTS, "Incidents that are not resolved, by state and severity"),
        (LABELLED, "Incidents that people said a word on, by that word"),
        (
            SHADOW_FLAGS,
            "Share of readings flagged while a challenger judged beside the champion, by which of the two",
        ),
        (
            SHADOW_AGREEMENT,
            "Share of readings on which champion and challenger agreed",
        ),
        (NEWEST, "When readings were last committed, seconds since 1970"),
        (
            HEARTBEAT,
            "When a stage of the pipeline last showed a sign of life, seconds since 1970",
        ),
    ] {
        describe_gauge!(name, help);
    }
}

fn describe_histograms() {
    describe_histogram!(SCORE, "Combined scores of readings; below 0 is anomalous");
    describe_histogram!(
        COMMIT_SECONDS,
        "How long a commit of the warehouse took, retries included"
    );
    describe_histogram!(COMMIT_READINGS, "Readings in a commit");
}

fn start_at_zero(signals: &Signals) {
    let zero = |name: &'static str, label: &'static str, value: String| counter!(name, label => value).increment(0);
    for name in [RECEIVED, REFUSED] {
        SOURCES.iter().for_each(|it| zero(name, "source", (*it).to_owned()));
    }
    RejectionCode::ALL
        .iter()
        .for_each(|it| zero(REJECTED, "reason", it.as_str().to_owned()));
    ["normal", "anomalous", "unjudged"]
        .iter()
        .for_each(|it| zero(VERDICTS, "verdict", (*it).to_owned()));
    signals.iter().for_each(|it| zero(ANOMALIES, "signal", it.name.clone()));
    for severity in Severity::ALL {
        counter!(INCIDENTS_OPENED, "severity" => severity.as_str()).increment(0);
        counter!(INCIDENTS_CLOSED, "severity" => severity.as_str()).increment(0);
    }
    for outcome in ["promoted", "kept", "failed"] {
        counter!(RETRAININGS, "outcome" => outcome).increment(0);
    }
    for name in [STORED, DUPLICATE, LATE, CLOCK_SUSPECT, IGNORED, STORE_RETRIES] {
        counter!(name).increment(0);
    }
    incidents(&[]);
    for stage in Stage::ALL {
        gauge!(HEARTBEAT, "stage" => stage.as_str()).set(0.0);
    }
}

/// A message came in.
pub(crate) fn received(source: &'static str) {
    counter!(RECEIVED, "source" => source).increment(1);
}

/// A message that came in was refused; the reason is counted when it is kept.
pub(crate) fn refused(source: &'static str) {
    counter!(REFUSED, "source" => source).increment(1);
}

/// A stage of the pipeline did something.
pub(crate) fn alive(stage: Stage, now: Timestamp) {
    gauge!(HEARTBEAT, "stage" => stage.as_str()).set(now.as_secs_f64());
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
            Outcome::Probe => {}
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

/// A batch of readings was committed in this time.
pub(crate) fn committed(readings: &[Judged], stored: &[Stored], signals: &Signals, took: Duration) {
    histogram!(COMMIT_SECONDS).record(took.as_secs_f64());
    histogram!(COMMIT_READINGS).record(readings.len() as f64);
    let (mut normal, mut anomalous, mut unjudged) = (0, 0, 0);
    let mut of_signals = vec![0_u64; signals.len()];
    let scores = histogram!(SCORE);
    let new = readings.iter().zip(stored).filter(|(_, it)| **it == Stored::New);
    for (judged, _) in new {
        let Some(verdict) = &judged.verdict else {
            unjudged += 1;
            continue;
        };
        scores.record(verdict.score);
        if !verdict.is_anomaly {
            normal += 1;
            continue;
        }
        anomalous += 1;
        for (count, judgement) in of_signals.iter_mut().zip(&verdict.signals) {
            *count += u64::from(judgement.is_some_and(|it| it.is_anomaly));
        }
    }
    for (verdict, count) in [("normal", normal), ("anomalous", anomalous), ("unjudged", unjudged)] {
        counter!(VERDICTS, "verdict" => verdict).increment(count);
    }
    for (signal, count) in signals.iter().zip(of_signals) {
        counter!(ANOMALIES, "signal" => signal.name.clone()).increment(count);
    }
    if let Some(last) = readings.last() {
        gauge!(NEWEST).set(last.received_at.as_secs_f64());
    }
}

/// A commit failed and is tried again.
pub(crate) fn store_retried() {
    counter!(STORE_RETRIES).increment(1);
}

/// A model is in force, in the place of the one before.
pub(crate) fn model(model: &detector::Model, before: Option<&detector::Model>, metrics: Option<&Metrics>) {
    let info =
        |it: &detector::Model| gauge!(MODEL_INFO, "version" => it.version.to_string(), "kind" => it.kind.as_str());
    if let Some(before) = before {
        info(before).set(0.0);
    }
    info(model).set(1.0);
    gauge!(MODEL).set(model.provenance.created_at.as_secs_f64());
    let report = metrics.map(|it| &it.held_out);
    let labelled = report.and_then(|it| it.labelled.as_ref());
    let measures = [
        ("flag_rate", report.map(|it| it.flag_rate)),
        ("precision", labelled.and_then(|it| it.precision)),
        ("recall", labelled.and_then(|it| it.recall)),
        ("f1", labelled.and_then(|it| it.f1)),
    ];
    for (name, value) in measures {
        measured(name, "heldout", value);
    }
}

/// What people's words on incidents make of the line that is in force.
pub(crate) fn labelled(words: &[(Label, u64)], precision: Option<f64>, recall: Option<f64>) {
    for (label, incidents) in words {
        gauge!(LABELLED, "label" => label.as_str()).set(*incidents as f64);
    }
    let f1 = precision
        .zip(recall)
        .map(|(p, r)| if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 });
    for (name, value) in [("precision", precision), ("recall", recall), ("f1", f1)] {
        measured(name, "labels", value);
    }
}

/// A measure that is not known is not a number.
fn measured(metric: &'static str, on: &'static str, value: Option<f64>) {
    gauge!(MODEL_METRIC, "metric" => metric, "on" => on).set(value.unwrap_or(f64::NAN));
}

/// An incident was told.
pub(crate) fn incident_opened(severity: Severity) {
    counter!(INCIDENTS_OPENED, "severity" => severity.as_str()).increment(1);
}

/// An incident ended.
pub(crate) fn incident_closed(severity: Severity) {
    counter!(INCIDENTS_CLOSED, "severity" => severity.as_str()).increment(1);
}

/// So many incidents stand so.
pub(crate) fn incidents(counts: &[IncidentCount]) {
    for standing in Standing::ALL.into_iter().filter(|it| *it != Standing::Resolved) {
        for severity in Severity::ALL {
            let counted = counts
                .iter()
                .find(|it| it.standing == standing && it.severity == severity);
            let count = counted.map_or(0, |it| it.incidents);
            gauge!(INCIDENTS, "state" => standing.as_str(), "severity" => severity.as_str()).set(count as f64);
        }
    }
}

/// A scheduled training ended: `promoted`, `kept` or `failed`.
pub(crate) fn retrained(outcome: &'static str) {
    counter!(RETRAININGS, "outcome" => outcome).increment(1);
}

/// What a challenger did beside the champion.
pub(crate) fn shadow(tally: &Tally) {
    let rate = |flags: u64| flags as f64 / tally.readings.max(1) as f64;
    gauge!(SHADOW_FLAGS, "model" => "champion").set(rate(tally.champion_flags));
    gauge!(SHADOW_FLAGS, "model" => "challenger").set(rate(tally.challenger_flags));
    gauge!(SHADOW_AGREEMENT).set(tally.agreement());
}
