//! How the command line is read: examples first in every help, colours as asked, `--json` wherever rows are written, and
//! `--format` refused where there is nothing that it could mean.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, ColorChoice, Command, CommandFactory, FromArgMatches, ValueEnum};

use super::Cli;
use crate::output::Format;

/// What it is, how it is used, and only then every flag.
const HELP: &str = "{about}{after-help}\n\n{usage-heading} {usage}\n\n{all-args}";

const ENDS: &str = "

Exit codes: 0 ok, 1 failed, 2 usage, 3 configuration, 4 something needed is not there, 5 anomalies found,
130 and 143 ended at once by a second signal";

/// The flag that is short for `--format json`. A command may have another one of this name, so it is no global one.
const AS_JSON: &str = "as-json";

/// The whole command line.
pub(crate) fn command() -> Command {
    shaped(Cli::command(), &mut Vec::new()).help_template(format!("{HELP}{ENDS}"))
}

fn shaped(mut command: Command, path: &mut Vec<String>) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    for name in &names {
        path.push(name.clone());
        command = command.mut_subcommand(name, |it| shaped(it, path));
        path.pop();
    }
    if formats(path).contains(&Format::Json) {
        let flag = Arg::new(AS_JSON).long("json").action(ArgAction::SetTrue);
        let flag = flag.conflicts_with("format").help("Short for --format json");
        command = command.arg(flag);
    }
    command.help_template(HELP)
}

/// In which formats a command writes what it found or did; in none where it writes no rows.
fn formats(path: &[String]) -> &'static [Format] {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["backtest" | "import" | "setup" | "doctor" | "health"]
        | ["forest", "score" | "explain"]
        | ["models", "list" | "show" | "promote" | "rollback" | "import"]
        | ["dead-letters" | "incidents" | "maintenance" | "labels" | "db", _]
        | ["config", "check" | "show"] => &[Format::Table, Format::Json, Format::Ndjson, Format::Csv],
        ["export"] => &[Format::Ndjson, Format::Csv],
        ["report"] => &[Format::Json, Format::Ndjson],
        ["openapi"] | ["config", "schema"] => &[Format::Json],
        _ => &[],
    }
}

/// Reads the command line of this process; ends it where there is nothing to do, or nothing that can be understood.
pub(crate) fn parse() -> Cli {
    let words: Vec<OsString> = std::env::args_os().collect();
    let cli = read(words).unwrap_or_else(|it| it.exit());
    crate::output::set_colour(cli.global.color);
    crate::output::be_quiet(cli.global.quiet);
    cli
}

fn read(words: Vec<OsString>) -> Result<Cli, clap::Error> {
    // How help and errors look must be known before they are found.
    let mut command = command().color(colour(&words));
    let matches = command.try_get_matches_from_mut(words)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    let (path, leaf) = asked(&matches);
    if leaf.try_get_one::<bool>(AS_JSON).ok().flatten() == Some(&true) {
        cli.global.format = Some(Format::Json);
    }
    let is_said = leaf.value_source("format") == Some(ValueSource::CommandLine);
    let (true, Some(format)) = (is_said, cli.global.format) else {
        return Ok(cli);
    };
    let known = formats(&path);
    if known.contains(&format) {
        return Ok(cli);
    }
    let name = |it: &Format| {
        it.to_possible_value()
            .map(|it| it.get_name().to_owned())
            .unwrap_or_default()
    };
    let path = path.join(" ");
    let problem = if known.is_empty() {
        format!("`hark {path}` writes no rows, so that --format has nothing to say")
    } else {
        let known: Vec<String> = known.iter().map(name).collect();
        format!(
            "`hark {path}` does not write {}, only {}",
            name(&format),
            known.join(" and ")
        )
    };
    Err(command.error(ErrorKind::ArgumentConflict, problem))
}

/// The words of the command that was asked for, and what was said to it.
fn asked(matches: &ArgMatches) -> (Vec<String>, &ArgMatches) {
    let (mut path, mut leaf) = (Vec::new(), matches);
    while let Some((name, inner)) = leaf.subcommand() {
        path.push(name.to_owned());
        leaf = inner;
    }
    (path, leaf)
}

/// What the words say of colours, as far as they can be understood.
fn colour(words: &[OsString]) -> ColorChoice {
    let words: Vec<&str> = words.iter().filter_map(|it| it.to_str()).collect();
    let said = words.iter().enumerate().find_map(|(at, word)| match *word {
        "--color" => words.get(at + 1).copied(),
        word => word.strip_prefix("--color="),
    });
    let choice = said.and_then(|it| ColorChoice::from_str(it, false).ok());
    choice.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_for(line: &str) -> Result<Cli, clap::Error> {
        read(line.split(' ').map(OsString::from).collect())
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn json_is_short_for_its_format_wherever_rows_are_written() {
        for line in [
            "hark models list --json",
            "hark labels list --json",
            "hark report --json",
        ] {
            assert_eq!(asked_for(line).unwrap().global.format, Some(Format::Json), "{line}");
        }
        assert_eq!(asked_for("hark models list").unwrap().global.format, None);
        assert!(asked_for("hark up --json").is_err());
        assert!(asked_for("hark models list --json --format csv").is_err());
        // That of a forest is another one.
        assert_eq!(asked_for("hark forest export a --json b").unwrap().global.format, None);
    }

    #[test]
    fn a_format_that_a_command_cannot_write_is_refused() {
        assert!(asked_for("hark --format json models list").is_ok());
        assert!(asked_for("hark export --format csv").is_ok());
        for line in [
            "hark up --format json",
            "hark export --format table",
            "hark report --format csv",
        ] {
            assert_eq!(asked_for(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[track_caller]
    fn check(line: &str, expected: ColorChoice) {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        assert_eq!(colour(&words), expected, "{line}");
    }

    #[test]
    fn colours_are_known_before_the_rest_is_understood() {
        check("hark --color never nonsense", ColorChoice::Never);
        check("hark up --color=always --nonsense", ColorChoice::Always);
        check("hark up", ColorChoice::Auto);
        check("hark up --color purple", ColorChoice::Auto);
    }
}
