//! How far long work is: a bar when a person watches, a line at the start and the end otherwise.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

use crate::output::say;

const STEPS: u64 = 1_000;

/// The progress of one piece of work, told on stderr.
pub(crate) struct Progress {
    what: &'static str,
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins what has a known end.
    pub(crate) fn new(what: &'static str) -> Self {
        Self::begin(
            what,
            ProgressBar::new(STEPS),
            "{msg:32} [{bar:30}] {percent:>3} %  {eta}",
        )
    }

    /// Begins what ends when the rows do.
    pub(crate) fn counting(what: &'static str) -> Self {
        Self::begin(
            what,
            ProgressBar::no_length(),
            "{msg:32} {spinner} {human_pos} rows  {rate}",
        )
    }

    fn begin(what: &'static str, bar: ProgressBar, template: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(template).expect("the templates are written here");
            let rate = |state: &ProgressState, out: &mut dyn Write| {
                // A rate that cannot be written is not shown.
                let _written = write!(out, "{}/s", HumanCount(state.per_sec() as u64));
            };
            let bar = bar
                .with_style(style.progress_chars("=> ").with_key("rate", rate))
                .with_message(what);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        if bar.is_none() {
            say(format_args!("{what} …"));
        }
        Self {
            what,
            begun: Instant::now(),
            bar,
        }
    }

    /// Is so far, as a share of the whole.
    pub(crate) fn at(&self, share: f64) {
        if let Some(bar) = &self.bar {
            bar.set_position((share.clamp(0.0, 1.0) * STEPS as f64) as u64);
        }
    }

    /// Is so many rows far.
    pub(crate) fn count(&self, rows: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(rows);
        }
    }

    /// Ends well.
    pub(crate) fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        say(format_args!(
            "{}: done in {:.1} s",
            self.what,
            self.begun.elapsed().as_secs_f64()
        ));
    }
}
