//! `hark forest score`.

use anyhow::Context;
use forest::{Forest, Matrix};

use super::files;
use super::numbers::{Numbers, check_places};
use crate::cli::ForestScoreArgs;
use crate::output::say;
use crate::progress::Progress;

/// Scores a table block by block, so that it need not fit in memory.
pub(super) fn run(args: &ForestScoreArgs) -> anyhow::Result<()> {
    let (forest, mut numbers) = open(args)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let writing = || format!("failed to write `{}`", args.output);
    let mut csv = csv::Writer::from_writer(args.output.writer()?);
    csv.write_record(["score", "decision", "flag"]).with_context(writing)?;
    let progress = Progress::counting("scoring");
    let mut tally = Tally::default();
    loop {
        let values = numbers.block()?;
        if values.is_empty() {
            break;
        }
        let table = Matrix::new(&values, forest.columns())?;
        let mut scores = vec![0.0; table.rows()];
        forest.score(table, threads, &mut scores)?;
        for score in scores {
            let decision = forest.decision(score);
            let flag = tally.count(decision);
            csv.write_record([&score.to_string(), &decision.to_string(), flag])
                .with_context(writing)?;
        }
        progress.count(tally.rows);
    }
    csv.flush().with_context(writing)?;
    progress.done();
    tally.tell();
    Ok(())
}

/// The forest, and the table that fits it.
pub(super) fn open(args: &ForestScoreArgs) -> anyhow::Result<(Forest, Numbers)> {
    check_places(&[&args.forest, &args.numbers.input], &args.output)?;
    let forest = files::read(&args.forest)?;
    let numbers = Numbers::to_score(&args.numbers, &forest)?;
    Ok((forest, numbers))
}

/// How many rows there were, and how many of them were flagged.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) rows: u64,
    flagged: u64,
}

impl Tally {
    /// Counts a row; its flag as it is written.
    pub(super) fn count(&mut self, decision: f64) -> &'static str {
        let is_flagged = decision < 0.0;
        self.rows += 1;
        self.flagged += u64::from(is_flagged);
        if is_flagged { "1" } else { "0" }
    }

    /// Tells the person who watches.
    pub(super) fn tell(&self) {
        say(format_args!("{} rows scored, {} flagged", self.rows, self.flagged));
    }
}
