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
mod reload;
mod report;
mod runtime;
mod shutdown;
mod table;
#[cfg(feature = "otel")]
mod telemetry;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::exit::Exit;
use crate::logging::Levels;
use crate::output::Format;
use crate::reload::Live;

fn main() -> ExitCode {
    let cli = cli::parse();
    // The log sends its last spans when it goes.
    let ended = logging::start(&cli.global).and_then(|log| run(cli, log.levels.clone()));
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => exit::report(&error).into(),
    }
}

fn run(cli: Cli, levels: Levels) -> anyhow::Result<Exit> {
    let flags = cli.flags();
    let said = cli.global.format;
    let format = said.unwrap_or(Format::Table);
    let live = || Live::load(flags.clone(), levels.clone());
    let config = || Ok::<_, anyhow::Error>(live()?.config);
    match cli.command {
        Command::Up(args) => block_on(commands::up::run(live()?, args))?,
        Command::Simulate(args) => block_on(commands::simulate::run(config()?, args))?,
        Command::Consume(args) => block_on(commands::consume::run(live()?, args))?,
        Command::Train(args) => block_on(commands::train::run(live()?, args))?,
        Command::Serve(_) => block_on(commands::serve::run(live()?))?,
        Command::Dashboard(_) => block_on(commands::dashboard::run(live()?))?,
        Command::Backtest(args) => return backtest::run(&config()?, &args, format),
        Command::Forest(command) => commands::forest::run(&command, format)?,
        Command::Models(command) => commands::models::run(&config()?, &command, said)?,
        Command::Import(args) => block_on(commands::import::run(config()?, args, said))?,
        Command::Export(args) => block_on(commands::export::run(config()?, args.in_format(said)))?,
        Command::DeadLetters(command) => block_on(commands::dead_letters::run(config()?, command, said))?,
        Command::Incidents(command) => block_on(commands::incidents::run(config()?, command, format))?,
        Command::Labels(command) => block_on(commands::labels::run(config()?, command, said))?,
        Command::Maintenance(command) => commands::maintenance::run(&config()?, command, said)?,
        Command::Report(args) => block_on(report::run(config()?, args, said))?,
        Command::Db(command) => block_on(commands::db::run(config()?, &flags, command, format))?,
        Command::Config(command) => block_on(commands::config::run(flags, command, said))?,
        Command::Setup(args) => block_on(commands::setup::run(config()?, args, format))?,
        Command::Doctor => block_on(commands::doctor::run(config()?, format))?,
        Command::Health { url } => block_on(commands::health::run(url, said))?,
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
