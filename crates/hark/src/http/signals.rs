//! The declared signals.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::dto::device::{SignalDto, SignalsDto};
use crate::app::App;

/// Lists the declared signals
#[utoipa::path(get, path = "/api/v1/signals", tag = "fleet", responses((status = 200, body = SignalsDto)))]
pub(super) async fn list_signals(State(app): State<Arc<App>>) -> Response {
    let signals = app.config.signals.iter().map(|it| SignalDto {
        name: &it.name,
        short: &it.short,
        unit: &it.unit,
        symbol: it.unit_symbol(),
    });
    axum::Json(SignalsDto {
        signals: signals.collect(),
    })
    .into_response()
}
