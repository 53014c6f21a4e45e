//! The commands that run: up, simulate, consume, train, serve, dashboard, setup.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use domain::Timestamp;

use super::{instant, listens, set};
use crate::config::{Flags, Listener, parse_span};
use crate::table::{Place, TableFormat};

/// `hark up`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  hark up                                    with a simulated fleet of 50
  hark up --devices 500 --history 7d         a larger one with a longer past
  hark up --no-simulator                     only what is sent to it
  hark up --listen 0.0.0.0:8000 --insecure   for everybody on a network that is trusted")]
pub(crate) struct UpArgs {
    /// Simulate no fleet: take only what is sent
    #[arg(long, conflicts_with_all = ["devices", "history"])]
    pub(crate) no_simulator: bool,
    /// How many devices to simulate
    #[arg(long, value_name = "N")]
    pub(crate) devices: Option<u32>,
    /// How much simulated past to make first when the data folder is empty
    #[arg(long, value_name = "SPAN", value_parser = parse_span, default_value = "2d")]
    pub(crate) history: Duration,
    /// Where the API listens
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Where the page listens
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) dashboard_listen: Option<String>,
    /// Allow addresses that others can reach, without a password
    #[arg(long)]
    pub(crate) insecure: bool,
}

impl UpArgs {
    pub(super) fn configure(&self, flags: &mut Flags) {
        set(flags, "api.listen", "--listen", self.listen.as_ref());
        set(
            flags,
            "dashboard.listen",
            "--dashboard-listen",
            self.dashboard_listen.as_ref(),
        );
        set(flags, "simulator.devices", "--devices", self.devices);
        listens(flags, &[Listener::Api, Listener::Dashboard], self.insecure);
    }
}

/// How fast simulated time passes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Speed {
    /// So many times as fast as the clock.
    Times(f64),
    /// As fast as the machine can.
    Max,
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse::<f64>() {
        Ok(times) if times > 0.0 && times.is_finite() => Ok(Speed::Times(times)),
        _ => Err("expected a number above 0, or max".to_owned()),
    }
}

/// `hark simulate`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Without --history, --start or --duration it goes on from now, in real time, until it is stopped.

Examples:
  hark simulate --history 7d --output week.ndjson     a week, labelled, as fast as can be
  hark simulate --devices 5 | head                    live messages
  hark simulate --to http://127.0.0.1:8000            live, to a running Hark
  hark simulate --bus pubsub                          live, to Google Pub/Sub
  hark simulate --start 2025-01-01 --duration 1d --output day.csv")]
pub(crate) struct SimulateArgs {
    /// How many devices
    #[arg(long, value_name = "N")]
    pub(crate) devices: Option<u32>,
    /// The time between two readings of a device
    #[arg(long, value_name = "SPAN")]
    pub(crate) interval: Option<String>,
    /// The seed: the same seed gives the same readings
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// The share of readings that are odd for themselves, 0 to 1
    #[arg(long, value_name = "SHARE")]
    pub(crate) anomaly_rate: Option<f64>,
    /// Make the readings of so long until now, and end
    #[arg(long, value_name = "SPAN", value_parser = parse_span, conflicts_with_all = ["start", "duration"])]
    pub(crate) history: Option<Duration>,
    /// Begin at this instant
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) start: Option<Timestamp>,
    /// End after so much simulated time
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub(crate) duration: Option<Duration>,
    /// How many times as fast as the clock, or max [default: max for the past, 1 for the present]
    #[arg(long, value_name = "N|max", value_parser = speed)]
    pub(crate) speed: Option<Speed>,
    /// Where to write; - is stdout
    #[arg(long, value_name = "FILE", default_value = "-", conflicts_with = "to")]
    pub(crate) output: Place,
    /// How to write: ndjson is a message of the bus a line, csv and parquet are tables with the labels [default: what the
    /// name of the output says, else ndjson]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) output_format: Option<TableFormat>,
    /// Send to a running Hark instead
    #[arg(long, value_name = "URL", conflicts_with = "output_format")]
    pub(crate) to: Option<String>,
    /// Publish to a bus of this kind instead
    #[arg(long, value_name = "KIND", conflicts_with_all = ["output", "output_format", "to"])]
    pub(crate) bus: Option<String>,
}

impl SimulateArgs {
    pub(super) fn configure(&self, flags: &mut Flags) {
        set(flags, "simulator.devices", "--devices", self.devices);
        set(flags, "simulator.interval", "--interval", self.interval.as_ref());
        set(flags, "simulator.seed", "--seed", self.seed);
        set(flags, "simulator.anomaly_rate", "--anomaly-rate", self.anomaly_rate);
        set(flags, "bus.kind", "--bus", self.bus.as_ref());
    }
}

/// Where a process that serves no API tells how it is.
#[derive(Debug, Clone, Args)]
pub(crate) struct OperationArgs {
    /// Tell metrics and health at this address: /metrics, /livez and /readyz [default: nowhere]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Allow an address that others can reach, without a password
    #[arg(long, requires = "metrics_listen")]
    pub(crate) insecure: bool,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.replacen("localhost:", "127.0.0.1:", 1);
    text.parse()
        .map_err(|_| "write it as 127.0.0.1:9464 or [::1]:9464".to_owned())
}

/// `hark consume`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  hark simulate --history 1d | hark consume        a day of messages through the whole pipeline
  hark consume --input messages.ndjson
  hark consume --bus pubsub                        from Google Pub/Sub, side by side with others
  hark consume --metrics-listen 127.0.0.1:9464     with /metrics for Prometheus")]
pub(crate) struct ConsumeArgs {
    /// Messages, one a line; - is stdin [default: the bus, where processes share it; else stdin]
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<Place>,
    /// The kind of bus to consume from, instead of the configured one
    #[arg(long, value_name = "KIND", conflicts_with = "input")]
    pub(crate) bus: Option<String>,
    /// End when the bus brought nothing for so long
    #[arg(long, value_name = "SPAN", value_parser = parse_span, conflicts_with = "input")]
    pub(crate) until_idle: Option<Duration>,
    #[command(flatten)]
    pub(crate) operation: OperationArgs,
}

impl ConsumeArgs {
    pub(super) fn configure(&self, flags: &mut Flags) {
        set(flags, "bus.kind", "--bus", self.bus.as_ref());
    }
}

/// Whether a new model takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Promotion {
    /// In any case
    Always,
    /// Only by `hark models promote`
    Never,
    /// When it is not worse than the one in force on the readings kept aside
    IfBetter,
}

/// `hark train`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  hark train                                   on everything that is stored
  hark train --since 2025-08-01 --promote never
  hark train --every 1d --metrics-listen 127.0.0.1:9464    as a service, with /metrics for Prometheus")]
pub(crate) struct TrainArgs {
    /// Whether the new model takes over
    #[arg(long, value_enum, default_value_t = Promotion::IfBetter)]
    pub(crate) promote: Promotion,
    /// Train on readings from this instant on
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) since: Option<Timestamp>,
    /// Train on readings before this instant
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) until: Option<Timestamp>,
    /// The share of the time, at its end, that is kept aside to measure the model on
    #[arg(long, value_name = "SHARE")]
    pub(crate) holdout: Option<f64>,
    /// Go on: train again so long after the last training, and every minute while there is too little to train on
    #[arg(long, value_name = "SPAN", value_parser = parse_span, conflicts_with = "until")]
    pub(crate) every: Option<Duration>,
    #[command(flatten)]
    pub(crate) operation: OperationArgs,
}

impl TrainArgs {
    pub(super) fn configure(&self, flags: &mut Flags) {
        set(flags, "train.holdout", "--holdout", self.holdout);
    }
}

/// `hark serve`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  hark serve
  hark serve --listen 127.0.0.1:9000")]
pub(crate) struct ServeArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Allow an address that others can reach, without a password
    #[arg(long)]
    pub(crate) insecure: bool,
}

impl ServeArgs {
    pub(super) fn configure(&self, flags: &mut Flags) {
        set(flags, "api.listen", "--listen", self.listen.as_ref());
        listens(flags, &[Listener::Api], self.insecure);
    }
}

/// `hark dashboard`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  hark dashboard
  hark dashboard --api http://127.0.0.1:9000")]
pub(crate) struct DashboardArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Where the API is
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
    /// Allow an address that others can reach, without a password
    #[arg(long)]
    pub(crate) insecure: bool,
}

impl DashboardArgs {
    pub(super) fn configure(&self, flags: &mut Flags) {
        set(flags, "dashboard.listen", "--listen", self.listen.as_ref());
        set(flags, "dashboard.api", "--api", self.api.as_ref());
        listens(flags, &[Listener::Dashboard], self.insecure);
    }
}

/// `hark setup`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
It is safe to repeat: what is there stays as it is.

Examples:
  hark setup --dry-run    say what is missing, and make nothing
  PROJECT_ID=plant HARK__BUS__KIND=pubsub hark setup")]
pub(crate) struct SetupArgs {
    /// Change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
