//! `hark serve`: the detection API, and behind it the consumer of what is posted, unless the bus has consumers of its
//! own.

use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Tasks};
use crate::exit::Fault;
use crate::output::say;
use crate::reload::Live;
use crate::{http, shutdown};

/// Runs until it is told to stop.
pub(crate) async fn run(live: Live) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    shutdown::on_signals(stop.clone())?;
    let Live { config, reload } = live;
    let hangups = reload.listen()?;
    let listener = bind(config.api.listen, "--listen").await?;
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
    tasks.spawn(hangups.follow(app.settings.clone(), stop.clone()));
    let routes = http::router(app.clone());
    let until = stop.clone();
    tasks.spawn(async move { http::serve(listener, routes, until).await.context("the API failed") });
    say(format_args!("API  http://{at}   (described at /docs)"));
    shutdown::join(tasks, stop).await
}

/// Listens, or says who is in the way and with which flag to go elsewhere.
pub(crate) async fn bind(at: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(at).await.map_err(|cause| {
        let why = match cause.kind() {
            ErrorKind::AddrInUse => "another program listens there; ",
            ErrorKind::AddrNotAvailable => "this machine has no such address; ",
            ErrorKind::PermissionDenied => "ports below 1024 are for root; ",
            _ => "",
        };
        let hint = format!("{why}choose another address with {flag}");
        anyhow::Error::new(cause).context(Fault::new(format!("failed to listen on {at}"), hint))
    })
}
