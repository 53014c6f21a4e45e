//! `hark man`: the manual pages, from the very words that --help says.

use std::path::Path;

use anyhow::Context;

use crate::cli;
use crate::output::say;

/// Writes a page for each command into the folder.
pub(crate) fn run(folder: &Path) -> anyhow::Result<()> {
    let wrote = || {
        std::fs::create_dir_all(folder)?;
        clap_mangen::generate_to(cli::command(), folder)
    };
    wrote().with_context(|| format!("failed to write the manual pages into `{}`", folder.display()))?;
    say(format_args!("manual pages written into `{}`", folder.display()));
    Ok(())
}
