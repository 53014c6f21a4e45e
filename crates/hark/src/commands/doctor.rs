//! `hark doctor`: each configured part, tried.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
#[cfg(feature = "redis")]
use std::time::Duration;
use std::time::Instant;

use domain::Timestamp;
use serde_json::json;
use warehouse::WarehouseErrorKind;
use warehouse::embedded::DataDirLock;

use crate::app::{open_registry, open_warehouse_to_read, set_up, try_bus, try_warehouse};
use crate::config::{BusKind, Config, Registry, WarehouseKind};
use crate::exit::Fault;
use crate::output::{Format, Hue, Sheet, Stream, painted, say};
use crate::runtime::clock;

/// What is written to try the disk.
const TRIAL_BYTES: usize = 1 << 20;

/// No clock that is right shows an earlier time: the beginning of 2026, in seconds.
const EARLIEST_SECS: i64 = 1_767_225_600;

/// How long Redis may take to answer.
#[cfg(feature = "redis")]
const REDIS_PATIENCE: Duration = Duration::from_secs(5);

/// How many seconds two clocks may lie apart, and how many a message may take.
const MAX_APART: f64 = 5.0;
const MAX_TRIP: f64 = 20.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warning,
    Broken,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Broken => "broken",
        }
    }

    fn hue(self) -> Hue {
        match self {
            Self::Ok => Hue::Good,
            Self::Warning => Hue::Doubtful,
            Self::Broken => Hue::Bad,
        }
    }
}

/// What was found of one part.
struct Finding {
    part: &'static str,
    state: State,
    words: String,
    mend: Option<String>,
}

impl Finding {
    fn ok(part: &'static str, words: impl Into<String>) -> Self {
        Self {
            part,
            state: State::Ok,
            words: words.into(),
            mend: None,
        }
    }

    fn warning(part: &'static str, words: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            state: State::Warning,
            mend: Some(mend.into()),
            ..Self::ok(part, words)
        }
    }

    fn broken(part: &'static str, words: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            state: State::Broken,
            mend: Some(mend.into()),
            ..Self::ok(part, words)
        }
    }
}

/// Tries every part, tells what was found in a line each, and fails when one is broken.
pub(crate) async fn run(config: Config, format: Format) -> anyhow::Result<()> {
    let dir = config.data.dir.as_path();
    let mut findings = bus(&config).await;
    let far_warehouse = far_warehouse(&config).await;
    let is_far = !far_warehouse.is_empty();
    findings.extend(far_warehouse);
    if findings.iter().all(|it| it.state != State::Broken) {
        findings.extend(prepared(&config).await);
    }
    #[cfg(feature = "redis")]
    findings.extend(redis(&config).await);
    let running = if dir.is_dir() {
        let disk = disk(dir);
        let is_writable = disk.state == State::Ok;
        findings.push(disk);
        let holder = holder(dir);
        if !is_far {
            findings.push(warehouse(&config, is_writable).await);
        }
        findings.push(model(&config));
        holder
    } else {
        // Models that lie elsewhere need no data folder.
        if !matches!(config.registry, Registry::Folder(None)) {
            findings.push(model(&config));
        }
        let words = format!("there is no data folder `{}` yet", dir.display());
        findings.push(Finding::warning(
            "data folder",
            words,
            "the first `hark up` or `hark import` makes it",
        ));
        None
    };
    if let Some(holder) = &running {
        findings.push(Finding::ok("process", holder.clone()));
    }
    findings.push(address("api", config.api.listen, running.is_some()));
    findings.push(address("dashboard", config.dashboard.listen, running.is_some()));
    findings.push(time(&config).await);
    tell(&findings, format)?;
    match findings.iter().filter(|it| it.state == State::Broken).count() {
        0 => Ok(()),
        1 => Err(Fault::new("a part is broken", "its line above says how to mend it").into()),
        n => Err(Fault::new(
            format!("{n} parts are broken"),
            "their lines above say how to mend them",
        )
        .into()),
    }
}

/// Tries what lies elsewhere, and warns of what cannot be reached or is otherwise than configured.
pub(super) async fn warn_of_far(config: &Config) {
    let mut findings = bus(config).await;
    findings.extend(far_warehouse(config).await);
    #[cfg(feature = "redis")]
    findings.extend(redis(config).await);
    if !matches!(config.registry, Registry::Folder(None)) {
        findings.push(model(config));
    }
    for it in findings.iter().filter(|it| it.state != State::Ok) {
        say(format_args!("warning: {}: {}", it.part, it.words));
        if let Some(mend) = &it.mend {
            say(format_args!("hint: {mend}"));
        }
    }
}

fn tell(findings: &[Finding], format: Format) -> anyhow::Result<()> {
    if format == Format::Table {
        let mut out = io::stdout().lock();
        for it in findings {
            let state = format!("{:8}", it.state.as_str());
            write!(
                out,
                "{} {:12} {}",
                painted(&state, it.state.hue(), Stream::Stdout),
                it.part,
                it.words.replace('\n', " ")
            )?;
            match &it.mend {
                Some(mend) => writeln!(out, "; to mend it: {mend}")?,
                None => writeln!(out)?,
            }
        }
        return Ok(());
    }
    let mut sheet = Sheet::new(["part", "state", "finding", "mend"]);
    for it in findings {
        sheet.push(vec![
            json!(it.part),
            json!(it.state.as_str()),
            json!(it.words),
            json!(it.mend),
        ]);
    }
    sheet.print(format)
}

/// Sends something through the bus, and compares the clocks where the bus has one.
async fn bus(config: &Config) -> Vec<Finding> {
    let nonce = format!("{}-{}", std::process::id(), clock::now().as_micros());
    let trial = match try_bus(config, &nonce).await {
        Ok(trial) => trial,
        Err(error) => return vec![broken_by("bus", &error)],
    };
    let mut findings = vec![Finding::ok("bus", trial.words)];
    if !trial.oddities.is_empty() {
        findings.push(Finding::warning(
            "subscription",
            trial.oddities,
            "make another one with `hark setup`, or set bus.pubsub as it is",
        ));
    }
    if let Some(theirs) = trial.server_time {
        let apart = clock::now().seconds_since(theirs);
        if !(-MAX_APART..=MAX_APART + MAX_TRIP).contains(&apart) {
            let words = format!("this machine's clock is {apart:.0} s ahead of the bus's");
            findings.push(Finding::broken("clock", words, "set it, and keep it right with NTP"));
        }
    }
    findings
}

/// Asks Redis, if it is used. Where it is away everything goes on, slower.
#[cfg(feature = "redis")]
async fn redis(config: &Config) -> Option<Finding> {
    let url = config.redis.url.as_ref()?;
    let begun = Instant::now();
    let asked = async {
        let client = ::redis::Client::open(url.as_str())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        ::redis::cmd("PING").query_async::<()>(&mut connection).await
    };
    let why = match tokio::time::timeout(REDIS_PATIENCE, asked).await {
        Ok(Ok(())) => {
            let took = begun.elapsed().as_millis();
            return Some(Finding::ok("redis", format!("{url:?} answers after {took} ms")));
        }
        Ok(Err(cause)) => cause.to_string(),
        Err(_) => format!("no answer within {} s", REDIS_PATIENCE.as_secs()),
    };
    Some(Finding::warning(
        "redis",
        format!("{url:?} cannot be asked: {why}"),
        "start it, or leave redis.url empty; meanwhile every part goes on without",
    ))
}

/// Tries a warehouse that lies elsewhere.
async fn far_warehouse(config: &Config) -> Vec<Finding> {
    match try_warehouse(config).await {
        Ok(None) => Vec::new(),
        Ok(Some((words, oddities))) => {
            let mut findings = vec![Finding::ok("warehouse", words)];
            if !oddities.is_empty() {
                findings.push(Finding::warning(
                    "warehouse",
                    oddities,
                    "set warehouse.bigquery as it is",
                ));
            }
            findings
        }
        Err(error) => vec![broken_by("warehouse", &error)],
    }
}

/// Looks for all that `hark setup` makes elsewhere.
async fn prepared(config: &Config) -> Option<Finding> {
    const PART: &str = "setup";
    let is_far = |part: &str| match part {
        "bus" => config.bus.kind != BusKind::Embedded,
        _ => config.warehouse.kind != WarehouseKind::Embedded,
    };
    if !is_far("bus") && !is_far("warehouse") {
        return None;
    }
    let all = match set_up(config, true).await {
        Ok(all) => all,
        // Whoever may use all of it need not have the right to look at it.
        Err(error) => {
            let found = broken_by(PART, &error);
            return Some(Finding {
                state: State::Warning,
                ..found
            });
        }
    };
    let far: Vec<_> = all.iter().filter(|it| is_far(it.part)).collect();
    let missing: Vec<&str> = far
        .iter()
        .filter(|it| it.state == "missing")
        .map(|it| &*it.name)
        .collect();
    Some(match missing.len() {
        0 => Finding::ok(
            PART,
            format!("all {} things that `hark setup` makes are there", far.len()),
        ),
        n => Finding::broken(
            PART,
            format!(
                "{n} of {} things are missing or lack something: {}",
                far.len(),
                missing.join(", ")
            ),
            "`hark setup` makes what is missing",
        ),
    })
}

/// What an error says, with the hints inside of it as the way to mend it.
fn broken_by(part: &'static str, error: &anyhow::Error) -> Finding {
    let mut words = Vec::new();
    let mut hints = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let (message, hint) = text.split_once("\nhint: ").unwrap_or((&text, ""));
        words.push(message.to_owned());
        if !hint.is_empty() {
            hints.push(hint.to_owned());
        }
    }
    Finding {
        mend: Some(hints.join("; ")).filter(|it| !it.is_empty()),
        ..Finding::broken(part, words.join(": "), "")
    }
}

/// Writes a file and waits until it is on the disk, as every commit does.
fn disk(dir: &Path) -> Finding {
    let path = dir.join(format!("doctor.{}", std::process::id()));
    let begun = Instant::now();
    let trial = || -> io::Result<()> {
        let mut file = File::create(&path)?;
        file.write_all(&vec![0; TRIAL_BYTES])?;
        file.sync_all()
    };
    let tried = trial();
    let took = begun.elapsed().as_millis();
    let removed = fs::remove_file(&path);
    match tried.and(removed) {
        Ok(()) => Finding::ok("disk", format!("1 MiB is safe in `{}` after {took} ms", dir.display())),
        Err(error) => Finding::broken(
            "disk",
            format!("`{}` cannot be written: {error}", dir.display()),
            "make room, or give this user the right to write there",
        ),
    }
}

/// Who holds the data folder, if anybody does.
fn holder(dir: &Path) -> Option<String> {
    let error = DataDirLock::acquire(dir).err()?;
    (error.kind == WarehouseErrorKind::Held).then(|| error.to_string().lines().next().unwrap_or_default().to_owned())
}

async fn warehouse(config: &Config, is_writable: bool) -> Finding {
    let none_yet = !config.data.dir.join("hark.db").exists();
    if none_yet {
        return Finding::warning(
            "warehouse",
            "nothing is stored yet",
            "`hark up` or `hark import` begins it",
        );
    }
    let checked = match open_warehouse_to_read(config).await {
        Ok(warehouse) => warehouse.check().await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    match checked {
        Ok(words) => Finding::ok("warehouse", words),
        // A file that is not damaged must not be given up.
        Err(error) if !is_writable => Finding {
            mend: Some("mend the disk first, and ask again".to_owned()),
            ..broken_by("warehouse", &error)
        },
        Err(error) => {
            let found = broken_by("warehouse", &error);
            let mend = found.mend.unwrap_or_else(|| {
                "put a backup in its place with `hark db restore`, or move the file away to begin anew".to_owned()
            });
            Finding {
                mend: Some(mend),
                ..found
            }
        }
    }
}

fn model(config: &Config) -> Finding {
    let registry = match open_registry(config) {
        Ok(registry) => registry,
        Err(error) => return broken_by("model", &error),
    };
    let live = match registry.live() {
        Ok(Some(live)) => live,
        // A bucket that is not there holds no model either.
        Ok(None) => match registry.versions() {
            Ok(_) => {
                let words = "no model is in force, nothing is judged";
                return Finding::warning("model", words, "`hark train` makes one");
            }
            Err(error) => return broken_by("model", &error),
        },
        Err(error) => return Finding::broken("model", format!("{error:#}"), "`hark models promote` with a version"),
    };
    let loaded = registry.load(&live).and_then(|it| Ok(it.for_signals(&config.signals)?));
    match loaded {
        Ok(model) => Finding::ok(
            "model",
            format!("{live} is in force, trained at {}", model.provenance.created_at),
        ),
        Err(error) => Finding::broken(
            "model",
            format!("{live} cannot judge: {error:#}"),
            "`hark models rollback`, or `hark train --promote always`",
        ),
    }
}

fn address(part: &'static str, at: SocketAddr, running: bool) -> Finding {
    match TcpListener::bind(at) {
        Ok(_) => Finding::ok(part, format!("{at} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && running => {
            Finding::ok(part, format!("{at} is taken, as it is while a hark runs"))
        }
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::warning(
            part,
            format!("{at} is taken by another program"),
            format!("end it, or choose another {part}.listen"),
        ),
        Err(error) => Finding::broken(
            part,
            format!("{at} cannot be listened on: {error}"),
            format!("choose another {part}.listen"),
        ),
    }
}

/// Whether the clock is believable, and the newest reading not ahead of it.
async fn time(config: &Config) -> Finding {
    let now = clock::now();
    if now < Timestamp::from_secs(EARLIEST_SECS) {
        return Finding::broken("clock", format!("it shows {now}"), "set it, and keep it right with NTP");
    }
    let devices = match open_warehouse_to_read(config).await {
        Ok(warehouse) => warehouse.devices().await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let newest = devices
        .iter()
        .filter_map(|it| it.last.as_ref())
        .map(|it| it.reading.timestamp)
        .max();
    match newest {
        Some(newest) if newest > now.after(config.detector.max_future_skew) => Finding::warning(
            "clock",
            format!("it shows {now}, and the newest reading says {newest}"),
            "set it, or the devices' clocks",
        ),
        _ => Finding::ok("clock", format!("it shows {now}")),
    }
}
