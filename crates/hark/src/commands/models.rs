//! `hark models`: the versions, and which one judges.

use std::io::Write;

use anyhow::Context;
use detector::{Model, Report, ThresholdPolicy};
use serde_json::{Value, json};

use crate::app::open_registry;
use crate::cli::ModelsCommand;
use crate::config::{Config, nearest};
use crate::exit::Fault;
use crate::output::{Format, Sheet, say, tell_outcome};
use crate::runtime::registry::{Entry, Registry};
use crate::table::Place;

/// Lists, shows or changes. A running hark follows the registry within a second.
pub(crate) fn run(config: &Config, command: &ModelsCommand, said: Option<Format>) -> anyhow::Result<()> {
    let registry = open_registry(config)?;
    let format = said.unwrap_or(Format::Table);
    match command {
        ModelsCommand::List => list(&registry, format),
        ModelsCommand::Show { version } => show(&registry, version.as_deref(), format),
        ModelsCommand::Promote { version } => promote(&registry, version, said),
        ModelsCommand::Rollback => {
            let (now, before) = registry.rollback()?;
            let sentence = format!("{now} is in force again, {before} no more");
            tell_outcome(sentence, said, &[("live", json!(now)), ("before", json!(before))])
        }
        ModelsCommand::Export { version, output } => export(&registry, version, output),
        ModelsCommand::Import {
            input,
            promote: at_once,
        } => {
            let version = registry.import(input.reader()?, &input.to_string())?;
            let sentence = format!("`{input}` is {version}");
            if *at_once {
                say(sentence);
                return promote(&registry, &version, said);
            }
            tell_outcome(sentence, said, &[("version", json!(version))])
        }
    }
}

fn list(registry: &Registry, format: Format) -> anyhow::Result<()> {
    let mut sheet = Sheet::new([
        "version",
        "live",
        "created_at",
        "readings",
        "devices",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "flag_rate",
        "problem",
    ]);
    let entries = registry.list()?;
    if entries.is_empty() {
        say("there is no model yet; `hark train` makes one");
    }
    for entry in entries.iter().rev() {
        let model = entry.model.as_ref();
        let of_model = |value: fn(&Model) -> Value| model.map_or(Value::Null, value);
        let report = entry.metrics.as_ref().map(|it| &it.held_out);
        let labelled = report.and_then(|it| it.labelled.as_ref());
        sheet.push(vec![
            json!(entry.version),
            json!(entry.live),
            of_model(|it| json!(it.provenance.created_at.to_string())),
            of_model(|it| json!(it.provenance.readings)),
            of_model(|it| json!(it.provenance.devices)),
            rounded(labelled.and_then(|it| it.precision)),
            rounded(labelled.and_then(|it| it.recall)),
            rounded(labelled.and_then(|it| it.f1)),
            rounded(labelled.and_then(|it| it.roc_auc)),
            rounded(report.map(|it| it.flag_rate)),
            json!(model.err()),
        ]);
    }
    sheet.print(format)
}

fn show(registry: &Registry, version: Option<&str>, format: Format) -> anyhow::Result<()> {
    let version = match version {
        Some(version) => known(registry, version)?.to_owned(),
        None => registry
            .live()?
            .ok_or_else(|| Fault::new("no model is in force", "`hark train` makes one"))?,
    };
    let entry = Entry {
        live: registry.live()?.as_deref() == Some(&version),
        model: Ok(registry.load(&version)?),
        metrics: registry.metrics(&version)?,
        version,
    };
    let mut sheet = Sheet::new(["property", "value"]);
    let mut add = |name: String, value: Value| sheet.push(vec![json!(name), value]);
    add("version".to_owned(), json!(entry.version));
    add("live".to_owned(), json!(entry.live));
    if let Ok(model) = &entry.model {
        describe(model, &mut add);
    }
    match &entry.metrics {
        Some(metrics) => measured(&metrics.held_out, &mut add),
        None => add("measured".to_owned(), Value::Null),
    }
    sheet.print(format)
}

fn describe(model: &Model, add: &mut impl FnMut(String, Value)) {
    let it = &model.provenance;
    let policy = match it.policy {
        ThresholdPolicy::Contamination => "contamination".to_owned(),
        ThresholdPolicy::Budget {
            false_alarms_per_device_week,
        } => {
            format!("budget of {false_alarms_per_device_week} false alarms a device and week")
        }
    };
    add("created_at".to_owned(), json!(it.created_at.to_string()));
    add("program".to_owned(), json!(it.program));
    add("trained_on.readings".to_owned(), json!(it.readings));
    add("trained_on.devices".to_owned(), json!(it.devices));
    add("trained_on.from".to_owned(), json!(it.from.to_string()));
    add("trained_on.to".to_owned(), json!(it.to.to_string()));
    add("forest.trees".to_owned(), json!(it.params.trees));
    add("forest.subsample".to_owned(), json!(it.params.subsample));
    add("forest.random_state".to_owned(), json!(it.params.seed));
    add("threshold".to_owned(), json!(policy));
    for (nth, rhythm) in model.recurring.rhythms.iter().enumerate() {
        add(format!("recurring.{}", nth + 1), json!(rhythm.to_string()));
    }
    add(
        "recurring.labelled_devices".to_owned(),
        json!(model.recurring.told.len()),
    );
    for (signal, forest) in model.signals.iter().zip(&model.forests) {
        let threshold = forest.as_ref().map(|it| it.threshold);
        add(format!("{}.threshold", signal.name), rounded(threshold));
    }
}

fn measured(report: &Report, add: &mut impl FnMut(String, Value)) {
    let mut add = |name: &str, value: Value| add(format!("held_out.{name}"), value);
    add("readings", json!(report.readings));
    add("devices", json!(report.devices));
    add("from", json!(report.from));
    add("to", json!(report.to));
    add("flag_rate", rounded(Some(report.flag_rate)));
    add("flags_per_device_day", rounded(Some(report.flags_per_device_day)));
    if let Some(it) = &report.labelled {
        add("true_positives", json!(it.true_positives));
        add("false_positives", json!(it.false_positives));
        add("false_negatives", json!(it.false_negatives));
        add("true_negatives", json!(it.true_negatives));
        add("precision", rounded(it.precision));
        add("recall", rounded(it.recall));
        add("f1", rounded(it.f1));
        add("roc_auc", rounded(it.roc_auc));
        add("average_precision", rounded(it.average_precision));
        add("false_alarms_per_device_day", rounded(it.false_alarms_per_device_day));
        for (kind, recall, _) in &it.recall_by_kind {
            add(&format!("recall.{kind}"), rounded(Some(*recall)));
        }
    }
    for (share, score) in &report.score_quantiles {
        add(&format!("score_quantile.{share}"), rounded(Some(*score)));
    }
}

fn promote(registry: &Registry, version: &str, said: Option<Format>) -> anyhow::Result<()> {
    let version = known(registry, version)?;
    let before = registry.promote(version)?;
    let sentence = match &before {
        Some(before) if before == version => format!("{version} is in force already"),
        Some(before) => format!("{version} is in force, {before} no more"),
        None => format!("{version} is in force"),
    };
    tell_outcome(sentence, said, &[("live", json!(version)), ("before", json!(before))])
}

fn export(registry: &Registry, version: &str, output: &Place) -> anyhow::Result<()> {
    let bytes = registry.load(known(registry, version)?)?.to_bytes();
    let mut writer = output.writer()?;
    let written = writer.write_all(&bytes).and_then(|()| writer.flush());
    written.with_context(|| format!("failed to write `{output}`"))?;
    say(format_args!("{version} is in `{output}`"));
    Ok(())
}

/// The version, if there is one of this name.
fn known<'a>(registry: &Registry, version: &'a str) -> anyhow::Result<&'a str> {
    if registry.contains(version)? {
        return Ok(version);
    }
    let versions = registry.versions()?;
    let hint = match nearest(version, versions.iter().map(String::as_str)) {
        Some(likely) => format!("did you mean {likely}? `hark models list` shows all"),
        None => "`hark models list` shows all".to_owned(),
    };
    Err(Fault::new(format!("there is no model `{version}`"), hint).into())
}

fn rounded(value: Option<f64>) -> Value {
    value.map_or(Value::Null, |it| json!((it * 1e6).round() / 1e6))
}
