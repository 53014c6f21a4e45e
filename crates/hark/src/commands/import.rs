//! `hark import`: readings of a file through the whole pipeline, or to a running Hark. What cannot be taken goes to the
//! dead letters.

use std::sync::Arc;

use anyhow::Context;
use domain::{DeadLetter, Reading, Signals, wire};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use warehouse::{Commit, Warehouse};

use crate::app::{App, Tasks};
use crate::cli::ImportArgs;
use crate::client::Client;
use crate::commands::target::{Tally, Target};
use crate::config::Config;
use crate::exit::{Fault, is_held};
use crate::output::{Format, say, tell_outcome};
use crate::runtime::clock;
use crate::shutdown;
use crate::table::{self, Mapping, RowRejection};

/// Readings sent at a time.
const BATCH: usize = 2_500;

/// So many refused rows are told one by one.
const TOLD: u64 = 10;

type Readings = Box<dyn Iterator<Item = anyhow::Result<Result<Reading, RowRejection>>> + Send>;

/// Imports a file. Rows that cannot be taken are told, and make the command fail after the rest is stored.
pub(crate) async fn run(config: Config, args: ImportArgs, said: Option<Format>) -> anyhow::Result<()> {
    let table = table::open(&args.input, args.input_format)?;
    let mapping = Mapping::find(
        table.columns(),
        &args.columns.device_column,
        &args.columns.time_column,
        &config.signals,
        &args.maps,
    )?;
    let readings: Readings = Box::new(table::readings(table, mapping));
    let signals = config.signals.clone();
    if args.dry_run {
        return try_out(readings, &signals, said);
    }
    if let Some(url) = &args.to {
        let target = Target::Remote(Box::new(Client::new(url)?));
        return send(readings, &signals, &target, &Refusals::Remote, said).await;
    }
    let stop = CancellationToken::new();
    shutdown::on_signals(stop.clone())?;
    let (app, subscriber) = App::open(config.on_embedded_bus(), stop.clone()).await.map_err(held)?;
    let mut tasks = Tasks::new();
    app.start(subscriber, &mut tasks);
    let (until, target) = (stop.clone(), Target::Here(app.publisher.clone()));
    let refusals = Refusals::Here(app.warehouse.clone());
    tasks.spawn(async move {
        tokio::select! {
            () = until.cancelled() => Err(anyhow::anyhow!("stopped before the end; what was stored stays")),
            ended = send(readings, &signals, &target, &refusals, said) => ended,
        }
    });
    shutdown::join(tasks, stop).await
}

fn held(error: anyhow::Error) -> anyhow::Error {
    if is_held(&error) {
        return error.context(Fault::new(
            "the import needs the data folder for itself",
            "or send the file to the running Hark with --to http://127.0.0.1:8000",
        ));
    }
    error
}

/// Where refused rows are kept.
enum Refusals {
    /// Among the dead letters of this warehouse.
    Here(Arc<dyn Warehouse>),
    /// Nowhere: a running Hark takes what was sent to it alone.
    Remote,
}

impl Refusals {
    async fn keep(&self, refused: Vec<RowRejection>) -> anyhow::Result<()> {
        let Self::Here(warehouse) = self else { return Ok(()) };
        let letter = |it: RowRejection| DeadLetter {
            received_at: clock::now(),
            source: "import".to_owned(),
            payload: it.original,
            rejection: it.rejection,
        };
        let commit = Commit {
            dead_letters: refused.into_iter().map(letter).collect(),
            ..Commit::default()
        };
        warehouse.store(commit).await.context("failed to keep refused rows")?;
        Ok(())
    }

    fn whereabouts(&self) -> &'static str {
        match self {
            Self::Here(_) => "`hark dead-letters list` shows them; mend the file and import it again",
            Self::Remote => "mend them and import the file again: what is stored already stays as it is",
        }
    }
}

/// Reads all rows, and says which would be refused.
fn try_out(mut readings: Readings, signals: &Signals, said: Option<Format>) -> anyhow::Result<()> {
    let (mut sound, mut refused) = (0_u64, 0_u64);
    loop {
        let batch = next_batch(&mut readings, signals, &mut refused)?;
        if batch.payloads.is_empty() && batch.rejections.is_empty() {
            break;
        }
        sound += batch.payloads.len() as u64;
    }
    let sentence = format!("{sound} readings could be taken, {refused} would be refused; nothing was stored");
    tell_outcome(sentence, said, &[("sound", json!(sound)), ("refused", json!(refused))])?;
    match refused {
        0 => Ok(()),
        _ => Err(Fault::new(
            format!("{refused} rows would be refused"),
            "mend them, or import the file as it is: the rest is stored",
        )
        .into()),
    }
}

async fn send(
    mut readings: Readings,
    signals: &Signals,
    target: &Target,
    refusals: &Refusals,
    said: Option<Format>,
) -> anyhow::Result<()> {
    let mut tally = Tally::default();
    let mut refused = 0_u64;
    loop {
        let Batch { payloads, rejections } =
            tokio::task::block_in_place(|| next_batch(&mut readings, signals, &mut refused))?;
        if payloads.is_empty() && rejections.is_empty() {
            break;
        }
        if !rejections.is_empty() {
            refusals.keep(rejections).await?;
        }
        if !payloads.is_empty() {
            let sent = target.send(payloads, "import").await;
            tally.add(sent.context("failed to store the readings")?);
        }
    }
    tally.rejected += refused;
    tell_outcome(tally, said, &tally.values())?;
    if tally.rejected == 0 {
        return Ok(());
    }
    Err(Fault::new(format!("{} rows were refused", tally.rejected), refusals.whereabouts()).into())
}

/// Rows of a file: encoded readings, and what could not be taken.
#[derive(Default)]
struct Batch {
    payloads: Vec<Vec<u8>>,
    rejections: Vec<RowRejection>,
}

/// The next rows; an empty batch is the end.
fn next_batch(readings: &mut Readings, signals: &Signals, refused: &mut u64) -> anyhow::Result<Batch> {
    let mut batch = Batch::default();
    for reading in readings.by_ref() {
        match reading? {
            Ok(reading) => batch.payloads.push(wire::encode(&reading, signals)),
            Err(rejection) => {
                *refused += 1;
                if *refused <= TOLD {
                    say(&rejection);
                } else if *refused == TOLD + 1 {
                    say("further refused rows are only counted");
                }
                batch.rejections.push(rejection);
            }
        }
        if batch.payloads.len().max(batch.rejections.len()) == BATCH {
            break;
        }
    }
    Ok(batch)
}
