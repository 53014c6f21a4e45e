//! One running Hark: the parts that the consumer, the API and the dashboard share, and how they are wired.
//!
//! This is the only place that knows which backends there are.

#[cfg(feature = "gcp")]
mod google;
mod prepare;

use std::collections::HashSet;
use std::sync::{Arc, Once};
use std::time::Duration;

use anyhow::Context;
use bus::embedded::{Limits, embedded};
use bus::{Backlog, Lookout, Publisher, Subscriber};
use domain::{DeviceId, Incident, Signals, TimeRange, Timestamp};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use warehouse::embedded::{EmbeddedWarehouse, Options};
use warehouse::{Commit, IncidentQuery, IncidentUpdate, Warehouse};

pub(crate) use self::prepare::{set_up, try_bus, try_warehouse};
use crate::config::{self, BusKind, Config, Settings, WarehouseKind};
use crate::exit::Fault;
#[cfg(feature = "gcp")]
use crate::runtime::addressed::Addressed;
use crate::runtime::answers::Answers;
use crate::runtime::canary;
use crate::runtime::clock;
use crate::runtime::consumer::Consumer;
use crate::runtime::drift::Drift;
use crate::runtime::events::Events;
use crate::runtime::first_model;
use crate::runtime::fleet::Fleet;
use crate::runtime::handover::Awaited;
use crate::runtime::judging::Judging;
use crate::runtime::live_model::LiveModel;
use crate::runtime::maintenance::{self, Maintenance};
use crate::runtime::registry::Registry;
use crate::runtime::retraining;
use crate::runtime::shared::{Shared, relay};
use crate::runtime::silence;
use crate::runtime::tuning::{self, Tuning};

/// How often readings beyond the retention are dropped.
const RETENTION_ROUND: Duration = Duration::from_secs(3_600);

/// When that begins where many share the warehouse: after the work of a start is done, in which nobody wants to wait for it.
const FIRST_RETENTION_ROUND: Duration = Duration::from_secs(300);

/// How often a server that does not consume takes up the states that consumers have committed.
const STATES_ROUND: Duration = Duration::from_secs(30);

/// Whether the process consumes or follows what others consume.
enum Role {
    /// Its end of the bus can be looked into.
    Consumes(Lookout),
    Follows,
}

/// The shared parts.
pub(crate) struct App {
    role: Role,
    /// As the process began.
    pub(crate) config: Config,
    /// As it was read last, see [`App::settings`].
    pub(crate) settings: Settings,
    pub(crate) warehouse: Arc<dyn Warehouse>,
    pub(crate) publisher: Arc<dyn Publisher>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) live_model: Arc<LiveModel>,
    pub(crate) judging: Arc<Judging>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) events: Arc<Events>,
    pub(crate) answers: Answers,
    pub(crate) shared: Option<Arc<Shared>>,
    pub(crate) tuning: Arc<Tuning>,
    pub(crate) maintenance: Arc<Maintenance>,
    pub(crate) drift: Arc<Drift>,
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
        let app = Self::around(config, warehouse, publisher, Role::Consumes(subscriber.lookout()), stop).await?;
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
        Self::around(config, warehouse, publisher, Role::Follows, stop).await
    }

    async fn around(
        config: Config,
        warehouse: Arc<dyn Warehouse>,
        publisher: Arc<dyn Publisher>,
        role: Role,
        stop: CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        #[cfg(feature = "otel")]
        let publisher = crate::runtime::traced::Traced::around(publisher);
        let prometheus = prometheus(&config.signals);
        let fleet = Arc::new(Fleet::new(config.signals.clone()));
        let registry = Arc::new(open_registry(&config)?);
        let events = Arc::new(Events::new());
        let live_model = LiveModel::open(registry.clone(), config.signals.clone(), events.clone());
        let judging = Judging::new(&config.signals, &config.limits)?;
        let tuning = Tuning::open(config.data.dir.join(tuning::FILE))?;
        let maintenance = Maintenance::open(config.data.dir.join(maintenance::FILE))?;
        let shared = Shared::open(&config.redis)?;
        let stale = take_up(&fleet, warehouse.as_ref()).await?;
        rebuild(&fleet, warehouse.as_ref(), &maintenance, &stale).await?;
        // Where others consume, what went on with a device may go on with them.
        if matches!(role, Role::Consumes(_)) && !config.warehouse.kind.is_shared() {
            close_lost(warehouse.as_ref(), &stale).await?;
        }
        let app = Self {
            role,
            tuning: Arc::new(tuning),
            maintenance: Arc::new(maintenance),
            answers: Answers::new(&format!("{judging:?}"), shared.clone()),
            shared,
            drift: Arc::default(),
            settings: config::settings(config.clone()),
            config,
            warehouse,
            publisher,
            fleet,
            live_model: Arc::new(live_model),
            judging: Arc::new(judging),
            registry,
            events,
            prometheus,
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
            tuning: self.tuning.clone(),
            maintenance: self.maintenance.clone(),
            drift: self.drift.clone(),
            settings: self.settings.clone(),
            judging: self.judging.clone(),
            is_one_of_many: self.config.bus.kind.is_shared(),
            shared: self.shared.clone(),
            awaited: Awaited::new(2 * self.config.bus.pubsub.lease),
        };
        let stop = self.stop.clone();
        tasks.spawn(async move { consumer.run(subscriber, stop).await.context("the consumer failed") });
        self.watch_over(tasks);
        // On a shared bus the servers send probes: a consumer need not be allowed to publish.
        if !self.config.bus.kind.is_shared() {
            tasks.spawn(canary::run(self.clone()));
        }
        tasks.spawn(drop_old(self.clone()));
    }

    /// Starts what runs beside a server that does not consume: it takes up states and models as others write them.
    pub(crate) fn follow(self: &Arc<Self>, tasks: &mut Tasks) {
        self.watch_over(tasks);
        tasks.spawn(canary::run(self.clone()));
        if self.shared.is_some() {
            let app = self.clone();
            tasks.spawn(async move {
                if let Some(shared) = &app.shared {
                    shared.listen(&app.fleet, &app.events, app.stop.clone()).await;
                }
                Ok(())
            });
        }
        let app = self.clone();
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = app.stop.cancelled() => return Ok(()),
                    () = tokio::time::sleep(STATES_ROUND) => {}
                }
                // What another version wrote stays as it was built at the start.
                if let Err(cause) = take_up(&app.fleet, app.warehouse.as_ref()).await {
                    warn!(
                        error = format!("{cause:#}"),
                        "device states could not be taken up, trying again"
                    );
                }
            }
        });
    }

    fn watch_over(self: &Arc<Self>, tasks: &mut Tasks) {
        let (app, stop) = (self.clone(), self.stop.clone());
        tasks.spawn(async move {
            app.live_model.watch(stop).await;
            Ok(())
        });
        tasks.spawn(silence::watch(self.clone()));
        if let Some(shared) = &self.shared {
            let telling = relay::telling(shared.clone(), self.events.clone(), self.stop.clone());
            tasks.spawn(async move {
                telling.await;
                Ok(())
            });
        }
    }

    /// The configuration in force: that of the start, with the keys that are reloaded as they were read last.
    pub(crate) fn settings(&self) -> Arc<Config> {
        self.settings.load_full()
    }

    /// What this process has received and not settled; none where others consume.
    pub(crate) fn backlog(&self) -> Option<Backlog> {
        match &self.role {
            Role::Consumes(lookout) => Some(lookout()),
            Role::Follows => None,
        }
    }

    /// Whether settings that people change lie where all that judge see them: in a data folder that is also the consumer's.
    pub(crate) fn shares_settings(&self) -> bool {
        matches!(self.role, Role::Consumes(_)) || !self.config.warehouse.kind.is_shared()
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

    /// Trains again and again, as the configuration says.
    pub(crate) fn retrain(self: &Arc<Self>, tasks: &mut Tasks) {
        if let Some(every) = self.config.train.every {
            tasks.spawn(retraining::run(self.clone(), every));
        }
    }
}

/// The tasks of a process. The first to end, well or badly, ends them all.
pub(crate) type Tasks = JoinSet<anyhow::Result<()>>;

/// The registry of a configuration.
pub(crate) fn open_registry(config: &Config) -> anyhow::Result<Registry> {
    match &config.registry {
        config::Registry::Folder(None) => Ok(Registry::in_folder(config.data.dir.join("models"))),
        config::Registry::Folder(Some(dir)) => Ok(Registry::in_folder(dir.clone())),
        #[cfg(feature = "bucket")]
        config::Registry::Bucket { url, endpoint } => Registry::in_bucket(url, endpoint.as_deref()),
        #[cfg(not(feature = "bucket"))]
        config::Registry::Bucket { url, .. } => Err(Fault::new(
            format!("`{url}` is a bucket, and buckets are left out of this build"),
            "build with `--features bucket`",
        )
        .into()),
    }
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
    match config.bus.kind {
        BusKind::Embedded => {
            let fault = Fault::new(
                "the embedded bus lies inside of one process",
                "choose one that processes share, such as bus.kind = \"pubsub\"",
            );
            Err(fault.into())
        }
        #[cfg(feature = "gcp")]
        BusKind::Pubsub => {
            let publisher = google::publisher(config).await?;
            Ok(Arc::new(Addressed::new(publisher, config.signals.clone())))
        }
        #[cfg(not(feature = "gcp"))]
        BusKind::Pubsub => Err(left_out()),
    }
}

#[cfg(not(feature = "gcp"))]
fn left_out() -> anyhow::Error {
    Fault::new("Google Cloud is left out of this build", "build with `--features gcp`").into()
}

/// Takes up the states that were committed with the last readings, and says of which devices they cannot be read:
/// another version or other signals wrote them.
async fn take_up(fleet: &Fleet, warehouse: &dyn Warehouse) -> anyhow::Result<HashSet<DeviceId>> {
    let mut stale = HashSet::new();
    for (device_id, bytes) in warehouse
        .device_states()
        .await
        .context("failed to read the devices' states")?
    {
        if let Err(cause) = fleet.take_up(device_id.clone(), &bytes) {
            debug!(device = %device_id, error = %cause, "a device state cannot be read");
            stale.insert(device_id);
        }
    }
    Ok(stale)
}

/// Builds states again from the stored readings, without those of maintenance.
async fn rebuild(
    fleet: &Fleet,
    warehouse: &dyn Warehouse,
    maintenance: &Maintenance,
    stale: &HashSet<DeviceId>,
) -> anyhow::Result<()> {
    if stale.is_empty() {
        return Ok(());
    }
    info!(
        devices = stale.len(),
        "building device states again from their readings"
    );
    let mut scan = warehouse.scan(TimeRange::ALL);
    while let Some(block) = scan.next().await.context("failed to read the stored readings")? {
        for judged in block.iter().filter(|it| stale.contains(&it.reading.device_id)) {
            let reading = &judged.reading;
            let is_apart =
                judged.late || judged.clock_suspect || maintenance.covers(&reading.device_id, reading.timestamp);
            fleet.update(&reading.device_id, |tracked| {
                tracked.watched.hear(judged.received_at);
                if !is_apart {
                    tracked.watched.follow(reading, tracked.state.last());
                    tracked.state.push(reading);
                }
            });
        }
    }
    Ok(())
}

/// Closes what went on with devices whose state is lost: an event cannot be built again from its readings.
async fn close_lost(warehouse: &dyn Warehouse, stale: &HashSet<DeviceId>) -> anyhow::Result<()> {
    let now = clock::now();
    let ongoing = IncidentQuery {
        ongoing: Some(true),
        ..IncidentQuery::all(now, usize::MAX)
    };
    let ongoing = warehouse
        .incidents(ongoing)
        .await
        .context("failed to read the incidents")?;
    let of_stale = ongoing.items.into_iter().map(|it| it.incident);
    let closed = of_stale
        .filter(|it| stale.contains(&it.device_id))
        .map(|it| IncidentUpdate {
            incident: Incident {
                closed_at: Some(it.last),
                ..it
            },
            at: now,
        });
    let commit = Commit {
        incidents: closed.collect(),
        ..Commit::default()
    };
    warehouse.store(commit).await.context("failed to close incidents")?;
    Ok(())
}

async fn drop_old(app: Arc<App>) -> anyhow::Result<()> {
    if app.config.warehouse.kind.is_shared() {
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(FIRST_RETENTION_ROUND) => {}
        }
    }
    loop {
        let retention = app.settings().warehouse.retention;
        if let Some(retention) = retention {
            match app.warehouse.drop_before(clock::now().before(retention)).await {
                Ok(0) => {}
                Ok(readings) => info!(readings, "readings older than the retention dropped"),
                Err(cause) => warn!(error = %cause, "old readings could not be dropped, trying again in an hour"),
            }
        }
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(RETENTION_ROUND) => {}
        }
    }
}

/// The recorder of a process that works on readings: everything that may come to be counted is there from the first call.
pub(crate) fn prometheus(signals: &Signals) -> PrometheusHandle {
    static DESCRIBED: Once = Once::new();
    let handle = crate::metrics::install();
    DESCRIBED.call_once(|| crate::metrics::describe(signals));
    handle
}
