//! `hark consume`: messages from a file or stdin through the whole pipeline.

use std::io::BufRead;

use anyhow::Context;
use bus::{Message, Outcome, Published};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Tasks};
use crate::cli::ConsumeArgs;
use crate::config::Config;
use crate::shutdown;

/// Lines handed to the bus at a time.
const BATCH: usize = 1_000;

/// What came of the messages.
#[derive(Default)]
struct Tally {
    stored: u64,
    duplicate: u64,
    rejected: u64,
}

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

type Line = std::io::Result<Message>;

fn read(mut input: Box<dyn BufRead + Send>, sender: &tokio::sync::mpsc::Sender<Line>) {
    loop {
        let mut line = Vec::new();
        let message = match input.read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) if line.trim_ascii().is_empty() => continue,
            Ok(_) => Ok(Message::new(Bytes::copy_from_slice(line.trim_ascii()), "stdin")),
            Err(cause) => Err(cause),
        };
        let failed = message.is_err();
        if sender.blocking_send(message).is_err() || failed {
            return;
        }
    }
}

/// Publishes whatever lines are there, so that a slow sender is heard at once and a fast one in batches.
async fn publish(app: &App, mut lines: tokio::sync::mpsc::Receiver<Line>) -> anyhow::Result<()> {
    let mut tally = Tally::default();
    let mut waiting = Vec::with_capacity(BATCH);
    while lines.recv_many(&mut waiting, BATCH).await > 0 {
        let messages = waiting
            .drain(..)
            .collect::<Result<_, _>>()
            .context("failed to read the messages")?;
        if let Published::Settled(outcomes) = app.publisher.publish(messages).await? {
            for outcome in outcomes {
                match outcome {
                    Outcome::Stored(_) => tally.stored += 1,
                    Outcome::Duplicate => tally.duplicate += 1,
                    Outcome::Rejected(_) => tally.rejected += 1,
                }
            }
        }
    }
    eprintln!(
        "{} readings stored, {} were there already, {} refused",
        tally.stored, tally.duplicate, tally.rejected
    );
    if tally.rejected > 0 {
        eprintln!("hint: see `hark dead-letters list`");
    }
    Ok(())
}
