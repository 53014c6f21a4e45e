//! The registry in a bucket, in memory; and in a service's bucket when the environment names one.

mod google;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use tokio_stream::Stream;

use super::bucket::Bucket;
use super::{Place, Registry};

type Listed = std::pin::Pin<Box<dyn Stream<Item = StoreResult<ObjectMeta>> + Send>>;

/// A bucket whose answers to writes get lost: every so many are done, and said to have failed.
#[derive(Debug)]
struct Forgetful {
    inner: InMemory,
    writes: AtomicUsize,
    lose_every: usize,
}

impl fmt::Display for Forgetful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a forgetful bucket")
    }
}

#[async_trait]
impl ObjectStore for Forgetful {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        let put = self.inner.put_opts(at, payload, options).await?;
        let nth = self.writes.fetch_add(1, Ordering::Relaxed);
        if nth.is_multiple_of(self.lose_every) {
            return Err(object_store::Error::Generic {
                store: "forgetful",
                source: "the answer got lost".into(),
            });
        }
        Ok(put)
    }

    async fn put_multipart_opts(&self, at: &Path, it: PutMultipartOptions) -> StoreResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, it).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.inner.get_opts(at, options).await
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> StoreResult<Vec<Bytes>> {
        self.inner.get_ranges(at, ranges).await
    }

    fn delete_stream(
        &self,
        locations: std::pin::Pin<Box<dyn Stream<Item = StoreResult<Path>> + Send>>,
    ) -> std::pin::Pin<Box<dyn Stream<Item = StoreResult<Path>> + Send>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> Listed {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn registry(store: &Arc<dyn ObjectStore>) -> Registry {
    let bucket = Bucket::new(store.clone(), "gs://plant/models", Path::from("models")).unwrap();
    Registry {
        place: Place::Bucket(Box::new(bucket)),
    }
}

/// A model file of a release, to have something to publish.
fn model_file() -> std::path::PathBuf {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../detector/golden");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|it| it.unwrap().path()).collect();
    files.retain(|it| it.extension().is_some_and(|it| it == "hark"));
    files.sort();
    files.pop().unwrap()
}

/// The version as which a registry took a model in.
fn imported(registry: &Registry) -> String {
    let file = std::fs::File::open(model_file()).unwrap();
    registry.import(file, "a model").unwrap()
}

/// What holds of any bucket, seen by two machines.
fn check(one: &Registry, other: &Registry) {
    assert_eq!(one.live().unwrap(), None);
    assert!(one.rollback().unwrap_err().to_string().contains("nothing to roll back"));
    let first = imported(one);
    let second = imported(other);
    assert_eq!((first.as_str(), second.as_str()), ("m-0001", "m-0002"));
    assert_eq!(one.versions().unwrap(), ["m-0001", "m-0002"]);
    assert_eq!(one.promote("m-0001").unwrap(), None);
    assert_eq!(other.live().unwrap().as_deref(), Some("m-0001"));
    assert_eq!(other.promote("m-0002").unwrap().as_deref(), Some("m-0001"));
    assert_eq!(one.live().unwrap().as_deref(), Some("m-0002"));
    // Nothing moved: the bucket says so, and what was seen still holds.
    assert_eq!(one.live().unwrap().as_deref(), Some("m-0002"));
    assert_eq!(one.rollback().unwrap(), ("m-0001".to_owned(), "m-0002".to_owned()));
    assert_eq!(other.history().unwrap(), ["m-0001"]);
    assert!(one.contains("m-0002").unwrap() && !one.contains("m-0003").unwrap());
    let missing = other.promote("m-0003").unwrap_err().to_string();
    assert!(missing.contains("m-0003/model.hark"), "{missing}");
    both_at_once(one, other);
}

/// Two machines publish at the same time: every name is given once, and no promotion is lost from the history.
fn both_at_once(one: &Registry, other: &Registry) {
    const EACH: usize = 5;
    let publish = |registry: &Registry| {
        let mut names = Vec::new();
        for _ in 0..EACH {
            let version = imported(registry);
            registry.promote(&version).unwrap();
            names.push(version);
        }
        names
    };
    let mut names = std::thread::scope(|scope| {
        let there = scope.spawn(|| publish(other));
        let mut names = publish(one);
        names.extend(there.join().unwrap());
        names
    });
    names.sort();
    let mut promoted = one.history().unwrap();
    assert_eq!(promoted.last().cloned(), other.live().unwrap());
    promoted.retain(|it| it != "m-0001");
    promoted.sort();
    assert_eq!(names, promoted);
    names.dedup();
    assert_eq!(names.len(), 2 * EACH);
}

#[test]
fn two_machines_share_a_bucket() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    check(&registry(&store), &registry(&store));
}

#[test]
fn an_answer_that_gets_lost_changes_nothing() {
    let store: Arc<dyn ObjectStore> = Arc::new(Forgetful {
        inner: InMemory::new(),
        writes: AtomicUsize::new(0),
        lose_every: 2,
    });
    check(&registry(&store), &registry(&store));
}

#[test]
fn a_model_that_is_there_is_never_written_over() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (one, other) = (registry(&store), registry(&store));
    let version = imported(&one);
    let model = one.load(&version).unwrap();
    other.register(&model, None).unwrap();
    let mut changed = model.clone();
    changed.provenance.readings += 1;
    let refused = other.register(&changed, None).unwrap_err().to_string();
    assert!(refused.contains("another model already"), "{refused}");
    assert!(one.load(&version).unwrap().provenance.readings == model.provenance.readings);
}

/// `HARK_TEST_BUCKET_S3` is a URL and an endpoint, with a blank between.
#[test]
fn a_bucket_of_s3_holds_a_registry() {
    let Ok(named) = std::env::var("HARK_TEST_BUCKET_S3") else {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("SKIPPED: HARK_TEST_BUCKET_S3 names no bucket; `scripts/test cloud` starts one");
        }
        return;
    };
    let (url, endpoint) = named.split_once(' ').unwrap();
    let url = format!("{url}/of-process-{}", std::process::id());
    let open = || Registry::in_bucket(&url, Some(endpoint)).unwrap();
    check(&open(), &open());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_may_wait_for_the_bucket() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let registry = registry(&store);
    assert_eq!(registry.live().unwrap(), None);
}
