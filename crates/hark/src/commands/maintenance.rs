//! `hark maintenance`: times in which nothing is learned and nobody told. A running Hark follows within seconds.

use domain::DeviceId;
use serde_json::json;

use crate::cli::MaintenanceCommand;
use crate::config::Config;
use crate::exit::Fault;
use crate::output::{Format, Sheet, say};
use crate::runtime::clock;
use crate::runtime::maintenance::{FILE, Maintenance, Window};

/// Lists, makes or ends windows.
pub(crate) fn run(config: &Config, command: MaintenanceCommand, format: Format) -> anyhow::Result<()> {
    let maintenance = Maintenance::open(config.data.dir.join(FILE))?;
    match command {
        MaintenanceCommand::List => list(&maintenance, format),
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
            say(format_args!("maintenance window {} lasts until {}", made.id, made.to));
            Ok(())
        }
        MaintenanceCommand::End { id } => {
            let ended = maintenance.end(id, clock::now())?.ok_or_else(|| {
                Fault::new(
                    format!("there is no maintenance window {id} that could end"),
                    "`hark maintenance list` shows all",
                )
            })?;
            say(format_args!("maintenance window {id} ends at {}", ended.to));
            Ok(())
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
