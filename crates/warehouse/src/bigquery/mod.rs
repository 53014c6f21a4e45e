//! BigQuery: readings, verdicts, device states and dead letters in a dataset that others can query.
//!
//! Rows are appended through the Storage Write API and never changed, so a reading may lie there twice after a crash
//! or when two consumers had the same device. Every question of Hark's, and the views `readings` and `devices`, take
//! the first one stored. Training reads through the Storage Read API. What one process stored it does not store again:
//! it knows the time of the newest reading of each device, and asks for older ones.

mod appender;
mod ask;
mod batch;
mod columns;
mod connect;
mod devices;
mod history;
mod incidents;
mod letters;
mod look_back;
mod pages;
mod probe;
mod rows;
mod scan;
mod store;
mod sums;
mod tables;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Action, DeviceId, IncidentId, Judged, Signals, TimeRange, Timestamp};
use google_cloud_bigquery::client::{BigQuery, Read};
use tokio::sync::Mutex;

use ask::Question;
use columns::{Column, Kind};
pub use google::{Made, Step};
use look_back::LookBack;
pub use probe::{Probe, probe};
use rows::Cells;
use store::Store;
pub use tables::setup;

use crate::judged::check;
use crate::{
    Acted, AuditEntry, Bucket, BucketQuery, Commit, DeadLetterQuery, Device, DeviceActivity, IncidentCount,
    IncidentQuery, Page, ReadingQuery, Scan, ScoreBin, Stored, StoredDeadLetter, StoredIncident, Warehouse,
    WarehouseError, WarehouseErrorKind,
};

/// How surely a row is written once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// By committed streams and offsets: an answer that got lost does not write a row twice.
    ExactlyOnce,
    /// By the default stream, which costs less to open: a row may lie in the table twice, and is read once.
    AtLeastOnce,
}

/// Where the dataset is, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The Google Cloud project.
    pub project: String,
    /// The dataset in it.
    pub dataset: String,
    /// Where the dataset lies: `US`, `europe-west3`.
    pub location: String,
    /// Another address than Google's for requests in JSON, or an emulator's, which is asked without credentials.
    pub rest_endpoint: Option<String>,
    /// The same for the storage.
    pub grpc_endpoint: Option<String>,
    /// How surely a row is written once.
    pub delivery: Delivery,
    /// The name of this process among all that write, a new one at each start.
    pub writer: String,
}

impl Options {
    fn dataset_name(&self) -> String {
        format!("{}.{}", self.project, self.dataset)
    }

    fn name_of(&self, table: &str) -> String {
        format!("{}.{}.{table}", self.project, self.dataset)
    }

    fn table_path(&self, table: &str) -> String {
        format!("projects/{}/datasets/{}/tables/{table}", self.project, self.dataset)
    }
}

/// A warehouse in a dataset of BigQuery.
pub struct BigQueryWarehouse {
    core: Arc<Core>,
    store: Option<Mutex<Store>>,
}

/// What questions need.
struct Core {
    options: Options,
    signals: Signals,
    queries: BigQuery,
    reads: Read,
    /// The columns of readings for the declared signals.
    columns: Vec<Column>,
    /// Those of them that the table has.
    present: Vec<String>,
    look_back: LookBack,
}

impl Core {
    async fn open(options: Options, signals: Signals) -> Result<Self, WarehouseError> {
        let Some(present) = tables::present(&options).await? else {
            let context = format!(
                "there is no table `{}`\nhint: `hark setup` makes what is missing",
                options.name_of(tables::READINGS)
            );
            return Err(WarehouseError::new(WarehouseErrorKind::Absent, context));
        };
        Ok(Self {
            queries: connect::queries(&options).await?,
            reads: connect::reads(&options).await?,
            columns: columns::readings(&signals),
            present,
            look_back: LookBack::default(),
            options,
            signals,
        })
    }

    async fn each(
        &self,
        question: Question,
        kinds: impl Into<Vec<Kind>>,
        each: impl FnMut(Cells) -> Result<(), WarehouseError>,
    ) -> Result<(), WarehouseError> {
        ask::each(&self.queries, &self.options, question, kinds.into(), each).await
    }

    /// One whole number.
    async fn count(&self, question: Question) -> Result<u64, WarehouseError> {
        let mut count = 0;
        self.each(question, [Kind::Whole], |mut cells| {
            count = cells.whole().unwrap_or_default().unsigned_abs();
            Ok(())
        })
        .await?;
        Ok(count)
    }

    /// A statement that gives no rows.
    async fn run(&self, question: Question) -> Result<(), WarehouseError> {
        self.each(question, Vec::new(), |_| Ok(())).await
    }

    /// The readings of a condition, each once: the first one stored. The condition stands inside, so that only the
    /// days that it names are read.
    fn once(&self, condition: &str) -> String {
        format!(
            "(SELECT * FROM {} WHERE TRUE \
             QUALIFY ROW_NUMBER() OVER (PARTITION BY device_id, timestamp ORDER BY received_at) = 1)",
            tables::all_readings(&self.options, condition)
        )
    }
}

/// The condition of a range, whose ends are the parameters `first` and `until`.
const IN_RANGE: &str = "timestamp >= TIMESTAMP_MICROS(@first) AND timestamp < TIMESTAMP_MICROS(@until)";

fn ranged(question: Question, range: TimeRange) -> Question {
    question
        .whole("first", range.start.as_micros())
        .whole("until", range.end.as_micros())
}

impl BigQueryWarehouse {
    /// Opens the dataset for writing. New signals get their columns.
    ///
    /// # Errors
    /// [`WarehouseErrorKind::Absent`] when there are no tables, [`WarehouseErrorKind::Fatal`] when there are no credentials,
    /// [`WarehouseErrorKind::Denied`] when there is no right,
    /// [`WarehouseErrorKind::Retryable`] when BigQuery cannot be reached.
    pub async fn open(options: Options, signals: Signals) -> Result<Self, WarehouseError> {
        // Only columns can be missing when the table is there.
        if tables::present(&options).await?.is_some() {
            setup(&options, &signals, false).await?;
        }
        let core = Arc::new(Core::open(options, signals).await?);
        let store = Store::open(Arc::clone(&core)).await?;
        Ok(Self {
            core,
            store: Some(Mutex::new(store)),
        })
    }

    /// Opens the dataset for questions only. A signal that the tables do not know has no values.
    ///
    /// # Errors
    /// As [`BigQueryWarehouse::open`].
    pub async fn open_read_only(options: Options, signals: Signals) -> Result<Self, WarehouseError> {
        let core = Arc::new(Core::open(options, signals).await?);
        Ok(Self { core, store: None })
    }

    fn written_to(&self) -> Result<&Mutex<Store>, WarehouseError> {
        self.store.as_ref().ok_or_else(|| {
            let context = format!(
                "dataset `{}` was opened for reading only",
                self.core.options.dataset_name()
            );
            WarehouseError::new(WarehouseErrorKind::Fatal, context)
        })
    }
}

#[async_trait]
impl Warehouse for BigQueryWarehouse {
    async fn store(&self, commit: Commit) -> Result<Vec<Stored>, WarehouseError> {
        for judged in &commit.readings {
            check(judged, &self.core.signals)?;
        }
        for update in &commit.incidents {
            incidents::check(update)?;
        }
        self.written_to()?.lock().await.store(commit).await
    }

    async fn devices(&self) -> Result<Vec<Device>, WarehouseError> {
        devices::devices(&self.core, None).await
    }

    async fn device(&self, device_id: &DeviceId) -> Result<Option<Device>, WarehouseError> {
        Ok(devices::devices(&self.core, Some(device_id)).await?.pop())
    }

    async fn device_states(&self) -> Result<Vec<(DeviceId, Vec<u8>)>, WarehouseError> {
        devices::states(&self.core, None).await
    }

    async fn device_states_of(&self, devices: &[DeviceId]) -> Result<Vec<(DeviceId, Vec<u8>)>, WarehouseError> {
        devices::states(&self.core, Some(devices)).await
    }

    async fn readings(&self, query: ReadingQuery) -> Result<Page<Judged>, WarehouseError> {
        pages::page(&self.core, &query).await
    }

    async fn buckets(&self, query: BucketQuery) -> Result<Vec<Bucket>, WarehouseError> {
        sums::buckets(&self.core, &query).await
    }

    async fn activity(&self, range: TimeRange) -> Result<Vec<DeviceActivity>, WarehouseError> {
        sums::activity(&self.core, range).await
    }

    async fn scores(&self, range: TimeRange, width: f64) -> Result<Vec<ScoreBin>, WarehouseError> {
        sums::scores(&self.core, range, width).await
    }

    fn scan(&self, range: TimeRange) -> Box<dyn Scan> {
        Box::new(scan::BigQueryScan::new(Arc::clone(&self.core), range))
    }

    async fn dead_letters(&self, query: DeadLetterQuery) -> Result<Page<StoredDeadLetter>, WarehouseError> {
        letters::page(&self.core, &query).await
    }

    async fn dead_letter_count(&self) -> Result<u64, WarehouseError> {
        letters::count(&self.core).await
    }

    async fn purge_dead_letters(&self, ids: Vec<u64>) -> Result<u64, WarehouseError> {
        letters::purge(&self.core, &ids).await
    }

    async fn incidents(&self, query: IncidentQuery) -> Result<Page<StoredIncident>, WarehouseError> {
        incidents::page(&self.core, &query).await
    }

    async fn incident(&self, id: &IncidentId, now: Timestamp) -> Result<Option<StoredIncident>, WarehouseError> {
        Ok(incidents::history(&self.core, id).await?.map(|it| it.stored(now)))
    }

    async fn audit(&self, id: &IncidentId) -> Result<Vec<AuditEntry>, WarehouseError> {
        incidents::audit(&self.core, id).await
    }

    async fn incident_counts(&self, now: Timestamp) -> Result<Vec<IncidentCount>, WarehouseError> {
        incidents::counts(&self.core, now).await
    }

    async fn act(&self, id: &IncidentId, action: Action) -> Result<Acted, WarehouseError> {
        self.written_to()?.lock().await.act(id, &action).await
    }

    async fn drop_before(&self, at: Timestamp) -> Result<u64, WarehouseError> {
        let n_dropped = pages::drop_before(&self.core, at).await?;
        devices::drop_superseded(&self.core).await?;
        Ok(n_dropped)
    }

    async fn check(&self) -> Result<String, WarehouseError> {
        let count = async |table| {
            let sql = format!("SELECT COUNT(*) FROM `{}`", self.core.options.name_of(table));
            self.core.count(Question::new(sql)).await
        };
        Ok(format!(
            "dataset `{}` answers: {} readings of {} devices, {} dead letters",
            self.core.options.dataset_name(),
            count(tables::READINGS).await? + count(tables::FAR_READINGS).await?,
            count("devices").await?,
            count(tables::LETTERS).await?,
        ))
    }
}
