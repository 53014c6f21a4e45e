//! What is said, in which order.

use domain::{Label, Severity, Standing, Timestamp};
use warehouse::StoredIncident;

use super::block::{Bar, Block, count, percent};
use super::gather::Gathered;
use crate::runtime::registry::Entry;

const MOST_INCIDENTS: usize = 20;
const MOST_SILENT: usize = 50;

/// A device that sent less than this share of what the middle one did is told.
const FEW: f64 = 0.5;
const MOST_FEW: usize = 20;

/// The whole report.
pub(super) fn of(it: &Gathered) -> Vec<Block> {
    let mut blocks = vec![
        Block::Title(format!("Hark, {} to {}", minute(it.range.start), minute(it.range.end))),
        Block::Text(summary(it)),
    ];
    incidents(it, &mut blocks);
    silent(it, &mut blocks);
    data(it, &mut blocks);
    models(it, &mut blocks);
    blocks
}

fn summary(it: &Gathered) -> String {
    let sum = |of: fn(&super::gather::Step) -> u64| it.steps.iter().map(of).sum::<u64>();
    let (readings, judged, anomalies) = (sum(|it| it.readings), sum(|it| it.judged), sum(|it| it.anomalies));
    format!(
        "{} of {} known devices sent {} readings. {} were judged, {} of them anomalous ({}). {} incidents went on, {} of \
         them are not resolved. {} devices are silent. {} messages were refused.",
        it.activity.len(),
        it.devices,
        count(readings),
        count(judged),
        count(anomalies),
        percent(anomalies, judged),
        it.incidents.len(),
        it.incidents.iter().filter(|it| is_open(it)).count(),
        it.silent.len(),
        count(it.refused.values().sum()),
    )
}

fn is_open(stored: &StoredIncident) -> bool {
    stored.triage.phase.standing() != Standing::Resolved
}

fn incidents(it: &Gathered, blocks: &mut Vec<Block>) {
    blocks.push(Block::Heading("Incidents"));
    if it.incidents.is_empty() {
        blocks.push(Block::Text("None.".to_owned()));
        return;
    }
    blocks.push(chart(it, "Incidents that began", |step| {
        let began = it
            .incidents
            .iter()
            .filter(|one| step.range.contains(one.incident.began));
        began.count() as f64
    }));
    let of = |severity: Severity| {
        let all: Vec<&StoredIncident> = it
            .incidents
            .iter()
            .filter(|it| it.incident.severity == severity)
            .collect();
        let labelled = |label| count_of(&all, |it| label_of(it) == Some(label));
        vec![
            severity.as_str().to_owned(),
            all.len().to_string(),
            count_of(&all, is_open),
            labelled(Label::True),
            labelled(Label::FalseAlarm),
            labelled(Label::Expected),
            labelled(Label::SensorFault),
        ]
    };
    blocks.push(Block::Table {
        columns: vec![
            "severity",
            "incidents",
            "not resolved",
            "said to be true",
            "false alarm",
            "expected",
            "sensor fault",
        ],
        rows: Severity::ALL.into_iter().rev().map(of).collect(),
    });
    let mut gravest: Vec<&StoredIncident> = it.incidents.iter().collect();
    gravest.sort_by(|a, b| {
        let of = |it: &StoredIncident| {
            (
                Severity::ALL.iter().position(|s| *s == it.incident.severity),
                is_open(it),
            )
        };
        of(b)
            .cmp(&of(a))
            .then(a.incident.peak_score.total_cmp(&b.incident.peak_score))
    });
    let left_out = gravest.len().saturating_sub(MOST_INCIDENTS);
    gravest.truncate(MOST_INCIDENTS);
    blocks.push(Block::Table {
        columns: vec!["severity", "device", "began", "state", "label", "why"],
        rows: gravest.into_iter().map(incident).collect(),
    });
    more(left_out, "incidents", blocks);
}

fn incident(stored: &StoredIncident) -> Vec<String> {
    let it = &stored.incident;
    vec![
        it.severity.as_str().to_owned(),
        it.device_id.to_string(),
        minute(it.began),
        stored.triage.phase.standing().as_str().to_owned(),
        label_of(stored).map_or("", Label::as_str).to_owned(),
        it.reason.clone(),
    ]
}

fn label_of(stored: &StoredIncident) -> Option<Label> {
    stored.triage.label.as_ref().map(|it| it.label)
}

fn count_of(all: &[&StoredIncident], is: impl Fn(&StoredIncident) -> bool) -> String {
    all.iter().filter(|it| is(it)).count().to_string()
}

fn silent(it: &Gathered, blocks: &mut Vec<Block>) {
    blocks.push(Block::Heading("Silent devices"));
    if it.silent.is_empty() {
        blocks.push(Block::Text("None.".to_owned()));
        return;
    }
    let rows = it.silent.iter().take(MOST_SILENT).map(|silent| {
        let location = &silent.device.location;
        let place = [&location.building, &location.floor, &location.room];
        vec![
            silent.device.device_id.to_string(),
            place.into_iter().flatten().cloned().collect::<Vec<_>>().join(", "),
            minute(silent.device.last_received_at),
            count(silent.readings),
        ]
    });
    blocks.push(Block::Table {
        columns: vec!["device", "place", "last heard", "readings in this time"],
        rows: rows.collect(),
    });
    more(it.silent.len().saturating_sub(MOST_SILENT), "devices", blocks);
}

fn data(it: &Gathered, blocks: &mut Vec<Block>) {
    blocks.push(Block::Heading("Data quality"));
    blocks.push(chart(it, "Readings", |step| step.readings as f64));
    let readings: u64 = it.activity.iter().map(|it| it.readings).sum();
    let rows = it.signals.iter().enumerate().map(|(at, signal)| {
        let stats = it
            .activity
            .iter()
            .filter_map(|it| it.signals.get(at).copied().flatten());
        let (mut values, mut low, mut high) = (0, f64::INFINITY, f64::NEG_INFINITY);
        for of_device in stats {
            values += of_device.count;
            (low, high) = (low.min(of_device.min), high.max(of_device.max));
        }
        let number = |number: f64| {
            if values == 0 {
                "–".to_owned()
            } else {
                format!("{number:.3}")
            }
        };
        let missing = percent(readings.saturating_sub(values), readings);
        vec![signal.clone(), count(values), missing, number(low), number(high)]
    });
    blocks.push(Block::Table {
        columns: vec!["signal", "values", "readings without it", "lowest", "highest"],
        rows: rows.collect(),
    });
    if it.refused.is_empty() {
        blocks.push(Block::Text("No message was refused.".to_owned()));
    } else {
        let rows = it.refused.iter().map(|(code, n)| vec![(*code).to_owned(), count(*n)]);
        blocks.push(Block::Table {
            columns: vec!["refused for", "messages that are kept"],
            rows: rows.collect(),
        });
    }
    few(it, blocks);
}

/// Devices that sent much less than others.
fn few(it: &Gathered, blocks: &mut Vec<Block>) {
    let mut sent: Vec<(u64, String)> = it
        .activity
        .iter()
        .map(|it| (it.readings, it.device_id.to_string()))
        .collect();
    sent.sort();
    let Some(middle) = sent.get(sent.len() / 2).map(|it| it.0) else {
        return;
    };
    sent.retain(|it| (it.0 as f64) < FEW * middle as f64);
    if sent.is_empty() {
        return;
    }
    blocks.push(Block::Text(format!(
        "These sent less than half of the {} readings that the middle device sent:",
        count(middle)
    )));
    let rows = sent
        .iter()
        .take(MOST_FEW)
        .map(|(n, device)| vec![device.clone(), count(*n)]);
    blocks.push(Block::Table {
        columns: vec!["device", "readings"],
        rows: rows.collect(),
    });
    more(sent.len().saturating_sub(MOST_FEW), "devices", blocks);
}

fn models(it: &Gathered, blocks: &mut Vec<Block>) {
    blocks.push(Block::Heading("Model quality"));
    blocks.push(chart(it, "Share of anomalous readings, in percent", |step| {
        100.0 * step.anomalies as f64 / step.judged.max(1) as f64
    }));
    let bars = it.scores.iter().map(|bin| Bar {
        label: format!("{:.2}", bin.low),
        value: bin.readings as f64,
    });
    let bars: Vec<Bar> = bars.collect();
    if !bars.is_empty() {
        let title = "Readings by score; below 0 is anomalous";
        blocks.push(Block::Bars { title, bars });
    }
    let told = it.models.iter().filter(|entry| entry.live || is_new(it, entry));
    let rows: Vec<Vec<String>> = told.map(model).collect();
    if rows.is_empty() {
        blocks.push(Block::Text("No model judges yet.".to_owned()));
        return;
    }
    blocks.push(Block::Table {
        columns: vec![
            "version",
            "in force",
            "trained at",
            "flagged",
            "precision",
            "recall",
            "F1",
        ],
        rows,
    });
    blocks.push(Block::Text(
        "Measured on readings that came after those it learned from. Precision and recall only where the sender told the truth."
            .to_owned(),
    ));
    let said: Vec<Label> = it.incidents.iter().filter_map(label_of).collect();
    if !said.is_empty() {
        let real = said.iter().filter(|it| matches!(it, Label::True | Label::SensorFault));
        let real = real.count() as u64;
        blocks.push(Block::Text(format!(
            "Of {} incidents that people labelled, {real} were real ({}).",
            said.len(),
            percent(real, said.len() as u64)
        )));
    }
}

fn is_new(it: &Gathered, entry: &Entry) -> bool {
    let created = entry.model.as_ref().ok().map(|it| it.provenance.created_at);
    created.is_some_and(|at| it.range.contains(at))
}

fn model(entry: &Entry) -> Vec<String> {
    let report = entry.metrics.as_ref().map(|it| &it.held_out);
    let labelled = report.and_then(|it| it.labelled.as_ref());
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |it| format!("{it:.3}"));
    vec![
        entry.version.clone(),
        if entry.live { "yes" } else { "no" }.to_owned(),
        entry
            .model
            .as_ref()
            .map_or_else(Clone::clone, |it| minute(it.provenance.created_at)),
        report.map_or("–".to_owned(), |it| format!("{:.3} %", 100.0 * it.flag_rate)),
        number(labelled.and_then(|it| it.precision)),
        number(labelled.and_then(|it| it.recall)),
        number(labelled.and_then(|it| it.f1)),
    ]
}

fn chart(it: &Gathered, title: &'static str, value: impl Fn(&super::gather::Step) -> f64) -> Block {
    let bars = it.steps.iter().map(|step| {
        let start = minute(step.range.start);
        let label = if it.by_hour { &start[11..] } else { &start[..10] };
        Bar {
            label: label.to_owned(),
            value: value(step),
        }
    });
    Block::Bars {
        title,
        bars: bars.collect(),
    }
}

fn more(left_out: usize, what: &str, blocks: &mut Vec<Block>) {
    if left_out > 0 {
        blocks.push(Block::Text(format!("And {left_out} more {what}.")));
    }
}

/// `2025-08-06 10:00`, in UTC.
fn minute(at: Timestamp) -> String {
    at.to_string()[..16].replace('T', " ")
}
