//! The lock on a data folder: one process writes, a second one is told who was first.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::{WarehouseError, WarehouseErrorKind};

/// The right to write into a data folder, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Takes the lock of a folder, which is made if it is missing.
    ///
    /// # Errors
    /// [`WarehouseErrorKind::Held`] at once, naming the process that holds the lock, or what kept the lock file from being
    /// written.
    pub fn acquire(dir: &Path) -> Result<Self, WarehouseError> {
        let path = dir.join("lock");
        let failed = |cause: std::io::Error| {
            WarehouseError::new(
                WarehouseErrorKind::Fatal,
                format!("failed to lock the data folder with `{}`", path.display()),
            )
            .caused_by(cause)
        };
        fs::create_dir_all(dir).map_err(failed)?;
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(dir, &mut file)),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        file.write_all(std::process::id().to_string().as_bytes())
            .map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn held(dir: &Path, file: &mut File) -> WarehouseError {
    let mut pid = String::new();
    let by = match file.read_to_string(&mut pid) {
        Ok(_) if !pid.trim().is_empty() => format!("process {}", pid.trim()),
        // The holder has the lock and has not written its number yet.
        Ok(_) | Err(_) => "another process".to_owned(),
    };
    let context = format!(
        "the data folder `{}` is in use by {by}\nhint: stop it, or give this one another folder",
        dir.display()
    );
    WarehouseError::new(WarehouseErrorKind::Held, context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_fails_at_once_and_names_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("data");
        let first = DataDirLock::acquire(&inner).unwrap();
        let failure = DataDirLock::acquire(&inner).unwrap_err();
        let expected = format!("is in use by process {}", std::process::id());
        assert!(failure.to_string().contains(&expected), "{failure}");
        drop(first);
        DataDirLock::acquire(&inner).unwrap();
    }
}
