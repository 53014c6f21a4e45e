//! Every way into the dataset tried, for `hark doctor`, without leaving anything behind.

use domain::Signals;
use google_cloud_bigquery::model::{DataFormat, ReadSession};

use super::appender::Appender;
use super::ask::Question;
use super::{Core, Options, columns, connect, tables};
use crate::WarehouseError;

/// What the trial showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What went well, in words.
    pub words: String,
    /// What is otherwise than configured; empty when nothing is.
    pub oddities: String,
}

/// Looks at the dataset, asks a question, opens a stream to write to and one to read from.
///
/// # Errors
/// What is wrong, with a hint on how to mend it.
pub async fn probe(options: &Options, signals: &Signals) -> Result<Probe, WarehouseError> {
    let asked = connect::datasets(options)
        .await?
        .get_dataset()
        .set_project_id(&options.project);
    let found = asked.set_dataset_id(&options.dataset).send().await;
    let found = found.map_err(|error| {
        let what = format!("failed to look at dataset `{}`", options.dataset_name());
        connect::failure(&what, options, &error)
    })?;
    let core = Core::open(options.clone(), signals.clone()).await?;
    let sql = format!(
        "SELECT COUNT(*) FROM `{}` WHERE timestamp >= TIMESTAMP_MICROS(@first)",
        options.name_of(tables::READINGS)
    );
    let year_9000 = 221_845_392_000_000_000;
    core.count(Question::new(sql).whole("first", year_9000)).await?;
    let client = std::sync::Arc::new(connect::writes(options).await?);
    Appender::new(client, options, tables::READINGS, columns::readings(signals))
        .try_to_open()
        .await?;
    try_to_read(&core).await?;
    Ok(Probe {
        words: format!("dataset `{}` can be asked, written and read", options.dataset_name()),
        oddities: tables::elsewhere(options, &found.location),
    })
}

async fn try_to_read(core: &Core) -> Result<(), WarehouseError> {
    let session = ReadSession::new()
        .set_data_format(DataFormat::Arrow)
        .set_table(core.options.table_path(tables::READINGS));
    let made = core
        .reads
        .create_read_session()
        .set_parent(format!("projects/{}", core.options.project))
        .set_read_session(session)
        .set_max_stream_count(1);
    made.send().await.map_err(|error| {
        let what = format!(
            "failed to read `{}` for training",
            core.options.name_of(tables::READINGS)
        );
        connect::failure(&what, &core.options, &error)
    })?;
    Ok(())
}
