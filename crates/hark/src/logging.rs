//! The log: to stderr, for people on a terminal and as JSON for programs.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::{Global, LogFormat};

/// Starts the log, once in a process. `RUST_LOG` goes before -v and --quiet.
pub(crate) fn start(global: &Global) {
    crate::output::be_quiet(global.quiet);
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn,hark=info",
        (false, 1) => "info,hark=debug",
        (false, _) => "debug,hark=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let watched = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let pretty = match global.log_format {
        LogFormat::Auto => watched,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    if pretty {
        let coloured = watched && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
        log.with_ansi(coloured).with_target(false).finish().init();
    } else {
        log.json().flatten_event(true).finish().init();
    }
}
