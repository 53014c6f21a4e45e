//! A challenger beside the champion: it judges the same live readings, and what a person sees stays the champion's.
//!
//! It follows the committed readings of at most [`MOST_DEVICES`] devices, outside the consumer's way; readings that it is
//! too slow for are left out. The rule by which it is put in force is [`Tally::verdict`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use detector::{DeviceState, Model};
use domain::{DeviceId, Judged, Label, TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use warehouse::{IncidentQuery, LabelFilter, ReadingQuery};

use super::clock;
use super::events::Event;
use crate::app::App;

/// So many devices are followed: what a challenger costs does not grow with the fleet.
const MOST_DEVICES: usize = 200;

/// With fewer readings nothing is decided in the challenger's favour.
const LEAST_READINGS: u64 = 200;

/// The challenger may flag so many times as much as the champion, and this share more.
const CALM: (f64, f64) = (2.0, 0.001);

/// On this share of the readings both must say the same.
const AGREEMENT: f64 = 0.95;

/// This share of the labelled true incidents must be flagged by the challenger as well.
const TRUE_ONES: f64 = 0.8;

/// So many labelled incidents are tried, the newest ones.
const LABELLED: usize = 50;

/// What a challenger and the champion said of the same live readings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) champion: String,
    /// From and to, as RFC 3339.
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) devices: u64,
    pub(crate) readings: u64,
    pub(crate) champion_flags: u64,
    pub(crate) challenger_flags: u64,
    /// Readings that both flagged.
    pub(crate) both_flags: u64,
    /// Labelled incidents whose worst reading was tried, and those that the challenger flags.
    pub(crate) true_ones: u64,
    pub(crate) true_ones_flagged: u64,
    pub(crate) false_alarms: u64,
    pub(crate) false_alarms_flagged: u64,
    pub(crate) promoted: bool,
    /// Why it was or was not put in force, in words.
    pub(crate) why: String,
}

impl Tally {
    /// The share of readings on which both said the same.
    pub(crate) fn agreement(&self) -> f64 {
        let apart = self.champion_flags + self.challenger_flags - 2 * self.both_flags;
        1.0 - apart as f64 / self.readings.max(1) as f64
    }

    fn rate(&self, flags: u64) -> f64 {
        flags as f64 / self.readings.max(1) as f64
    }

    /// The rule: enough readings, not many more flags, mostly of one mind, and the labelled true incidents are found.
    pub(crate) fn verdict(&self) -> (bool, String) {
        let (old, new) = (self.rate(self.champion_flags), self.rate(self.challenger_flags));
        let agreement = self.agreement();
        let found = self.true_ones_flagged as f64 / self.true_ones.max(1) as f64;
        if self.readings < LEAST_READINGS {
            return (
                false,
                format!(
                    "{} live readings are too few, {LEAST_READINGS} are needed",
                    self.readings
                ),
            );
        }
        if new > CALM.0 * old + CALM.1 {
            return (
                false,
                format!("it flags {new:.5} of the live readings, the champion {old:.5}"),
            );
        }
        if agreement < AGREEMENT {
            return (
                false,
                format!("it agrees with the champion on {agreement:.3} of the live readings, {AGREEMENT} are needed"),
            );
        }
        if self.true_ones > 0 && found < TRUE_ONES {
            let (flagged, all) = (self.true_ones_flagged, self.true_ones);
            return (
                false,
                format!("it flags {flagged} of {all} labelled true incidents, {TRUE_ONES} of them are needed"),
            );
        }
        let labels = format!(
            "{} of {} labelled true incidents",
            self.true_ones_flagged, self.true_ones
        );
        (
            true,
            format!(
                "it flags {new:.5} of the live readings against {old:.5}, agrees on {agreement:.3}, and flags {labels}"
            ),
        )
    }
}

/// Lets a challenger judge beside the champion for a while, and says what came of it.
pub(crate) async fn trial(app: &Arc<App>, challenger: Arc<Model>, lasting: Duration) -> anyhow::Result<Tally> {
    let mut trial = Trial {
        states: HashMap::new(),
        tally: Tally {
            champion: app
                .live_model
                .get()
                .map(|it| it.version.to_string())
                .unwrap_or_default(),
            from: clock::now().to_string(),
            ..Tally::default()
        },
        challenger,
    };
    let mut events = app.events.subscribe(None).receiver;
    let end = tokio::time::Instant::now() + lasting;
    loop {
        let received = tokio::select! {
            () = app.stop.cancelled() => break,
            () = tokio::time::sleep_until(end) => break,
            received = events.recv() => received,
        };
        match received {
            Ok(numbered) => {
                if let Event::Readings(readings) = numbered.event {
                    tokio::task::block_in_place(|| readings.iter().for_each(|it| trial.push(app, it)));
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => break,
        }
    }
    trial.try_labelled(app).await?;
    let mut tally = trial.tally;
    tally.to = clock::now().to_string();
    tally.devices = trial.states.len() as u64;
    (tally.promoted, tally.why) = tally.verdict();
    Ok(tally)
}

struct Trial {
    challenger: Arc<Model>,
    states: HashMap<DeviceId, DeviceState>,
    tally: Tally,
}

impl Trial {
    /// A device is followed from its state after the first reading that is seen of it.
    fn push(&mut self, app: &App, judged: &Judged) {
        let reading = &judged.reading;
        let champion = judged
            .verdict
            .as_ref()
            .filter(|it| *it.model_version == *self.tally.champion);
        let (Some(champion), false) = (champion, judged.late || judged.clock_suspect) else {
            return;
        };
        let Some(state) = self.states.get_mut(&reading.device_id) else {
            if self.states.len() < MOST_DEVICES
                && let Some(state) = app.fleet.read(&reading.device_id, |it| it.cloned())
            {
                self.states.insert(reading.device_id.clone(), state);
            }
            return;
        };
        if !state.accepts(reading.timestamp) {
            return;
        }
        let is_flagged = self.challenger.step(state, reading).is_anomaly;
        self.tally.readings += 1;
        self.tally.champion_flags += u64::from(champion.is_anomaly);
        self.tally.challenger_flags += u64::from(is_flagged);
        self.tally.both_flags += u64::from(is_flagged && champion.is_anomaly);
    }

    /// Tries the worst reading of labelled incidents, as if it came now.
    async fn try_labelled(&mut self, app: &App) -> anyhow::Result<()> {
        let query = IncidentQuery {
            label: Some(LabelFilter::Any),
            ..IncidentQuery::all(clock::now(), LABELLED)
        };
        for stored in app.warehouse.incidents(query).await?.items {
            let Some(label) = stored.triage.label.map(|it| it.label) else {
                continue;
            };
            let worst = ReadingQuery {
                device_id: Some(stored.incident.device_id.clone()),
                range: instant(stored.incident.peak_at),
                anomalies_only: false,
                newest_first: false,
                limit: 1,
                after: None,
            };
            let Some(judged) = app.warehouse.readings(worst).await?.items.pop() else {
                continue;
            };
            let is_flagged = app.fleet.read(&stored.incident.device_id, |state| {
                self.challenger.judge(state, &judged.reading).is_anomaly
            });
            match label {
                Label::True | Label::SensorFault => {
                    self.tally.true_ones += 1;
                    self.tally.true_ones_flagged += u64::from(is_flagged);
                }
                Label::FalseAlarm => {
                    self.tally.false_alarms += 1;
                    self.tally.false_alarms_flagged += u64::from(is_flagged);
                }
                Label::Expected => {}
            }
        }
        Ok(())
    }
}

fn instant(at: Timestamp) -> TimeRange {
    TimeRange {
        start: at,
        end: at.plus_micros(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(readings: u64, champion: u64, challenger: u64, both: u64, true_ones: (u64, u64), expected: bool) {
        let tally = Tally {
            readings,
            champion_flags: champion,
            challenger_flags: challenger,
            both_flags: both,
            true_ones: true_ones.1,
            true_ones_flagged: true_ones.0,
            ..Tally::default()
        };
        let (promoted, why) = tally.verdict();
        assert_eq!(promoted, expected, "{why}");
    }

    #[test]
    fn a_challenger_is_taken_only_by_the_rule() {
        check(10_000, 100, 100, 90, (0, 0), true);
        check(10_000, 0, 5, 0, (0, 0), true);
        check(100, 1, 1, 1, (0, 0), false);
        check(10_000, 100, 300, 100, (0, 0), false);
        check(10_000, 600, 600, 200, (0, 0), false);
        check(10_000, 100, 100, 90, (9, 10), true);
        check(10_000, 100, 20, 20, (7, 10), false);
    }
}
