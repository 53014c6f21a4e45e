//! Readings in order of (timestamp, device), from a place on.

use domain::{Judged, Timestamp};

use super::ask::{self, Question};
use super::{Core, IN_RANGE, ranged, rows, tables};
use crate::{Cursor, Page, ReadingQuery, WarehouseError, WarehouseErrorKind};

/// The identity of a reading, as a place in the order of all readings.
struct Place {
    micros: i64,
    device_id: String,
}

impl Place {
    fn of(judged: &Judged) -> Self {
        Self {
            micros: judged.reading.timestamp.as_micros(),
            device_id: judged.reading.device_id.to_string(),
        }
    }

    fn to_cursor(&self) -> Cursor {
        Cursor(format!("{} {}", self.micros, self.device_id))
    }

    fn from_cursor(cursor: &Cursor) -> Result<Self, WarehouseError> {
        let place = cursor.0.split_once(' ').and_then(|(micros, device_id)| {
            Some(Self {
                micros: micros.parse().ok()?,
                device_id: device_id.to_owned(),
            })
        });
        place.ok_or_else(|| {
            let context = format!("`{}` is no cursor of a list of readings", cursor.0);
            WarehouseError::new(WarehouseErrorKind::BadQuery, context)
        })
    }
}

/// One page of readings.
pub(super) async fn page(core: &Core, query: &ReadingQuery) -> Result<Page<Judged>, WarehouseError> {
    let after = query.after.as_ref().map(Place::from_cursor).transpose()?;
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
    if let Some(place) = &after {
        // The place narrows the range, so that only the days behind it are read.
        let at = Timestamp::from_micros(place.micros);
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
    if let Some(place) = &after {
        question = question.whole("instant", place.micros).text("after", &place.device_id);
    }
    let mut items = Vec::new();
    let asked = core.each(question, ask::kinds(&core.columns), |mut cells| {
        items.push(rows::judged(&mut cells, &core.signals)?);
        Ok(())
    });
    asked.await?;
    let has_more = items.len() > query.limit;
    items.truncate(query.limit);
    let next = items
        .last()
        .filter(|_| has_more)
        .map(|last| Place::of(last).to_cursor());
    Ok(Page { items, next })
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
