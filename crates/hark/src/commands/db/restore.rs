//! `hark db restore`: a backup in the place of what is there. Nothing is moved before the whole backup was looked through,
//! and nothing is thrown away.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;
use warehouse::embedded::{DataDirLock, examine};

use super::manifest::{self, Manifest};
use super::staging::{Staging, beside};
use super::{DATABASE, pack};
use crate::app::open_registry;
use crate::config::{Config, FILE_NAME, Registry};
use crate::exit::Fault;
use crate::output::{Format, Sheet, agreed, say};
use crate::runtime::clock;
use crate::table::Place;

/// What the names of folders begin with that hold what was there before.
const MOVED: &str = "replaced-";

/// Whether a folder holds what was there before.
pub(super) fn is_moved_aside(name: &OsStr) -> bool {
    name.to_str().is_some_and(|it| it.starts_with(MOVED))
}

/// Puts a backup in place.
pub(super) fn run(config: &Config, backup: &Place, dry_run: bool, yes: bool, format: Format) -> anyhow::Result<()> {
    let data = config.data.dir.as_path();
    if dry_run {
        let opened = Opened::open(backup, &std::env::temp_dir().join("hark-restore"))?;
        list(&opened.manifest, format)?;
        let there = if occupants(data)?.is_empty() {
            ""
        } else {
            ", and what is there moved aside"
        };
        say(format_args!(
            "the backup of {} is sound: {} would be put into `{}`{there}; nothing was changed",
            opened.manifest.made_at,
            opened.manifest.sentence(),
            data.display()
        ));
        return Ok(());
    }
    // A running Hark holds it: nobody takes its folder away.
    let _lock = DataDirLock::acquire(data)?;
    let there = occupants(data)?;
    if !there.is_empty() && !yes {
        let what = format!("`{}` is not empty: what is there would be moved aside", data.display());
        if !agreed(&what, "put the backup in its place?")? {
            say("nothing was changed");
            return Ok(());
        }
    }
    let opened = Opened::open(backup, &data.join("restore"))?;
    let aside = data.join(format!("{MOVED}{}", clock::now()));
    put_in_place(config, &opened, &there, &aside).with_context(|| {
        format!(
            "the restore stopped half way; what was there is in `{}`",
            aside.display()
        )
    })?;
    verify(config, &opened.manifest)?;
    list(&opened.manifest, format)?;
    say(format_args!(
        "`{}` is as it was at {}: {}",
        data.display(),
        opened.manifest.made_at,
        opened.manifest.sentence()
    ));
    if !there.is_empty() {
        say(format_args!("what was there is in `{}`", aside.display()));
    }
    if opened.manifest.files.iter().any(|it| it.path == FILE_NAME) {
        let file = data.join(FILE_NAME);
        say(format_args!(
            "the configuration of then is `{}`: compare it with yours",
            file.display()
        ));
    }
    Ok(())
}

fn list(manifest: &Manifest, format: Format) -> anyhow::Result<()> {
    let mut sheet = Sheet::new(["path", "bytes", "sha256"]);
    for it in &manifest.files {
        sheet.push(vec![json!(it.path), json!(it.bytes), json!(it.sha256)]);
    }
    sheet.print(format)
}

/// A backup that was looked through, in a folder of this machine.
pub(super) struct Opened {
    pub(super) manifest: Manifest,
    pub(super) folder: PathBuf,
    /// Unpacked or copied there.
    _staging: Option<Staging>,
}

impl Opened {
    /// Looks through a backup; one that is a tar is unpacked beside this name first.
    pub(super) fn open(backup: &Place, near: &Path) -> anyhow::Result<Self> {
        match backup {
            Place::File(path) if path.is_dir() => Ok(Self {
                manifest: Manifest::verified(path)?,
                folder: path.clone(),
                _staging: None,
            }),
            place => {
                let staging = Staging::make(beside(near))?;
                let unpacked = pack::unpack(place.reader()?, staging.path());
                unpacked.with_context(|| {
                    Fault::new(
                        format!("`{place}` cannot be read as a backup"),
                        "a backup is the folder or the .tar file that `hark db backup` made",
                    )
                })?;
                Ok(Self {
                    manifest: Manifest::verified(staging.path())?,
                    folder: staging.path().to_owned(),
                    _staging: Some(staging),
                })
            }
        }
    }
}

/// What is in a data folder, besides its lock and what was moved aside before.
fn occupants(data: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(data) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(cause).with_context(|| format!("failed to list `{}`", data.display())),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("failed to list `{}`", data.display()))?;
        let name = entry.file_name();
        if name != "lock" && !is_moved_aside(&name) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn put_in_place(config: &Config, opened: &Opened, there: &[PathBuf], aside: &Path) -> anyhow::Result<()> {
    let data = config.data.dir.as_path();
    // Copied first: what a full disk stops has moved nothing yet.
    let staging = Staging::make(beside(&data.join("restored")))?;
    for it in &opened.manifest.files {
        copy(&opened.folder.join(&it.path), &staging.path().join(&it.path))?;
    }
    move_all(there, aside)?;
    let models = models_folder(config);
    if let Some(models) = models.filter(|it| *it != data.join("models") && staging.path().join("models").is_dir()) {
        move_all(
            &occupants(&models)?,
            &models.join(aside.file_name().unwrap_or_default()),
        )?;
        for it in occupants(&staging.path().join("models"))? {
            // Not renamed: it may be another disk.
            copy_tree(&it, &models)?;
        }
        fs::remove_dir_all(staging.path().join("models"))?;
    }
    for it in occupants(staging.path())? {
        fs::rename(&it, data.join(it.file_name().unwrap_or_default()))?;
    }
    File::open(data)?.sync_all()?;
    Ok(())
}

fn models_folder(config: &Config) -> Option<PathBuf> {
    match &config.registry {
        Registry::Folder(None) => Some(config.data.dir.join("models")),
        Registry::Folder(Some(dir)) => Some(dir.clone()),
        Registry::Bucket { .. } => None,
    }
}

fn move_all(paths: &[PathBuf], aside: &Path) -> anyhow::Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(aside)?;
    for path in paths {
        let moved = fs::rename(path, aside.join(path.file_name().unwrap_or_default()));
        moved.with_context(|| format!("failed to move `{}` aside", path.display()))?;
    }
    Ok(())
}

fn copy_tree(path: &Path, into: &Path) -> anyhow::Result<()> {
    let target = into.join(path.file_name().unwrap_or_default());
    if path.is_file() {
        return copy(path, &target);
    }
    occupants(path)?.iter().try_for_each(|it| copy_tree(it, &target))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = || {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        fs::copy(from, to)?;
        File::open(to)?.sync_all()
    };
    copied().with_context(|| format!("failed to write `{}`", to.display()))
}

/// Whether what is in place now is what the backup held, and can judge as it did.
fn verify(config: &Config, manifest: &Manifest) -> anyhow::Result<()> {
    let found = manifest::rows(&examine(&config.data.dir.join(DATABASE))?);
    anyhow::ensure!(
        found == manifest.tables,
        "the restored database does not hold the rows of the backup"
    );
    let has_models = manifest.files.iter().any(|it| it.path.starts_with("models/"));
    if let Some(live) = manifest.live_model.as_ref().filter(|_| has_models) {
        let registry = open_registry(config)?;
        registry
            .load(live)
            .with_context(|| format!("{live}, which was in force, cannot be used"))?;
    }
    Ok(())
}
