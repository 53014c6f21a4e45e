//! The warehouse port and its adapters: keeping readings, verdicts, device states and dead letters.
//!
//! Every write is idempotent by (device, timestamp): the first reading stored wins, so a redelivery changes nothing.

#[cfg(feature = "bigquery")]
pub mod bigquery;
pub mod conformance;
pub mod embedded;
pub mod incident;
mod judged;
pub mod query;

use async_trait::async_trait;
use domain::{Action, DeadLetter, DeviceId, IncidentId, Judged, Location, TimeRange, Timestamp};

pub use incident::{Acted, AuditEntry, IncidentCount, IncidentQuery, IncidentUpdate, LabelFilter, StoredIncident};
pub use query::{
    Bucket, BucketQuery, Cursor, DeadLetterQuery, DeviceActivity, Page, ReadingQuery, ScoreBin, SignalStats,
    StoredDeadLetter,
};

/// What one commit writes: all of it or nothing.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Judged readings, in the order in which they were judged.
    pub readings: Vec<Judged>,
    /// What was refused.
    pub dead_letters: Vec<DeadLetter>,
    /// The devices that the readings touched, with their state after the last of them.
    pub devices: Vec<DeviceUpdate>,
    /// The incidents that the readings opened, went on with or closed, as they are after the last of them.
    pub incidents: Vec<IncidentUpdate>,
}

/// What a commit says of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceUpdate {
    /// Who.
    pub device_id: DeviceId,
    /// Where it stands, if the readings said so; what is known stays otherwise.
    pub location: Option<Location>,
    /// Its kind, likewise.
    pub device_type: Option<String>,
    /// When it was last heard, by the server's clock.
    pub received_at: Timestamp,
    /// The detector's state for it, as versioned bytes.
    pub state: Vec<u8>,
}

/// What became of one reading of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stored {
    /// It was written.
    New,
    /// A reading of this device and time was there already.
    Duplicate,
}

/// What is known of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Who.
    pub device_id: DeviceId,
    /// Where it stands.
    pub location: Location,
    /// Its kind.
    pub device_type: Option<String>,
    /// When it was first heard, by the server's clock.
    pub first_received_at: Timestamp,
    /// When it was last heard, by the server's clock.
    pub last_received_at: Timestamp,
    /// How many readings of it were stored.
    pub readings: u64,
    /// The stored reading with the latest time that was believable, with its verdict.
    pub last: Option<Judged>,
}

/// What went wrong, as far as a caller acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WarehouseErrorKind {
    /// It may go well later: busy, away, no room on the disk. Nothing was written.
    Retryable,
    /// There is nothing there yet: no file, no tables.
    Absent,
    /// Another process holds it.
    Held,
    /// This user has no right to it, or nobody may write there.
    Denied,
    /// What is stored is damaged or of another version.
    Corrupt,
    /// The question cannot be answered as it stands.
    BadQuery,
    /// Trying again will not help.
    Fatal,
}

/// A failure of the warehouse.
#[derive(Debug, thiserror::Error)]
#[error("{context}")]
pub struct WarehouseError {
    /// What a caller acts on.
    pub kind: WarehouseErrorKind,
    context: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl WarehouseError {
    /// A failure in words.
    pub fn new(kind: WarehouseErrorKind, context: impl Into<String>) -> Self {
        Self {
            kind,
            context: context.into(),
            source: None,
        }
    }

    /// A question that makes no sense.
    pub(crate) fn bad_query(problem: String) -> Self {
        Self::new(WarehouseErrorKind::BadQuery, problem)
    }

    /// This failure with what caused it.
    #[must_use]
    pub fn caused_by(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }
}

/// Readings of a time range, a block at a time, in order of (timestamp, device).
#[async_trait]
pub trait Scan: Send {
    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// When the warehouse cannot be read.
    async fn next(&mut self) -> Result<Option<Vec<Judged>>, WarehouseError>;
}

/// The port.
#[async_trait]
pub trait Warehouse: Send + Sync {
    /// Writes a commit durably, and says for each reading whether it was new.
    ///
    /// # Errors
    /// Nothing of it was written.
    async fn store(&self, commit: Commit) -> Result<Vec<Stored>, WarehouseError>;

    /// All devices, by name.
    ///
    /// # Errors
    /// When the warehouse cannot be read.
    async fn devices(&self) -> Result<Vec<Device>, WarehouseError>;

    /// One device.
    ///
    /// # Errors
    /// When the warehouse cannot be read.
    async fn device(&self, device_id: &DeviceId) -> Result<Option<Device>, WarehouseError>;

    /// The detector's state of every device, as it was last committed.
    ///
    /// # Errors
    /// When the warehouse cannot be read.
    async fn device_states(&self) -> Result<Vec<(DeviceId, Vec<u8>)>, WarehouseError>;

    /// The same of these devices alone, as far as they have one.
    ///
    /// # Errors
    /// When the warehouse cannot be read.
    async fn device_states_of(&self, devices: &[DeviceId]) -> Result<Vec<(DeviceId, Vec<u8>)>, WarehouseError> {
        let mut states = self.device_states().await?;
        states.retain(|it| devices.contains(&it.0));
        Ok(states)
    }

    /// A page of readings, with a cursor to the next.
    ///
    /// # Errors
    /// When the warehouse cannot be read.
    async fn readings(&self, query: ReadingQuery) -> Result<Page<Judged>, WarehouseError>;

    /// Readings summed up in buckets of equal width, oldest first; empty buckets are left out.
    ///
    /// # Errors
    /// [`WarehouseErrorKind::BadQuery`] when the width is zero or there would be more than [`query::MAX_BUCKETS`].
    async fn buckets(&self, query: BucketQuery) -> Result<Vec<Bucket>, WarehouseError>;

    /// What each device did in a range.
    ///
    /// # Errors
    /// When the warehouse cannot be read.
    async fn activity(&self, range: TimeRange) -> Result<Vec<DeviceActivity>, WarehouseError>;

    /// How many readings of a range have a combined score in each bin of this width, lowest first.
    ///
    /// # Errors
    /// [`WarehouseErrorKind::BadQuery`] when the width is not a positive number.
    async fn scores(&self, range: TimeRange, width: f64) -> Result<Vec<ScoreBin>, WarehouseError>;

    /// All readings of a range.
    fn scan(&self, range: TimeRange) -> Box<dyn Scan>;

    /// A page of dead letters, newest first.
    ///
    /// # Errors
    /// When the warehouse cannot be read.
    async fn dead_letters(&self, query: DeadLetterQuery) -> Result<Page<StoredDeadLetter>, WarehouseError>;

    /// How many dead letters are kept.
    ///
    /// # Errors
    /// When the warehouse cannot be read.
    async fn dead_letter_count(&self) -> Result<u64, WarehouseError>;

    /// Takes dead letters away, and says how many there were.
    ///
    /// # Errors
    /// Nothing was taken away.
    async fn purge_dead_letters(&self, ids: Vec<u64>) -> Result<u64, WarehouseError>;

    /// A page of incidents, the one that began last first.
    ///
    /// # Errors
    /// When the warehouse cannot be read.
    async fn incidents(&self, query: IncidentQuery) -> Result<Page<StoredIncident>, WarehouseError>;

    /// One incident, as it stands at an instant.
    ///
    /// # Errors
    /// When the warehouse cannot be read.
    async fn incident(&self, id: &IncidentId, now: Timestamp) -> Result<Option<StoredIncident>, WarehouseError>;

    /// Everything that happened to an incident, oldest first.
    ///
    /// # Errors
    /// When the warehouse cannot be read.
    async fn audit(&self, id: &IncidentId) -> Result<Vec<AuditEntry>, WarehouseError>;

    /// How many incidents that are not resolved stand where at an instant.
    ///
    /// # Errors
    /// When the warehouse cannot be read.
    async fn incident_counts(&self, now: Timestamp) -> Result<Vec<IncidentCount>, WarehouseError>;

    /// Does what a person wants with an incident, by the rules of [`domain::Triage`], and writes it into the audit trail.
    ///
    /// # Errors
    /// Nothing was done.
    async fn act(&self, id: &IncidentId, action: Action) -> Result<Acted, WarehouseError>;

    /// Drops readings whose time and receipt both lie before this instant, and says how many. A device with a wrong
    /// clock and history that was imported just now lose nothing that way.
    ///
    /// # Errors
    /// Some may have been dropped.
    async fn drop_before(&self, at: Timestamp) -> Result<u64, WarehouseError>;

    /// Tries the whole warehouse: one line on what was found.
    ///
    /// # Errors
    /// What is wrong with it.
    async fn check(&self) -> Result<String, WarehouseError>;
}
