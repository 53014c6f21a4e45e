//! A running hark, as its users see it: a process, a port, a data folder.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

/// How long a line may take that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A hark process that is killed when it goes out of scope.
pub(crate) struct Hark {
    child: Child,
    /// `http://127.0.0.1:PORT` of the API, or of the metrics where there is no API.
    pub(crate) api: String,
    /// What it said since it listened.
    said: Receiver<String>,
}

impl Hark {
    /// Starts `hark serve` on a free port and waits until it says where it listens.
    pub(crate) fn serve(data: &Path) -> Self {
        Self::start(data, &["serve", "--listen", "127.0.0.1:0"])
    }

    /// Starts hark with these arguments and waits until it says where its API listens.
    pub(crate) fn start(data: &Path, args: &[&str]) -> Self {
        Self::start_until(data, args, "API")
    }

    /// Starts hark with these arguments and waits for the line of this word, which says where it listens. Its stdin
    /// stays open.
    pub(crate) fn start_until(data: &Path, args: &[&str], word: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hark"))
            .args(args)
            .args(["--log-format", "json", "--data-dir"])
            .arg(data)
            .current_dir(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut talk = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let api = loop {
            let mut line = String::new();
            assert!(
                talk.read_line(&mut line).unwrap() > 0,
                "hark ended before it listened:\n{said}"
            );
            said.push_str(&line);
            if let Some(rest) = line.strip_prefix(word) {
                break rest.split_whitespace().next().unwrap().to_owned();
            }
        };
        // The pipe must not fill up; what is said from now on is for the person who reads a failed test.
        let (sender, said) = channel();
        std::thread::spawn(move || {
            talk.lines().map_while(Result::ok).for_each(|it| {
                eprintln!("hark: {it}");
                // A test that is over listens no more.
                let _over = sender.send(it);
            })
        });
        Self { child, api, said }
    }

    /// Waits for the next line of its log with this text.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> Value {
        loop {
            let line = self
                .said
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("it never said `{text}`"));
            if line.contains(text) {
                return serde_json::from_str(&line).unwrap();
            }
        }
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Writes a line to its stdin.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// GETs a text, and its status.
    pub(crate) fn text(&self, path: &str) -> (u16, String) {
        let mut answer = agent().get(format!("{}{path}", self.api)).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    /// Ends the process at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to end, and says with which code it did.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }

    /// GETs JSON.
    pub(crate) fn get(&self, path: &str) -> Value {
        agent()
            .get(format!("{}{path}", self.api))
            .call()
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap()
    }
}

impl Drop for Hark {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A client that tells a status as a status, not as an error.
pub(crate) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}
