//! Asking for a verdict. Nothing is stored, and no device's history changes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use detector::{Assessment, DeviceState};
use domain::{Measurement, Signal};
use domain::{Reading, Rejection, RejectionCode, Timestamp, Values, wire};

use super::Shared;
use super::body::{Content, Form, Posted};
use super::devices::census;
use super::dto::detection::{Detection, SignalDetection, Unjudged};
use super::dto::problem::{ItemProblem, Problem};
use super::error::{ApiError, ApiResult};
use super::query::{Segment, cut};
use crate::runtime::answers::Name;
use crate::runtime::clock;
use crate::runtime::fleet::StateVersion;
use crate::runtime::live_model::InForce;

/// Fewer readings than this are judged where the request is read.
const MANY: usize = 32;

/// Judges a reading
///
/// A known device is judged with its own history, an unknown one with the fleet's. Without `timestamp` it is now.
/// Before the first model only values beyond a limit that a person has set are judged.
#[utoipa::path(post, path = "/detect", tag = "detection",
    request_body(content = serde_json::Value, content_type = "application/json", example = json!(
        {"device_id": "sensor_001", "timestamp": "2025-08-06T10:00:00Z", "temperature": 25.5, "vibration": 1.2})),
    responses(
        (status = 200, body = Detection<'static>),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "No model is in force yet, and no limit speaks")))]
pub(super) async fn detect(State(shared): State<Shared>, posted: Posted) -> ApiResult<Response> {
    let bytes = single(&posted)?;
    let judge = Judge::new(&shared).await?;
    let answers = &shared.app.answers;
    let name = judge.name(&bytes)?;
    if let Some(name) = &name
        && let Some(body) = answers.get(name).await
    {
        return Ok(json(StatusCode::OK, body));
    }
    let asked = judge.ask(&bytes)?;
    let mut body = Vec::with_capacity(512);
    judge.write(&asked, &mut body)?;
    let body = Bytes::from(body);
    if let Some(name) = name.and_then(|_| judge.named(asked.state, &bytes)) {
        answers.put(name, body.clone()).await;
    }
    Ok(json(StatusCode::OK, body))
}

/// Judges many readings
///
/// A list in, a list out; NDJSON in, NDJSON out; in the same order. Where a reading cannot be judged, `{"error": …}`
/// stands in its place and the status is 207; when none can be, the answer is a problem. The readings of a request do
/// not become part of each other's history.
#[utoipa::path(post, path = "/detect/batch", tag = "detection",
    request_body(content(
        (serde_json::Value = "application/json", example = json!([
            {"device_id": "sensor_001", "timestamp": "2025-08-06T10:00:00Z", "temperature": 25.5, "vibration": 1.2},
            {"device_id": "sensor_002", "timestamp": "2025-08-06T10:00:00Z", "temperature": 21.0, "vibration": 9.9}])),
        (String = "application/x-ndjson", example = json!(
            "{\"device_id\":\"sensor_001\",\"temperature\":25.5,\"vibration\":1.2}\n")),
    )),
    responses(
        (status = 200, body = Vec<Detection<'static>>),
        (status = 207, body = Vec<serde_json::Value>, description = "Some could not be judged"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "No model is in force yet, and no limit speaks")))]
pub(super) async fn detect_batch(State(shared): State<Shared>, posted: Posted) -> ApiResult<Response> {
    let items = match posted.content()? {
        Content::Many(items) => items,
        Content::One(_) => {
            let error = Rejection::whole(
                RejectionCode::WrongType,
                "the body must be a list of readings, or NDJSON",
            );
            return Err(ApiError::from(error).hint("POST /detect takes a single reading"));
        }
        Content::Broken(_, rejection) => return Err(rejection.into()),
    };
    let judge = Judge::new(&shared).await?;
    let work = || judge.all(&items, posted.form);
    let (body, errors) = if items.len() < MANY {
        work()?
    } else {
        tokio::task::block_in_place(work)?
    };
    if !items.is_empty() && errors.len() == items.len() {
        let error = if errors.iter().all(|it| it.code == NO_MODEL) {
            judge.not_judged()
        } else {
            ApiError::none_taken(errors)
        };
        return Err(error);
    }
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::MULTI_STATUS
    };
    Ok(match posted.form {
        Form::Json => json(status, body),
        Form::Ndjson => (status, [(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response(),
    })
}

/// Judges one signal of a reading
#[utoipa::path(post, path = "/detect/{signal}", tag = "detection",
    params(("signal" = String, Path, description = "A declared signal, by its name or short name", example = "temperature")),
    request_body(content = serde_json::Value, content_type = "application/json", example = json!(
        {"device_id": "sensor_001", "timestamp": "2025-08-06T10:00:00Z", "temperature": 25.5})),
    responses(
        (status = 200, body = serde_json::Value, description = "`device_id`, `timestamp`, the signal's value, \
         `anomaly_score`, `is_anomaly`, `model_version`, `expected`, `reasons`, `once_in_days`"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "No model is in force yet, and no limit speaks")))]
pub(super) async fn detect_signal(
    State(shared): State<Shared>,
    Segment(name): Segment,
    posted: Posted,
) -> ApiResult<Response> {
    let signals = &shared.app.config.signals;
    let Some(at) = signals.iter().position(|it| it.name == name || it.short == name) else {
        let error = ApiError::not_found(format!("there is no signal `{}`", cut(&name))).field("signal");
        return Err(error.hint("GET /api/v1/signals lists the signals"));
    };
    let bytes = single(&posted)?;
    let judge = Judge::new(&shared).await?;
    let (reading, value) = judge.only(&bytes, at)?;
    let judged = shared
        .app
        .fleet
        .read(&reading.device_id, |state| judge.assess(state, &reading));
    let Some(Assessment {
        verdict, once_in_days, ..
    }) = judged
    else {
        return Err(judge.not_judged());
    };
    let Some(judgement) = verdict.signals[at] else {
        return Err(judge.unknown_signal(&signals[at]));
    };
    let answer = SignalDetection {
        name: &signals[at].name,
        reading: &reading,
        value,
        judgement,
        model_version: &verdict.model_version,
        reasons: &verdict.reasons,
        once_in_days,
    };
    Ok(json(
        StatusCode::OK,
        serde_json::to_vec(&answer).map_err(ApiError::internal)?,
    ))
}

fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

fn single(posted: &Posted) -> ApiResult<Bytes> {
    match posted.content()? {
        Content::One(bytes) => Ok(bytes),
        Content::Many(mut items) if posted.form == Form::Ndjson && items.len() == 1 => Ok(items.remove(0)),
        Content::Many(_) => {
            let error = Rejection::whole(RejectionCode::WrongType, "the body must be one reading, not many");
            Err(ApiError::from(error).hint("POST /detect/batch takes lists and NDJSON"))
        }
        Content::Broken(_, rejection) => Err(rejection.into()),
    }
}

/// The stable name of the error where nothing speaks about a reading.
const NO_MODEL: &str = "no_model";

/// What one request is judged by: every item of a batch by the same.
struct Judge<'a> {
    shared: &'a Shared,
    by: By,
    now: Timestamp,
}

enum By {
    /// The model in force, and the limits.
    Model(Arc<InForce>),
    /// The limits alone, before there is a model.
    Limits(Learning),
}

/// Why there is no model, and what to do about it.
struct Learning {
    detail: String,
    hint: &'static str,
}

/// A reading that was judged.
struct Asked {
    reading: Reading,
    assessment: Assessment,
    device_known: bool,
    history: u64,
    /// Which state of the device it was judged with.
    state: Option<StateVersion>,
}

impl<'a> Judge<'a> {
    async fn new(shared: &'a Shared) -> ApiResult<Self> {
        let by = match shared.app.live_model.in_force() {
            Some(in_force) => By::Model(in_force),
            None => By::Limits(Learning::of(shared).await?),
        };
        let now = clock::now();
        Ok(Self { shared, by, now })
    }

    /// What the consumer would say of a reading that came now; nothing where no model is and no limit speaks.
    fn assess(&self, state: Option<&DeviceState>, reading: &Reading) -> Option<Assessment> {
        let model = match &self.by {
            By::Model(in_force) => Some(&*in_force.model),
            By::Limits(_) => None,
        };
        self.shared.app.judging.peek(model, state, reading)
    }

    /// The error where nothing speaks about a reading.
    fn not_judged(&self) -> ApiError {
        let error = |detail: &str| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, NO_MODEL, detail);
        match &self.by {
            By::Model(in_force) => error(&format!("model {} does not judge it", in_force.model.version)),
            By::Limits(learning) => error(&learning.detail).hint(learning.hint),
        }
    }

    /// The name of the answer to a question; none of one that means now, whose answer nobody asks for again.
    fn name(&self, bytes: &[u8]) -> Result<Option<Name>, Rejection> {
        let app = &self.shared.app;
        let reading = wire::decode(bytes, &app.config.signals, Some(self.now))?.reading;
        if reading.timestamp == self.now {
            return Ok(None);
        }
        let state = app.fleet.look(&reading.device_id, |it| it.map(|it| it.version));
        Ok(self.named(state, bytes))
    }

    /// The name of the answer of this model about a device in this state; what limits say alone is not kept.
    fn named(&self, state: Option<StateVersion>, bytes: &[u8]) -> Option<Name> {
        match &self.by {
            By::Model(in_force) => Some(self.shared.app.answers.name(in_force.basis, state, bytes)),
            By::Limits(_) => None,
        }
    }

    fn ask(&self, bytes: &[u8]) -> ApiResult<Asked> {
        let signals = &self.shared.app.config.signals;
        let reading = wire::decode(bytes, signals, Some(self.now))?.reading;
        if let Some(at) = reading.values.iter().position(|it| it.is_none()) {
            return Err(missing(&signals[at]).into());
        }
        let (assessment, history, state) = self.shared.app.fleet.look(&reading.device_id, |it| {
            let state = it.map(|it| &it.state);
            let assessment = self.assess(state, &reading);
            (assessment, state.map(DeviceState::readings), it.map(|it| it.version))
        });
        Ok(Asked {
            reading,
            assessment: assessment.ok_or_else(|| self.not_judged())?,
            device_known: history.is_some(),
            history: history.unwrap_or(0),
            state,
        })
    }

    /// The reading with nothing but this signal, which it must have.
    fn only(&self, bytes: &[u8], at: usize) -> Result<(Reading, f64), Rejection> {
        let signals = &self.shared.app.config.signals;
        let reading = wire::decode(bytes, signals, Some(self.now)).map_err(|it| match it.code {
            RejectionCode::NoSignal => missing(&signals[at]),
            _ => it,
        })?;
        let reading = reading.reading;
        let Some(value) = reading.values.get(at) else {
            return Err(missing(&signals[at]));
        };
        let mut values = vec![None; signals.len()];
        values[at] = Some(Measurement::new(value, &signals[at].name)?);
        Ok((
            Reading {
                values: Values::new(values),
                ..reading
            },
            value,
        ))
    }

    fn all(&self, items: &[Bytes], form: Form) -> ApiResult<(Vec<u8>, Vec<ItemProblem>)> {
        let mut body = Vec::with_capacity(items.len() * 512 + 2);
        let mut errors = Vec::new();
        let (open, between, close): (&[u8], &[u8], &[u8]) = match form {
            Form::Json => (b"[", b",", b"]"),
            Form::Ndjson => (b"", b"\n", b"\n"),
        };
        body.extend_from_slice(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                body.extend_from_slice(between);
            }
            match self.ask(item) {
                Ok(asked) => self.write(&asked, &mut body)?,
                Err(error) => {
                    let unjudged = Unjudged { error: error.problem() };
                    serde_json::to_writer(&mut body, &unjudged).map_err(ApiError::internal)?;
                    errors.push(error.item(index));
                }
            }
        }
        body.extend_from_slice(close);
        Ok((body, errors))
    }

    fn write(&self, asked: &Asked, body: &mut Vec<u8>) -> ApiResult<()> {
        let detection = Detection {
            signals: &self.shared.app.config.signals,
            names: &self.shared.names,
            reading: &asked.reading,
            verdict: &asked.assessment.verdict,
            once_in_days: asked.assessment.once_in_days,
            device_known: asked.device_known,
            history: asked.history,
        };
        serde_json::to_writer(body, &detection).map_err(ApiError::internal)
    }

    fn unknown_signal(&self, signal: &Signal) -> ApiError {
        let By::Model(in_force) = &self.by else {
            return self.not_judged();
        };
        let detail = format!(
            "model {} was trained before `{}` was declared",
            in_force.model.version, signal.name
        );
        let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, NO_MODEL, detail).field(&signal.name);
        error.hint("`hark train` makes one that knows it")
    }
}

impl Learning {
    async fn of(shared: &Shared) -> ApiResult<Self> {
        let stored: u64 = census(shared).await?.0.iter().map(|it| it.device.readings).sum();
        let need = shared.app.settings().train.min_readings;
        Ok(if stored < need {
            Self {
                detail: format!("learning: {stored} readings stored, {need} needed"),
                hint: "the first model is trained when there are enough readings",
            }
        } else {
            Self {
                detail: format!("no model is in force, though {stored} readings are stored"),
                hint: "`hark train` makes one; `hark models list` shows which there are",
            }
        })
    }
}

fn missing(signal: &Signal) -> Rejection {
    Rejection::field(
        RejectionCode::MissingField,
        &signal.name,
        format!("{} is missing", signal.name),
    )
}
