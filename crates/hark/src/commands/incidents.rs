//! `hark incidents`: what was wrong, since when, and why.

use domain::{DeviceId, IncidentId, TimeRange, Timestamp};
use serde_json::{Value, json};
use warehouse::{AuditEntry, IncidentQuery, LabelFilter, StoredIncident, Warehouse};

use crate::app::open_warehouse_to_read;
use crate::cli::{IncidentChoice, IncidentsCommand};
use crate::config::Config;
use crate::exit::{Exit, Fault};
use crate::output::{Format, Sheet, say};
use crate::runtime::{clock, likeness};

/// Lists or shows.
pub(crate) async fn run(config: Config, command: IncidentsCommand, format: Format) -> anyhow::Result<()> {
    let warehouse = open_warehouse_to_read(&config).await?;
    match command {
        IncidentsCommand::List(choice) => list(warehouse.as_ref(), choice, format).await,
        IncidentsCommand::Show { id } => show(warehouse.as_ref(), &id, format).await,
    }
}

async fn list(warehouse: &dyn Warehouse, choice: IncidentChoice, format: Format) -> anyhow::Result<()> {
    let limit = choice.limit;
    let page = warehouse.incidents(query(choice)?).await?;
    let columns = [
        "id",
        "device_id",
        "state",
        "severity",
        "kind",
        "began",
        "last",
        "ongoing",
        "readings",
        "label",
        "reason",
    ];
    let mut sheet = Sheet::new(columns);
    for stored in &page.items {
        let (it, triage) = (&stored.incident, &stored.triage);
        sheet.push(vec![
            json!(it.id.as_str()),
            json!(it.device_id.as_str()),
            json!(triage.phase.standing().as_str()),
            json!(it.severity.as_str()),
            json!(it.kind.as_str()),
            json!(it.began.to_string()),
            json!(it.last.to_string()),
            json!(it.closed_at.is_none()),
            json!(it.readings),
            json!(triage.label.as_ref().map(|it| it.label.as_str())),
            json!(it.reason),
        ]);
    }
    if page.items.is_empty() {
        say("there is no such incident");
    } else if page.next.is_some() {
        say(format_args!("there are more than {limit}; --limit shows more of them"));
    }
    sheet.print(format)
}

fn query(choice: IncidentChoice) -> anyhow::Result<IncidentQuery> {
    let now = clock::now();
    let mut query = match (choice.state, choice.all || choice.label.is_some()) {
        (None, false) => IncidentQuery::unresolved(now, choice.limit),
        (state, _) => IncidentQuery {
            standings: state.into_iter().collect(),
            ..IncidentQuery::all(now, choice.limit)
        },
    };
    let device_id = choice.device.as_deref().map(DeviceId::new).transpose();
    query.device_id = device_id.map_err(|it| Fault::new(it.detail, "device names are as the device sends them"))?;
    query.range = TimeRange {
        start: choice.from.unwrap_or(Timestamp::MIN),
        end: choice.to.unwrap_or(Timestamp::MAX),
    };
    query.severity = choice.severity;
    query.label = choice.label.map(LabelFilter::Is);
    Ok(query)
}

async fn show(warehouse: &dyn Warehouse, id: &str, format: Format) -> anyhow::Result<()> {
    let unknown = || {
        let fault = Fault::new(
            format!("there is no incident `{id}`"),
            "`hark incidents list --all` shows all",
        );
        fault.exit(Exit::Failed)
    };
    let id = IncidentId::parse(id).ok_or_else(unknown)?;
    let stored = warehouse.incident(&id, clock::now()).await?.ok_or_else(unknown)?;
    let audit = warehouse.audit(&id).await?;
    let mut sheet = Sheet::new(["property", "value"]);
    let nearest = likeness::nearest(warehouse, &stored.incident, clock::now()).await?;
    for (name, value) in properties(&stored, &audit).into_iter().chain(seen_before(&nearest)) {
        sheet.push(vec![json!(name), value]);
    }
    sheet.print(format)
}

/// Past incidents of the same device that are most like it, with what people said that they were.
fn seen_before(nearest: &[(f64, StoredIncident)]) -> Vec<(&'static str, Value)> {
    let line = |(distance, stored): &(f64, StoredIncident)| {
        let it = &stored.incident;
        let label = stored.triage.label.as_ref().map_or("no label", |it| it.label.as_str());
        let text = format!(
            "{} {} ({label}, distance {distance:.2}): {}",
            it.began, it.id, it.reason
        );
        ("seen_before", json!(text))
    };
    nearest.iter().map(line).collect()
}

fn properties(stored: &StoredIncident, audit: &[AuditEntry]) -> Vec<(&'static str, Value)> {
    let (it, triage) = (&stored.incident, &stored.triage);
    let mut properties = vec![
        ("id", json!(it.id.as_str())),
        ("device_id", json!(it.device_id.as_str())),
        ("reason", json!(it.reason)),
        ("state", json!(triage.phase.standing().as_str())),
        ("assignee", json!(triage.assignee)),
        ("label", json!(triage.label.as_ref().map(|it| it.label.as_str()))),
        ("severity", json!(it.severity.as_str())),
        ("kind", json!(it.kind.as_str())),
        ("began", json!(it.began.to_string())),
        ("last", json!(it.last.to_string())),
        ("closed_at", json!(it.closed_at.map(|it| it.to_string()))),
        ("readings", json!(it.readings)),
        ("peak_score", json!(it.peak_score)),
        ("peak_at", json!(it.peak_at.to_string())),
        ("model_version", json!(it.model_version)),
    ];
    for share in &it.signals {
        let text = format!(
            "{:.0} % {} {}",
            share.share * 100.0,
            share.signal,
            share.direction.as_str()
        );
        properties.push(("signal", json!(text)));
    }
    for entry in audit {
        let more = [&entry.detail, &entry.note].into_iter().flatten();
        let mut text = format!("{} {} {}", entry.at, entry.who, entry.action);
        more.for_each(|it| text = format!("{text}: {it}"));
        properties.push(("step", json!(text)));
    }
    properties
}
