//! The dashboard on port 8501: the page from the binary, and the API behind the same origin.

mod page;
mod proxy;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::any;
use tower_http::compression::CompressionLayer;

use self::proxy::Proxy;
use crate::http::{self, guard, identity, watch};
use crate::metrics;
use crate::metrics::requests::{OPERATION, Routes};

const METRICS: &str = "/metrics";

/// The files of the page.
const OWN: [&str; 2] = ["/", "/{*file}"];

/// What is the API's to answer.
const FORWARDED: [&str; 10] = [
    "/api/{*rest}",
    "/detect",
    "/detect/{*rest}",
    "/docs",
    "/docs/",
    "/docs/{*rest}",
    "/openapi.json",
    "/health",
    "/livez",
    "/readyz",
];

/// The page at `/`, and what it asks forwarded to the API at this address (`http://127.0.0.1:8000`).
///
/// # Errors
/// When the address is none.
pub(crate) fn router(api: &str) -> anyhow::Result<Router> {
    Ok(guarded(forwarding(api)?).layer(middleware::from_fn(identity::identify)))
}

/// The same in a process of its own, which tells at `/metrics` what it answers and takes. Beside an API it tells nothing:
/// whatever it forwards is counted there.
///
/// # Errors
/// When the address is none.
pub(crate) fn router_with_metrics(api: &str) -> anyhow::Result<Router> {
    let own = OWN.map(|it| (it, "page")).into_iter().chain([(METRICS, OPERATION)]);
    let forwarded = FORWARDED.map(|it| (it, "forwarded"));
    let prometheus = metrics::install();
    let counted = own.chain(forwarded).map(|(it, part)| (it.to_owned(), part.to_owned()));
    let counted = Routes::new(counted);
    let routes = forwarding(api)?.route(METRICS, http::own_metrics(prometheus));
    Ok(guarded(routes)
        .layer(middleware::from_fn_with_state(Arc::new(counted), watch::watch))
        .layer(middleware::from_fn(identity::identify)))
}

fn forwarding(api: &str) -> anyhow::Result<Router> {
    let forward = Proxy::new(api)?.into_route();
    let routes = OWN
        .into_iter()
        .fold(Router::new(), |routes, path| routes.route(path, any(page::page)));
    Ok(FORWARDED
        .into_iter()
        .fold(routes, |routes, path| routes.route(path, forward.clone())))
}

fn guarded(routes: Router) -> Router {
    let routes = routes.fallback(page::page).layer(CompressionLayer::new());
    routes.layer(middleware::from_fn(guard::guard))
}
