//! A consumer and a trainer that serve no API tell how they are all the same.

use std::time::{Duration, Instant};

use crate::support::Hark;

/// The value of a series.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let rest = metrics
        .lines()
        .find_map(|it| it.strip_prefix(series)?.strip_prefix(' '))?;
    rest.parse().ok()
}

/// Asks for the metrics until a series has a value of at least this.
#[track_caller]
fn reaches(hark: &Hark, series: &str, least: f64) -> String {
    let begun = Instant::now();
    loop {
        let (status, metrics) = hark.text("/metrics");
        assert_eq!(status, 200);
        if value(&metrics, series).is_some_and(|it| it >= least) {
            return metrics;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{series}:\n{metrics}");
        std::thread::yield_now();
    }
}

fn reading(nth: u32) -> String {
    let (hour, minute, second) = (nth / 3_600, nth / 60 % 60, nth % 60);
    format!(
        r#"{{"device_id":"pump","timestamp":"2025-08-06T{hour:02}:{minute:02}:{second:02}Z","temperature":{},"vibration":1.{}}}"#,
        20 + nth % 7,
        nth % 10
    )
}

#[test]
fn a_consumer_tells_how_it_is_and_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["consume", "--metrics-listen", "127.0.0.1:0"];
    let mut hark = Hark::start_until(folder.path(), &args, "Metrics");
    let at = hark.api.clone();
    hark.api = at.strip_suffix("/metrics").unwrap().to_owned();
    assert_eq!(hark.text("/readyz").0, 200);
    assert_eq!(hark.text("/livez").0, 200);
    let (_, before) = hark.text("/metrics");
    for series in [
        "hark_readings_stored_total",
        r#"hark_readings_rejected_total{reason="malformed_json"}"#,
    ] {
        assert_eq!(value(&before, series), Some(0.0), "{series}:\n{before}");
    }
    hark.tell(&reading(0));
    hark.tell(&reading(1));
    hark.tell("{");
    let after = reaches(&hark, "hark_readings_stored_total", 2.0);
    assert!(!after.contains("pump"), "a device is named:\n{after}");
    assert!(value(&after, "process_resident_memory_bytes").unwrap() > 0.0);
    reaches(&hark, r#"hark_readings_received_total{source="stdin"}"#, 3.0);
    reaches(&hark, r#"hark_messages_refused_total{source="stdin"}"#, 1.0);
    // The API is elsewhere.
    assert_eq!(hark.text("/api/v1/devices").0, 404);
    assert_eq!(hark.terminate(), Some(0));
}

#[test]
fn a_trainer_goes_on_and_tells_the_model_that_it_put_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let mut consumer = Hark::start_until(
        folder.path(),
        &["consume", "--metrics-listen", "127.0.0.1:0"],
        "Metrics",
    );
    consumer.api = consumer.api.strip_suffix("/metrics").unwrap().to_owned();
    for nth in 0..1_500 {
        consumer.tell(&reading(nth));
    }
    reaches(&consumer, "hark_readings_stored_total", 1_500.0);
    let args = ["train", "--every", "1h", "--metrics-listen", "127.0.0.1:0"];
    let mut trainer = Hark::start_until(folder.path(), &args, "Metrics");
    trainer.api = trainer.api.strip_suffix("/metrics").unwrap().to_owned();
    let metrics = reaches(&trainer, r#"hark_retrainings_total{outcome="promoted"}"#, 1.0);
    assert_eq!(
        value(&metrics, r#"hark_retrainings_total{outcome="failed"}"#),
        Some(0.0)
    );
    reaches(&trainer, r#"hark_model_info{version="m-0001",kind="hybrid"}"#, 1.0);
    assert_eq!(trainer.text("/readyz").0, 200);
    assert_eq!(trainer.terminate(), Some(0));
}
