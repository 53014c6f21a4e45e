//! The model registry: versions, and a pointer to the one in force.
//!
//! ```text
//! models/m-0001/model.hark     the model
//! models/m-0001/metrics.json   what was measured of it on held-out readings
//! models/m-0001/shadow.json    what it did beside the champion, before it was put in force
//! models/live                  the version in force; in a bucket the history as well, its last line is in force
//! models/history               every version that was in force, oldest first; not in a bucket
//! ```
//!
//! It lies in a folder, or in a bucket that machines share.

#[cfg(feature = "bucket")]
mod bucket;
#[cfg(feature = "bucket")]
mod connect;
mod folder;
#[cfg(feature = "bucket")]
#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use detector::{Model, Report};
use serde::{Deserialize, Serialize};

#[cfg(feature = "bucket")]
use self::bucket::Bucket;
use self::folder::Folder;
pub(crate) use self::folder::write_durably;
use super::shadow::Tally;

/// No file of a registry has as many bytes.
const MAX_BYTES: u64 = detector::artifact::MAX_BYTES as u64 + 1;

/// How often a pointer that others move at the same time is looked at again.
const TRIES: usize = 20;

/// The registry.
pub(crate) struct Registry {
    place: Place,
}

/// Where the files lie.
enum Place {
    Folder(Folder),
    #[cfg(feature = "bucket")]
    Bucket(Box<Bucket>),
}

/// A version's name that was taken.
struct Slot {
    version: String,
    has_model: bool,
}

/// Which version is in force, and which ones were.
#[derive(Debug, Clone, Default, PartialEq)]
struct Pointer {
    live: Option<String>,
    /// Oldest first, with the one in force.
    history: Vec<String>,
    /// Which state of the bucket's object this is.
    #[cfg(feature = "bucket")]
    tag: Option<object_store::UpdateVersion>,
}

#[cfg(feature = "bucket")]
impl Pointer {
    fn of(history: Vec<String>, tag: Option<object_store::UpdateVersion>) -> Self {
        Self {
            live: history.last().cloned(),
            history,
            tag,
        }
    }
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
    pub(crate) fn in_folder(dir: PathBuf) -> Self {
        Self {
            place: Place::Folder(Folder::new(dir)),
        }
    }

    /// The registry in the bucket of a URL such as `gs://bucket/prefix`; `endpoint` is where another service listens than
    /// the provider's own.
    #[cfg(feature = "bucket")]
    pub(crate) fn in_bucket(url: &str, endpoint: Option<&str>) -> anyhow::Result<Self> {
        let (store, prefix) = connect::connect(url, endpoint)?;
        Ok(Self {
            place: Place::Bucket(Box::new(Bucket::new(store, url, prefix)?)),
        })
    }

    /// How long to wait before the pointer is looked at again.
    pub(crate) fn pace(&self) -> Duration {
        match &self.place {
            Place::Folder(_) => Duration::from_millis(500),
            // A question to a bucket has its price.
            #[cfg(feature = "bucket")]
            Place::Bucket(_) => Duration::from_secs(2),
        }
    }

    /// The version in force.
    pub(crate) fn live(&self) -> anyhow::Result<Option<String>> {
        match self.pointer()?.live {
            Some(version) => Ok(Some(checked_name(&version)?.to_owned())),
            None => Ok(None),
        }
    }

    /// The names of all versions, oldest first.
    pub(crate) fn versions(&self) -> anyhow::Result<Vec<String>> {
        let slots = self.slots()?.into_iter();
        let complete = slots.filter(|it| it.has_model && number(&it.version).is_some());
        let mut versions: Vec<String> = complete.map(|it| it.version).collect();
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
    pub(crate) fn contains(&self, version: &str) -> anyhow::Result<bool> {
        if number(version).is_none() {
            return Ok(false);
        }
        let path = format!("{version}/model.hark");
        match &self.place {
            Place::Folder(folder) => Ok(folder.exists(&path)),
            #[cfg(feature = "bucket")]
            Place::Bucket(bucket) => bucket.exists(&path),
        }
    }

    /// Reads a version.
    pub(crate) fn load(&self, version: &str) -> anyhow::Result<Model> {
        let path = format!("{}/model.hark", checked_name(version)?);
        let name = self.name(&path);
        let bytes = self
            .read(&path)?
            .with_context(|| format!("there is no model `{name}`"))?;
        let model = Model::from_bytes(&bytes).with_context(|| refused(&name))?;
        ensure!(
            *model.version == *version,
            "model `{name}` calls itself {}, not {version}",
            model.version
        );
        Ok(model)
    }

    /// What was measured of a version.
    pub(crate) fn metrics(&self, version: &str) -> anyhow::Result<Option<Metrics>> {
        self.json(&format!("{}/metrics.json", checked_name(version)?))
    }

    /// What a version did beside the champion, in shadow; none where it never was.
    pub(crate) fn shadow(&self, version: &str) -> anyhow::Result<Option<Tally>> {
        self.json(&format!("{}/shadow.json", checked_name(version)?))
    }

    /// Keeps what a version did in shadow.
    pub(crate) fn keep_shadow(&self, version: &str, tally: &Tally) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(tally).context("failed to write what a challenger did")?;
        self.write(&format!("{}/shadow.json", checked_name(version)?), &text)
    }

    /// Takes the next free version name, for a model that is about to be registered. Two trainers never get the same.
    pub(crate) fn reserve(&self) -> anyhow::Result<String> {
        let taken = self.slots()?;
        let mut next = 1 + taken.iter().filter_map(|it| number(&it.version)).max().unwrap_or(0);
        loop {
            let version = format!("m-{next:04}");
            let is_ours = match &self.place {
                Place::Folder(folder) => folder.take(&version)?,
                #[cfg(feature = "bucket")]
                Place::Bucket(bucket) => bucket.take(&version)?,
            };
            if is_ours {
                return Ok(version);
            }
            next += 1;
        }
    }

    /// Writes a model under the name that was reserved for it.
    pub(crate) fn register(&self, model: &Model, metrics: Option<&Metrics>) -> anyhow::Result<()> {
        let version = checked_name(&model.version)?;
        if let Some(metrics) = metrics {
            let text = serde_json::to_vec_pretty(metrics).context("failed to write the metrics")?;
            self.write(&format!("{version}/metrics.json"), &text)?;
        }
        let path = format!("{version}/model.hark");
        match &self.place {
            Place::Folder(folder) => folder.write(&path, &model.to_bytes()),
            #[cfg(feature = "bucket")]
            Place::Bucket(bucket) => {
                let is_ours = bucket.create(&path, &model.to_bytes())?;
                ensure!(is_ours, "`{}` is another model already", bucket.name(&path));
                Ok(())
            }
        }
    }

    /// Puts a version in force, after reading it whole. Returns the one that was in force before.
    pub(crate) fn promote(&self, version: &str) -> anyhow::Result<Option<String>> {
        self.load(version)?;
        let (_, before) = self.repoint(|pointer| {
            let mut history = pointer.history.clone();
            if pointer.live.as_deref() != Some(version) {
                history.push(version.to_owned());
            }
            Ok(history)
        })?;
        Ok(before.live)
    }

    /// Puts the version back in force that was before the live one. Returns (the one in force now, the one before).
    pub(crate) fn rollback(&self) -> anyhow::Result<(String, String)> {
        let (history, before) = self.repoint(|pointer| {
            let Some(live) = &pointer.live else {
                bail!("no model is in force, so there is nothing to roll back")
            };
            let mut history = pointer.history.clone();
            while history.last() == Some(live) {
                history.pop();
            }
            let Some(target) = history.last() else {
                bail!("{live} is the first model that was in force, so there is nothing to roll back to");
            };
            self.load(target)?;
            Ok(history)
        })?;
        let now = history.last().cloned().unwrap_or_default();
        Ok((now, before.live.unwrap_or_default()))
    }

    /// Moves the pointer to the last of the history that `change` makes of it, unless that is in force already. Returns
    /// that history and the pointer before. In a bucket others may move it at the same time: then it is done anew from
    /// where they moved it to.
    fn repoint(
        &self,
        change: impl Fn(&Pointer) -> anyhow::Result<Vec<String>>,
    ) -> anyhow::Result<(Vec<String>, Pointer)> {
        for _ in 0..TRIES {
            let before = self.pointer()?;
            let history = change(&before)?;
            if history.last() == before.live.as_ref() {
                return Ok((history, before));
            }
            let is_moved = match &self.place {
                Place::Folder(folder) => folder.point(&before, &history).map(|()| true)?,
                #[cfg(feature = "bucket")]
                Place::Bucket(bucket) => bucket.point(&before, &history)?,
            };
            if is_moved {
                return Ok((history, before));
            }
        }
        bail!("others moved `{}` {TRIES} times in a row", self.name("live"))
    }

    /// Takes a model file in as a new version, after reading it whole.
    pub(crate) fn import(&self, file: impl Read, name: &str) -> anyhow::Result<String> {
        let bytes = folder::read_capped(file, name)?;
        let model = Model::from_bytes(&bytes).with_context(|| refused(name))?;
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
        Ok(self.pointer()?.history)
    }

    fn json<T: serde::de::DeserializeOwned>(&self, path: &str) -> anyhow::Result<Option<T>> {
        let Some(bytes) = self.read(path)? else {
            return Ok(None);
        };
        let read = serde_json::from_slice(&bytes);
        Ok(Some(
            read.with_context(|| format!("failed to read `{}`", self.name(path)))?,
        ))
    }

    fn name(&self, path: &str) -> String {
        match &self.place {
            Place::Folder(folder) => folder.name(path),
            #[cfg(feature = "bucket")]
            Place::Bucket(bucket) => bucket.name(path),
        }
    }

    fn read(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        match &self.place {
            Place::Folder(folder) => folder.read(path),
            #[cfg(feature = "bucket")]
            Place::Bucket(bucket) => bucket.read(path),
        }
    }

    fn write(&self, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
        match &self.place {
            Place::Folder(folder) => folder.write(path, bytes),
            #[cfg(feature = "bucket")]
            Place::Bucket(bucket) => bucket.write(path, bytes),
        }
    }

    fn slots(&self) -> anyhow::Result<Vec<Slot>> {
        match &self.place {
            Place::Folder(folder) => folder.slots(),
            #[cfg(feature = "bucket")]
            Place::Bucket(bucket) => bucket.slots(),
        }
    }

    fn pointer(&self) -> anyhow::Result<Pointer> {
        match &self.place {
            Place::Folder(folder) => folder.pointer(),
            #[cfg(feature = "bucket")]
            Place::Bucket(bucket) => bucket.pointer(),
        }
    }
}

fn lines(history: &[String]) -> String {
    history.join("\n") + "\n"
}

fn unlined(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn refused(name: &str) -> String {
    format!("model `{name}` is refused")
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
