//! A watch as bytes and back, so that it can be stored beside the state of its device. All numbers are little-endian.

use domain::Timestamp;

use super::culprit::Culprit;
use super::{Incident, MAX_CULPRITS, Stage, Watch};
use crate::features::StateError;
use crate::heads::{Reader, Writer};
use crate::reason::Course;

/// The version of [`Watch::to_bytes`].
const VERSION: u8 = 4;

/// Bytes that are no watch of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// Not what [`Watch::to_bytes`] writes.
    #[error("the stored incident state is damaged")]
    Damaged,
    /// Written by another version.
    #[error("the stored incident state has version {0}, this program reads version {VERSION}")]
    Version(u8),
}

impl From<StateError> for WatchError {
    fn from(_: StateError) -> Self {
        Self::Damaged
    }
}

impl Watch {
    /// The watch as versioned bytes, to the last bit.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        let mut to = Writer(&mut bytes);
        to.byte(VERSION);
        write_time(&mut to, self.newest);
        match &self.stage {
            Stage::Calm {
                recent,
                counted,
                beginning,
            } => {
                to.byte(0);
                to.byte(*recent);
                to.byte(*counted);
                to.byte(u8::from(beginning.is_some()));
                if let Some(incident) = beginning {
                    write(&mut to, incident);
                }
            }
            Stage::Open(incident) => {
                to.byte(1);
                write(&mut to, incident);
            }
        }
        bytes
    }

    /// Reads what [`Watch::to_bytes`] wrote. No bytes at all are a watch that has seen nothing.
    ///
    /// # Errors
    /// When the bytes are damaged or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WatchError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut from = Reader(bytes);
        let version = from.byte()?;
        if version != VERSION {
            return Err(WatchError::Version(version));
        }
        let newest = read_time(&mut from)?;
        let stage = match from.byte()? {
            0 => {
                let (recent, counted) = (from.byte()?, from.byte()?);
                let beginning = match from.byte()? {
                    0 => None,
                    _ => Some(read(&mut from)?),
                };
                Stage::Calm {
                    recent,
                    counted,
                    beginning,
                }
            }
            1 => Stage::Open(read(&mut from)?),
            _ => return Err(WatchError::Damaged),
        };
        if from.0.is_empty() {
            Ok(Self { newest, stage })
        } else {
            Err(WatchError::Damaged)
        }
    }
}

fn write_time(to: &mut Writer<'_>, at: Option<Timestamp>) {
    to.long(at.map_or(i64::MIN, Timestamp::as_micros).cast_unsigned());
}

fn read_time(from: &mut Reader<'_>) -> Result<Option<Timestamp>, StateError> {
    let micros = from.long()?.cast_signed();
    Ok((micros != i64::MIN).then(|| Timestamp::from_micros(micros)))
}

fn write(to: &mut Writer<'_>, it: &Incident) {
    for at in [it.began, it.opened, it.last, it.peak.1] {
        write_time(to, Some(at));
    }
    to.double(it.peak.0);
    to.long(it.readings);
    to.double(it.interval);
    for culprit in &it.culprits {
        to.byte(u8::from(culprit.is_some()));
        if let Some(culprit) = culprit {
            write_culprit(to, culprit);
        }
    }
}

fn read(from: &mut Reader<'_>) -> Result<Incident, StateError> {
    let mut times = [Timestamp::EPOCH; 4];
    for at in &mut times {
        *at = read_time(from)?.ok_or(StateError::Damaged)?;
    }
    let [began, opened, last, peak_at] = times;
    let (peak, readings, interval) = (from.double()?, from.long()?, from.double()?);
    let mut culprits = [None; MAX_CULPRITS];
    for culprit in &mut culprits {
        if from.byte()? != 0 {
            *culprit = Some(read_culprit(from)?);
        }
    }
    Ok(Incident {
        began,
        opened,
        last,
        peak: (peak, peak_at),
        readings,
        interval,
        culprits,
    })
}

fn write_culprit(to: &mut Writer<'_>, it: &Culprit) {
    to.byte(it.signal);
    to.count(it.count);
    let sums = [it.weight, it.aside, it.deviations, it.sizes, it.roughness];
    let ways = [
        it.usual,
        it.first,
        it.farthest,
        it.total,
        it.early,
        it.lengths,
        it.lasting,
    ];
    sums.iter()
        .chain(&ways)
        .chain(&it.courses)
        .for_each(|it| to.double(*it));
}

fn read_culprit(from: &mut Reader<'_>) -> Result<Culprit, StateError> {
    let (signal, count) = (from.byte()?, from.count()?);
    let mut numbers = [0.0; 12];
    for number in &mut numbers {
        *number = from.double()?;
    }
    let [
        weight,
        aside,
        deviations,
        sizes,
        roughness,
        usual,
        first,
        farthest,
        total,
        early,
        lengths,
        lasting,
    ] = numbers;
    let mut courses = [0.0; Course::ALL.len()];
    for course in &mut courses {
        *course = from.double()?;
    }
    Ok(Culprit {
        signal,
        count,
        weight,
        aside,
        courses,
        deviations,
        sizes,
        roughness,
        usual,
        first,
        farthest,
        total,
        early,
        lengths,
        lasting,
    })
}
