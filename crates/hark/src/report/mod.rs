//! `hark report`: what happened in a week, for people who were not there.
//!
//! `gather` asks the warehouse and the registry, `sections` says it in blocks, and `markdown` and `html` write them.

mod block;
mod gather;
mod html;
mod json;
mod markdown;
mod sections;
#[cfg(test)]
mod tests;

use std::io::Write;

use anyhow::Context;
use domain::TimeRange;

use self::gather::Gathered;
use crate::app::{open_registry, open_warehouse_to_read};
use crate::cli::{ReportArgs, ReportFormat};
use crate::config::Config;
use crate::output::Format;
use crate::runtime::clock;
use crate::table::Place;

/// Writes the report. It may run beside the process that serves.
pub(crate) async fn run(config: Config, args: ReportArgs, format: Option<Format>) -> anyhow::Result<()> {
    let end = args.to.unwrap_or_else(clock::now);
    let range = TimeRange {
        start: end.before(args.last),
        end,
    };
    let warehouse = open_warehouse_to_read(&config).await?;
    let gathered = Gathered::ask(warehouse.as_ref(), &open_registry(&config)?, &config, range).await?;
    let blocks = sections::of(&gathered);
    let by_format = match format {
        Some(Format::Json) => Some(ReportFormat::Json),
        Some(Format::Ndjson) => Some(ReportFormat::Ndjson),
        Some(Format::Table | Format::Csv) | None => None,
    };
    let said = args.report_format.or(by_format);
    let text = match said.unwrap_or_else(|| by_name(&args.output)) {
        ReportFormat::Markdown => markdown::written(&blocks),
        ReportFormat::Html => html::written(&blocks),
        ReportFormat::Json => json::list(&blocks)?,
        ReportFormat::Ndjson => json::lines(&blocks)?,
    };
    let mut out = args.output.writer()?;
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .with_context(|| format!("failed to write `{}`", args.output))
}

fn by_name(output: &Place) -> ReportFormat {
    let name = output.to_string();
    if name.ends_with(".html") || name.ends_with(".htm") {
        ReportFormat::Html
    } else if name.ends_with(".json") {
        ReportFormat::Json
    } else {
        ReportFormat::Markdown
    }
}
