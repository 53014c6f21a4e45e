//! A backup as one file: a tar of its folder.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path};

use anyhow::{Context, ensure};

use super::manifest::{self, Manifest};

/// Writes the files of a backup, what it says of itself first.
pub(super) fn pack(folder: &Path, manifest: &Manifest, out: impl Write) -> anyhow::Result<()> {
    let mut tar = tar::Builder::new(out);
    let names = manifest.files.iter().map(|it| it.path.as_str());
    for name in [manifest::FILE].into_iter().chain(names) {
        let added = tar.append_path_with_name(folder.join(name), name);
        added.with_context(|| format!("failed to write `{name}`"))?;
    }
    let mut out = tar.into_inner().context("failed to write the end of the tar")?;
    out.flush().context("failed to write the end of the tar")
}

/// Reads them into a folder. Whatever is no plain file inside of it is refused.
pub(super) fn unpack(input: impl Read, folder: &Path) -> anyhow::Result<()> {
    let mut tar = tar::Archive::new(input);
    for entry in tar.entries().context("failed to read the tar")? {
        let mut entry = entry.context("failed to read the tar")?;
        let name = entry.path().context("a name in the tar cannot be read")?.into_owned();
        let is_inside = name.components().all(|it| matches!(it, Component::Normal(_)));
        ensure!(
            is_inside && entry.header().entry_type().is_file(),
            "`{}` in the tar is no file of a backup",
            name.display()
        );
        let target = folder.join(&name);
        let mut written = || {
            fs::create_dir_all(target.parent().unwrap_or(folder))?;
            let mut file = File::create(&target)?;
            io::copy(&mut entry, &mut file)?;
            file.sync_all()
        };
        written().with_context(|| format!("failed to unpack `{}`", name.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tar with one entry of this name and kind.
    fn tar_of(name: &str, kind: tar::EntryType) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        // The crate itself would not write such a name.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(2);
        header.set_mode(0o600);
        header.set_cksum();
        let mut tar = tar::Builder::new(Vec::new());
        tar.append(&header, &b"{}"[..]).unwrap();
        tar.into_inner().unwrap()
    }

    #[test]
    fn nothing_is_unpacked_outside_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let file = tar::EntryType::Regular;
        for bytes in [
            tar_of("../up.json", file),
            tar_of("/up.json", file),
            tar_of("a", tar::EntryType::Symlink),
        ] {
            assert!(unpack(&bytes[..], &inner).is_err());
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        unpack(&tar_of("models/live", file)[..], &inner).unwrap();
        assert_eq!(fs::read(inner.join("models/live")).unwrap(), b"{}");
    }
}
