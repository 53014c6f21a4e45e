//! `hark backtest`: a file of readings through exactly the path that live readings take.
//!
//! The training rows make a model, without their labels. Then every row, training rows included, is judged in the
//! order of the file from an empty state: by the model, from what came before it.

mod incidents;
mod input;
mod replay;
mod verdicts;

use anyhow::Context;
use detector::{BaselinePass, CheckedPlan, FeaturePass, IncidentRules, Model};
use serde_json::{Value, json};

use crate::cli::BacktestArgs;
use crate::config::Config;
use crate::exit::{Exit, Fault};
use crate::output::{Format, Sheet, say};
use crate::progress::Progress;
use crate::runtime::clock;
use crate::runtime::judging::Judging;
use crate::table::Place;

use input::Input;
use replay::Measured;
pub(crate) use replay::Replay;

/// Judges a file, writes a verdict for each row, and measures them where there are labels.
pub(crate) fn run(config: &Config, args: &BacktestArgs, format: Format) -> anyhow::Result<Exit> {
    let progress = Progress::new("reading the table");
    let input = Input::read(config, args)?;
    progress.done();
    let plan = config.detector.plan(config.forest);
    let progress = Progress::new("training and judging");
    let model = train(&input, plan.check()?)?;
    let mut writer = args
        .output
        .as_ref()
        .map(|place| verdicts::Writer::create(place, &input))
        .transpose()?;
    let judging = Judging::new(&input.signals, &config.limits)?;
    let rules = IncidentRules {
        quiet_seconds: config.detector.incident_quiet.as_secs_f64(),
        ..IncidentRules::default()
    };
    let mut replay = Replay::new(&model, &judging, rules);
    for (at, entry) in input.entries.iter().enumerate() {
        let judged = entry
            .reading
            .as_ref()
            .map(|reading| replay.judge(reading, !entry.train));
        if let Some(writer) = &mut writer {
            writer.row(entry, judged.as_ref().ok())?;
        }
        if at % 10_000 == 0 {
            progress.at(at as f64 / input.entries.len() as f64);
        }
    }
    if let Some(writer) = writer {
        writer.finish().context("failed to write the verdicts")?;
    }
    progress.done();
    for rhythm in model.recurring.foremost() {
        say(format_args!("usual is what recurs {rhythm}"));
    }
    let measured = replay.measured();
    if let Some(place) = &args.incidents {
        incidents::write(place, &input, &measured.incidents).context("failed to write the incidents")?;
    }
    tell(&measured, input.refused(), args, format)?;
    Ok(if args.fail_on_anomaly && measured.report.flag_rate > 0.0 {
        Exit::AnomaliesFound
    } else {
        Exit::Ok
    })
}

/// A model of the training rows.
fn train(input: &Input, plan: CheckedPlan) -> anyhow::Result<Model> {
    let rows = || {
        input
            .entries
            .iter()
            .filter(|it| it.train)
            .filter_map(|it| it.reading.as_ref().ok())
    };
    let mut baselines = BaselinePass::new(&input.signals);
    rows().for_each(|it| baselines.push(it));
    let mut pass = FeaturePass::new(plan, input.signals.clone(), baselines.finish());
    rows().for_each(|it| pass.push(it));
    if pass.readings() == 0 {
        return Err(Fault::new(
            "no row trains the model",
            "say which rows do: --split-column, --train-rows, --train-until or --train-fraction",
        )
        .into());
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(pass.fit("backtest".into(), clock::now(), threads)?.0)
}

/// Tells what was measured: on stdout, unless the verdicts or incidents go there.
fn tell(measured: &Measured, refused: usize, args: &BacktestArgs, format: Format) -> anyhow::Result<()> {
    let mut sheet = Sheet::new(["measure", "value"]);
    for (name, value) in measures(measured, refused) {
        sheet.push(vec![json!(name), value]);
    }
    let places = [&args.output, &args.incidents];
    if places.into_iter().flatten().any(|it| matches!(it, Place::Standard)) {
        sheet.print_aside()
    } else {
        sheet.print(format)
    }
}

fn measures(measured: &Measured, refused: usize) -> Vec<(String, Value)> {
    let report = &measured.report;
    let mut rows: Vec<(String, Value)> = vec![
        ("rows judged after training".to_owned(), json!(report.readings)),
        ("devices".to_owned(), json!(report.devices)),
        ("rows refused".to_owned(), json!(refused)),
        ("share flagged".to_owned(), rounded(Some(report.flag_rate))),
        ("incidents".to_owned(), json!(measured.incidents.len())),
    ];
    let weekly = |count: usize| (report.device_days > 0.0).then(|| 7.0 * count as f64 / report.device_days);
    let Some(it) = &report.labelled else {
        let incidents = weekly(measured.incidents.len());
        rows.push(("incidents a device and week".to_owned(), rounded(incidents)));
        return rows;
    };
    let missed = measured.incidents.iter().filter(|it| !it.has_anomaly).count();
    rows.push(("incidents without an anomalous row".to_owned(), json!(missed)));
    rows.push(("false incidents a device and week".to_owned(), rounded(weekly(missed))));
    let counts = [
        ("true positives", it.true_positives),
        ("false positives", it.false_positives),
        ("false negatives", it.false_negatives),
        ("true negatives", it.true_negatives),
    ];
    rows.extend(counts.map(|(name, count)| (name.to_owned(), json!(count))));
    let shares = [
        ("precision", it.precision),
        ("recall", it.recall),
        ("F1", it.f1),
        ("ROC-AUC", it.roc_auc),
        ("average precision", it.average_precision),
        ("false alarms a device and day", it.false_alarms_per_device_day),
    ];
    rows.extend(shares.map(|(name, share)| (name.to_owned(), rounded(share))));
    rows
}

fn rounded(value: Option<f64>) -> Value {
    value.map_or(Value::Null, |it| json!((it * 1e4).round() / 1e4))
}
