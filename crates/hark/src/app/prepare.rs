//! Making what backends need before they can be used, and trying them.

use domain::Timestamp;

use super::{open_warehouse, open_warehouse_to_read};
use crate::config::{BusKind, Config, WarehouseKind};

/// What became of one thing that must be there.
pub(crate) struct Prepared {
    /// `bus` or `warehouse`.
    pub(crate) part: &'static str,
    /// What it is called.
    pub(crate) name: String,
    /// `made`, `mended`, `was there`, `missing` or `nothing to do`.
    pub(crate) state: &'static str,
    /// What a person should know of it.
    pub(crate) note: String,
}

/// Makes whatever the configured backends need and have not. With `dry_run` nothing is changed.
pub(crate) async fn set_up(config: &Config, dry_run: bool) -> anyhow::Result<Vec<Prepared>> {
    let mut all = match config.bus.kind {
        BusKind::Embedded => vec![Prepared {
            part: "bus",
            name: "embedded".to_owned(),
            state: "nothing to do",
            note: String::new(),
        }],
        #[cfg(feature = "gcp")]
        BusKind::Pubsub => super::google::set_up_bus(config, dry_run).await?,
        #[cfg(not(feature = "gcp"))]
        BusKind::Pubsub => return Err(super::left_out()),
    };
    match config.warehouse.kind {
        WarehouseKind::Embedded => all.push(embedded_warehouse(config, dry_run).await?),
        #[cfg(feature = "gcp")]
        WarehouseKind::BigQuery => all.extend(super::google::set_up_warehouse(config, dry_run).await?),
        #[cfg(not(feature = "gcp"))]
        WarehouseKind::BigQuery => return Err(super::left_out()),
    }
    Ok(all)
}

async fn embedded_warehouse(config: &Config, dry_run: bool) -> anyhow::Result<Prepared> {
    let state = if open_warehouse_to_read(config).await.is_ok() {
        "was there"
    } else if dry_run {
        "missing"
    } else {
        open_warehouse(config).await?;
        "made"
    };
    Ok(Prepared {
        part: "warehouse",
        name: config.data.dir.display().to_string(),
        state,
        note: String::new(),
    })
}

/// What a trial of the bus showed.
pub(crate) struct BusTrial {
    /// What went well, in words.
    pub(crate) words: String,
    /// What is otherwise than configured; empty when nothing is.
    pub(crate) oddities: String,
    /// What the bus's own clock said just now, where it has one.
    pub(crate) server_time: Option<Timestamp>,
}

/// Sends something through the configured bus and gets it back. `nonce` tells this trial from others.
pub(crate) async fn try_bus(config: &Config, nonce: &str) -> anyhow::Result<BusTrial> {
    match config.bus.kind {
        BusKind::Embedded => {
            debug_assert!(!nonce.is_empty(), "a trial has a name");
            Ok(BusTrial {
                words: "embedded: it lies inside the process".to_owned(),
                oddities: String::new(),
                server_time: None,
            })
        }
        #[cfg(feature = "gcp")]
        BusKind::Pubsub => super::google::try_bus(config, nonce).await,
        #[cfg(not(feature = "gcp"))]
        BusKind::Pubsub => Err(super::left_out()),
    }
}

/// Tries the configured warehouse, where it is more than a file: what went well and what is odd, in words.
pub(crate) async fn try_warehouse(config: &Config) -> anyhow::Result<Option<(String, String)>> {
    match config.warehouse.kind {
        WarehouseKind::Embedded => Ok(None),
        #[cfg(feature = "gcp")]
        WarehouseKind::BigQuery => super::google::try_warehouse(config).await.map(Some),
        #[cfg(not(feature = "gcp"))]
        WarehouseKind::BigQuery => Err(super::left_out()),
    }
}
