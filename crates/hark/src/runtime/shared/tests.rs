//! What is shared, through a real Redis that the test starts, stops, hangs and empties.

use std::collections::HashSet;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{
    DeviceId, Judged, Judgement, Measurement, Reading, Reason, Signal, Signals, Span, Timestamp, Values, Verdict,
};
use tokio_util::sync::CancellationToken;
use warehouse::DeviceUpdate;

use super::Shared;
use crate::config::{Config, Environment, Flags, Redis};
use crate::runtime::events::{Event, Events};
use crate::runtime::fleet::Fleet;

/// A Redis of its own; none, loudly, where the program is missing.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    pub(crate) fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_at(port)
    }

    fn start_at(port: u16) -> Option<Self> {
        let mut command = Command::new("redis-server");
        command.args(["--save", "", "--bind", "127.0.0.1", "--port", &port.to_string()]);
        let Ok(child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
            #[expect(clippy::print_stderr, reason = "a skipped test says so")]
            {
                eprintln!("SKIPPED: there is no redis-server on this machine");
            }
            return None;
        };
        let server = Self { child, port };
        let until = Instant::now() + Duration::from_secs(30);
        while server.cli(&["PING"]).trim() != "PONG" {
            assert!(Instant::now() < until, "redis-server did not start");
        }
        Some(server)
    }

    pub(crate) fn config(&self) -> Redis {
        let environment = Environment::of([("REDIS_URL".to_owned(), format!("redis://127.0.0.1:{}", self.port))]);
        Config::load_with(&Flags::default(), &environment).unwrap().config.redis
    }

    pub(crate) fn cli(&self, args: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        let output = command
            .args(["-p", &self.port.to_string()])
            .args(args)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Hangs it, or lets it go on: it takes what is sent and answers nothing.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Writes nonsense over everything that lies there.
    pub(crate) fn spoil(&self) {
        for key in self.cli(&["KEYS", "*"]).lines() {
            self.cli(&["SET", key, "nonsense"]);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

fn signals() -> Signals {
    Signals::new(vec![Signal {
        name: "temperature".to_owned(),
        unit: "Cel".to_owned(),
        short: "temp".to_owned(),
    }])
    .unwrap()
}

fn reading(device_id: &DeviceId, second: i64) -> Reading {
    Reading {
        device_id: device_id.clone(),
        timestamp: Timestamp::from_secs(1_000_000 + second),
        values: Values::new(vec![Some(Measurement::new(second as f64, "temperature").unwrap())]),
        location: None,
        device_type: Some("pump".into()),
        truth: None,
    }
}

/// A consumer hears a device, and says what it would hand on.
fn hear(fleet: &Fleet, device_id: &DeviceId, second: i64) -> DeviceUpdate {
    let reading = reading(device_id, second);
    fleet.update(device_id, |it| it.state.push(&reading));
    DeviceUpdate {
        device_id: device_id.clone(),
        location: None,
        device_type: None,
        received_at: reading.timestamp,
        state: fleet.state_bytes(device_id),
    }
}

fn heard(fleet: &Fleet, device_id: &DeviceId) -> u64 {
    fleet.read(device_id, |it| it.map_or(0, |it| it.readings()))
}

/// As patient as a busy machine needs it.
fn open(server: &Server) -> Arc<Shared> {
    let config = Redis {
        patience: Duration::from_secs(1),
        ..server.config()
    };
    Shared::open(&config).unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_moves_to_another_consumer_goes_on_with_its_history() {
    let Some(server) = Server::start() else { return };
    let (one, other) = (open(&server), open(&server));
    let (here, there) = (Fleet::new(signals()), Fleet::new(signals()));
    let pump = DeviceId::new("pump").unwrap();
    one.hand_on(&here, &[hear(&here, &pump, 1)]).await;
    let update = hear(&here, &pump, 2);
    one.hand_on(&here, std::slice::from_ref(&update)).await;
    other.take_up(&there, &HashSet::from([&pump])).await;
    assert_eq!(there.state_bytes(&pump), update.state);
    // Back again, with what happened in between; and what is older than what is here is left alone.
    other.hand_on(&there, &[hear(&there, &pump, 3)]).await;
    // Who lost its lease may be the last to write what it knows.
    one.hand_on(&here, std::slice::from_ref(&update)).await;
    one.take_up(&here, &HashSet::from([&pump])).await;
    assert_eq!(heard(&here, &pump), 3);
    hear(&here, &pump, 4);
    one.take_up(&here, &HashSet::from([&pump])).await;
    assert_eq!(heard(&here, &pump), 4);
    server.spoil();
    let unsure = other.take_up(&there, &HashSet::from([&pump])).await;
    assert_eq!((heard(&there, &pump), unsure), (3, vec![(&pump, true)]));
    server.cli(&["FLUSHALL"]);
    let unsure = other.take_up(&there, &HashSet::from([&pump])).await;
    assert_eq!(
        unsure,
        [(&pump, false)],
        "nothing lies there, so the warehouse may know more"
    );
}

fn judged(device_id: &DeviceId) -> Judged {
    let judgement = Judgement {
        score: -0.1,
        is_anomaly: true,
        expected: Some(Span { low: 0.1, high: 0.3 }),
    };
    let reason = Reason {
        signal: "temperature".to_owned(),
        direction: domain::Direction::Above,
        share: 0.5,
        feature: "value".to_owned(),
        text: "too warm".to_owned(),
        once_in_days: Some(12.3),
    };
    Judged {
        reading: reading(device_id, 7),
        received_at: Timestamp::from_micros(1_000_007_000_001),
        verdict: Some(Verdict {
            model_version: "m-0001".into(),
            score: -0.1,
            is_anomaly: true,
            signals: vec![Some(judgement)],
            reasons: vec![reason],
        }),
        late: false,
        clock_suspect: true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_in_one_process_is_seen_live_in_the_others_and_once_in_its_own() {
    let Some(server) = Server::start() else { return };
    let (one, other) = (open(&server), open(&server));
    let (here, there) = (Arc::new(Events::new()), Arc::new(Events::new()));
    let fleet = Arc::new(Fleet::new(signals()));
    let stop = CancellationToken::new();
    let mut tasks = tokio::task::JoinSet::new();
    for (shared, events) in [(&one, &here), (&other, &there)] {
        tasks.spawn(super::relay::telling(shared.clone(), events.clone(), stop.clone()));
        let (shared, events, fleet, stop) = (shared.clone(), events.clone(), fleet.clone(), stop.clone());
        tasks.spawn(async move { shared.listen(&fleet, &events, stop).await });
    }
    while !server.cli(&["PUBSUB", "NUMSUB", "hark:events"]).ends_with("2\n") {}
    let (mut heard_here, mut heard_there) = (here.subscribe(None).receiver, there.subscribe(None).receiver);
    let pump = DeviceId::new("pump").unwrap();
    let news = Arc::new(vec![judged(&pump)]);
    here.send(Event::Readings(news.clone()));
    for heard in [&mut heard_here, &mut heard_there] {
        let Event::Readings(readings) = heard.recv().await.unwrap().event else {
            panic!("readings were sent");
        };
        assert_eq!(readings, news);
    }
    // Its own words come back to it and are not told again: the next it hears is the other's.
    there.send(Event::Readings(Arc::new(vec![judged(&DeviceId::new("fan").unwrap())])));
    let Event::Readings(readings) = heard_here.recv().await.unwrap().event else {
        panic!("readings were sent");
    };
    assert_eq!(readings[0].reading.device_id.as_str(), "fan");
    // A state that is handed on reaches who listens.
    let fresh = Fleet::new(signals());
    one.hand_on(&fresh, &[hear(&fresh, &pump, 1)]).await;
    while heard(&fleet, &pump) == 0 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_empty_hung_spoilt_or_gone_gives_no_answer_and_is_asked_again_later() {
    let Some(server) = Server::start() else { return };
    let shared = open(&server);
    let name = ["answer:1".to_owned()];
    let kept = [(name[0].clone(), b"body".to_vec())];
    shared.keep_answers(&kept).await;
    assert_eq!(shared.answers(&name).await, Some(vec![Some(b"body".to_vec())]));
    server.cli(&["FLUSHALL"]);
    assert_eq!(shared.answers(&name).await, Some(vec![None]));
    shared.keep_answers(&kept).await;
    server.spoil();
    assert_eq!(shared.answers(&name).await, Some(vec![None]));
    // One question waits in vain; after it nobody asks, but for trials that nobody waits for.
    server.signal("-STOP");
    for nth in 0..1_000 {
        assert_eq!(shared.answers(&name).await, None);
        assert!(shared.leaves_answers_alone(), "after question {nth}");
    }
    server.signal("-CONT");
    while shared.answers(&name).await.is_none() {
        tokio::task::yield_now().await;
    }
    let port = server.port;
    drop(server);
    assert_eq!(shared.answers(&name).await, None);
    let again = Server::start_at(port);
    while shared.answers(&name).await.is_none() {
        tokio::task::yield_now().await;
    }
    drop(again);
}
