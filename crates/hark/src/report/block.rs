//! What a report is made of, whichever way it is written.

/// A part of a report.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Block {
    /// The heading of the whole.
    Title(String),
    /// The heading of a section.
    Heading(&'static str),
    /// A paragraph.
    Text(String),
    /// Rows under columns, a cell per column.
    Table {
        columns: Vec<&'static str>,
        rows: Vec<Vec<String>>,
    },
    /// A chart of bars.
    Bars { title: &'static str, bars: Vec<Bar> },
}

/// One bar of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
}

/// The largest value of a chart, and never nothing to divide by.
pub(super) fn tallest(bars: &[Bar]) -> f64 {
    bars.iter().map(|it| it.value).fold(f64::MIN_POSITIVE, f64::max)
}

/// A whole number with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as a percentage; a dash of nothing.
pub(super) fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "–".to_owned(),
        _ => format!("{:.2} %", 100.0 * part as f64 / whole as f64),
    }
}
