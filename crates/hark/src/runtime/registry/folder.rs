//! A registry's files in a folder of this machine.
//!
//! Every file is written beside its place, synced and renamed over it: after a crash the old or the new one is there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{MAX_BYTES, Pointer, Slot, lines, unlined};

/// The folder, which is made with the first version.
pub(super) struct Folder {
    dir: PathBuf,
}

impl Folder {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(super) fn name(&self, path: &str) -> String {
        self.dir.join(path).display().to_string()
    }

    pub(super) fn read(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let path = self.dir.join(path);
        match File::open(&path) {
            Ok(file) => read_capped(file, &path.display().to_string()).map(Some),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause).with_context(|| format!("failed to open `{}`", path.display())),
        }
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.dir.join(path).is_file()
    }

    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
        write_durably(&self.dir.join(path), bytes)
    }

    /// Every version that was taken; one without a model is being made, or was given up.
    pub(super) fn slots(&self) -> anyhow::Result<Vec<Slot>> {
        let failed = || format!("failed to list `{}`", self.dir.display());
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(cause).with_context(failed),
        };
        let mut slots = Vec::new();
        for entry in entries {
            let entry = entry.with_context(failed)?;
            if let Some(name) = entry.file_name().to_str() {
                slots.push(Slot {
                    version: name.to_owned(),
                    has_model: entry.path().join("model.hark").is_file(),
                });
            }
        }
        Ok(slots)
    }

    /// Takes a version's name; false when somebody has it.
    pub(super) fn take(&self, version: &str) -> anyhow::Result<bool> {
        let failed = || format!("failed to create version {version} in `{}`", self.dir.display());
        fs::create_dir_all(&self.dir).with_context(failed)?;
        match fs::create_dir(self.dir.join(version)) {
            Ok(()) => Ok(true),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(cause) => Err(cause).with_context(failed),
        }
    }

    pub(super) fn pointer(&self) -> anyhow::Result<Pointer> {
        let text = |name: &str| -> anyhow::Result<Option<String>> {
            let Some(bytes) = self.read(name)? else { return Ok(None) };
            let text = String::from_utf8(bytes).with_context(|| format!("failed to read `{}`", self.name(name)))?;
            Ok(Some(text))
        };
        Ok(Pointer {
            live: text("live")?.map(|it| it.trim().to_owned()),
            history: unlined(&text("history")?.unwrap_or_default()),
            #[cfg(feature = "bucket")]
            tag: None,
        })
    }

    /// The history is never shorter than what was in force.
    pub(super) fn point(&self, before: &Pointer, history: &[String]) -> anyhow::Result<()> {
        let history_file = || self.write("history", lines(history).as_bytes());
        let live = history.last().map(|it| format!("{it}\n")).unwrap_or_default();
        if history.len() > before.history.len() {
            history_file()?;
            self.write("live", live.as_bytes())
        } else {
            self.write("live", live.as_bytes())?;
            history_file()
        }
    }
}

/// Reads a file up to a little more than what any model has.
pub(super) fn read_capped(file: impl Read, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .with_context(|| format!("failed to read `{name}`"))?;
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
