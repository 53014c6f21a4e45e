//! Answers of `/detect`. Their fields follow from the declared signals.

use std::borrow::Cow;

use domain::{Judgement, Reading, Reason, Signals, Verdict};
use serde::ser::{Serialize, SerializeMap, Serializer};
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::problem::Problem;
use super::reading::ReasonsDto;
use super::{SpanDto, Time, map_of};

/// The field names that follow from the signals, made once.
#[derive(Debug)]
pub(crate) struct FieldNames(Vec<SignalFields>);

#[derive(Debug)]
struct SignalFields {
    is_anomaly: String,
    score: String,
}

impl FieldNames {
    pub(crate) fn new(signals: &Signals) -> Self {
        let fields = signals.iter().map(|it| SignalFields {
            is_anomaly: format!("is_{}_anomaly", it.short),
            score: format!("{}_anomaly_score", it.short),
        });
        Self(fields.collect())
    }
}

/// The answer to one reading with all signals.
#[derive(Debug)]
pub(crate) struct Detection<'a> {
    pub(crate) signals: &'a Signals,
    pub(crate) names: &'a FieldNames,
    pub(crate) reading: &'a Reading,
    pub(crate) verdict: &'a Verdict,
    pub(crate) device_known: bool,
    pub(crate) history: u64,
    pub(crate) once_in_days: Option<f64>,
}

impl Serialize for Detection<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let verdict = self.verdict;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("device_id", self.reading.device_id.as_str())?;
        map.serialize_entry("timestamp", &Time(self.reading.timestamp))?;
        for (signal, value) in self.signals.iter().zip(self.reading.values.iter()) {
            map.serialize_entry(&signal.name, &value)?;
        }
        for (names, judgement) in self.names.0.iter().zip(&verdict.signals) {
            map.serialize_entry(&names.is_anomaly, &judgement.map(|it| it.is_anomaly))?;
        }
        map.serialize_entry("is_anomaly", &verdict.is_anomaly)?;
        for (names, judgement) in self.names.0.iter().zip(&verdict.signals) {
            map.serialize_entry(&names.score, &judgement.map(|it| it.score))?;
        }
        map.serialize_entry("anomaly_score", &verdict.score)?;
        map.serialize_entry("model_version", &*verdict.model_version)?;
        map.serialize_entry(
            "expected",
            &Expected {
                signals: self.signals,
                judgements: &verdict.signals,
            },
        )?;
        map.serialize_entry("reasons", &ReasonsDto(&verdict.reasons))?;
        map.serialize_entry("once_in_days", &self.once_in_days)?;
        map.serialize_entry("device_known", &self.device_known)?;
        map.serialize_entry("history", &self.history)?;
        map.end()
    }
}

struct Expected<'a> {
    signals: &'a Signals,
    judgements: &'a [Option<Judgement>],
}

impl Serialize for Expected<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (signal, judgement) in self.signals.iter().zip(self.judgements) {
            if let Some(expected) = judgement.and_then(|it| it.expected) {
                map.serialize_entry(&signal.name, &SpanDto::from(expected))?;
            }
        }
        map.end()
    }
}

impl PartialSchema for Detection<'_> {
    fn schema() -> RefOr<Schema> {
        let of = |kind: Type| ObjectBuilder::new().schema_type(kind);
        let described = |kind: Type, text: &str| of(kind).description(Some(text));
        let time = RefOr::<Schema>::Ref(Ref::from_schema_name("Time"));
        let reasons = ArrayBuilder::new().items(Ref::from_schema_name("ReasonDto"));
        let text = "For each signal its value (`temperature`), `is_<short>_anomaly` and `<short>_anomaly_score`, besides \
                    what is listed. Scores below 0 are anomalous; larger is more normal.";
        ObjectBuilder::new()
            .description(Some(text))
            .property("device_id", of(Type::String))
            .property("timestamp", time)
            .property(
                "is_anomaly",
                described(Type::Boolean, "Whether any signal is anomalous."),
            )
            .property(
                "anomaly_score",
                described(Type::Number, "The lowest of the signals' scores."),
            )
            .property("model_version", of(Type::String))
            .property("expected", map_of("SpanDto"))
            .property("reasons", reasons)
            .property(
                "once_in_days",
                described(
                    Type::Number,
                    "In how many days a normal device begins something as unusual once; none where the kind of detector cannot tell.",
                ),
            )
            .property(
                "device_known",
                described(Type::Boolean, "Whether the device was ever heard."),
            )
            .property(
                "history",
                described(Type::Integer, "How many readings of the device the verdict rests on."),
            )
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .into()
    }
}

impl ToSchema for Detection<'_> {
    fn name() -> Cow<'static, str> {
        "Detection".into()
    }
}

/// The answer about one signal.
#[derive(Debug)]
pub(crate) struct SignalDetection<'a> {
    pub(crate) name: &'a str,
    pub(crate) reading: &'a Reading,
    pub(crate) value: f64,
    pub(crate) judgement: Judgement,
    pub(crate) model_version: &'a str,
    pub(crate) reasons: &'a [Reason],
    pub(crate) once_in_days: Option<f64>,
}

impl Serialize for SignalDetection<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("device_id", self.reading.device_id.as_str())?;
        map.serialize_entry("timestamp", &Time(self.reading.timestamp))?;
        map.serialize_entry(self.name, &self.value)?;
        map.serialize_entry("anomaly_score", &self.judgement.score)?;
        map.serialize_entry("is_anomaly", &self.judgement.is_anomaly)?;
        map.serialize_entry("model_version", self.model_version)?;
        map.serialize_entry("expected", &self.judgement.expected.map(SpanDto::from))?;
        map.serialize_entry("reasons", &ReasonsDto(self.reasons))?;
        map.serialize_entry("once_in_days", &self.once_in_days)?;
        map.end()
    }
}

/// An item of a batch that could not be judged, in its place.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Unjudged<'a> {
    pub(crate) error: Problem<'a>,
}
