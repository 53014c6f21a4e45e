//! `hark train`: a new version from the stored readings.

use domain::{TimeRange, Timestamp};

use crate::app::{open_registry, open_warehouse_to_read};
use crate::cli::TrainArgs;
use crate::config::Config;
use crate::output::say;
use crate::progress::Progress;
use crate::runtime::training::{self, Order, Trained};

/// Trains, and says what came of it. It may run beside the process that serves.
pub(crate) async fn run(config: Config, args: TrainArgs) -> anyhow::Result<()> {
    let warehouse = open_warehouse_to_read(&config).await?;
    let registry = open_registry(&config)?;
    let range = TimeRange {
        start: args.since.unwrap_or(Timestamp::MIN),
        end: args.until.unwrap_or(Timestamp::MAX),
    };
    let order = Order {
        range,
        ..Order::of(&config, args.promote)?
    };
    let progress = Progress::new("training");
    let trained = training::train(warehouse.as_ref(), &registry, &order, &|_, share| progress.at(share)).await?;
    progress.done();
    say(format_args!("{}", sentence(&trained)));
    Ok(())
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
    let short = match (model.budget(), model.bar.resolves()) {
        (Some(budget), least) if budget < least => format!(
            "; the budget of {budget} false alarms a device and week is less than one in all that was seen ({least:.2}): it is \
             kept by continuing the tail of the scores, which nothing has shown yet"
        ),
        _ => String::new(),
    };
    let state = if trained.promoted { "in force" } else { "not in force" };
    format!(
        "{} {state} ({}): trained on {} readings of {} devices, measured on the {} that followed: {quality}{short}",
        model.version, trained.why, model.provenance.readings, model.provenance.devices, report.readings
    )
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "n/a".to_owned(), |it| format!("{it:.3}"))
}
