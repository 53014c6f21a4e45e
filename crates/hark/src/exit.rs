//! How the process ends: one code for each kind of end, and errors told once.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use bus::{BusError, BusErrorKind};
use warehouse::{WarehouseError, WarehouseErrorKind};

use crate::config::{ConfigError, Problem};
use crate::output::{Hue, Stream, painted};

/// The ends a command can come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Ok = 0,
    /// Something failed.
    Failed = 1,
    /// The command line could not be understood.
    Usage = 2,
    /// The configuration cannot be used.
    Configuration = 3,
    /// Something that is needed is not there or cannot be reached.
    DependencyAway = 4,
    /// Anomalies were found, and that was asked to be told.
    AnomaliesFound = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a failure is about: which page of the documentation says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    CommandLine,
    Configuration,
    NothingStored,
    FolderInUse,
    Damage,
    Rights,
    Away,
    Other,
}

impl Topic {
    /// The page in the repository.
    fn page(self) -> &'static str {
        match self {
            Self::CommandLine => "docs/reference/command-line.md",
            Self::Configuration => "docs/how-to/troubleshoot.md#a-configuration-that-cannot-be-used",
            Self::NothingStored => "docs/how-to/troubleshoot.md#nothing-is-stored-yet",
            Self::FolderInUse => "docs/how-to/troubleshoot.md#a-data-folder-in-use",
            Self::Damage => "docs/how-to/troubleshoot.md#a-damaged-file",
            Self::Rights => "docs/how-to/troubleshoot.md#rights-and-room",
            Self::Away => "docs/how-to/troubleshoot.md#something-cannot-be-reached",
            Self::Other => "docs/how-to/troubleshoot.md",
        }
    }
}

/// A failure that a person can mend: what is wrong, how to mend it, and how the process ends.
#[derive(Debug)]
pub(crate) struct Fault {
    exit: Exit,
    message: String,
    hint: String,
}

impl Fault {
    /// A failure with advice.
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            exit: Exit::Failed,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// This failure with another end.
    pub(crate) fn exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// Tells an error on stderr, and says how the process ends.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    if is_closed_pipe(error) {
        return Exit::Ok;
    }
    let mut text = String::new();
    match error.downcast_ref::<ConfigError>() {
        Some(config) => config.problems.iter().for_each(|it| tell_problem(it, &mut text)),
        None => tell(error, &mut text),
    }
    text.push_str(&format!("see: {}\n", topic_of(error).page()));
    // Nobody is left to be told when stderr is closed.
    let _ = io::stderr().lock().write_all(text.as_bytes());
    exit_of(error)
}

/// Writes the error and its causes, and then all advice: that of a [`Fault`], and `hint:` lines inside of messages.
fn tell(error: &anyhow::Error, text: &mut String) {
    let mut hints = Vec::new();
    let mut told = String::new();
    for (at, cause) in error.chain().enumerate() {
        let cause = cause.to_string();
        let (message, hint) = match cause.split_once("\nhint: ") {
            Some((message, hint)) => (message, Some(hint)),
            None => (cause.as_str(), None),
        };
        hints.extend(hint.map(str::to_owned));
        if !told.ends_with(message) {
            if at == 0 {
                push_word("error:", Hue::Bad, text);
            } else {
                text.push_str("  caused by: ");
            }
            text.push_str(message);
            text.push('\n');
        }
        message.clone_into(&mut told);
    }
    if let Some(fault) = error.downcast_ref::<Fault>() {
        hints.push(fault.hint.clone());
    }
    if hints.is_empty() {
        hints.extend(advice_on(error).map(str::to_owned));
    }
    for hint in hints {
        push_hint(&hint, text);
    }
}

fn tell_problem(problem: &Problem, text: &mut String) {
    push_word("error:", Hue::Bad, text);
    text.push_str(&format!("{}\n", problem.message));
    if let Some(hint) = &problem.hint {
        push_hint(hint, text);
    }
}

fn push_hint(hint: &str, text: &mut String) {
    push_word("hint:", Hue::Good, text);
    text.push_str(&format!("{hint}\n"));
}

fn push_word(word: &str, hue: Hue, text: &mut String) {
    text.push_str(&painted(word, hue, Stream::Stderr));
    text.push(' ');
}

/// What helps against what the machine refused, where nothing else was advised.
fn advice_on(error: &anyhow::Error) -> Option<&'static str> {
    match topic_of(error) {
        Topic::NothingStored => {
            Some("`hark up` or `hark import` begins one; one that lies elsewhere is named by --data-dir")
        }
        Topic::Rights => match io_kind(error) {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                Some("make room on that disk, and try again")
            }
            Some(io::ErrorKind::ReadOnlyFilesystem) => {
                Some("that disk is mounted read-only; choose another folder with --data-dir")
            }
            _ => Some("give this user the right to it, or run hark as the user who has it"),
        },
        _ => None,
    }
}

fn io_kind(error: &anyhow::Error) -> Option<io::ErrorKind> {
    let io = error.chain().find_map(|it| it.downcast_ref::<io::Error>());
    io.map(io::Error::kind)
}

fn warehouse_kind(error: &anyhow::Error) -> Option<WarehouseErrorKind> {
    let warehouse = error.chain().find_map(|it| it.downcast_ref::<WarehouseError>());
    warehouse.map(|it| it.kind)
}

/// Whether another process holds the data folder.
pub(crate) fn is_held(error: &anyhow::Error) -> bool {
    warehouse_kind(error) == Some(WarehouseErrorKind::Held)
}

fn topic_of(error: &anyhow::Error) -> Topic {
    match exit_of(error) {
        Exit::Usage => return Topic::CommandLine,
        Exit::Configuration => return Topic::Configuration,
        _ => {}
    }
    match warehouse_kind(error) {
        Some(WarehouseErrorKind::Absent) => return Topic::NothingStored,
        Some(WarehouseErrorKind::Held) => return Topic::FolderInUse,
        Some(WarehouseErrorKind::Corrupt) => return Topic::Damage,
        Some(WarehouseErrorKind::Denied) => return Topic::Rights,
        _ => {}
    }
    if exit_of(error) == Exit::DependencyAway {
        return Topic::Away;
    }
    match io_kind(error) {
        Some(
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem,
        ) => Topic::Rights,
        _ => Topic::Other,
    }
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return fault.exit;
    }
    let bus_is_away = |it: &BusError| it.kind == BusErrorKind::Unavailable;
    for cause in error.chain() {
        if cause.is::<ConfigError>() {
            return Exit::Configuration;
        }
        if cause.downcast_ref::<BusError>().is_some_and(bus_is_away) {
            return Exit::DependencyAway;
        }
    }
    match warehouse_kind(error) {
        Some(WarehouseErrorKind::Retryable | WarehouseErrorKind::Absent) => Exit::DependencyAway,
        _ => Exit::Failed,
    }
}

/// Whether the reader of our output went away, as `head` does: then there is nothing to tell.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = match cause.downcast_ref::<csv::Error>().map(csv::Error::kind) {
            Some(csv::ErrorKind::Io(io)) => Some(io),
            _ => cause.downcast_ref::<io::Error>(),
        };
        io.is_some_and(|it| it.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[track_caller]
    fn check(error: anyhow::Error, expected: Exit, topic: Topic) {
        assert_eq!((exit_of(&error), topic_of(&error)), (expected, topic), "{error:#}");
    }

    fn of_warehouse(kind: WarehouseErrorKind) -> anyhow::Error {
        anyhow::Error::new(WarehouseError::new(kind, "x")).context("opening")
    }

    #[test]
    fn exit_code_and_page_follow_from_the_cause() {
        check(anyhow::anyhow!("x"), Exit::Failed, Topic::Other);
        let away = BusError::new(BusErrorKind::Unavailable, "gone");
        check(
            Err::<(), _>(away).context("publishing").unwrap_err(),
            Exit::DependencyAway,
            Topic::Away,
        );
        check(
            ConfigError::new(Vec::new()).into(),
            Exit::Configuration,
            Topic::Configuration,
        );
        let fault = Fault::new("a", "b").exit(Exit::DependencyAway);
        check(fault.into(), Exit::DependencyAway, Topic::Away);
        let usage = Fault::new("a", "b").exit(Exit::Usage);
        check(usage.into(), Exit::Usage, Topic::CommandLine);
        check(
            of_warehouse(WarehouseErrorKind::Absent),
            Exit::DependencyAway,
            Topic::NothingStored,
        );
        check(
            of_warehouse(WarehouseErrorKind::Retryable),
            Exit::DependencyAway,
            Topic::Away,
        );
        check(of_warehouse(WarehouseErrorKind::Held), Exit::Failed, Topic::FolderInUse);
        check(of_warehouse(WarehouseErrorKind::Corrupt), Exit::Failed, Topic::Damage);
        let full = io::Error::from(io::ErrorKind::StorageFull);
        check(anyhow::Error::new(full).context("writing"), Exit::Failed, Topic::Rights);
    }

    #[test]
    fn every_page_that_is_named_is_there() {
        let text = include_str!("../../../docs/how-to/troubleshoot.md");
        let slug = |it: &str| it.to_lowercase().replace(' ', "-");
        let headings: Vec<String> = text.lines().filter_map(|it| it.strip_prefix("## ")).map(slug).collect();
        for topic in [
            Topic::Configuration,
            Topic::NothingStored,
            Topic::FolderInUse,
            Topic::Damage,
            Topic::Rights,
            Topic::Away,
        ] {
            let (_, heading) = topic.page().split_once('#').unwrap();
            assert!(headings.iter().any(|it| it == heading), "{topic:?}: {headings:?}");
        }
    }

    #[test]
    fn an_error_is_told_with_its_causes_and_advice() {
        let error = Err::<(), _>(io::Error::other("disk is full"))
            .context(Fault::new("nothing was written", "make room"))
            .unwrap_err();
        let mut text = String::new();
        tell(&error, &mut text);
        assert_eq!(
            text,
            "error: nothing was written\n  caused by: disk is full\nhint: make room\n"
        );
    }
}
