//! What is watched of one device between its readings: the event that may be going on, how it is told, and how often
//! the device usually speaks.

use detector::{Assessment, Happening, IncidentRules, Sign, Watch};
use domain::{DeviceId, Incident, IncidentId, Reading, Signals, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

use super::doubts::{Doubts, PlacesRow};
use super::rhythm::Rhythm;

/// What is watched of a device.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Watched {
    watch: Watch,
    worst: Worst,
    pub(crate) rhythm: Rhythm,
    /// What is doubtful about its readings.
    pub(crate) doubts: Doubts,
    /// When the device was last heard, by the server's clock.
    pub(crate) heard_at: Option<Timestamp>,
}

/// What the verdict said at the lowest score of the event that goes on or may be beginning, where a value was not within its usual
/// range, if there was one: what lasts becomes usual, and its last readings would be told as what they usually are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Worst {
    score: f64,
    /// The time of the newest anomalous reading, in microseconds: an old one belongs to another event.
    newest: i64,
    reason: String,
    #[serde(default)]
    is_outside: bool,
    model_version: String,
}

/// When a person is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Telling {
    pub(crate) rules: IncidentRules,
    /// A reading with a higher score makes no incident: 0, or below it where labels have moved it.
    pub(crate) threshold: f64,
    /// Whether the reading lies beyond a limit that a person has set, which is told even of a jump.
    pub(crate) is_beyond_limit: bool,
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
    /// Takes in a reading that the device's state took in, and says what it did. Without a model there is no assessment of
    /// a reading within its limits. What cannot be believed does nothing.
    pub(crate) fn step(
        &mut self,
        reading: &Reading,
        assessment: Option<&Assessment>,
        signals: &Signals,
        telling: &Telling,
    ) -> Option<(Change, Incident)> {
        if self.doubts.speak_against(telling.is_beyond_limit) {
            return None;
        }
        let sign = &mut match assessment {
            Some(it) => it.sign?,
            None => Sign::calm(reading.timestamp),
        };
        if sign.score > telling.threshold {
            (sign.is_anomaly, sign.counts, sign.tells) = (false, false, false);
        }
        let rules = &telling.rules;
        let goes_on = self.watch.open().is_some();
        let (watch, happening) = self.watch.step(sign, rules);
        self.watch = watch;
        if let Some(assessment) = assessment.filter(|_| sign.is_anomaly) {
            if !goes_on && sign.at.seconds_since(Timestamp::from_micros(self.worst.newest)) > rules.quiet_seconds {
                self.worst = Worst::default();
            }
            self.worst.add(&assessment.verdict, sign.at);
        }
        let device_id = &reading.device_id;
        match (happening, self.watch.open()) {
            (Some(Happening::Opened(event)), _) => Some((Change::Opened, self.told(device_id, &event, signals, None))),
            (Some(Happening::Closed(event)), _) => {
                let closed = self.told(device_id, &event, signals, Some(sign.at));
                self.worst = Worst::default();
                Some((Change::Closed, closed))
            }
            (None, Some(event)) if sign.is_anomaly => {
                Some((Change::GoneOn, self.told(device_id, event, signals, None)))
            }
            _ => None,
        }
    }

    /// Takes note of a reading, whatever becomes of it.
    pub(crate) fn hear(&mut self, received_at: Timestamp) {
        self.heard_at = self.heard_at.max(Some(received_at));
    }

    /// Takes note of a reading that is taken in and follows the one at `last`.
    pub(crate) fn follow(&mut self, reading: &Reading, last: Option<Timestamp>) {
        if let Some(last) = last {
            self.rhythm.hear(reading.timestamp.seconds_since(last));
        }
    }

    /// Whether an incident goes on though the device has not been heard for so long that it is over. While nobody listened,
    /// which is before `started_at`, nobody was quiet.
    pub(crate) fn is_over(&self, now: Timestamp, started_at: Timestamp, quiet_seconds: f64) -> bool {
        let patience = self.rhythm.patience(quiet_seconds).unwrap_or(quiet_seconds);
        let heard_at = self.heard_at.unwrap_or(started_at).max(started_at);
        self.watch.open().is_some() && now.seconds_since(heard_at) > patience
    }

    /// Ends the incident that goes on.
    pub(crate) fn give_up(&mut self, device_id: &DeviceId, signals: &Signals) -> Option<Incident> {
        let (watch, happening) = self.watch.give_up();
        self.watch = watch;
        let Some(Happening::Closed(event)) = happening else {
            return None;
        };
        let closed = self.told(device_id, &event, signals, Some(event.last));
        self.worst = Worst::default();
        Some(closed)
    }

    fn told(
        &self,
        device_id: &DeviceId,
        event: &detector::Incident,
        signals: &Signals,
        closed_at: Option<Timestamp>,
    ) -> Incident {
        Incident {
            id: IncidentId::new(device_id, event.began),
            device_id: device_id.clone(),
            opened_at: event.opened,
            began: event.began,
            last: event.last,
            peak_score: event.peak.0,
            peak_at: event.peak.1,
            readings: event.readings,
            severity: event.severity(),
            kind: event.kind(),
            signals: event.signals(signals),
            reason: self.worst.sentence(&event.sentence(signals)),
            model_version: self.worst.model_version.clone(),
            closed_at,
        }
    }
}

impl Worst {
    fn add(&mut self, verdict: &Verdict, at: Timestamp) {
        self.newest = at.as_micros();
        // A signal that is outside its range says more than one that is odd inside it.
        let outside = |it: &&domain::Reason| it.direction != domain::Direction::Within;
        let outside = verdict.reasons.iter().find(outside);
        let is_worse = match (outside.is_some(), self.is_outside) {
            (true, false) => true,
            (false, true) => false,
            _ => verdict.score < self.score,
        };
        if !(is_worse || self.reason.is_empty()) {
            return;
        }
        self.score = verdict.score;
        self.is_outside = outside.is_some();
        self.model_version = verdict.model_version.to_string();
        let reason = outside.or(verdict.reasons.first());
        self.reason = reason.map_or_else(String::new, |it| it.text.clone());
    }

    /// What happened, and what it was at its worst.
    fn sentence(&self, event: &str) -> String {
        match self.reason.as_str() {
            "" => event.to_owned(),
            worst => format!("{event}; at its worst {worst}"),
        }
    }
}

/// What is watched as it is stored with the device's state, but for the event itself.
#[derive(Serialize, Deserialize)]
struct WatchedRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worst: Option<Worst>,
    rhythm: Rhythm,
    heard_at: Option<i64>,
    #[serde(default)]
    places: PlacesRow,
}

impl Watched {
    /// As bytes for the warehouse: the length of the row, the row, the event.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let row = WatchedRow {
            worst: (self.worst != Worst::default()).then(|| self.worst.clone()),
            rhythm: self.rhythm,
            heard_at: self.heard_at.map(Timestamp::as_micros),
            places: PlacesRow::from(&self.doubts),
        };
        let row = serde_json::to_vec(&row).expect("texts and finite numbers have a form in JSON");
        let length = u32::try_from(row.len()).expect("a row is a sentence and a few numbers");
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(row);
        bytes.extend(self.watch.to_bytes());
        bytes
    }

    /// From such bytes; `None` when they are none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (row, watch) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        let row: WatchedRow = serde_json::from_slice(row).ok()?;
        Some(Self {
            watch: Watch::from_bytes(watch).ok()?,
            worst: row.worst.unwrap_or_default(),
            rhythm: row.rhythm,
            heard_at: row.heard_at.map(Timestamp::from_micros),
            doubts: row.places.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use detector::{Course, MAX_SYMPTOMS, Symptom};
    use domain::{Direction, Reason, Severity, Values};
    use proptest::prelude::*;

    use super::*;

    fn assessment(at: i64, score: f64, direction: Direction) -> Assessment {
        let is_anomaly = score < 0.0;
        let mut symptoms = [None; MAX_SYMPTOMS];
        symptoms[0] = is_anomaly.then_some(Symptom {
            signal: 0,
            share: 1.0,
            course: Course::Value,
            deviation: 8.0,
            roughness: 0.0,
            smooth: 40.0,
            usual: 20.0,
            lasting: 30.0,
        });
        let reason = Reason {
            signal: "temperature".to_owned(),
            direction,
            share: 1.0,
            feature: "value".to_owned(),
            text: format!("temperature at {score}"),
            once_in_days: None,
        };
        Assessment {
            verdict: Verdict {
                model_version: "m-0001".into(),
                score,
                is_anomaly,
                signals: vec![None, None],
                reasons: if is_anomaly { vec![reason] } else { vec![] },
            },
            sign: Some(Sign {
                at: Timestamp::from_secs(at),
                score,
                is_anomaly,
                counts: is_anomaly,
                tells: false,
                interval: 10.0,
                symptoms,
            }),
            once_in_days: None,
        }
    }

    fn step(watched: &mut Watched, at: i64, score: f64) -> Option<(Change, Incident)> {
        step_by(watched, at, score, 0.0)
    }

    fn step_by(watched: &mut Watched, at: i64, score: f64, threshold: f64) -> Option<(Change, Incident)> {
        step_to(watched, at, (score, Direction::Above), threshold)
    }

    fn step_to(
        watched: &mut Watched,
        at: i64,
        (score, direction): (f64, Direction),
        threshold: f64,
    ) -> Option<(Change, Incident)> {
        let reading = Reading {
            device_id: DeviceId::new("a").unwrap(),
            timestamp: Timestamp::from_secs(at),
            values: Values::new(vec![None, None]),
            location: None,
            device_type: None,
            truth: None,
        };
        let assessment = assessment(at, score, direction);
        let telling = Telling {
            rules: IncidentRules::default(),
            threshold,
            is_beyond_limit: false,
        };
        watched.step(&reading, Some(&assessment), &Signals::default(), &telling)
    }

    #[test]
    fn an_incident_is_told_with_what_it_was_at_its_worst() {
        let mut watched = Watched::default();
        assert_eq!(step(&mut watched, 0, -0.1), None);
        assert_eq!(step(&mut watched, 10, -0.4), None);
        let (change, opened) = step(&mut watched, 20, -0.2).unwrap();
        let began = Timestamp::from_secs(0);
        assert_eq!((change, opened.began, opened.readings), (Change::Opened, began, 3));
        assert!(
            opened.reason.ends_with("; at its worst temperature at -0.4"),
            "{}",
            opened.reason
        );
        assert_eq!(opened.signals[0].signal, "temperature");
        let (change, later) = step(&mut watched, 30, -2.0).unwrap();
        assert_eq!(
            (change, &later.id, later.severity),
            (Change::GoneOn, &opened.id, Severity::Critical)
        );
        let (change, closed) = step(&mut watched, 5_000, 0.5).unwrap();
        let at = Some(Timestamp::from_secs(5_000));
        assert_eq!((change, &closed.id, closed.closed_at), (Change::Closed, &opened.id, at));
        assert_eq!(watched.worst, Worst::default());
    }

    #[test]
    fn at_its_worst_is_where_a_value_was_unusual_though_it_became_usual_since() {
        let mut watched = Watched::default();
        let mut last = None;
        let within = (-2.0, Direction::Within);
        let readings = [
            within,
            (-0.3, Direction::Above),
            (-0.4, Direction::Above),
            (-0.2, Direction::Above),
            within,
        ];
        for (at, it) in (0..).zip(readings) {
            last = step_to(&mut watched, at * 10, it, 0.0).or(last);
        }
        let reason = last.unwrap().1.reason;
        assert!(reason.ends_with("; at its worst temperature at -0.4"), "{reason}");
    }

    #[test]
    fn a_moved_threshold_keeps_the_shallow_ones_to_itself() {
        let (mut by_line, mut moved) = (Watched::default(), Watched::default());
        let opens = |it: Option<(Change, Incident)>| it.is_some_and(|(change, _)| change == Change::Opened);
        let shallow = |it: &mut Watched, threshold| (0..5).any(|at| opens(step_by(it, at * 10, -0.3, threshold)));
        assert!(shallow(&mut by_line, 0.0));
        assert!(!shallow(&mut moved, -0.5));
        assert!((5..10).any(|at| opens(step_by(&mut moved, at * 10, -0.6, -0.5))));
    }

    #[test]
    fn what_lies_between_two_deep_readings_does_not_make_them_one_event() {
        let mut watched = Watched::default();
        let scores = [-0.6, -0.3, -0.3, -0.6];
        let told = (0..)
            .zip(scores)
            .filter_map(|(at, score)| step_by(&mut watched, at * 10, score, -0.5));
        assert_eq!(told.count(), 0);
    }

    #[test]
    fn an_incident_of_a_device_that_is_heard_no_more_is_over() {
        let (mut watched, at) = (Watched::default(), Timestamp::from_secs);
        let opened = (0..5)
            .filter_map(|nth| step(&mut watched, nth * 10, -0.6))
            .next()
            .unwrap()
            .1;
        watched.hear(at(40));
        assert!(!watched.is_over(at(600), at(0), 600.0) && watched.is_over(at(700), at(0), 600.0));
        assert!(!watched.is_over(at(700), at(690), 600.0), "nobody listened");
        let closed = watched.give_up(&opened.device_id, &Signals::default()).unwrap();
        assert_eq!((&closed.id, closed.closed_at), (&opened.id, Some(at(20))));
        assert!(!watched.is_over(at(9_000), at(0), 600.0));
    }

    proptest! {
        /// Wherever it is stopped and started again, it tells the same.
        #[test]
        fn a_restart_changes_nothing(steps in proptest::collection::vec((1..200_i64, -1.0..0.5_f64), 1..80), restart in any::<u64>()) {
            let (mut through, mut restarted, mut at) = (Watched::default(), Watched::default(), 0);
            for (nth, (gap, score)) in steps.into_iter().enumerate() {
                at += gap;
                let told = step(&mut through, at, score);
                through.rhythm.hear(gap as f64);
                restarted.rhythm.hear(gap as f64);
                prop_assert_eq!(&told, &step(&mut restarted, at, score));
                if restart >> (nth % 64) & 1 == 1 {
                    restarted = Watched::from_bytes(&restarted.to_bytes()).unwrap();
                }
            }
        }
    }
}
