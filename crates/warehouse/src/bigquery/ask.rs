//! Questions in SQL: always with parameters, always told what each column of the answer holds.

use google_cloud_bigquery::client::BigQuery;
use google_cloud_bigquery::error::RowError;
use google_cloud_bigquery::query::Row;
use google_cloud_bigquery_v2::model::{QueryParameter, QueryParameterType, QueryParameterValue};

use super::columns::{Cell, Column, Kind};
use super::rows::{Cells, damaged};
use super::{Options, connect, tables};
use crate::WarehouseError;

/// A statement with the values of its parameters.
pub(super) struct Question {
    sql: String,
    parameters: Vec<QueryParameter>,
}

impl Question {
    pub(super) fn new(sql: impl Into<String>) -> Self {
        let sql = sql.into();
        debug_assert_eq!(bare_keyword(&sql), None, "BigQuery wants it quoted in: {sql}");
        debug_assert_eq!(
            read_whole(&sql),
            None,
            "BigQuery reads and bills every day of it in: {sql}"
        );
        Self {
            sql,
            parameters: Vec::new(),
        }
    }

    pub(super) fn whole(self, name: &str, value: i64) -> Self {
        self.with(name, "INT64", value.to_string())
    }

    pub(super) fn number(self, name: &str, value: f64) -> Self {
        self.with(name, "FLOAT64", format!("{value:?}"))
    }

    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.with(name, "STRING", value.to_owned())
    }

    fn with(mut self, name: &str, kind: &str, value: String) -> Self {
        let parameter = QueryParameter::new()
            .set_name(name)
            .set_parameter_type(QueryParameterType::new().set_type(kind))
            .set_parameter_value(QueryParameterValue::new().set_value(value));
        self.parameters.push(parameter);
        self
    }

    pub(super) fn wholes(self, name: &str, values: impl Iterator<Item = i64>) -> Self {
        self.list(name, "INT64", values.map(|it| it.to_string()))
    }

    pub(super) fn texts(self, name: &str, values: impl Iterator<Item = String>) -> Self {
        self.list(name, "STRING", values)
    }

    fn list(mut self, name: &str, kind: &str, values: impl Iterator<Item = String>) -> Self {
        let list = QueryParameterType::new()
            .set_type("ARRAY")
            .set_array_type(QueryParameterType::new().set_type(kind));
        let values = values.map(|it| QueryParameterValue::new().set_value(it));
        let parameter = QueryParameter::new()
            .set_name(name)
            .set_parameter_type(list)
            .set_parameter_value(QueryParameterValue::new().set_array_values(values));
        self.parameters.push(parameter);
        self
    }
}

/// Asks, and calls `each` with every row of the answer.
pub(super) async fn each(
    client: &BigQuery,
    options: &Options,
    question: Question,
    kinds: Vec<Kind>,
    mut each: impl FnMut(Cells) -> Result<(), WarehouseError>,
) -> Result<(), WarehouseError> {
    let what = format!("failed to ask dataset `{}`", options.dataset_name());
    let asked = client
        .query(question.sql)
        .set_parameter_mode("NAMED")
        .set_query_parameters(question.parameters)
        .set_location(&options.location)
        .until_done()
        .await;
    let mut rows = asked.map_err(|it| connect::query_failure(&what, options, &it))?.read();
    while let Some(row) = rows.next().await {
        let mut row = row.map_err(|it| match &it {
            RowError::Rpc { source, .. } => connect::failure(&what, options, source),
            other => damaged(other.to_string()),
        })?;
        let cells = kinds.iter().enumerate().map(|(nth, kind)| cell(&mut row, nth, *kind));
        each(Cells::new(cells.collect::<Result<_, _>>()?))?;
    }
    Ok(())
}

fn cell(row: &mut Row, nth: usize, kind: Kind) -> Result<Cell, WarehouseError> {
    let taken = match kind {
        Kind::Text => row.take::<Option<String>>(nth).map(|it| it.map(Cell::Text)),
        Kind::Number => row.take::<Option<f64>>(nth).map(|it| it.map(Cell::Number)),
        Kind::Whole | Kind::Instant => row.take::<Option<i64>>(nth).map(|it| it.map(Cell::Whole)),
        Kind::Flag => row.take::<Option<bool>>(nth).map(|it| it.map(Cell::Flag)),
        Kind::Bytes => row
            .take::<Option<bytes::Bytes>>(nth)
            .map(|it| it.map(|it| Cell::Bytes(it.to_vec()))),
    };
    Ok(taken.map_err(|it| damaged(it.to_string()))?.unwrap_or(Cell::Null))
}

/// The columns as a list of what to select, instants as microseconds. A column that the table lacks is empty.
pub(super) fn selected(columns: &[Column], present: &[String]) -> String {
    let one = |it: &Column| match (present.contains(&it.name), it.kind) {
        (false, kind) => format!("CAST(NULL AS {}) AS `{}`", sql_type(kind), it.name),
        (true, Kind::Instant) => format!("UNIX_MICROS(`{0}`) AS `{0}_micros`", it.name),
        (true, _) => format!("`{}`", it.name),
    };
    columns.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "STRING",
        Kind::Number => "FLOAT64",
        Kind::Whole | Kind::Instant => "INT64",
        Kind::Flag => "BOOL",
        Kind::Bytes => "BYTES",
    }
}

/// What the columns hold, in order.
pub(super) fn kinds(columns: &[Column]) -> Vec<Kind> {
    columns.iter().map(|it| it.kind).collect()
}

/// The words that BigQuery takes for no name unless they stand in backticks.
const KEYWORDS: &str = "all and any array as asc assert_rows_modified at between by case cast collate contains create \
    cross cube current default define desc distinct else end enum escape except exclude exists extract false fetch \
    following for from full group grouping groups hash having if ignore in inner intersect interval into is join lateral \
    left like limit lookup merge natural new no not null nulls of on or order outer over partition preceding proto \
    qualify range recursive respect right rollup rows select set some struct tablesample then to treat true unbounded \
    union unnest using when where window with within";

/// A name in a statement that is a keyword of BigQuery, which emulators let pass. Keywords are written in capitals here,
/// names are not.
pub(super) fn bare_keyword(sql: &str) -> Option<&str> {
    let outside = sql.split(['`', '\'']).step_by(2);
    let words = outside.flat_map(|it| it.split(|it: char| !it.is_ascii_alphanumeric() && it != '_'));
    let mut names = words.filter(|it| it.starts_with(|it: char| it.is_ascii_lowercase()));
    names.find(|name| KEYWORDS.split_whitespace().any(|it| it == *name))
}

/// A table that is parted by days and that a statement reads without naming days. All statements are asked about this in
/// builds for tests. One kind is let pass: a count without a condition is answered from what BigQuery knows of the table,
/// and bills nothing. `device_updates` has no days: it holds a row for each device and writer, and those that newer ones
/// stand for, which the retention drops every hour.
pub(super) fn read_whole(sql: &str) -> Option<&'static str> {
    if sql.starts_with("SELECT COUNT(*) FROM `") && !sql.contains("WHERE") {
        return None;
    }
    let days = |sources: &str, column: &str| {
        let mut places = sources
            .match_indices(column)
            .map(|(at, _)| &sources[at + column.len()..]);
        places.any(|it| [" >=", " <", " ="].iter().any(|sign| it.starts_with(sign)))
    };
    let mut parted = [
        (tables::READINGS, "timestamp"),
        (tables::LETTERS, "received_at"),
        (tables::EVENTS, "began"),
    ]
    .into_iter();
    let whole = parted.find(|(table, column)| {
        let mut read = sql.split("FROM `").skip(1).filter(|it| {
            it.split_once('`')
                .is_some_and(|it| it.0.ends_with(&format!(".{table}")))
        });
        read.any(|it| !days(it, column))
    });
    whole.map(|it| it.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_reads_a_table_without_naming_days_is_found() {
        let check = |sql: &str, expected| assert_eq!(read_whole(sql), expected, "{sql}");
        check(
            "SELECT x FROM `p.d.sensor_readings` WHERE device_id = @device",
            Some("sensor_readings"),
        );
        check(
            "SELECT x FROM `p.d.sensor_readings` WHERE UNIX_MICROS(timestamp) IN UNNEST(@times)",
            Some("sensor_readings"),
        );
        check(
            "SELECT x FROM `p.d.sensor_readings` WHERE timestamp >= @first AND flag",
            None,
        );
        check(
            "DELETE FROM `p.d.dead_letters` WHERE id IN UNNEST(@ids)",
            Some("dead_letters"),
        );
        check("SELECT COUNT(*) FROM `p.d.dead_letters`", None);
        check(
            "SELECT x FROM `p.d.sensor_readings` WHERE timestamp < @until UNION ALL SELECT x FROM `p.d.incident_events` WHERE last >= @first",
            Some("incident_events"),
        );
        check("SELECT x FROM `p.d.device_updates` WHERE device_id = @device", None);
    }

    #[test]
    fn a_keyword_as_a_name_is_found_unless_it_is_quoted() {
        assert_eq!(
            bare_keyword("SELECT x FROM `a.b` WHERE action = 'at' ORDER BY at"),
            Some("at")
        );
        assert_eq!(bare_keyword("SELECT `at` FROM `of` WHERE x = @from"), Some("from"));
        assert_eq!(
            bare_keyword("SELECT `at`, last FROM `a.set` WHERE action = 'at all'"),
            None
        );
    }
}
