//! `hark completions`: what a shell needs to complete hark's commands.

use std::io::{self, Write};

use clap_complete::Shell;

use crate::cli;

/// Writes them to stdout.
pub(crate) fn run(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "hark", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(())
}
