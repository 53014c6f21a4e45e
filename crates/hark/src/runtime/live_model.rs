//! The model in force, swapped without a pause: a judgement that began goes on with the model it began with.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use detector::Model;
use domain::Signals;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::answers::Basis;
use super::events::{Event, Events};
use super::registry::Registry;
use crate::metrics;

/// The model in force; none before the first training.
pub(crate) struct LiveModel {
    registry: Arc<Registry>,
    signals: Signals,
    events: Arc<Events>,
    model: ArcSwapOption<InForce>,
}

/// A model that judges.
pub(crate) struct InForce {
    pub(crate) model: Arc<Model>,
    /// What its answers follow from, but for the question.
    pub(crate) basis: Basis,
}

impl LiveModel {
    /// The model that the registry points at now. A model that cannot be read is told and left out, since readings
    /// must be stored all the same.
    pub(crate) fn open(registry: Arc<Registry>, signals: Signals, events: Arc<Events>) -> Self {
        let live = Self {
            registry,
            signals,
            events,
            model: ArcSwapOption::empty(),
        };
        if let Err(cause) = live.try_refresh() {
            let cause = format!("{cause:#}");
            error!(cause, "model refused");
            live.fall_back();
        }
        live
    }

    /// At the start, when the model that the registry points at is refused: the newest sound one that was in force
    /// before it judges, until a sound one is promoted.
    fn fall_back(&self) {
        let before = self.registry.history().unwrap_or_default();
        let sound = before.iter().rev().find_map(|version| {
            let model = self.registry.load(version).ok()?;
            model.for_signals(&self.signals).ok()
        });
        match sound {
            Some(model) => {
                warn!(version = %model.version, "an earlier model judges; promote a sound one");
                self.put_in_force(model);
            }
            None => warn!("no earlier model is sound, so readings are stored unjudged"),
        }
    }

    /// The model to judge with, held for as long as one judgement or batch needs it.
    pub(crate) fn get(&self) -> Option<Arc<Model>> {
        self.model.load().as_ref().map(|it| it.model.clone())
    }

    /// The same, with what its answers follow from.
    pub(crate) fn in_force(&self) -> Option<Arc<InForce>> {
        self.model.load_full()
    }

    /// Follows the registry's pointer. A model that cannot be read is refused with a reason, and the old one stays.
    pub(crate) fn refresh(&self) {
        if let Err(cause) = self.try_refresh() {
            let cause = format!("{cause:#}");
            error!(cause, "model refused, the one before stays in force");
        }
    }

    fn try_refresh(&self) -> anyhow::Result<()> {
        let Some(version) = self.registry.live()? else {
            return Ok(());
        };
        if self.get().is_some_and(|it| *it.version == *version) {
            return Ok(());
        }
        let model = self.registry.load(&version)?.for_signals(&self.signals)?;
        info!(version, "model in force");
        self.put_in_force(model);
        self.events.send(Event::Model(version));
        Ok(())
    }

    fn put_in_force(&self, model: Model) {
        let measured = self.registry.metrics(&model.version).unwrap_or_else(|cause| {
            warn!(
                cause = format!("{cause:#}"),
                "what was measured of the model cannot be read"
            );
            None
        });
        metrics::model(&model, self.get().as_deref(), measured.as_ref());
        let basis = Basis::new(&model.to_bytes());
        let model = Arc::new(model);
        self.model.store(Some(Arc::new(InForce { model, basis })));
    }

    /// Follows the pointer until told to stop. A refused model and an absent registry are told once, not at every look.
    pub(crate) async fn watch(&self, stop: CancellationToken) {
        let mut refused: Option<String> = None;
        let mut is_away = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.registry.pace()) => {}
            }
            let pointer = match self.registry.live() {
                Ok(pointer) => pointer,
                Err(cause) => {
                    if !std::mem::replace(&mut is_away, true) {
                        let cause = format!("{cause:#}");
                        warn!(cause, "the model registry cannot be asked, the model in force stays");
                    }
                    continue;
                }
            };
            if std::mem::take(&mut is_away) {
                info!("the model registry answers again");
            }
            if pointer.is_some() && pointer == refused {
                continue;
            }
            refused = match self.try_refresh() {
                Ok(()) => None,
                Err(cause) => {
                    let cause = format!("{cause:#}");
                    error!(cause, "model refused, the one before stays in force");
                    pointer
                }
            };
        }
    }
}
