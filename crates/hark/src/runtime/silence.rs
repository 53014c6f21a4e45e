//! Who falls silent and who comes back: a state of the device, never an anomaly of the machine.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use domain::{DeviceId, Timestamp};
use tracing::warn;

use super::clock;
use super::events::{DeviceNews, Event};
use super::fleet::Fleet;
use crate::app::App;
use crate::metrics;

/// How often the devices are looked through.
const ROUND: Duration = Duration::from_secs(5);

/// In how many rounds incidents are counted where the warehouse reads its whole table for that.
const ROUNDS_OF_SHARED: u64 = 12;

/// Looks for devices that fall silent until told to stop, and counts devices and incidents by their state.
pub(crate) async fn watch(app: Arc<App>) -> anyhow::Result<()> {
    let mut silent = HashSet::new();
    let each = if app.config.warehouse.kind.is_shared() {
        ROUNDS_OF_SHARED
    } else {
        1
    };
    for nth in 0_u64.. {
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(ROUND) => {}
        }
        let now = clock::now();
        let grace = app.settings().detector.silence_grace.as_secs_f64();
        let news = look(&app.fleet, &mut silent, now, app.started_at, grace);
        for it in news {
            app.events.send(Event::Device(Arc::new(it)));
        }
        // What another process changed.
        for reloaded in [app.tuning.reload(), app.maintenance.reload()] {
            if let Err(cause) = reloaded {
                warn!(
                    error = format!("{cause:#}"),
                    "a setting cannot be read, the one before stays in force"
                );
            }
        }
        if !nth.is_multiple_of(each) {
            continue;
        }
        match app.warehouse.incident_counts(now).await {
            Ok(counts) => metrics::incidents(&counts),
            Err(cause) => warn!(error = %cause, "incidents could not be counted"),
        }
    }
    Ok(())
}

/// Brings the set of silent devices up to date, and says what changed. While nobody listened nobody was silent.
fn look(
    fleet: &Fleet,
    silent: &mut HashSet<DeviceId>,
    now: Timestamp,
    started_at: Timestamp,
    grace: f64,
) -> Vec<DeviceNews> {
    let mut news = Vec::new();
    for (device_id, heard_at, patience) in fleet.patience(grace) {
        let quiet_for = now.seconds_since(heard_at.max(started_at));
        let is_silent = quiet_for > patience;
        let changed = if is_silent {
            silent.insert(device_id.clone())
        } else {
            silent.remove(&device_id)
        };
        if changed {
            news.push(DeviceNews { device_id, is_silent });
        }
    }
    news
}

#[cfg(test)]
mod tests {
    use domain::{Reading, Signals, Values};

    use super::*;

    #[test]
    fn a_device_falls_silent_once_and_comes_back_once() {
        let fleet = Fleet::new(Signals::default());
        hear(&fleet, "a", 0, 601);
        let mut silent = HashSet::new();
        let mut seen = |now: i64| -> Vec<bool> {
            let news = look(&fleet, &mut silent, at(now), at(0), 60.0);
            news.into_iter().map(|it| it.is_silent).collect()
        };
        assert_eq!(seen(890), [false; 0]);
        assert_eq!(seen(910), [true]);
        assert_eq!(seen(950), [false; 0]);
        hear(&fleet, "a", 960, 1_000);
        assert_eq!(seen(1_000), [false]);
    }

    #[test]
    fn a_device_heard_but_twice_is_silent_when_any_other_would_be() {
        let fleet = Fleet::new(Signals::default());
        hear(&fleet, "new", 0, 61);
        let silent = |now: i64| {
            let news = look(&fleet, &mut HashSet::new(), at(now), at(0), 60.0);
            news.into_iter().map(|it| it.device_id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!((silent(86_000), silent(86_461)), (vec![], vec!["new".to_owned()]));
        hear(&fleet, "steady", 0, 841);
        assert_eq!((silent(350), silent(370)), (vec![], vec!["new".to_owned()]));
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    /// A reading a minute.
    fn hear(fleet: &Fleet, device_id: &str, from: i64, to: i64) {
        let device_id = DeviceId::new(device_id).unwrap();
        for second in (from..to).step_by(60) {
            let reading = Reading {
                device_id: device_id.clone(),
                timestamp: at(second),
                values: Values::new(vec![None, None]),
                location: None,
                device_type: None,
                truth: None,
            };
            fleet.update(&device_id, |it| {
                let last = it.state.last();
                it.watched.hear(at(second));
                it.watched.follow(&reading, last);
                it.state.push(&reading)
            });
        }
    }
}
