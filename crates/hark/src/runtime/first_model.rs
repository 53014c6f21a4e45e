//! The first model: trained by itself as soon as there is enough history.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::training::{self, Order};
use crate::app::App;
use crate::cli::Promotion;

/// How often the stored readings are counted while there is no model.
const ROUND: Duration = Duration::from_secs(5);

/// How long to wait after a training that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(300);

/// Waits for enough readings and trains; ends when a model is in force or the process is told to stop.
pub(crate) async fn train_when_ready(app: Arc<App>) -> anyhow::Result<()> {
    let mut wait = ROUND;
    while app.live_model.get().is_none() {
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => wait = ROUND,
        }
        let readings: u64 = match app.warehouse.devices().await {
            Ok(devices) => devices.iter().map(|it| it.readings).sum(),
            Err(cause) => {
                warn!(error = %cause, "the stored readings could not be counted, trying again");
                continue;
            }
        };
        if readings < app.settings().train.min_readings || app.live_model.get().is_some() {
            continue;
        }
        info!(readings, "training the first model");
        let order = Order::of(&app.settings(), Promotion::IfBetter)?;
        let trained = tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            trained = training::train(app.warehouse.as_ref(), &app.registry, &order, &|_, _| {}) => trained,
        };
        match trained {
            Ok(trained) => info!("{}", crate::commands::train::sentence(&trained)),
            Err(cause) => {
                warn!(
                    error = format!("{cause:#}"),
                    "the first model could not be trained, trying again in 5 minutes"
                );
                wait = AFTER_FAILURE;
            }
        }
        app.live_model.refresh();
    }
    Ok(())
}
