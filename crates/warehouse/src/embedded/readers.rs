//! A few connections that can only read, each used by one question at a time on a thread that may wait.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task;

use super::failure::Found;
use super::file;
use super::schema::Layout;
use crate::{WarehouseError, WarehouseErrorKind};

#[derive(Debug)]
pub(super) struct Readers {
    layout: Arc<Layout>,
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(layout: Arc<Layout>, n_readers: usize) -> Self {
        Self {
            layout,
            turns: Arc::new(Semaphore::new(n_readers.max(1))),
            idle: Arc::default(),
        }
    }

    pub(super) async fn read<T, W>(&self, work: W) -> Result<T, WarehouseError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection, &Layout) -> Found<T> + Send + 'static,
    {
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let layout = Arc::clone(&self.layout);
        let idle = Arc::clone(&self.idle);
        let reading = task::spawn_blocking(move || {
            let _turn = turn;
            let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match waiting {
                Some(connection) => connection,
                None => file::open_to_read(&layout.file)?,
            };
            let found = work(&connection, &layout).map_err(|it| layout.error(it, "read"))?;
            // A connection that failed is closed instead.
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            Ok(found)
        });
        finished(reading.await)
    }
}

/// The outcome of work on another thread.
pub(super) fn finished<T>(outcome: Result<Result<T, WarehouseError>, task::JoinError>) -> Result<T, WarehouseError> {
    outcome.unwrap_or_else(|cause| {
        let context = "a question to the warehouse ended before it was answered";
        Err(WarehouseError::new(WarehouseErrorKind::Fatal, context).caused_by(cause))
    })
}
