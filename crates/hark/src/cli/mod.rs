//! The command line: what can be asked of Hark, and in which words.

mod forest;
mod kept;
mod running;
mod shape;
mod stored;
mod tables;

use std::path::PathBuf;

use clap::{ColorChoice, Parser, Subcommand, ValueEnum};

use crate::config::{Flags, Listener, Setting};
use crate::output::Format;

pub(crate) use self::forest::{
    ForestCommand, ForestExportArgs, ForestFitArgs, ForestImportArgs, ForestScoreArgs, NumbersArgs,
};
pub(crate) use kept::{DbCommand, LabelChoice, LabelsCommand, LabelsImportArgs};
pub(crate) use running::{
    ConsumeArgs, DashboardArgs, OperationArgs, Promotion, ServeArgs, SetupArgs, SimulateArgs, Speed, TrainArgs, UpArgs,
};
pub(crate) use shape::{command, parse};
pub(crate) use stored::{
    ConfigCommand, DeadLettersCommand, IncidentChoice, IncidentsCommand, LetterChoice, MaintenanceCommand,
    ModelsCommand, ReportArgs, ReportFormat,
};
pub(crate) use tables::{BacktestArgs, ExportArgs, ImportArgs};

/// Hark hears a machine go wrong before it breaks.
///
/// It takes readings of temperature, vibration or any other signal from a fleet of devices, judges each one as it
/// arrives, keeps all of them, and says what is odd and why.
#[derive(Debug, Parser)]
#[command(name = "hark", version = env!("HARK_VERSION"), max_term_width = 100, disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  hark up                          everything in one process, with a simulated fleet
  hark config init                 write a hark.toml that explains every key
  hark import readings.csv         load readings from a file
  hark incidents list              what is wrong, and why
  hark doctor                      what is wrong with Hark itself
  hark backtest --help             judge a file, row by row";

/// What every command takes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration file; ./hark.toml is read if it is there
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "HARK_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,
    /// The folder of everything that is kept, instead of the configured one
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// How to write what is read: for people or for programs [default: table]
    #[arg(long, global = true, value_enum)]
    pub(crate) format: Option<Format>,
    /// When to use colours; auto is on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub(crate) color: ColorChoice,
    /// Say more: -v what is done, -vv every step
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// How to write the log to stderr; auto is JSON unless a person watches
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Auto)]
    pub(crate) log_format: LogFormat,
    /// Send traces to a collector, by OTLP over HTTP [default: nowhere]
    #[cfg(feature = "otel")]
    #[arg(long, global = true, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub(crate) otlp_endpoint: Option<String>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Pretty on a terminal, JSON otherwise
    Auto,
    /// Lines for people
    Pretty,
    /// A JSON object a line
    Json,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process: API, dashboard, and a simulated fleet
    Up(UpArgs),
    /// Make the readings of a simulated fleet
    Simulate(SimulateArgs),
    /// Judge and store messages
    Consume(ConsumeArgs),
    /// Train a model on the stored readings
    Train(TrainArgs),
    /// Serve the detection API
    Serve(ServeArgs),
    /// Serve the page, over the API
    Dashboard(DashboardArgs),
    /// Judge a file of readings, row by row, as if they came live
    Backtest(BacktestArgs),
    /// Fit forests on plain tables and score them, without devices or a configuration
    #[command(subcommand)]
    Forest(ForestCommand),
    /// Look at the models and choose which one judges
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Load readings from a file
    Import(ImportArgs),
    /// Write stored readings to a file
    Export(ExportArgs),
    /// Look at what was refused, and why
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Look at what was wrong, since when, and why
    #[command(subcommand)]
    Incidents(IncidentsCommand),
    /// What people said that incidents were
    #[command(subcommand)]
    Labels(LabelsCommand),
    /// Learn nothing and tell nobody while people work on a device
    #[command(subcommand)]
    Maintenance(MaintenanceCommand),
    /// Tell what happened in a week: incidents, silent devices, quality of data and models
    Report(ReportArgs),
    /// Look through, back up and restore all that is kept
    #[command(subcommand)]
    Db(DbCommand),
    /// Write, check and show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make what the configured bus and warehouse need: topics, subscriptions, tables
    Setup(SetupArgs),
    /// Try each configured part and say what is wrong with it
    #[command(after_help = "\
Examples:
  hark doctor
  hark doctor --format json | jq -r '.[] | select(.state != \"ok\") | .mend'")]
    Doctor,
    /// Ask a running Hark whether it is ready: for containers and scripts, by the exit code
    #[command(after_help = "\
Examples:
  hark health                                   ends with 0 when it is ready, else with 4 or 1
  hark health --url http://127.0.0.1:8501       the same of the page")]
    Health {
        /// The address of its API
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
        url: String,
    },
    /// Write the completions of a shell to stdout
    #[command(after_help = "\
Examples:
  hark completions bash >~/.local/share/bash-completion/completions/hark
  hark completions zsh >~/.zfunc/_hark")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages of all commands into a folder
    #[command(after_help = "\
Examples:
  hark man ~/.local/share/man/man1")]
    Man {
        /// Where to; it is made if it is not there
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Write the description of the API, OpenAPI as JSON, to stdout
    #[command(after_help = "\
Examples:
  hark openapi >openapi.json")]
    Openapi,
}

impl Cli {
    /// What the command line says about the configuration.
    pub(crate) fn flags(&self) -> Flags {
        let mut flags = Flags {
            file: self.global.config.clone(),
            ..Flags::default()
        };
        set(
            &mut flags,
            "data.dir",
            "--data-dir",
            self.global.data_dir.as_ref().map(|it| it.to_string_lossy()),
        );
        match &self.command {
            Command::Up(args) => args.configure(&mut flags),
            Command::Simulate(args) => args.configure(&mut flags),
            Command::Consume(args) => args.configure(&mut flags),
            Command::Train(args) => args.configure(&mut flags),
            Command::Serve(args) => args.configure(&mut flags),
            Command::Dashboard(args) => args.configure(&mut flags),
            _ => {}
        }
        flags
    }
}

fn set(flags: &mut Flags, key: &'static str, flag: &'static str, value: Option<impl ToString>) {
    flags.settings.extend(value.map(|it| Setting {
        key,
        value: it.to_string(),
        flag,
    }));
}

fn listens(flags: &mut Flags, listeners: &[Listener], insecure: bool) {
    flags.listeners.extend_from_slice(listeners);
    flags.insecure |= insecure;
}

/// Reads an instant for a flag.
fn instant(text: &str) -> Result<domain::Timestamp, String> {
    domain::Timestamp::parse_utc(text).map_err(|it| it.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_settings_of_the_configuration() {
        let cli = Cli::try_parse_from([
            "hark",
            "up",
            "--devices",
            "5",
            "--listen",
            "[::1]:9",
            "--data-dir",
            "x y",
        ]);
        let settings: Vec<_> = cli
            .unwrap()
            .flags()
            .settings
            .into_iter()
            .map(|it| (it.key, it.value))
            .collect();
        assert_eq!(
            settings,
            [
                ("data.dir", "x y".to_owned()),
                ("api.listen", "[::1]:9".to_owned()),
                ("simulator.devices", "5".to_owned())
            ]
        );
    }
}
