//! `hark serve`: the detection API, and behind it the consumer of what is posted, unless the bus has consumers of its
//! own.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Tasks};
use crate::config::Config;
use crate::output::say;
use crate::{http, shutdown};

/// Runs until it is told to stop.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    shutdown::on_signals(stop.clone())?;
    let listener = bind(config.api.listen).await?;
    let at = listener.local_addr()?;
    let mut tasks = Tasks::new();
    let app = if config.bus.kind.is_shared() {
        let app = App::open_beside_consumers(config, stop.clone()).await?;
        app.follow(&mut tasks);
        app
    } else {
        let (app, subscriber) = App::open(config, stop.clone()).await?;
        app.start(subscriber, &mut tasks);
        app.train_when_ready(&mut tasks);
        app.retrain(&mut tasks);
        app
    };
    let routes = http::router(app.clone());
    let until = stop.clone();
    tasks.spawn(async move { http::serve(listener, routes, until).await.context("the API failed") });
    say(format_args!("API  http://{at}   (described at /docs)"));
    shutdown::join(tasks, stop).await
}

/// Listens, or says who is in the way.
pub(crate) async fn bind(at: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(at).await.with_context(|| {
        format!("failed to listen on {at}\nhint: another program listens there; choose another address with --listen")
    })
}
