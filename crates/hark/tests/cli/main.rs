//! The command line as its users meet it: what it says, what it writes, how it ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backup;
mod data;
mod errors;
mod forest;
mod help;
mod labels;
mod manners;
mod report;
mod settings;

use std::path::{Path, PathBuf};
use std::process::Command;

/// An empty working folder in which hark is run.
struct Folder(tempfile::TempDir);

/// What a run of hark came to.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

/// What else of the environment Hark reads.
const READ: [&str; 11] = [
    "PROJECT_ID",
    "TOPIC_NAME",
    "SUBSCRIPTION_NAME",
    "PUBSUB_EMULATOR_HOST",
    "BIGQUERY_REST_ENDPOINT",
    "BIGQUERY_GRPC_ENDPOINT",
    "REDIS_URL",
    "NUM_DEVICES",
    "PUBLISH_INTERVAL",
    "RUST_LOG",
    "COLUMNS",
];

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hark"));
        let ours = std::env::vars_os().filter(|(name, _)| {
            let name = name.to_string_lossy();
            name.starts_with("HARK") || READ.contains(&name.as_ref())
        });
        for (name, _) in ours {
            command.env_remove(name);
        }
        command.args(args).current_dir(self.0.path());
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, "")
    }

    fn run_with(&self, args: &[&str], stdin: &str) -> Run {
        let output = assert_cmd::Command::from_std(self.command(args))
            .write_stdin(stdin)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| without_folder(&String::from_utf8(bytes).unwrap(), self.0.path());
        Run {
            code: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Runs what must go well, and gives what it wrote to stdout.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{args:?}\n{run}");
        run.stdout
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit {}\n-- stdout\n{}-- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

fn without_folder(text: &str, folder: &Path) -> String {
    text.replace(&format!("{}/", folder.display()), "")
}
