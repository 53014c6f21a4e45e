//! A registry's files in a bucket: Google Cloud Storage, S3, and whatever speaks the language of S3.
//!
//! Names are taken and models are written only where nothing was before, and the pointer is moved only from where it
//! was seen, so publishers in several places never write over each other. An answer that got lost is settled by looking:
//! what lies there is either what was sent or somebody else's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use tokio::runtime::{Handle, Runtime, RuntimeFlavor};
use tokio_stream::StreamExt;

use super::{MAX_BYTES, Pointer, Slot, lines, unlined};

/// How long one question may take, its repetitions included.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tries of a write whose answer got lost.
const TRIES: usize = 3;

/// A bucket, or a part of one.
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    url: String,
    prefix: Path,
    /// The pointer as it was last seen, so that the bucket is asked only whether it changed.
    seen: Mutex<Option<Pointer>>,
    /// Where the requests run, so that they can be waited for from anywhere; taken at the end alone.
    runtime: Option<Runtime>,
}

impl Bucket {
    pub(super) fn new(store: Arc<dyn ObjectStore>, url: &str, prefix: Path) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("registry")
            .enable_all()
            .build()
            .context("failed to start the registry's thread")?;
        Ok(Self {
            store,
            url: url.trim_end_matches('/').to_owned(),
            prefix,
            seen: Mutex::default(),
            runtime: Some(runtime),
        })
    }

    pub(super) fn name(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    pub(super) fn read(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let (store, at, name) = (self.store.clone(), self.at(path), self.name(path));
        self.wait(async move {
            let found = match store.get(&at).await {
                Ok(found) => found,
                Err(StoreError::NotFound { .. }) => return Ok(None),
                Err(cause) => return Err(failed("read", &name, cause)),
            };
            ensure!(
                found.meta.size < MAX_BYTES,
                "`{name}` has {} bytes, more than any model",
                found.meta.size
            );
            let bytes = found.bytes().await.map_err(|cause| failed("read", &name, cause))?;
            Ok(Some(bytes.to_vec()))
        })
    }

    pub(super) fn exists(&self, path: &str) -> anyhow::Result<bool> {
        let (store, at, name) = (self.store.clone(), self.at(path), self.name(path));
        self.wait(async move {
            match store.head(&at).await {
                Ok(_) => Ok(true),
                Err(StoreError::NotFound { .. }) => Ok(false),
                Err(cause) => Err(failed("look for", &name, cause)),
            }
        })
    }

    /// Writes what may be written again.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let (store, at, name) = (self.store.clone(), self.at(path), self.name(path));
        let payload = PutPayload::from(bytes.to_vec());
        self.wait(async move {
            let written = store.put(&at, payload).await;
            written.map_err(|cause| failed("write", &name, cause))?;
            Ok(())
        })
    }

    /// Writes what must not be there yet; false when something else is.
    pub(super) fn create(&self, path: &str, bytes: &[u8]) -> anyhow::Result<bool> {
        Ok(self.put_if(path, bytes, &PutMode::Create)?.is_some())
    }

    pub(super) fn slots(&self) -> anyhow::Result<Vec<Slot>> {
        let (store, prefix, name) = (self.store.clone(), self.prefix.clone(), self.name(""));
        self.wait(async move {
            let mut slots: Vec<Slot> = Vec::new();
            let mut listed = store.list(Some(&prefix));
            while let Some(found) = listed.next().await {
                let location = found.map_err(|cause| failed("list", &name, cause))?.location;
                let mut parts = location.parts().skip(prefix.parts_count());
                let (Some(version), Some(file)) = (parts.next(), parts.next()) else {
                    continue;
                };
                let has_model = file.as_ref() == "model.hark";
                match slots.iter_mut().find(|it| it.version == version.as_ref()) {
                    Some(slot) => slot.has_model |= has_model,
                    None => slots.push(Slot {
                        version: version.as_ref().to_owned(),
                        has_model,
                    }),
                }
            }
            Ok(slots)
        })
    }

    /// Takes a version's name; false when somebody has it.
    pub(super) fn take(&self, version: &str) -> anyhow::Result<bool> {
        static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let nth = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let now = super::super::clock::now();
        let ours = format!("taken by process {} at {now}, the {nth}th\n", std::process::id());
        self.create(&format!("{version}/taken"), ours.as_bytes())
    }

    pub(super) fn pointer(&self) -> anyhow::Result<Pointer> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (store, at, name) = (self.store.clone(), self.at("live"), self.name("live"));
        let known = seen.as_ref().and_then(|it| it.tag.as_ref()?.e_tag.clone());
        let pointer = self.wait(async move {
            let options = GetOptions {
                if_none_match: known,
                ..GetOptions::default()
            };
            let found = match store.get_opts(&at, options).await {
                Ok(found) => found,
                Err(StoreError::NotModified { .. }) => return Ok(seen.unwrap_or_default()),
                Err(StoreError::NotFound { .. }) => return Ok(Pointer::default()),
                Err(cause) => return Err(failed("read", &name, cause)),
            };
            let tag = UpdateVersion {
                e_tag: found.meta.e_tag.clone(),
                version: found.meta.version.clone(),
            };
            let bytes = found.bytes().await.map_err(|cause| failed("read", &name, cause))?;
            let text = std::str::from_utf8(&bytes).with_context(|| format!("failed to read `{name}`"))?;
            Ok(Pointer::of(unlined(text), Some(tag)))
        })?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(pointer.clone());
        Ok(pointer)
    }

    /// Moves the pointer from where it was; false when somebody else has moved it since.
    pub(super) fn point(&self, before: &Pointer, history: &[String]) -> anyhow::Result<bool> {
        let mode = match &before.tag {
            Some(tag) => PutMode::Update(tag.clone()),
            None => PutMode::Create,
        };
        let tag = self.put_if("live", lines(history).as_bytes(), &mode)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = tag.as_ref().map(|tag| Pointer::of(history.to_vec(), Some(tag.clone())));
        Ok(tag.is_some())
    }

    /// Writes if the bucket is as `mode` says; none when it is otherwise. What is found to lie there already is ours if
    /// it is the same, byte by byte: the answer to an earlier try got lost.
    fn put_if(&self, path: &str, bytes: &[u8], mode: &PutMode) -> anyhow::Result<Option<UpdateVersion>> {
        let (store, at, name) = (self.store.clone(), self.at(path), self.name(path));
        let (bytes, mode) = (bytes.to_vec(), mode.clone());
        self.wait(async move {
            let mut lost = None;
            for _ in 0..TRIES {
                let options = PutOptions::from(mode.clone());
                match store.put_opts(&at, bytes.clone().into(), options).await {
                    Ok(put) => return Ok(Some(put.into())),
                    Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                        return lies_there(store.as_ref(), &at, &bytes)
                            .await
                            .map_err(|it| failed("read", &name, it));
                    }
                    Err(cause @ StoreError::Generic { .. }) => lost = Some(cause),
                    Err(cause) => return Err(failed("write", &name, cause)),
                }
            }
            match lost {
                Some(cause) => Err(failed("write", &name, cause)),
                None => bail!("failed to write `{name}`"),
            }
        })
    }

    fn at(&self, path: &str) -> Path {
        Path::from_iter(self.prefix.parts().chain(Path::from(path).parts()))
    }

    /// Runs a request on the registry's own thread and waits for it, from a task or from outside of any.
    fn wait<T: Send + 'static>(
        &self,
        request: impl Future<Output = anyhow::Result<T>> + Send + 'static,
    ) -> anyhow::Result<T> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let runtime = self.runtime.as_ref().expect("the runtime is taken at the end alone");
        runtime.spawn(async move {
            let ended = tokio::time::timeout(PATIENCE, request).await;
            // An error means that nobody waits any more.
            let _gone = sender.send(ended);
        });
        let is_worker = Handle::try_current().is_ok_and(|it| it.runtime_flavor() == RuntimeFlavor::MultiThread);
        let ended = if is_worker {
            tokio::task::block_in_place(|| receiver.recv())
        } else {
            receiver.recv()
        };
        let ended = ended.with_context(|| format!("a request to `{}` panicked", self.url))?;
        ended.with_context(|| format!("`{}` did not answer within {PATIENCE:?}", self.url))?
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn lies_there(store: &dyn ObjectStore, at: &Path, bytes: &[u8]) -> Result<Option<UpdateVersion>, StoreError> {
    let found = store.get(at).await?;
    let tag = UpdateVersion {
        e_tag: found.meta.e_tag.clone(),
        version: found.meta.version.clone(),
    };
    let is_ours = found.bytes().await? == bytes;
    Ok(is_ours.then_some(tag))
}

fn failed(what: &str, name: &str, cause: StoreError) -> anyhow::Error {
    let hint = match &cause {
        StoreError::Unauthenticated { .. } => "\nhint: credentials are missing or wrong, see docs/google-cloud.md",
        StoreError::PermissionDenied { .. } => "\nhint: this account may not do that with the bucket",
        _ => "",
    };
    anyhow::Error::new(cause).context(format!("failed to {what} `{name}`{hint}"))
}
