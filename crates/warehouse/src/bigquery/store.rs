//! What one commit writes, and what this process knows of what is there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use domain::{Action, DeadLetter, DeviceId, IncidentId, Judged, Timestamp};

use super::appender::Appender;
use super::ask::Question;
use super::columns::{self, Cell, Kind};
use super::devices::{self, Known};
use super::{Core, connect, incidents, letters, rows, tables};
use crate::{Acted, Commit, DeviceUpdate, IncidentUpdate, Stored, WarehouseError};

/// Readings older than this before the last commit were asked for when they came, so a start need not look for them.
const LOOK_BACK_MICROS: i64 = 2 * 86_400_000_000;

/// The identity of a reading.
type Identity = (i64, DeviceId);

/// The one writer of this process.
pub(super) struct Store {
    core: Arc<Core>,
    readings: Appender,
    far_readings: Appender,
    devices: Appender,
    letters: Appender,
    events: Appender,
    /// The time of the newest believable reading of each device that is known to be stored, whoever stored it.
    newest: HashMap<DeviceId, Timestamp>,
    /// What this process has told of each device.
    known: HashMap<DeviceId, Known>,
    seq: i64,
    last_letter: i64,
    /// What of a commit that failed is written already.
    unfinished: Unfinished,
}

/// The written part of a commit that is not finished. When it is tried again, these count as new.
#[derive(Default)]
struct Unfinished {
    readings: HashSet<Identity>,
    letters: Vec<(i64, DeadLetter)>,
}

impl Store {
    pub(super) async fn open(core: Arc<Core>) -> Result<Self, WarehouseError> {
        let client = Arc::new(connect::writes(&core.options).await?);
        let appender = |table, columns| Appender::new(Arc::clone(&client), &core.options, table, columns);
        let mut store = Self {
            readings: appender(tables::READINGS, columns::readings(&core.signals)),
            far_readings: appender(tables::FAR_READINGS, columns::readings(&core.signals)),
            devices: appender(tables::DEVICES, columns::devices(&core.signals)),
            letters: appender(tables::LETTERS, columns::letters()),
            events: appender(tables::EVENTS, columns::events()),
            newest: HashMap::new(),
            known: HashMap::new(),
            seq: 0,
            last_letter: 0,
            unfinished: Unfinished::default(),
            core,
        };
        store.look_around().await?;
        Ok(store)
    }

    /// Learns which readings are there: from what consumers told of the devices, and from the readings that came
    /// after, which a consumer that died did not tell of.
    async fn look_around(&mut self) -> Result<(), WarehouseError> {
        let sql = format!(
            "SELECT device_id, UNIX_MICROS(MAX(latest_at)), UNIX_MICROS(MAX(last_received_at)) FROM `{}` \
             GROUP BY device_id",
            self.core.options.name_of(tables::DEVICES)
        );
        let mut last_commit = i64::MIN;
        let newest = &mut self.newest;
        let kinds = [Kind::Text, Kind::Instant, Kind::Instant];
        let told = self.core.each(Question::new(sql), kinds, |mut cells| {
            let device_id = rows::device_id(cells.text())?;
            let at = cells.instant();
            last_commit = last_commit.max(cells.whole().unwrap_or(i64::MIN));
            newest.extend(at.map(|at| (device_id, at)));
            Ok(())
        });
        told.await?;
        let after = "timestamp >= TIMESTAMP_MICROS(@first) AND received_at >= TIMESTAMP_MICROS(@since)";
        let sql = format!(
            "SELECT device_id, UNIX_MICROS(MAX(timestamp)) FROM {} WHERE NOT clock_suspect GROUP BY device_id",
            tables::all_readings(&self.core.options, after)
        );
        let since = Timestamp::from_micros(last_commit);
        let question = Question::new(sql)
            .whole("first", since.plus_micros(-LOOK_BACK_MICROS).as_micros())
            .whole("since", since.as_micros());
        let kinds = [Kind::Text, Kind::Instant];
        let found = self.core.each(question, kinds, |mut cells| {
            let device_id = rows::device_id(cells.text())?;
            if let Some(at) = cells.instant() {
                let known = newest.entry(device_id).or_insert(at);
                *known = at.max(*known);
            }
            Ok(())
        });
        found.await
    }

    pub(super) async fn store(&mut self, commit: Commit) -> Result<Vec<Stored>, WarehouseError> {
        let stored = self.sorted_out(&commit.readings).await?;
        let fresh = |it: &(&Judged, &Stored)| *it.1 == Stored::New;
        let new: Vec<&Judged> = commit
            .readings
            .iter()
            .zip(&stored)
            .filter(fresh)
            .map(|it| it.0)
            .collect();
        let unwritten: Vec<&Judged> = new
            .iter()
            .filter(|it| !self.unfinished.readings.contains(&identity(it)))
            .copied()
            .collect();
        let days = tables::days();
        let (near, far): (Vec<&Judged>, Vec<&Judged>) = unwritten
            .into_iter()
            .partition(|it| days.contains(it.reading.timestamp));
        self.readings.append(&cells_of(&near)).await?;
        self.wrote(&near);
        self.far_readings.append(&cells_of(&far)).await?;
        self.wrote(&far);
        self.tell_devices(&new, &commit.devices).await?;
        self.write_letters(commit.dead_letters).await?;
        self.tell_incidents(&commit.incidents).await?;
        self.unfinished = Unfinished::default();
        Ok(stored)
    }

    fn wrote(&mut self, readings: &[&Judged]) {
        for judged in readings {
            self.unfinished.readings.insert(identity(judged));
            if judged.clock_suspect {
                continue;
            }
            let at = judged.reading.timestamp;
            let newest = self.newest.entry(judged.reading.device_id.clone()).or_insert(at);
            *newest = at.max(*newest);
        }
    }

    /// Says of each reading whether it is new. Only those are asked for that are not newer than all of their device's.
    async fn sorted_out(&self, readings: &[Judged]) -> Result<Vec<Stored>, WarehouseError> {
        let doubtful: Vec<&Judged> = readings
            .iter()
            .filter(|it| {
                let newest = self.newest.get(&it.reading.device_id);
                (it.clock_suspect || newest.is_some_and(|newest| it.reading.timestamp <= *newest))
                    && !self.unfinished.readings.contains(&identity(it))
            })
            .collect();
        let mut there = self.asked_for(&doubtful).await?;
        let mut stored = Vec::with_capacity(readings.len());
        for judged in readings {
            let is_new = there.insert(identity(judged));
            stored.push(if is_new { Stored::New } else { Stored::Duplicate });
        }
        Ok(stored)
    }

    /// Which of these readings are in the table.
    async fn asked_for(&self, readings: &[&Judged]) -> Result<HashSet<Identity>, WarehouseError> {
        let mut there = HashSet::new();
        for part in readings.chunks(5_000) {
            let times = part.iter().map(|it| it.reading.timestamp.as_micros());
            let (Some(first), Some(last)) = (times.clone().min(), times.clone().max()) else {
                continue;
            };
            let sql = format!(
                "SELECT DISTINCT UNIX_MICROS(timestamp), device_id FROM {}",
                tables::all_readings(
                    &self.core.options,
                    "timestamp >= TIMESTAMP_MICROS(@first) AND timestamp <= TIMESTAMP_MICROS(@until) \
                     AND device_id IN UNNEST(@devices) AND UNIX_MICROS(timestamp) IN UNNEST(@times)",
                )
            );
            let devices: HashSet<&DeviceId> = part.iter().map(|it| &it.reading.device_id).collect();
            let question = Question::new(sql)
                .whole("first", first)
                .whole("until", last)
                .texts("devices", devices.into_iter().map(ToString::to_string))
                .wholes("times", times);
            let kinds = [Kind::Instant, Kind::Text];
            let asked = self.core.each(question, kinds, |mut cells| {
                let at = cells.whole().unwrap_or_default();
                there.insert((at, rows::device_id(cells.text())?));
                Ok(())
            });
            asked.await?;
        }
        Ok(there)
    }

    /// Writes what is known of the devices that the commit touched.
    async fn tell_devices(&mut self, new: &[&Judged], updates: &[DeviceUpdate]) -> Result<(), WarehouseError> {
        let mut known: HashMap<DeviceId, Known> = HashMap::new();
        for judged in new {
            self.now_known(&mut known, &judged.reading.device_id).add(judged);
        }
        for update in updates {
            self.now_known(&mut known, &update.device_id).update(update);
        }
        let mut rows: Vec<Vec<Cell>> = Vec::with_capacity(known.len());
        let mut told: Vec<(&DeviceId, &Known)> = known.iter().collect();
        told.sort_by_key(|it| it.0);
        for (nth, (device_id, known)) in told.into_iter().enumerate() {
            let seq = self.seq + 1 + i64::try_from(nth).unwrap_or_default();
            rows.push(devices::cells(
                device_id,
                &self.core.options.writer,
                seq,
                known,
                &self.core.signals,
            ));
        }
        self.devices.append(&rows).await?;
        self.seq += i64::try_from(rows.len()).unwrap_or_default();
        self.known.extend(known);
        Ok(())
    }

    fn now_known<'a>(&self, known: &'a mut HashMap<DeviceId, Known>, device_id: &DeviceId) -> &'a mut Known {
        if !known.contains_key(device_id) {
            let before = self.known.get(device_id).cloned().unwrap_or_default();
            known.insert(device_id.clone(), before);
        }
        known.get_mut(device_id).expect("it was put there just now")
    }

    /// Telling something again changes nothing, so nothing is kept in mind of it.
    async fn tell_incidents(&mut self, updates: &[IncidentUpdate]) -> Result<(), WarehouseError> {
        let mut rows = Vec::with_capacity(updates.len());
        for update in updates {
            self.seq += 1;
            rows.push(incidents::told(self.seq, update));
            self.core.look_back.changed(update.incident.began, update.at);
        }
        self.events.append(&rows).await
    }

    /// Does what a person wants with an incident, if the rules allow it.
    pub(super) async fn act(&mut self, id: &IncidentId, action: &Action) -> Result<Acted, WarehouseError> {
        let Some(mut history) = incidents::history(&self.core, id).await? else {
            return Ok(Acted::Unknown);
        };
        if let Err(refusal) = history.act(action) {
            return Ok(Acted::Refused(refusal));
        }
        let stored = history.stored(action.at);
        self.seq += 1;
        let row = incidents::acted(self.seq, &stored.incident, action);
        self.core.look_back.changed(stored.incident.began, action.at);
        self.events.append(&[row]).await?;
        Ok(Acted::Done(Box::new(stored)))
    }

    /// Numbers grow with the time of receipt and are never given twice by one process.
    async fn write_letters(&mut self, letters: Vec<DeadLetter>) -> Result<(), WarehouseError> {
        if letters.is_empty() {
            return Ok(());
        }
        let same = self.unfinished.letters.iter().map(|it| &it.1).eq(letters.iter());
        if !same {
            let mut numbered = Vec::with_capacity(letters.len());
            for letter in letters {
                let by_time = letter
                    .received_at
                    .as_micros()
                    .saturating_mul(letters::NUMBERS_A_MICROSECOND);
                self.last_letter = by_time.max(self.last_letter + 1);
                numbered.push((self.last_letter, letter));
            }
            self.unfinished.letters = numbered;
        }
        let rows: Vec<Vec<Cell>> = self
            .unfinished
            .letters
            .iter()
            .map(|(id, it)| rows::letter(*id, it))
            .collect();
        self.letters.append(&rows).await
    }
}

fn cells_of(readings: &[&Judged]) -> Vec<Vec<Cell>> {
    readings.iter().map(|it| rows::reading(it)).collect()
}

fn identity(judged: &Judged) -> Identity {
    (judged.reading.timestamp.as_micros(), judged.reading.device_id.clone())
}
