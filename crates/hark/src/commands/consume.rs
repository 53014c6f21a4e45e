//! `hark consume`: messages from a file or stdin through the whole pipeline.

use std::io::BufRead;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Tasks};
use crate::cli::ConsumeArgs;
use crate::commands::target::{Tally, Target};
use crate::config::Config;
use crate::output::say;
use crate::{shutdown, table};

/// Lines handed to the bus at a time.
const BATCH: usize = 1_000;

/// Consumes until the input ends or the process is told to stop. What was told as stored is on the disk.
pub(crate) async fn run(config: Config, args: ConsumeArgs) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    shutdown::on_signals(stop.clone())?;
    let input = args.input.reader()?;
    let (app, subscriber) = App::open(config, stop.clone()).await?;
    let mut tasks = Tasks::new();
    app.start(subscriber, &mut tasks);
    let (sender, receiver) = tokio::sync::mpsc::channel(4 * BATCH);
    // A blocking read of stdin cannot be cancelled, so it has a thread of its own that ends with the process.
    std::thread::spawn(move || read(input, &sender));
    let until = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = until.cancelled() => Ok(()),
            ended = publish(&app, receiver) => ended,
        }
    });
    shutdown::join(tasks, stop).await
}

type Line = anyhow::Result<Vec<u8>>;

fn read(mut input: Box<dyn BufRead + Send>, sender: &tokio::sync::mpsc::Sender<Line>) {
    loop {
        let payload = match table::next_line(&mut input) {
            Ok(None) => return,
            Ok(Some(line)) if line.trim_ascii().is_empty() => continue,
            Ok(Some(line)) => Ok(line.trim_ascii().to_vec()),
            Err(cause) => Err(cause),
        };
        let failed = payload.is_err();
        if sender.blocking_send(payload).is_err() || failed {
            return;
        }
    }
}

/// Publishes whatever lines are there, so that a slow sender is heard at once and a fast one in batches.
async fn publish(app: &App, mut lines: tokio::sync::mpsc::Receiver<Line>) -> anyhow::Result<()> {
    let target = Target::Here(app.publisher.clone());
    let mut tally = Tally::default();
    let mut waiting = Vec::with_capacity(BATCH);
    while lines.recv_many(&mut waiting, BATCH).await > 0 {
        let payloads = waiting
            .drain(..)
            .collect::<anyhow::Result<_>>()
            .context("failed to read the messages")?;
        tally.add(target.send(payloads, "stdin").await?);
    }
    say(tally);
    if tally.rejected > 0 {
        say("hint: see `hark dead-letters list`");
    }
    Ok(())
}
