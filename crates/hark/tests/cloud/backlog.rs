//! What a consumer of Pub/Sub tells of the messages that it could not settle yet.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::support::Place;

/// How long anything may take that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A consumer that is killed when the test is over.
struct Consumer {
    child: Child,
    metrics: String,
}

impl Consumer {
    fn start(place: &Place) -> Self {
        let mut child = place
            .command("hark")
            .args(["consume", "--data-dir", "consumer", "--metrics-listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let metrics = loop {
            let line = lines.next().expect("it says where its metrics are").unwrap();
            if let Some(at) = line.strip_prefix("Metrics") {
                break at.trim().to_owned();
            }
        };
        // The pipe must not fill up.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, metrics }
    }

    /// What it tells of its end of the bus.
    fn backlog(&self) -> Backlog {
        let text = ureq::get(&self.metrics).call().unwrap().body_mut().read_to_string();
        let text = text.unwrap();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name}:\n{text}")).parse().unwrap()
        };
        Backlog {
            queued: value("hark_bus_queued_messages"),
            capacity: value("hark_bus_capacity_messages"),
            oldest: value("hark_bus_oldest_unsettled_timestamp_seconds"),
        }
    }

    /// What it tells when so many messages are there.
    #[track_caller]
    fn with(&self, queued: f64) -> Backlog {
        let begun = Instant::now();
        loop {
            let backlog = self.backlog();
            if backlog.queued == queued {
                return backlog;
            }
            assert!(begun.elapsed() < PATIENCE, "{backlog:?}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[derive(Debug)]
struct Backlog {
    queued: f64,
    capacity: f64,
    oldest: f64,
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

#[test]
fn a_consumer_that_cannot_store_tells_how_much_it_holds_and_since_when() {
    let place = Place::new();
    std::fs::write(
        place.dir.path().join("hark.toml"),
        "[bus]\nkind = \"pubsub\"\nmax_queued = 1000\nmax_batch = 1000\n",
    )
    .unwrap();
    place.hark(&["setup"]);
    let begun = now();
    let consumer = Consumer::start(&place);
    let idle = consumer.with(0.0);
    assert_eq!(idle.capacity, 1_000.0);
    assert!(idle.oldest >= begun && idle.oldest <= now(), "{idle:?}");

    // While another process writes there, nothing is committed.
    let database = rusqlite::Connection::open(place.dir.path().join("consumer/hark.db")).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let one_each = ["--start", "2026-01-01T00:00:00Z", "--duration", "10s", "--speed", "max"];
    place.hark(&[&["simulate", "--bus", "pubsub", "--devices", "3"], &one_each[..]].concat());
    let published = now();
    let held = consumer.with(3.0);
    assert!(held.oldest >= begun && held.oldest <= published, "{held:?}");
    assert!(
        consumer.backlog().oldest <= published,
        "it grows no younger by being tried again"
    );

    database.execute_batch("ROLLBACK").unwrap();
    let settled = consumer.with(0.0);
    assert!(settled.oldest > published, "{settled:?}");
}
