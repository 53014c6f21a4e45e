//! What is watched of one device between its readings: the event that may be going on, what it is made of, and how
//! often the device usually speaks.

use detector::{Happening, IncidentRules, Sign, Watch};
use domain::{
    DeviceId, Direction, Incident, IncidentId, IncidentKind, Reading, Severity, SignalShare, Timestamp, Verdict,
};
use serde::{Deserialize, Serialize};

use super::rhythm::Rhythm;

/// An event that lasts so many seconds is critical, however shallow.
const LONG: f64 = 3_600.0;

/// An event in which two signals take part for so many readings is critical.
const BROAD: (usize, u64) = (2, 12);

/// A signal takes part from this share on.
const TAKES_PART: f64 = 0.2;

/// Up to so many readings an event is short: a spike or a drop.
const SHORT: u64 = 3;

/// What is watched of a device.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Watched {
    watch: Watch,
    /// What the event is made of that is going on or may be beginning.
    makings: Makings,
    pub(crate) rhythm: Rhythm,
    /// When the device was last heard, by the server's clock.
    pub(crate) heard_at: Option<Timestamp>,
}

/// What an event is made of so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Makings {
    /// The time of the reading at which it was told, in microseconds.
    opened_at: Option<i64>,
    parts: Vec<Part>,
    /// The sentence at the lowest score.
    reason: String,
    model_version: String,
}

/// One signal's part of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Part {
    signal: String,
    /// How far it was beyond its line, summed up.
    weight: f64,
    /// How far above its range, how far below, how far neither.
    sides: [f64; 3],
}

/// What a reading did to the incidents of its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// One opened.
    Opened,
    /// One went on.
    GoneOn,
    /// One closed.
    Closed,
}

impl Watched {
    /// Takes in a reading that the device's state took in, and says what it did.
    pub(crate) fn step(
        &mut self,
        reading: &Reading,
        verdict: &Verdict,
        is_alert: bool,
        rules: &IncidentRules,
    ) -> Option<(Change, Incident)> {
        let sign = Sign {
            at: reading.timestamp,
            score: verdict.score,
            is_anomaly: verdict.is_anomaly,
            is_alert,
        };
        let (watch, happening) = self.watch.step(sign, rules);
        self.watch = watch;
        if let Some(Happening::Closed(event)) = happening {
            let closed = self.told(&reading.device_id, &event, Some(sign.at));
            self.makings = Makings::default();
            return Some((Change::Closed, closed));
        }
        if !sign.is_anomaly {
            return None;
        }
        let event = self.event()?;
        if event.began == sign.at {
            self.makings = Makings::default();
        }
        self.makings.add(verdict, event.peak.1 == sign.at);
        match (happening, self.watch) {
            (Some(Happening::Opened(event)), _) => {
                self.makings.opened_at = Some(sign.at.as_micros());
                Some((Change::Opened, self.told(&reading.device_id, &event, None)))
            }
            (_, Watch::Open(event)) => Some((Change::GoneOn, self.told(&reading.device_id, &event, None))),
            _ => None,
        }
    }

    /// Takes note of a reading that follows the one at `last`.
    pub(crate) fn hear(&mut self, reading: &Reading, last: Option<Timestamp>, received_at: Timestamp) {
        self.heard_at = self.heard_at.max(Some(received_at));
        if let Some(last) = last {
            self.rhythm.hear(reading.timestamp.seconds_since(last));
        }
    }

    /// The event that is going on or may be beginning.
    fn event(&self) -> Option<detector::Incident> {
        match self.watch {
            Watch::Open(event) => Some(event),
            Watch::Calm { beginning, .. } => beginning,
        }
    }

    /// Goes on with an incident that was stored, when what was watched is lost.
    pub(crate) fn adopt(&mut self, stored: &Incident) {
        self.watch = Watch::Open(detector::Incident {
            began: stored.began,
            last: stored.last,
            peak: (stored.peak_score, stored.peak_at),
            readings: stored.readings,
        });
        let parts = stored.signals.iter().map(|it| {
            let mut sides = [0.0; 3];
            sides[side(it.direction)] = it.share;
            Part {
                signal: it.signal.clone(),
                weight: it.share,
                sides,
            }
        });
        self.makings = Makings {
            opened_at: Some(stored.opened_at.as_micros()),
            parts: parts.collect(),
            reason: stored.reason.clone(),
            model_version: stored.model_version.clone(),
        };
    }

    fn told(&self, device_id: &DeviceId, event: &detector::Incident, closed_at: Option<Timestamp>) -> Incident {
        let signals = self.makings.shares();
        Incident {
            id: IncidentId::new(device_id, event.began),
            device_id: device_id.clone(),
            opened_at: self.makings.opened_at.map_or(event.began, Timestamp::from_micros),
            began: event.began,
            last: event.last,
            peak_score: event.peak.0,
            peak_at: event.peak.1,
            readings: event.readings,
            severity: severity(event, &signals),
            kind: kind(event, signals.first()),
            reason: self.makings.reason.clone(),
            model_version: self.makings.model_version.clone(),
            signals,
            closed_at,
        }
    }
}

impl Makings {
    fn add(&mut self, verdict: &Verdict, is_peak: bool) {
        for reason in &verdict.reasons {
            let part = match self.parts.iter().position(|it| it.signal == reason.signal) {
                Some(at) => &mut self.parts[at],
                None => {
                    self.parts.push(Part {
                        signal: reason.signal.clone(),
                        weight: 0.0,
                        sides: [0.0; 3],
                    });
                    self.parts.last_mut().expect("it was put there just now")
                }
            };
            // The reasons come heaviest first, and how heavy they are is not told: each counts by the reading's score.
            let weight = verdict.score.abs().max(1e-6);
            part.weight += weight;
            part.sides[side(reason.direction)] += weight;
        }
        if is_peak || self.reason.is_empty() {
            self.reason = match verdict.reasons.first() {
                Some(reason) => reason.text.clone(),
                None => "unusual as a whole, though no single signal is".to_owned(),
            };
            self.model_version = verdict.model_version.to_string();
        }
    }

    /// The heaviest first; they sum to 1.
    fn shares(&self) -> Vec<SignalShare> {
        let total: f64 = self.parts.iter().map(|it| it.weight).sum();
        let share = |it: &Part| {
            let heaviest = (0..3).max_by(|a, b| it.sides[*a].total_cmp(&it.sides[*b])).unwrap_or(0);
            SignalShare {
                signal: it.signal.clone(),
                share: it.weight / total,
                direction: Direction::ALL[heaviest],
            }
        };
        let mut shares: Vec<SignalShare> = self.parts.iter().map(share).collect();
        shares.sort_by(|a, b| b.share.total_cmp(&a.share));
        shares
    }
}

fn side(direction: Direction) -> usize {
    match direction {
        Direction::Above => 0,
        Direction::Below => 1,
        Direction::Within => 2,
    }
}

/// An event matters by how long it lasts and how many signals take part: one that is short and in one signal is a notice.
fn severity(event: &detector::Incident, signals: &[SignalShare]) -> Severity {
    let broad = signals.iter().filter(|it| it.share >= TAKES_PART).count() >= BROAD.0;
    let lasted = event.last.seconds_since(event.began);
    if lasted >= LONG || (broad && event.readings >= BROAD.1) {
        Severity::Critical
    } else if event.readings > SHORT || broad {
        Severity::Warning
    } else {
        Severity::Notice
    }
}

fn kind(event: &detector::Incident, heaviest: Option<&SignalShare>) -> IncidentKind {
    let is_short = event.readings <= SHORT;
    match heaviest.map(|it| it.direction) {
        Some(Direction::Above) if is_short => IncidentKind::Spike,
        Some(Direction::Below) if is_short => IncidentKind::Drop,
        Some(Direction::Above | Direction::Below) => IncidentKind::LevelShift,
        Some(Direction::Within) | None => IncidentKind::Unusual,
    }
}

/// What is watched as it is stored with the device's state.
#[derive(Serialize, Deserialize)]
struct WatchedRow {
    #[serde(default, skip_serializing_if = "is_zero")]
    recent: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beginning: Option<EventRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<EventRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    makings: Option<Makings>,
    rhythm: Rhythm,
    heard_at: Option<i64>,
}

/// First, last, lowest score, when, how many.
#[derive(Serialize, Deserialize)]
struct EventRow(i64, i64, f64, i64, u64);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn is_zero(it: &u8) -> bool {
    *it == 0
}

impl From<detector::Incident> for EventRow {
    fn from(it: detector::Incident) -> Self {
        let (score, at) = it.peak;
        Self(
            it.began.as_micros(),
            it.last.as_micros(),
            score,
            at.as_micros(),
            it.readings,
        )
    }
}

impl From<EventRow> for detector::Incident {
    fn from(EventRow(began, last, score, at, readings): EventRow) -> Self {
        Self {
            began: Timestamp::from_micros(began),
            last: Timestamp::from_micros(last),
            peak: (score, Timestamp::from_micros(at)),
            readings,
        }
    }
}

impl Watched {
    /// As bytes for the warehouse.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (recent, beginning, open) = match self.watch {
            Watch::Calm { recent, beginning } => (recent, beginning, None),
            Watch::Open(event) => (0, None, Some(event)),
        };
        let row = WatchedRow {
            recent,
            makings: (beginning.is_some() || open.is_some()).then(|| self.makings.clone()),
            beginning: beginning.map(EventRow::from),
            open: open.map(EventRow::from),
            rhythm: self.rhythm,
            heard_at: self.heard_at.map(Timestamp::as_micros),
        };
        serde_json::to_vec(&row).expect("texts and finite numbers have a form in JSON")
    }

    /// From such bytes; `None` when they are none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let row: WatchedRow = serde_json::from_slice(bytes).ok()?;
        let watch = match row.open {
            Some(event) => Watch::Open(event.into()),
            None => Watch::Calm {
                recent: row.recent,
                beginning: row.beginning.map(Into::into),
            },
        };
        Some(Self {
            watch,
            makings: row.makings.unwrap_or_default(),
            rhythm: row.rhythm,
            heard_at: row.heard_at.map(Timestamp::from_micros),
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::{Reason, Values};
    use proptest::prelude::*;

    use super::*;

    fn reading(at: i64) -> Reading {
        Reading {
            device_id: DeviceId::new("a").unwrap(),
            timestamp: Timestamp::from_secs(at),
            values: Values::new(vec![None]),
            location: None,
            device_type: None,
            truth: None,
        }
    }

    fn verdict(score: f64, signals: &[(&str, Direction)]) -> Verdict {
        let reason = |(signal, direction): &(&str, Direction)| Reason {
            signal: (*signal).to_owned(),
            direction: *direction,
            text: format!("{signal} at {score}"),
        };
        Verdict {
            model_version: "m-0001".into(),
            score,
            is_anomaly: score < 0.0,
            signals: vec![None],
            reasons: signals.iter().map(reason).collect(),
        }
    }

    fn step(watched: &mut Watched, at: i64, score: f64, signals: &[(&str, Direction)]) -> Option<(Change, Incident)> {
        watched.step(&reading(at), &verdict(score, signals), false, &IncidentRules::default())
    }

    #[test]
    fn an_incident_says_what_it_is_made_of() {
        let mut watched = Watched::default();
        let heat = [("temperature", Direction::Above)];
        let both = [("temperature", Direction::Above), ("vibration", Direction::Within)];
        assert_eq!(step(&mut watched, 0, -0.1, &heat), None);
        assert_eq!(step(&mut watched, 10, -0.4, &both), None);
        let (change, opened) = step(&mut watched, 20, -0.2, &heat).unwrap();
        assert_eq!(
            (change, opened.began, opened.readings),
            (Change::Opened, Timestamp::from_secs(0), 3)
        );
        assert_eq!(opened.reason, "temperature at -0.4");
        let shares: f64 = opened.signals.iter().map(|it| it.share).sum();
        assert!((shares - 1.0).abs() < 1e-12);
        assert_eq!(
            (opened.signals[0].signal.as_str(), opened.signals[0].direction),
            heat[0]
        );
        assert_eq!((opened.kind, opened.severity), (IncidentKind::Spike, Severity::Warning));
        let (change, later) = step(&mut watched, 4_000, -0.3, &heat).unwrap();
        assert_eq!(
            (change, &later.id, later.opened_at),
            (Change::GoneOn, &opened.id, Timestamp::from_secs(20))
        );
        assert_eq!(
            (later.kind, later.severity),
            (IncidentKind::LevelShift, Severity::Critical)
        );
        let (change, closed) = step(&mut watched, 5_000, 0.5, &[]).unwrap();
        assert_eq!(
            (change, &closed.id, closed.closed_at),
            (Change::Closed, &opened.id, Some(Timestamp::from_secs(5_000)))
        );
        assert_eq!(watched.makings, Makings::default());
    }

    #[test]
    fn a_stored_incident_is_taken_up_again() {
        let mut watched = Watched::default();
        let heat = [("temperature", Direction::Above)];
        (0..5).for_each(|it| drop(step(&mut watched, it * 10, -0.1, &heat)));
        let (_, stored) = step(&mut watched, 50, -0.2, &heat).unwrap();
        let mut other = Watched::default();
        other.adopt(&stored);
        let (expected, found) = (step(&mut watched, 60, -0.1, &heat), step(&mut other, 60, -0.1, &heat));
        assert_eq!(found, expected);
    }

    proptest! {
        /// Wherever it is stopped and started again, it tells the same.
        #[test]
        fn a_restart_changes_nothing(steps in proptest::collection::vec((1..200_i64, -1.0..0.5_f64), 1..80), restart in any::<u64>()) {
            let (mut through, mut restarted, mut at) = (Watched::default(), Watched::default(), 0);
            for (nth, (gap, score)) in steps.into_iter().enumerate() {
                at += gap;
                let signals = [("temperature", Direction::Above)];
                let told = step(&mut through, at, score, &signals);
                through.rhythm.hear(gap as f64);
                restarted.rhythm.hear(gap as f64);
                prop_assert_eq!(&told, &step(&mut restarted, at, score, &signals));
                if restart >> (nth % 64) & 1 == 1 {
                    restarted = Watched::from_bytes(&restarted.to_bytes()).unwrap();
                }
            }
        }
    }
}
