//! Dataset, tables and views, made where they are missing and widened for new signals.

use domain::{Signals, TimeRange, Timestamp};
use google::{Made, Step};
use google_cloud_bigquery_v2::client::{DatasetService, TableService};
use google_cloud_bigquery_v2::model::{
    Clustering, Dataset, DatasetReference, Table, TableFieldSchema, TableReference, TableSchema, TimePartitioning,
    ViewDefinition,
};
use google_cloud_gax::error::Error;
use google_cloud_gax::error::rpc::Code;
use google_cloud_wkt::StringValue;

use super::columns::{self, Column};
use super::{Options, connect};
use crate::WarehouseError;

pub(super) const READINGS: &str = "sensor_readings";
/// Readings of times for which BigQuery has no daily partitions: clocks that are wrong by centuries.
pub(super) const FAR_READINGS: &str = "sensor_readings_of_far_times";
pub(super) const DEVICES: &str = "device_updates";
pub(super) const LETTERS: &str = "dead_letters";
pub(super) const EVENTS: &str = "incident_events";

/// The days for which BigQuery has partitions, 1960-01-01 to 2159-12-30.
pub(super) fn days() -> TimeRange {
    TimeRange {
        start: Timestamp::from_secs(-315_619_200),
        end: Timestamp::from_secs(5_995_728_000),
    }
}

/// Makes the dataset, the tables and the views for people, and adds the columns of new signals. Doing it again
/// changes nothing. With `dry_run` nothing is changed at all.
///
/// # Errors
/// When something cannot be made; what was made before that stays.
pub async fn setup(options: &Options, signals: &Signals, dry_run: bool) -> Result<Vec<Step>, WarehouseError> {
    let work = Setup {
        options,
        datasets: connect::datasets(options).await?,
        tables: connect::tables(options).await?,
        dry_run,
    };
    let mut steps = vec![work.dataset().await?];
    if dry_run && steps[0].made == Made::Missing {
        let all = [
            READINGS,
            FAR_READINGS,
            DEVICES,
            LETTERS,
            EVENTS,
            "readings",
            "devices",
            "incidents",
            "labels",
        ];
        steps.extend(all.map(|it| Step::new(options.name_of(it), Made::Missing)));
        return Ok(steps);
    }
    for (name, columns, layout) in layouts(signals) {
        steps.push(work.table(name, &columns, layout).await?);
    }
    for (name, sql) in views(options) {
        steps.push(work.view(name, &sql).await?);
    }
    Ok(steps)
}

/// That the dataset lies in another region than configured; empty when it does not, or nobody says.
pub(super) fn elsewhere(options: &Options, location: &str) -> String {
    if location.is_empty() || location.eq_ignore_ascii_case(&options.location) {
        return String::new();
    }
    format!("the dataset lies in {location}, not in {}", options.location)
}

/// How a table is laid out: the column whose days part it, and the one by which rows lie together.
struct Layout {
    by_day_of: Option<&'static str>,
    clustered_by: &'static str,
}

fn layouts(signals: &Signals) -> [(&'static str, Vec<Column>, Layout); 5] {
    let layout = |by_day_of, clustered_by| Layout {
        by_day_of,
        clustered_by,
    };
    [
        (
            READINGS,
            columns::readings(signals),
            layout(Some("timestamp"), "device_id"),
        ),
        (FAR_READINGS, columns::readings(signals), layout(None, "device_id")),
        (DEVICES, columns::devices(signals), layout(None, "device_id")),
        (LETTERS, columns::letters(), layout(Some("received_at"), "code")),
        (EVENTS, columns::events(), layout(Some("began"), "incident_id")),
    ]
}

/// Each reading once, the first one stored; each device as it was last heard; each incident as it was last told; the
/// last label of each.
fn views(options: &Options) -> [(&'static str, String); 4] {
    let once = |table: &str, of: &str, by: &str, order: &str| {
        format!("SELECT * FROM {table} WHERE {of} QUALIFY ROW_NUMBER() OVER (PARTITION BY {by} ORDER BY {order}) = 1")
    };
    let named = |table| format!("`{}`", options.name_of(table));
    let event = |of| once(&named(EVENTS), of, "incident_id", "`at` DESC, seq DESC");
    [
        (
            "readings",
            once(
                &all_readings(options, "TRUE"),
                "TRUE",
                "device_id, timestamp",
                "received_at",
            ),
        ),
        (
            "devices",
            once(&named(DEVICES), "TRUE", "device_id", "last_received_at DESC, seq DESC"),
        ),
        ("incidents", event("action = 'told'")),
        ("labels", event("action = 'labelled'")),
    ]
}

/// The rows of readings of a condition, those of far times too.
pub(super) fn all_readings(options: &Options, condition: &str) -> String {
    let of = |table| format!("SELECT * FROM `{}` WHERE {condition}", options.name_of(table));
    format!("({} UNION ALL {})", of(READINGS), of(FAR_READINGS))
}

struct Setup<'a> {
    options: &'a Options,
    datasets: DatasetService,
    tables: TableService,
    dry_run: bool,
}

impl Setup<'_> {
    async fn dataset(&self) -> Result<Step, WarehouseError> {
        let name = self.options.dataset_name();
        let asked = self.datasets.get_dataset().set_project_id(&self.options.project);
        match asked.set_dataset_id(&self.options.dataset).send().await {
            Ok(found) => {
                return Ok(Step {
                    note: elsewhere(self.options, &found.location),
                    ..Step::new(name, Made::Existed)
                });
            }
            Err(error) if connect::code(&error) == Some(Code::NotFound) => {}
            Err(error) => return Err(self.failed("look for", &name, &error)),
        }
        if self.dry_run {
            return Ok(Step::new(name, Made::Missing));
        }
        let reference = DatasetReference::new()
            .set_project_id(&self.options.project)
            .set_dataset_id(&self.options.dataset);
        let dataset = Dataset::new()
            .set_dataset_reference(reference)
            .set_location(&self.options.location);
        let made = self.datasets.insert_dataset().set_project_id(&self.options.project);
        self.made(name, made.set_dataset(dataset).send().await.err())
    }

    async fn table(&self, table: &str, columns: &[Column], layout: Layout) -> Result<Step, WarehouseError> {
        let name = self.options.name_of(table);
        if let Some(found) = found(self.options, &self.tables, table).await? {
            return self.widened(name, table, columns, found).await;
        }
        if self.dry_run {
            return Ok(Step::new(name, Made::Missing));
        }
        let mut wanted = Table::new()
            .set_table_reference(self.reference(table))
            .set_schema(TableSchema::new().set_fields(columns.iter().map(field)))
            .set_clustering(Clustering::new().set_fields([layout.clustered_by]));
        if let Some(column) = layout.by_day_of {
            let by_day = TimePartitioning::new()
                .set_type("DAY")
                .set_field(StringValue::from(column));
            wanted = wanted.set_time_partitioning(by_day);
        }
        self.insert(name, wanted).await
    }

    async fn view(&self, view: &str, sql: &str) -> Result<Step, WarehouseError> {
        let name = self.options.name_of(view);
        if found(self.options, &self.tables, view).await?.is_some() {
            return Ok(Step::new(name, Made::Existed));
        }
        if self.dry_run {
            return Ok(Step::new(name, Made::Missing));
        }
        let definition = ViewDefinition::new().set_query(sql).set_use_legacy_sql(false);
        let wanted = Table::new()
            .set_table_reference(self.reference(view))
            .set_view(definition);
        self.insert(name, wanted).await
    }

    async fn insert(&self, name: String, wanted: Table) -> Result<Step, WarehouseError> {
        let request = self
            .tables
            .insert_table()
            .set_project_id(&self.options.project)
            .set_dataset_id(&self.options.dataset);
        self.made(name, request.set_table(wanted).send().await.err())
    }

    /// Adds the columns that a table lacks.
    async fn widened(
        &self,
        name: String,
        table: &str,
        columns: &[Column],
        found: Table,
    ) -> Result<Step, WarehouseError> {
        let mut schema = found.schema.unwrap_or_default();
        let known = |it: &&Column| {
            schema
                .fields
                .iter()
                .any(|field| field.name.eq_ignore_ascii_case(&it.name))
        };
        let lacking: Vec<TableFieldSchema> = columns.iter().filter(|it| !known(it)).map(added).collect();
        if lacking.is_empty() {
            return Ok(Step::new(name, Made::Existed));
        }
        if self.dry_run {
            return Ok(Step::new(name, Made::Missing));
        }
        schema.fields.extend(lacking);
        let wider = Table::new()
            .set_table_reference(self.reference(table))
            .set_schema(schema);
        let request = self
            .tables
            .patch_table()
            .set_project_id(&self.options.project)
            .set_dataset_id(&self.options.dataset)
            .set_table_id(table);
        match request.set_table(wider).send().await {
            Ok(_) => Ok(Step::new(name, Made::Mended)),
            Err(error) => Err(self.failed("add columns to", &name, &error)),
        }
    }

    fn reference(&self, table: &str) -> TableReference {
        TableReference::new()
            .set_project_id(&self.options.project)
            .set_dataset_id(&self.options.dataset)
            .set_table_id(table)
    }

    fn made(&self, name: String, failed: Option<Error>) -> Result<Step, WarehouseError> {
        match failed {
            None => Ok(Step::new(name, Made::Created)),
            // Somebody else was quicker.
            Some(error) if connect::code(&error) == Some(Code::AlreadyExists) => Ok(Step::new(name, Made::Existed)),
            Some(error) => Err(self.failed("make", &name, &error)),
        }
    }

    fn failed(&self, verb: &str, name: &str, error: &Error) -> WarehouseError {
        connect::failure(&format!("failed to {verb} `{name}`"), self.options, error)
    }
}

fn field(column: &Column) -> TableFieldSchema {
    TableFieldSchema::new()
        .set_name(&column.name)
        .set_type(column.kind.as_str())
        .set_mode(if column.required { "REQUIRED" } else { "NULLABLE" })
}

/// A column of a table that has rows already can only be one that may be empty.
fn added(column: &Column) -> TableFieldSchema {
    field(column).set_mode("NULLABLE")
}

async fn found(options: &Options, tables: &TableService, table: &str) -> Result<Option<Table>, WarehouseError> {
    let request = tables
        .get_table()
        .set_project_id(&options.project)
        .set_dataset_id(&options.dataset)
        .set_table_id(table);
    match request.send().await {
        Ok(found) => Ok(Some(found)),
        Err(error) if connect::code(&error) == Some(Code::NotFound) => Ok(None),
        Err(error) => {
            let what = format!("failed to look for `{}`", options.name_of(table));
            Err(connect::failure(&what, options, &error))
        }
    }
}

/// The names of the columns that the table of readings has; none when there is no such table.
pub(super) async fn present(options: &Options) -> Result<Option<Vec<String>>, WarehouseError> {
    let tables = connect::tables(options).await?;
    let table = found(options, &tables, READINGS).await?;
    Ok(table.map(|it| {
        let fields = it.schema.unwrap_or_default().fields;
        fields.into_iter().map(|it| it.name).collect()
    }))
}
