//! Hark on Pub/Sub and BigQuery, on the emulators that `scripts/emulators start` names in the environment.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backlog;
mod dead_letters;
mod doctor;
mod guide;
mod handover;
mod models;
mod support;
