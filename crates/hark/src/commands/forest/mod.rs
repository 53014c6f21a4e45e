//! `hark forest`: isolation forests on plain tables. No device, no signal, no configuration.

mod answers;
mod explain;
mod files;
mod fit;
mod numbers;
mod score;

use crate::cli::ForestCommand;
use crate::output::Format;

/// Fits, scores, explains, exports or imports.
pub(crate) fn run(command: &ForestCommand, format: Format) -> anyhow::Result<()> {
    match command {
        ForestCommand::Fit(args) => fit::run(args),
        ForestCommand::Score(args) => score::run(args, format),
        ForestCommand::Explain(args) => explain::run(args, format),
        ForestCommand::Export(args) => files::export(args),
        ForestCommand::Import(args) => files::import(args),
    }
}
