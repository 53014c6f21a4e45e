//! The embedded warehouse: one SQLite file in the data folder.
//!
//! One thread writes, and writes all commits that wait in one transaction with one fsync. Questions are answered by
//! a few connections that can only read. Rows lie in order of (timestamp, device), so that a commit touches the end
//! of the file and not a page per device; see docs/adr/0003-embedded-warehouse.md.

mod copy;
mod devices;
mod failure;
mod file;
mod incident_pages;
mod incidents;
mod insert;
mod letters;
mod lock;
mod pages;
mod readers;
mod rows;
mod schema;
mod sums;
mod triage;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use async_trait::async_trait;
use domain::{Action, DeviceId, IncidentId, Judged, Signals, TimeRange, Timestamp};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

pub use copy::{Contents, back_up, examine};
use failure::{Found, Trouble};
pub use lock::DataDirLock;
use readers::Readers;
use schema::Layout;
use writer::{DropStep, Request, Writer};

use crate::judged;
use crate::{
    Acted, AuditEntry, Bucket, BucketQuery, Commit, DeadLetterQuery, Device, DeviceActivity, IncidentCount,
    IncidentQuery, IncidentUpdate, Page, ReadingQuery, Scan, ScoreBin, Stored, StoredDeadLetter, StoredIncident,
    Warehouse, WarehouseError, WarehouseErrorKind,
};

/// How an embedded warehouse behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// At most so many dead letters are kept; the oldest give way, and are counted.
    pub dead_letters_max: u64,
    /// At most so many bytes of dead letters are kept, likewise.
    pub dead_letter_bytes_max: u64,
    /// The write-ahead log is cut to so many bytes whenever no reader holds on to it.
    pub wal_bytes_max: u64,
    /// So many questions are answered at a time.
    pub n_readers: usize,
}

impl Default for Options {
    /// 100,000 dead letters, 256 MiB of them, a log of 64 MiB, four readers.
    fn default() -> Self {
        Self {
            dead_letters_max: 100_000,
            dead_letter_bytes_max: 256 << 20,
            wal_bytes_max: 64 << 20,
            n_readers: 4,
        }
    }
}

/// A warehouse in `<dir>/hark.db`. Dropping it waits until the writer has closed the file, and frees the folder.
#[derive(Debug)]
pub struct EmbeddedWarehouse {
    layout: Arc<Layout>,
    readers: Readers,
    writer: Option<Handle>,
    dropped_letters: Arc<AtomicU64>,
}

/// The way to the writer's thread.
#[derive(Debug)]
struct Handle {
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl EmbeddedWarehouse {
    /// Opens the warehouse of a data folder for writing, and holds the folder's [`DataDirLock`] while it lives. Folder
    /// and file are made when they are missing. A signal that is new gets its columns; one that is no longer declared
    /// keeps them.
    ///
    /// # Errors
    /// [`WarehouseErrorKind::Corrupt`] when the file is damaged, of another program or of another version,
    /// [`WarehouseErrorKind::Held`] when the folder is in use, [`WarehouseErrorKind::Denied`] when it may not be written. The message names the file.
    pub fn open(dir: &Path, signals: Signals, options: &Options) -> Result<Self, WarehouseError> {
        let lock = DataDirLock::acquire(dir)?;
        let (connection, layout) = file::open_to_write(dir, signals, options.wal_bytes_max)?;
        let layout = Arc::new(layout);
        let dropped_letters = Arc::new(AtomicU64::new(0));
        let writer = Writer::new(
            connection,
            Arc::clone(&layout),
            options,
            lock,
            Arc::clone(&dropped_letters),
        )?;
        let (requests, waiting) = mpsc::channel(64);
        let handle = Handle {
            requests: Some(requests),
            thread: Some(writer.start(waiting)?),
        };
        Ok(Self {
            readers: Readers::new(Arc::clone(&layout), options.n_readers),
            layout,
            writer: Some(handle),
            dropped_letters,
        })
    }

    /// Opens the warehouse of a data folder for questions only, beside a process that writes it or alone. Nothing in
    /// it is changed; a signal that the file does not know has no values. Whatever would write fails as
    /// [`WarehouseErrorKind::Fatal`].
    ///
    /// # Errors
    /// [`WarehouseErrorKind::Absent`] when there is no warehouse in the folder, otherwise as [`EmbeddedWarehouse::open`].
    pub fn open_read_only(dir: &Path, signals: Signals, options: &Options) -> Result<Self, WarehouseError> {
        let file = dir.join(file::FILE);
        let connection = file::open_to_read(&file)?;
        let layout = schema::layout(&connection, &file, signals).map_err(|it| it.in_file(&file, "open"))?;
        let layout = Arc::new(layout);
        Ok(Self {
            readers: Readers::new(Arc::clone(&layout), options.n_readers),
            layout,
            writer: None,
            dropped_letters: Arc::default(),
        })
    }

    /// How many dead letters gave way to newer ones since the warehouse was opened.
    #[must_use]
    pub fn dropped_dead_letters(&self) -> u64 {
        self.dropped_letters.load(Ordering::Relaxed)
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, WarehouseError>>) -> Request,
    ) -> Result<T, WarehouseError> {
        let file = self.layout.file.display();
        let fatal = |problem: String| WarehouseError::new(WarehouseErrorKind::Fatal, problem);
        let Some(requests) = self.writer.as_ref().and_then(|it| it.requests.as_ref()) else {
            return Err(fatal(format!("`{file}` was opened for reading only")));
        };
        let (answer, outcome) = oneshot::channel();
        let stopped = || fatal(format!("the writer of `{file}` has stopped"));
        requests.send(request(answer)).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has told everyone who asked; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

#[async_trait]
impl Warehouse for EmbeddedWarehouse {
    async fn store(&self, commit: Commit) -> Result<Vec<Stored>, WarehouseError> {
        for judged in &commit.readings {
            judged::check(judged, &self.layout.signals)?;
        }
        commit.incidents.iter().try_for_each(check_incident)?;
        self.ask(|answer| Request::Store(commit, answer)).await
    }

    async fn devices(&self) -> Result<Vec<Device>, WarehouseError> {
        self.readers
            .read(|connection, layout| devices::devices(connection, layout, None))
            .await
    }

    async fn device(&self, device_id: &DeviceId) -> Result<Option<Device>, WarehouseError> {
        let device_id = device_id.clone();
        self.readers
            .read(move |connection, layout| Ok(devices::devices(connection, layout, Some(&device_id))?.pop()))
            .await
    }

    async fn device_states(&self) -> Result<Vec<(DeviceId, Vec<u8>)>, WarehouseError> {
        self.readers.read(|connection, _| devices::states(connection)).await
    }

    async fn readings(&self, query: ReadingQuery) -> Result<Page<Judged>, WarehouseError> {
        self.readers
            .read(move |connection, layout| pages::page(connection, layout, &query))
            .await
    }

    async fn buckets(&self, query: BucketQuery) -> Result<Vec<Bucket>, WarehouseError> {
        self.readers
            .read(move |connection, layout| sums::buckets(connection, layout, &query))
            .await
    }

    async fn activity(&self, range: TimeRange) -> Result<Vec<DeviceActivity>, WarehouseError> {
        self.readers
            .read(move |connection, layout| sums::activity(connection, layout, range))
            .await
    }

    async fn scores(&self, range: TimeRange, width: f64) -> Result<Vec<ScoreBin>, WarehouseError> {
        self.readers
            .read(move |connection, _| sums::scores(connection, range, width))
            .await
    }

    fn scan(&self, range: TimeRange) -> Box<dyn Scan> {
        Box::new(pages::EmbeddedScan::new(Arc::clone(&self.layout), range))
    }

    async fn dead_letters(&self, query: DeadLetterQuery) -> Result<Page<StoredDeadLetter>, WarehouseError> {
        self.readers
            .read(move |connection, _| letters::page(connection, &query))
            .await
    }

    async fn dead_letter_count(&self) -> Result<u64, WarehouseError> {
        self.readers.read(|connection, _| letters::count(connection)).await
    }

    async fn purge_dead_letters(&self, ids: Vec<u64>) -> Result<u64, WarehouseError> {
        self.ask(|answer| Request::Purge(ids, answer)).await
    }

    async fn incidents(&self, query: IncidentQuery) -> Result<Page<StoredIncident>, WarehouseError> {
        self.readers
            .read(move |connection, _| incident_pages::page(connection, &query))
            .await
    }

    async fn incident(&self, id: &IncidentId, now: Timestamp) -> Result<Option<StoredIncident>, WarehouseError> {
        let id = id.clone();
        self.readers
            .read(move |connection, _| incident_pages::one(connection, &id, now))
            .await
    }

    async fn audit(&self, id: &IncidentId) -> Result<Vec<AuditEntry>, WarehouseError> {
        let id = id.clone();
        self.readers
            .read(move |connection, _| incident_pages::audit(connection, &id))
            .await
    }

    async fn incident_counts(&self, now: Timestamp) -> Result<Vec<IncidentCount>, WarehouseError> {
        self.readers
            .read(move |connection, _| incident_pages::counts(connection, now))
            .await
    }

    async fn act(&self, id: &IncidentId, action: Action) -> Result<Acted, WarehouseError> {
        let id = id.clone();
        self.ask(|answer| Request::Act(id, action, answer)).await
    }

    async fn drop_before(&self, at: Timestamp) -> Result<u64, WarehouseError> {
        let mut n_readings = 0;
        let mut from = None;
        loop {
            let step = DropStep { before: at, from };
            let dropped = self.ask(|answer| Request::Drop(step, answer)).await?;
            n_readings += dropped.n_readings;
            from = dropped.next;
            if from.is_none() {
                return Ok(n_readings);
            }
        }
    }

    async fn check(&self) -> Result<String, WarehouseError> {
        self.readers.read(check).await
    }
}

/// Refuses an incident that holds what SQLite would turn into NULL.
fn check_incident(update: &IncidentUpdate) -> Result<(), WarehouseError> {
    let it = &update.incident;
    if it.peak_score.is_finite() && it.signals.iter().all(|it| it.share.is_finite()) {
        return Ok(());
    }
    let context = format!("incident {} has a score or share that is no number", it.id);
    Err(WarehouseError::new(WarehouseErrorKind::Fatal, context))
}

fn check(connection: &Connection, layout: &Layout) -> Found<String> {
    let problem: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if problem != "ok" {
        return Err(Trouble::Damage(problem));
    }
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0))
    };
    Ok(format!(
        "`{}` is sound: {} readings of {} devices, {} dead letters",
        layout.file.display(),
        count("sensor_readings")?,
        count("devices")?,
        count("dead_letters")?,
    ))
}
