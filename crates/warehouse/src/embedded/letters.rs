//! Dead letters, newest first.

use domain::{DeadLetter, Rejection, RejectionCode};
use rusqlite::{Connection, Row, params};

use super::failure::{Found, Trouble};
use super::rows;
use crate::{Cursor, DeadLetterQuery, Page, StoredDeadLetter};

/// One page of dead letters.
pub(super) fn page(connection: &Connection, query: &DeadLetterQuery) -> Found<Page<StoredDeadLetter>> {
    let below = query.after.as_ref().map(|it| it.number("dead letters")).transpose();
    let below = below.map_err(Trouble::BadQuery)?.unwrap_or(i64::MAX);
    let sql = "SELECT id, received_at, source, code, field, detail, payload FROM dead_letters
               WHERE id < ?1 AND (?2 IS NULL OR code = ?2) ORDER BY id DESC LIMIT ?3";
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query(params![below, query.code.map(RejectionCode::as_str), limit])?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        items.push(letter(row)?);
    }
    Ok(Page::cut(items, query.limit, |it| Cursor(it.id.to_string())))
}

/// How many there are.
pub(super) fn count(connection: &Connection) -> Found<u64> {
    let count: i64 = connection.query_row("SELECT count(*) FROM dead_letters", [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

fn letter(row: &Row<'_>) -> Found<StoredDeadLetter> {
    let code: String = row.get(3)?;
    let unknown = || Trouble::Damage(format!("a dead letter has the unknown code `{code}`"));
    Ok(StoredDeadLetter {
        id: row.get::<_, i64>(0)?.unsigned_abs(),
        letter: DeadLetter {
            received_at: rows::instant(row, 1)?,
            source: row.get(2)?,
            payload: row.get(6)?,
            rejection: Rejection {
                code: RejectionCode::from_name(&code).ok_or_else(unknown)?,
                field: row.get(4)?,
                detail: row.get(5)?,
            },
        },
    })
}
