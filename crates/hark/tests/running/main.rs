//! Tests of running processes: what a kill leaves, and what a swap of models disturbs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what was measured and what the process said is for the person who reads the result"
)]

mod backup;
mod incidents;
mod kill;
mod labels;
mod operation;
mod reload;
mod support;
mod swap;
