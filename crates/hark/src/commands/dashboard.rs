//! `hark dashboard`: the page, over the API.

use tokio_util::sync::CancellationToken;

use crate::app::Tasks;
use crate::commands::serve::bind;
use crate::config;
use crate::output::say;
use crate::reload::Live;
use crate::{dashboard, http, shutdown};

/// Runs until it is told to stop.
pub(crate) async fn run(live: Live) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    shutdown::on_signals(stop.clone())?;
    let Live { config, reload } = live;
    let hangups = reload.listen()?;
    let listener = bind(config.dashboard.listen, "--listen").await?;
    let routes = dashboard::router_with_metrics(&config.dashboard.api)?;
    say(format_args!(
        "Dashboard  http://{}   (over the API at {})",
        listener.local_addr()?,
        config.dashboard.api
    ));
    let mut tasks = Tasks::new();
    tasks.spawn(hangups.follow(config::settings(config), stop.clone()));
    tasks.spawn(http::serve(listener, routes, stop.clone()));
    shutdown::join(tasks, stop).await
}
