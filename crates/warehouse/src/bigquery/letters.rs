//! Dead letters, newest first.

use domain::RejectionCode;

use super::ask::{self, Question};
use super::{Core, columns, rows, tables};
use crate::{Cursor, DeadLetterQuery, Page, StoredDeadLetter, WarehouseError};

/// The number of a letter is that of its receipt times this, or the next after the one before it.
pub(super) const NUMBERS_A_MICROSECOND: i64 = 1 << 10;

/// A number is never further ahead of its receipt than this.
const AHEAD_MICROS: i64 = 86_400_000_000;

/// When the letter of a number was received at the latest.
fn latest_receipt(id: i64) -> i64 {
    id / NUMBERS_A_MICROSECOND
}

/// One page of dead letters.
pub(super) async fn page(core: &Core, query: &DeadLetterQuery) -> Result<Page<StoredDeadLetter>, WarehouseError> {
    let below = query.after.as_ref().map(|it| it.number("dead letters")).transpose();
    let below = below.map_err(WarehouseError::bad_query)?.unwrap_or(i64::MAX);
    let columns = columns::letters();
    let present: Vec<String> = columns.iter().map(|it| it.name.clone()).collect();
    let sql = format!(
        "SELECT {} FROM `{}` WHERE received_at <= TIMESTAMP_MICROS(@newest) AND id < @below \
         AND (@code = '' OR code = @code) ORDER BY id DESC LIMIT {}",
        ask::selected(&columns, &present),
        core.options.name_of(tables::LETTERS),
        i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1),
    );
    let code = query.code.map_or("", RejectionCode::as_str);
    let question = Question::new(sql)
        .whole("newest", latest_receipt(below))
        .whole("below", below)
        .text("code", code);
    let mut items = Vec::new();
    let asked = core.each(question, ask::kinds(&columns), |mut cells| {
        items.push(rows::stored_letter(&mut cells)?);
        Ok(())
    });
    asked.await?;
    Ok(Page::cut(items, query.limit, |it| Cursor(it.id.to_string())))
}

/// How many there are.
pub(super) async fn count(core: &Core) -> Result<u64, WarehouseError> {
    let sql = format!("SELECT COUNT(*) FROM `{}`", core.options.name_of(tables::LETTERS));
    core.count(Question::new(sql)).await
}

/// Takes letters away, and says how many there were.
pub(super) async fn purge(core: &Core, ids: &[u64]) -> Result<u64, WarehouseError> {
    let ids: Vec<i64> = ids.iter().filter_map(|it| i64::try_from(*it).ok()).collect();
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok(0);
    };
    let table = core.options.name_of(tables::LETTERS);
    let chosen = |what: &str| {
        let sql = format!(
            "{what} FROM `{table}` WHERE received_at >= TIMESTAMP_MICROS(@oldest) \
             AND received_at <= TIMESTAMP_MICROS(@newest) AND id IN UNNEST(@ids)"
        );
        Question::new(sql)
            .whole("oldest", latest_receipt(*first).saturating_sub(AHEAD_MICROS))
            .whole("newest", latest_receipt(*last))
            .wholes("ids", ids.iter().copied())
    };
    let n_purged = core.count(chosen("SELECT COUNT(*)")).await?;
    if n_purged > 0 {
        core.run(chosen("DELETE")).await?;
    }
    Ok(n_purged)
}
