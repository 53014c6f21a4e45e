//! Devices.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use detector::features::LEARNING;
use domain::DeviceId;

use super::Shared;
use super::census::{self, Census, Counted};
use super::dto::Learning;
use super::dto::device::{Activity, DeviceDetail, DeviceDto, DeviceIncident, Devices, DoubtDto, UsualDto};
use super::dto::problem::Problem;
use super::dto::reading::{LocationDto, ReadingDto};
use super::error::{ApiError, ApiResult};
use super::query::Segment;
use crate::app::App;
use crate::runtime::clock;
use crate::runtime::fleet::Tracked;

/// Lists all devices, by name
#[utoipa::path(get, path = "/api/v1/devices", tag = "fleet", responses((status = 200, body = Devices)))]
pub(super) async fn list_devices(State(shared): State<Shared>) -> ApiResult<Response> {
    let census = census(&shared).await?;
    let devices = census.0.iter().map(|it| device(&shared.app, it)).collect();
    Ok(Json(Devices { devices }).into_response())
}

/// Shows a device, with what is usual for it
#[utoipa::path(get, path = "/api/v1/devices/{device_id}", tag = "fleet",
    params(("device_id" = String, Path, description = "Its name")),
    responses((status = 200, body = DeviceDetail), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_device(State(shared): State<Shared>, Segment(name): Segment) -> ApiResult<Response> {
    let unknown = || ApiError::not_found("there is no such device").field("device_id");
    let device_id = DeviceId::new(&name).map_err(|_| unknown())?;
    let place = |census: &Census| census.0.binary_search_by(|it| it.device.device_id.cmp(&device_id)).ok();
    let mut census = census(&shared).await?;
    // A device that was just heard first is in no census of a moment ago.
    if place(&census).is_none() && shared.app.fleet.look(&device_id, |it| it.is_some()) {
        census = Arc::new(Census::take(&shared.app).await?);
    }
    let at = place(&census).ok_or_else(unknown)?;
    let detail = DeviceDetail {
        device: device(&shared.app, &census.0[at]),
        ranges: ranges(&shared.app, &device_id),
    };
    Ok(Json(detail).into_response())
}

pub(super) async fn census(shared: &Shared) -> ApiResult<Arc<Census>> {
    Ok(shared.census.get((), Census::take(&shared.app)).await?)
}

fn device<'a>(app: &'a App, counted: &'a Counted) -> DeviceDto<'a> {
    let it = &counted.device;
    let signals = &app.config.signals;
    let (history, learning, doubts) = app.fleet.look(&it.device_id, |tracked| {
        let Some(Tracked { state, watched, .. }) = tracked else {
            return (0, (0, LEARNING), Vec::new());
        };
        let doubts = watched.doubts.now.iter().map(|it| DoubtDto {
            kind: it.as_str(),
            signal: it.signal().map(|at| signals[at].name.as_str()),
        });
        (state.readings(), state.progress(), doubts.collect())
    });
    let (have, need) = learning;
    DeviceDto {
        device_id: it.device_id.as_str(),
        location: LocationDto::new(&it.location),
        device_type: it.device_type.as_deref(),
        first_received_at: super::dto::Time(it.first_received_at),
        last_received_at: super::dto::Time(it.last_received_at),
        readings: it.readings,
        state: counted.state.as_str(),
        silent: counted.state == census::State::Silent,
        last: it.last.as_ref().map(|it| ReadingDto::new(it, &app.config.signals)),
        history,
        learning: (have < need).then_some(Learning { have, need }),
        doubts,
        activity: Activity {
            hours: 24,
            readings: counted.readings,
            anomalies: counted.anomalies,
        },
        maintenance_until: app.maintenance.until(&it.device_id, clock::now()).map(super::dto::Time),
        incident: counted.incident.as_ref().map(|it| DeviceIncident {
            id: it.incident.id.as_str(),
            state: it.triage.phase.standing().as_str(),
            severity: it.incident.severity.as_str(),
            began: super::dto::Time(it.incident.began),
            ongoing: it.incident.closed_at.is_none(),
            reason: &it.incident.reason,
        }),
    }
}

fn ranges<'a>(app: &'a App, device_id: &DeviceId) -> BTreeMap<&'a str, UsualDto> {
    let Some(model) = app.live_model.get() else {
        return BTreeMap::new();
    };
    app.fleet.read(device_id, |state| {
        let usual = app.config.signals.iter().enumerate().filter_map(|(at, signal)| {
            let usual = model.extractor.usual(state, at)?;
            let span = usual.span();
            Some((
                signal.name.as_str(),
                UsualDto {
                    low: span.low,
                    high: span.high,
                    mean: usual.mean,
                    sd: usual.deviation,
                },
            ))
        });
        usual.collect()
    })
}
