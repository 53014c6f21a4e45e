//! A folder that is there while something is put together, and gone afterwards, however it went.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The folder.
pub(super) struct Staging(PathBuf);

impl Staging {
    /// Makes it, readable for this user alone: a configuration may hold a password.
    pub(super) fn make(path: PathBuf) -> anyhow::Result<Self> {
        let made = || {
            fs::create_dir_all(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))
        };
        made().with_context(|| format!("failed to make `{}`", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives it its name for good.
    pub(super) fn keep_as(self, path: &Path) -> anyhow::Result<()> {
        let moved = fs::rename(&self.0, path);
        moved.with_context(|| format!("failed to write `{}`", path.display()))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // It was kept under another name, or what is left of it does no harm.
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// A name beside this one that nobody else takes.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    name.into()
}
