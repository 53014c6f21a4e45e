//! A folder of its own for each test, with names in both services that nobody else has.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// A place to run commands in.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    name: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let nth = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            dir: TempDir::new().unwrap(),
            name: format!("t{}_{nth}", std::process::id()),
        }
    }

    /// A command with the environment of this place.
    pub(crate) fn command(&self, program: &str) -> Command {
        let binaries = Path::new(env!("CARGO_BIN_EXE_hark")).parent().unwrap();
        let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(program);
        command
            .current_dir(self.dir.path())
            .env("PATH", path)
            .env("PROJECT_ID", "hark-test")
            .env("TOPIC_NAME", format!("{}-readings", self.name))
            .env("SUBSCRIPTION_NAME", format!("{}-consumers", self.name))
            .env("HARK__WAREHOUSE__BIGQUERY__DATASET", &self.name);
        command
    }

    /// Runs hark, which must end well, and gives what it wrote to stdout.
    pub(crate) fn hark(&self, args: &[&str]) -> Vec<u8> {
        told(self.command("hark").args(args).output().unwrap(), &args.join(" "))
    }
}

/// The output of a command that ended well.
#[track_caller]
pub(crate) fn told(output: Output, what: &str) -> Vec<u8> {
    let said = String::from_utf8_lossy(&output.stderr);
    let wrote = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{what}: {}\n{wrote}\n{said}", output.status);
    output.stdout
}
