//! What is damaged is told, with the name of the file, and never brings the process down.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use domain::{Judged, Signals};
use tempfile::TempDir;
use warehouse::conformance::{Sample, commit_of, everything};
use warehouse::embedded::{EmbeddedWarehouse, Options};
use warehouse::{Warehouse, WarehouseError, WarehouseErrorKind};

const FILE: &str = "hark.db";
const ROWS: i64 = 3_000;

fn open(dir: &Path) -> Result<EmbeddedWarehouse, WarehouseError> {
    EmbeddedWarehouse::open(dir, Signals::default(), &Options::default())
}

fn readings(first: i64, n_readings: i64) -> Vec<Judged> {
    let sample = |it| Sample {
        score: Some(if it % 50 == 0 { -0.5 } else { 0.5 }),
        ..Sample::new("sensor_001", it)
    };
    (first..first + n_readings).map(|it| sample(it).judged()).collect()
}

/// The bytes of a file with some thousand readings.
async fn sound() -> Vec<u8> {
    let dir = TempDir::new().expect("folders can be made");
    let warehouse = open(dir.path()).expect("the folder is fresh");
    warehouse
        .store(commit_of(readings(0, ROWS)))
        .await
        .expect("readings can be stored");
    drop(warehouse);
    fs::read(dir.path().join(FILE)).expect("the file was made")
}

/// Opens a file of these bytes and tries everything on it.
async fn tried(bytes: &[u8]) -> Result<usize, WarehouseError> {
    let dir = TempDir::new().expect("folders can be made");
    fs::write(dir.path().join(FILE), bytes).expect("the folder is fresh");
    let warehouse = open(dir.path())?;
    warehouse.check().await?;
    warehouse.devices().await?;
    let mut n_readings = 0;
    let mut scan = warehouse.scan(domain::TimeRange::ALL);
    while let Some(block) = scan.next().await? {
        n_readings += block.len();
    }
    Ok(n_readings)
}

async fn check(bytes: &[u8], problem: &str) {
    let failure = tried(bytes).await.expect_err("the file is damaged");
    let text = failure.to_string();
    assert_eq!(failure.kind, WarehouseErrorKind::Corrupt, "{text}");
    assert!(
        text.contains(FILE) && text.contains(problem) && text.contains("hint: "),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_no_warehouse_is_refused_with_a_hint() {
    check(b"", "is empty").await;
    check(
        "no database at all, but a long text\n".repeat(99).as_bytes(),
        "failed to open",
    )
    .await;
    let dir = TempDir::new().unwrap();
    let foreign = dir.path().join("foreign.db");
    let connection = rusqlite::Connection::open(&foreign).unwrap();
    connection.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    check(&fs::read(&foreign).unwrap(), "is the database of another program").await;
}

#[tokio::test]
async fn a_file_of_a_later_release_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    drop(open(dir.path()).unwrap());
    let file = dir.path().join(FILE);
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA user_version = 2;")
        .unwrap();
    connection.close().unwrap();
    let bytes = fs::read(&file).unwrap();
    check(&bytes, "has schema 2, this program knows 1").await;
    assert!(open(dir.path()).is_err());
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[tokio::test]
async fn a_log_without_its_file_is_refused() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("hark.db-wal"), "left over").unwrap();
    let failure = open(dir.path()).err().unwrap();
    assert_eq!(failure.kind, WarehouseErrorKind::Corrupt);
    assert!(failure.to_string().contains("is missing, but its log"), "{failure}");
}

#[tokio::test]
async fn a_cut_file_is_told_wherever_it_was_cut() {
    let bytes = sound().await;
    assert_eq!(tried(&bytes).await.unwrap(), ROWS as usize);
    for nth in 0..25 {
        let length = bytes.len() * nth / 25 + nth % 2;
        let failure = tried(&bytes[..length]).await.unwrap_err();
        assert_eq!(
            failure.kind,
            WarehouseErrorKind::Corrupt,
            "{failure}: {length} bytes of {}",
            bytes.len()
        );
        assert!(failure.to_string().contains(FILE), "{failure}");
    }
}

#[tokio::test]
async fn a_flipped_byte_is_told_or_changes_no_count() {
    let bytes = sound().await;
    let mut n_told = 0;
    for nth in 0..80 {
        let mut damaged = bytes.clone();
        // Some in the header of the file, some in the headers of pages, the rest anywhere.
        let place = match nth {
            0..20 => nth * 5,
            20..40 => (nth - 19) * 4096 % bytes.len() + nth % 8,
            _ => nth * 7_919_993 % bytes.len(),
        };
        damaged[place] ^= 0xA5;
        match tried(&damaged).await {
            Ok(n_readings) => assert_eq!(n_readings, ROWS as usize, "after a flip at {place}"),
            Err(failure) => {
                n_told += 1;
                assert!(failure.to_string().contains(FILE), "{failure}");
            }
        }
    }
    assert!(n_told >= 20, "only {n_told} of 80 flips were told");
}

#[tokio::test]
async fn a_torn_log_loses_whole_commits_only() {
    let dir = TempDir::new().unwrap();
    let warehouse = open(dir.path()).unwrap();
    for first in (0..200).step_by(20) {
        warehouse.store(commit_of(readings(first, 20))).await.unwrap();
    }
    let file = fs::read(dir.path().join(FILE)).unwrap();
    let log = fs::read(dir.path().join("hark.db-wal")).unwrap();
    drop(warehouse);
    let mut last = 0;
    for nth in 0..=20 {
        let copy = TempDir::new().unwrap();
        fs::write(copy.path().join(FILE), &file).unwrap();
        fs::write(copy.path().join("hark.db-wal"), &log[..log.len() * nth / 20]).unwrap();
        let warehouse = open(copy.path()).unwrap();
        let kept = everything(&warehouse).await;
        assert!(
            kept.len() % 20 == 0 && kept.len() >= last,
            "{} readings after {last}",
            kept.len()
        );
        assert_eq!(kept, readings(0, kept.len() as i64));
        let devices = warehouse.devices().await.unwrap();
        assert_eq!(devices.iter().map(|it| it.readings).sum::<u64>(), kept.len() as u64);
        last = kept.len();
    }
    assert_eq!(last, 200);
}

/// The folder into which the child of the test below stores; without it there is nothing to do.
const CHILD_DIR: &str = "HARK_TEST_CHILD_DIR";

/// Stores one commit after another and tells each, until it is killed.
#[tokio::test]
async fn a_child_stores_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else {
        return;
    };
    let warehouse = open(Path::new(&dir)).unwrap();
    let first = everything(&warehouse).await.len() as i64;
    let mut out = std::io::stdout().lock();
    for first in (first..).step_by(10) {
        warehouse.store(commit_of(readings(first, 10))).await.unwrap();
        writeln!(out, "\nstored {}", first + 10).unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn what_was_answered_outlives_a_kill() {
    let dir = TempDir::new().unwrap();
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_child_stores_until_it_is_killed", "--nocapture"])
            .env(CHILD_DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut answered = lines
            .map(|it| it.unwrap())
            .filter_map(|it| it.strip_prefix("stored ").map(|it| it.parse::<usize>().unwrap()));
        let n_answered = answered.by_ref().take(3 + 7 * round).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        drop(answered);

        let warehouse = open(dir.path()).unwrap();
        warehouse.check().await.unwrap();
        let kept = everything(&warehouse).await;
        assert!(
            kept.len() >= n_answered && kept.len() % 10 == 0,
            "{} of {n_answered}",
            kept.len()
        );
        assert_eq!(kept, readings(0, kept.len() as i64));
        let devices = warehouse.devices().await.unwrap();
        assert_eq!(devices[0].readings, kept.len() as u64);
    }
}
