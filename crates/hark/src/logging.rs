//! The log: to stderr, for people on a terminal and as JSON for programs. Where a collector of traces is named, its spans
//! go there too.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use tracing::warn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::cli::{Global, LogFormat};
use crate::output::{Stream, is_coloured};

/// What is logged while nobody says otherwise.
const USUAL: &str = "warn,hark=info";

/// A log that was started.
pub(crate) struct Log {
    /// Its levels.
    pub(crate) levels: Levels,
    /// Sends the last spans when it goes.
    #[cfg(feature = "otel")]
    _kept: Option<crate::telemetry::Telemetry>,
}

/// What is logged, which may change while the process runs.
#[derive(Clone)]
pub(crate) struct Levels {
    /// Whether `RUST_LOG` or a flag says it, which go before the configuration.
    is_said: bool,
    change: Arc<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>,
}

impl Levels {
    /// Logs by this filter from now on, unless something that goes before it has said otherwise.
    pub(crate) fn set(&self, filter: &str) {
        if self.is_said {
            return;
        }
        let filter = if filter.is_empty() { USUAL } else { filter };
        if let Err(cause) = (self.change)(EnvFilter::new(filter)) {
            warn!(error = %cause, "the levels of the log could not be changed");
        }
    }
}

/// Starts the log, once in a process. `RUST_LOG` goes before -v and --quiet, and these before the configuration.
///
/// # Errors
/// When the address of the collector is none.
pub(crate) fn start(global: &Global) -> anyhow::Result<Log> {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => USUAL,
        (false, 1) => "info,hark=debug",
        (false, _) => "debug,hark=trace",
    };
    let said = EnvFilter::try_from_default_env();
    let is_said = said.is_ok() || global.quiet || global.verbose > 0;
    let (filter, change) = reload::Layer::new(said.unwrap_or_else(|_| EnvFilter::new(level)));
    let lines = lines(global).with_filter(filter);
    #[cfg(feature = "otel")]
    let kept = match &global.otlp_endpoint {
        Some(endpoint) => {
            let telemetry = crate::telemetry::Telemetry::new(endpoint)?;
            let spans = telemetry.layer().with_filter(EnvFilter::new("hark=debug"));
            // The same log, and beside it the spans of Hark's own, whatever the log itself leaves out.
            tracing_subscriber::registry().with(lines).with(spans).init();
            Some(telemetry)
        }
        None => {
            tracing_subscriber::registry().with(lines).init();
            None
        }
    };
    #[cfg(not(feature = "otel"))]
    tracing_subscriber::registry().with(lines).init();
    Ok(Log {
        levels: Levels {
            is_said,
            change: Arc::new(move |filter| change.reload(filter)),
        },
        #[cfg(feature = "otel")]
        _kept: kept,
    })
}

/// How lines look.
fn lines(global: &Global) -> Box<dyn Layer<Registry> + Send + Sync> {
    let is_pretty = match global.log_format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    if is_pretty {
        lines.with_ansi(is_coloured(Stream::Stderr)).with_target(false).boxed()
    } else {
        lines.json().flatten_event(true).boxed()
    }
}
