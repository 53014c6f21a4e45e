//! Incidents survive kills: each has its readings and each event has one, whenever the process dies.

use std::collections::BTreeMap;
use std::path::Path;

use super::support::{Hark, agent};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

const KILLS: usize = 12;
const DEVICES: usize = 4;
const SEED: u64 = 404;

/// The readings of all devices at a step of ten seconds; of every hundred the last ten are hot.
fn batch(step: i64) -> String {
    let at = domain::Timestamp::from_secs(1_750_000_000 + step * 10);
    let line = |device: usize| {
        let hot = if step % 100 >= 90 { 60.0 } else { 0.0 };
        let wave = ((step * 37 + device as i64 * 11) % 100) as f64 / 100.0;
        format!(
            "{{\"device_id\":\"d{device}\",\"timestamp\":\"{at}\",\"temperature\":{},\"vibration\":{}}}\n",
            20.0 + hot + wave,
            1.0 + wave / 4.0
        )
    };
    (0..DEVICES).map(line).collect()
}

fn post(api: &str, from: i64, to: i64) -> bool {
    let body: String = (from..to).map(batch).collect();
    let answer = agent()
        .post(format!("{api}/api/v1/readings"))
        .content_type("application/x-ndjson")
        .send(body);
    answer.is_ok_and(|it| it.status() == 200)
}

/// Calm history and a model of it.
fn prepare(data: &Path) {
    let mut hark = Hark::serve(data);
    assert!(post(&hark.api, 0, 85));
    assert_eq!(hark.terminate(), Some(0));
    let trained = std::process::Command::new(env!("CARGO_BIN_EXE_hark"))
        .args(["train", "--quiet", "--data-dir"])
        .arg(data)
        .env("HARK__TRAIN__MIN_READINGS", "300")
        .env("HARK__DETECTOR__KIND", "isolation-forest")
        .current_dir(data)
        .status()
        .unwrap();
    assert!(trained.success());
}

#[test]
fn every_event_is_one_incident_however_often_the_process_is_killed() {
    let data = tempfile::tempdir().unwrap();
    prepare(data.path());
    let mut random = Pcg64::seed_from_u64(SEED);
    let mut next = 85;
    for _ in 0..KILLS {
        let mut hark = Hark::serve(data.path());
        for _ in 0..random.random_range(2..6) {
            let to = next + random.random_range(3..20);
            // Some of it was sent before.
            assert!(post(&hark.api, next - 5, to));
            next = to;
        }
        // The last batch may or may not be stored when the process dies.
        let api = hark.api.clone();
        let sending = std::thread::spawn(move || post(&api, next, next + 40));
        if random.random_range(0..2) == 0 {
            std::thread::yield_now();
        }
        hark.kill();
        if sending.join().unwrap() {
            next += 40;
        }
    }
    let mut hark = Hark::serve(data.path());
    // A hundred calm steps close what was open.
    let calm = next - next.rem_euclid(100) + 100;
    assert!(post(&hark.api, next, calm));
    assert!(post(&hark.api, calm, calm + 90));
    assert_eq!(hark.terminate(), Some(0));
    check(data.path(), calm / 100);
}

fn check(data: &Path, n_events: i64) {
    let database = rusqlite::Connection::open(data.join("hark.db")).unwrap();
    let number = |sql: &str| -> i64 { database.query_row(sql, [], |row| row.get(0)).unwrap() };
    let without_readings = number(
        "SELECT count(*) FROM incidents i WHERE NOT EXISTS (SELECT 1 FROM sensor_readings r
           WHERE r.device_id = i.device_id AND r.timestamp = i.began AND r.flag = 1)
         OR NOT EXISTS (SELECT 1 FROM sensor_readings r
           WHERE r.device_id = i.device_id AND r.timestamp = i.last AND r.flag = 1)",
    );
    let overlapping = number(
        "SELECT count(*) FROM incidents a JOIN incidents b ON a.device_id = b.device_id AND a.began < b.began
         WHERE b.began <= a.last",
    );
    let miscounted = number(
        "SELECT count(*) FROM incidents i WHERE i.readings <> (SELECT count(*) FROM sensor_readings r
           WHERE r.device_id = i.device_id AND r.timestamp BETWEEN i.began AND i.last AND r.flag = 1 AND r.late = 0)",
    );
    let unopened = number(
        "SELECT count(*) FROM incidents i WHERE 1 <> (SELECT count(*) FROM incident_audit a WHERE a.incident_id = i.id AND a.action = 'opened')",
    );
    assert_eq!((without_readings, overlapping, miscounted, unopened), (0, 0, 0, 0));
    let mut query = database
        .prepare("SELECT device_id, (began / 1000000 - 1750000000) / 1000, count(*) FROM incidents WHERE readings >= 8 GROUP BY 1, 2")
        .unwrap();
    let rows = query
        .query_map([], |row| Ok(((row.get::<_, String>(0)?, row.get(1)?), row.get(2)?)))
        .unwrap();
    let told: BTreeMap<(String, i64), i64> = rows.map(Result::unwrap).collect();
    println!(
        "{KILLS} kills, {} incidents of {} events",
        told.len(),
        n_events * DEVICES as i64
    );
    assert!(told.values().all(|it| *it == 1), "{told:?}");
    assert_eq!(told.len() as i64, n_events * DEVICES as i64);
}
