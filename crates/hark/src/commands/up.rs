//! `hark up`: everything in one process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bus::{BusErrorKind, Message, Published};
use bytes::Bytes;
use domain::{TimeRange, Timestamp, wire};
use simulator::{CheckedParams, Fleet, FleetParams};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use warehouse::ReadingQuery;

use crate::app::{App, Tasks};
use crate::cli::{Promotion, UpArgs};
use crate::commands::serve::bind;
use crate::config::Config;
use crate::output::say;
use crate::progress::Progress;
use crate::reload::Live;
use crate::runtime::clock;
use crate::runtime::training::{self, Order};
use crate::{dashboard, http, shutdown};

/// The share of the past that a first model is trained on; the rest is judged by it. With two days it is trained on
/// 24 hours, so that every hour of the day was seen, and measured on six.
const LEARNED_SHARE: f64 = 0.625;

/// Readings handed to the bus at a time while the past is made.
const HISTORY_BATCH: usize = 2_500;

/// How often due readings are handed to the bus when it is live.
const LIVE_ROUND: Duration = Duration::from_millis(250);

/// Runs until it is told to stop.
pub(crate) async fn run(live: Live, args: UpArgs) -> anyhow::Result<()> {
    let begun = Instant::now();
    let stop = CancellationToken::new();
    shutdown::on_signals(stop.clone())?;
    let Live { config, reload } = live;
    let hangups = reload.listen()?;
    let api = bind(config.api.listen, "--listen").await?;
    let page = bind(config.dashboard.listen, "--dashboard-listen").await?;
    let (app, subscriber) = App::open(config, stop.clone()).await?;
    let mut tasks = Tasks::new();
    app.start(subscriber, &mut tasks);
    tasks.spawn(hangups.follow(app.settings.clone(), stop.clone()));
    serve(&app, api, page, &mut tasks)?;
    app.retrain(&mut tasks);
    say(format_args!(
        "hark {} keeps its data in `{}`",
        env!("HARK_VERSION"),
        app.config.data.dir.display()
    ));
    let empty = app.warehouse.devices().await?.is_empty();
    if args.no_simulator || app.config.bus.kind.is_shared() || (!empty && Past::unfinished(&app.config)?.is_none()) {
        app.train_when_ready(&mut tasks);
    }
    if !args.no_simulator {
        let (app, stop, history) = (app.clone(), stop.clone(), args.history);
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => Ok(()),
                ended = simulate(app, history, empty, begun) => ended.context("the simulated fleet failed"),
            }
        });
    }
    shutdown::join(tasks, stop).await
}

fn serve(app: &Arc<App>, api: TcpListener, page: TcpListener, tasks: &mut Tasks) -> anyhow::Result<()> {
    let (api_at, page_at) = (api.local_addr()?, page.local_addr()?);
    let routes = http::router(app.clone());
    let stop = app.stop.clone();
    tasks.spawn(async move { http::serve(api, routes, stop).await.context("the API failed") });
    let routes = dashboard::router(&format!("http://{api_at}"))?;
    let stop = app.stop.clone();
    tasks.spawn(async move { http::serve(page, routes, stop).await.context("the dashboard failed") });
    say(format_args!(
        "API        http://{api_at}   (described at /docs)\nDashboard  http://{page_at}"
    ));
    Ok(())
}

/// The simulated fleet: its past, when there is none yet or it was interrupted, and then its present until the process
/// ends.
async fn simulate(app: Arc<App>, history: Duration, empty: bool, begun: Instant) -> anyhow::Result<()> {
    let now = clock::now();
    let mut past = Past::unfinished(&app.config)?;
    // A past is made and learned from in one go only where publishing waits for the commit.
    if past.is_none() && empty && !history.is_zero() && !app.config.bus.kind.is_shared() {
        let start = now.before(history);
        past = Some(Past::begin(
            &app.config,
            start,
            start.after(history.mul_f64(LEARNED_SHARE)),
        )?);
    }
    let params = params(&app.config, past.as_ref().map_or(now, |it| it.start), None)?;
    if let Some(past) = past {
        let from = newest(&app).await?.unwrap_or(past.start);
        if app.live_model.get().is_none() {
            make_history(&app, params.clone(), from, past.learned, "simulated past to learn from").await?;
            train(&app).await?;
        }
        make_history(
            &app,
            params.clone(),
            from.max(past.learned),
            now,
            "simulated past to judge",
        )
        .await?;
        past.finish()?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    say(format_args!(
        "live after {seconds:.1} s: {} simulated devices; Ctrl-C stops",
        app.config.simulator.devices
    ));
    go_live(&app, params).await
}

/// The time of the newest stored reading.
async fn newest(app: &App) -> anyhow::Result<Option<Timestamp>> {
    let query = ReadingQuery {
        device_id: None,
        range: TimeRange::ALL,
        anomalies_only: false,
        newest_first: true,
        limit: 1,
        after: None,
    };
    let page = app.warehouse.readings(query).await?;
    Ok(page.items.first().map(|it| it.reading.timestamp))
}

/// A simulated past that is being made: remembered in a file until it is whole, so that the next start goes on with it.
struct Past {
    file: PathBuf,
    start: Timestamp,
    learned: Timestamp,
}

impl Past {
    fn file(config: &Config) -> PathBuf {
        config.data.dir.join("unfinished-history")
    }

    fn begin(config: &Config, start: Timestamp, learned: Timestamp) -> anyhow::Result<Self> {
        let file = Self::file(config);
        std::fs::write(&file, format!("{start}\n{learned}\n"))
            .with_context(|| format!("failed to write `{}`", file.display()))?;
        Ok(Self { file, start, learned })
    }

    fn unfinished(config: &Config) -> anyhow::Result<Option<Self>> {
        let file = Self::file(config);
        if !file.exists() {
            return Ok(None);
        }
        let read = || -> anyhow::Result<(Timestamp, Timestamp)> {
            let text = std::fs::read_to_string(&file)?;
            let (start, learned) = text.trim().split_once('\n').context("it does not hold two instants")?;
            Ok((Timestamp::parse(start)?, Timestamp::parse(learned)?))
        };
        let (start, learned) = read().with_context(|| format!("failed to read `{}`", file.display()))?;
        Ok(Some(Self { file, start, learned }))
    }

    fn finish(self) -> anyhow::Result<()> {
        std::fs::remove_file(&self.file).with_context(|| format!("failed to remove `{}`", self.file.display()))
    }
}

/// The parameters of the configured fleet between two instants.
pub(crate) fn params(config: &Config, start: Timestamp, end: Option<Timestamp>) -> anyhow::Result<CheckedParams> {
    let it = &config.simulator;
    let params = FleetParams {
        devices: it.devices,
        interval: it.interval,
        seed: it.seed,
        anomaly_rate: it.anomaly_rate,
        faults_per_device_week: it.faults_per_device_week,
        start,
        end,
        planted: Vec::new(),
    };
    params.check().context("the simulated fleet cannot be made")
}

async fn make_history(
    app: &App,
    params: CheckedParams,
    from: Timestamp,
    to: Timestamp,
    what: &'static str,
) -> anyhow::Result<()> {
    let progress = Progress::new(what);
    let span = to.seconds_since(from).max(1.0);
    let mut readings = Fleet::starting_at(params, from)
        .take_while(|it| it.timestamp < to)
        .peekable();
    let mut waiting = None;
    while let Some(at) = readings.peek().map(|it| it.timestamp) {
        let messages: Vec<Message> = tokio::task::block_in_place(|| {
            let batch = readings.by_ref().take(HISTORY_BATCH);
            batch
                .map(|it| message(&wire::encode(&it, &app.config.signals)))
                .collect()
        });
        let publisher = app.publisher.clone();
        // One batch is being made while the one before it is judged and stored.
        let next = tokio::spawn(async move { publisher.publish(messages).await });
        if let Some(before) = waiting.replace(next) {
            settled(before).await?;
        }
        progress.at(at.seconds_since(from) / span);
    }
    if let Some(last) = waiting {
        settled(last).await?;
    }
    progress.done();
    Ok(())
}

async fn settled(publishing: tokio::task::JoinHandle<Result<Published, bus::BusError>>) -> anyhow::Result<()> {
    publishing
        .await
        .context("publishing panicked")?
        .context("failed to publish simulated readings")?;
    Ok(())
}

fn message(payload: &[u8]) -> Message {
    Message::new(Bytes::copy_from_slice(payload), "simulator")
}

async fn train(app: &App) -> anyhow::Result<()> {
    let progress = Progress::new("training the first model");
    let order = Order::of(&app.settings(), Promotion::IfBetter)?;
    let trained = training::train(app.warehouse.as_ref(), &app.registry, &order, &|_, _| {}).await;
    match trained {
        Ok(trained) => {
            progress.done();
            app.live_model.refresh();
            say(format_args!("{}", crate::commands::train::sentence(&trained)));
            Ok(())
        }
        // Too little history, as with `--history 1m`, is no reason to stay down.
        Err(cause) if cause.downcast_ref::<detector::TrainError>().is_some() => {
            progress.done();
            say(format_args!("no model yet: {cause:#}"));
            Ok(())
        }
        Err(cause) => Err(cause),
    }
}

/// So many simulated readings wait at most for a bus that is full or away.
const MOST_DUE: usize = 10_000;

/// Publishes each reading when its time has come. What the bus cannot take now is sent again.
async fn go_live(app: &App, params: CheckedParams) -> anyhow::Result<()> {
    let mut readings = Fleet::starting_at(params, clock::now()).peekable();
    let mut round = tokio::time::interval(LIVE_ROUND);
    let mut due = Vec::new();
    loop {
        round.tick().await;
        let now = clock::now();
        while due.len() < MOST_DUE
            && let Some(reading) = readings.next_if(|it| it.timestamp <= now)
        {
            due.push(message(&wire::encode(&reading, &app.config.signals)));
        }
        if due.is_empty() {
            continue;
        }
        match app.publisher.publish(due.clone()).await {
            Ok(_) => due.clear(),
            Err(cause) if matches!(cause.kind, BusErrorKind::Full | BusErrorKind::Unavailable) => {
                warn!(error = %cause, readings = due.len(), "simulated readings wait for the bus");
            }
            Err(cause) => return Err(cause).context("failed to publish simulated readings"),
        }
    }
}
