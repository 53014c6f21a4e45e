//! How the process ends: one code for each kind of end, and errors told once.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use bus::{BusError, BusErrorKind};
use warehouse::{WarehouseError, WarehouseErrorKind};

use crate::config::ConfigError;

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
    /// Something that is needed cannot be reached.
    DependencyAway = 4,
    /// Anomalies were found, and that was asked to be told.
    AnomaliesFound = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
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
        Some(config) => tell_configuration(config, &mut text),
        None => tell(error, &mut text),
    }
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
            text.push_str(if at == 0 { "error: " } else { "  caused by: " });
            text.push_str(message);
            text.push('\n');
        }
        message.clone_into(&mut told);
    }
    if let Some(fault) = error.downcast_ref::<Fault>() {
        hints.push(fault.hint.clone());
    }
    if hints.is_empty() {
        hints.extend(advice_on(error));
    }
    for hint in hints {
        text.push_str(&format!("hint: {hint}\n"));
    }
}

/// What helps against what the machine refused, where nothing else was advised.
fn advice_on(error: &anyhow::Error) -> Option<String> {
    let is_absent = |it: &(dyn std::error::Error + 'static)| it.to_string().starts_with("there is no warehouse at");
    if error.chain().any(is_absent) {
        return Some(
            "`hark up` or `hark import` begins one; one that lies elsewhere is named by --data-dir".to_owned(),
        );
    }
    // SQLite needs to write beside a file that it only reads.
    let is_read_only =
        |it: &(dyn std::error::Error + 'static)| it.to_string() == "attempt to write a readonly database";
    let kind = if error.chain().any(is_read_only) {
        io::ErrorKind::PermissionDenied
    } else {
        error.chain().find_map(|it| it.downcast_ref::<io::Error>())?.kind()
    };
    let advice = match kind {
        io::ErrorKind::PermissionDenied => "give this user the right to it, or run hark as the user who has it",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on that disk, and try again",
        io::ErrorKind::ReadOnlyFilesystem => "that disk is mounted read-only; choose another folder with --data-dir",
        _ => return None,
    };
    Some(advice.to_owned())
}

fn tell_configuration(error: &ConfigError, text: &mut String) {
    for problem in &error.problems {
        text.push_str(&format!("error: {}\n", problem.message));
        if let Some(hint) = &problem.hint {
            text.push_str(&format!("hint: {hint}\n"));
        }
    }
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return fault.exit;
    }
    for cause in error.chain() {
        if cause.is::<ConfigError>() {
            return Exit::Configuration;
        }
        if cause
            .downcast_ref::<BusError>()
            .is_some_and(|it| it.kind == BusErrorKind::Unavailable)
            || cause
                .downcast_ref::<WarehouseError>()
                .is_some_and(|it| it.kind == WarehouseErrorKind::Retryable)
        {
            return Exit::DependencyAway;
        }
    }
    Exit::Failed
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
    fn check(error: anyhow::Error, expected: Exit) {
        assert_eq!(exit_of(&error), expected, "{error:#}");
    }

    #[test]
    fn the_exit_code_follows_from_the_cause() {
        check(anyhow::anyhow!("x"), Exit::Failed);
        let away = BusError::new(BusErrorKind::Unavailable, "gone");
        check(
            Err::<(), _>(away).context("publishing").unwrap_err(),
            Exit::DependencyAway,
        );
        check(ConfigError::new(Vec::new()).into(), Exit::Configuration);
        check(
            Fault::new("a", "b").exit(Exit::DependencyAway).into(),
            Exit::DependencyAway,
        );
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
