//! `hark maintenance`: times in which nothing is learned and nobody told. A running Hark follows within seconds.

use domain::DeviceId;
use serde_json::json;

use crate::cli::MaintenanceCommand;
use crate::config::Config;
use crate::exit::Fault;
use crate::output::{Format, Sheet, say, tell_outcome};
use crate::runtime::clock;
use crate::runtime::maintenance::{FILE, Maintenance, Window};

/// Lists, makes or ends windows.
pub(crate) fn run(config: &Config, command: MaintenanceCommand, said: Option<Format>) -> anyhow::Result<()> {
    let maintenance = Maintenance::open(config.data.dir.join(FILE))?;
    match command {
        MaintenanceCommand::List => list(&maintenance, said.unwrap_or(Format::Table)),
        MaintenanceCommand::Add {
            device,
            from,
            span,
            reason,
            who,
        } => {
            if let Some(name) = &device {
                DeviceId::new(name).map_err(|it| Fault::new(it.detail, "write the name as the device sends it"))?;
            }
            let from = from.unwrap_or_else(clock::now);
            let window = Window {
                id: 0,
                device_id: device,
                from,
                to: from.after(span),
                reason,
                who,
            };
            let made = maintenance.add(window)?;
            let sentence = format!("maintenance window {} lasts until {}", made.id, made.to);
            let values = [("id", json!(made.id)), ("to", json!(made.to.to_string()))];
            tell_outcome(sentence, said, &values)
        }
        MaintenanceCommand::End { id } => {
            let ended = maintenance.end(id, clock::now())?.ok_or_else(|| {
                Fault::new(
                    format!("there is no maintenance window {id} that could end"),
                    "`hark maintenance list` shows all",
                )
            })?;
            let sentence = format!("maintenance window {id} ends at {}", ended.to);
            let values = [("id", json!(id)), ("to", json!(ended.to.to_string()))];
            tell_outcome(sentence, said, &values)
        }
    }
}

fn list(maintenance: &Maintenance, format: Format) -> anyhow::Result<()> {
    let now = clock::now();
    let mut sheet = Sheet::new(["id", "device_id", "from", "to", "active", "reason", "who"]);
    let windows = maintenance.get();
    for it in windows.iter().rev() {
        sheet.push(vec![
            json!(it.id),
            json!(it.device_id),
            json!(it.from.to_string()),
            json!(it.to.to_string()),
            json!(it.range().contains(now)),
            json!(it.reason),
            json!(it.who),
        ]);
    }
    if windows.is_empty() {
        say("there is no maintenance window");
    }
    sheet.print(format)
}
