//! What is a state rather than an event: looked up when somebody asks for the metrics.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{LazyLock, Once};
use std::time::UNIX_EPOCH;

use metrics::{describe_gauge, gauge};
use metrics_process::Collector;

use super::Shared;
use super::census::{Census, State};
use super::devices::census;
use super::error::ApiResult;
use super::labels::Words;
use crate::app::App;
use crate::runtime::clock;

const QUEUED: &str = "hark_bus_queued_messages";
const CAPACITY: &str = "hark_bus_capacity_messages";
const OLDEST: &str = "hark_bus_oldest_unsettled_timestamp_seconds";
const DEVICES: &str = "hark_devices";
const PLACES: &str = "hark_place_devices";
const TYPES: &str = "hark_type_devices";
const DEAD_LETTERS: &str = "hark_dead_letters";
const DRIFT: &str = "hark_drift_psi";
const DISK_FREE: &str = "hark_disk_free_bytes";
const DISK_SIZE: &str = "hark_disk_size_bytes";
const STORE: &str = "hark_warehouse_bytes";
const LOG: &str = "hark_warehouse_log_bytes";
const BACKUP: &str = "hark_backup_timestamp_seconds";

/// Whoever makes backups touches this file of the data folder after each.
const LAST_BACKUP: &str = "last-backup";

/// So many places and kinds have series of their own; the rest is `other`.
const MAX_PLACES: usize = 20;
const MAX_TYPES: usize = 8;

/// Sets every gauge to how things are now.
pub(super) async fn sample(shared: &Shared) -> ApiResult<()> {
    sample_process(Some(&shared.app), &shared.app.config.data.dir);
    devices(&*census(shared).await?);
    let words = shared.words.get((), Words::gather(&shared.app)).await?;
    words.tell(&shared.app);
    gauge!(DEAD_LETTERS).set(shared.app.warehouse.dead_letter_count().await? as f64);
    Ok(())
}

/// Sets those of the process and its disk, and of its end of the bus and what it judged if it takes part.
pub(super) fn sample_process(app: Option<&App>, data: &Path) {
    static DESCRIBED: Once = Once::new();
    DESCRIBED.call_once(describe);
    sample_own();
    if let Some(app) = app {
        bus(app);
        drift(app);
    }
    disk(data);
    backup(data);
}

/// Sets those of the process alone.
pub(super) fn sample_own() {
    static PROCESS: LazyLock<Collector> = LazyLock::new(|| {
        let collector = Collector::default();
        collector.describe();
        collector
    });
    PROCESS.collect();
}

fn describe() {
    for (name, help) in [
        (
            QUEUED,
            "Messages that this process has received and not settled, waiting or being judged",
        ),
        (CAPACITY, "How many messages this process may hold that are not settled"),
        (
            OLDEST,
            "When the oldest message that is not settled was published, now if there is none, seconds since 1970",
        ),
        (DEVICES, "Devices, by state"),
        (PLACES, "Devices, by building, floor and state"),
        (TYPES, "Devices, by type and state"),
        (DEAD_LETTERS, "Refused messages that are kept"),
        (
            DRIFT,
            "How far values and scores have shifted from the training, as population stability index; above 0.25 they have; NaN before it is known",
        ),
        (DISK_FREE, "Room that is left on the disk of the data folder"),
        (DISK_SIZE, "Room on the disk of the data folder"),
        (STORE, "Size of the warehouse's file"),
        (LOG, "Size of the warehouse's write-ahead log"),
        (
            BACKUP,
            "When `last-backup` in the data folder was touched, seconds since 1970; absent where nobody ever did",
        ),
    ] {
        describe_gauge!(name, help);
    }
}

fn bus(app: &App) {
    let Some(backlog) = app.backlog() else { return };
    gauge!(QUEUED).set(backlog.messages as f64);
    gauge!(CAPACITY).set(backlog.capacity as f64);
    gauge!(OLDEST).set(clock::now().before(backlog.oldest_wait).as_secs_f64());
}

/// Not a number until enough was judged to tell.
fn drift(app: &App) {
    let shift = app.drift.shift();
    for (at, signal) in app.config.signals.iter().enumerate() {
        let psi = shift.as_ref().and_then(|it| it.signals.get(at).copied().flatten());
        gauge!(DRIFT, "of" => signal.name.clone()).set(psi.unwrap_or(f64::NAN));
    }
    let psi = shift.and_then(|it| it.scores);
    gauge!(DRIFT, "of" => "score").set(psi.unwrap_or(f64::NAN));
}

fn backup(dir: &Path) {
    let touched = std::fs::metadata(dir.join(LAST_BACKUP)).and_then(|it| it.modified());
    let since = touched.ok().and_then(|it| it.duration_since(UNIX_EPOCH).ok());
    if let Some(since) = since {
        gauge!(BACKUP).set(since.as_secs_f64());
    }
}

fn disk(dir: &Path) {
    if let Ok(disk) = rustix::fs::statvfs(dir) {
        gauge!(DISK_FREE).set(disk.f_bavail as f64 * disk.f_frsize as f64);
        gauge!(DISK_SIZE).set(disk.f_blocks as f64 * disk.f_frsize as f64);
    }
    let size = |name: &str| std::fs::metadata(dir.join(name)).map_or(0, |it| it.len()) as f64;
    gauge!(STORE).set(size("hark.db"));
    gauge!(LOG).set(size("hark.db-wal"));
}

fn devices(census: &Census) {
    let mut states: BTreeMap<&str, u64> = BTreeMap::from([("fine", 0), ("odd", 0), ("silent", 0)]);
    let mut places: BTreeMap<(String, String), [u64; 3]> = BTreeMap::new();
    let mut types: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    for counted in &census.0 {
        *states.entry(counted.state.as_str()).or_default() += 1;
        let of = |name: Option<&String>| name.cloned().unwrap_or_default();
        let location = &counted.device.location;
        let place = capped(
            &places,
            MAX_PLACES,
            (of(location.building.as_ref()), of(location.floor.as_ref())),
        );
        places.entry(place).or_default()[counted.state as usize] += 1;
        let kind = capped(&types, MAX_TYPES, of(counted.device.device_type.as_ref()));
        types.entry(kind).or_default()[counted.state as usize] += 1;
    }
    for (state, count) in states {
        gauge!(DEVICES, "state" => state).set(count as f64);
    }
    for ((building, floor), counts) in places {
        for (state, count) in State::ALL.into_iter().zip(counts) {
            let place = [
                ("building", building.clone()),
                ("floor", floor.clone()),
                ("state", state.as_str().to_owned()),
            ];
            gauge!(PLACES, &place).set(count as f64);
        }
    }
    for (kind, counts) in types {
        for (state, count) in State::ALL.into_iter().zip(counts) {
            gauge!(TYPES, "device_type" => kind.clone(), "state" => state.as_str()).set(count as f64);
        }
    }
}

/// A key that has a series of its own, or the one for all others.
fn capped<K: Ord + Other>(known: &BTreeMap<K, [u64; 3]>, most: usize, key: K) -> K {
    if known.len() < most || known.contains_key(&key) {
        key
    } else {
        K::other()
    }
}

trait Other {
    fn other() -> Self;
}

impl Other for String {
    fn other() -> Self {
        "other".to_owned()
    }
}

impl Other for (String, String) {
    fn other() -> Self {
        ("other".to_owned(), "other".to_owned())
    }
}
