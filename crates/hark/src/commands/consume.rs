//! `hark consume`: messages from the bus, a file or stdin through the whole pipeline.

use std::time::Duration;

use async_trait::async_trait;
use bus::{Batch, BusError, Lookout, Subscriber};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Tasks};
use crate::cli::ConsumeArgs;
use crate::commands::operation;
use crate::commands::target::{Tally, Target};
use crate::http::Operation;
use crate::output::say;
use crate::reload::Live;
use crate::runtime::canary;
use crate::table::Place;
use crate::{shutdown, table};

/// Lines handed to the bus at a time.
const BATCH: usize = 1_000;

/// Consumes from a bus that processes share until the process is told to stop; lines until they end. What was told as
/// stored is durable.
pub(crate) async fn run(live: Live, args: ConsumeArgs) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    shutdown::on_signals(stop.clone())?;
    let Live { config, reload } = live;
    let hangups = reload.listen()?;
    let listener = operation::listen(&args.operation).await?;
    let mut tasks = Tasks::new();
    let input = match args.input {
        Some(place) => place,
        None if !config.bus.kind.is_shared() => Place::Standard,
        None => {
            let (app, subscriber) = App::open(config, stop.clone()).await?;
            let subscriber = match args.until_idle {
                Some(patience) => Box::new(UntilIdle {
                    subscriber,
                    patience,
                    waited: Duration::ZERO,
                }),
                None => subscriber,
            };
            app.start(subscriber, &mut tasks);
            tasks.spawn(hangups.follow(app.settings.clone(), stop.clone()));
            operation::serve(listener, Operation::of(&app), &mut tasks)?;
            say("consuming from the bus; Ctrl-C stops");
            return shutdown::join(tasks, stop).await;
        }
    };
    let (app, subscriber) = App::open(config.on_embedded_bus(), stop.clone()).await?;
    app.start(subscriber, &mut tasks);
    tasks.spawn(hangups.follow(app.settings.clone(), stop.clone()));
    operation::serve(listener, Operation::of(&app), &mut tasks)?;
    let (sender, receiver) = tokio::sync::mpsc::channel(4 * BATCH);
    // A blocking read of stdin cannot be cancelled, not even that of its first bytes: it has a thread of its own that
    // ends with the process.
    std::thread::spawn(move || read(&input, &sender));
    let until = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = until.cancelled() => Ok(()),
            ended = publish(&app, receiver) => ended,
        }
    });
    shutdown::join(tasks, stop).await
}

/// A subscriber that ends when nothing but probes came for a while.
struct UntilIdle {
    subscriber: Box<dyn Subscriber>,
    patience: Duration,
    /// For how long it has waited since the last message.
    waited: Duration,
}

#[async_trait]
impl Subscriber for UntilIdle {
    async fn pull(&mut self) -> Result<Option<Batch>, BusError> {
        let begun = Instant::now();
        let left = self.patience.saturating_sub(self.waited);
        let Ok(pulled) = tokio::time::timeout(left, self.subscriber.pull()).await else {
            return Ok(None);
        };
        let pulled = pulled?;
        let only_probes = pulled
            .as_ref()
            .is_some_and(|it| it.messages.iter().all(canary::is_probe));
        self.waited = if only_probes {
            self.waited + begun.elapsed()
        } else {
            Duration::ZERO
        };
        Ok(pulled)
    }

    fn lookout(&self) -> Lookout {
        self.subscriber.lookout()
    }

    async fn close(self: Box<Self>) {
        self.subscriber.close().await;
    }
}

type Line = anyhow::Result<Vec<u8>>;

fn read(place: &Place, sender: &tokio::sync::mpsc::Sender<Line>) {
    let mut input = match place.reader() {
        Ok(input) => input,
        Err(cause) => {
            // A receiver that is gone has ended for a reason of its own.
            let _ended = sender.blocking_send(Err(cause));
            return;
        }
    };
    loop {
        let payload = match table::next_line(&mut input) {
            Ok(None) => return,
            Ok(Some(line)) if line.trim_ascii().is_empty() => continue,
            Ok(Some(line)) => Ok(line.trim_ascii().to_vec()),
            Err(cause) => Err(cause.context("failed to read the messages")),
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
        let payloads = waiting.drain(..).collect::<anyhow::Result<_>>()?;
        tally.add(target.send(payloads, "stdin").await?);
    }
    say(tally);
    if tally.rejected > 0 {
        say("hint: see `hark dead-letters list`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bus::{Message, Publisher as _};
    use bytes::Bytes;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn probes_alone_do_not_keep_it_waiting() {
        let (publisher, subscriber) = bus::embedded::embedded(bus::embedded::Limits::default());
        let mut subscriber = UntilIdle {
            subscriber: Box::new(subscriber),
            patience: Duration::from_secs(25),
            waited: Duration::ZERO,
        };
        let sending = tokio::spawn(async move {
            let reading = Message::new(Bytes::from_static(b"{}"), "http");
            for message in [
                canary::probe(),
                reading,
                canary::probe(),
                canary::probe(),
                canary::probe(),
            ] {
                tokio::time::sleep(Duration::from_secs(10)).await;
                // Nobody settles what comes last.
                let _ended = publisher.publish(vec![message]).await;
            }
        });
        let mut pulled = 0;
        while let Some(batch) = subscriber.pull().await.unwrap() {
            let (messages, receipt) = batch.into_parts();
            pulled += messages.len();
            receipt.settle(vec![bus::Outcome::Probe]).await.unwrap();
        }
        sending.abort();
        assert_eq!(pulled, 4);
    }
}
