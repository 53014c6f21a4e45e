//! All readings of a range for training, through the Storage Read API.
//!
//! The storage gives rows in no order and may hold a reading twice, so the range is read in spans of time that fit
//! into memory, and each is put in order here.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{Judged, TimeRange, Timestamp};
use google_cloud_bigquery::model::read_session::TableReadOptions;
use google_cloud_bigquery::model::{DataFormat, ReadSession};
use google_cloud_gax::error::Error;

use super::ask::Question;
use super::columns::Kind;
use super::rows::{self, Cells};
use super::{Core, IN_RANGE, batch, connect, ranged, tables};
use crate::{Scan, WarehouseError};

/// A span is ended once it holds so many rows.
const SPAN_ROWS: u64 = 100_000;

/// Spans are made of whole minutes.
const MINUTE: i64 = 60_000_000;

/// Readings of a range in order, a span at a time.
pub(super) struct BigQueryScan {
    core: Arc<Core>,
    range: TimeRange,
    /// None until the first call.
    spans: Option<VecDeque<TimeRange>>,
}

impl BigQueryScan {
    pub(super) fn new(core: Arc<Core>, range: TimeRange) -> Self {
        Self {
            core,
            range,
            spans: None,
        }
    }

    /// Cuts the range where rows lie into spans.
    async fn cut(&self) -> Result<VecDeque<TimeRange>, WarehouseError> {
        let minute =
            format!("UNIX_MICROS(timestamp) - MOD(MOD(UNIX_MICROS(timestamp), {MINUTE}) + {MINUTE}, {MINUTE})");
        let sql = format!(
            "SELECT {minute} AS minute, COUNT(*) FROM {} GROUP BY minute ORDER BY minute",
            tables::all_readings(&self.core.options, IN_RANGE)
        );
        let mut spans = VecDeque::new();
        let mut open: Option<(i64, u64)> = None;
        let range = self.range;
        let span = |from: i64, to: i64| TimeRange {
            start: Timestamp::from_micros(from).max(range.start),
            end: Timestamp::from_micros(to).min(range.end),
        };
        let mut last = 0;
        let question = ranged(Question::new(sql), range);
        let asked = self.core.each(question, [Kind::Instant, Kind::Whole], |mut cells| {
            last = cells.whole().unwrap_or_default();
            let n_rows = cells.whole().unwrap_or_default().unsigned_abs();
            let (from, before) = open.unwrap_or((last, 0));
            open = Some((from, before + n_rows));
            if before + n_rows >= SPAN_ROWS {
                spans.push_back(span(from, last + MINUTE));
                open = None;
            }
            Ok(())
        });
        asked.await?;
        spans.extend(open.map(|(from, _)| span(from, last + MINUTE)));
        Ok(spans)
    }

    async fn read(&self, span: TimeRange) -> Result<Vec<Judged>, WarehouseError> {
        let mut readings = Vec::new();
        let days = tables::days();
        if span.start < days.end && days.start < span.end {
            self.read_table(tables::READINGS, span, &mut readings).await?;
        }
        if span.start < days.start || days.end < span.end {
            self.read_table(tables::FAR_READINGS, span, &mut readings).await?;
        }
        Ok(in_order(readings))
    }

    async fn read_table(&self, table: &str, span: TimeRange, readings: &mut Vec<Judged>) -> Result<(), WarehouseError> {
        let core = &*self.core;
        let failed = |error: Error| {
            let what = format!("failed to read `{}`", core.options.name_of(table));
            connect::failure(&what, &core.options, &error)
        };
        let wanted = core
            .columns
            .iter()
            .map(|it| it.name.clone())
            .filter(|it| core.present.contains(it));
        let reading = TableReadOptions::new()
            .set_selected_fields(wanted)
            .set_row_restriction(format!(
                "timestamp >= TIMESTAMP '{}' AND timestamp < TIMESTAMP '{}'",
                span.start, span.end
            ));
        let session = ReadSession::new()
            .set_data_format(DataFormat::Arrow)
            .set_table(core.options.table_path(table))
            .set_read_options(reading);
        let session = core
            .reads
            .create_read_session()
            .set_parent(format!("projects/{}", core.options.project))
            .set_read_session(session)
            .set_max_stream_count(1)
            .send()
            .await
            .map_err(failed)?;
        let schema = session
            .arrow_schema()
            .map(|it| it.serialized_schema.clone())
            .unwrap_or_default();
        for stream in &session.streams {
            let mut blocks = core.reads.read_rows().set_read_stream(&stream.name).into_reader();
            while let Some(block) = blocks.next().await {
                let block = block.map_err(failed)?;
                let Some(written) = block.arrow_record_batch() else {
                    continue;
                };
                for row in batch::read(&schema, &written.serialized_record_batch, &core.columns)? {
                    readings.push(rows::judged(&mut Cells::new(row), &core.signals)?);
                }
            }
        }
        Ok(())
    }
}

/// In order of (timestamp, device), and each reading once: the first one stored.
fn in_order(mut readings: Vec<Judged>) -> Vec<Judged> {
    readings.sort_by(|one, other| {
        let place = |it: &Judged| (it.reading.timestamp, it.received_at);
        let by_name = one.reading.device_id.cmp(&other.reading.device_id);
        let (one, other) = (place(one), place(other));
        one.0.cmp(&other.0).then(by_name).then(one.1.cmp(&other.1))
    });
    readings.dedup_by(|later, first| {
        (later.reading.timestamp, &later.reading.device_id) == (first.reading.timestamp, &first.reading.device_id)
    });
    readings
}

#[async_trait]
impl Scan for BigQueryScan {
    async fn next(&mut self) -> Result<Option<Vec<Judged>>, WarehouseError> {
        if self.spans.is_none() {
            self.spans = Some(self.cut().await?);
        }
        while let Some(span) = self.spans.as_mut().and_then(VecDeque::pop_front) {
            let readings = self.read(span).await?;
            if !readings.is_empty() {
                return Ok(Some(readings));
            }
        }
        Ok(None)
    }
}
