//! What people do with incidents: the state, the label and the audit trail change in one transaction.

use domain::{Act, Action, IncidentId, Label, Labelled, Phase, Refusal, Timestamp, Triage};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::failure::{Found, Trouble};
use super::incident_pages;
use crate::incident::{Acted, BY_ITSELF, UNDO_SECONDS};

/// Does what a person wants with an incident, if its state allows it.
pub(super) fn act(connection: &Connection, id: &IncidentId, action: &Action) -> Found<Acted> {
    let Some(stored) = incident_pages::one(connection, id, action.at)? else {
        return Ok(Acted::Unknown);
    };
    let before = stored.triage;
    let (after, detail) = match action.act {
        Act::Undo => match (action.check(), undone(connection, id, action.at)?) {
            (Err(refusal), _) => return Ok(Acted::Refused(refusal)),
            (Ok(()), Some((before, undone))) => (before, Some(undone)),
            (Ok(()), None) => return Ok(Acted::Refused(Refusal::NothingToUndo(UNDO_SECONDS))),
        },
        _ => match before.after(action) {
            Ok(after) => {
                let detail = action.act.detail(&after);
                (after, detail)
            }
            Err(refusal) => return Ok(Acted::Refused(refusal)),
        },
    };
    write(connection, id, &before, &after, action.at)?;
    let sql = "INSERT INTO incident_audit (incident_id, at, who, action, detail, note, before)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    connection.prepare_cached(sql)?.execute(params![
        id.as_str(),
        action.at.as_micros(),
        action.who,
        action.act.as_str(),
        detail,
        action.note,
        to_json(&before),
    ])?;
    let lost = || Trouble::Damage(format!("incident `{id}` is gone"));
    let stored = incident_pages::one(connection, id, action.at)?.ok_or_else(lost)?;
    Ok(Acted::Done(Box::new(stored)))
}

/// The triage before the newest step, and what that step was; `None` where it was no person's or is too long ago.
fn undone(connection: &Connection, id: &IncidentId, now: Timestamp) -> Found<Option<(Triage, String)>> {
    let sql = "SELECT action, who, at, before FROM incident_audit WHERE incident_id = ?1 ORDER BY id DESC LIMIT 1";
    let newest = connection
        .prepare_cached(sql)?
        .query_row([id.as_str()], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get(2)?,
                row.get::<_, Option<String>>(3)?,
            ))
        })
        .optional()?;
    let Some((step, who, at, Some(before))) = newest else {
        return Ok(None);
    };
    let is_late = now.seconds_since(Timestamp::from_micros(at)) > UNDO_SECONDS as f64;
    if is_late || who == BY_ITSELF || step == Act::Undo.as_str() {
        return Ok(None);
    }
    let damage = || Trouble::Damage(format!("the audit trail of incident `{id}` cannot be read"));
    Ok(Some((from_json(&before).ok_or_else(damage)?, step)))
}

fn write(connection: &Connection, id: &IncidentId, before: &Triage, after: &Triage, at: Timestamp) -> Found<()> {
    let until = match after.phase {
        Phase::Snoozed(until) => Some(until.as_micros()),
        _ => None,
    };
    let resolves = after.phase == Phase::Resolved && before.phase != Phase::Resolved;
    let sql = "UPDATE incidents SET state = ?2, snoozed_until = ?3, assignee = ?4, updated_at = ?5,
                 resolved_at = CASE WHEN ?6 THEN ?5 WHEN ?2 = 'resolved' THEN resolved_at END WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![
        id.as_str(),
        after.phase.standing().as_str(),
        until,
        after.assignee,
        at.as_micros(),
        resolves,
    ])?;
    match &after.label {
        Some(it) => {
            let sql = "INSERT INTO labels (incident_id, label, who, at, note) VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT (incident_id) DO UPDATE SET label = ?2, who = ?3, at = ?4, note = ?5";
            let at = it.at.as_micros();
            connection
                .prepare_cached(sql)?
                .execute(params![id.as_str(), it.label.as_str(), it.who, at, it.note])?;
        }
        None => {
            let sql = "DELETE FROM labels WHERE incident_id = ?1";
            connection.prepare_cached(sql)?.execute([id.as_str()])?;
        }
    }
    Ok(())
}

/// A triage as the column `before` has it.
#[derive(Serialize, Deserialize)]
struct TriageRow {
    state: String,
    snoozed_until: Option<i64>,
    assignee: Option<String>,
    label: Option<LabelRow>,
}

#[derive(Serialize, Deserialize)]
struct LabelRow {
    label: String,
    who: String,
    at: i64,
    note: Option<String>,
}

fn to_json(triage: &Triage) -> String {
    let row = TriageRow {
        state: triage.phase.standing().as_str().to_owned(),
        snoozed_until: match triage.phase {
            Phase::Snoozed(until) => Some(until.as_micros()),
            _ => None,
        },
        assignee: triage.assignee.clone(),
        label: triage.label.as_ref().map(|it| LabelRow {
            label: it.label.as_str().to_owned(),
            who: it.who.clone(),
            at: it.at.as_micros(),
            note: it.note.clone(),
        }),
    };
    serde_json::to_string(&row).expect("texts and numbers have a form in JSON")
}

fn from_json(json: &str) -> Option<Triage> {
    let row: TriageRow = serde_json::from_str(json).ok()?;
    let label = match row.label {
        None => None,
        Some(it) => Some(Labelled {
            label: Label::from_name(&it.label)?,
            who: it.who,
            at: Timestamp::from_micros(it.at),
            note: it.note,
        }),
    };
    Some(Triage {
        phase: incident_pages::phase(&row.state, row.snoozed_until.map(Timestamp::from_micros))?,
        assignee: row.assignee,
        label,
    })
}
