//! `hark simulate`: the readings of a simulated fleet, written or sent when their time has come.

use std::iter::Peekable;
use std::time::{Duration, Instant};

use domain::{Reading, Signals, Timestamp, wire};
use simulator::Fleet;
use tokio_util::sync::CancellationToken;

use crate::app::open_publisher;
use crate::cli::{SimulateArgs, Speed};
use crate::client::Client;
use crate::commands::target::{Tally, Target};
use crate::commands::up::params;
use crate::config::Config;
use crate::exit::{Exit, Fault};
use crate::output::say;
use crate::runtime::clock;
use crate::shutdown;
use crate::table::{Depth, Place, ReadingWriter, TableFormat};

/// Readings written or sent at a time.
const BATCH: usize = 1_000;

/// How often it is looked whose time has come.
const ROUND: Duration = Duration::from_millis(100);

/// Simulates until the end that was asked for, or until it is told to stop.
pub(crate) async fn run(config: Config, args: SimulateArgs) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    shutdown::on_signals(stop.clone())?;
    let now = clock::now();
    let (start, end) = match args.history {
        Some(history) if history.is_zero() => {
            let fault = Fault::new(
                "--history 0s makes no readings",
                "say how long the past is to be, such as 2d",
            );
            return Err(fault.exit(Exit::Usage).into());
        }
        Some(history) => (now.before(history), Some(now)),
        None => {
            let start = args.start.unwrap_or(now);
            (start, args.duration.map(|it| start.after(it)))
        }
    };
    let mut fleet = Fleet::new(params(&config, start, end)?).peekable();
    let mut sink = Sink::open(&args, &config).await?;
    let pace = Pace {
        speed: args.speed,
        start,
        begun: Instant::now(),
    };
    let mut round = tokio::time::interval(ROUND);
    loop {
        let due = due(&mut fleet, pace.present());
        if !due.is_empty() {
            sink.take(due).await?;
        }
        let Some(next) = fleet.peek().map(|it| it.timestamp) else {
            break;
        };
        if stop.is_cancelled() {
            break;
        }
        if next > pace.present() {
            sink.flush()?;
            tokio::select! {
                () = stop.cancelled() => break,
                _ = round.tick() => {}
            }
        }
    }
    sink.finish()
}

/// How simulated time passes.
struct Pace {
    speed: Option<Speed>,
    start: Timestamp,
    begun: Instant,
}

impl Pace {
    /// The simulated present: without a speed that of the clock, so that the past is there at once.
    fn present(&self) -> Timestamp {
        match self.speed {
            None => clock::now(),
            Some(Speed::Max) => Timestamp::MAX,
            Some(Speed::Times(times)) => {
                let micros = self.begun.elapsed().as_secs_f64() * times * 1e6;
                self.start.plus_micros(micros as i64)
            }
        }
    }
}

fn due(fleet: &mut Peekable<Fleet>, present: Timestamp) -> Vec<Reading> {
    let mut due = Vec::new();
    while due.len() < BATCH
        && let Some(reading) = fleet.next_if(|it| it.timestamp <= present)
    {
        due.push(reading);
    }
    due
}

/// Where the readings go.
enum Sink {
    Messages(Box<dyn std::io::Write + Send>, Signals),
    Table(Box<ReadingWriter>),
    Target(Target, Signals, Tally),
}

impl Sink {
    async fn open(args: &SimulateArgs, config: &Config) -> anyhow::Result<Self> {
        let signals = &config.signals;
        if args.bus.is_some() {
            let target = Target::Here(open_publisher(config).await?);
            return Ok(Self::Target(target, signals.clone(), Tally::default()));
        }
        if let Some(url) = &args.to {
            let target = Target::Remote(Box::new(Client::new(url)?));
            return Ok(Self::Target(target, signals.clone(), Tally::default()));
        }
        let told = match &args.output {
            Place::Standard => None,
            Place::File(path) => TableFormat::of(path),
        };
        Ok(match args.output_format.or(told).unwrap_or(TableFormat::Ndjson) {
            TableFormat::Ndjson => Self::Messages(args.output.writer()?, signals.clone()),
            table => {
                let writer = ReadingWriter::create(&args.output, table, Depth::Reading, signals)?;
                Self::Table(Box::new(writer))
            }
        })
    }

    async fn take(&mut self, readings: Vec<Reading>) -> anyhow::Result<()> {
        match self {
            Self::Messages(out, signals) => {
                for reading in &readings {
                    out.write_all(&wire::encode(reading, signals))?;
                    out.write_all(b"\n")?;
                }
            }
            Self::Table(writer) => {
                for reading in &readings {
                    writer.reading(reading)?;
                }
            }
            Self::Target(target, signals, tally) => {
                let payloads = readings.iter().map(|it| wire::encode(it, signals)).collect();
                tally.add(target.send(payloads, "simulator").await?);
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Messages(out, _) => Ok(out.flush()?),
            Self::Table(writer) => writer.flush(),
            Self::Target(..) => Ok(()),
        }
    }

    fn finish(mut self) -> anyhow::Result<()> {
        self.flush()?;
        match self {
            Self::Messages(..) => Ok(()),
            Self::Table(writer) => writer.finish(),
            Self::Target(_, _, tally) => {
                say(tally);
                Ok(())
            }
        }
    }
}
