//! The verdict of the heads and the forest on the vector of all signals.

use domain::{Judgement, MAX_SIGNALS, Reading, Reason, Span, Verdict};

use crate::assess::Assessment;
use crate::bar::Bar;
use crate::combine::{Combined, Leading, combine, course, part};
use crate::features::{DeviceState, LEARNING, Usual};
use crate::heads::Worn;
use crate::heads_pass::LEAST_LINE;
use crate::model::{Model, WholeForest};
use crate::reason::{Course, Told, course_reason};
use crate::recurring::longer_or_less;
use crate::symptom::{MAX_SYMPTOMS, Sign, Symptom};

/// Up to so many readings a device has no self to speak of, and is held against the fleet.
const UNKNOWN: u64 = 30;

/// The expected range reaches so many scales to either side, or to where a value alone is anomalous.
const EXPECTED: f64 = 3.0;

/// No part is told lower than this.
const LEAST: f64 = -9.0;

/// A score counts as so much higher where a new event is told: alerts are seldom, and then less is needed.
const EVENT: f64 = 0.15;

/// The score of a reading that looks like what recurs: that of an ordinary one, whatever else is told of it.
const RECURS: f64 = LEAST_LINE - EVENT - 0.05;

/// By so much of what a device's own scores are usually higher than its fleet's the line for its flags lies higher.
const OWN: f64 = 0.15;

/// The interval of a device that was heard once, in seconds.
const UNHEARD: f64 = 60.0;

const DAY_SECONDS: f64 = 86_400.0;

/// A device that reports often does not learn for longer, in readings.
const MOST_LEARNING: u64 = 100_000;

/// One reading, weighed: what its verdict is told from.
struct Weighed<'a> {
    state: &'a DeviceState,
    reading: &'a Reading,
    combined: Combined,
    /// The fleet's ranges for a device without history.
    ranges: Option<[Option<Span>; MAX_SIGNALS]>,
    /// Beyond this a reading of this device is anomalous.
    line: f64,
    is_anomaly: bool,
    counts: bool,
    tells: bool,
    /// How often in a week a normal device gives a score as high.
    weekly: f64,
    /// What moved over weeks, told with this reading.
    worn: Option<Worn>,
    /// Each signal's part in the score, and the largest.
    parts: [f64; MAX_SIGNALS],
    heaviest: f64,
}

/// Ten years: no training tells what is rarer.
const MOST_DAYS: f64 = 3_650.0;

fn once_in_days(weekly: f64) -> f64 {
    (7.0 / weekly.max(1e-9)).min(MOST_DAYS)
}

/// A device that no training has seen learns from so many readings: those of a day, whose course it has to see once.
fn unknown_learning(interval: Option<f64>) -> u64 {
    readings_of_a_day(interval).clamp(LEARNING, MOST_LEARNING)
}

/// How many readings a device with this usual interval gives in a day; 0 for one that was heard once.
pub(crate) fn readings_of_a_day(interval: Option<f64>) -> u64 {
    interval.map_or(0.0, |it| DAY_SECONDS / it.max(1e-3)) as u64
}

impl Model {
    /// Weighs a reading and takes it into the state, whatever its time.
    pub(crate) fn weigh(&self, state: &mut DeviceState, reading: &Reading) -> Assessment {
        let reference = self.references.devices.get(&reading.device_id);
        state.learn_until(reference.map_or_else(|| unknown_learning(state.interval()), |it| it.learned));
        let is_unknown = state.readings() < UNKNOWN;
        let ranges = is_unknown.then(|| self.usual_ranges(state, reading));
        let strangeness = self.strangeness(state, reading);
        let stranger = Combined {
            score: strangeness,
            rare: strangeness,
            leading: Leading::Spike,
        };
        let evidence = state.step(reading, &self.pace);
        let familiar = self.whole.as_ref().map(|it| it.familiarity(state, reading));
        let references = self.references.banks(&reading.device_id);
        let mut combined = if is_unknown {
            stranger
        } else {
            combine(self.kind, &evidence, &references, familiar)
        };
        let interval = state.interval().unwrap_or(UNHEARD);
        let is_odd = combined.score > LEAST_LINE && !is_unknown;
        if is_odd && self.recurs(state, reading, combined.leading, interval) {
            (combined.score, combined.rare) = (RECURS, RECURS);
        }
        state.odd_for = longer_or_less(state.odd_for, is_odd, interval);
        let policy = self.provenance.policy;
        let own = state.tide.step(combined.rare, &self.bar, self.id(), policy);
        let shift = state.tide.certain(own);
        let event = if evidence.is_alert { EVENT } else { 0.0 };
        let compared = combined.rare + event - shift;
        let weekly = self.bar.weekly(compared, interval);
        let is_worn = evidence.worn.is_some();
        let is_rare = |budget: f64| compared >= LEAST_LINE && weekly <= budget.min(Bar::most(interval));
        let tells = self.budget().is_some_and(|budget| is_worn || is_rare(budget));
        let line = match self.budget() {
            Some(_) => self.line + OWN * shift.max(0.0),
            // A share of the readings is to lie beyond the line, so it goes where they go.
            None => self.line + own,
        };
        let mut weighed = Weighed {
            state,
            reading,
            combined,
            ranges,
            line,
            is_anomaly: tells || is_worn || combined.score > line,
            counts: tells || combined.score - shift.max(0.0) > self.line,
            tells,
            weekly,
            worn: evidence.worn,
            parts: [0.0; MAX_SIGNALS],
            heaviest: 0.0,
        };
        weighed.part();
        self.tell(&weighed)
    }

    /// Whether a device looks as it does in an event that recurs. A value that stays looks like any.
    fn recurs(&self, state: &DeviceState, reading: &Reading, leading: Leading, interval: f64) -> bool {
        let n_signals = self.signals.len();
        leading != Leading::Frozen && self.recurring.knows(&reading.device_id, state, n_signals, interval)
    }

    /// How far a reading of an unknown device lies outside the fleet, on the scale of [`combine`].
    fn strangeness(&self, state: &DeviceState, reading: &Reading) -> f64 {
        if state.readings() >= UNKNOWN {
            return f64::NEG_INFINITY;
        }
        let of = |(at, value): (usize, Option<f64>)| {
            Some(self.usual(state, reading, at)?.z_score(value?).abs() / self.references.fleet[0].max(1.0))
        };
        (reading.values.iter().enumerate().filter_map(of).fold(0.0, f64::max) + 1e-3).ln()
    }

    /// What is usual for a device that is little known: what is for its peers, those of its type at its site, or else of
    /// its type, or else the fleet.
    fn usual(&self, state: &DeviceState, reading: &Reading, at: usize) -> Option<Usual> {
        match self.peers.of(reading).and_then(|it| it[at]) {
            Some(baseline) => Some(self.extractor.usual_among(baseline, state, at)),
            None => self.extractor.usual(Some(state), at),
        }
    }

    fn usual_ranges(&self, state: &DeviceState, reading: &Reading) -> [Option<Span>; MAX_SIGNALS] {
        let mut ranges = [None; MAX_SIGNALS];
        for (at, range) in ranges.iter_mut().enumerate().take(reading.values.len()) {
            *range = self.usual(state, reading, at).map(|it| it.span());
        }
        ranges
    }

    fn tell(&self, it: &Weighed<'_>) -> Assessment {
        let signals = (0..self.signals.len()).map(|at| self.judgement(it, at)).collect();
        let symptoms = if it.is_anomaly {
            it.symptoms()
        } else {
            [None; MAX_SYMPTOMS]
        };
        let score = self.line_of(it) - it.combined.score;
        let sign = Sign {
            at: it.reading.timestamp,
            score,
            is_anomaly: it.is_anomaly,
            counts: it.counts,
            tells: it.tells,
            interval: it.state.interval().unwrap_or(UNHEARD),
            symptoms,
        };
        let mut verdict = Verdict {
            model_version: self.version.clone(),
            score,
            is_anomaly: it.is_anomaly,
            signals,
            reasons: Vec::new(),
        };
        if it.is_anomaly {
            verdict.reasons = self.reasons(it, &verdict);
        }
        Assessment {
            verdict,
            sign: Some(sign),
            once_in_days: Some(once_in_days(it.weekly)),
        }
    }

    /// The line for this reading: where the budget tells it though it lies below the line of flags, its own score.
    fn line_of(&self, it: &Weighed<'_>) -> f64 {
        if it.is_anomaly {
            it.line.min(it.combined.score - 1e-9)
        } else {
            it.line
        }
    }

    fn judgement(&self, it: &Weighed<'_>, at: usize) -> Option<Judgement> {
        it.reading.values.get(at)?;
        it.state.heads.signal(at)?;
        // The heaviest signal is as anomalous as the reading, whatever the way from its part to the whole rounds.
        let is_heaviest = it.parts[at].abs() >= it.heaviest;
        let share = it.parts[at].abs() / it.heaviest.max(1e-12);
        let score = if is_heaviest {
            it.combined.score
        } else {
            (it.combined.score + share.max(1e-9).ln()).max(LEAST)
        };
        let score = self.line_of(it) - score;
        Some(Judgement {
            score,
            is_anomaly: it.is_anomaly && score < 0.0,
            expected: self.expected(it, at),
        })
    }

    /// Where a signal was expected: never below 0 where it never was, and never beyond a value that is odd by itself.
    fn expected(&self, it: &Weighed<'_>, at: usize) -> Option<Span> {
        let signal = it.state.heads.signal(at)?;
        let span = match &it.ranges {
            Some(ranges) => ranges[at]?,
            None => {
                let reach = EXPECTED.min(self.line.exp() * self.references.banks(&it.reading.device_id)[0]);
                let reach = reach * signal.doubt.factor() * signal.scale();
                Span {
                    low: signal.center - reach,
                    high: signal.center + reach,
                }
            }
        };
        let low = if signal.is_signed { span.low } else { span.low.max(0.0) };
        Some(Span { low, ..span })
    }

    fn reasons(&self, it: &Weighed<'_>, verdict: &Verdict) -> Vec<Reason> {
        let mut flagged: Vec<(f64, usize)> = Vec::new();
        for (at, judgement) in verdict.signals.iter().enumerate() {
            flagged.extend(judgement.filter(|it| it.is_anomaly).map(|it| (it.score, at)));
        }
        flagged.sort_by(|a, b| a.0.total_cmp(&b.0));
        let whole: f64 = it.parts.iter().map(|part| part * part).sum();
        let of = |(place, (_, at)): (usize, &(f64, usize))| {
            let told = Told {
                value: it.reading.values.get(*at)?,
                expected: verdict.signals[*at]?.expected?,
                course: it.course(*at),
                share: it.parts[*at] * it.parts[*at] / whole.max(1e-300),
                lasting: it.state.heads.signal(*at)?.lasting().abs(),
                once_in_days: (place == 0).then(|| once_in_days(it.weekly)),
            };
            Some(course_reason(&self.signals[*at], &told))
        };
        flagged.iter().enumerate().filter_map(of).collect()
    }
}

impl Weighed<'_> {
    /// Each signal's part in the score.
    fn part(&mut self) {
        if let Some(worn) = self.worn {
            self.parts[worn.signal] = worn.walks;
            self.heaviest = worn.walks.abs();
            return;
        }
        for (at, value) in self.reading.values.iter().enumerate() {
            let (Some(value), Some(signal)) = (value, self.state.heads.signal(at)) else {
                continue;
            };
            self.parts[at] = match &self.ranges {
                Some(ranges) => ranges[at].map_or(0.0, |it| outside(value, it)),
                None => part(signal, value, self.combined.leading, self.state.heads.noise(at)),
            };
            self.heaviest = self.heaviest.max(self.parts[at].abs());
        }
    }

    fn course(&self, at: usize) -> Course {
        match self.state.heads.signal(at) {
            Some(_) if self.worn.is_some() => Course::Worn,
            Some(signal) if self.ranges.is_none() => course(signal, self.parts[at], self.combined.leading),
            _ => Course::Value,
        }
    }

    /// The heaviest signals. Shares are of the squared parts, and those of all signals sum to 1.
    fn symptoms(&self) -> [Option<Symptom>; MAX_SYMPTOMS] {
        let whole: f64 = self.parts.iter().map(|it| it * it).sum();
        let mut heaviest = [None::<usize>; MAX_SYMPTOMS];
        for (at, part) in self.parts.iter().enumerate().filter(|it| *it.1 != 0.0) {
            let mut place = Some(at);
            for slot in &mut heaviest {
                let is_heavier = slot.is_none_or(|it| part.abs() > self.parts[it].abs());
                if is_heavier || place != Some(at) {
                    std::mem::swap(slot, &mut place);
                }
            }
        }
        heaviest.map(|it| it.and_then(|at| self.symptom(at, self.parts[at] * self.parts[at] / whole)))
    }

    fn symptom(&self, at: usize, share: f64) -> Option<Symptom> {
        let signal = self.state.heads.signal(at)?;
        let (smooth, usual) = self.state.heads.course(at);
        let deviation = match &self.ranges {
            None if self.worn.is_none() => f64::from(signal.parts[0]),
            _ => self.parts[at],
        };
        Some(Symptom {
            signal: at,
            share,
            course: self.course(at),
            deviation,
            roughness: f64::from(signal.parts[2]),
            smooth,
            usual,
            lasting: signal.lasting(),
        })
    }
}

/// How many deviations a value lies above the middle of a range of three to either side; negative below.
fn outside(value: f64, range: Span) -> f64 {
    let middle = f64::midpoint(range.low, range.high);
    EXPECTED * (value - middle) / ((range.high - range.low) / 2.0).max(1e-12)
}

impl WholeForest {
    /// The forest's evidence of a reading that the state has taken in, in spreads beyond the device's usual.
    fn familiarity(&self, state: &mut DeviceState, reading: &Reading) -> f64 {
        let mut row = [f64::NAN; MAX_SIGNALS];
        for (slot, column) in row.iter_mut().zip(&self.columns) {
            let Some(at) = *column else { continue };
            if let (Some(value), Some(signal)) = (reading.values.get(at), state.heads.signal(at)) {
                *slot = signal.standing(value);
            }
        }
        let score = self
            .forest
            .score_row(&row[..self.columns.len()])
            .expect("the forest was fitted on vectors of so many columns");
        state.familiar.step(score, self.id) / self.spread
    }
}
