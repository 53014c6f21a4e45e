//! Reading query parameters and path segments, with errors that name them.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use domain::{DeviceId, Timestamp};

use super::error::{ApiError, ApiResult};

/// The parameters of a query, taken one by one; what is left at the end is unknown.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        match Query::<Vec<(String, String)>>::from_request_parts(parts, state).await {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(_) => Err(ApiError::bad_query("query", "the query is no list of name=value")),
        }
    }
}

impl Params {
    /// The text of a parameter. An empty one counts as absent.
    pub(crate) fn text(&mut self, name: &str) -> ApiResult<Option<String>> {
        let mut found = None;
        while let Some(at) = self.0.iter().position(|it| it.0 == name) {
            if found.is_some() {
                return Err(ApiError::bad_query(name, format!("{name} stands twice")));
            }
            found = Some(self.0.remove(at).1);
        }
        Ok(found.filter(|it| !it.is_empty()))
    }

    pub(crate) fn timestamp(&mut self, name: &str) -> ApiResult<Option<Timestamp>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let at = Timestamp::parse(&text);
        let hint = "in a URL a + must be written %2B; a time in UTC ends with Z";
        at.map(Some)
            .map_err(|cause| ApiError::bad_query(name, format!("{name}: {cause}")).hint(hint))
    }

    pub(crate) fn device_id(&mut self, name: &str) -> ApiResult<Option<DeviceId>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        DeviceId::new(&text)
            .map(Some)
            .map_err(|cause| ApiError::bad_query(name, cause.detail))
    }

    pub(crate) fn flag(&mut self, name: &str) -> ApiResult<bool> {
        match self.text(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(ApiError::bad_query(
                name,
                format!("{name} is true or false, not `{}`", cut(other)),
            )),
        }
    }

    /// A whole number between two others.
    pub(crate) fn number(&mut self, name: &str, from: usize, to: usize) -> ApiResult<Option<usize>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match text.parse() {
            Ok(number) if (from..=to).contains(&number) => Ok(Some(number)),
            _ => {
                let detail = format!("{name} is a whole number between {from} and {to}, not `{}`", cut(&text));
                Err(ApiError::bad_query(name, detail))
            }
        }
    }

    /// Refuses what was not taken, so that a misspelt filter never widens an answer.
    pub(crate) fn finish(self) -> ApiResult<()> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name = cut(name);
                let error = ApiError::bad_query(&name, format!("there is no parameter `{name}` here"));
                Err(error.hint("/docs lists the parameters of each path"))
            }
        }
    }
}

/// The one variable segment of a path.
#[derive(Debug)]
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(segment)) => Ok(Self(segment)),
            Err(_) => Err(ApiError::bad_query("path", "the path is not UTF-8")),
        }
    }
}

/// The beginning of a text that came from outside.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
