//! Incidents as they are kept: what the detection tells of them, what people made of them, and every step on the way.

use domain::{DeviceId, Incident, Label, Refusal, Severity, Standing, TimeRange, Timestamp, Triage};

use crate::Cursor;

/// For how many seconds an action can be taken back.
pub const UNDO_SECONDS: u64 = 60;

/// An incident that a person resolved while it went on is open again when it still goes on so many seconds later.
pub const REOPEN_SECONDS: f64 = 600.0;

/// Who acts where no person does.
pub const BY_ITSELF: &str = "hark";

/// What a commit says of an incident. Written for the first time it opens the incident; after that its end, peak, count
/// and words move on, and never back.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentUpdate {
    /// The incident.
    pub incident: Incident,
    /// When, by the server's clock.
    pub at: Timestamp,
}

/// An incident as kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredIncident {
    /// What the detection tells of it.
    pub incident: Incident,
    /// What people have made of it.
    pub triage: Triage,
    /// When anything of it changed last, by the server's clock.
    pub updated_at: Timestamp,
}

/// Which incidents.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentQuery {
    /// Of this device only.
    pub device_id: Option<DeviceId>,
    /// That began in this range.
    pub range: TimeRange,
    /// That stand so; all where the list is empty.
    pub standings: Vec<Standing>,
    /// That matter so much.
    pub severity: Option<Severity>,
    /// That a person labelled so.
    pub label: Option<LabelFilter>,
    /// That go on, or that are over.
    pub ongoing: Option<bool>,
    /// The instant at which they stand so.
    pub now: Timestamp,
    /// At most so many.
    pub limit: usize,
    /// Those that follow this place.
    pub after: Option<Cursor>,
}

impl IncidentQuery {
    /// All incidents as they stand at an instant, at most so many of them.
    #[must_use]
    pub fn all(now: Timestamp, limit: usize) -> Self {
        Self {
            device_id: None,
            range: TimeRange::ALL,
            standings: Vec::new(),
            severity: None,
            label: None,
            ongoing: None,
            now,
            limit,
            after: None,
        }
    }

    /// Those of them that are not resolved.
    #[must_use]
    pub fn unresolved(now: Timestamp, limit: usize) -> Self {
        Self {
            standings: vec![Standing::Open, Standing::Acknowledged, Standing::Snoozed],
            ..Self::all(now, limit)
        }
    }
}

/// A condition on the label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LabelFilter {
    /// There is none.
    None,
    /// There is one.
    Any,
    /// It is this one.
    Is(Label),
}

/// One step of an incident. Steps are only ever added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number: later steps have larger ones.
    pub id: u64,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// Who; [`BY_ITSELF`] for what no person did.
    pub who: String,
    /// What: `opened`, `acknowledged`, `snoozed`, `labelled`, `commented`, `undone`, `closed`, `reopened`, `resolved`.
    pub action: String,
    /// The particulars: the label, the assignee, the end of the snooze, what was undone.
    pub detail: Option<String>,
    /// Why, in the person's words.
    pub note: Option<String>,
}

/// How many incidents stand in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncidentCount {
    /// Where they stand.
    pub standing: Standing,
    /// How much they matter.
    pub severity: Severity,
    /// How many.
    pub incidents: u64,
    /// How many of them go on.
    pub ongoing: u64,
}

/// What became of an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Acted {
    /// It was done; this is the incident after it.
    Done(Box<StoredIncident>),
    /// There is no such incident.
    Unknown,
    /// The incident does not allow it.
    Refused(Refusal),
}
