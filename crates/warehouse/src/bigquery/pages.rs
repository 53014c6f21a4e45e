//! Readings in order of (timestamp, device), from a place on.

use domain::{Judged, Timestamp};

use super::ask::{self, Question};
use super::{Core, IN_RANGE, ranged, rows, tables};
use crate::{Cursor, Page, ReadingQuery, WarehouseError};

/// The place of a reading in the order of all readings.
fn cursor(judged: &Judged) -> Cursor {
    let reading = &judged.reading;
    Cursor::at(reading.timestamp.as_micros(), reading.device_id.as_str())
}

/// One page of readings.
pub(super) async fn page(core: &Core, query: &ReadingQuery) -> Result<Page<Judged>, WarehouseError> {
    let after = query.after.as_ref().map(|it| it.place("readings")).transpose();
    let after = after.map_err(WarehouseError::bad_query)?;
    let mut range = query.range;
    let mut condition = IN_RANGE.to_owned();
    if query.device_id.is_some() {
        condition += " AND device_id = @device";
    }
    let (side, order) = if query.newest_first {
        ("<", "DESC")
    } else {
        (">", "ASC")
    };
    if let Some((micros, _)) = after {
        // The place narrows the range, so that only the days behind it are read.
        let at = Timestamp::from_micros(micros);
        if query.newest_first {
            range.end = range.end.min(at.plus_micros(1));
        } else {
            range.start = range.start.max(at);
        }
        condition += &format!(
            " AND (timestamp {side} TIMESTAMP_MICROS(@instant) \
             OR (timestamp = TIMESTAMP_MICROS(@instant) AND device_id {side} @after))"
        );
    }
    // Which of two rows of one reading counts is settled before it is asked what they say.
    let wanted = if query.anomalies_only { "WHERE flag" } else { "" };
    let sql = format!(
        "SELECT {} FROM {} {wanted} ORDER BY timestamp {order}, device_id {order} LIMIT {}",
        ask::selected(&core.columns, &core.present),
        core.once(&condition),
        i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1),
    );
    let mut question = ranged(Question::new(sql), range);
    if let Some(device_id) = &query.device_id {
        question = question.text("device", device_id.as_str());
    }
    if let Some((micros, device_id)) = after {
        question = question.whole("instant", micros).text("after", device_id);
    }
    let mut items = Vec::new();
    let asked = core.each(question, ask::kinds(&core.columns), |mut cells| {
        items.push(rows::judged(&mut cells, &core.signals)?);
        Ok(())
    });
    asked.await?;
    Ok(Page::cut(items, query.limit, cursor))
}

/// Drops readings whose time and receipt both lie before an instant, and says how many.
pub(super) async fn drop_before(core: &Core, at: Timestamp) -> Result<u64, WarehouseError> {
    let mut n_dropped = 0;
    for table in [tables::READINGS, tables::FAR_READINGS] {
        let old = |what: &str| {
            let sql = format!(
                "{what} FROM `{}` \
                 WHERE timestamp < TIMESTAMP_MICROS(@before) AND received_at < TIMESTAMP_MICROS(@before)",
                core.options.name_of(table)
            );
            Question::new(sql).whole("before", at.as_micros())
        };
        let n_old = core.count(old("SELECT COUNT(*)")).await?;
        if n_old > 0 {
            core.run(old("DELETE")).await?;
        }
        n_dropped += n_old;
    }
    Ok(n_dropped)
}
