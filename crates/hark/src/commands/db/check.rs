//! `hark db check`: every page of the database, every model, every setting, looked through and counted.

use anyhow::Context;
use serde_json::{Value, json};
use warehouse::WarehouseErrorKind;
use warehouse::embedded::examine;

use super::manifest::Manifest;
use super::{DATABASE, restore};
use crate::app::{open_registry, open_warehouse_to_read};
use crate::config::{Config, WarehouseKind};
use crate::exit::Fault;
use crate::output::{Format, Hue, Sheet, Stream, painted, say};
use crate::runtime::maintenance::{self, Maintenance};
use crate::runtime::tuning::{self, Tuning};
use crate::table::Place;

/// What was found, part by part.
struct Findings {
    sheet: Sheet,
    coloured: bool,
    damaged: usize,
}

impl Findings {
    fn new(format: Format) -> Self {
        Self {
            sheet: Sheet::new(["part", "state", "rows", "finding"]),
            coloured: format == Format::Table,
            damaged: 0,
        }
    }

    fn sound(&mut self, part: &str, rows: Option<u64>, finding: &str) {
        self.push(part, "ok", Hue::Good, rows, finding);
    }

    fn damaged(&mut self, part: &str, error: &anyhow::Error) {
        self.damaged += 1;
        let text = format!("{error:#}");
        let finding = text.split("\nhint: ").next().unwrap_or_default().to_owned();
        self.push(part, "damaged", Hue::Bad, None, &finding);
    }

    fn push(&mut self, part: &str, state: &str, hue: Hue, rows: Option<u64>, finding: &str) {
        // Only a table for a person is coloured.
        let state = if self.coloured {
            painted(state, hue, Stream::Stdout)
        } else {
            state.into()
        };
        let finding = if finding.is_empty() {
            Value::Null
        } else {
            json!(finding)
        };
        self.sheet.push(vec![json!(part), json!(state), json!(rows), finding]);
    }

    fn tell(&self, format: Format, mend: &str) -> anyhow::Result<()> {
        self.sheet.print(format)?;
        match self.damaged {
            0 => Ok(()),
            1 => Err(Fault::new("a part is damaged", mend).into()),
            n => Err(Fault::new(format!("{n} parts are damaged"), mend).into()),
        }
    }
}

/// Looks through the data folder, beside a Hark that runs or not.
pub(super) async fn run(config: &Config, format: Format) -> anyhow::Result<()> {
    let mut findings = Findings::new(format);
    match config.warehouse.kind {
        WarehouseKind::Embedded => database(config, &mut findings)?,
        WarehouseKind::BigQuery => {
            let words = open_warehouse_to_read(config).await?.check().await?;
            findings.sound("warehouse", None, &words);
        }
    }
    models(config, &mut findings);
    settings(config, &mut findings);
    findings.tell(
        format,
        "`hark db restore` puts a backup in place; what devices send again does no harm then",
    )
}

/// One that is not there at all is no damage, and nothing to look through either.
fn database(config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    match examine(&config.data.dir.join(DATABASE)) {
        Ok(contents) => {
            findings.sound(DATABASE, None, "every page and index is sound");
            for (table, rows) in contents.tables() {
                findings.sound(table, Some(rows), "");
            }
        }
        Err(cause) if cause.kind == WarehouseErrorKind::Corrupt => findings.damaged(DATABASE, &cause.into()),
        Err(cause) => return Err(cause).context("failed to look through what is stored"),
    }
    Ok(())
}

fn models(config: &Config, findings: &mut Findings) {
    let looked = || {
        let registry = open_registry(config)?;
        Ok::<_, anyhow::Error>((registry.list()?, registry.live()?))
    };
    let (entries, live) = match looked() {
        Ok(found) => found,
        Err(error) => return findings.damaged("models", &error),
    };
    for entry in &entries {
        let part = format!("models/{}", entry.version);
        match &entry.model {
            Ok(_) => findings.sound(&part, None, if entry.live { "in force" } else { "" }),
            Err(problem) => findings.damaged(&part, &anyhow::anyhow!("{problem}")),
        }
    }
    if let Some(live) = live.filter(|live| !entries.iter().any(|it| it.version == *live)) {
        findings.damaged(
            "models/live",
            &anyhow::anyhow!("{live} is to be in force and is not there"),
        );
    }
}

fn settings(config: &Config, findings: &mut Findings) {
    let thresholds = Tuning::open(config.data.dir.join(tuning::FILE)).map(drop);
    let windows = Maintenance::open(config.data.dir.join(maintenance::FILE)).map(drop);
    for (name, read) in [(tuning::FILE, thresholds), (maintenance::FILE, windows)] {
        match read {
            Ok(()) if config.data.dir.join(name).exists() => findings.sound(name, None, ""),
            Ok(()) => {}
            Err(error) => findings.damaged(name, &error),
        }
    }
}

/// Looks through a backup.
pub(super) fn of_backup(place: &Place, format: Format) -> anyhow::Result<()> {
    let opened = restore::Opened::open(place, &std::env::temp_dir().join("hark-check"))?;
    let mut findings = Findings::new(format);
    let Manifest { tables, files, .. } = &opened.manifest;
    for it in files {
        findings.sound(&it.path, None, &format!("{} bytes, as they were written", it.bytes));
    }
    for it in tables {
        findings.sound(&it.table, Some(it.rows), "");
    }
    findings.tell(format, "take another backup")?;
    say(format_args!(
        "a sound backup of {}: {}",
        opened.manifest.made_at,
        opened.manifest.sentence()
    ));
    Ok(())
}
