//! No skew: one stream through training replay, consumer, `/detect` and backtest gives the same features and scores,
//! to the last bit, with doubles, late readings and missing values in it.

use detector::{DeviceState, IncidentRules, Kind};
use domain::{DeviceId, Judged, TimeRange, wire};
use warehouse::ReadingQuery;

use super::support::Running;
use crate::backtest::Replay;
use crate::runtime::clock;
use crate::runtime::fleet::Fleet;

const DEVICE: &str = "parity-1";

/// 300 messages of one device: every seventh comes again, every eleventh comes late, every fifth lacks a signal.
fn stream() -> Vec<String> {
    let begun = clock::now().plus_micros(-4_000_000_000);
    let message = |step: i64| {
        let late = if step % 11 == 10 { 5 } else { 0 };
        let at = begun.plus_micros((step - late) * 10_000_000 + late);
        let wave = ((step * 53) % 97) as f64 / 31.0;
        let spike = if step % 50 == 49 { 15.0 } else { 0.0 };
        let vibration = if step % 5 == 4 {
            String::new()
        } else {
            format!(r#","vibration":{}"#, 1.0 + wave / 3.0)
        };
        format!(
            r#"{{"device_id":"{DEVICE}","timestamp":"{at}","temperature":{}{vibration}}}"#,
            21.0 + wave + spike
        )
    };
    (0..300)
        .flat_map(|step| std::iter::repeat_n(message(step), if step % 7 == 6 { 2 } else { 1 }))
        .collect()
}

/// Scores as bits: combined, then one a signal; a signal without a value has none.
type Bits = (u64, Vec<Option<u64>>);

fn bits(verdict: &domain::Verdict) -> Bits {
    let signals = verdict
        .signals
        .iter()
        .map(|it| it.map(|it| it.score.to_bits()))
        .collect();
    (verdict.score.to_bits(), signals)
}

/// Asks about each message, and posts it then. `/detect` wants every signal; one alone has a path of its own, which
/// tells that signal's score and no combined one.
async fn asked(running: &Running, stream: &[String]) -> Vec<(Option<u64>, Vec<Option<u64>>)> {
    let mut scores = Vec::new();
    for message in stream {
        let whole = message.contains("vibration");
        let path = if whole { "/detect" } else { "/detect/temperature" };
        let json = running.post_json(path, message.as_str()).await.json();
        let of = |field: &str| json[field].as_f64().map(f64::to_bits);
        let temperature = if whole { "temp_anomaly_score" } else { "anomaly_score" };
        let signals = vec![of(temperature), of("vibration_anomaly_score")];
        scores.push((of("anomaly_score").filter(|_| whole), signals));
        running.post_json("/api/v1/readings", message.as_str()).await;
    }
    scores
}

async fn stored(running: &Running) -> Vec<Judged> {
    let query = ReadingQuery {
        device_id: Some(DeviceId::new(DEVICE).unwrap()),
        range: TimeRange::ALL,
        anomalies_only: false,
        newest_first: false,
        limit: 1_000,
        after: None,
    };
    running.app.warehouse.readings(query).await.unwrap().items
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_gets_the_same_scores_on_every_path() {
    for kind in [Kind::IsolationForest, Kind::Hybrid, Kind::Statistical] {
        same_on_every_path(kind).await;
    }
}

async fn same_on_every_path(kind: Kind) {
    let running = Running::trained_as(kind).await;
    let model = running.app.live_model.get().unwrap();
    let stream = stream();
    let asked = asked(&running, &stream).await;
    let mut replay = Replay::new(&model, &running.app.judging, IncidentRules::default());
    let mut first_of = std::collections::HashMap::new();
    for (message, asked) in stream.iter().zip(&asked) {
        let reading = wire::decode(message.as_bytes(), &model.signals, None).unwrap().reading;
        let backtest = bits(&replay.judge(&reading, true).verdict);
        assert_eq!(backtest.1, asked.1, "the signals, backtest and /detect on {message}");
        if let Some(combined) = asked.0 {
            assert_eq!(backtest.0, combined, "backtest and /detect on {message}");
        }
        first_of.entry(reading.timestamp).or_insert(backtest);
    }
    let stored = stored(&running).await;
    assert_eq!(stored.len(), 300);
    assert!(stored.iter().any(|it| it.late) && stored.iter().any(|it| it.verdict.as_ref().unwrap().is_anomaly));
    for judged in &stored {
        let consumer = bits(judged.verdict.as_ref().unwrap());
        assert_eq!(
            first_of[&judged.reading.timestamp], consumer,
            "consumer at {}",
            judged.reading.timestamp
        );
    }
    let mut state = DeviceState::new(&model.signals);
    for judged in stored.iter().filter(|it| !it.late) {
        let trained = bits(&model.step(&mut state, &judged.reading));
        assert_eq!(
            trained,
            bits(judged.verdict.as_ref().unwrap()),
            "replay at {}",
            judged.reading.timestamp
        );
    }
    let live = running
        .app
        .fleet
        .read(&DeviceId::new(DEVICE).unwrap(), |it| it.cloned());
    assert_eq!(live.unwrap().to_bytes(&model.signals), state.to_bytes(&model.signals));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_a_device_survives_a_restart_bit_for_bit() {
    let running = Running::trained().await;
    let id = DeviceId::new("pump-1").unwrap();
    let before = running.app.fleet.state_bytes(&id);
    let stored = running.app.warehouse.device_states().await.unwrap();
    let (_, bytes) = stored.into_iter().find(|(device, _)| *device == id).unwrap();
    assert_eq!(before, bytes);
    let restarted = Fleet::new(running.app.fleet.signals().clone());
    restarted.take_up(id.clone(), &bytes).unwrap();
    assert_eq!(restarted.state_bytes(&id), before);
}
