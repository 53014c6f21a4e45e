//! The name of each request, which its log lines, its errors and its answer carry, so that one can be found by the other.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

/// The header of request and answer.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// A sender's own name is taken up to so many letters.
const LONGEST: usize = 64;

/// What a request is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// By the sender, or by Hark.
    pub(crate) request_id: Option<String>,
    /// By those who trace it.
    pub(crate) trace_id: Option<String>,
}

tokio::task_local! {
    static CURRENT: RefCell<Identity>;
}

impl Identity {
    /// That of the request that is being answered; nothing outside of one.
    pub(crate) fn current() -> Self {
        CURRENT.try_with(|it| it.borrow().clone()).unwrap_or_default()
    }
}

/// Notes of which trace the request is that is being answered.
#[cfg(feature = "otel")]
pub(crate) fn traced(trace_id: Option<String>) {
    // Outside of a request there is nothing to note it of.
    let _noted = CURRENT.try_with(|it| it.borrow_mut().trace_id = trace_id);
}

/// Names a request as its sender does, or anew, and says the name in the answer.
pub(crate) async fn identify(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER).filter(|it| is_name(it)).cloned();
    let name = given.unwrap_or_else(new_name);
    // Whoever this request is forwarded to calls it the same.
    request.headers_mut().insert(HEADER, name.clone());
    let identity = Identity {
        request_id: name.to_str().ok().map(str::to_owned),
        trace_id: None,
    };
    let mut response = CURRENT.scope(RefCell::new(identity), next.run(request)).await;
    response.headers_mut().insert(HEADER, name);
    response
}

/// Letters, digits and what joins them: nothing that could end a line of a log.
fn is_name(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    let fits = |it: &u8| it.is_ascii_alphanumeric() || b"-_.:".contains(it);
    (1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(fits)
}

fn new_name() -> HeaderValue {
    // A hash of nothing under new random keys is a random number.
    let number = RandomState::new().hash_one(());
    HeaderValue::from_str(&format!("{number:016x}")).expect("hexadecimal digits are a value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: bool) {
        assert_eq!(is_name(&HeaderValue::from_str(name).unwrap()), expected, "{name}");
    }

    #[test]
    fn names_that_could_disturb_a_log_are_not_taken() {
        check("7f3a-99_x.y:1", true);
        check("", false);
        check("a b", false);
        check("a\"}", false);
        check(&"a".repeat(65), false);
        assert_ne!(new_name(), new_name());
        assert!(is_name(&new_name()));
    }
}
