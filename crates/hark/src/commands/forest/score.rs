//! `hark forest score`.

use forest::{Forest, Matrix};

use super::answers::{Answers, Cell};
use super::files;
use super::numbers::{Numbers, check_places};
use crate::cli::ForestScoreArgs;
use crate::output::{Format, say};
use crate::progress::Progress;

/// Scores a table block by block, so that it need not fit in memory.
pub(super) fn run(args: &ForestScoreArgs, format: Format) -> anyhow::Result<()> {
    let (forest, mut numbers) = open(args)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let names = ["score", "decision", "flag"].map(str::to_owned);
    let mut answers = Answers::open(&args.output, format, names.to_vec())?;
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
            answers.push(&[Cell::Number(score), Cell::Number(decision), flag])?;
        }
        progress.count(tally.rows);
    }
    answers.finish()?;
    progress.done();
    tally.tell();
    numbers.finish()
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
    /// Counts a row; its flag as it is written, 1 or 0.
    pub(super) fn count(&mut self, decision: f64) -> Cell {
        let is_flagged = decision < 0.0;
        self.rows += 1;
        self.flagged += u64::from(is_flagged);
        Cell::Flag(is_flagged)
    }

    /// Tells the person who watches.
    pub(super) fn tell(&self) {
        say(format_args!("{} rows scored, {} flagged", self.rows, self.flagged));
    }
}
