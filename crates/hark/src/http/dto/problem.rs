//! Errors as RFC 9457 writes them.

use domain::Rejection;
use serde::Serialize;
use utoipa::ToSchema;

/// What is wrong, why, and how to mend it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem<'a> {
    /// Always `about:blank`: `code` tells kinds apart.
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    /// The name of the status.
    pub(crate) title: &'a str,
    /// The status again.
    pub(crate) status: u16,
    /// A sentence for a person.
    pub(crate) detail: &'a str,
    /// The stable name of the kind, for programs.
    pub(crate) code: &'a str,
    /// The field, parameter or header that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<&'a str>,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<&'a str>,
    /// What the request is called, in the log as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
    /// The trace that it is part of, where requests are traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<String>,
    /// What is wrong with each item of a list of which none could be taken.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) errors: &'a [ItemProblem],
}

/// What is wrong with one item of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemProblem {
    /// Its place in the list, from 0; in NDJSON blank lines do not count.
    pub(crate) index: usize,
    /// The stable name of the kind.
    pub(crate) code: &'static str,
    /// The field that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// A sentence for a person.
    pub(crate) detail: String,
}

impl ItemProblem {
    pub(crate) fn new(index: usize, rejection: Rejection) -> Self {
        Self {
            index,
            code: rejection.code.as_str(),
            field: rejection.field,
            detail: rejection.detail,
        }
    }
}
