//! One running Hark: the parts that the consumer, the API and the dashboard share, and how they are wired.

use std::sync::Arc;

use anyhow::Context;
use bus::Publisher;
use bus::embedded::{EmbeddedSubscriber, Limits, embedded};
use domain::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use warehouse::Warehouse;
use warehouse::embedded::{DataDirLock, EmbeddedWarehouse, Options};

use crate::config::{BusKind, Config, WarehouseKind};
use crate::runtime::clock;
use crate::runtime::consumer::Consumer;
use crate::runtime::events::Events;
use crate::runtime::fleet::Fleet;
use crate::runtime::live_model::LiveModel;
use crate::runtime::registry::Registry;

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
