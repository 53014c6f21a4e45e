//! The incident machine, reading by reading.

use domain::{IncidentKind, Severity, Signals};
use proptest::prelude::*;

use super::*;
use crate::reason::Course;
use crate::symptom::{MAX_SYMPTOMS, Symptom};

fn sign(at: i64, is_anomaly: bool, tells: bool) -> Sign {
    let symptom = Symptom {
        signal: 1,
        share: 1.0,
        course: Course::Value,
        deviation: 5.0,
        roughness: 0.0,
        smooth: 4.0,
        usual: 1.0,
        lasting: 10.0,
    };
    let mut symptoms = [None; MAX_SYMPTOMS];
    symptoms[0] = is_anomaly.then_some(symptom);
    Sign {
        at: Timestamp::from_secs(at),
        score: if is_anomaly { -1.0 } else { 1.0 },
        is_anomaly,
        counts: is_anomaly,
        tells: is_anomaly && tells,
        interval: 10.0,
        symptoms,
    }
}

const RULES: IncidentRules = IncidentRules {
    anomalous_of_eight: 3,
    quiet_seconds: 50.0,
    quiet_intervals: 1.0,
};

/// Readings every ten seconds: `!` anomalous, `A` anomalous and enough to tell, `.` normal.
/// What happened: `o`pened, `c`losed.
#[track_caller]
fn check(readings: &str, expected: &str) {
    let mut watch = Watch::default();
    let mut happened = String::new();
    for (at, reading) in readings.chars().enumerate() {
        let at = at as i64 * 10;
        let (next, happening) = watch.step(&sign(at, reading != '.', reading == 'A'), &RULES);
        watch = next;
        happened.push(match happening {
            Some(Happening::Opened(_)) => 'o',
            Some(Happening::Closed(_)) => 'c',
            None => '.',
        });
    }
    assert_eq!(happened, expected);
}

#[test]
fn an_event_is_one_incident() {
    check("..!..!.....", "...........");
    check("..!.!!.!!......", ".....o.......c.");
    check("..A.!!..!.......", "..o...........c.");
}

#[test]
fn what_is_odd_now_and_then_is_one_incident() {
    check("A....!....!....!.........A", "o.........................");
    check("A....!....!..................", "o........................c...");
}

#[test]
fn an_incident_tells_its_signals_its_kind_and_how_severe_it_is() {
    let watch = Watch::default().step(&sign(0, true, true), &RULES).0;
    let incident = watch.open().unwrap();
    let signals = Signals::default();
    assert_eq!(
        incident.sentence(&signals),
        "vibration far above what is usual: one reading"
    );
    assert_eq!(
        (incident.kind(), incident.severity()),
        (IncidentKind::Spike, Severity::Warning)
    );
    let listed = incident.signals(&signals);
    assert_eq!(
        (listed.len(), listed[0].share, listed[0].direction),
        (1, 1.0, Direction::Above)
    );
}

proptest! {
    #[test]
    fn incidents_open_and_close_in_turn_and_are_apart(steps in proptest::collection::vec((1..200_i64, any::<bool>(), any::<bool>()), 1..400)) {
        let (mut watch, mut at, mut open, mut closed) = (Watch::default(), 0, None, None::<Incident>);
        for (gap, is_anomaly, tells) in steps {
            at += gap;
            let (next, happening) = watch.step(&sign(at, is_anomaly, tells), &RULES);
            watch = next;
            match happening {
                Some(Happening::Opened(it)) => {
                    prop_assert!(open.is_none());
                    if let Some(before) = closed {
                        prop_assert!(it.began.seconds_since(before.last) >= RULES.quiet_seconds);
                    }
                    open = Some(it);
                }
                Some(Happening::Closed(it)) => {
                    prop_assert_eq!(open.take().map(|it: Incident| it.began), Some(it.began));
                    closed = Some(it);
                }
                None => {}
            }
        }
    }

    /// What is told with a restart at any place, after which the last few readings come again, is what is told without.
    #[test]
    fn a_restart_and_what_comes_again_change_nothing(steps in proptest::collection::vec((1..60_i64, any::<bool>(), any::<bool>()), 1..120), cut in 0..120_usize, again in 0..20_usize) {
        let mut at = 0;
        let signs: Vec<Sign> = steps.iter().map(|(gap, is_anomaly, tells)| { at += gap; sign(at, *is_anomaly, *tells) }).collect();
        let cut = cut.min(signs.len());
        let mut stream: Vec<(&Sign, bool)> = signs[..cut].iter().map(|it| (it, false)).collect();
        stream.extend(signs[cut - again.min(cut)..].iter().enumerate().map(|(at, it)| (it, at == 0)));
        let (mut plain, mut restarted) = (Watch::default(), Watch::default());
        let (mut told, mut told_again) = (Vec::new(), Vec::new());
        for it in &signs {
            let (next, happening) = plain.step(it, &RULES);
            plain = next;
            told.extend(happening);
        }
        for (it, restarts) in stream {
            if restarts {
                restarted = Watch::from_bytes(&restarted.to_bytes()).unwrap();
            }
            let (next, happening) = restarted.step(it, &RULES);
            restarted = next;
            told_again.extend(happening);
        }
        prop_assert_eq!(told, told_again);
        prop_assert_eq!(plain.to_bytes(), restarted.to_bytes());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _outcome = Watch::from_bytes(&bytes);
    }
}
