//! Questions about incidents.

use domain::{IncidentId, Label, Labelled, Phase, Severity, Standing, Timestamp, Triage};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::failure::{Found, Trouble};
use super::{incidents, rows};
use crate::incident::{AuditEntry, IncidentCount, IncidentQuery, LabelFilter, StoredIncident};
use crate::{Cursor, Page};

/// The columns after those of [`incidents::COLUMNS`], and where they come from.
const TRIAGE: &str = "i.state, i.snoozed_until, i.assignee, i.updated_at, l.label, l.who, l.at, l.note
  FROM incidents i LEFT JOIN labels l ON l.incident_id = i.id";

/// Where the columns of [`TRIAGE`] begin.
const FIRST: usize = 14;

/// Where an incident stands at the instant that is bound: a snooze that is over is open.
const STANDING: &str = "CASE WHEN i.state = 'snoozed' AND i.snoozed_until <= ? THEN 'open' ELSE i.state END";

/// One page of incidents.
pub(super) fn page(connection: &Connection, query: &IncidentQuery) -> Found<Page<StoredIncident>> {
    let (condition, mut arguments) = condition(query)?;
    let sql = format!(
        "SELECT {}, {TRIAGE} WHERE {condition} ORDER BY i.began DESC, i.id DESC LIMIT ?",
        incidents::COLUMNS
    );
    arguments.push(i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1).into());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params_from_iter(arguments))?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        items.push(stored(row, query.now)?);
    }
    Ok(Page::cut(items, query.limit, |it| {
        Cursor::at(it.incident.began.as_micros(), it.incident.id.as_str())
    }))
}

fn condition(query: &IncidentQuery) -> Found<(String, Vec<Value>)> {
    let mut parts = vec!["i.began >= ? AND i.began < ?".to_owned()];
    let mut arguments: Vec<Value> = vec![query.range.start.as_micros().into(), query.range.end.as_micros().into()];
    if let Some(cursor) = &query.after {
        let (began, id) = cursor.place("incidents").map_err(Trouble::BadQuery)?;
        parts.push("(i.began, i.id) < (?, ?)".to_owned());
        arguments.extend([began.into(), id.to_owned().into()]);
    }
    if let Some(device_id) = &query.device_id {
        parts.push("i.device_id = ?".to_owned());
        arguments.push(device_id.as_str().to_owned().into());
    }
    if !query.standings.is_empty() {
        if !query.standings.contains(&Standing::Resolved) {
            parts.push("i.state <> 'resolved'".to_owned());
        }
        let places = vec!["?"; query.standings.len()].join(", ");
        parts.push(format!("{STANDING} IN ({places})"));
        arguments.push(query.now.as_micros().into());
        arguments.extend(query.standings.iter().map(|it| Value::from(it.as_str().to_owned())));
    }
    if let Some(severity) = query.severity {
        parts.push("i.severity = ?".to_owned());
        arguments.push(severity.as_str().to_owned().into());
    }
    match query.label {
        None => {}
        Some(LabelFilter::None) => parts.push("l.label IS NULL".to_owned()),
        Some(LabelFilter::Any) => parts.push("l.label IS NOT NULL".to_owned()),
        Some(LabelFilter::Is(label)) => {
            parts.push("l.label = ?".to_owned());
            arguments.push(label.as_str().to_owned().into());
        }
    }
    match query.ongoing {
        None => {}
        Some(true) => parts.push("i.closed_at IS NULL".to_owned()),
        Some(false) => parts.push("i.closed_at IS NOT NULL".to_owned()),
    }
    Ok((parts.join(" AND "), arguments))
}

/// One incident, as it stands at an instant.
pub(super) fn one(connection: &Connection, id: &IncidentId, now: Timestamp) -> Found<Option<StoredIncident>> {
    let sql = format!("SELECT {}, {TRIAGE} WHERE i.id = ?1", incidents::COLUMNS);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([id.as_str()])?;
    found.next()?.map(|row| stored(row, now)).transpose()
}

fn stored(row: &Row<'_>, now: Timestamp) -> Found<StoredIncident> {
    let incident = incidents::read(row)?;
    let state: String = row.get(FIRST)?;
    let until = row.get::<_, Option<i64>>(FIRST + 1)?.map(Timestamp::from_micros);
    let damage = |what: &str| Trouble::Damage(format!("incident `{}` has {what}", incident.id));
    let phase = phase(&state, until).ok_or_else(|| damage("an unknown state"))?;
    let label = match row.get::<_, Option<String>>(FIRST + 4)? {
        None => None,
        Some(label) => Some(Labelled {
            label: Label::from_name(&label).ok_or_else(|| damage("an unknown label"))?,
            who: row.get(FIRST + 5)?,
            at: rows::instant(row, FIRST + 6)?,
            note: row.get(FIRST + 7)?,
        }),
    };
    Ok(StoredIncident {
        triage: Triage {
            phase: phase.at(now),
            assignee: row.get(FIRST + 2)?,
            label,
        },
        updated_at: rows::instant(row, FIRST + 3)?,
        incident,
    })
}

/// The phase that a state and the end of a snooze stand for.
pub(super) fn phase(state: &str, until: Option<Timestamp>) -> Option<Phase> {
    Some(match (Standing::from_name(state)?, until) {
        (Standing::Open, _) => Phase::Open,
        (Standing::Acknowledged, _) => Phase::Acknowledged,
        (Standing::Snoozed, until) => Phase::Snoozed(until?),
        (Standing::Resolved, _) => Phase::Resolved,
    })
}

/// Everything that happened to an incident, oldest first.
pub(super) fn audit(connection: &Connection, id: &IncidentId) -> Found<Vec<AuditEntry>> {
    let sql = "SELECT id, at, who, action, detail, note FROM incident_audit WHERE incident_id = ?1 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([id.as_str()])?;
    let mut entries = Vec::new();
    while let Some(row) = found.next()? {
        entries.push(AuditEntry {
            id: row.get::<_, i64>(0)?.unsigned_abs(),
            at: rows::instant(row, 1)?,
            who: row.get(2)?,
            action: row.get(3)?,
            detail: row.get(4)?,
            note: row.get(5)?,
        });
    }
    Ok(entries)
}

/// How many that are not resolved stand where.
pub(super) fn counts(connection: &Connection, now: Timestamp) -> Found<Vec<IncidentCount>> {
    let sql = format!(
        "SELECT {STANDING}, i.severity, count(*), count(*) FILTER (WHERE i.closed_at IS NULL)
         FROM incidents i WHERE i.state <> 'resolved' GROUP BY 1, 2 ORDER BY 1, 2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([now.as_micros()])?;
    let mut counts = Vec::new();
    while let Some(row) = found.next()? {
        let (state, severity): (String, String) = (row.get(0)?, row.get(1)?);
        let damage = || {
            Trouble::Damage(format!(
                "an incident has the state `{state}` and the severity `{severity}`"
            ))
        };
        counts.push(IncidentCount {
            standing: Standing::from_name(&state).ok_or_else(damage)?,
            severity: Severity::from_name(&severity).ok_or_else(damage)?,
            incidents: row.get::<_, i64>(2)?.unsigned_abs(),
            ongoing: row.get::<_, i64>(3)?.unsigned_abs(),
        });
    }
    Ok(counts)
}
