//! `hark config`: the configuration itself.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use serde_json::json;

use crate::cli::ConfigCommand;
use crate::commands::doctor;
use crate::config::{Config, ConfigError, FILE_NAME, Flags, Loaded, SAMPLE, schema};
use crate::exit::Fault;
use crate::output::{Format, Sheet, say};
use crate::table::Place;

/// Writes, checks or shows the configuration that these flags make.
pub(crate) async fn run(flags: Flags, command: ConfigCommand, said: Option<Format>) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Init { output, force } => init(&output, force),
        ConfigCommand::Check { online } => check(&flags, online, said).await,
        ConfigCommand::Schema => {
            let text = format!("{:#}\n", schema());
            Ok(io::stdout().lock().write_all(text.as_bytes())?)
        }
        ConfigCommand::Show { origin } => show(&Config::load(&flags)?, origin, said.unwrap_or(Format::Table)),
    }
}

fn init(output: &Place, force: bool) -> anyhow::Result<()> {
    if let Place::File(path) = output
        && path.exists()
        && !force
    {
        return Err(Fault::new(
            format!("`{output}` is there already"),
            "say --force to write over it, or --output with another name",
        )
        .into());
    }
    let mut writer = output.writer()?;
    let written = writer.write_all(SAMPLE.as_bytes()).and_then(|()| writer.flush());
    written.with_context(|| format!("failed to write `{output}`"))?;
    if *output != Place::Standard {
        say(format_args!(
            "wrote `{output}`; `hark config check` says whether what you change is right"
        ));
    }
    Ok(())
}

async fn check(flags: &Flags, online: bool, said: Option<Format>) -> anyhow::Result<()> {
    let loaded = Config::load(flags);
    if let Some(format) = said {
        list_problems(loaded.as_ref().err(), format)?;
    }
    let Loaded { config, origins } = loaded?;
    let default = Path::new(FILE_NAME);
    let file = flags.file.as_deref().or_else(|| default.is_file().then_some(default));
    let set = origins.iter().filter(|it| it.source != "default").count();
    for (key, address) in [
        ("api.listen", config.api.listen),
        ("dashboard.listen", config.dashboard.listen),
    ] {
        if !address.ip().is_loopback() {
            say(format_args!(
                "warning: `{key}` is {address}, which others can reach; hark will ask for --insecure"
            ));
        }
    }
    if online {
        doctor::warn_of_far(&config).await;
    }
    match file {
        Some(file) => say(format_args!(
            "`{}` is sound: {set} values set, the rest are defaults",
            file.display()
        )),
        None => say(format_args!(
            "there is no {FILE_NAME} here: {set} values set, the rest are defaults"
        )),
    }
    Ok(())
}

/// Writes what is wrong as rows; none where nothing is.
fn list_problems(error: Option<&ConfigError>, format: Format) -> anyhow::Result<()> {
    let mut sheet = Sheet::new(["key", "problem", "hint"]);
    for it in error.into_iter().flat_map(|it| &it.problems) {
        sheet.push(vec![json!(it.key), json!(it.message), json!(it.hint)]);
    }
    sheet.print(format)
}

fn show(loaded: &Loaded, origin: bool, format: Format) -> anyhow::Result<()> {
    let mut sheet = Sheet::new(if origin {
        vec!["key", "value", "origin"]
    } else {
        vec!["key", "value"]
    });
    for it in &loaded.origins {
        let mut row = vec![json!(it.key), json!(it.value)];
        row.extend(origin.then(|| json!(it.source)));
        sheet.push(row);
    }
    sheet.print(format)
}
