//! `hark train`: a new version from the stored readings, once or again and again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use detector::{Bar, TrainError};
use domain::{Signals, TimeRange, Timestamp};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use warehouse::Warehouse;

use crate::app::{self, Tasks, open_registry, open_warehouse_to_read};
use crate::cli::TrainArgs;
use crate::commands::operation;
use crate::config::{self, Settings};
use crate::http::Operation;
use crate::output::say;
use crate::progress::Progress;
use crate::reload::Live;
use crate::runtime::clock;
use crate::runtime::events::Events;
use crate::runtime::live_model::LiveModel;
use crate::runtime::registry::Registry;
use crate::runtime::training::{self, Order, Trained};
use crate::{metrics, shutdown};

/// When a training that failed, or had too little to learn from, is tried again.
const AGAIN: Duration = Duration::from_secs(60);

const WEEK_SECONDS: f64 = 7.0 * 86_400.0;

/// Trains, and says what came of it. It may run beside the process that serves.
pub(crate) async fn run(live: Live, args: TrainArgs) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    shutdown::on_signals(stop.clone())?;
    let Live { config, reload } = live;
    let hangups = reload.listen()?;
    let listener = operation::listen(&args.operation).await?;
    let mut tasks = Tasks::new();
    let prometheus = app::prometheus(&config.signals);
    let trainer = Trainer {
        warehouse: open_warehouse_to_read(&config).await?,
        registry: Arc::new(open_registry(&config)?),
        signals: config.signals.clone(),
        data: config.data.dir.clone(),
        settings: config::settings(config),
        args,
    };
    let operation = Operation {
        warehouse: trainer.warehouse.clone(),
        app: None,
        prometheus,
        data: trainer.data.clone(),
        stop: stop.clone(),
    };
    operation::serve(listener, operation, &mut tasks)?;
    tasks.spawn(hangups.follow(trainer.settings.clone(), stop.clone()));
    let until = stop.clone();
    match trainer.args.every {
        None => tasks.spawn(async move { trainer.once(until).await }),
        Some(every) => tasks.spawn(async move { trainer.on_schedule(every, until).await }),
    };
    shutdown::join(tasks, stop).await
}

/// What a training needs.
struct Trainer {
    settings: Settings,
    signals: Signals,
    data: PathBuf,
    args: TrainArgs,
    warehouse: Arc<dyn Warehouse>,
    registry: Arc<Registry>,
}

impl Trainer {
    async fn train(&self) -> anyhow::Result<Trained> {
        let range = TimeRange {
            start: self.args.since.unwrap_or(Timestamp::MIN),
            end: self.args.until.unwrap_or(Timestamp::MAX),
        };
        let order = Order {
            range,
            ..Order::of(&self.settings.load(), self.args.promote)?
        };
        let progress = Progress::new("training");
        let trained = training::train(self.warehouse.as_ref(), &self.registry, &order, &|_, share| {
            progress.at(share);
        })
        .await?;
        progress.done();
        Ok(trained)
    }

    async fn once(&self, stop: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            () = stop.cancelled() => anyhow::bail!("the training was stopped before its end; nothing was registered"),
            trained = self.train() => say(sentence(&trained?)),
        }
        Ok(())
    }

    /// Trains so long after the model in force was trained, at once if there is none, until told to stop. The metrics
    /// tell the model in force, whoever trained it.
    async fn on_schedule(&self, every: Duration, stop: CancellationToken) -> anyhow::Result<()> {
        let signals = self.signals.clone();
        let live = LiveModel::open(self.registry.clone(), signals, Arc::new(Events::new()));
        let mut wait = live.get().map_or(Duration::ZERO, |it| {
            let age = clock::now().seconds_since(it.provenance.created_at).max(0.0);
            every.saturating_sub(Duration::from_secs_f64(age))
        });
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
            // A training that is cut short registers nothing.
            let trained = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                trained = self.train() => trained,
            };
            wait = match trained {
                Ok(trained) => {
                    metrics::retrained(if trained.promoted { "promoted" } else { "kept" });
                    say(sentence(&trained));
                    every
                }
                Err(cause) => {
                    tell_failure(&cause);
                    every.min(AGAIN)
                }
            };
            live.refresh();
        }
    }
}

fn tell_failure(cause: &anyhow::Error) {
    if let Some(few @ TrainError::TooFew { .. }) = cause.downcast_ref() {
        say(format_args!("no training yet: {few}"));
    } else {
        metrics::retrained("failed");
        warn!(
            error = format!("{cause:#}"),
            "training failed, trying again in a minute"
        );
    }
}

/// What came of a training, for a person.
pub(crate) fn sentence(trained: &Trained) -> String {
    let report = &trained.metrics.held_out;
    let model = &trained.model;
    let quality = match &report.labelled {
        Some(it) => format!(
            "precision {}, recall {}, F1 {}, ROC-AUC {}, {} false alarms a device and day",
            number(it.precision),
            number(it.recall),
            number(it.f1),
            number(it.roc_auc),
            number(it.false_alarms_per_device_day),
        ),
        None => format!("no labels; {:.5} of the readings flagged", report.flag_rate),
    };
    // From the time that all devices were watched together, in weeks.
    let interval = WEEK_SECONDS / (model.bar.resolves() * model.provenance.readings.max(1) as f64);
    let most = Bar::most(interval);
    let short = match (model.budget(), model.bar.resolves()) {
        (Some(budget), least) if budget < least => format!(
            "; the budget of {budget} false alarms a device and week is less than one in all that was seen ({least:.2}): it is \
             kept by continuing the tail of the scores, which nothing has shown yet"
        ),
        (Some(budget), _) if budget > most => format!(
            "; the budget of {budget} false alarms a device and week is more than the {most:.0} that can begin with a reading \
             every {interval:.0} s: incidents run into one another, and there will be fewer"
        ),
        _ => String::new(),
    };
    let rhythms = model.recurring.foremost().iter();
    let rhythms: String = rhythms.map(|it| format!("; usual is what recurs {it}")).collect();
    let state = if trained.promoted { "in force" } else { "not in force" };
    format!(
        "{} {state} ({}): trained on {} readings of {} devices, measured on the {} that followed: {quality}{short}{rhythms}",
        model.version, trained.why, model.provenance.readings, model.provenance.devices, report.readings
    )
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "n/a".to_owned(), |it| format!("{it:.3}"))
}
