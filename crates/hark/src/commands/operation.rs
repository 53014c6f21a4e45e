//! Metrics and health of a command that serves no API.

use anyhow::Context;
use tokio::net::TcpListener;

use crate::app::Tasks;
use crate::cli::OperationArgs;
use crate::commands::serve::bind;
use crate::exit::{Exit, Fault};
use crate::http::{self, Operation};
use crate::output::say;

/// Listens where the command line says, if it says where.
pub(crate) async fn listen(args: &OperationArgs) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = args.metrics_listen else {
        return Ok(None);
    };
    if !args.insecure && !address.ip().is_loopback() {
        let fault = Fault::new(
            format!("`--metrics-listen` is {address}, where anybody on the network could read without a password"),
            "listen on 127.0.0.1, or say --insecure if the network is trusted",
        );
        return Err(fault.exit(Exit::Configuration).into());
    }
    Ok(Some(bind(address, "--metrics-listen").await?))
}

/// Serves there until the process stops.
pub(crate) fn serve(listener: Option<TcpListener>, operation: Operation, tasks: &mut Tasks) -> anyhow::Result<()> {
    let Some(listener) = listener else { return Ok(()) };
    let at = listener.local_addr()?;
    let stop = operation.stop.clone();
    let routes = http::operation_router(operation);
    tasks.spawn(async move { http::serve(listener, routes, stop).await.context("the metrics failed") });
    say(format_args!("Metrics  http://{at}/metrics"));
    Ok(())
}
