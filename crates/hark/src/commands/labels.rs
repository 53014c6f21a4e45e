//! `hark labels`: what people said that incidents were.

use anyhow::Context;
use domain::{Act, Action, DeviceId, IncidentId, Label, TimeRange, Timestamp};
use serde_json::{Value, json};
use warehouse::{Acted, IncidentQuery, LabelFilter, StoredIncident, Warehouse};

use crate::app::{open_registry, open_warehouse, open_warehouse_to_read};
use crate::cli::{LabelChoice, LabelsCommand, LabelsImportArgs};
use crate::client::Client;
use crate::config::Config;
use crate::exit::Fault;
use crate::output::{Format, Sheet, say, tell_outcome};
use crate::runtime::clock;
use crate::runtime::words::Words;
use crate::table::{self, Cell, Place, Row};

/// What a table of labels has in each row.
const COLUMNS: [&str; 10] = [
    "incident_id",
    "label",
    "who",
    "at",
    "note",
    "device_id",
    "began",
    "kind",
    "severity",
    "reason",
];

/// So many are asked for at a time.
const PAGE: usize = 1_000;

/// Lists, sums up, writes or takes them.
pub(crate) async fn run(config: Config, command: LabelsCommand, said: Option<Format>) -> anyhow::Result<()> {
    match command {
        LabelsCommand::List(choice) => list(&config, choice, said.unwrap_or(Format::Table)).await,
        LabelsCommand::Stats => stats(&config, said.unwrap_or(Format::Table)).await,
        LabelsCommand::Export { output } => export(&config, &output, said).await,
        LabelsCommand::Import(args) => import(&config, &args, said).await,
    }
}

async fn list(config: &Config, choice: LabelChoice, format: Format) -> anyhow::Result<()> {
    let warehouse = open_warehouse_to_read(config).await?;
    let device_id = choice.device.as_deref().map(DeviceId::new).transpose();
    let query = IncidentQuery {
        device_id: device_id.map_err(|it| Fault::new(it.detail, "device names are as the device sends them"))?,
        range: TimeRange {
            start: choice.from.unwrap_or(Timestamp::MIN),
            end: choice.to.unwrap_or(Timestamp::MAX),
        },
        label: Some(choice.label.map_or(LabelFilter::Any, LabelFilter::Is)),
        ..IncidentQuery::all(clock::now(), choice.limit)
    };
    let page = warehouse.incidents(query).await?;
    if page.items.is_empty() {
        say("there is no such label");
    } else if page.next.is_some() {
        say(format_args!(
            "there are more than {}; --limit shows more of them",
            choice.limit
        ));
    }
    sheet(&page.items).print(format)
}

fn sheet(labelled: &[StoredIncident]) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS);
    for stored in labelled {
        let Some(label) = &stored.triage.label else { continue };
        let it = &stored.incident;
        sheet.push(vec![
            json!(it.id.as_str()),
            json!(label.label.as_str()),
            json!(label.who),
            json!(label.at.to_string()),
            json!(label.note),
            json!(it.device_id.as_str()),
            json!(it.began.to_string()),
            json!(it.kind.as_str()),
            json!(it.severity.as_str()),
            json!(it.reason),
        ]);
    }
    sheet
}

async fn stats(config: &Config, format: Format) -> anyhow::Result<()> {
    let warehouse = open_warehouse_to_read(config).await?;
    let registry = open_registry(config)?;
    let live = registry.live()?.map(|it| registry.load(&it)).transpose()?;
    let words = Words::ask(warehouse.as_ref(), &registry, live.map(|it| it.kind)).await?;
    let suggestion = words.labelled.suggestion();
    let mut sheet = Sheet::new(["property", "value"]);
    let mut add = |name: &str, value: Value| sheet.push(vec![json!(name), value]);
    for (label, count) in words.counts {
        add(label.as_str(), json!(count));
    }
    add("precision", json!(words.precision()));
    add("suggested_threshold", json!(suggestion.map(|it| it.threshold)));
    add("suggestion", json!(suggestion.map(|it| it.sentence(&words.labelled))));
    sheet.print(format)
}

async fn export(config: &Config, output: &Place, said: Option<Format>) -> anyhow::Result<()> {
    let warehouse = open_warehouse_to_read(config).await?;
    let mut labelled = Vec::new();
    let mut after = None;
    loop {
        let query = IncidentQuery {
            label: Some(LabelFilter::Any),
            after,
            ..IncidentQuery::all(clock::now(), PAGE)
        };
        let page = warehouse.incidents(query).await?;
        labelled.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut out = output.writer()?;
    let format = said.unwrap_or_else(|| by_name(output));
    let written = sheet(&labelled).write(format, &mut out);
    written.with_context(|| format!("failed to write `{output}`"))?;
    out.flush().with_context(|| format!("failed to write `{output}`"))?;
    say(format_args!("{} labels written", labelled.len()));
    Ok(())
}

fn by_name(output: &Place) -> Format {
    match output.to_string().rsplit_once('.') {
        Some((_, "json")) => Format::Json,
        Some((_, "ndjson" | "jsonl")) => Format::Ndjson,
        _ => Format::Csv,
    }
}

/// One row of a table of labels.
struct Word {
    row: u64,
    id: IncidentId,
    label: Label,
    who: String,
    note: Option<String>,
}

/// What came of them.
#[derive(Debug, Default)]
struct Done {
    labelled: u64,
    unchanged: u64,
    refused: u64,
}

async fn import(config: &Config, args: &LabelsImportArgs, said: Option<Format>) -> anyhow::Result<()> {
    let words = words(args)?;
    let mut done = Done::default();
    match (&args.to, args.dry_run) {
        (Some(url), _) => send(&Client::new(url)?, words, &mut done).await?,
        (None, true) => say_each(open_warehouse_to_read(config).await?.as_ref(), words, true, &mut done).await?,
        (None, false) => say_each(open_warehouse(config).await?.as_ref(), words, false, &mut done).await?,
    }
    let Done {
        labelled,
        unchanged,
        refused,
    } = done;
    let would = if args.dry_run { "would be labelled" } else { "labelled" };
    let sentence = format!("{labelled} incidents {would}, {unchanged} were labelled so already, {refused} refused");
    let values = [
        ("labelled", json!(labelled)),
        ("unchanged", json!(unchanged)),
        ("refused", json!(refused)),
    ];
    tell_outcome(sentence, said, &values)?;
    match refused {
        0 => Ok(()),
        _ => Err(Fault::new(
            format!("{refused} rows were refused"),
            "`hark incidents list --all` shows all incidents; what was taken stays",
        )
        .into()),
    }
}

fn words(args: &LabelsImportArgs) -> anyhow::Result<Vec<Word>> {
    let table = table::open(&args.input, args.input_format)?;
    let place = |name: &str| table.columns().iter().position(|it| it.name == name);
    let needed = |name: &str| {
        place(name).ok_or_else(|| {
            Fault::new(
                format!("`{}` has no column {name}", args.input),
                "`hark labels export` writes tables that have it",
            )
        })
    };
    let (id, label) = (needed("incident_id")?, needed("label")?);
    let (who, note) = (place("who"), place("note"));
    let mut words = Vec::new();
    for row in table.into_rows() {
        let row = row?;
        let text = |column: usize| text(&row, column);
        let of = |what: &str, column: usize, known: &str| {
            let value = text(column).unwrap_or_default();
            Fault::new(
                format!("row {}: `{value}` is no {what}; nothing was changed", row.number),
                known,
            )
        };
        let (names, labels) = (
            "`hark incidents list --all` shows the names of all",
            "labels are true, false_alarm, expected and sensor_fault",
        );
        words.push(Word {
            row: row.number,
            id: text(id)
                .and_then(|it| IncidentId::parse(&it))
                .ok_or_else(|| of("incident's name", id, names))?,
            label: text(label)
                .and_then(|it| Label::from_name(&it))
                .ok_or_else(|| of("label", label, labels))?,
            who: who.and_then(text).unwrap_or_else(|| args.who.clone()),
            note: note.and_then(text),
        });
    }
    Ok(words)
}

fn text(row: &Row, column: usize) -> Option<String> {
    match row.cell(column) {
        Cell::Text(text) => Some(text.into_owned()),
        Cell::Truth(it) => Some(it.to_string()),
        Cell::Number(it) => Some(it.to_string()),
        Cell::Empty | Cell::Time(_) => None,
    }
}

async fn say_each(warehouse: &dyn Warehouse, words: Vec<Word>, dry_run: bool, done: &mut Done) -> anyhow::Result<()> {
    for it in words {
        let now = clock::now();
        let Some(stored) = warehouse.incident(&it.id, now).await? else {
            refuse(&it, "there is no such incident", done);
            continue;
        };
        if stored.triage.label.is_some_and(|was| was.label == it.label) {
            done.unchanged += 1;
            continue;
        }
        if !dry_run {
            let action = Action {
                act: Act::Label(it.label),
                who: it.who.clone(),
                at: now,
                note: it.note.clone(),
            };
            match warehouse.act(&it.id, action).await? {
                Acted::Done(_) => {}
                Acted::Unknown => {
                    refuse(&it, "there is no such incident", done);
                    continue;
                }
                Acted::Refused(why) => {
                    refuse(&it, &why.to_string(), done);
                    continue;
                }
            }
        }
        done.labelled += 1;
    }
    Ok(())
}

fn refuse(word: &Word, why: &str, done: &mut Done) {
    done.refused += 1;
    say(format_args!("row {}: incident {}: {why}", word.row, word.id));
}

async fn send(client: &Client, words: Vec<Word>, done: &mut Done) -> anyhow::Result<()> {
    for it in words {
        let body = json!({ "label": it.label.as_str(), "who": it.who, "note": it.note });
        match client.label(it.id.as_str(), it.label.as_str(), &body).await? {
            Ok(true) => done.labelled += 1,
            Ok(false) => done.unchanged += 1,
            Err(why) => refuse(&it, &why, done),
        }
    }
    Ok(())
}
