//! The commands on what is kept as a whole, and on what people said of it: db, labels.

use clap::{Args, Subcommand};
use domain::{Label, Timestamp};

use super::instant;
use super::stored::label;
use crate::table::{Place, TableFormat};

/// `hark db …`
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "\
Examples:
  hark db check
  hark db backup --output backup-monday       while a hark runs, or not
  hark db backup --output - | ssh vault 'cat >hark.tar'
  hark db restore backup-monday --dry-run
  hark db restore hark.tar --yes")]
pub(crate) enum DbCommand {
    /// Look through all that is kept for damage, and count it
    Check {
        /// A backup to look through instead: its folder or .tar file; - is a tar from stdin
        #[arg(value_name = "BACKUP")]
        backup: Option<Place>,
    },
    /// Copy readings, models, settings and configuration as they are now, while a hark runs or not
    Backup {
        /// The folder to make, or a file that ends with .tar; - is a tar to stdout
        #[arg(long, value_name = "FOLDER")]
        output: Place,
    },
    /// Put a backup in the place of the data folder; what is there is moved aside, not thrown away
    Restore {
        /// The backup: its folder or .tar file; - is a tar from stdin
        #[arg(value_name = "BACKUP")]
        backup: Place,
        /// Look through the backup, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Do not ask whether what is there may be replaced
        #[arg(long)]
        yes: bool,
    },
}

/// `hark labels …`
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = "\
Examples:
  hark labels list --label false_alarm
  hark labels stats                            what another threshold would have changed
  hark labels export --output labels.csv
  hark labels import labels.csv --dry-run
  hark labels import labels.csv --to http://127.0.0.1:8000     while a hark runs")]
pub(crate) enum LabelsCommand {
    /// The labelled incidents, the one that began last first
    List(LabelChoice),
    /// How many there are of each, and what follows for the threshold
    Stats,
    /// Write all of them as a table: incident_id, label, who, note and what they are about
    Export {
        /// Where to write; - is stdout
        #[arg(long, value_name = "FILE", default_value = "-")]
        output: Place,
    },
    /// Say what incidents were, from a table with columns incident_id and label, and if there are, who and note
    Import(LabelsImportArgs),
}

/// Which labels.
#[derive(Debug, Clone, Args)]
pub(crate) struct LabelChoice {
    /// This one only: true, false_alarm, expected, sensor_fault
    #[arg(long, value_name = "LABEL", value_parser = label)]
    pub(crate) label: Option<Label>,
    /// Of this device only
    #[arg(long, value_name = "ID")]
    pub(crate) device: Option<String>,
    /// Of incidents that did not begin before this time
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) from: Option<Timestamp>,
    /// Of incidents that began before this time
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) to: Option<Timestamp>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
}

/// `hark labels import`
#[derive(Debug, Clone, Args)]
pub(crate) struct LabelsImportArgs {
    /// CSV (plain or gzip), NDJSON or Parquet; - is stdin
    #[arg(value_name = "FILE")]
    pub(crate) input: Place,
    /// What the input is written in, where its name does not say it; stdin is NDJSON
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) input_format: Option<TableFormat>,
    /// Who says so, where the table does not
    #[arg(long, value_name = "NAME", default_value = "command line")]
    pub(crate) who: String,
    /// Say what would be changed, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Send to a running Hark instead of opening the data folder
    #[arg(long, value_name = "URL", conflicts_with = "dry_run")]
    pub(crate) to: Option<String>,
}
