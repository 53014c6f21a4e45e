//! Scheduled retraining: a challenger from the stored readings, a trial in shadow, and a promotion by a stated rule.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::clock;
use super::shadow;
use super::training::{self, Order};
use crate::app::App;
use crate::cli::Promotion;
use crate::metrics;

/// The shortest wait before the next training.
const LEAST_WAIT: Duration = Duration::from_secs(10);

/// Trains again and again, so long after the model in force was trained, until told to stop.
pub(crate) async fn run(app: Arc<App>, every: Duration) -> anyhow::Result<()> {
    let mut last = app.started_at;
    loop {
        let trained_at = app.live_model.get().map(|it| it.provenance.created_at);
        last = last.max(trained_at.unwrap_or(last));
        let since = Duration::from_secs_f64(clock::now().seconds_since(last).max(0.0));
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(every.saturating_sub(since).max(LEAST_WAIT)) => {}
        }
        // Without a model the first training is on its way, and there is nobody to challenge.
        if app.live_model.get().is_none() {
            continue;
        }
        last = clock::now();
        let challenged = tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            challenged = challenge(&app) => challenged,
        };
        match challenged {
            Ok((version, promoted, why)) => {
                metrics::retrained(if promoted { "promoted" } else { "kept" });
                info!(version, promoted, why, "a challenger was trained and tried");
            }
            Err(cause) => {
                metrics::retrained("failed");
                warn!(
                    error = format!("{cause:#}"),
                    "retraining failed, trying again at the next time"
                );
            }
        }
    }
}

/// Trains a challenger and tries it; one that is worse on the held-out readings is not tried at all.
async fn challenge(app: &Arc<App>) -> anyhow::Result<(String, bool, String)> {
    let mut order = Order::of(&app.settings(), Promotion::IfBetter)?;
    order.in_shadow = true;
    let trained = training::train(app.warehouse.as_ref(), &app.registry, &order, &|_, _| {}).await?;
    let version = trained.model.version.to_string();
    if !trained.promoted {
        return Ok((version, false, trained.why));
    }
    info!(version, "a challenger judges beside the champion");
    let tally = shadow::trial(app, Arc::new(trained.model), app.settings().train.shadow).await?;
    app.registry.keep_shadow(&version, &tally)?;
    metrics::shadow(&tally);
    if !tally.promoted {
        return Ok((version, false, tally.why));
    }
    // What a person has put in force meanwhile was not what it was compared with.
    if app.registry.live()?.as_deref() != Some(tally.champion.as_str()) {
        let why = format!("{} is in force no more, which it was compared with", tally.champion);
        return Ok((version, false, why));
    }
    app.registry.promote(&version)?;
    app.live_model.refresh();
    Ok((version, true, tally.why))
}
