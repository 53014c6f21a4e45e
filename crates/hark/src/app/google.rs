//! The adapters of Google Cloud, as they are configured. The futures of its clients are large, hence the boxes.

use std::sync::Arc;

use bus::pubsub::{self, Made, Options, PubsubPublisher, PubsubSubscriber, Step, probe};
use bus::{Publisher, Subscriber};
use warehouse::Warehouse;
use warehouse::bigquery::{self, BigQueryWarehouse};

use super::prepare::{BusTrial, Prepared};
use crate::config::{Config, Delivery};
use crate::runtime::clock;

fn options(config: &Config) -> Options {
    let it = &config.bus.pubsub;
    Options {
        project: config.google.project.clone(),
        topic: it.topic.clone(),
        subscription: it.subscription.clone(),
        dead_letter_topic: it.dead_letter_topic.clone(),
        endpoint: it.endpoint.clone(),
        ordering: it.ordering,
        exactly_once: it.exactly_once,
        streams: it.streams,
        max_outstanding: config.bus.max_queued,
        max_batch: config.bus.max_batch,
        patience: config.bus.patience,
        lease: it.lease,
    }
}

pub(super) async fn publisher(config: &Config) -> anyhow::Result<Arc<dyn Publisher>> {
    Ok(Arc::new(Box::pin(PubsubPublisher::open(options(config))).await?))
}

pub(super) async fn subscriber(config: &Config) -> anyhow::Result<Box<dyn Subscriber>> {
    Ok(Box::new(Box::pin(PubsubSubscriber::open(options(config))).await?))
}

pub(super) async fn set_up_bus(config: &Config, dry_run: bool) -> anyhow::Result<Vec<Prepared>> {
    let steps = Box::pin(pubsub::setup(&options(config), dry_run)).await?;
    Ok(steps.into_iter().map(|it| prepared("bus", it)).collect())
}

fn prepared(part: &'static str, step: Step) -> Prepared {
    Prepared {
        part,
        name: step.name,
        state: match step.made {
            Made::Created => "made",
            Made::Mended => "mended",
            Made::Existed => "was there",
            Made::Missing => "missing",
        },
        note: step.note,
    }
}

pub(super) async fn try_bus(config: &Config, nonce: &str) -> anyhow::Result<BusTrial> {
    let options = options(config);
    let found = Box::pin(probe(&options, nonce)).await?;
    let words = match found.taken_at {
        Some(_) => format!("a message to topic `{}` came back", options.topic),
        None => format!(
            "topic `{}` takes messages; this account may not make a trial subscription to get one back",
            options.topic
        ),
    };
    Ok(BusTrial {
        words,
        oddities: found.subscription,
        server_time: found.taken_at,
    })
}

fn dataset(config: &Config) -> bigquery::Options {
    let it = &config.warehouse.bigquery;
    bigquery::Options {
        project: config.google.project.clone(),
        dataset: it.dataset.clone(),
        location: it.location.clone(),
        rest_endpoint: it.rest_endpoint.clone(),
        grpc_endpoint: it.grpc_endpoint.clone(),
        delivery: match it.delivery {
            Delivery::ExactlyOnce => bigquery::Delivery::ExactlyOnce,
            Delivery::AtLeastOnce => bigquery::Delivery::AtLeastOnce,
        },
        writer: format!("{}-{}", std::process::id(), clock::now().as_micros()),
    }
}

pub(super) async fn warehouse(config: &Config) -> anyhow::Result<Arc<dyn Warehouse>> {
    let warehouse = Box::pin(BigQueryWarehouse::open(dataset(config), config.signals.clone())).await?;
    Ok(Arc::new(warehouse))
}

pub(super) async fn warehouse_to_read(config: &Config) -> anyhow::Result<Arc<dyn Warehouse>> {
    let warehouse = Box::pin(BigQueryWarehouse::open_read_only(
        dataset(config),
        config.signals.clone(),
    ))
    .await?;
    Ok(Arc::new(warehouse))
}

pub(super) async fn set_up_warehouse(config: &Config, dry_run: bool) -> anyhow::Result<Vec<Prepared>> {
    let steps = Box::pin(bigquery::setup(&dataset(config), &config.signals, dry_run)).await?;
    Ok(steps.into_iter().map(|it| prepared("warehouse", it)).collect())
}

pub(super) async fn try_warehouse(config: &Config) -> anyhow::Result<(String, String)> {
    let found = Box::pin(bigquery::probe(&dataset(config), &config.signals)).await?;
    Ok((found.words, found.oddities))
}
