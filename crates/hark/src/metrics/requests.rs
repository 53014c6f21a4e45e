//! What is counted of HTTP: requests by route and status, and how long answers took by part and status. A duration has
//! seven series where a count has one, hence parts rather than routes: all of them stay few.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, histogram};

const REQUESTS: &str = "hark_http_requests_total";
pub(super) const REQUEST_SECONDS: &str = "hark_http_request_seconds";

/// The statuses that every route has from the start, so that the first failure is a change, which alerts see.
const CLASSES: [&str; 3] = ["2xx", "4xx", "5xx"];

/// What no route answers to.
const UNMATCHED: &str = "unmatched";

/// The part that belongs to nobody in particular.
pub(crate) const OPERATION: &str = "operation";

pub(super) fn describe() {
    describe_counter!(REQUESTS, "HTTP requests answered, by route and status class");
    describe_histogram!(
        REQUEST_SECONDS,
        "How long answers took, by part of the API and status class; endless streams are left out"
    );
}

/// The routes of a server, each with the part that it belongs to.
#[derive(Debug)]
pub(crate) struct Routes(BTreeMap<String, String>);

impl Routes {
    /// These patterns with their parts. All of their series exist from here on.
    pub(crate) fn new(routes: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut routes: BTreeMap<String, String> = routes.into_iter().collect();
        routes.insert(UNMATCHED.to_owned(), OPERATION.to_owned());
        describe();
        for (route, part) in &routes {
            for class in CLASSES {
                counter!(REQUESTS, "route" => route.clone(), "status" => class).increment(0);
                // To be named is enough for a histogram to exist.
                let _exists = histogram!(REQUEST_SECONDS, "part" => part.clone(), "status" => class);
            }
        }
        Self(routes)
    }

    /// The pattern under which a request is counted: never the path as sent.
    pub(crate) fn known(&self, pattern: Option<&str>) -> &str {
        let known = pattern.and_then(|it| self.0.get_key_value(it));
        known.map_or(UNMATCHED, |(route, _)| route)
    }

    /// A request to a known route was answered in this time.
    pub(crate) fn answered(&self, route: &str, status: u16, took: Duration) {
        let class = match status {
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        counter!(REQUESTS, "route" => route.to_owned(), "status" => class).increment(1);
        if route != crate::http::STREAM {
            let part = self.0.get(route).map_or(OPERATION, String::as_str);
            histogram!(REQUEST_SECONDS, "part" => part.to_owned(), "status" => class).record(took.as_secs_f64());
        }
    }
}
