//! Events as they go from process to process: JSON, with a version.

use std::sync::Arc;

use anyhow::{Context, ensure};
use domain::{
    DeviceId, Direction, IncidentId, Judged, Judgement, Location, Measurement, Reading, Reason, Severity, Signals,
    Span, Timestamp, Values, Verdict,
};
use serde::{Deserialize, Serialize};

use super::super::events::{Event, IncidentNews};

const VERSION: u32 = 1;

/// Readings in one message.
const MANY: usize = 500;

#[derive(Serialize, Deserialize)]
struct Message {
    version: u32,
    /// The process that sent it.
    from: String,
    told: Told,
}

#[derive(Serialize, Deserialize)]
enum Told {
    Readings(Vec<JudgedDto>),
    Incident(IncidentDto),
}

#[derive(Serialize, Deserialize)]
struct JudgedDto {
    device_id: String,
    timestamp: i64,
    received_at: i64,
    values: Vec<Option<f64>>,
    location: Option<[Option<String>; 3]>,
    device_type: Option<String>,
    verdict: Option<VerdictDto>,
    late: bool,
    clock_suspect: bool,
}

#[derive(Serialize, Deserialize)]
struct VerdictDto {
    model_version: String,
    score: f64,
    is_anomaly: bool,
    signals: Vec<Option<JudgementDto>>,
    reasons: Vec<ReasonDto>,
}

#[derive(Serialize, Deserialize)]
struct ReasonDto {
    signal: String,
    direction: String,
    share: f64,
    feature: String,
    text: String,
    once_in_days: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct JudgementDto {
    score: f64,
    is_anomaly: bool,
    expected: Option<(f64, f64)>,
}

#[derive(Serialize, Deserialize)]
struct IncidentDto {
    id: String,
    device_id: String,
    change: String,
    severity: String,
    reason: String,
}

/// An event as messages; none for what every process sees for itself.
pub(super) fn messages(from: &str, event: &Event) -> Vec<Vec<u8>> {
    let told: Vec<Told> = match event {
        Event::Readings(readings) => {
            let of = |it: &[Judged]| Told::Readings(it.iter().map(JudgedDto::from).collect());
            readings.chunks(MANY).map(of).collect()
        }
        Event::Incident(news) => vec![Told::Incident(IncidentDto::from(&**news))],
        Event::Model(_) | Event::Device(_) => Vec::new(),
    };
    let message = |told| Message {
        version: VERSION,
        from: from.to_owned(),
        told,
    };
    let written = |told| serde_json::to_vec(&message(told)).expect("plain data is written without fail");
    told.into_iter().map(written).collect()
}

/// The event of a message, unless this process sent it itself.
pub(super) fn event(bytes: &[u8], own: &str, signals: &Signals) -> anyhow::Result<Option<Event>> {
    let message: Message = serde_json::from_slice(bytes).context("it is no event")?;
    ensure!(message.version == VERSION, "it is of version {}", message.version);
    if message.from == own {
        return Ok(None);
    }
    let event = match message.told {
        Told::Readings(readings) => {
            let readings: anyhow::Result<_> = readings.into_iter().map(|it| it.judged(signals)).collect();
            Event::Readings(Arc::new(readings?))
        }
        Told::Incident(news) => Event::Incident(Arc::new(news.news()?)),
    };
    Ok(Some(event))
}

impl From<&Judged> for JudgedDto {
    fn from(it: &Judged) -> Self {
        let reading = &it.reading;
        let parts = |it: &Location| [it.building.clone(), it.floor.clone(), it.room.clone()];
        Self {
            device_id: reading.device_id.to_string(),
            timestamp: reading.timestamp.as_micros(),
            received_at: it.received_at.as_micros(),
            values: reading.values.iter().collect(),
            location: reading.location.as_deref().map(parts),
            device_type: reading.device_type.as_deref().map(str::to_owned),
            verdict: it.verdict.as_ref().map(VerdictDto::from),
            late: it.late,
            clock_suspect: it.clock_suspect,
        }
    }
}

impl JudgedDto {
    fn judged(self, signals: &Signals) -> anyhow::Result<Judged> {
        ensure!(
            self.values.len() == signals.len(),
            "it has {} signals, and {} are declared",
            self.values.len(),
            signals.len()
        );
        let named = self.values.into_iter().zip(signals.iter());
        let values: Result<_, _> = named
            .map(|(value, signal)| value.map(|it| Measurement::new(it, &signal.name)).transpose())
            .collect();
        let location = self
            .location
            .map(|[building, floor, room]| Arc::new(Location { building, floor, room }));
        let reading = Reading {
            device_id: DeviceId::new(&self.device_id)?,
            timestamp: Timestamp::from_micros(self.timestamp),
            values: Values::new(values?),
            location,
            device_type: self.device_type.map(Into::into),
            truth: None,
        };
        Ok(Judged {
            reading,
            received_at: Timestamp::from_micros(self.received_at),
            verdict: self.verdict.map(|it| it.verdict(signals)).transpose()?,
            late: self.late,
            clock_suspect: self.clock_suspect,
        })
    }
}

impl From<&Verdict> for VerdictDto {
    fn from(it: &Verdict) -> Self {
        let judgement = |it: &Judgement| JudgementDto {
            score: it.score,
            is_anomaly: it.is_anomaly,
            expected: it.expected.map(|it| (it.low, it.high)),
        };
        let reason = |it: &Reason| ReasonDto {
            signal: it.signal.clone(),
            direction: it.direction.as_str().to_owned(),
            share: it.share,
            feature: it.feature.clone(),
            text: it.text.clone(),
            once_in_days: it.once_in_days,
        };
        Self {
            model_version: it.model_version.to_string(),
            score: it.score,
            is_anomaly: it.is_anomaly,
            signals: it.signals.iter().map(|it| it.as_ref().map(judgement)).collect(),
            reasons: it.reasons.iter().map(reason).collect(),
        }
    }
}

impl VerdictDto {
    fn verdict(self, signals: &Signals) -> anyhow::Result<Verdict> {
        ensure!(
            self.signals.len() == signals.len(),
            "it judges {} signals",
            self.signals.len()
        );
        let judgement = |it: JudgementDto| Judgement {
            score: it.score,
            is_anomaly: it.is_anomaly,
            expected: it.expected.map(|(low, high)| Span { low, high }),
        };
        let reason = |it: ReasonDto| {
            Ok(Reason {
                direction: Direction::from_name(&it.direction).context("it has a reason without direction")?,
                signal: it.signal,
                share: it.share,
                feature: it.feature,
                text: it.text,
                once_in_days: it.once_in_days,
            })
        };
        let reasons: anyhow::Result<_> = self.reasons.into_iter().map(reason).collect();
        Ok(Verdict {
            model_version: self.model_version.into(),
            score: self.score,
            is_anomaly: self.is_anomaly,
            signals: self.signals.into_iter().map(|it| it.map(judgement)).collect(),
            reasons: reasons?,
        })
    }
}

/// What may happen to an incident.
const CHANGES: [&str; 8] = [
    "opened",
    "closed",
    "acknowledged",
    "snoozed",
    "resolved",
    "labelled",
    "commented",
    "undone",
];

impl From<&IncidentNews> for IncidentDto {
    fn from(it: &IncidentNews) -> Self {
        Self {
            id: it.id.to_string(),
            device_id: it.device_id.to_string(),
            change: it.change.to_owned(),
            severity: it.severity.as_str().to_owned(),
            reason: it.reason.clone(),
        }
    }
}

impl IncidentDto {
    fn news(self) -> anyhow::Result<IncidentNews> {
        let change = CHANGES.into_iter().find(|it| *it == self.change);
        Ok(IncidentNews {
            id: IncidentId::parse(&self.id).context("its incident has no id")?,
            device_id: DeviceId::new(&self.device_id)?,
            change: change.context("nothing known happened to its incident")?,
            severity: Severity::from_name(&self.severity).context("its incident has no severity")?,
            reason: self.reason,
        })
    }
}
