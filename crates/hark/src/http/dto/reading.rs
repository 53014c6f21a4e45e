//! Readings, verdicts, buckets, and what became of posted readings.

use domain::{Judged, Judgement, Location, Reading, Reason, Signals, Truth, Verdict};
use serde::ser::{Serialize, SerializeMap, Serializer};
use utoipa::ToSchema;
use warehouse::{Bucket, SignalStats};

use super::{SpanDto, Time};

/// A stored reading with its verdict.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct ReadingDto<'a> {
    pub(crate) device_id: &'a str,
    /// When it was measured, by the device's clock.
    pub(crate) timestamp: Time,
    /// When it came in, by the server's clock.
    pub(crate) received_at: Time,
    pub(crate) location: Option<LocationDto<'a>>,
    pub(crate) device_type: Option<&'a str>,
    /// The values by signal.
    #[schema(value_type = std::collections::HashMap<String, f64>)]
    pub(crate) values: ValuesDto<'a>,
    /// What the sender said to be true, where it did.
    pub(crate) truth: Option<TruthDto<'a>>,
    /// A later reading of the device was known already.
    pub(crate) late: bool,
    /// Its time lies further ahead than is believable.
    pub(crate) clock_suspect: bool,
    /// Its device was in maintenance: nothing was learned from it and nobody told.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) maintenance: bool,
    /// None while there was no model.
    pub(crate) verdict: Option<VerdictDto<'a>>,
}

impl<'a> ReadingDto<'a> {
    /// The same, marked where its device was in maintenance.
    pub(crate) fn marked(judged: &'a Judged, app: &'a crate::app::App) -> Self {
        let reading = &judged.reading;
        Self {
            maintenance: app.maintenance.covers(&reading.device_id, reading.timestamp),
            ..Self::new(judged, &app.config.signals)
        }
    }

    pub(crate) fn new(judged: &'a Judged, signals: &'a Signals) -> Self {
        let reading = &judged.reading;
        Self {
            device_id: reading.device_id.as_str(),
            timestamp: Time(reading.timestamp),
            received_at: Time(judged.received_at),
            location: reading.location.as_deref().and_then(LocationDto::new),
            device_type: reading.device_type.as_deref(),
            values: ValuesDto { signals, reading },
            truth: reading.truth.as_ref().map(TruthDto::new),
            late: judged.late,
            clock_suspect: judged.clock_suspect,
            maintenance: false,
            verdict: judged.verdict.as_ref().map(|it| VerdictDto::new(it, signals)),
        }
    }
}

/// Where a device stands.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct LocationDto<'a> {
    pub(crate) building: Option<&'a str>,
    pub(crate) floor: Option<&'a str>,
    pub(crate) room: Option<&'a str>,
}

impl<'a> LocationDto<'a> {
    /// `None` where nothing of it is known.
    pub(crate) fn new(location: &'a Location) -> Option<Self> {
        let Location { building, floor, room } = location;
        let known = building.is_some() || floor.is_some() || room.is_some();
        known.then_some(Self {
            building: building.as_deref(),
            floor: floor.as_deref(),
            room: room.as_deref(),
        })
    }
}

/// The values of a reading by the signals' names.
#[derive(Debug)]
pub(crate) struct ValuesDto<'a> {
    signals: &'a Signals,
    reading: &'a Reading,
}

impl Serialize for ValuesDto<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (signal, value) in self.signals.iter().zip(self.reading.values.iter()) {
            if let Some(value) = value {
                map.serialize_entry(&signal.name, &value)?;
            }
        }
        map.end()
    }
}

/// What the sender said to be true.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct TruthDto<'a> {
    pub(crate) is_anomaly: bool,
    pub(crate) anomaly_type: Option<&'a str>,
}

impl<'a> TruthDto<'a> {
    fn new(truth: &'a Truth) -> Self {
        Self {
            is_anomaly: truth.is_anomaly,
            anomaly_type: truth.anomaly_type.as_deref(),
        }
    }
}

/// The verdict on a reading. Scores below 0 are anomalous; larger is more normal.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct VerdictDto<'a> {
    pub(crate) model_version: &'a str,
    /// The combined score.
    pub(crate) score: f64,
    pub(crate) is_anomaly: bool,
    /// The judgement on each signal.
    #[schema(value_type = std::collections::HashMap<String, JudgementDto>)]
    pub(crate) signals: JudgementsDto<'a>,
    /// Why, the heaviest first; empty when normal.
    pub(crate) reasons: ReasonsDto<'a>,
    /// In how many days a normal device begins something as unusual once, where that can be told.
    pub(crate) once_in_days: Option<f64>,
}

impl<'a> VerdictDto<'a> {
    pub(crate) fn new(verdict: &'a Verdict, signals: &'a Signals) -> Self {
        Self {
            model_version: &verdict.model_version,
            score: verdict.score,
            is_anomaly: verdict.is_anomaly,
            signals: JudgementsDto {
                signals,
                judgements: &verdict.signals,
            },
            reasons: ReasonsDto(&verdict.reasons),
            once_in_days: verdict.reasons.iter().find_map(|it| it.once_in_days),
        }
    }
}

/// Judgements by the signals' names.
#[derive(Debug)]
pub(crate) struct JudgementsDto<'a> {
    signals: &'a Signals,
    judgements: &'a [Option<Judgement>],
}

impl Serialize for JudgementsDto<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (signal, judgement) in self.signals.iter().zip(self.judgements) {
            if let Some(judgement) = judgement {
                map.serialize_entry(&signal.name, &JudgementDto::from(*judgement))?;
            }
        }
        map.end()
    }
}

/// The judgement on one signal.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct JudgementDto {
    pub(crate) score: f64,
    pub(crate) is_anomaly: bool,
    /// Where the value was expected for this device at this instant.
    pub(crate) expected: Option<SpanDto>,
}

impl From<Judgement> for JudgementDto {
    fn from(it: Judgement) -> Self {
        Self {
            score: it.score,
            is_anomaly: it.is_anomaly,
            expected: it.expected.map(SpanDto::from),
        }
    }
}

/// Why, the heaviest first.
#[derive(Debug, ToSchema)]
#[schema(value_type = Vec<ReasonDto>)]
pub(crate) struct ReasonsDto<'a>(pub(crate) &'a [Reason]);

impl Serialize for ReasonsDto<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ReasonDto::from))
    }
}

/// Why a reading is anomalous.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct ReasonDto<'a> {
    pub(crate) signal: &'a str,
    /// `above`, `below` or `within` what was expected.
    pub(crate) direction: &'a str,
    /// The signal's share in what made the verdict, 0 to 1.
    pub(crate) share: f64,
    /// What of the signal is unusual: `value`, `rising`, `falling`, `restless`, `still`, `together`, `stuck`, `worn` or
    /// `limit`; where forests judge each signal, the feature that weighs most, such as `z_score`.
    pub(crate) feature: &'a str,
    /// One plain sentence.
    pub(crate) text: &'a str,
}

impl<'a> From<&'a Reason> for ReasonDto<'a> {
    fn from(reason: &'a Reason) -> Self {
        Self {
            signal: &reason.signal,
            direction: reason.direction.as_str(),
            share: reason.share,
            feature: &reason.feature,
            text: &reason.text,
        }
    }
}

/// Readings, as they are or summed up.
#[derive(Debug, serde::Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ReadingsAnswer<'a> {
    Page(ReadingsPage<'a>),
    Buckets(Buckets<'a>),
}

/// A page of readings.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct ReadingsPage<'a> {
    pub(crate) readings: Vec<ReadingDto<'a>>,
    /// The cursor of the next page; none on the last.
    pub(crate) next: Option<&'a str>,
}

/// Readings summed up in buckets of equal width.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Buckets<'a> {
    /// The width in the writing of the query, `1m`.
    pub(crate) resolution: String,
    pub(crate) width_seconds: u64,
    pub(crate) buckets: Vec<BucketDto<'a>>,
    /// Always none: all buckets of the range are here.
    pub(crate) next: Option<&'a str>,
}

/// The readings of one span of time, summed up. Minimum and maximum are exact.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct BucketDto<'a> {
    pub(crate) start: Time,
    pub(crate) readings: u64,
    pub(crate) anomalies: u64,
    #[schema(value_type = std::collections::HashMap<String, StatsDto>)]
    pub(crate) signals: StatsBySignal<'a>,
}

impl<'a> BucketDto<'a> {
    pub(crate) fn new(bucket: &'a Bucket, signals: &'a Signals) -> Self {
        let Bucket {
            start,
            readings,
            anomalies,
            signals: stats,
        } = bucket;
        let signals = StatsBySignal { signals, stats };
        Self {
            start: Time(*start),
            readings: *readings,
            anomalies: *anomalies,
            signals,
        }
    }
}

/// Sums by the signals' names.
#[derive(Debug)]
pub(crate) struct StatsBySignal<'a> {
    signals: &'a Signals,
    stats: &'a [Option<SignalStats>],
}

impl Serialize for StatsBySignal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs = self.signals.iter().zip(self.stats);
        serializer.collect_map(pairs.map(|(signal, stats)| (&signal.name, stats.map(StatsDto::from))))
    }
}

/// The values of one signal, summed up.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct StatsDto {
    pub(crate) count: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) mean: f64,
}

impl From<SignalStats> for StatsDto {
    fn from(it: SignalStats) -> Self {
        Self {
            count: it.count,
            min: it.min,
            max: it.max,
            mean: it.mean,
        }
    }
}

/// What became of posted readings.
#[derive(Debug, Default, serde::Serialize, ToSchema)]
pub(crate) struct Receipt<'a> {
    /// How many were written.
    pub(crate) stored: u64,
    /// How many were there already.
    pub(crate) duplicates: u64,
    /// How many were refused; they are among the dead letters.
    pub(crate) rejected: u64,
    /// How many a broker keeps until a consumer has committed them. Always 0 with the embedded bus.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) queued: u64,
    /// What became of each, in order.
    pub(crate) results: Vec<ItemResult<'a>>,
}

/// What became of one posted reading.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct ItemResult<'a> {
    pub(crate) index: usize,
    /// `stored`, `duplicate` or `rejected`.
    pub(crate) status: &'a str,
    /// A later reading of the device was known already.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) late: bool,
    /// Its time lies further ahead than is believable.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) clock_suspect: bool,
    /// Fields that no declared signal answers to.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) ignored: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<&'a str>,
}

impl ItemResult<'_> {
    /// A reading that was stored and of which there is nothing to say.
    pub(crate) fn new(index: usize) -> Self {
        Self {
            index,
            status: "stored",
            late: false,
            clock_suspect: false,
            ignored: &[],
            code: None,
            field: None,
            detail: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn is_false(it: &bool) -> bool {
    !*it
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn is_zero(it: &u64) -> bool {
    *it == 0
}
