//! The commands on what is kept: models, dead letters, the configuration.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
        /// The file
        #[arg(value_name = "FILE")]
        input: PathBuf,
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
    },
    /// Throw them away
    Purge {
        #[command(flatten)]
        choice: LetterChoice,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// `hark config …`
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "\
Examples:
  hark config init
  hark config check
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
    Check,
    /// Show every value in force
    Show {
        /// Where each value came from as well
        #[arg(long)]
        origin: bool,
    },
}
