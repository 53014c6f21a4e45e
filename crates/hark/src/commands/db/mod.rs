//! `hark db`: all that is kept, as a whole: looked through, backed up, put back.

mod backup;
mod check;
mod manifest;
mod pack;
mod restore;
mod staging;

use crate::cli::DbCommand;
use crate::config::{Config, Flags, WarehouseKind};
use crate::exit::Fault;
use crate::output::Format;

/// The database in the data folder.
const DATABASE: &str = "hark.db";

/// Looks through, copies or puts back.
pub(crate) async fn run(config: Config, flags: &Flags, command: DbCommand, format: Format) -> anyhow::Result<()> {
    match command {
        DbCommand::Check { backup: None } => check::run(&config, format).await,
        DbCommand::Check { backup: Some(place) } => check::of_backup(&place, format),
        DbCommand::Backup { output } => {
            must_be_embedded(&config)?;
            backup::run(&config, flags, &output, format)
        }
        DbCommand::Restore { backup, dry_run, yes } => {
            must_be_embedded(&config)?;
            restore::run(&config, &backup, dry_run, yes, format)
        }
    }
}

fn must_be_embedded(config: &Config) -> anyhow::Result<()> {
    match config.warehouse.kind {
        WarehouseKind::Embedded => Ok(()),
        WarehouseKind::BigQuery => Err(Fault::new(
            "what BigQuery keeps is backed up by BigQuery, not by Hark",
            "take snapshots of its tables; models are copied by `hark models export`",
        )
        .into()),
    }
}
