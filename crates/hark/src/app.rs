//! One running Hark: the parts that the consumer, the API and the dashboard share, and how they are wired.
//!
//! This is the only place that knows which backends there are.

#[cfg(feature = "gcp")]
mod google;
mod prepare;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use bus::embedded::{Limits, embedded};
use bus::{Publisher, Subscriber};
use domain::{TimeRange, Timestamp};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use warehouse::Warehouse;
use warehouse::embedded::{EmbeddedWarehouse, Options};

pub(crate) use self::prepare::{set_up, try_bus, try_warehouse};
use crate::config::{BusKind, Config, WarehouseKind};
use crate::exit::Fault;
use crate::runtime::addressed::Addressed;
use crate::runtime::clock;
use crate::runtime::consumer::Consumer;
use crate::runtime::events::Events;
use crate::runtime::first_model;
use crate::runtime::fleet::Fleet;
use crate::runtime::live_model::LiveModel;
use crate::runtime::registry::Registry;

/// How often readings beyond the retention are dropped.
const RETENTION_ROUND: Duration = Duration::from_secs(3_600);

/// How often a server that does not consume takes up the states that consumers have committed.
const STATES_ROUND: Duration = Duration::from_secs(30);

/// The shared parts.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) warehouse: Arc<dyn Warehouse>,
    pub(crate) publisher: Arc<dyn Publisher>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) live_model: Arc<LiveModel>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) events: Arc<Events>,
    pub(crate) prometheus: PrometheusHandle,
    pub(crate) started_at: Timestamp,
    /// Cancelled when the process is asked to end: no new work, open streams end.
    pub(crate) stop: CancellationToken,
}

impl App {
    /// Opens everything that the configuration names. The subscriber belongs to the consumer loop.
    pub(crate) async fn open(
        config: Config,
        stop: CancellationToken,
    ) -> anyhow::Result<(Arc<Self>, Box<dyn Subscriber>)> {
        let warehouse = open_warehouse(&config).await?;
        let (publisher, subscriber) = open_bus(&config).await?;
        let app = Self::around(config, warehouse, publisher, stop).await?;
        Ok((app, subscriber))
    }

    /// Opens what a server needs that consumes nothing: others do, from the bus that they share.
    pub(crate) async fn open_beside_consumers(config: Config, stop: CancellationToken) -> anyhow::Result<Arc<Self>> {
        // What people do with incidents is written where more than one process may write.
        let warehouse = if config.warehouse.kind.is_shared() {
            open_warehouse(&config).await?
        } else {
            open_warehouse_to_read(&config).await?
        };
        let publisher = open_publisher(&config).await?;
        Self::around(config, warehouse, publisher, stop).await
    }

    async fn around(
        config: Config,
        warehouse: Arc<dyn Warehouse>,
        publisher: Arc<dyn Publisher>,
        stop: CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        let fleet = Arc::new(Fleet::new(config.signals.clone()));
        restore(&fleet, warehouse.as_ref()).await?;
        let registry = Arc::new(open_registry(&config));
        let events = Arc::new(Events::new());
        let live_model = LiveModel::open(registry.clone(), config.signals.clone(), events.clone());
        let app = Self {
            config,
            warehouse,
            publisher,
            fleet,
            live_model: Arc::new(live_model),
            registry,
            events,
            prometheus: prometheus(),
            started_at: clock::now(),
            stop,
        };
        Ok(Arc::new(app))
    }

    /// Starts what runs beside every server: the consumer, the watch on the model pointer, the retention.
    pub(crate) fn start(self: &Arc<Self>, subscriber: Box<dyn Subscriber>, tasks: &mut Tasks) {
        let consumer = Consumer {
            warehouse: self.warehouse.clone(),
            fleet: self.fleet.clone(),
            live_model: self.live_model.clone(),
            events: self.events.clone(),
            max_future_skew: self.config.detector.max_future_skew,
        };
        let stop = self.stop.clone();
        tasks.spawn(async move { consumer.run(subscriber, stop).await.context("the consumer failed") });
        self.watch_model(tasks);
        if let Some(retention) = self.config.warehouse.retention {
            tasks.spawn(drop_old(self.clone(), retention));
        }
    }

    /// Starts what runs beside a server that does not consume: it takes up states and models as others write them.
    pub(crate) fn follow(self: &Arc<Self>, tasks: &mut Tasks) {
        self.watch_model(tasks);
        let app = self.clone();
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = app.stop.cancelled() => return Ok(()),
                    () = tokio::time::sleep(STATES_ROUND) => {}
                }
                if let Err(cause) = restore(&app.fleet, app.warehouse.as_ref()).await {
                    warn!(
                        error = format!("{cause:#}"),
                        "device states could not be taken up, trying again"
                    );
                }
            }
        });
    }

    fn watch_model(self: &Arc<Self>, tasks: &mut Tasks) {
        let (app, stop) = (self.clone(), self.stop.clone());
        tasks.spawn(async move {
            app.live_model.watch(stop).await;
            Ok(())
        });
    }

    /// Trains the first model by itself once enough readings are stored. It is no server, so its end ends nothing.
    pub(crate) fn train_when_ready(self: &Arc<Self>, tasks: &mut Tasks) {
        let app = self.clone();
        tasks.spawn(async move {
            first_model::train_when_ready(app.clone()).await?;
            app.stop.cancelled().await;
            Ok(())
        });
    }
}

/// The tasks of a process. The first to end, well or badly, ends them all.
pub(crate) type Tasks = JoinSet<anyhow::Result<()>>;

/// The registry of a configuration.
pub(crate) fn open_registry(config: &Config) -> Registry {
    Registry::new(config.data.dir.join("models"))
}

/// The warehouse of a configuration, for a process that writes.
pub(crate) async fn open_warehouse(config: &Config) -> anyhow::Result<Arc<dyn Warehouse>> {
    match config.warehouse.kind {
        WarehouseKind::Embedded => {
            let (dir, signals) = (&config.data.dir, config.signals.clone());
            let warehouse = EmbeddedWarehouse::open(dir, signals, &embedded_options(config));
            Ok(Arc::new(warehouse.with_context(|| of_folder(config))?))
        }
        #[cfg(feature = "gcp")]
        WarehouseKind::BigQuery => google::warehouse(config).await,
        #[cfg(not(feature = "gcp"))]
        WarehouseKind::BigQuery => Err(left_out()),
    }
}

/// The warehouse of a configuration, for reading beside the processes that write.
pub(crate) async fn open_warehouse_to_read(config: &Config) -> anyhow::Result<Arc<dyn Warehouse>> {
    match config.warehouse.kind {
        WarehouseKind::Embedded => {
            let (dir, signals) = (&config.data.dir, config.signals.clone());
            let warehouse = EmbeddedWarehouse::open_read_only(dir, signals, &embedded_options(config));
            Ok(Arc::new(warehouse.with_context(|| of_folder(config))?))
        }
        #[cfg(feature = "gcp")]
        WarehouseKind::BigQuery => google::warehouse_to_read(config).await,
        #[cfg(not(feature = "gcp"))]
        WarehouseKind::BigQuery => Err(left_out()),
    }
}

fn of_folder(config: &Config) -> String {
    format!("failed to open the data folder `{}`", config.data.dir.display())
}

fn embedded_options(config: &Config) -> Options {
    Options {
        dead_letters_max: config.warehouse.dead_letters_max,
        ..Options::default()
    }
}

/// Both ends of the bus of a configuration.
async fn open_bus(config: &Config) -> anyhow::Result<(Arc<dyn Publisher>, Box<dyn Subscriber>)> {
    match config.bus.kind {
        BusKind::Embedded => {
            let it = &config.bus;
            let limits = Limits {
                max_queued: it.max_queued,
                max_batch: it.max_batch,
                patience: it.patience,
            };
            let (publisher, subscriber) = embedded(limits);
            Ok((Arc::new(publisher), Box::new(subscriber)))
        }
        #[cfg(feature = "gcp")]
        BusKind::Pubsub => Ok((open_publisher(config).await?, google::subscriber(config).await?)),
        #[cfg(not(feature = "gcp"))]
        BusKind::Pubsub => Err(left_out()),
    }
}

/// The sending end of a bus that processes share.
pub(crate) async fn open_publisher(config: &Config) -> anyhow::Result<Arc<dyn Publisher>> {
    let publisher: Arc<dyn Publisher> = match config.bus.kind {
        BusKind::Embedded => anyhow::bail!(Fault::new(
            "the embedded bus lies inside of one process",
            "choose one that processes share, such as bus.kind = \"pubsub\""
        )),
        #[cfg(feature = "gcp")]
        BusKind::Pubsub => google::publisher(config).await?,
        #[cfg(not(feature = "gcp"))]
        BusKind::Pubsub => return Err(left_out()),
    };
    Ok(Arc::new(Addressed::new(publisher, config.signals.clone())))
}

#[cfg(not(feature = "gcp"))]
fn left_out() -> anyhow::Error {
    Fault::new("Google Cloud is left out of this build", "build with `--features gcp`").into()
}

/// Takes up the states that were committed with the last readings. A state that another version or other signals
/// wrote is built again from the stored readings.
async fn restore(fleet: &Fleet, warehouse: &dyn Warehouse) -> anyhow::Result<()> {
    let mut stale = HashSet::new();
    for (device_id, bytes) in warehouse
        .device_states()
        .await
        .context("failed to read the devices' states")?
    {
        if let Err(cause) = fleet.restore(device_id.clone(), &bytes) {
            warn!(device = %device_id, error = %cause, "device state is built again from its readings");
            stale.insert(device_id);
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    let mut scan = warehouse.scan(TimeRange::ALL);
    while let Some(block) = scan.next().await.context("failed to read the stored readings")? {
        for judged in block.iter().filter(|it| !it.late && !it.clock_suspect) {
            if stale.contains(&judged.reading.device_id) {
                fleet.update(&judged.reading.device_id, |state| state.push(&judged.reading));
            }
        }
    }
    info!(devices = stale.len(), "device states built again");
    Ok(())
}

async fn drop_old(app: Arc<App>, retention: Duration) -> anyhow::Result<()> {
    loop {
        match app.warehouse.drop_before(clock::now().before(retention)).await {
            Ok(0) => {}
            Ok(readings) => info!(readings, "readings older than the retention dropped"),
            Err(cause) => warn!(error = %cause, "old readings could not be dropped, trying again in an hour"),
        }
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(RETENTION_ROUND) => {}
        }
    }
}

/// The recorder of this process, installed at the first call.
fn prometheus() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            warn!("another metrics recorder is in place, /metrics stays empty");
        }
        crate::metrics::describe();
        handle
    };
    HANDLE.get_or_init(install).clone()
}
