//! Incidents: a row for all that is told and done, and questions that play the rows.

use std::collections::BTreeMap;

use domain::{
    Act, Action, DeviceId, Incident, IncidentId, IncidentKind, Label, Severity, Standing, TimeRange, Timestamp,
};

use super::ask::{self, Question};
use super::columns::{self, Cell, Column};
use super::history::{Entry, History};
use super::rows::{self, Cells, damaged};
use super::{Core, tables};
use crate::incident::{AuditEntry, IncidentCount, IncidentQuery, IncidentUpdate, LabelFilter, StoredIncident};
use crate::judged::{shares_from_json, shares_to_json};
use crate::{Cursor, Page, WarehouseError, WarehouseErrorKind};

/// The columns that no count follows from.
const UNCOUNTED: [&str; 5] = ["note", "signals", "reason", "model_version", "peak_score"];

/// How far back a page looks at first, and then; after that it looks at all.
const LOOKS_BACK_MICROS: [i64; 2] = [8 * 86_400_000_000, 64 * 86_400_000_000];

/// A longer page is one of all that there is.
const LONG_PAGE: usize = 1_000;

/// What the column `action` says of a row of the detection.
const TOLD: &str = "told";

/// Refuses an incident that no table gives back.
pub(super) fn check(update: &IncidentUpdate) -> Result<(), WarehouseError> {
    if update.incident.peak_score.is_finite() {
        return Ok(());
    }
    let context = format!(
        "incident `{}` has the peak {}",
        update.incident.id, update.incident.peak_score
    );
    Err(WarehouseError::new(WarehouseErrorKind::Fatal, context))
}

/// The row of what the detection tells.
pub(super) fn told(seq: i64, update: &IncidentUpdate) -> Vec<Cell> {
    let it = &update.incident;
    let instant = |at: Timestamp| Cell::Whole(at.as_micros());
    vec![
        Cell::Whole(seq),
        Cell::text(Some(it.id.as_str())),
        instant(it.began),
        instant(update.at),
        Cell::text(Some(TOLD)),
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::text(Some(it.device_id.as_str())),
        instant(it.opened_at),
        instant(it.last),
        Cell::Number(it.peak_score),
        instant(it.peak_at),
        Cell::Whole(i64::try_from(it.readings).unwrap_or(i64::MAX)),
        Cell::text(Some(it.severity.as_str())),
        Cell::text(Some(it.kind.as_str())),
        Cell::text(Some(&shares_to_json(&it.signals))),
        Cell::text(Some(&it.reason)),
        Cell::text(Some(&it.model_version)),
        Cell::whole(it.closed_at.map(Timestamp::as_micros)),
    ]
}

/// The row of what a person did.
pub(super) fn acted(seq: i64, incident: &Incident, action: &Action) -> Vec<Cell> {
    let detail = match &action.act {
        Act::Acknowledge(assignee) => assignee.clone(),
        Act::Snooze(until) => Some(until.as_micros().to_string()),
        Act::Label(label) => Some(label.as_str().to_owned()),
        Act::Resolve | Act::Comment | Act::Undo => None,
    };
    let mut cells = vec![
        Cell::Whole(seq),
        Cell::text(Some(incident.id.as_str())),
        Cell::Whole(incident.began.as_micros()),
        Cell::Whole(action.at.as_micros()),
        Cell::text(Some(action.act.as_str())),
        Cell::text(Some(&action.who)),
        Cell::text(detail.as_deref()),
        Cell::text(action.note.as_deref()),
        Cell::text(Some(incident.device_id.as_str())),
    ];
    cells.resize(columns::events().len(), Cell::Null);
    cells
}

fn entry(cells: &mut Cells) -> Result<Entry, WarehouseError> {
    let _seq = cells.whole();
    let name = cells.text().unwrap_or_default();
    let broken = |what: &str| damaged(format!("incident `{name}` has {what}"));
    let id = IncidentId::parse(&name).ok_or_else(|| broken("no name"))?;
    let instant = |cells: &mut Cells, what: &str| cells.instant().ok_or_else(|| broken(what));
    let (began, at) = (instant(cells, "no beginning")?, instant(cells, "no time")?);
    let (action, who) = (cells.text().unwrap_or_default(), cells.text());
    let (detail, note) = (cells.text(), cells.text());
    let device_id = rows::device_id(cells.text())?;
    if action != TOLD {
        let act = act(&action, detail).ok_or_else(|| broken("an unknown action"))?;
        let who = who.unwrap_or_default();
        return Ok(Entry::Acted(id, Action { act, who, at, note }));
    }
    let (opened_at, last) = (instant(cells, "no opening")?, instant(cells, "no last reading")?);
    let peak_score = cells.number().unwrap_or_default();
    let peak_at = instant(cells, "no peak")?;
    let readings = cells.whole().unwrap_or_default().unsigned_abs();
    let severity = Severity::from_name(&cells.text().unwrap_or_default());
    let kind = IncidentKind::from_name(&cells.text().unwrap_or_default());
    let signals = cells.text().map_or(Some(Vec::new()), |it| shares_from_json(&it));
    let incident = Incident {
        device_id,
        opened_at,
        began,
        last,
        peak_score,
        peak_at,
        readings,
        severity: severity.ok_or_else(|| broken("an unknown severity"))?,
        kind: kind.ok_or_else(|| broken("an unknown kind"))?,
        signals: signals.ok_or_else(|| broken("signals that cannot be read"))?,
        reason: cells.text().unwrap_or_default(),
        model_version: cells.text().unwrap_or_default(),
        closed_at: cells.instant(),
        id,
    };
    Ok(Entry::Told(IncidentUpdate { incident, at }))
}

fn act(action: &str, detail: Option<String>) -> Option<Act> {
    let until = |detail: Option<String>| Some(Timestamp::from_micros(detail?.parse().ok()?));
    Some(match action {
        "acknowledged" => Act::Acknowledge(detail),
        "snoozed" => Act::Snooze(until(detail)?),
        "resolved" => Act::Resolve,
        "labelled" => Act::Label(Label::from_name(&detail?)?),
        "commented" => Act::Comment,
        "undone" => Act::Undo,
        _ => return None,
    })
}

/// Which rows to play.
#[derive(Default)]
struct Chosen<'a> {
    range: Option<TimeRange>,
    device_id: Option<&'a DeviceId>,
    id: Option<&'a IncidentId>,
}

async fn played(core: &Core, chosen: Chosen<'_>) -> Result<BTreeMap<(Timestamp, IncidentId), History>, WarehouseError> {
    let mut condition = "began >= TIMESTAMP_MICROS(@first) AND began < TIMESTAMP_MICROS(@until)".to_owned();
    if chosen.device_id.is_some() {
        condition += " AND device_id = @device";
    }
    if chosen.id.is_some() {
        condition += " AND incident_id = @id";
    }
    let range = chosen.range.unwrap_or(TimeRange::ALL);
    let mut question = super::ranged(Question::new(rows_of(core, &columns::events(), &condition)), range);
    if let Some(device_id) = chosen.device_id {
        question = question.text("device", device_id.as_str());
    }
    if let Some(id) = chosen.id {
        question = question.text("id", id.as_str());
    }
    let all = play(core, question).await?;
    let placed = |(id, history): (IncidentId, History)| ((history.stored(Timestamp::MIN).incident.began, id), history);
    Ok(all.into_iter().map(placed).collect())
}

/// The statement for rows to play: the columns that are there, of the rows of a condition, in order.
fn rows_of(core: &Core, present: &[Column], condition: &str) -> String {
    let present: Vec<String> = present.iter().map(|it| it.name.clone()).collect();
    format!(
        "SELECT {} FROM `{}` WHERE {condition} ORDER BY `at`, seq",
        ask::selected(&columns::events(), &present),
        core.options.name_of(tables::EVENTS),
    )
}

/// Plays the rows of an answer.
async fn play(core: &Core, question: Question) -> Result<BTreeMap<IncidentId, History>, WarehouseError> {
    let mut entries = Vec::new();
    let asked = core.each(question, ask::kinds(&columns::events()), |mut cells| {
        entries.push(entry(&mut cells)?);
        Ok(())
    });
    asked.await?;
    let mut all: BTreeMap<IncidentId, History> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Told(update) => match all.get_mut(&update.incident.id) {
                Some(history) => history.tell(&update),
                None => {
                    all.insert(update.incident.id.clone(), History::begin(&update));
                }
            },
            Entry::Acted(id, action) => {
                if let Some(history) = all.get_mut(&id) {
                    // Somebody else was quicker: what the rules refuse has not happened.
                    let _ = history.act(&action);
                }
            }
        }
    }
    Ok(all)
}

/// The history of one incident.
pub(super) async fn history(core: &Core, id: &IncidentId) -> Result<Option<History>, WarehouseError> {
    // The table is cut by the beginning, which the name tells: nothing else is read.
    let began = id.began();
    let chosen = Chosen {
        id: Some(id),
        range: Some(TimeRange {
            start: began,
            end: began.plus_micros(1),
        }),
        ..Chosen::default()
    };
    Ok(played(core, chosen).await?.into_values().next())
}

/// Everything that happened to an incident.
pub(super) async fn audit(core: &Core, id: &IncidentId) -> Result<Vec<AuditEntry>, WarehouseError> {
    Ok(history(core, id).await?.map(History::audit).unwrap_or_default())
}

/// One page of incidents, the one that began last first.
pub(super) async fn page(core: &Core, query: &IncidentQuery) -> Result<Page<StoredIncident>, WarehouseError> {
    let after = query.after.as_ref().map(|it| it.place("incidents")).transpose();
    let after = after.map_err(WarehouseError::bad_query)?;
    let after = after.map(|(began, id)| (Timestamp::from_micros(began), id));
    let behind = |place: &(Timestamp, IncidentId)| {
        after
            .as_ref()
            .is_none_or(|(at, id)| (place.0, place.1.as_str()) < (*at, *id))
    };
    let mut items: Vec<StoredIncident> = Vec::new();
    for range in spans(core, query, after.as_ref().map(|it| it.0)) {
        let chosen = Chosen {
            range: Some(range),
            device_id: query.device_id.as_ref(),
            id: None,
        };
        let chosen = played(core, chosen).await?.into_iter().rev();
        let stored = chosen
            .filter(|(place, _)| behind(place))
            .map(|it| it.1.stored(query.now));
        items.extend(stored.filter(|it| fits(it, query)));
        if items.len() > query.limit {
            break;
        }
    }
    Ok(Page::cut(items, query.limit, |it| {
        Cursor::at(it.incident.began.as_micros(), it.incident.id.as_str())
    }))
}

/// The times in which a page's incidents are looked for, one after the other until it is full: the newest first, so that
/// few days are read. Of what is not resolved it is known how old it can be; what has a label is rare and of any age.
fn spans(core: &Core, query: &IncidentQuery, after: Option<Timestamp>) -> Vec<TimeRange> {
    let mut range = query.range;
    if let Some(at) = after {
        range.end = range.end.min(at.plus_micros(1));
    }
    if !query.standings.is_empty() && !query.standings.contains(&Standing::Resolved) {
        range.start = range.start.max(core.look_back.begin(query.now).first);
    }
    let is_labelled = matches!(query.label, Some(LabelFilter::Any | LabelFilter::Is(_)));
    if is_labelled || query.limit > LONG_PAGE {
        return vec![range];
    }
    let newest = range.end.min(query.now);
    let mut spans = Vec::with_capacity(LOOKS_BACK_MICROS.len() + 1);
    for micros in LOOKS_BACK_MICROS {
        let start = newest.plus_micros(-micros);
        if start <= range.start {
            break;
        }
        spans.push(TimeRange { start, end: range.end });
        range.end = start;
    }
    spans.push(range);
    spans
}

fn fits(stored: &StoredIncident, query: &IncidentQuery) -> bool {
    let label = stored.triage.label.as_ref().map(|it| it.label);
    let label_fits = match query.label {
        None => true,
        Some(LabelFilter::None) => label.is_none(),
        Some(LabelFilter::Any) => label.is_some(),
        Some(LabelFilter::Is(wanted)) => label == Some(wanted),
    };
    let standing = stored.triage.phase.standing();
    label_fits
        && (query.standings.is_empty() || query.standings.contains(&standing))
        && query.severity.is_none_or(|it| it == stored.incident.severity)
        && query.ongoing.is_none_or(|it| it == stored.incident.closed_at.is_none())
}

/// How many that are not resolved stand where.
///
/// What was closed stays resolved, and of what nobody touched the first and the newest row say all; so only few rows come
/// back, whatever the table holds. Their texts are neither read nor paid for.
pub(super) async fn counts(core: &Core, now: Timestamp) -> Result<Vec<IncidentCount>, WarehouseError> {
    let read: Vec<Column> = columns::events()
        .into_iter()
        .filter(|it| !UNCOUNTED.contains(&it.name.as_str()))
        .collect();
    let condition = "began >= TIMESTAMP_MICROS(@first) AND began < TIMESTAMP_MICROS(@until) \
         QUALIFY MAX(closed_at) OVER (PARTITION BY incident_id) IS NULL \
         AND (SUM(IF(action = 'told', 0, 1)) OVER (PARTITION BY incident_id) > 0 \
         OR ROW_NUMBER() OVER (PARTITION BY incident_id ORDER BY `at`, seq) = 1 \
         OR ROW_NUMBER() OVER (PARTITION BY incident_id ORDER BY last DESC, readings DESC, `at` DESC) = 1)";
    let count = core.look_back.begin(now);
    let range = TimeRange {
        start: count.first,
        ..TimeRange::ALL
    };
    let question = super::ranged(Question::new(rows_of(core, &read, condition)), range);
    let mut oldest = None;
    let mut counts: BTreeMap<(Standing, Severity), IncidentCount> = BTreeMap::new();
    let all = play(core, question).await?;
    for history in all.into_values().filter(|it| !it.is_resolved()) {
        let stored = history.stored(now);
        let began = stored.incident.began;
        oldest = Some(oldest.map_or(began, |it: Timestamp| it.min(began)));
        let (standing, severity) = (stored.triage.phase.standing(), stored.incident.severity);
        let count = counts.entry((standing, severity)).or_insert(IncidentCount {
            standing,
            severity,
            incidents: 0,
            ongoing: 0,
        });
        count.incidents += 1;
        count.ongoing += u64::from(stored.incident.closed_at.is_none());
    }
    core.look_back.end(count, oldest, now);
    Ok(counts.into_values().collect())
}
