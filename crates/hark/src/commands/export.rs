//! `hark export`: stored readings and their verdicts as a file.

use anyhow::Context;
use domain::{DeviceId, TimeRange, Timestamp};

use crate::app::open_warehouse_to_read;
use crate::cli::ExportArgs;
use crate::config::Config;
use crate::exit::{Exit, Fault};
use crate::output::say;
use crate::table::{Depth, Place, ReadingWriter, TableFormat};

/// Writes what is stored, in order of time. It may run beside the process that writes the warehouse.
pub(crate) async fn run(config: Config, args: ExportArgs) -> anyhow::Result<()> {
    let told = match &args.output {
        Place::Standard => Some(TableFormat::Ndjson),
        Place::File(path) => TableFormat::of(path),
    };
    let Some(format) = args.output_format.or(told) else {
        return Err(Fault::new(
            format!("the name of `{}` does not say what to write", args.output),
            "say --output-format csv, ndjson or parquet",
        )
        .exit(Exit::Usage)
        .into());
    };
    let device = args.device.as_deref().map(DeviceId::new).transpose()?;
    let range = TimeRange {
        start: args.since.unwrap_or(Timestamp::MIN),
        end: args.until.unwrap_or(Timestamp::MAX),
    };
    let warehouse = open_warehouse_to_read(&config).await?;
    let mut writer = ReadingWriter::create(&args.output, format, Depth::Verdict, &config.signals)?;
    let mut scan = warehouse.scan(range);
    let mut rows = 0_u64;
    while let Some(block) = scan.next().await? {
        for judged in &block {
            if device.as_ref().is_none_or(|it| *it == judged.reading.device_id) {
                writer
                    .judged(judged)
                    .with_context(|| format!("failed to write `{}`", args.output))?;
                rows += 1;
            }
        }
    }
    writer
        .finish()
        .with_context(|| format!("failed to write `{}`", args.output))?;
    say(format_args!("{rows} readings written"));
    Ok(())
}
