//! The JSON shapes of the API. Words of the domain are borrowed, never serialised as they are.

pub(crate) mod detection;
pub(crate) mod device;
pub(crate) mod incident;
pub(crate) mod labels;
pub(crate) mod maintenance;
pub(crate) mod model;
pub(crate) mod problem;
pub(crate) mod reading;
pub(crate) mod summary;

use std::borrow::Cow;

use domain::{Span, Timestamp};
use serde::ser::{Serialize, Serializer};
use utoipa::openapi::schema::{AdditionalProperties, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// An instant, as an RFC 3339 text in UTC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Time(pub(crate) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(format))
            .into()
    }
}

impl ToSchema for Time {
    fn name() -> Cow<'static, str> {
        "Time".into()
    }
}

/// A closed range of values.
#[derive(Debug, Clone, Copy, serde::Serialize, ToSchema)]
pub(crate) struct SpanDto {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl From<Span> for SpanDto {
    fn from(span: Span) -> Self {
        Self {
            low: span.low,
            high: span.high,
        }
    }
}

/// How far the learning is.
#[derive(Debug, Clone, Copy, serde::Serialize, ToSchema)]
pub(crate) struct Learning {
    /// Readings that are there.
    pub(crate) have: u64,
    /// Readings that are needed.
    pub(crate) need: u64,
}

/// The schema of an object with a value of this schema under each signal's name.
pub(crate) fn map_of(value: &str) -> Schema {
    let value = RefOr::<Schema>::Ref(Ref::from_schema_name(value));
    ObjectBuilder::new()
        .additional_properties(Some(AdditionalProperties::RefOr(value)))
        .into()
}
