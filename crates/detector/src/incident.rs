//! From verdicts to incidents: one for each event, however many readings it has.
//!
//! An incident opens when a new event is told while the device is anomalous, or when most of its last readings are. It
//! stays one while readings go on being anomalous, and closes after a while in which none was. The machine is pure: a
//! device's state, a reading's verdict in, a state and what happened out.

use domain::Timestamp;

/// When incidents open and close.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IncidentRules {
    /// So many of the last eight readings must be anomalous to open one without an alert, 1 to 8.
    pub anomalous_of_eight: u32,
    /// So many seconds without an anomalous reading close it.
    pub quiet_seconds: f64,
}

impl Default for IncidentRules {
    fn default() -> Self {
        Self {
            anomalous_of_eight: 3,
            quiet_seconds: 600.0,
        }
    }
}

/// One event on one device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Incident {
    /// The first anomalous reading.
    pub began: Timestamp,
    /// The last anomalous reading so far.
    pub last: Timestamp,
    /// The lowest score, and when.
    pub peak: (f64, Timestamp),
    /// How many anomalous readings.
    pub readings: u64,
}

/// What the machine looks at in a reading and its verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sign {
    /// When.
    pub at: Timestamp,
    /// The verdict's score; below 0 is anomalous.
    pub score: f64,
    /// Whether the verdict is anomalous.
    pub is_anomaly: bool,
    /// Whether a new event was told.
    pub is_alert: bool,
}

/// Where a device stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Watch {
    /// No incident; which of the last eight readings were anomalous, the newest in the lowest bit, and the event that
    /// may be beginning.
    Calm {
        /// The last eight.
        recent: u8,
        /// Since the oldest anomalous reading among them.
        beginning: Option<Incident>,
    },
    /// An incident is open.
    Open(Incident),
}

/// What a reading did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Happening {
    /// An incident opened.
    Opened(Incident),
    /// The incident closed.
    Closed(Incident),
}

impl Default for Watch {
    fn default() -> Self {
        Self::Calm {
            recent: 0,
            beginning: None,
        }
    }
}

impl Incident {
    fn with(from: Option<Self>, sign: Sign) -> Self {
        let Sign { at, score, .. } = sign;
        let Some(it) = from else {
            return Self {
                began: at,
                last: at,
                peak: (score, at),
                readings: 1,
            };
        };
        let peak = if score < it.peak.0 { (score, at) } else { it.peak };
        Self {
            last: at,
            peak,
            readings: it.readings + 1,
            ..it
        }
    }
}

impl Watch {
    /// The state after a reading, and what happened. A reading no newer than the last changes nothing: give none that
    /// came late.
    #[must_use]
    pub fn step(self, sign: Sign, rules: &IncidentRules) -> (Self, Option<Happening>) {
        match self {
            Self::Open(incident) if sign.is_anomaly => (Self::Open(Incident::with(Some(incident), sign)), None),
            Self::Open(incident) if sign.at.seconds_since(incident.last) < rules.quiet_seconds => (self, None),
            Self::Open(incident) => (Self::default(), Some(Happening::Closed(incident))),
            Self::Calm { recent, beginning } => calm(recent, beginning, sign, rules),
        }
    }
}

fn calm(recent: u8, beginning: Option<Incident>, sign: Sign, rules: &IncidentRules) -> (Watch, Option<Happening>) {
    let recent = recent << 1 | u8::from(sign.is_anomaly);
    let known = beginning.filter(|it| recent >> 1 != 0 && sign.at.seconds_since(it.last) < rules.quiet_seconds);
    let recent = if known.is_some() { recent } else { recent & 1 };
    if !sign.is_anomaly {
        return (
            Watch::Calm {
                recent,
                beginning: known,
            },
            None,
        );
    }
    let incident = Incident::with(known, sign);
    if sign.is_alert || recent.count_ones() >= rules.anomalous_of_eight {
        return (Watch::Open(incident), Some(Happening::Opened(incident)));
    }
    (
        Watch::Calm {
            recent,
            beginning: Some(incident),
        },
        None,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sign(at: i64, is_anomaly: bool, is_alert: bool) -> Sign {
        Sign {
            at: Timestamp::from_secs(at),
            score: if is_anomaly { -1.0 } else { 1.0 },
            is_anomaly,
            is_alert,
        }
    }

    /// Readings every ten seconds: `!` anomalous, `A` anomalous with an alert, `.` normal. What happened: `o`pened,
    /// `c`losed.
    #[track_caller]
    fn check(readings: &str, expected: &str) {
        let rules = IncidentRules {
            quiet_seconds: 50.0,
            ..IncidentRules::default()
        };
        let mut watch = Watch::default();
        let mut happened = String::new();
        for (at, reading) in readings.chars().enumerate() {
            let (next, happening) = watch.step(sign(at as i64 * 10, reading != '.', reading == 'A'), &rules);
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
        check("..A.!..!....!......", "..o..............c.");
    }

    proptest! {
        #[test]
        fn incidents_open_and_close_in_turn_and_are_apart(steps in proptest::collection::vec((1..200_i64, any::<bool>(), any::<bool>()), 1..400)) {
            let rules = IncidentRules::default();
            let (mut watch, mut at, mut open, mut closed) = (Watch::default(), 0, None, None::<Incident>);
            for (gap, is_anomaly, is_alert) in steps {
                at += gap;
                let (next, happening) = watch.step(sign(at, is_anomaly, is_alert), &rules);
                watch = next;
                match happening {
                    Some(Happening::Opened(it)) => {
                        prop_assert!(open.is_none());
                        if let Some(before) = closed {
                            prop_assert!(it.began.seconds_since(before.last) >= rules.quiet_seconds);
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
    }
}
