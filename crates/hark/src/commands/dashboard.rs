//! `hark dashboard`: the page, over the API.

use tokio_util::sync::CancellationToken;

use crate::commands::serve::bind;
use crate::config::Config;
use crate::output::say;
use crate::{dashboard, http, shutdown};

/// Runs until it is told to stop.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    shutdown::on_signals(stop.clone())?;
    let listener = bind(config.dashboard.listen, "--listen").await?;
    let routes = dashboard::router_with_metrics(&config.dashboard.api)?;
    say(format_args!(
        "Dashboard  http://{}   (over the API at {})",
        listener.local_addr()?,
        config.dashboard.api
    ));
    http::serve(listener, routes, stop).await
}
