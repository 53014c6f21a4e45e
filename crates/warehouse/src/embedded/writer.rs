//! The one thread that writes: everything that waits goes into one transaction, then everyone is answered.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use domain::{Action, IncidentId, Timestamp};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::failure::{Found, Trouble};
use super::insert::{self, Letters};
use super::schema::Layout;
use super::{DataDirLock, Options, file, incidents, pages, triage};
use crate::{Acted, Commit, Stored, WarehouseError, WarehouseErrorKind};

/// Commits that wait are written together up to so many rows.
const GROUP_ROWS: usize = 5_000;
/// And up to so many commits.
const GROUP_COMMITS: usize = 64;
/// So many rows are dropped in one transaction.
const DROP_ROWS: usize = 5_000;

type Answer<T> = oneshot::Sender<Result<T, WarehouseError>>;

/// What the writer is asked to do.
pub(super) enum Request {
    Store(Commit, Answer<Vec<Stored>>),
    Purge(Vec<u64>, Answer<u64>),
    Act(IncidentId, Action, Answer<Acted>),
    Drop(DropStep, Answer<Dropped>),
}

/// Part of dropping old readings: those from a place on, a bounded number of rows.
pub(super) struct DropStep {
    pub(super) before: Timestamp,
    pub(super) from: Option<pages::Place>,
}

/// What such a part did, and where the next one begins.
pub(super) struct Dropped {
    pub(super) n_readings: u64,
    pub(super) next: Option<pages::Place>,
}

pub(super) struct Writer {
    connection: Connection,
    layout: Arc<Layout>,
    statement: String,
    letters: Letters,
    max_letters: Letters,
    dropped_letters: Arc<AtomicU64>,
    wal_bytes_max: u64,
    /// The length of the log at which it is shortened next.
    wal_bytes_next: u64,
    disk_failed: bool,
    // Last, so that the folder is free for others only when the file is closed.
    _lock: DataDirLock,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        layout: Arc<Layout>,
        options: &Options,
        lock: DataDirLock,
        dropped_letters: Arc<AtomicU64>,
    ) -> Result<Self, WarehouseError> {
        let letters = Letters::count(&connection).map_err(|it| layout.error(it.into(), "read"))?;
        Ok(Self {
            statement: insert::reading_statement(&layout.signals),
            connection,
            layout,
            letters,
            max_letters: Letters {
                n_letters: options.dead_letters_max,
                n_bytes: options.dead_letter_bytes_max,
            },
            dropped_letters,
            wal_bytes_max: options.wal_bytes_max,
            wal_bytes_next: options.wal_bytes_max,
            disk_failed: false,
            _lock: lock,
        })
    }

    /// Begins to serve requests until nobody can send any more.
    pub(super) fn start(self, requests: mpsc::Receiver<Request>) -> Result<JoinHandle<()>, WarehouseError> {
        thread::Builder::new()
            .name("warehouse-writer".to_owned())
            .spawn(move || self.run(requests))
            .map_err(|cause| {
                WarehouseError::new(WarehouseErrorKind::Fatal, "failed to start the warehouse's writer")
                    .caused_by(cause)
            })
    }

    fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut put_off = None;
        while let Some(request) = put_off.take().or_else(|| requests.blocking_recv()) {
            match request {
                Request::Store(commit, answer) => {
                    let mut group = Group::new(commit, answer);
                    put_off = group.gather(&mut requests);
                    self.store(group);
                }
                Request::Purge(ids, answer) => reply(answer, self.purge(&ids)),
                Request::Act(id, action, answer) => reply(answer, self.act(&id, &action)),
                Request::Drop(step, answer) => reply(answer, self.drop_readings(&step)),
            }
            self.shorten_wal();
        }
    }

    /// Shortens the log when readers kept it from being begun anew for long, and not again before it has grown on.
    fn shorten_wal(&mut self) {
        if file::wal_bytes(&self.layout.file) <= self.wal_bytes_next {
            return;
        }
        if let Err(trouble) = file::shorten_wal(&self.connection) {
            // What was committed stays committed in the log.
            self.disk_failed |= trouble.is_disk_failure();
        }
        let grown = file::wal_bytes(&self.layout.file) + self.wal_bytes_max / 4;
        self.wal_bytes_next = self.wal_bytes_max.max(grown);
    }

    fn store(&mut self, mut group: Group) {
        match self.write(&group.commits) {
            Ok(stored) => {
                for (answer, stored) in group.answers.into_iter().zip(stored) {
                    reply(answer, Ok(stored));
                }
            }
            Err(failure) if group.answers.len() == 1 => {
                let answer = group.answers.pop().expect("the guard counted one");
                reply(answer, Err(failure));
            }
            // One of them failed and took the others along: each is tried alone.
            Err(_) => {
                for (commit, answer) in group.commits.into_iter().zip(group.answers) {
                    self.store(Group::new(commit, answer));
                }
            }
        }
    }

    fn write(&mut self, commits: &[Commit]) -> Result<Vec<Vec<Stored>>, WarehouseError> {
        let statement = self.statement.clone();
        let max_letters = self.max_letters;
        let (stored, n_dropped) = self.transact(|transaction, letters| {
            let mut stored = Vec::with_capacity(commits.len());
            for commit in commits {
                stored.push(insert::write(transaction, &statement, commit)?);
                for update in &commit.incidents {
                    incidents::write(transaction, update)?;
                }
                for letter in &commit.dead_letters {
                    letters.add(transaction, letter)?;
                }
            }
            Ok((stored, letters.fit(transaction, max_letters)?))
        })?;
        self.dropped_letters.fetch_add(n_dropped, Ordering::Relaxed);
        Ok(stored)
    }

    fn purge(&mut self, ids: &[u64]) -> Result<u64, WarehouseError> {
        self.transact(|transaction, letters| {
            let mut n_purged = 0;
            for &id in ids {
                n_purged += u64::from(letters.purge(transaction, id)?);
            }
            Ok(n_purged)
        })
    }

    fn act(&mut self, id: &IncidentId, action: &Action) -> Result<Acted, WarehouseError> {
        self.transact(|transaction, _| triage::act(transaction, id, action))
    }

    fn drop_readings(&mut self, step: &DropStep) -> Result<Dropped, WarehouseError> {
        self.transact(|transaction, _| pages::drop_step(transaction, step, DROP_ROWS))
    }

    /// Does work in one durable transaction: all of it or nothing.
    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>, &mut Letters) -> Found<T>,
    ) -> Result<T, WarehouseError> {
        if self.disk_failed {
            return Err(disk_failed(&self.layout.file));
        }
        let mut letters = self.letters;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate);
        let outcome = transaction.map_err(Trouble::from).and_then(|transaction| {
            let done = work(&transaction, &mut letters)?;
            transaction.commit()?;
            Ok(done)
        });
        match outcome {
            Ok(done) => {
                self.letters = letters;
                Ok(done)
            }
            Err(trouble) => {
                self.disk_failed |= trouble.is_disk_failure();
                Err(self.layout.error(trouble, "write"))
            }
        }
    }
}

/// After a failed write or fsync nobody knows what the disk holds, so nothing more is promised.
fn disk_failed(file: &Path) -> WarehouseError {
    let context = format!(
        "the disk failed under `{}`, nothing is written any more\nhint: see to the disk, then start again",
        file.display()
    );
    WarehouseError::new(WarehouseErrorKind::Fatal, context)
}

fn reply<T>(answer: Answer<T>, outcome: Result<T, WarehouseError>) {
    // Who asked may have stopped waiting; what was committed stays.
    let _ = answer.send(outcome);
}

/// Commits that are written together.
struct Group {
    commits: Vec<Commit>,
    answers: Vec<Answer<Vec<Stored>>>,
    n_rows: usize,
}

impl Group {
    fn new(commit: Commit, answer: Answer<Vec<Stored>>) -> Self {
        Self {
            n_rows: commit.readings.len(),
            commits: vec![commit],
            answers: vec![answer],
        }
    }

    /// Takes what waits, up to the limits; a request of another kind ends the group and is handed back.
    fn gather(&mut self, requests: &mut mpsc::Receiver<Request>) -> Option<Request> {
        while self.n_rows < GROUP_ROWS && self.commits.len() < GROUP_COMMITS {
            match requests.try_recv().ok()? {
                Request::Store(commit, answer) => {
                    self.n_rows += commit.readings.len();
                    self.commits.push(commit);
                    self.answers.push(answer);
                }
                other => return Some(other),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use domain::{Judged, Signals};
    use tempfile::TempDir;

    use super::*;
    use crate::conformance::{Sample, commit_of};

    fn writer(dir: &Path) -> Writer {
        let lock = DataDirLock::acquire(dir).unwrap();
        let options = Options::default();
        let (connection, layout) = file::open_to_write(dir, Signals::default(), options.wal_bytes_max).unwrap();
        Writer::new(connection, Arc::new(layout), &options, lock, Arc::default()).unwrap()
    }

    fn many(device: &str, n_readings: i64) -> Commit {
        let readings: Vec<Judged> = (0..n_readings).map(|it| Sample::new(device, it).judged()).collect();
        commit_of(readings)
    }

    /// A disk without room: SQLite may not make the file longer than it is.
    fn fill_disk(writer: &Writer, n_pages_left: i64) {
        let n_pages: i64 = writer
            .connection
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        let set = format!("PRAGMA max_page_count = {}", n_pages + n_pages_left);
        writer.connection.query_row(&set, [], |_| Ok(())).unwrap();
    }

    #[test]
    fn a_full_disk_is_told_nothing_is_written_and_it_goes_on_when_there_is_room() {
        let dir = TempDir::new().unwrap();
        let mut writer = writer(dir.path());
        writer.write(&[many("before", 10)]).unwrap();
        fill_disk(&writer, 2);
        let failure = writer.write(&[many("huge", 5_000)]).unwrap_err();
        assert_eq!(failure.kind, WarehouseErrorKind::Retryable);
        assert!(failure.to_string().contains("hark.db"), "{failure}");
        let count = |writer: &Writer| -> i64 {
            let sql = "SELECT count(*) FROM sensor_readings";
            writer.connection.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count(&writer), 10);
        fill_disk(&writer, 100_000);
        writer.write(&[many("huge", 5_000)]).unwrap();
        assert_eq!(count(&writer), 5_010);
    }

    #[test]
    fn a_commit_that_fails_does_not_take_its_neighbours_along() {
        let dir = TempDir::new().unwrap();
        let mut writer = writer(dir.path());
        writer.write(&[many("before", 10)]).unwrap();
        fill_disk(&writer, 2);
        let (huge_answer, mut huge) = oneshot::channel();
        let (small_answer, mut small) = oneshot::channel();
        let mut group = Group::new(many("huge", 5_000), huge_answer);
        group.commits.push(many("small", 2));
        group.answers.push(small_answer);
        writer.store(group);
        assert_eq!(
            huge.try_recv().unwrap().unwrap_err().kind,
            WarehouseErrorKind::Retryable
        );
        assert_eq!(small.try_recv().unwrap().unwrap(), [Stored::New; 2]);
    }

    #[test]
    fn the_log_is_short_again_once_a_long_reader_is_gone() {
        let dir = TempDir::new().unwrap();
        let mut writer = writer(dir.path());
        (writer.wal_bytes_max, writer.wal_bytes_next) = (1 << 20, 1 << 20);
        let reader = file::open_to_read(&writer.layout.file).unwrap();
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM sensor_readings;")
            .unwrap();
        let log = writer.layout.file.clone();
        for nth in 0..4 {
            writer.write(&[many(&format!("device {nth}"), 3_000)]).unwrap();
            writer.shorten_wal();
        }
        let long = file::wal_bytes(&log);
        assert!(long > 1 << 20, "the log has {long} bytes");
        reader.execute_batch("COMMIT").unwrap();
        writer.write(&[many("last", 3_000)]).unwrap();
        writer.shorten_wal();
        assert_eq!(file::wal_bytes(&log), 0);
    }
}
