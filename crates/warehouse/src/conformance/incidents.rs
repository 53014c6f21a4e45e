//! Incidents: written with their readings, once, and moved on by people.

use std::sync::Arc;

use domain::{
    Act, Action, Direction, Incident, IncidentId, IncidentKind, Label, Phase, Refusal, Severity, SignalShare, Standing,
    TimeRange, Timestamp,
};

use super::sample::{Sample, commit_of, device};
use super::writes::store;
use crate::incident::{BY_ITSELF, REOPEN_SECONDS, UNDO_SECONDS};
use crate::{
    Acted, Commit, Cursor, IncidentQuery, IncidentUpdate, LabelFilter, StoredIncident, Warehouse, WarehouseErrorKind,
};

/// An incident of a device that began at a second and has so many readings, ten seconds apart.
#[must_use]
pub fn incident(name: &str, began: i64, readings: u64) -> Incident {
    let at = Timestamp::from_secs;
    Incident {
        id: IncidentId::new(&device(name), at(began)),
        device_id: device(name),
        opened_at: at(began + 20),
        began: at(began),
        last: at(began + 10 * readings.cast_signed()),
        peak_score: -0.25 * readings as f64,
        peak_at: at(began + 10),
        readings,
        severity: Severity::Warning,
        kind: IncidentKind::LevelShift,
        signals: vec![SignalShare {
            signal: "temperature".to_owned(),
            share: 1.0,
            direction: Direction::Above,
        }],
        reason: "temperature \"41.2\" °C, usually 18.1 to 24.3".to_owned(),
        model_version: "m-0001".to_owned(),
        closed_at: None,
    }
}

fn commit(incident: Incident) -> Commit {
    let at = incident.last;
    Commit {
        incidents: vec![IncidentUpdate { incident, at }],
        ..Commit::default()
    }
}

async fn all(warehouse: &dyn Warehouse, query: IncidentQuery) -> Vec<StoredIncident> {
    warehouse.incidents(query).await.expect("incidents can be read").items
}

async fn act_at(warehouse: &dyn Warehouse, id: &IncidentId, act: Act, at: i64) -> Acted {
    let action = Action {
        act,
        who: "kim".to_owned(),
        at: Timestamp::from_secs(at),
        note: Some("because".to_owned()),
    };
    warehouse.act(id, action).await.expect("an action can be tried")
}

#[track_caller]
fn done(acted: Acted) -> StoredIncident {
    match acted {
        Acted::Done(stored) => *stored,
        other => panic!("{other:?}"),
    }
}

async fn steps(warehouse: &dyn Warehouse, id: &IncidentId) -> Vec<(String, String)> {
    let audit = warehouse.audit(id).await.expect("the audit trail can be read");
    audit.into_iter().map(|it| (it.who, it.action)).collect()
}

fn by_itself(action: &str) -> (String, String) {
    (BY_ITSELF.to_owned(), action.to_owned())
}

/// An incident comes back as it was told; telling it again, or less of it, changes nothing; telling more moves it on.
pub async fn an_incident_is_kept_once_and_moves_on(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let first = incident("a", 1_000, 3);
    let mut both = commit_of(vec![Sample::new("a", 1_030).judged()]);
    both.incidents = commit(first.clone()).incidents;
    store(&*warehouse, both.clone()).await;
    store(&*warehouse, both).await;
    let now = Timestamp::from_secs(2_000);
    let kept = all(&*warehouse, IncidentQuery::all(now, 10)).await;
    assert_eq!(kept.len(), 1, "an event was told twice");
    assert_eq!((&kept[0].incident, kept[0].triage.phase), (&first, Phase::Open));
    let longer = Incident {
        severity: Severity::Critical,
        ..incident("a", 1_000, 9)
    };
    store(&*warehouse, commit(longer.clone())).await;
    store(&*warehouse, commit(first.clone())).await;
    let kept = warehouse.incident(&first.id, now).await.expect("incidents can be read");
    assert_eq!(kept.map(|it| it.incident), Some(longer.clone()));
    let closed = Incident {
        closed_at: Some(Timestamp::from_secs(1_700)),
        ..longer
    };
    store(&*warehouse, commit(closed.clone())).await;
    store(&*warehouse, commit(incident("a", 1_000, 90))).await;
    let kept = done(act_at(&*warehouse, &first.id, Act::Comment, 1_800).await);
    assert_eq!((kept.incident, kept.triage.phase), (closed, Phase::Resolved));
    let expected = [
        by_itself("opened"),
        by_itself("closed"),
        ("kim".to_owned(), "commented".to_owned()),
    ];
    assert_eq!(steps(&*warehouse, &first.id).await, expected);
}

/// A commit that fails leaves no incident behind.
pub async fn an_incident_goes_with_its_readings(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let mut bad = Sample {
        score: Some(0.5),
        ..Sample::new("a", 2)
    }
    .judged();
    if let Some(verdict) = &mut bad.verdict {
        verdict.score = f64::NAN;
    }
    let mut refused = commit(incident("a", 1, 3));
    refused.readings = vec![bad];
    warehouse
        .store(refused)
        .await
        .expect_err("a score that is no number is refused");
    let unscored = Incident {
        peak_score: f64::NAN,
        ..incident("a", 1, 3)
    };
    let mut refused = commit_of(vec![Sample::new("a", 3).judged()]);
    refused.incidents = commit(unscored).incidents;
    warehouse
        .store(refused)
        .await
        .expect_err("a peak that is no number is refused");
    assert!(
        all(&*warehouse, IncidentQuery::all(Timestamp::MAX, 10))
            .await
            .is_empty()
    );
    assert!(super::everything(&*warehouse).await.is_empty());
}

/// What people do is kept with who, when and why; what the state does not allow changes nothing.
pub async fn actions_move_an_incident_and_are_all_written_down(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let told = incident("a", 1_000, 3);
    store(&*warehouse, commit(told.clone())).await;
    let id = &told.id;
    let seen = done(act_at(&*warehouse, id, Act::Acknowledge(None), 2_000).await);
    assert_eq!(
        (seen.triage.phase, seen.triage.assignee.as_deref()),
        (Phase::Acknowledged, Some("kim"))
    );
    let again = act_at(&*warehouse, id, Act::Acknowledge(None), 2_001).await;
    assert!(matches!(again, Acted::Refused(Refusal::Transition { .. })), "{again:?}");
    let until = Timestamp::from_secs(5_000);
    done(act_at(&*warehouse, id, Act::Snooze(until), 2_002).await);
    let standing = async |at: i64| {
        let kept = warehouse.incident(id, Timestamp::from_secs(at)).await;
        kept.expect("incidents can be read").map(|it| it.triage.phase)
    };
    assert_eq!(standing(4_999).await, Some(Phase::Snoozed(until)));
    assert_eq!(standing(5_000).await, Some(Phase::Open), "a snooze never ended");
    let labelled = done(act_at(&*warehouse, id, Act::Label(Label::FalseAlarm), 5_001).await);
    let label = labelled.triage.label.expect("it was labelled just now");
    assert_eq!(
        (label.label, label.who.as_str(), label.note.as_deref()),
        (Label::FalseAlarm, "kim", Some("because"))
    );
    done(act_at(&*warehouse, id, Act::Resolve, 5_002).await);
    let audit = warehouse.audit(id).await.expect("the audit trail can be read");
    let details: Vec<Option<&str>> = audit.iter().map(|it| it.detail.as_deref()).collect();
    let expected = [
        None,
        Some("kim"),
        Some("1970-01-01T01:23:20Z"),
        Some("false_alarm"),
        None,
    ];
    assert_eq!(details, expected);
    let nobody = IncidentId::new(&device("nobody"), Timestamp::EPOCH);
    assert_eq!(act_at(&*warehouse, &nobody, Act::Resolve, 1).await, Acted::Unknown);
    assert_eq!(
        warehouse
            .incident(&nobody, Timestamp::EPOCH)
            .await
            .expect("incidents can be read"),
        None
    );
}

/// The newest action can be taken back for a while, once, and both steps stay in the trail.
pub async fn the_last_action_can_be_taken_back(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let told = incident("a", 1_000, 3);
    store(&*warehouse, commit(told.clone())).await;
    let id = &told.id;
    let nothing = Acted::Refused(Refusal::NothingToUndo(UNDO_SECONDS));
    assert_eq!(act_at(&*warehouse, id, Act::Undo, 1_100).await, nothing);
    done(act_at(&*warehouse, id, Act::Label(Label::True), 2_000).await);
    done(act_at(&*warehouse, id, Act::Resolve, 2_001).await);
    let back = done(act_at(&*warehouse, id, Act::Undo, 2_005).await);
    let label = back.triage.label.as_ref().map(|it| it.label);
    assert_eq!((back.triage.phase, label), (Phase::Open, Some(Label::True)));
    assert_eq!(act_at(&*warehouse, id, Act::Undo, 2_006).await, nothing);
    done(act_at(&*warehouse, id, Act::Label(Label::Expected), 3_000).await);
    let late = 3_001 + UNDO_SECONDS.cast_signed();
    assert_eq!(act_at(&*warehouse, id, Act::Undo, late).await, nothing);
    assert_eq!(steps(&*warehouse, id).await.len(), 5);
}

/// An incident that a person resolved too early is open again.
pub async fn an_event_that_outlasts_its_resolution_is_open_again(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = make().await;
    let told = incident("a", 1_000, 3);
    store(&*warehouse, commit(told.clone())).await;
    done(act_at(&*warehouse, &told.id, Act::Resolve, 1_100).await);
    let phase = async |readings: u64| {
        store(&*warehouse, commit(incident("a", 1_000, readings))).await;
        let kept = warehouse.incident(&told.id, Timestamp::from_secs(9_000)).await;
        kept.expect("incidents can be read").map(|it| it.triage.phase)
    };
    assert_eq!(phase(20).await, Some(Phase::Resolved));
    let patience = REOPEN_SECONDS as u64 / 10;
    assert_eq!(phase(11 + patience).await, Some(Phase::Open));
    assert_eq!(steps(&*warehouse, &told.id).await.last(), Some(&by_itself("reopened")));
}

fn id(name: &str, began: i64) -> IncidentId {
    IncidentId::new(&device(name), Timestamp::from_secs(began))
}

/// Ten incidents of two devices in pairs that began at the same instant; the last is over, one is labelled, one seen.
async fn ten(make: &impl AsyncFn() -> Arc<dyn Warehouse>) -> Arc<dyn Warehouse> {
    let warehouse = make().await;
    for nth in 0..10 {
        let mut told = incident(["a", "b"][nth % 2], 1_000 * (nth as i64 / 2), 3);
        told.severity = Severity::ALL[nth % 3];
        told.closed_at = (nth == 9).then_some(told.last);
        store(&*warehouse, commit(told)).await;
    }
    done(act_at(&*warehouse, &id("a", 0), Act::Label(Label::True), 8_000).await);
    done(act_at(&*warehouse, &id("a", 1_000), Act::Acknowledge(None), 8_000).await);
    warehouse
}

/// When the incidents of [`ten`] are looked at.
const NOW: Timestamp = Timestamp::EPOCH;

/// What an odd query is made of.
fn with(change: impl FnOnce(&mut IncidentQuery)) -> IncidentQuery {
    let mut query = IncidentQuery::all(NOW, 100);
    change(&mut query);
    query
}

/// Lists are of a state, device, time, severity or label, and so are the counts.
pub async fn incidents_can_be_filtered(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = ten(make).await;
    let second = TimeRange {
        start: Timestamp::from_secs(1_000),
        end: Timestamp::from_secs(2_000),
    };
    let cases = [
        (with(|_| {}), 10),
        (IncidentQuery::unresolved(NOW, 100), 9),
        (with(|it| it.device_id = Some(device("a"))), 5),
        (with(|it| it.standings = vec![Standing::Open]), 8),
        (
            with(|it| it.standings = vec![Standing::Acknowledged, Standing::Resolved]),
            2,
        ),
        (with(|it| it.severity = Some(Severity::Notice)), 4),
        (with(|it| it.label = Some(LabelFilter::Any)), 1),
        (with(|it| it.label = Some(LabelFilter::Is(Label::True))), 1),
        (with(|it| it.label = Some(LabelFilter::Is(Label::Expected))), 0),
        (with(|it| it.label = Some(LabelFilter::None)), 9),
        (with(|it| it.ongoing = Some(false)), 1),
        (with(|it| it.range = second), 2),
    ];
    for (query, expected) in cases {
        assert_eq!(all(&*warehouse, query.clone()).await.len(), expected, "{query:?}");
    }
    let counts = warehouse.incident_counts(NOW).await.expect("incidents can be counted");
    let of = |standing| {
        let counted = counts.iter().filter(|it| it.standing == standing);
        counted.map(|it| it.incidents).sum::<u64>()
    };
    assert_eq!(
        (of(Standing::Open), of(Standing::Acknowledged), of(Standing::Resolved)),
        (8, 1, 0)
    );
}

/// Pages tell every incident once, the one that began last first.
pub async fn incidents_come_newest_first_in_pages(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = ten(make).await;
    let names = |of: Vec<StoredIncident>| of.into_iter().map(|it| it.incident.id).collect::<Vec<_>>();
    let whole = names(all(&*warehouse, with(|_| {})).await);
    let (mut paged, mut query) = (Vec::new(), IncidentQuery::all(NOW, 3));
    loop {
        let page = warehouse.incidents(query.clone()).await.expect("incidents can be read");
        paged.extend(names(page.items));
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(paged, whole);
    assert!(whole.iter().rev().is_sorted(), "{whole:?}");
    query.after = Some(Cursor("x".to_owned()));
    let failure = warehouse.incidents(query).await.expect_err("it is no cursor");
    assert_eq!(failure.kind, WarehouseErrorKind::BadQuery);
}
