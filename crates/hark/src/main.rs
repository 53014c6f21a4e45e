//! The binary. The only crate with a command line, a clock, an environment and servers.

mod app;
mod backtest;
mod cli;
mod client;
mod commands;
mod config;
mod dashboard;
mod exit;
mod http;
mod logging;
mod metrics;
mod output;
mod progress;
mod report;
mod runtime;
mod shutdown;
mod table;
#[cfg(feature = "otel")]
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::config::Config;
use crate::exit::Exit;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // What is kept sends the last spans when it goes.
    let ended = logging::start(&cli.global).and_then(|_kept| run(cli));
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => exit::report(&error).into(),
    }
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    let flags = cli.flags();
    let format = cli.global.format;
    let config = || Ok::<_, anyhow::Error>(Config::load(&flags)?.config);
    match cli.command {
        Command::Up(args) => block_on(commands::up::run(config()?, args))?,
        Command::Simulate(args) => block_on(commands::simulate::run(config()?, args))?,
        Command::Consume(args) => block_on(commands::consume::run(config()?, args))?,
        Command::Train(args) => block_on(commands::train::run(config()?, args))?,
        Command::Serve(_) => block_on(commands::serve::run(config()?))?,
        Command::Dashboard(_) => block_on(commands::dashboard::run(config()?))?,
        Command::Backtest(args) => return backtest::run(&config()?, &args, format),
        Command::Forest(command) => commands::forest::run(&command, format)?,
        Command::Models(command) => commands::models::run(&config()?, &command, format)?,
        Command::Import(args) => block_on(commands::import::run(config()?, args))?,
        Command::Export(args) => block_on(commands::export::run(config()?, args))?,
        Command::DeadLetters(command) => block_on(commands::dead_letters::run(config()?, command, format))?,
        Command::Incidents(command) => block_on(commands::incidents::run(config()?, command, format))?,
        Command::Maintenance(command) => commands::maintenance::run(&config()?, command, format)?,
        Command::Report(args) => block_on(report::run(config()?, args))?,
        Command::Config(command) => commands::config::run(&flags, &command, format)?,
        Command::Setup(args) => block_on(commands::setup::run(config()?, args, format))?,
        Command::Doctor => block_on(commands::doctor::run(config()?, format))?,
        Command::Health { url } => block_on(commands::health::run(url))?,
        Command::Completions { shell } => commands::completions::run(shell)?,
        Command::Man { folder } => commands::man::run(&folder)?,
        Command::Openapi => commands::openapi::run()?,
    }
    Ok(Exit::Ok)
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
