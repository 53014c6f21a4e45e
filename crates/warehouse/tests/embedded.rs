//! The embedded warehouse keeps the promises of the port, and a few of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::Signals;
use tempfile::TempDir;
use warehouse::embedded::{EmbeddedWarehouse, Options};
use warehouse::{Warehouse, conformance};

fn open(dir: &Path) -> Arc<dyn Warehouse> {
    Arc::new(EmbeddedWarehouse::open(dir, Signals::default(), &Options::default()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_warehouse_keeps_the_promises_of_the_port() {
    let root = TempDir::new().unwrap();
    let n_made = AtomicU64::new(0);
    conformance::all(&async || {
        let nth = n_made.fetch_add(1, Ordering::Relaxed);
        open(&root.path().join(nth.to_string()))
    })
    .await;
}

#[tokio::test]
async fn it_keeps_everything_when_it_is_opened_again() {
    let dir = TempDir::new().unwrap();
    let first = open(dir.path());
    conformance::what_is_stored_outlives_a_reopening(first, async |first| {
        drop(first);
        open(dir.path())
    })
    .await;
}
