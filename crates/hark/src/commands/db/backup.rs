//! `hark db backup`: a copy of everything, as it is now, that a running Hark does not notice.
//!
//! ```text
//! backup/backup.json         what it holds, with the sum of every file
//! backup/hark.db             readings, verdicts, states, incidents, labels, dead letters, as they stood at one instant
//! backup/models/…            the registry, where it is a folder
//! backup/thresholds.json     what people have set, and whatever else lies there as JSON
//! backup/hark.toml           the configuration that was read
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde_json::json;
use warehouse::embedded::{back_up, examine};

use super::manifest::{self, Entry, Manifest};
use super::staging::{Staging, beside};
use super::{DATABASE, pack};
use crate::app::open_registry;
use crate::config::{Config, FILE_NAME, Flags, Registry};
use crate::exit::Fault;
use crate::output::{Format, Sheet, say};
use crate::runtime::clock;
use crate::table::Place;

/// Written into the data folder after a backup: its time is a metric, with an alert on it.
const MARK: &str = "last-backup";

/// Makes a backup, and lists what it wrote.
pub(super) fn run(config: &Config, flags: &Flags, output: &Place, format: Format) -> anyhow::Result<()> {
    let data = config.data.dir.as_path();
    let staging = Staging::make(match output {
        Place::File(path) => {
            must_be_free(path)?;
            beside(path)
        }
        Place::Standard if data.is_dir() => beside(&data.join("backup")),
        Place::Standard => beside(&std::env::temp_dir().join("hark-backup")),
    })?;
    let manifest = gather(config, flags, staging.path())?;
    match output {
        Place::Standard => pack::pack(staging.path(), &manifest, io::stdout().lock())?,
        Place::File(path) if is_tar(path) => {
            let file = beside(path).with_extension("tar");
            let packed = || {
                pack::pack(staging.path(), &manifest, io::BufWriter::new(File::create(&file)?))?;
                File::open(&file)?.sync_all()?;
                Ok::<_, anyhow::Error>(fs::rename(&file, path)?)
            };
            packed().with_context(|| format!("failed to write `{}`", path.display()))?;
        }
        Place::File(path) => staging.keep_as(path)?,
    }
    mark(data, &manifest.made_at);
    list(&manifest, output, format)?;
    say(format_args!("`{output}` holds {}", manifest.sentence()));
    Ok(())
}

fn list(manifest: &Manifest, output: &Place, format: Format) -> anyhow::Result<()> {
    let mut sheet = Sheet::new(["path", "bytes", "sha256"]);
    for it in &manifest.files {
        sheet.push(vec![json!(it.path), json!(it.bytes), json!(it.sha256)]);
    }
    match output {
        Place::Standard => sheet.print_aside(),
        Place::File(_) => sheet.print(format),
    }
}

/// Whether a backup of this name is one file.
pub(super) fn is_tar(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "tar")
}

fn must_be_free(path: &Path) -> anyhow::Result<()> {
    let is_empty = || fs::read_dir(path).is_ok_and(|mut it| it.next().is_none());
    if path.exists() && !is_empty() {
        return Err(Fault::new(
            format!("`{}` is there already", path.display()),
            "choose another name, such as one with the date in it",
        )
        .into());
    }
    Ok(())
}

/// Copies everything into the folder, looks through the copy, and writes down what it holds.
fn gather(config: &Config, flags: &Flags, folder: &Path) -> anyhow::Result<Manifest> {
    let data = config.data.dir.as_path();
    let made_at = clock::now().to_string();
    let registry = open_registry(config)?;
    let live = registry.live()?;
    let mut names = Vec::new();
    copy_models(config, folder, &mut names)?;
    back_up(data, &folder.join(DATABASE))?;
    names.push(DATABASE.to_owned());
    for path in files(data)?
        .into_iter()
        .filter(|it| it.extension().is_some_and(|it| it == "json"))
    {
        copy(&path, folder, &name_of(&path)?, &mut names)?;
    }
    let configuration = flags.file.clone().unwrap_or_else(|| FILE_NAME.into());
    if configuration.is_file() {
        copy(&configuration, folder, FILE_NAME, &mut names)?;
    }
    names.sort_unstable();
    let contents = examine(&folder.join(DATABASE))?;
    let files = names
        .iter()
        .map(|it| Entry::of(folder, it))
        .collect::<anyhow::Result<_>>()?;
    let manifest = Manifest::new(made_at, live, &contents, files);
    let text = serde_json::to_vec_pretty(&manifest).context("failed to write what the backup holds")?;
    crate::runtime::registry::write_durably(&folder.join(manifest::FILE), &text)?;
    Ok(manifest)
}

/// Copies the registry: first what is in force, then the versions. A version is never changed, and is whole before it is
/// put in force, so that whatever the pointer names is copied.
fn copy_models(config: &Config, folder: &Path, names: &mut Vec<String>) -> anyhow::Result<()> {
    let models = match &config.registry {
        Registry::Folder(None) => config.data.dir.join("models"),
        Registry::Folder(Some(dir)) => dir.clone(),
        Registry::Bucket { url, .. } => {
            say(format_args!("models lie in `{url}` and are not in the backup"));
            return Ok(());
        }
    };
    if !models.is_dir() {
        return Ok(());
    }
    for path in files(&models)? {
        copy(&path, folder, &format!("models/{}", name_of(&path)?), names)?;
    }
    for version in folders(&models)? {
        for path in files(&version)? {
            let name = format!("models/{}/{}", name_of(&version)?, name_of(&path)?);
            copy(&path, folder, &name, names)?;
        }
    }
    Ok(())
}

fn copy(from: &Path, folder: &Path, name: &str, names: &mut Vec<String>) -> anyhow::Result<()> {
    let target = folder.join(name);
    let copied = || {
        fs::create_dir_all(target.parent().unwrap_or(folder))?;
        fs::copy(from, &target)?;
        File::open(&target)?.sync_all()
    };
    match copied() {
        Ok(()) => names.push(name.to_owned()),
        // What is being written has such a name, and then its own.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound && !from.exists() => {}
        Err(cause) => return Err(cause).with_context(|| format!("failed to copy `{}`", from.display())),
    }
    Ok(())
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    entries(folder, |it| it.is_file() && it.extension().is_none_or(|it| it != "new"))
}

fn folders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    entries(folder, |it| {
        it.is_dir() && !it.file_name().is_some_and(super::restore::is_moved_aside)
    })
}

fn entries(folder: &Path, wanted: fn(&Path) -> bool) -> anyhow::Result<Vec<PathBuf>> {
    let listed = || {
        let paths = fs::read_dir(folder)?.map(|it| Ok(it?.path()));
        let mut paths: Vec<PathBuf> = paths.collect::<io::Result<_>>()?;
        paths.retain(|it| wanted(it));
        paths.sort_unstable();
        Ok::<_, io::Error>(paths)
    };
    listed().with_context(|| format!("failed to list `{}`", folder.display()))
}

fn name_of(path: &Path) -> anyhow::Result<String> {
    let name = path.file_name().and_then(|it| it.to_str());
    let name = name.ok_or_else(|| anyhow!("the name of `{}` is no text", path.display()))?;
    Ok(name.to_owned())
}

/// Tells a running Hark that there is a backup.
fn mark(data: &Path, made_at: &str) {
    let file = data.join(MARK);
    if let Err(cause) = fs::write(&file, format!("{made_at}\n")) {
        say(format_args!(
            "warning: `{}` could not be written: {cause}",
            file.display()
        ));
    }
}
