//! Rows into one table, exactly once as far as one process can tell.
//!
//! A committed stream counts its rows, and each append says where it belongs. An answer that got lost is asked for
//! again by sending the same rows to the same place: `ALREADY_EXISTS` says that they had landed. What is not known
//! when all attempts are over is kept in mind, so that the same rows sent again later settle the question.

use std::sync::Arc;
use std::time::Duration;

use google_cloud_bigquery::client::Write;
use google_cloud_bigquery::error::{AppendError, WriterBuilderError};
use google_cloud_bigquery::model::{ArrowRecordBatch, ArrowSchema};
use google_cloud_bigquery::write::format::Arrow;
use google_cloud_bigquery::write::{CommittedWriter, DefaultWriter};
use google_cloud_gax::error::rpc::Code;
use tokio::time;

use super::columns::{Cell, Column};
use super::{Delivery, Options, batch, connect};
use crate::{WarehouseError, WarehouseErrorKind};

/// How often an append is tried before the caller is told.
const ATTEMPTS: u32 = 5;

/// How long the first wait between two attempts is; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// An append holds about so many bytes at most: half of what the service takes.
const APPEND_BYTES: usize = 4 << 20;

/// Appends to one table.
pub(super) struct Appender {
    client: Arc<Write>,
    options: Options,
    table: String,
    columns: Vec<Column>,
    stream: Option<Stream>,
}

enum Stream {
    Default(DefaultWriter<Arrow>),
    Committed(Committed),
}

struct Committed {
    writer: CommittedWriter<Arrow>,
    /// Where the next rows belong.
    offset: i64,
    /// Rows that were sent there and not answered for.
    unsure: Option<Vec<u8>>,
}

/// What one attempt came to.
enum Attempt {
    Landed,
    /// The stream cannot be used any more.
    StreamGone(WarehouseError),
    /// It may have landed: the same rows must go to the same place.
    Unsure(WarehouseError),
    /// It did not land, and may another time.
    Refused(WarehouseError),
    /// It will never land.
    Hopeless(WarehouseError),
}

impl Appender {
    pub(super) fn new(client: Arc<Write>, options: &Options, table: &str, columns: Vec<Column>) -> Self {
        Self {
            client,
            options: options.clone(),
            table: options.table_path(table),
            columns,
            stream: None,
        }
    }

    /// Appends rows durably. Rows that were appended by a call that failed are found again when exactly they are sent
    /// again, in the same order.
    pub(super) async fn append(&mut self, rows: &[Vec<Cell>]) -> Result<(), WarehouseError> {
        let mut rest = rows;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(portion(rest));
            self.append_portion(now).await?;
            rest = later;
        }
        Ok(())
    }

    /// Opens a stream and writes nothing.
    pub(super) async fn try_to_open(&mut self) -> Result<(), WarehouseError> {
        let nothing = batch::write(&self.columns, &[])?;
        self.ensure_stream(&nothing).await
    }

    async fn append_portion(&mut self, rows: &[Vec<Cell>]) -> Result<(), WarehouseError> {
        let written = batch::write(&self.columns, rows)?;
        let n_rows = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(&written, n_rows).await {
                Attempt::Landed => return Ok(()),
                Attempt::Hopeless(failure) => return Err(failure),
                Attempt::StreamGone(failure) => {
                    self.stream = None;
                    failure
                }
                Attempt::Unsure(failure) | Attempt::Refused(failure) => failure,
            };
            if attempt == ATTEMPTS || failure.kind != WarehouseErrorKind::Retryable {
                return Err(failure);
            }
            attempt += 1;
            time::sleep(wait).await;
            wait *= 2;
        }
    }

    async fn attempt(&mut self, written: &batch::Written, n_rows: i64) -> Attempt {
        if let Err(failure) = self.ensure_stream(written).await {
            return Attempt::Refused(failure);
        }
        let rows = ArrowRecordBatch::new().set_serialized_record_batch(written.rows.clone());
        let what = format!("failed to append to `{}`", self.table);
        let outcome = match self.stream.as_mut().expect("it was made sure of just now") {
            Stream::Default(writer) => time::timeout(ANSWER_LIMIT, writer.append(rows).send()).await,
            Stream::Committed(it) => {
                let landing = it.writer.append(rows).set_offset(it.offset).send();
                let outcome = time::timeout(ANSWER_LIMIT, landing).await;
                let landed = match &outcome {
                    Ok(Ok(_)) => true,
                    // Only rows that this process sent can lie there, and it sends none but these.
                    Ok(Err(error)) => told(error) == Some(Code::AlreadyExists),
                    Err(_) => false,
                };
                if landed {
                    it.offset += n_rows;
                    it.unsure = None;
                    return Attempt::Landed;
                }
                it.unsure = Some(written.rows.clone());
                outcome
            }
        };
        let failed = match outcome {
            Ok(Ok(_)) => return Attempt::Landed,
            Ok(Err(error)) => self.judged(&what, &error),
            Err(_) => Attempt::Unsure(WarehouseError::new(
                WarehouseErrorKind::Retryable,
                format!("{what}: there was no answer within {ANSWER_LIMIT:?}"),
            )),
        };
        match &failed {
            Attempt::Unsure(_) => self.reattach(written).await,
            // Whatever was refused did not land.
            Attempt::Refused(_) | Attempt::Hopeless(_) => self.is_sure(),
            _ => {}
        }
        failed
    }

    fn is_sure(&mut self) {
        if let Some(Stream::Committed(it)) = &mut self.stream {
            it.unsure = None;
        }
    }

    /// Opens a stream where there is none, or where rows of another call may lie at the place of these: what became of
    /// those is not asked any more, and readers leave out what is there twice.
    async fn ensure_stream(&mut self, written: &batch::Written) -> Result<(), WarehouseError> {
        if let Some(Stream::Committed(it)) = &self.stream
            && it.unsure.as_ref().is_some_and(|unsure| *unsure != written.rows)
        {
            self.stream = None;
        }
        if self.stream.is_some() {
            return Ok(());
        }
        let schema = ArrowSchema::new().set_serialized_schema(written.schema.clone());
        let opened = match self.options.delivery {
            Delivery::AtLeastOnce => {
                let builder = self
                    .client
                    .open_default_stream(&self.table)
                    .with_attempt_timeout(ANSWER_LIMIT);
                builder.build_arrow(schema).await.map(Stream::Default)
            }
            Delivery::ExactlyOnce => {
                let opened = time::timeout(ANSWER_LIMIT, self.client.create_stream(&self.table).build_arrow(schema));
                let Ok(opened) = opened.await else {
                    let context = format!("no stream to `{}` was made within {ANSWER_LIMIT:?}", self.table);
                    return Err(WarehouseError::new(WarehouseErrorKind::Retryable, context));
                };
                opened.map(|writer| {
                    Stream::Committed(Committed {
                        writer,
                        offset: 0,
                        unsure: None,
                    })
                })
            }
        };
        self.stream = Some(opened.map_err(|error| self.unopened(&error))?);
        Ok(())
    }

    /// Takes up the stream again whose connection broke. When that fails too, the next attempt tries anew.
    async fn reattach(&mut self, written: &batch::Written) {
        let Some(Stream::Committed(it)) = &mut self.stream else {
            return;
        };
        let schema = ArrowSchema::new().set_serialized_schema(written.schema.clone());
        let name = it.writer.write_stream().to_owned();
        let attached = time::timeout(ANSWER_LIMIT, self.client.attach_to_stream(name).build_arrow(schema)).await;
        if let Ok(Ok(writer)) = attached {
            it.writer = writer;
        }
    }

    fn unopened(&self, error: &WriterBuilderError) -> WarehouseError {
        let what = format!("failed to open a stream to `{}`", self.table);
        match error {
            WriterBuilderError::Rpc { source, .. } => connect::failure(&what, &self.options, source),
            other => WarehouseError::new(WarehouseErrorKind::Fatal, what).caused_by(other.to_string()),
        }
    }

    fn judged(&self, what: &str, error: &AppendError) -> Attempt {
        let AppendError::Rpc { source, .. } = error else {
            if let AppendError::RowErrors { row_errors, .. } = error {
                let told = row_errors.first().map(|it| it.message.clone()).unwrap_or_default();
                let context = format!(
                    "{what}: {} rows are refused, the first because {told}",
                    row_errors.len()
                );
                return Attempt::Hopeless(WarehouseError::new(WarehouseErrorKind::Fatal, context));
            }
            let broken = WarehouseError::new(WarehouseErrorKind::Retryable, format!("{what}: the connection ended"));
            return Attempt::Unsure(broken);
        };
        let failure = connect::failure(what, &self.options, source);
        match connect::code(source) {
            // The stream was ended, or rows before these are missing in it: a fresh one takes them.
            Some(Code::NotFound | Code::OutOfRange | Code::FailedPrecondition) => {
                Attempt::StreamGone(WarehouseError::new(WarehouseErrorKind::Retryable, what).caused_by(failure))
            }
            Some(Code::ResourceExhausted) => Attempt::Refused(failure),
            _ if failure.kind == WarehouseErrorKind::Retryable => Attempt::Unsure(failure),
            _ => Attempt::Hopeless(failure),
        }
    }
}

fn told(error: &AppendError) -> Option<Code> {
    match error {
        AppendError::Rpc { source, .. } => connect::code(source),
        _ => None,
    }
}

/// How many of these rows go into one append: the same for the same rows.
fn portion(rows: &[Vec<Cell>]) -> usize {
    let mut bytes = 0;
    let fits = rows.iter().take_while(|row| {
        bytes += row.iter().map(Cell::size).sum::<usize>();
        bytes <= APPEND_BYTES
    });
    fits.count().max(1)
}
