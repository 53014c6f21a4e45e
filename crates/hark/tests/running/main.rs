//! Tests of running processes: what a kill leaves, and what a swap of models disturbs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod kill;
mod support;
mod swap;
