//! The model registry: a folder of versions and a pointer to the live one.
//!
//! ```text
//! models/m-0001/model.hark     the model
//! models/m-0001/metrics.json   what was measured of it on held-out readings
//! models/m-0001/shadow.json    what it did beside the champion, before it was put in force
//! models/live                  the version in force
//! models/history               every version that was in force, oldest first
//! ```
//!
//! Every file is written beside its place, synced and renamed over it: after a crash the old or the new one is there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use detector::{Model, Report};
use serde::{Deserialize, Serialize};

use super::shadow::Tally;

/// The registry in a folder.
pub(crate) struct Registry {
    dir: PathBuf,
}

/// What was measured of a model, stored beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metrics {
    /// What the numbers were measured on.
    pub(crate) held_out: Report,
}

/// A version as listed.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its name.
    pub(crate) version: String,
    /// Whether it is in force.
    pub(crate) live: bool,
    /// The model, or why it cannot be read.
    pub(crate) model: Result<Model, String>,
    /// What was measured of it; none for an imported one.
    pub(crate) metrics: Option<Metrics>,
}

impl Registry {
    /// The registry in this folder, which is made with the first version.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The version in force.
    pub(crate) fn live(&self) -> anyhow::Result<Option<String>> {
        let path = self.dir.join("live");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(checked_name(text.trim())?.to_owned())),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause).with_context(|| format!("failed to read `{}`", path.display())),
        }
    }

    /// The names of all versions, oldest first.
    pub(crate) fn versions(&self) -> anyhow::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(cause).with_context(|| format!("failed to list `{}`", self.dir.display())),
        };
        let mut versions = Vec::new();
        for entry in entries {
            let entry = entry.with_context(|| format!("failed to list `{}`", self.dir.display()))?;
            if let Some(name) = entry.file_name().to_str()
                && number(name).is_some()
                && entry.path().join("model.hark").is_file()
            {
                versions.push(name.to_owned());
            }
        }
        versions.sort_by_key(|name| number(name));
        Ok(versions)
    }

    /// All versions with what is known of them, oldest first.
    pub(crate) fn list(&self) -> anyhow::Result<Vec<Entry>> {
        let live = self.live()?;
        let entry = |version: String| {
            Ok(Entry {
                live: live.as_ref() == Some(&version),
                model: self.load(&version).map_err(|it| format!("{it:#}")),
                metrics: self.metrics(&version)?,
                version,
            })
        };
        self.versions()?.into_iter().map(entry).collect()
    }

    /// Whether there is such a version.
    pub(crate) fn contains(&self, version: &str) -> bool {
        number(version).is_some() && self.path(version, "model.hark").is_file()
    }

    /// Reads a version.
    pub(crate) fn load(&self, version: &str) -> anyhow::Result<Model> {
        let path = self.path(checked_name(version)?, "model.hark");
        let model = Model::from_bytes(&read_capped(&path)?).with_context(|| refused(&path))?;
        ensure!(
            *model.version == *version,
            "model `{}` calls itself {}, not {version}",
            path.display(),
            model.version
        );
        Ok(model)
    }

    /// What was measured of a version.
    pub(crate) fn metrics(&self, version: &str) -> anyhow::Result<Option<Metrics>> {
        let path = self.path(checked_name(version)?, "metrics.json");
        match fs::read(&path) {
            Ok(bytes) => {
                let metrics = serde_json::from_slice(&bytes);
                Ok(Some(
                    metrics.with_context(|| format!("failed to read `{}`", path.display()))?,
                ))
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause).with_context(|| format!("failed to read `{}`", path.display())),
        }
    }

    /// What a version did beside the champion, in shadow; none where it never was.
    pub(crate) fn shadow(&self, version: &str) -> anyhow::Result<Option<Tally>> {
        let path = self.path(checked_name(version)?, "shadow.json");
        match fs::read(&path) {
            Ok(bytes) => {
                let tally = serde_json::from_slice(&bytes);
                Ok(Some(
                    tally.with_context(|| format!("failed to read `{}`", path.display()))?,
                ))
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause).with_context(|| format!("failed to read `{}`", path.display())),
        }
    }

    /// Keeps what a version did in shadow.
    pub(crate) fn keep_shadow(&self, version: &str, tally: &Tally) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(tally).context("failed to write what a challenger did")?;
        write_durably(&self.path(checked_name(version)?, "shadow.json"), &text)
    }

    /// Takes the next free version name, for a model that is about to be registered. Two trainers never get the same.
    pub(crate) fn reserve(&self) -> anyhow::Result<String> {
        fs::create_dir_all(&self.dir).with_context(|| format!("failed to create `{}`", self.dir.display()))?;
        let mut next = 1 + self.highest()?;
        loop {
            let version = format!("m-{next:04}");
            match fs::create_dir(self.dir.join(&version)) {
                Ok(()) => return Ok(version),
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => next += 1,
                Err(cause) => return Err(cause).with_context(|| format!("failed to create version {version}")),
            }
        }
    }

    /// Writes a model under the name that was reserved for it.
    pub(crate) fn register(&self, model: &Model, metrics: Option<&Metrics>) -> anyhow::Result<()> {
        let version = checked_name(&model.version)?;
        if let Some(metrics) = metrics {
            let text = serde_json::to_vec_pretty(metrics).context("failed to write the metrics")?;
            write_durably(&self.path(version, "metrics.json"), &text)?;
        }
        write_durably(&self.path(version, "model.hark"), &model.to_bytes())
    }

    /// Puts a version in force, after reading it whole. Returns the one that was in force before.
    pub(crate) fn promote(&self, version: &str) -> anyhow::Result<Option<String>> {
        self.load(version)?;
        let previous = self.live()?;
        if previous.as_deref() == Some(version) {
            return Ok(previous);
        }
        let mut history = self.history()?;
        history.push(version.to_owned());
        write_durably(&self.dir.join("history"), (history.join("\n") + "\n").as_bytes())?;
        write_durably(&self.dir.join("live"), format!("{version}\n").as_bytes())?;
        Ok(previous)
    }

    /// Puts the version back in force that was before the live one. Returns (the one in force now, the one before).
    pub(crate) fn rollback(&self) -> anyhow::Result<(String, String)> {
        let Some(live) = self.live()? else {
            bail!("no model is in force, so there is nothing to roll back")
        };
        let mut history = self.history()?;
        while history.last() == Some(&live) {
            history.pop();
        }
        let Some(target) = history.last().cloned() else {
            bail!("{live} is the first model that was in force, so there is nothing to roll back to");
        };
        self.load(&target)?;
        write_durably(&self.dir.join("live"), format!("{target}\n").as_bytes())?;
        write_durably(&self.dir.join("history"), (history.join("\n") + "\n").as_bytes())?;
        Ok((target, live))
    }

    /// Takes a model file in as a new version, after reading it whole.
    pub(crate) fn import(&self, path: &Path) -> anyhow::Result<String> {
        let model = Model::from_bytes(&read_capped(path)?).with_context(|| refused(path))?;
        let version = self.reserve()?;
        self.register(
            &Model {
                version: version.as_str().into(),
                ..model
            },
            None,
        )?;
        Ok(version)
    }

    /// Every version that was in force, oldest first.
    pub(crate) fn history(&self) -> anyhow::Result<Vec<String>> {
        let path = self.dir.join("history");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(cause) => Err(cause).with_context(|| format!("failed to read `{}`", path.display())),
        }
    }

    fn highest(&self) -> anyhow::Result<u64> {
        let entries = fs::read_dir(&self.dir).with_context(|| format!("failed to list `{}`", self.dir.display()))?;
        let numbers = entries.filter_map(|it| number(it.ok()?.file_name().to_str()?));
        Ok(numbers.max().unwrap_or(0))
    }

    fn path(&self, version: &str, file: &str) -> PathBuf {
        self.dir.join(version).join(file)
    }
}

fn refused(path: &Path) -> String {
    format!("model `{}` is refused", path.display())
}

/// A version's number; `None` for anything that is no version's name, such as a path.
fn number(version: &str) -> Option<u64> {
    let digits = version.strip_prefix("m-")?;
    (4..=12).contains(&digits.len()).then_some(())?;
    digits.bytes().all(|it| it.is_ascii_digit()).then_some(())?;
    digits.parse().ok()
}

fn checked_name(version: &str) -> anyhow::Result<&str> {
    ensure!(
        number(version).is_some(),
        "`{version}` is no model version\nhint: versions look like m-0001; see `hark models list`"
    );
    Ok(version)
}

fn read_capped(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("failed to open model `{}`", path.display()))?;
    let mut bytes = Vec::new();
    let cap = detector::artifact::MAX_BYTES as u64 + 1;
    file.take(cap)
        .read_to_end(&mut bytes)
        .with_context(|| format!("failed to read model `{}`", path.display()))?;
    Ok(bytes)
}

/// Writes a file whole: after a crash the old or the new one is there.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        match path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    };
    write().with_context(|| format!("failed to write `{}`", path.display()))
}
