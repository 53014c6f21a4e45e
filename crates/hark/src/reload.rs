//! Reading the configuration again: a SIGHUP puts in force what can be changed while a process runs, and says what takes
//! a restart. A configuration with a fault in it changes nothing.

use std::io::{self, IsTerminal};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::config::{Config, ConfigError, Flags, Loaded, Origin, RELOADED, Settings};
use crate::logging::Levels;

/// What a configuration was read from, and what follows from it.
pub(crate) struct Reload {
    flags: Flags,
    levels: Levels,
    origins: Vec<Origin>,
}

/// The same in a process that no SIGHUP ends any more.
pub(crate) struct Listening {
    reload: Reload,
    hangups: Signal,
    /// Whether a person began it: then a SIGHUP may also mean that the terminal is gone.
    on_terminal: bool,
}

/// A configuration that was read, and how it is read again.
pub(crate) struct Live {
    pub(crate) config: Config,
    pub(crate) reload: Reload,
}

impl Live {
    /// Reads the configuration. The levels of the log that it names are in force from now on.
    pub(crate) fn load(flags: Flags, levels: Levels) -> anyhow::Result<Self> {
        let Loaded { config, origins } = Config::load(&flags)?;
        levels.set(&config.log.filter);
        let reload = Reload { flags, levels, origins };
        Ok(Self { config, reload })
    }
}

impl Reload {
    /// Takes hold of SIGHUP. What comes from now on is kept until it is followed.
    pub(crate) fn listen(self) -> anyhow::Result<Listening> {
        Ok(Listening {
            hangups: signal(SignalKind::hangup()).context("failed to listen for SIGHUP")?,
            on_terminal: io::stdin().is_terminal(),
            reload: self,
        })
    }

    /// Reads the configuration again, and puts in force what can be.
    fn again(&mut self, settings: &Settings) {
        match Config::load(&self.flags) {
            Ok(fresh) => {
                settings.store(settings.load().reloaded(&fresh.config).into());
                self.levels.set(&fresh.config.log.filter);
                self.tell(fresh.origins);
            }
            Err(faults) => tell_faults(&faults),
        }
    }

    /// Tells every key whose value is another one, and keeps what is in force.
    fn tell(&mut self, fresh: Vec<Origin>) {
        let (mut changed, mut waiting) = (0, 0);
        let mut in_force = Vec::with_capacity(fresh.len());
        for now in fresh {
            let before = self.origins.iter().find(|it| it.key == now.key);
            let was = before.map_or("", |it| it.value.as_str());
            if was == now.value {
                in_force.push(now);
            } else if RELOADED.contains(&now.key.as_str()) {
                changed += 1;
                info!(key = now.key, from = was, to = now.value, "setting changed");
                in_force.push(now);
            } else {
                waiting += 1;
                warn!(key = now.key, from = was, to = now.value, "setting takes a restart");
                in_force.extend(before.cloned());
            }
        }
        self.origins = in_force;
        info!(changed, waiting_for_a_restart = waiting, "configuration read again");
    }
}

impl Listening {
    /// Reads the configuration again at each SIGHUP, until told to stop.
    pub(crate) async fn follow(mut self, settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = self.hangups.recv() => {}
            }
            if self.on_terminal && !io::stdin().is_terminal() {
                info!("stopping, the terminal is gone");
                stop.cancel();
                return Ok(());
            }
            self.reload.again(&settings);
        }
    }
}

fn tell_faults(faults: &ConfigError) {
    for fault in &faults.problems {
        error!(
            key = fault.key,
            hint = fault.hint,
            "the configuration cannot be used: {}",
            fault.message
        );
    }
    error!("the configuration that was in force stays in force");
}
