//! `hark setup`: what the configured backends need, made where it is missing.

use serde_json::json;

use crate::app::set_up;
use crate::cli::SetupArgs;
use crate::config::Config;
use crate::output::{Format, Sheet, say};

/// Makes what is missing, and tells a line for each thing.
pub(crate) async fn run(config: Config, args: SetupArgs, format: Format) -> anyhow::Result<()> {
    let all = set_up(&config, args.dry_run).await?;
    let mut sheet = Sheet::new(["part", "name", "state", "note"]);
    for it in &all {
        let note = (!it.note.is_empty()).then_some(&it.note);
        sheet.push(vec![json!(it.part), json!(it.name), json!(it.state), json!(note)]);
    }
    sheet.print(format)?;
    if args.dry_run && all.iter().any(|it| it.state == "missing") {
        say("nothing was changed; `hark setup` without --dry-run makes what is missing");
    }
    Ok(())
}
