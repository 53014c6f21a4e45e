//! The commands on what is kept: models, dead letters, the configuration.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use domain::{Label, Severity, Standing, Timestamp};

use super::instant;
use crate::config::parse_span;
use crate::table::Place;

/// `hark models …`
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "\
Examples:
  hark models list
  hark models show m-0002 --format json
  hark models promote m-0002")]
pub(crate) enum ModelsCommand {
    /// All versions, newest first
    List,
    /// One version: what it was trained on, and how good it was
    Show {
        /// The version; the one in force when left out
        version: Option<String>,
    },
    /// Let a version judge from now on
    Promote {
        /// The version
        version: String,
    },
    /// Go back to the version that judged before
    Rollback,
    /// Write a version to a file
    Export {
        /// The version
        version: String,
        /// Where to; - is stdout
        #[arg(long, value_name = "FILE")]
        output: Place,
    },
    /// Take a version from a file
    Import {
        /// The file; - is stdin
        #[arg(value_name = "FILE")]
        input: Place,
        /// Let it judge from now on
        #[arg(long)]
        promote: bool,
    },
}

/// Which dead letters.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct LetterChoice {
    /// Their numbers
    #[arg(value_name = "ID", conflicts_with_all = ["all", "code"])]
    pub(crate) ids: Vec<u64>,
    /// All of them
    #[arg(long, conflicts_with = "code")]
    pub(crate) all: bool,
    /// Those of this kind, malformed_json
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
}

/// `hark dead-letters …`
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "\
Examples:
  hark dead-letters list --code bad_timestamp
  hark dead-letters show 17
  hark dead-letters replay --all        after the reason is mended
  hark dead-letters purge --all --yes")]
pub(crate) enum DeadLettersCommand {
    /// What was refused, newest first
    List {
        /// Of this kind only, malformed_json
        #[arg(long, value_name = "CODE")]
        code: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
    },
    /// One of them, with its bytes
    Show {
        /// Its number
        id: u64,
    },
    /// Send them through the pipeline again; those that are taken leave the list
    Replay {
        #[command(flatten)]
        choice: LetterChoice,
        /// Say which, and send nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Throw them away
    Purge {
        #[command(flatten)]
        choice: LetterChoice,
        /// Say which, and throw nothing away
        #[arg(long)]
        dry_run: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// `hark incidents …`
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "\
Examples:
  hark incidents list
  hark incidents list --state resolved --label false_alarm --format csv
  hark incidents show 01k5tqs4d8000hq3v2m9x7ab")]
pub(crate) enum IncidentsCommand {
    /// Which there are, the one that began last first
    List(IncidentChoice),
    /// One of them: why, what people made of it, and every step
    Show {
        /// Its name
        id: String,
    },
}

/// Which incidents.
#[derive(Debug, Clone, Args)]
pub(crate) struct IncidentChoice {
    /// In this state: open, acknowledged, snoozed, resolved; all that are not resolved when left out
    #[arg(long, value_name = "STATE", value_parser = standing)]
    pub(crate) state: Option<Standing>,
    /// Resolved ones as well
    #[arg(long, conflicts_with = "state")]
    pub(crate) all: bool,
    /// Of this device only
    #[arg(long, value_name = "ID")]
    pub(crate) device: Option<String>,
    /// That did not begin before this time
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    pub(crate) from: Option<Timestamp>,
    /// That began before this time
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    pub(crate) to: Option<Timestamp>,
    /// That matter so much: notice, warning, critical
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    pub(crate) severity: Option<Severity>,
    /// That a person labelled so: true, false_alarm, expected, sensor_fault
    #[arg(long, value_name = "LABEL", value_parser = label)]
    pub(crate) label: Option<Label>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
}

fn standing(text: &str) -> Result<Standing, String> {
    Standing::from_name(text).ok_or_else(|| one_of(&Standing::ALL.map(Standing::as_str)))
}

fn severity(text: &str) -> Result<Severity, String> {
    Severity::from_name(text).ok_or_else(|| one_of(&Severity::ALL.map(Severity::as_str)))
}

pub(super) fn label(text: &str) -> Result<Label, String> {
    Label::from_name(text).ok_or_else(|| one_of(&Label::ALL.map(Label::as_str)))
}

fn one_of(words: &[&str]) -> String {
    format!("it is one of {}", words.join(", "))
}

/// `hark maintenance …`
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "\
Examples:
  hark maintenance add --device pump-1 --for 2h --reason \"belt replaced\"
  hark maintenance add --for 30m --reason \"power test of the whole fleet\"
  hark maintenance list
  hark maintenance end 3")]
pub(crate) enum MaintenanceCommand {
    /// All windows, the newest first
    List,
    /// Learn nothing from a device or the whole fleet for a while, and tell nobody
    Add {
        /// Of this device; of the whole fleet when left out
        #[arg(long, value_name = "ID")]
        device: Option<String>,
        /// From this time; now when left out
        #[arg(long, value_name = "TIME", value_parser = super::instant)]
        from: Option<Timestamp>,
        /// For so long
        #[arg(long = "for", value_name = "SPAN", value_parser = humantime::parse_duration)]
        span: std::time::Duration,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who says so
        #[arg(long, value_name = "NAME", default_value = "command line")]
        who: String,
    },
    /// End a window now
    End {
        /// Its number
        id: u64,
    },
}

/// `hark config …`
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "\
Examples:
  hark config init
  hark config check --online
  hark config schema >hark.schema.json
  hark config show --origin")]
pub(crate) enum ConfigCommand {
    /// Write a configuration file that explains every key
    Init {
        /// Where to; - is stdout
        #[arg(long, value_name = "FILE", default_value = "hark.toml")]
        output: Place,
        /// Write over a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Check the configuration and say everything that is wrong with it
    Check {
        /// Try as well whether bus, warehouse and models can be reached; what cannot is a warning
        #[arg(long)]
        online: bool,
    },
    /// Write what may stand in the file as JSON Schema to stdout, for editors
    Schema,
    /// Show every value in force
    Show {
        /// Where each value came from as well
        #[arg(long)]
        origin: bool,
    },
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Text with a little markup
    Markdown,
    /// A page of its own, with plots
    Html,
    /// A list of its parts, for programs
    Json,
    /// A part a line
    Ndjson,
}

/// `hark report`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  hark report                                  the last seven days, as Markdown
  hark report --output week.html               as a page with plots
  hark report --json | jq '.[] | select(.heading)'
  hark report --last 1d --to 2025-08-07T00:00:00Z")]
pub(crate) struct ReportArgs {
    /// How long a time it tells of, up to 62 days; up to two days by the hour
    #[arg(long, value_name = "SPAN", value_parser = report_span, default_value = "7d")]
    pub(crate) last: Duration,
    /// When that time ends [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) to: Option<Timestamp>,
    /// Where to write; - is stdout
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) output: Place,
    /// How to write [default: what the name of the output says, else markdown]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) report_format: Option<ReportFormat>,
}

fn report_span(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(62 * 86_400);
    match parse_span(text)? {
        span if span.is_zero() || span > LONGEST => Err("expected a span up to 62 days, such as 7d".to_owned()),
        span => Ok(span),
    }
}
