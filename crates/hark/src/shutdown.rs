//! Ending in order: the first signal asks, the second insists.

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::app::Tasks;

/// How long everything together may take to end.
const DEADLINE: Duration = Duration::from_secs(9);

/// The exit code of a process that a second interrupt ended, as shells count it.
const INTERRUPTED: i32 = 130;
const TERMINATED: i32 = 143;

/// Cancels `stop` at SIGINT or SIGTERM, and ends the process at once at the second.
pub(crate) fn on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    // This task holds nothing that must be finished: it ends with the process.
    tokio::spawn(async move {
        // A process that is ending by itself has not been asked yet.
        let mut is_asked = false;
        loop {
            let code = tokio::select! {
                _ = interrupt.recv() => INTERRUPTED,
                _ = terminate.recv() => TERMINATED,
            };
            if std::mem::replace(&mut is_asked, true) {
                std::process::exit(code);
            }
            info!("stopping; a second signal stops at once");
            stop.cancel();
        }
    });
    Ok(())
}

/// Waits for the first task to end, tells the others to, and waits for them. The first failure is the result.
pub(crate) async fn join(mut tasks: Tasks, stop: CancellationToken) -> anyhow::Result<()> {
    let first = next(&mut tasks).await.unwrap_or(Ok(()));
    stop.cancel();
    let rest = async {
        let mut result = Ok(());
        while let Some(ended) = next(&mut tasks).await {
            result = result.and(ended);
        }
        result
    };
    let rest = tokio::time::timeout(DEADLINE, rest).await;
    first.and(rest.unwrap_or_else(|_| Err(anyhow::anyhow!("some tasks did not end within {DEADLINE:?}"))))
}

async fn next(tasks: &mut Tasks) -> Option<anyhow::Result<()>> {
    let ended = tasks.join_next().await?;
    Some(ended.context("a task panicked").and_then(|it| it))
}
