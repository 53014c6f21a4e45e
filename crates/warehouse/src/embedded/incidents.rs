//! Writing incidents as the detection tells them, in the transaction of the readings that caused them.

use domain::{Incident, IncidentKind, Severity, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::failure::{Found, Trouble};
use super::rows;
use crate::incident::{BY_ITSELF, IncidentUpdate, REOPEN_SECONDS};
use crate::judged::{shares_from_json, shares_to_json};

/// The tables, made where they are missing.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS incidents (
  id TEXT PRIMARY KEY NOT NULL,
  device_id TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  began INTEGER NOT NULL,
  last INTEGER NOT NULL,
  peak_score REAL NOT NULL,
  peak_at INTEGER NOT NULL,
  readings INTEGER NOT NULL,
  severity TEXT NOT NULL,
  kind TEXT NOT NULL,
  signals TEXT NOT NULL,
  reason TEXT NOT NULL,
  model_version TEXT NOT NULL,
  closed_at INTEGER,
  state TEXT NOT NULL,
  snoozed_until INTEGER,
  assignee TEXT,
  resolved_at INTEGER,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS incidents_by_device ON incidents (device_id, began);
CREATE INDEX IF NOT EXISTS incidents_by_time ON incidents (began, id);
CREATE INDEX IF NOT EXISTS incidents_unresolved ON incidents (began, id) WHERE state <> 'resolved';
CREATE TABLE IF NOT EXISTS labels (
  incident_id TEXT PRIMARY KEY NOT NULL,
  label TEXT NOT NULL,
  who TEXT NOT NULL,
  at INTEGER NOT NULL,
  note TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS incident_audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  incident_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  detail TEXT,
  note TEXT,
  before TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS incident_audit_by_incident ON incident_audit (incident_id, id);
CREATE TRIGGER IF NOT EXISTS incident_audit_is_not_changed BEFORE UPDATE ON incident_audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;
CREATE TRIGGER IF NOT EXISTS incident_audit_is_not_deleted BEFORE DELETE ON incident_audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;
";

/// The columns of an incident in the order in which [`read`] takes them.
pub(super) const COLUMNS: &str = "i.id, i.device_id, i.opened_at, i.began, i.last, i.peak_score, i.peak_at, i.readings,
  i.severity, i.kind, i.signals, i.reason, i.model_version, i.closed_at";

const INSERT: &str = "
INSERT INTO incidents (id, device_id, opened_at, began, last, peak_score, peak_at, readings, severity, kind, signals,
  reason, model_version, closed_at, state, resolved_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

const UPDATE: &str = "
UPDATE incidents SET last = ?2, peak_score = ?3, peak_at = ?4, readings = ?5, severity = ?6, kind = ?7, signals = ?8,
  reason = ?9, closed_at = ?10, state = ?11, resolved_at = ?12, updated_at = ?13, snoozed_until = ?14
WHERE id = ?1";

/// What decides how an incident that is there goes on.
struct Known {
    device_id: String,
    last: i64,
    readings: i64,
    closed_at: Option<i64>,
    state: String,
    snoozed_until: Option<i64>,
    resolved_at: Option<i64>,
}

/// Writes an incident that is new, or moves on one that is there.
pub(super) fn write(connection: &Connection, update: &IncidentUpdate) -> rusqlite::Result<()> {
    let sql =
        "SELECT device_id, last, readings, closed_at, state, snoozed_until, resolved_at FROM incidents WHERE id = ?1";
    let known = connection
        .prepare_cached(sql)?
        .query_row([update.incident.id.as_str()], |row| {
            Ok(Known {
                device_id: row.get(0)?,
                last: row.get(1)?,
                readings: row.get(2)?,
                closed_at: row.get(3)?,
                state: row.get(4)?,
                snoozed_until: row.get(5)?,
                resolved_at: row.get(6)?,
            })
        })
        .optional()?;
    match known {
        None => insert(connection, update),
        // Two devices whose incidents share a name: the first one has it.
        Some(known) if known.device_id != update.incident.device_id.as_str() => Ok(()),
        Some(known) => go_on(connection, update, known),
    }
}

fn insert(connection: &Connection, update: &IncidentUpdate) -> rusqlite::Result<()> {
    let it = &update.incident;
    let closed_at = it.closed_at.map(Timestamp::as_micros);
    let at = update.at.as_micros();
    connection.prepare_cached(INSERT)?.execute(params![
        it.id.as_str(),
        it.device_id.as_str(),
        it.opened_at.as_micros(),
        it.began.as_micros(),
        it.last.as_micros(),
        it.peak_score,
        it.peak_at.as_micros(),
        i64::try_from(it.readings).unwrap_or(i64::MAX),
        it.severity.as_str(),
        it.kind.as_str(),
        shares_to_json(&it.signals),
        it.reason,
        it.model_version,
        closed_at,
        if closed_at.is_some() { "resolved" } else { "open" },
        closed_at.map(|_| at),
        at,
    ])?;
    note(connection, it, at, "opened")?;
    if closed_at.is_some() {
        note(connection, it, at, "closed")?;
    }
    Ok(())
}

/// An update that says less than what is known, as a redelivery may, changes nothing.
fn go_on(connection: &Connection, update: &IncidentUpdate, known: Known) -> rusqlite::Result<()> {
    let it = &update.incident;
    let readings = i64::try_from(it.readings).unwrap_or(i64::MAX);
    let says_more = it.last.as_micros() > known.last || readings > known.readings;
    let closes = it.closed_at.is_some() && known.closed_at.is_none();
    if known.closed_at.is_some() || !(says_more || closes) {
        return Ok(());
    }
    let at = update.at.as_micros();
    let (mut state, mut resolved_at, mut snoozed_until) = (known.state, known.resolved_at, known.snoozed_until);
    let resolved_for = resolved_at.map(|since| (at - since) as f64 / 1e6);
    if closes {
        note(connection, it, at, "closed")?;
        if state != "resolved" {
            (state, resolved_at, snoozed_until) = ("resolved".to_owned(), Some(at), None);
        }
    } else if says_more && resolved_for.is_some_and(|it| it > REOPEN_SECONDS) {
        note(connection, it, at, "reopened")?;
        (state, resolved_at) = ("open".to_owned(), None);
    }
    connection.prepare_cached(UPDATE)?.execute(params![
        it.id.as_str(),
        it.last.as_micros(),
        it.peak_score,
        it.peak_at.as_micros(),
        readings,
        it.severity.as_str(),
        it.kind.as_str(),
        shares_to_json(&it.signals),
        it.reason,
        it.closed_at.map(Timestamp::as_micros),
        state,
        resolved_at,
        at,
        snoozed_until,
    ])?;
    Ok(())
}

fn note(connection: &Connection, incident: &Incident, at: i64, action: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO incident_audit (incident_id, at, who, action) VALUES (?1, ?2, ?3, ?4)";
    let arguments = params![incident.id.as_str(), at, BY_ITSELF, action];
    connection.prepare_cached(sql)?.execute(arguments)?;
    Ok(())
}

/// Reads the columns of [`COLUMNS`], which begin the row.
pub(super) fn read(row: &Row<'_>) -> Found<Incident> {
    let id: String = row.get(0)?;
    let damage = |what: &str| Trouble::Damage(format!("incident `{id}` has {what}"));
    let (severity, kind): (String, String) = (row.get(8)?, row.get(9)?);
    Ok(Incident {
        id: domain::IncidentId::parse(&id).ok_or_else(|| damage("no name"))?,
        device_id: rows::device_id(&row.get::<_, String>(1)?)?,
        opened_at: rows::instant(row, 2)?,
        began: rows::instant(row, 3)?,
        last: rows::instant(row, 4)?,
        peak_score: row.get(5)?,
        peak_at: rows::instant(row, 6)?,
        readings: row.get::<_, i64>(7)?.unsigned_abs(),
        severity: Severity::from_name(&severity).ok_or_else(|| damage("an unknown severity"))?,
        kind: IncidentKind::from_name(&kind).ok_or_else(|| damage("an unknown kind"))?,
        signals: shares_from_json(&row.get::<_, String>(10)?).ok_or_else(|| damage("signals that cannot be read"))?,
        reason: row.get(11)?,
        model_version: row.get(12)?,
        closed_at: row.get::<_, Option<i64>>(13)?.map(Timestamp::from_micros),
    })
}
