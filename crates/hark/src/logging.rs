//! The log: to stderr, for people on a terminal and as JSON for programs. Where a collector of traces is named, its spans
//! go there too.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::{Global, LogFormat};

/// What must be kept until the process ends.
#[cfg(feature = "otel")]
pub(crate) type Kept = Option<crate::telemetry::Telemetry>;
#[cfg(not(feature = "otel"))]
pub(crate) type Kept = ();

/// Starts the log, once in a process. `RUST_LOG` goes before -v and --quiet.
///
/// # Errors
/// When the address of the collector is none.
pub(crate) fn start(global: &Global) -> anyhow::Result<Kept> {
    crate::output::be_quiet(global.quiet);
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn,hark=info",
        (false, 1) => "info,hark=debug",
        (false, _) => "debug,hark=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let style = Style::of(global);
    #[cfg(feature = "otel")]
    if let Some(endpoint) = &global.otlp_endpoint {
        return traced(endpoint, filter, style).map(Some);
    }
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match style {
        Style::Lines { coloured } => log.with_ansi(coloured).with_target(false).finish().init(),
        Style::Json => log.json().flatten_event(true).finish().init(),
    }
    #[cfg(feature = "otel")]
    return Ok(None);
    #[cfg(not(feature = "otel"))]
    Ok(())
}

/// How lines look.
enum Style {
    Lines { coloured: bool },
    Json,
}

impl Style {
    fn of(global: &Global) -> Self {
        let watched = io::stderr().is_terminal();
        let pretty = match global.log_format {
            LogFormat::Auto => watched,
            LogFormat::Pretty => true,
            LogFormat::Json => false,
        };
        if pretty {
            let coloured = watched && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
            Self::Lines { coloured }
        } else {
            Self::Json
        }
    }
}

/// The same log, and beside it the spans of Hark's own to a collector, whatever the log itself leaves out.
#[cfg(feature = "otel")]
fn traced(endpoint: &str, filter: EnvFilter, style: Style) -> anyhow::Result<crate::telemetry::Telemetry> {
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    let telemetry = crate::telemetry::Telemetry::new(endpoint)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match style {
        Style::Lines { coloured } => lines.with_ansi(coloured).with_target(false).boxed(),
        Style::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(telemetry.layer().with_filter(EnvFilter::new("hark=debug")))
        .with(lines.with_filter(filter))
        .init();
    Ok(telemetry)
}
