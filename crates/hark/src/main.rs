//! The binary. The only crate with a command line, a clock, an environment and servers.

mod cli;
mod config;
mod exit;
mod logging;
mod output;
mod table;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::config::Config;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start(&cli.global);
    let result = Config::load(&cli.flags()).map_err(anyhow::Error::from);
    match result {
        Ok(_) => exit::Exit::Ok.into(),
        Err(error) => exit::report(&error).into(),
    }
}
