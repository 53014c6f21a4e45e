//! What became of an incident: every row that tells of it, played in order. Detection and people only ever add rows, so
//! a row that came twice or says less than what is known changes nothing here, and neither does one that the rules
//! refuse because somebody else was quicker.

use domain::{Act, Action, Incident, IncidentId, Phase, Refusal, Standing, Timestamp, Triage};

use crate::incident::{AuditEntry, BY_ITSELF, IncidentUpdate, REOPEN_SECONDS, StoredIncident, UNDO_SECONDS};

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entry {
    /// What the detection says.
    Told(IncidentUpdate),
    /// What a person did.
    Acted(IncidentId, Action),
}

/// An incident as its rows leave it.
#[derive(Debug, Clone)]
pub(super) struct History {
    incident: Incident,
    triage: Triage,
    updated_at: Timestamp,
    resolved_at: Option<Timestamp>,
    steps: Vec<Step>,
}

/// One step of the audit trail, and how things stood before a person's.
#[derive(Debug, Clone)]
struct Step {
    at: Timestamp,
    who: String,
    action: &'static str,
    detail: Option<String>,
    note: Option<String>,
    before: Option<Triage>,
}

impl History {
    /// Begins with the first that is told.
    pub(super) fn begin(update: &IncidentUpdate) -> Self {
        let mut history = Self {
            incident: update.incident.clone(),
            triage: Triage::NEW,
            updated_at: update.at,
            resolved_at: None,
            steps: Vec::new(),
        };
        history.note("opened", update.at);
        if update.incident.closed_at.is_some() {
            history.close(update.at);
        }
        history
    }

    /// Goes on with what the detection tells.
    pub(super) fn tell(&mut self, update: &IncidentUpdate) {
        let (it, known) = (&update.incident, &self.incident);
        // Two devices whose incidents share a name: the first one has it.
        if it.device_id != known.device_id || known.closed_at.is_some() {
            return;
        }
        let says_more = it.last > known.last || it.readings > known.readings;
        let closes = it.closed_at.is_some();
        if !(says_more || closes) {
            return;
        }
        let (opened_at, model_version) = (known.opened_at, known.model_version.clone());
        let resolved_for = self.resolved_at.map(|since| update.at.seconds_since(since));
        if !closes && resolved_for.is_some_and(|it| it > REOPEN_SECONDS) {
            self.note("reopened", update.at);
            (self.triage.phase, self.resolved_at) = (Phase::Open, None);
        }
        self.incident = Incident {
            opened_at,
            model_version,
            ..it.clone()
        };
        self.updated_at = update.at;
        if closes {
            self.close(update.at);
        }
    }

    fn close(&mut self, at: Timestamp) {
        self.note("closed", at);
        if self.triage.phase != Phase::Resolved {
            self.triage.phase = Phase::Resolved;
            self.resolved_at = Some(at);
        }
    }

    fn note(&mut self, action: &'static str, at: Timestamp) {
        self.steps.push(Step {
            at,
            who: BY_ITSELF.to_owned(),
            action,
            detail: None,
            note: None,
            before: None,
        });
    }

    /// Goes on with what a person does.
    pub(super) fn act(&mut self, action: &Action) -> Result<(), Refusal> {
        let before = Triage {
            phase: self.triage.phase.at(action.at),
            ..self.triage.clone()
        };
        let (after, detail) = match &action.act {
            Act::Undo => {
                action.check()?;
                let (before, undone) = self.undone(action.at).ok_or(Refusal::NothingToUndo(UNDO_SECONDS))?;
                (before, Some(undone.to_owned()))
            }
            _ => {
                let after = before.after(action)?;
                let detail = action.act.detail(&after);
                (after, detail)
            }
        };
        self.resolved_at = match (after.phase, before.phase) {
            (Phase::Resolved, Phase::Resolved) => self.resolved_at,
            (Phase::Resolved, _) => Some(action.at),
            _ => None,
        };
        self.triage = after;
        self.updated_at = action.at;
        self.steps.push(Step {
            at: action.at,
            who: action.who.clone(),
            action: action.act.as_str(),
            detail,
            note: action.note.clone(),
            before: Some(before),
        });
        Ok(())
    }

    /// The triage before the newest step and what that step was, where it was a person's and not long ago.
    fn undone(&self, now: Timestamp) -> Option<(Triage, &'static str)> {
        let newest = self.steps.last()?;
        let is_late = now.seconds_since(newest.at) > UNDO_SECONDS as f64;
        let before = newest
            .before
            .clone()
            .filter(|_| !is_late && newest.action != Act::Undo.as_str())?;
        Some((before, newest.action))
    }

    /// The incident as it stands at an instant.
    pub(super) fn stored(&self, now: Timestamp) -> StoredIncident {
        StoredIncident {
            incident: self.incident.clone(),
            triage: Triage {
                phase: self.triage.phase.at(now),
                ..self.triage.clone()
            },
            updated_at: self.updated_at,
        }
    }

    /// Every step, oldest first.
    pub(super) fn audit(self) -> Vec<AuditEntry> {
        let entry = |(nth, step): (usize, Step)| AuditEntry {
            id: nth as u64 + 1,
            at: step.at,
            who: step.who,
            action: step.action.to_owned(),
            detail: step.detail,
            note: step.note,
        };
        self.steps.into_iter().enumerate().map(entry).collect()
    }

    /// Whether people are done with it.
    pub(super) fn is_resolved(&self) -> bool {
        self.triage.phase.standing() == Standing::Resolved
    }
}
