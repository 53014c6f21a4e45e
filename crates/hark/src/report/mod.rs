//! `hark report`: what happened in a week, for people who were not there.
//!
//! `gather` asks the warehouse and the registry, `sections` says it in blocks, and `markdown` and `html` write them.

mod block;
mod gather;
mod html;
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
use crate::runtime::clock;
use crate::table::Place;

/// Writes the report. It may run beside the process that serves.
pub(crate) async fn run(config: Config, args: ReportArgs) -> anyhow::Result<()> {
    let end = args.to.unwrap_or_else(clock::now);
    let range = TimeRange {
        start: end.before(args.last),
        end,
    };
    let warehouse = open_warehouse_to_read(&config).await?;
    let gathered = Gathered::ask(warehouse.as_ref(), &open_registry(&config)?, &config, range).await?;
    let blocks = sections::of(&gathered);
    let text = match args.report_format.unwrap_or_else(|| by_name(&args.output)) {
        ReportFormat::Markdown => markdown::written(&blocks),
        ReportFormat::Html => html::written(&blocks),
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
    } else {
        ReportFormat::Markdown
    }
}
