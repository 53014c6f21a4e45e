//! Small settings that people change while Hark runs, each a JSON file in the data folder.
//!
//! A change is written beside its place, synced and renamed over it. Another process may change the file as well: it is
//! read again before every change, and every few seconds.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use arc_swap::ArcSwap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::registry::write_durably;

/// One such file and what it says.
pub(crate) struct Kept<T> {
    path: PathBuf,
    value: ArcSwap<T>,
    /// Changes are made one at a time.
    changing: Mutex<()>,
}

impl<T: Default + Clone + PartialEq + Serialize + DeserializeOwned> Kept<T> {
    /// Reads the file; one that is missing says the default.
    pub(crate) fn open(path: PathBuf) -> anyhow::Result<Self> {
        let kept = Self {
            value: ArcSwap::from_pointee(T::default()),
            changing: Mutex::new(()),
            path,
        };
        kept.reload()?;
        Ok(kept)
    }

    /// What is in force.
    pub(crate) fn get(&self) -> Arc<T> {
        self.value.load_full()
    }

    /// Reads the file again.
    pub(crate) fn reload(&self) -> anyhow::Result<()> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let value = self.read()?;
        if *self.value.load_full() != value {
            self.value.store(Arc::new(value));
        }
        Ok(())
    }

    fn read(&self) -> anyhow::Result<T> {
        let failed = || {
            format!(
                "failed to read `{}`\nhint: mend it or move it away",
                self.path.display()
            )
        };
        match fs::read(&self.path) {
            Ok(text) => serde_json::from_slice(&text).with_context(failed),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(T::default()),
            Err(cause) => Err(cause).with_context(failed),
        }
    }

    /// Changes it durably; the answer is the change's. A change that fails changes nothing.
    pub(crate) fn change<R, E: From<anyhow::Error>>(
        &self,
        change: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Result<R, E> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut value = self.read()?;
        let answer = change(&mut value)?;
        let text = serde_json::to_vec_pretty(&value).map_err(anyhow::Error::from)?;
        write_durably(&self.path, &text)?;
        self.value.store(Arc::new(value));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &std::path::Path) -> Kept<Vec<u32>> {
        Kept::open(dir.join("kept.json")).unwrap()
    }

    #[test]
    fn a_change_is_kept_and_no_other_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (open(dir.path()), open(dir.path()));
        let push = |it: &Kept<Vec<u32>>, n| {
            let add = |all: &mut Vec<u32>| {
                all.push(n);
                Ok::<_, anyhow::Error>(())
            };
            it.change(add).unwrap();
        };
        push(&one, 1);
        push(&other, 2);
        one.reload().unwrap();
        assert_eq!(*one.get(), [1, 2]);
        assert_eq!(*open(dir.path()).get(), [1, 2]);
        one.change(|_| Err::<(), _>(anyhow::anyhow!("no"))).unwrap_err();
        assert_eq!(*one.get(), [1, 2]);
    }

    #[test]
    fn a_damaged_file_is_told_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("kept.json"), "[1,").unwrap();
        let refused = Kept::<Vec<u32>>::open(dir.path().join("kept.json")).err().unwrap();
        assert!(refused.to_string().contains("kept.json"), "{refused}");
    }
}
