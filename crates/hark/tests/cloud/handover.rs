//! Several consumers share a subscription, and one of them dies.

use std::process::{Child, Stdio};

use super::support::Place;

const READINGS: u64 = 4_000;

fn consumer(place: &Place, nth: u32) -> Child {
    let mut command = place.command("hark");
    command
        .args([
            "consume",
            "--until-idle",
            "25s",
            "--data-dir",
            &format!("consumer-{nth}"),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

/// How many readings the warehouse has, each counted once.
fn stored(place: &Place) -> u64 {
    let rows = place.hark(&["export", "--output", "-"]);
    rows.split(|it| *it == b'\n').filter(|it| !it.is_empty()).count() as u64
}

#[test]
fn a_consumer_that_is_killed_loses_nothing_and_nothing_is_read_twice() {
    let place = Place::new();
    std::fs::write(
        place.dir.path().join("hark.toml"),
        "[bus]\nkind = \"pubsub\"\nmax_batch = 200\nmax_queued = 1000\n[bus.pubsub]\nlease = \"10s\"\n[warehouse]\nkind = \"bigquery\"\n",
    )
    .unwrap();
    place.hark(&["setup"]);
    let period = [
        "--start",
        "2026-01-01T00:00:00Z",
        "--duration",
        "4000s",
        "--speed",
        "max",
    ];
    place.hark(&[&["simulate", "--bus", "pubsub", "--devices", "10"], &period[..]].concat());
    let mut killed = consumer(&place, 1);
    let mut other = consumer(&place, 2);
    while stored(&place) == 0 {}
    killed.kill().unwrap();
    killed.wait().unwrap();
    let mut third = consumer(&place, 3);
    for consumer in [&mut other, &mut third] {
        assert!(consumer.wait().unwrap().success());
    }
    assert_eq!(stored(&place), READINGS);
}
