//! The dashboard on port 8501: the page from the binary, and the API behind the same origin.

mod page;
mod proxy;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::middleware;
use tower_http::compression::CompressionLayer;

use self::proxy::Proxy;
use crate::http::{guard, identity};

/// The page at `/`, and what it asks forwarded to the API at this address (`http://127.0.0.1:8000`).
///
/// # Errors
/// When the address is none.
pub(crate) fn router(api: &str) -> anyhow::Result<Router> {
    let forward = Proxy::new(api)?.into_route();
    let mut routes = Router::new();
    let paths = [
        "/api/{*rest}",
        "/detect",
        "/detect/{*rest}",
        "/docs",
        "/docs/",
        "/docs/{*rest}",
    ];
    for path in paths
        .into_iter()
        .chain(["/openapi.json", "/health", "/livez", "/readyz"])
    {
        routes = routes.route(path, forward.clone());
    }
    let routes = routes.fallback(page::page).layer(CompressionLayer::new());
    Ok(routes
        .layer(middleware::from_fn(guard::guard))
        .layer(middleware::from_fn(identity::identify)))
}
