//! One module a command.

pub(crate) mod consume;
pub(crate) mod dashboard;
pub(crate) mod serve;
pub(crate) mod train;
pub(crate) mod up;
