//! `/openapi.json` and `/docs`, all of it from the binary.

use axum::Router;
use axum::http::{HeaderValue, header};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::metrics::requests::OPERATION;

/// The page of the documentation sets styles from its script; nothing comes from elsewhere.
const LENIENT: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hark",
        description = "Readings in, verdicts out. Errors are `application/problem+json` with a stable `code` and the \
                       `field` that is to blame. Times are RFC 3339 with a zone; answers are in UTC. Scores below 0 are \
                       anomalous; larger is more normal."
    ),
    tags(
        (name = "detection", description = "Asks for a verdict. Nothing is stored."),
        (name = "readings", description = "Stores readings and reads them back."),
        (name = "fleet", description = "Devices, and the fleet as a whole."),
        (name = "incidents", description = "What is wrong, since when, why, and what people made of it."),
        (name = "models", description = "The registry of models."),
        (name = "operation", description = "For those who run Hark."),
    ),
    components(schemas(super::dto::problem::Problem, super::dto::reading::ReasonDto, super::dto::SpanDto, super::dto::Time))
)]
struct Description;

/// What the document says besides the routes.
pub(super) fn description() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// Every route with the part that it belongs to: its tag in the document.
pub(super) fn routes(openapi: &utoipa::openapi::OpenApi) -> Vec<(String, String)> {
    let tag = |it: &Operation| it.tags.as_ref().and_then(|tags| tags.first().cloned());
    let described = openapi.paths.paths.iter().map(|(path, item)| {
        let part = [&item.get, &item.post].into_iter().flatten().find_map(tag);
        (path.clone(), part.unwrap_or_else(|| OPERATION.to_owned()))
    });
    let own = ["/docs", "/docs/", "/docs/{*rest}", "/openapi.json"].map(|it| (it.to_owned(), OPERATION.to_owned()));
    described.chain(own).collect()
}

/// Serves the document and its page.
pub(super) fn router(openapi: utoipa::openapi::OpenApi) -> Router {
    let policy = SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, LENIENT);
    // The validator would be asked over the network.
    let config = Config::default().validator_url("none");
    Router::from(SwaggerUi::new("/docs").url("/openapi.json", openapi).config(config)).layer(policy)
}
