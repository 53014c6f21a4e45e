//! From verdicts to incidents: one for each event, however many readings it has.
//!
//! An incident opens when a reading is so seldom that the budget tells it, or when most of the last readings are
//! anomalous. It stays one while readings go on being anomalous, and closes after a while in which none was. The machine
//! is pure: a device's state, a reading's sign in, a state and what happened out. A reading no newer than the last
//! changes nothing, so what comes again after a restart opens nothing again.

mod codec;
mod culprit;
mod story;

use domain::{Direction, Timestamp};

pub use codec::WatchError;
use culprit::Culprit;

use crate::symptom::Sign;

/// So many signals of an incident are remembered, the heaviest.
pub const MAX_CULPRITS: usize = 3;

/// An incident stays one for so many times as long as was usually between its anomalous readings, and for so many of the
/// device's usual intervals at most.
const BETWEEN: f64 = 3.0;
const LONGEST_QUIET: f64 = 60.0;

/// When incidents open and close.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IncidentRules {
    /// So many of the last eight readings must be anomalous to open one where none tells by itself, 1 to 8.
    pub anomalous_of_eight: u32,
    /// So many seconds without an anomalous reading close it.
    pub quiet_seconds: f64,
    /// But not before so many of the device's usual intervals.
    pub quiet_intervals: f64,
}

impl Default for IncidentRules {
    fn default() -> Self {
        Self {
            anomalous_of_eight: 3,
            quiet_seconds: 600.0,
            quiet_intervals: 8.0,
        }
    }
}

impl IncidentRules {
    pub(crate) fn quiet(&self, interval: f64) -> f64 {
        self.quiet_seconds.max(self.quiet_intervals * interval)
    }
}

/// One event on one device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Incident {
    /// The first anomalous reading.
    pub began: Timestamp,
    /// The reading at which a person is told.
    pub opened: Timestamp,
    /// The last anomalous reading so far.
    pub last: Timestamp,
    /// The lowest score, and when.
    pub peak: (f64, Timestamp),
    /// How many anomalous readings.
    pub readings: u64,
    interval: f64,
    culprits: [Option<Culprit>; MAX_CULPRITS],
}

/// Where a device stands.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Watch {
    newest: Option<Timestamp>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// No incident; which of the last eight readings were anomalous and which of them count, the newest in the lowest
    /// bit, and the event that may be beginning since the oldest anomalous reading among them.
    Calm {
        recent: u8,
        counted: u8,
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

impl Default for Stage {
    fn default() -> Self {
        Self::Calm {
            recent: 0,
            counted: 0,
            beginning: None,
        }
    }
}

impl Incident {
    fn with(from: Option<Self>, sign: &Sign) -> Self {
        let Sign { at, score, .. } = *sign;
        let mut it = from.unwrap_or(Self {
            began: at,
            opened: at,
            last: at,
            peak: (score, at),
            readings: 0,
            interval: sign.interval,
            culprits: [None; MAX_CULPRITS],
        });
        if score < it.peak.0 {
            it.peak = (score, at);
        }
        it.last = at;
        it.readings += 1;
        it.interval = sign.interval;
        for symptom in sign.symptoms.iter().flatten() {
            it.gather(symptom);
        }
        it
    }

    /// For how many seconds it must be quiet to be over: what is odd now and then is quiet in between.
    fn quiet(&self, rules: &IncidentRules) -> f64 {
        let between = self.last.seconds_since(self.began) / self.readings.saturating_sub(1).max(1) as f64;
        let longer = (BETWEEN * between).min(LONGEST_QUIET * self.interval);
        rules.quiet(self.interval).max(longer)
    }

    /// Adds what is odd about a signal. A signal that finds no place takes that of the lightest, once it is heavier.
    fn gather(&mut self, symptom: &crate::symptom::Symptom) {
        let of = |it: &Option<Culprit>| it.is_some_and(|it| usize::from(it.signal) == symptom.signal);
        if let Some(place) = self.culprits.iter().position(of) {
            self.culprits[place] = self.culprits[place].map(|it| it.with(symptom));
            return;
        }
        let weight = |it: &Option<Culprit>| it.map_or(-1.0, |it| it.weight);
        let lightest =
            (0..MAX_CULPRITS).min_by(|a, b| weight(&self.culprits[*a]).total_cmp(&weight(&self.culprits[*b])));
        if let Some(place) = lightest.filter(|it| weight(&self.culprits[*it]) < symptom.share) {
            self.culprits[place] = Some(Culprit::new(symptom));
        }
    }
}

impl Watch {
    /// The incident that is open, if one is.
    #[must_use]
    pub fn open(&self) -> Option<&Incident> {
        match &self.stage {
            Stage::Open(incident) => Some(incident),
            Stage::Calm { .. } => None,
        }
    }

    /// The state after a reading, and what happened.
    #[must_use]
    pub fn step(self, sign: &Sign, rules: &IncidentRules) -> (Self, Option<Happening>) {
        if self.newest.is_some_and(|it| sign.at <= it) {
            return (self, None);
        }
        let (stage, happening) = match self.stage {
            Stage::Open(incident) if sign.is_anomaly => (Stage::Open(Incident::with(Some(incident), sign)), None),
            Stage::Open(incident) if sign.at.seconds_since(incident.last) < incident.quiet(rules) => (self.stage, None),
            Stage::Open(incident) => (Stage::default(), Some(Happening::Closed(incident))),
            Stage::Calm {
                recent,
                counted,
                beginning,
            } => calm((recent, counted), beginning, sign, rules),
        };
        let newest = Some(sign.at);
        (Self { newest, stage }, happening)
    }

    /// The state after a device has not been heard for so long that what went on is over: the caller knows how long that is.
    #[must_use]
    pub fn give_up(self) -> (Self, Option<Happening>) {
        match self.stage {
            Stage::Open(incident) => {
                let stage = Stage::default();
                (Self { stage, ..self }, Some(Happening::Closed(incident)))
            }
            Stage::Calm { .. } => (self, None),
        }
    }
}

fn calm(last: (u8, u8), beginning: Option<Incident>, sign: &Sign, rules: &IncidentRules) -> (Stage, Option<Happening>) {
    let quiet = rules.quiet(sign.interval);
    let known = beginning.filter(|it| last.0 != 0 && sign.at.seconds_since(it.last) < quiet);
    let before = if known.is_some() { last } else { (0, 0) };
    let recent = before.0 << 1 | u8::from(sign.is_anomaly);
    let counted = before.1 << 1 | u8::from(sign.counts);
    let stays = |beginning| Stage::Calm {
        recent,
        counted,
        beginning,
    };
    if !sign.is_anomaly {
        return (stays(known), None);
    }
    let mut incident = Incident::with(known, sign);
    if sign.tells || counted.count_ones() >= rules.anomalous_of_eight {
        incident.opened = sign.at;
        return (Stage::Open(incident), Some(Happening::Opened(incident)));
    }
    (stays(Some(incident)), None)
}

impl Incident {
    /// The heaviest signal's side.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.heaviest().map_or(Direction::Within, |it| it.direction())
    }

    fn heaviest(&self) -> Option<&Culprit> {
        let culprits = self.culprits.iter().flatten();
        culprits.max_by(|a, b| a.weight.total_cmp(&b.weight))
    }
}

#[cfg(test)]
mod tests;
