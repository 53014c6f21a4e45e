//! Acknowledged means stored: the process is killed again and again while clients post.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::{Hark, agent};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

const KILLS: usize = 25;
const CLIENTS: usize = 4;
const SEED: u64 = 2_026;

/// One batch of twenty readings of one client, each with an identity of its own.
fn batch(client: usize, number: usize) -> (Vec<(String, i64)>, String) {
    let device = format!("client_{client}");
    let ids: Vec<(String, i64)> = (0..20)
        .map(|it| (device.clone(), 1_750_000_000 + (number * 20 + it) as i64))
        .collect();
    let line = |(device, at): &(String, i64)| {
        let at = domain::Timestamp::from_secs(*at);
        format!("{{\"device_id\":\"{device}\",\"timestamp\":\"{at}\",\"temperature\":20.5,\"vibration\":1.5}}\n")
    };
    let body = ids.iter().map(line).collect();
    (ids, body)
}

/// Posts batches until the server is gone. A batch that was not answered is posted again to the next server.
fn post(api: &str, client: usize, next: &AtomicUsize, acked: &Mutex<BTreeSet<(String, i64)>>, enough: &AtomicUsize) {
    let agent = agent();
    loop {
        let (ids, body) = batch(client, next.load(Ordering::SeqCst));
        let answer = agent
            .post(format!("{api}/api/v1/readings"))
            .content_type("application/x-ndjson")
            .send(body);
        let Ok(answer) = answer else { return };
        assert_eq!(answer.status(), 200);
        acked.lock().unwrap().extend(ids);
        next.fetch_add(1, Ordering::SeqCst);
        enough.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_kills() {
    let data = tempfile::tempdir().unwrap();
    let mut random = Pcg64::seed_from_u64(SEED);
    let acked = Mutex::new(BTreeSet::new());
    let next: Vec<AtomicUsize> = (0..CLIENTS).map(|_| AtomicUsize::new(0)).collect();
    for _ in 0..KILLS {
        let mut hark = Hark::serve(data.path());
        let (answered, deadline) = (AtomicUsize::new(0), random.random_range(1..40));
        let api = hark.api.clone();
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let (api, next, acked, answered) = (&api, &next[client], &acked, &answered);
                    scope.spawn(move || post(api, client, next, acked, answered))
                })
                .collect();
            while answered.load(Ordering::SeqCst) < deadline && !clients.iter().all(|it| it.is_finished()) {
                std::thread::yield_now();
            }
            hark.kill();
        });
    }
    let acked = acked.into_inner().unwrap();
    let stored = stored(data.path());
    let lost = acked.iter().filter(|it| stored.binary_search(it).is_err()).count();
    let doubled = stored.windows(2).filter(|it| it[0] == it[1]).count();
    println!(
        "{KILLS} kills, {} readings acknowledged, {} stored, {lost} lost, {doubled} doubled",
        acked.len(),
        stored.len()
    );
    assert!(acked.len() > KILLS * 20);
    assert_eq!((lost, doubled), (0, 0));
}

/// All identities in the database, sorted, after its integrity check.
fn stored(data: &std::path::Path) -> Vec<(String, i64)> {
    // A last start recovers what the last kill left.
    let mut hark = Hark::serve(data);
    assert_eq!(hark.get("/health")["status"], "healthy");
    assert_eq!(hark.terminate(), Some(0));
    let database = rusqlite::Connection::open(data.join("hark.db")).unwrap();
    let check: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    let mut query = database
        .prepare("SELECT device_id, timestamp FROM sensor_readings")
        .unwrap();
    let rows = query
        .query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)? / 1_000_000))
        })
        .unwrap();
    let mut stored: Vec<(String, i64)> = rows.map(Result::unwrap).collect();
    stored.sort();
    stored
}
