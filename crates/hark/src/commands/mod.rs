//! One module a command.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod consume;
pub(crate) mod dashboard;
pub(crate) mod db;
pub(crate) mod dead_letters;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod forest;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod incidents;
pub(crate) mod labels;
pub(crate) mod maintenance;
pub(crate) mod man;
pub(crate) mod models;
pub(crate) mod openapi;
pub(crate) mod operation;
pub(crate) mod serve;
pub(crate) mod setup;
pub(crate) mod simulate;
pub(crate) mod target;
pub(crate) mod train;
pub(crate) mod up;
