//! The tables' columns, and the one form that rows take on their way in and out.
//!
//! Requests, tables and files of other tools are made from these lists and from nothing else.

use domain::Signals;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Whole,
    Flag,
    /// Microseconds since 1970 as a cell.
    Instant,
    Bytes,
}

impl Kind {
    /// The name in BigQuery's schemas.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Text => "STRING",
            Self::Number => "FLOAT",
            Self::Whole => "INTEGER",
            Self::Flag => "BOOLEAN",
            Self::Instant => "TIMESTAMP",
            Self::Bytes => "BYTES",
        }
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Text(String),
    Number(f64),
    Whole(i64),
    Flag(bool),
    Bytes(Vec<u8>),
}

impl Cell {
    pub(super) fn text(text: Option<&str>) -> Self {
        text.map_or(Self::Null, |it| Self::Text(it.to_owned()))
    }

    pub(super) fn number(number: Option<f64>) -> Self {
        number.map_or(Self::Null, Self::Number)
    }

    pub(super) fn whole(whole: Option<i64>) -> Self {
        whole.map_or(Self::Null, Self::Whole)
    }

    pub(super) fn flag(flag: Option<bool>) -> Self {
        flag.map_or(Self::Null, Self::Flag)
    }

    /// About how many bytes it takes on the wire.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + 8,
            Self::Bytes(bytes) => bytes.len() + 8,
            _ => 9,
        }
    }
}

/// What is stored of one signal: the endings of its columns.
pub(super) const PER_SIGNAL: usize = 5;

/// The columns of a reading before those of its signals.
pub(super) const BASE: usize = 15;

const fn column(name: &'static str, kind: Kind, required: bool) -> (&'static str, Kind, bool) {
    (name, kind, required)
}

const READING: [(&str, Kind, bool); BASE] = [
    column("timestamp", Kind::Instant, true),
    column("device_id", Kind::Text, true),
    column("building", Kind::Text, false),
    column("floor", Kind::Text, false),
    column("room", Kind::Text, false),
    column("device_type", Kind::Text, false),
    column("is_anomaly", Kind::Flag, false),
    column("anomaly_type", Kind::Text, false),
    column("received_at", Kind::Instant, true),
    column("model_version", Kind::Text, false),
    column("score", Kind::Number, false),
    column("flag", Kind::Flag, false),
    column("reasons", Kind::Text, false),
    column("late", Kind::Flag, true),
    column("clock_suspect", Kind::Flag, true),
];

const LETTER: [(&str, Kind, bool); 7] = [
    column("id", Kind::Whole, true),
    column("received_at", Kind::Instant, true),
    column("source", Kind::Text, true),
    column("code", Kind::Text, true),
    column("field", Kind::Text, false),
    column("detail", Kind::Text, true),
    column("payload", Kind::Bytes, true),
];

const EVENT: [(&str, Kind, bool); 20] = [
    column("seq", Kind::Whole, true),
    column("incident_id", Kind::Text, true),
    column("began", Kind::Instant, true),
    column("at", Kind::Instant, true),
    column("action", Kind::Text, true),
    column("who", Kind::Text, false),
    column("detail", Kind::Text, false),
    column("note", Kind::Text, false),
    column("device_id", Kind::Text, true),
    column("opened_at", Kind::Instant, false),
    column("last", Kind::Instant, false),
    column("peak_score", Kind::Number, false),
    column("peak_at", Kind::Instant, false),
    column("readings", Kind::Whole, false),
    column("severity", Kind::Text, false),
    column("kind", Kind::Text, false),
    column("signals", Kind::Text, false),
    column("reason", Kind::Text, false),
    column("model_version", Kind::Text, false),
    column("closed_at", Kind::Instant, false),
];

/// How many columns of a device stand before those of its last reading.
pub(super) const DEVICE_BASE: usize = 13;

const DEVICE: [(&str, Kind, bool); DEVICE_BASE] = [
    column("device_id", Kind::Text, true),
    column("writer", Kind::Text, true),
    column("seq", Kind::Whole, true),
    column("building", Kind::Text, false),
    column("floor", Kind::Text, false),
    column("room", Kind::Text, false),
    column("device_type", Kind::Text, false),
    column("first_received_at", Kind::Instant, true),
    column("last_received_at", Kind::Instant, true),
    column("readings", Kind::Whole, true),
    column("last_timestamp", Kind::Instant, false),
    column("latest_at", Kind::Instant, false),
    column("state", Kind::Bytes, false),
];

fn listed(columns: &[(&str, Kind, bool)]) -> Vec<Column> {
    let made = |(name, kind, required): &(&str, Kind, bool)| Column {
        name: (*name).to_owned(),
        kind: *kind,
        required: *required,
    };
    columns.iter().map(made).collect()
}

/// The columns of one signal.
pub(super) fn of_signal(signal: &str) -> [Column; PER_SIGNAL] {
    let made = |ending: &str, kind| Column {
        name: format!("{signal}{ending}"),
        kind,
        required: false,
    };
    [
        made("", Kind::Number),
        made("_score", Kind::Number),
        made("_flag", Kind::Flag),
        made("_expected_low", Kind::Number),
        made("_expected_high", Kind::Number),
    ]
}

/// `sensor_readings`.
pub(super) fn readings(signals: &Signals) -> Vec<Column> {
    let mut columns = listed(&READING);
    columns.extend(signals.iter().flat_map(|it| of_signal(&it.name)));
    columns
}

/// `device_updates`: what a consumer knows of a device after a commit, and the device's last reading.
pub(super) fn devices(signals: &Signals) -> Vec<Column> {
    let mut columns = listed(&DEVICE);
    columns.extend(readings(signals).into_iter().map(|it| Column {
        name: format!("last_reading_{}", it.name),
        required: false,
        ..it
    }));
    columns
}

/// `dead_letters`.
pub(super) fn letters() -> Vec<Column> {
    listed(&LETTER)
}

/// `incident_events`: all that the detection tells of incidents and that people do with them.
pub(super) fn events() -> Vec<Column> {
    listed(&EVENT)
}
