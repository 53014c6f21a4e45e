//! Why something could not be taken.

use std::fmt;

/// The kinds of refusal, each with a stable name for counters, dead letters and API errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RejectionCode {
    /// The bytes are not UTF-8 JSON of an object.
    MalformedJson,
    /// A field that must be there is not.
    MissingField,
    /// A field has another type than its own, such as a string for a number.
    WrongType,
    /// A field stands twice.
    DuplicateField,
    /// A number is too large to be a physical value.
    OutOfRange,
    /// A number is NaN or infinite (in inputs that can write them).
    NonFinite,
    /// The time is no RFC 3339 instant with a zone.
    BadTimestamp,
    /// The device's name breaks the rules of [`crate::DeviceId`].
    BadDeviceId,
    /// No declared signal is in the reading.
    NoSignal,
    /// The message is longer than the limit.
    TooLarge,
    /// A row of a file does not fit its table: too many or too few fields, no UTF-8, no JSON object.
    MalformedRow,
}

impl RejectionCode {
    /// Every code, for counters that begin at zero.
    pub const ALL: [Self; 11] = [
        Self::MalformedJson,
        Self::MissingField,
        Self::WrongType,
        Self::DuplicateField,
        Self::OutOfRange,
        Self::NonFinite,
        Self::BadTimestamp,
        Self::BadDeviceId,
        Self::NoSignal,
        Self::TooLarge,
        Self::MalformedRow,
    ];

    /// The stable name, `malformed_json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::DuplicateField => "duplicate_field",
            Self::OutOfRange => "out_of_range",
            Self::NonFinite => "non_finite",
            Self::BadTimestamp => "bad_timestamp",
            Self::BadDeviceId => "bad_device_id",
            Self::NoSignal => "no_signal",
            Self::TooLarge => "too_large",
            Self::MalformedRow => "malformed_row",
        }
    }

    /// The code of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// One refusal: its kind, the field it is about where there is one, and a sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Rejection {
    /// The kind.
    pub code: RejectionCode,
    /// The field, `sensor_data.temperature`.
    pub field: Option<String>,
    /// What is wrong, in words that name the value.
    pub detail: String,
}

impl Rejection {
    /// A refusal of the whole message.
    pub fn whole(code: RejectionCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            field: None,
            detail: detail.into(),
        }
    }

    /// A refusal because of one field.
    pub fn field(code: RejectionCode, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            code,
            field: Some(field.into()),
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}
