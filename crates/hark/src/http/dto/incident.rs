//! Incidents, and what people do with them.

use domain::{Labelled, Phase, Severity, Standing};
use serde::Deserialize;
use utoipa::ToSchema;
use warehouse::{AuditEntry, IncidentCount, StoredIncident};

use super::Time;

/// A lasting run of anomalous verdicts on one device.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct IncidentDto {
    pub(crate) id: String,
    pub(crate) device_id: String,
    /// `open`, `acknowledged`, `snoozed` or `resolved`. An incident is resolved by itself when its event is over.
    pub(crate) state: &'static str,
    /// When a snooze ends.
    pub(crate) snoozed_until: Option<Time>,
    /// Who sees to it.
    pub(crate) assignee: Option<String>,
    /// What a person said that it was.
    pub(crate) label: Option<LabelDto>,
    /// `notice`, `warning` or `critical`.
    pub(crate) severity: &'static str,
    /// `spike`, `drop`, `level_shift`, `drift`, `variance`, `stuck`, `growth`, `silence`, `limit` or `unusual`.
    pub(crate) kind: &'static str,
    /// The first anomalous reading, by the device's clock like all that follow.
    pub(crate) began: Time,
    /// The reading at which it was told.
    pub(crate) opened_at: Time,
    /// The last anomalous reading so far.
    pub(crate) last: Time,
    /// The reading that ended it; none while it goes on.
    pub(crate) closed_at: Option<Time>,
    pub(crate) ongoing: bool,
    /// Where the score was lowest.
    pub(crate) peak: PeakDto,
    /// How many anomalous readings.
    pub(crate) readings: u64,
    /// Why, in one plain sentence.
    pub(crate) reason: String,
    /// The signals that made it, the heaviest first.
    pub(crate) signals: Vec<ShareDto>,
    pub(crate) model_version: String,
    /// When anything of it changed last, by the server's clock.
    pub(crate) updated_at: Time,
}

impl From<&StoredIncident> for IncidentDto {
    fn from(stored: &StoredIncident) -> Self {
        let (it, triage) = (&stored.incident, &stored.triage);
        Self {
            id: it.id.to_string(),
            device_id: it.device_id.to_string(),
            state: triage.phase.standing().as_str(),
            snoozed_until: match triage.phase {
                Phase::Snoozed(until) => Some(Time(until)),
                _ => None,
            },
            assignee: triage.assignee.clone(),
            label: triage.label.as_ref().map(LabelDto::from),
            severity: it.severity.as_str(),
            kind: it.kind.as_str(),
            began: Time(it.began),
            opened_at: Time(it.opened_at),
            last: Time(it.last),
            closed_at: it.closed_at.map(Time),
            ongoing: it.closed_at.is_none(),
            peak: PeakDto {
                score: it.peak_score,
                at: Time(it.peak_at),
            },
            readings: it.readings,
            reason: it.reason.clone(),
            signals: it.signals.iter().map(ShareDto::from).collect(),
            model_version: it.model_version.clone(),
            updated_at: Time(stored.updated_at),
        }
    }
}

/// The lowest score.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct PeakDto {
    pub(crate) score: f64,
    pub(crate) at: Time,
}

/// What one signal has to do with it.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct ShareDto {
    pub(crate) signal: String,
    /// The shares of an incident sum to 1.
    pub(crate) share: f64,
    /// `above`, `below` or `within` what was expected.
    pub(crate) direction: &'static str,
}

impl From<&domain::SignalShare> for ShareDto {
    fn from(it: &domain::SignalShare) -> Self {
        Self {
            signal: it.signal.clone(),
            share: it.share,
            direction: it.direction.as_str(),
        }
    }
}

/// A person's word.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct LabelDto {
    /// `true`, `false_alarm`, `expected` or `sensor_fault`.
    pub(crate) label: &'static str,
    pub(crate) who: String,
    pub(crate) at: Time,
    pub(crate) note: Option<String>,
}

impl From<&Labelled> for LabelDto {
    fn from(it: &Labelled) -> Self {
        Self {
            label: it.label.as_str(),
            who: it.who.clone(),
            at: Time(it.at),
            note: it.note.clone(),
        }
    }
}

/// A page of incidents.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Incidents {
    pub(crate) incidents: Vec<IncidentDto>,
    /// The cursor of the next page; none on the last.
    pub(crate) next: Option<String>,
}

/// An incident with what helps to decide about it.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct IncidentDetail {
    #[serde(flatten)]
    pub(crate) incident: IncidentDto,
    /// From well before its beginning to after its end.
    pub(crate) window: super::summary::RangeDto,
    /// The readings of that window.
    pub(crate) readings_url: String,
    /// Past incidents of the same device, the most alike first.
    pub(crate) nearest: Vec<NearestDto>,
    /// Everything that happened to it, oldest first.
    pub(crate) audit: Vec<AuditDto>,
}

/// A past incident of the same device.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct NearestDto {
    /// 0 for the very same.
    pub(crate) distance: f64,
    pub(crate) incident: IncidentDto,
}

impl From<&(f64, StoredIncident)> for NearestDto {
    fn from((distance, incident): &(f64, StoredIncident)) -> Self {
        Self {
            distance: *distance,
            incident: incident.into(),
        }
    }
}

/// One step of an incident.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct AuditDto {
    pub(crate) at: Time,
    /// `hark` for what no person did.
    pub(crate) who: String,
    /// `opened`, `closed`, `reopened`, `acknowledged`, `snoozed`, `resolved`, `labelled`, `commented` or `undone`.
    pub(crate) action: String,
    pub(crate) detail: Option<String>,
    pub(crate) note: Option<String>,
}

impl From<AuditEntry> for AuditDto {
    fn from(it: AuditEntry) -> Self {
        Self {
            at: Time(it.at),
            who: it.who,
            action: it.action,
            detail: it.detail,
            note: it.note,
        }
    }
}

/// Incidents that are not resolved, by where they stand and how much they matter.
#[derive(Debug, Default, serde::Serialize, ToSchema)]
pub(crate) struct IncidentCounts {
    pub(crate) open: u64,
    pub(crate) acknowledged: u64,
    pub(crate) snoozed: u64,
    /// Those of all three whose event goes on.
    pub(crate) ongoing: u64,
    pub(crate) notice: u64,
    pub(crate) warning: u64,
    pub(crate) critical: u64,
}

impl IncidentCounts {
    pub(crate) fn new(counts: &[IncidentCount]) -> Self {
        let mut all = Self::default();
        for it in counts {
            all.ongoing += it.ongoing;
            match it.standing {
                Standing::Open => all.open += it.incidents,
                Standing::Acknowledged => all.acknowledged += it.incidents,
                Standing::Snoozed => all.snoozed += it.incidents,
                Standing::Resolved => {}
            }
            match it.severity {
                Severity::Notice => all.notice += it.incidents,
                Severity::Warning => all.warning += it.incidents,
                Severity::Critical => all.critical += it.incidents,
            }
        }
        all
    }
}

/// Looks at an incident.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acknowledge {
    /// Who does it; `unnamed` without.
    pub(crate) who: Option<String>,
    /// Why.
    pub(crate) note: Option<String>,
    /// Who sees to it; the one who acknowledges without.
    pub(crate) assignee: Option<String>,
}

/// Does not want to hear of an incident for a while: until an instant, or for a span of time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Snooze {
    pub(crate) who: Option<String>,
    /// Why; it must be said.
    pub(crate) reason: String,
    /// An RFC 3339 instant.
    pub(crate) until: Option<String>,
    /// A span such as `2h` or `1d`.
    #[serde(rename = "for")]
    pub(crate) span: Option<String>,
}

/// Is done with an incident, or takes the last action back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plain {
    pub(crate) who: Option<String>,
    pub(crate) note: Option<String>,
}

/// Says what an incident was.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GiveLabel {
    /// `true`, `false_alarm`, `expected` or `sensor_fault`.
    pub(crate) label: String,
    pub(crate) who: Option<String>,
    pub(crate) note: Option<String>,
}

/// Says something about an incident.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Comment {
    pub(crate) who: Option<String>,
    pub(crate) text: String,
}
